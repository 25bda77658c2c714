"""From a recipe and a size to a plan: names found, numbers filled in, claims derived.

Everything that can be found wrong without training is found here: bases that are not there,
tokenizers that do not match, data too short for the steps, transforms that do not fit.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from dokja.errors import InputError, Mistake, RecipeError
from dokja.models.forge.plans.bases import Base, BaseStore, licence_file
from dokja.models.forge.plans.budgets import budget
from dokja.models.forge.plans.mixtures import Mixture, pack_mixture
from dokja.models.forge.plans.plan import Plan, PlannedComponent
from dokja.models.forge.plans.tokenizers import PlannedTokenizer, plan_tokenizer
from dokja.models.forge.recipes import (
    ClaimTable,
    Descent,
    Recipe,
    RecipeFile,
    claim_model,
    descents,
)
from dokja.models.forge.recipes.schema import ComponentTerms, StepTerms
from dokja.models.forge.records.manifests import file_manifest
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import Model, SourceTensors, apply
from dokja.models.forge.transforms.tensors import Derived
from dokja.models.forge.transforms.tensors import Plan as TensorPlan
from dokja.values import Json

__all__ = ["plan_recipe"]

_PLACE = {"device", "nodes", "gpus_per_node", "gpu", "hours"}

_PROBES = 10  # a run has about as many probes of its full state
_PROBE_GAP = 10  # steps between the two states of a probe: what an examiner replays
_DENSE = (10, 20, 30, 40, 60, 80, 100)  # states at the start that are kept in any case


@dataclass(slots=True, kw_only=True)
class _Planner:
    """Everything that planning a recipe needs at hand."""

    recipe: Recipe
    terms: RecipeFile
    size: str
    bases: BaseStore
    folder: Path
    here: Path
    brought: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    found: dict[str, Base] = field(default_factory=dict)

    def base(self, name: str, *, root: str | None) -> Base:
        if name not in self.found:
            self.found[name] = self.bases.open(name, stated_root=root, file=self.recipe.file)
        return self.found[name]


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
    planner = _Planner(
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


def _mixtures(planner: _Planner, tokenizer: PlannedTokenizer | None) -> dict[str, Mixture]:
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
    planner: _Planner,
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
                _component(planner, component, descent, tokenizer=tokenizer, mixtures=mixtures)
            )
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RecipeError(mistakes)
    return tuple(planned)


@dataclass(slots=True, kw_only=True)
class _Beginning:
    """What a component is before its first step."""

    origin: Mapping[str, Json]
    descent: Descent
    structure: Structure | None = None
    model: Model | None = None
    facts: dict[str, Json] = field(default_factory=dict)


def _component(
    planner: _Planner,
    component: ComponentTerms,
    descent: Descent,
    *,
    tokenizer: PlannedTokenizer | None,
    mixtures: Mapping[str, Mixture],
) -> PlannedComponent:
    begun = _begun(planner, component, descent, tokenizer=tokenizer)
    structure, model = begun.structure, begun.model
    stages: list[Mapping[str, Json]] = []
    moved: list[float] = []
    for number, step in enumerate(component.step, start=1):
        place = f"component {component.id}, step {number}"
        if step.is_training:
            stages.append(_training(planner, step, structure, place, mixtures))
            moved += [] if structure is None else [_moved_share(step, structure)]
        else:
            model = _transformed(planner, step, model, place=place)
            structure = model.structure
            said: dict[str, Json] = {"do": step.do, "parameters": _plain(step)}
            stages.append({"kind": "transform", **said, "structure": structure.to_json()})
    counted = None if structure is None else structure.parameters()
    return PlannedComponent(
        descent=begun.descent,
        origin=begun.origin,
        stages=tuple(stages),
        structure=structure,
        parameters=counted if counted is not None else _count(component),
        moved_share=max(moved, default=None),
        facts=begun.facts,
    )


def _begun(
    planner: _Planner,
    component: ComponentTerms,
    descent: Descent,
    *,
    tokenizer: PlannedTokenizer | None,
) -> _Beginning:
    said = component.origin.model_dump(mode="json", exclude_none=True)
    begun = _Beginning(origin=said, descent=descent)
    if component.origin.base is not None and component.role != "tokenizer":
        base = planner.base(component.origin.base, root=component.origin.root)
        begun.origin, begun.structure = {**said, "root": base.root}, base.structure
        begun.model = Model(
            tensors=SourceTensors(base.source), structure=base.structure, name=base.root
        )
        begun.facts["licence_text"] = licence_file(base.folder) is not None
        begun.descent = _with_root(descent, name=base.name, root=base.root)
    elif component.origin.scratch is not None and component.role == "language-body":
        begun.structure = _structure(planner, component, tokenizer)
        begun.model = _hollow(begun.structure)
    if component.origin.index is not None:
        begun.facts["index"] = _index(planner, component.id, planner.here / component.origin.index)
    if component.tensors:
        begun.facts["tensors"] = [*component.tensors]
    if component.role == "tokenizer" and tokenizer is not None:
        begun.facts |= {"digest": str(tokenizer.digest), "rows": tokenizer.rows}
    if tokenizer is not None and begun.structure is not None:
        _fits(planner, component, tokenizer, begun.structure)
    return begun


def _structure(
    planner: _Planner, component: ComponentTerms, tokenizer: PlannedTokenizer | None
) -> Structure:
    """Return the structure of a body from scratch; what its shape leaves out is filled in."""
    said: dict[str, Any] = dict(component.shape)
    if tokenizer is not None:
        said.setdefault("vocabulary", tokenizer.rows)
    heads, width = said.get("heads"), said.get("width")
    if isinstance(heads, int) and isinstance(width, int) and heads > 0:
        said.setdefault("kv_heads", heads)
        said.setdefault("head_width", width // heads)
        said.setdefault("ffn", 64 * math.ceil(width * 8 / 3 / 64))
    file = f"{planner.recipe.file}, component {component.id}, shape"
    return Structure.from_json({**said, "family": str(component.origin.scratch)}, file=file)


def _hollow(structure: Structure) -> Model:
    """Return a model whose tensors are zeros: enough to see what transforms make of its shape."""

    def zeros(shape: tuple[int, ...]) -> TensorPlan:
        return TensorPlan(
            shape=shape,
            dtype=np.dtype(np.float32),
            make=lambda: np.zeros(shape, dtype=np.float32),
        )

    tensors = Derived({name: zeros(shape) for name, shape in structure.shapes().items()})
    return Model(tensors=tensors, structure=structure, name="from scratch")


def _transformed(planner: _Planner, step: StepTerms, model: Model | None, *, place: str) -> Model:
    if model is None:
        raise RecipeError(
            [
                Mistake(
                    file=planner.recipe.file,
                    place=place,
                    read=f"{step.do} on a component whose structure is not known here",
                    expected="a language body from scratch or from a base",
                )
            ]
        )
    done = apply({"do": step.do, **_plain(step)}, [model, *_others(planner, step)])
    return Model(tensors=done.tensors, structure=done.structure, name=step.do)


def _others(planner: _Planner, step: StepTerms) -> list[Model]:
    said = step.parameters.get("with", ())
    others = said if isinstance(said, list | tuple) else (said,)
    found: list[Model] = []
    for other in others:
        base = planner.base(str(other["base"]), root=other.get("root"))
        found.append(
            Model(tensors=SourceTensors(base.source), structure=base.structure, name=base.root)
        )
    return found


def _plain(step: StepTerms) -> dict[str, Json]:
    """Return a transform's parameters as JSON has them."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    found: dict[str, Json] = plain(step.parameters)
    return found


