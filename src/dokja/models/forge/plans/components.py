"""A recipe's component, resolved: where it begins, what is done to it, and what it ends as."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.manifests import file_manifest
from dokja.models.forge.plans.bases import licence_file
from dokja.models.forge.plans.mixtures import Mixture
from dokja.models.forge.plans.plan import PlannedComponent
from dokja.models.forge.plans.planner import Planner
from dokja.models.forge.plans.stages import (
    moved_share,
    plain_parameters,
    training_stage,
    transformed,
)
from dokja.models.forge.plans.tokenizers import PlannedTokenizer
from dokja.models.forge.recipes import (
    Descent,
)
from dokja.models.forge.recipes.schema import ComponentTerms
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import Model, SourceTensors
from dokja.models.forge.transforms.tensors import Derived
from dokja.models.forge.transforms.tensors import Plan as TensorPlan
from dokja.values import Json

__all__ = ["plan_component"]


@dataclass(slots=True, kw_only=True)
class _Beginning:
    """What a component is before its first step."""

    origin: Mapping[str, Json]
    descent: Descent
    structure: Structure | None = None
    model: Model | None = None
    facts: dict[str, Json] = field(default_factory=dict)


def plan_component(
    planner: Planner,
    component: ComponentTerms,
    descent: Descent,
    *,
    tokenizer: PlannedTokenizer | None,
    mixtures: Mapping[str, Mixture],
) -> PlannedComponent:
    """Return a component with its base found and its steps resolved.

    Args:
        planner: Of the recipe.
        component: As the recipe says it.
        descent: Where it comes from.
        tokenizer: The recipe's tokenizer.
        mixtures: The recipe's data, packed.

    Raises:
        RecipeError, CorpusError, TransformError, WeightsError: See `plan_recipe`.
    """
    begun = _begun(planner, component, descent, tokenizer=tokenizer)
    structure, model = begun.structure, begun.model
    stages: list[Mapping[str, Json]] = []
    moved: list[float] = []
    for number, step in enumerate(component.step, start=1):
        place = f"component {component.id}, step {number}"
        if step.is_training:
            stage = training_stage(planner, step, structure, place, mixtures, tokenizer=tokenizer)
            stages.append(stage)
            begun.descent = begun.descent.with_teacher(stage.get("teacher"))
            moved += [] if structure is None else [moved_share(step, structure)]
        else:
            model = transformed(planner, step, model, place=place)
            structure = model.structure
            said: dict[str, Json] = {"do": step.do, "parameters": plain_parameters(step)}
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
    planner: Planner,
    component: ComponentTerms,
    descent: Descent,
    *,
    tokenizer: PlannedTokenizer | None,
) -> _Beginning:
    said = component.origin.model_dump(mode="json", exclude_none=True)
    begun = _Beginning(origin=said, descent=descent)
    if component.origin.base is not None and component.role != "tokenizer":
        base = planner.base(component.origin.base, root=component.origin.root)
        begun.origin = {**said, "root": base.root}
        if component.role == "language-body":
            begun.structure = base.structure
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
    planner: Planner, component: ComponentTerms, tokenizer: PlannedTokenizer | None
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


def _with_root(descent: Descent, *, name: str, root: str) -> Descent:
    """Return the descent with the root of a base that was found."""
    said = descent.to_json()
    leaves = said["leaves"]
    for leaf in leaves if isinstance(leaves, list) else ():
        if isinstance(leaf, dict) and leaf.get("name") == name:
            leaf["root"] = root
    return Descent.from_json(said)


def _fits(
    planner: Planner, component: ComponentTerms, tokenizer: PlannedTokenizer, body: Structure
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


def _index(planner: Planner, component: str, path: Path) -> str:
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
