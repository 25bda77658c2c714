"""Recipes: what a model is made of and what is done to it, and what may be claimed of that.

A recipe names components, where each comes from and what is done to each. Ancestry follows from
it, and a claim from ancestry under a dated table; nobody types a grade.
"""

from dokja.models.forge.recipes.ancestry import Descent, Leaf, LeafKind, Moved, descents
from dokja.models.forge.recipes.claims import (
    ClaimTable,
    ComponentClaim,
    ComponentFacts,
    ModelClaim,
    claim_model,
    read_table,
)
from dokja.models.forge.recipes.reading import Recipe, read_recipe, recipe_of
from dokja.models.forge.recipes.schema import RecipeFile

__all__ = [
    "ClaimTable",
    "ComponentClaim",
    "ComponentFacts",
    "Descent",
    "Leaf",
    "LeafKind",
    "ModelClaim",
    "Moved",
    "Recipe",
    "RecipeFile",
    "claim_model",
    "descents",
    "read_recipe",
    "read_table",
    "recipe_of",
]
