"""Recipes that come with the forge: one for each grade, and a small base to build on.

Each has a size for one CPU (under three minutes), one GPU and a cluster; a test holds that each
derives the claim in its name at every size.
"""

from importlib.resources import files

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.recipes import Recipe, recipe_of

__all__ = ["PRESETS", "preset"]

PRESETS = ("t1", "t2", "t3", "t4", "t5", "base")
"""Names of the presets."""


def preset(name: str) -> Recipe:
    """Return a recipe that comes with the forge.

    Raises:
        RecipeError: There is none of this name.

    Example:
        >>> preset("t4").sizes
        ('cpu', 'gpu1', 'cluster')
    """
    if name not in PRESETS:
        expected = "one of " + ", ".join(PRESETS)
        raise RecipeError([Mistake(file="presets", place="", read=repr(name), expected=expected)])
    path = files("dokja.models.forge.presets") / f"{name}.toml"
    return recipe_of(path.read_bytes(), file=str(path))