def _training(
    planner: _Planner,
    step: StepTerms,
    structure: Structure | None,
    place: str,
    mixtures: Mapping[str, Mixture],
) -> dict[str, Json]:
    batch, optimizer = step.batch, step.optimizer
    if batch is None or optimizer is None or step.tokens is None or step.data is None:
        message = f"{place}: checking let a training without batch, optimizer, tokens or data pass"
        raise RuntimeError(message)
    per_step = batch.sequences * batch.length
    steps = math.ceil(step.tokens / per_step)
    mixture = mixtures[step.data]
    mixture.check(instances=steps * batch.sequences, length=batch.length, file=planner.recipe.file)
    teacher: Json = None
    if step.teacher is not None:
        found = planner.base(step.teacher.base, root=step.teacher.root)
        teacher = {**step.teacher.model_dump(mode="json"), "root": found.root}
    tenth = _PROBE_GAP * max(1, round(steps / _PROBES / _PROBE_GAP))
    probe = step.probe_every or tenth
    return {
        "kind": "train",
        "do": "train",
        "structure": None if structure is None else structure.to_json(),
        "data": step.data,
        "steps": steps,
        "tokens": steps * per_step,
        "batch": {**batch.model_dump(mode="json"), "micro": batch.micro or batch.sequences},
        "optimizer": {**optimizer.model_dump(mode="json")},
        "schedule": {**step.schedule.model_dump(mode="json"), "total_steps": steps},
        "trainable": step.trainable if isinstance(step.trainable, str) else [*step.trainable],
        "adapter": None if step.adapter is None else step.adapter.model_dump(mode="json"),
        "teacher": teacher,
        "probe_every": probe,
        "keep_at": [*_kept(steps, probe)],
        "archive_at": [step for step in _DENSE if step <= steps],
        "options": {},
    }


