"""What planning a recipe needs at hand: the recipe at its size, bases, and where files go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dokja.models.forge.plans.bases import Base, BaseStore
from dokja.models.forge.recipes import Recipe, RecipeFile

__all__ = ["Planner"]


@dataclass(slots=True, kw_only=True)
class Planner:
    """One recipe that is being planned.

    Attributes:
        recipe: The recipe.
        terms: The recipe at its size.
        size: The size.
        bases: Where others' weights are looked for.
        folder: The plan's folder, which is being filled.
        here: The recipe's folder, from which its paths start.
        brought: Packed corpora that stand in for a data's sources, by the data's name.
        found: Bases that were opened, by name.
    """

    recipe: Recipe
    terms: RecipeFile
    size: str
    bases: BaseStore
    folder: Path
    here: Path
    brought: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    found: dict[str, Base] = field(default_factory=dict)

    def base(self, name: str, *, root: str | None) -> Base:
        """Return a base, opened once.

        Raises:
            RecipeError: It is not there, or its root is another than the one stated.
        """
        if name not in self.found or root not in {None, self.found[name].root}:
            self.found[name] = self.bases.open(name, stated_root=root, file=self.recipe.file)
        return self.found[name]
