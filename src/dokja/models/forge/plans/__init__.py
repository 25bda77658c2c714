"""Plans: recipes resolved for one size, with tokenizer and packed data beside them."""

from dokja.models.forge.plans.bases import Base, BaseStore
from dokja.models.forge.plans.plan import Plan, PlannedComponent, read_plan
from dokja.models.forge.plans.planning import plan_recipe

__all__ = ["Base", "BaseStore", "Plan", "PlannedComponent", "plan_recipe", "read_plan"]
