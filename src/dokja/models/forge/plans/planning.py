"""From a recipe and a size to a plan: names found, numbers filled in, claims derived.

Everything that can be found wrong without training is found here: bases that are not there,
tokenizers that do not match, data too short for the steps, transforms that do not fit.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dokja.errors import InputError, Mistake, RecipeError
from dokja.models.forge.plans.bases import BaseStore
from dokja.models.forge.plans.budgets import budget
from dokja.models.forge.plans.components import plan_component
from dokja.models.forge.plans.mixtures import Mixture, pack_mixture
from dokja.models.forge.plans.plan import Plan, PlannedComponent
from dokja.models.forge.plans.planner import Planner
from dokja.models.forge.plans.teachers import teacher_structure
from dokja.models.forge.plans.tokenizers import PlannedTokenizer, plan_tokenizer
from dokja.models.forge.recipes import (
    ClaimTable,
    Descent,
    Recipe,
    claim_model,
    descents,
)
from dokja.models.forge.structures import Structure
from dokja.values import Json

__all__ = ["plan_recipe"]

_PLACE = {"device", "nodes", "gpus_per_node", "gpu", "hours"}


def plan_recipe(
    recipe: Recipe,
    size: str,
    *,
    bases: BaseStore,
    table: ClaimTable,
    folder: Path,
    records: Mapping[str, Sequence[Descent]] | None = None,
    brought: Mapping[str, Sequence[Path]] | None = None,
) -> Plan:
    """Resolve a recipe for a size; tokenizer and packed data are written into a folder.

    Args:
        recipe: The recipe.
        size: One of its sizes.
        bases: Where others' weights are looked for.
        table: The claim table.
        folder: An empty folder for `tokenizer/` and `data/`; the plan names files relative to it.
        records: Own earlier records that the recipe starts from, by the path that it names.
        brought: Packed corpora that stand in for a data's sources, by the data's name.

    Raises:
        RecipeError: A base is not there, has another root or no known structure; sizes do not
            fit; data are too short; all mistakes that can be told together.
        CorpusError: A corpus is damaged or was made by another tokenizer.
        TransformError: A transform does not fit its component.
    """
    terms = recipe.at(size)
    planner = Planner(
        recipe=recipe,
        terms=terms,
        size=size,
        bases=bases,
        folder=folder,
        here=Path(recipe.file).parent,
        brought=brought or {},
    )
    family = descents(terms, records=records)
    tokenizer = plan_tokenizer(
        terms, base=planner.base, folder=folder / "tokenizer", here=planner.here
    )
    mixtures = _mixtures(planner, tokenizer)
    components = _components(planner, family, tokenizer=tokenizer, mixtures=mixtures)
    claim = claim_model([one.claim_facts() for one in components], table=table)
    fixed = terms.seed.fixed
    return Plan(
        name=recipe.name,
        recipe=recipe.digest,
        size=size,
        components=components,
        data={name: mixture.to_json() for name, mixture in mixtures.items()},
        engine=terms.engine.model_dump(mode="json"),
        place=terms.size[size].model_dump(mode="json", include=_PLACE),
        seed={"drawn": True} if fixed is None else {"fixed": fixed},
        claim={**claim.to_json(), "table_digest": str(table.digest)},
        budget=_budgets(components),
        tokenizer=None if tokenizer is None else tokenizer.to_json(),
    )


def _mixtures(planner: Planner, tokenizer: PlannedTokenizer | None) -> dict[str, Mixture]:
    used = {
        step.data: step.batch.length
        for component in planner.terms.component
        for step in component.step
        if step.is_training and step.data is not None and step.batch is not None
    }
    found: dict[str, Mixture] = {}
    for name in used:
        if tokenizer is None:
            read = "data to train on and no tokenizer"
            raise RecipeError(
                [
                    Mistake(
                        file=planner.recipe.file,
                        place=f"data {name}",
                        read=read,
                        expected="a component of role tokenizer, or a base that brings one",
                    )
                ]
            )
        found[name] = pack_mixture(
            name,
            planner.terms.data[name],
            tokenizer=tokenizer,
            folder=planner.folder,
            here=planner.here,
            brought=planner.brought.get(name, ()),
            bring=planner.terms.size[planner.size].bring_data,
        )
    return found


def _components(
    planner: Planner,
    family: Sequence[Descent],
    *,
    tokenizer: PlannedTokenizer | None,
    mixtures: Mapping[str, Mixture],
) -> tuple[PlannedComponent, ...]:
    planned: list[PlannedComponent] = []
    mistakes: list[Mistake] = []
    for component, descent in zip(planner.terms.component, family, strict=True):
        try:
            planned.append(
                plan_component(planner, component, descent, tokenizer=tokenizer, mixtures=mixtures)
            )
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RecipeError(mistakes)
    return tuple(planned)


def _budgets(components: Sequence[PlannedComponent]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for component in components:
        for number, stage in enumerate(component.stages, start=1):
            said = stage.get("structure")
            if "batch" not in stage or not isinstance(said, Mapping):
                continue
            batch, tokens = stage["batch"], stage["tokens"]
            length = batch["length"] if isinstance(batch, Mapping) else 0
            if isinstance(length, int) and isinstance(tokens, int):
                teacher = teacher_structure(stage)
                structure = Structure.from_json(said)
                one = budget(structure, tokens=tokens, length=length, teacher=teacher)
                found[f"{component.id}/{number}"] = one.to_json()
    return found