def _kept(steps: int, probe: int) -> tuple[int, ...]:
    """Return the steps whose full state is written: both ends of every probe, and a dense start."""
    ends = {step for end in range(probe, steps + 1, probe) for step in (end - _PROBE_GAP, end)}
    return tuple(sorted(step for step in {0, steps, *_DENSE} | ends if 0 <= step <= steps))


def _moved_share(step: StepTerms, structure: Structure) -> float:
    if step.trainable == "all":
        return 1.0
    if step.trainable == "adapters":
        return 0.0
    shapes = structure.shapes()
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    moved = sum(
        size
        for name, size in sizes.items()
        if any(fnmatchcase(name, pattern) for pattern in step.trainable)
    )
    return moved / sum(sizes.values())


def _with_root(descent: Descent, *, name: str, root: str) -> Descent:
    """Return the descent with the root of a base that was found."""
    said = descent.to_json()
    leaves = said["leaves"]
    for leaf in leaves if isinstance(leaves, list) else ():
        if isinstance(leaf, dict) and leaf.get("name") == name:
            leaf["root"] = root
    return Descent.from_json(said)


def _fits(
    planner: _Planner, component: ComponentTerms, tokenizer: PlannedTokenizer, body: Structure
) -> None:
    if tokenizer.size > body.vocabulary and not any(s.do == "vocabulary" for s in component.step):
        raise RecipeError(
            [
                Mistake(
                    file=planner.recipe.file,
                    place=f"component {component.id}",
                    read=f"a tokenizer of {tokenizer.size} ids",
                    expected=f"one that matches the body's {body.vocabulary} rows",
                    remedy="Take the base's own tokenizer, or change the vocabulary by a step.",
                )
            ]
        )


def _index(planner: _Planner, component: str, path: Path) -> str:
    """Lay an index's documents beside the plan, and return the digest of their manifest."""
    if not path.is_dir():
        expected = "a folder of documents"
        wrong = Mistake(
            file=planner.recipe.file,
            place=f"component {component}, from.index",
            read=str(path),
            expected=expected,
        )
        raise RecipeError([wrong])
    kept = planner.folder / "parts" / component
    kept.parent.mkdir(exist_ok=True)
    shutil.copytree(path, kept)
    return str(file_manifest(kept).digest)


def _count(component: ComponentTerms) -> int | None:
    stated = component.shape.get("parameters")
    return stated if isinstance(stated, int) and not isinstance(stated, bool) else None


def _budgets(components: Sequence[PlannedComponent]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for component in components:
        for number, stage in enumerate(component.stages, start=1):
            said = stage.get("structure")
            if stage["kind"] != "train" or not isinstance(said, Mapping):
                continue
            batch, tokens = stage["batch"], stage["tokens"]
            length = batch["length"] if isinstance(batch, Mapping) else 0
            if isinstance(length, int) and isinstance(tokens, int):
                one = budget(Structure.from_json(said), tokens=tokens, length=length)
                found[f"{component.id}/{number}"] = one.to_json()
    return found
