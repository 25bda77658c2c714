"""A recipe's steps, resolved: transforms applied to shapes, trainings with all their numbers."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.plans.mixtures import Mixture
from dokja.models.forge.plans.planner import Planner
from dokja.models.forge.plans.teachers import planned_teacher
from dokja.models.forge.plans.tokenizers import PlannedTokenizer
from dokja.models.forge.recipes.schema import StepTerms
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import Model, SourceTensors, apply
from dokja.values import Json

__all__ = ["moved_share", "plain_parameters", "training_stage", "transformed"]

_PROBES = 10  # a run has about as many probes of its full state
_PROBE_GAP = 10  # steps between the two states of a probe: what an examiner replays
_DENSE = (10, 20, 30, 40, 60, 80, 100)  # states at the start that are kept in any case


def transformed(planner: Planner, step: StepTerms, model: Model | None, *, place: str) -> Model:
    """Return what a transform makes of a model; nothing is computed yet.

    Args:
        planner: Of the recipe.
        step: The transform.
        model: What it is applied to; none where the forge knows no structure.
        place: What mistakes call the step.

    Raises:
        RecipeError: There is no structure to transform, or another parent is not there.
        TransformError: It does not fit the model.
    """
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
    done = apply({"do": step.do, **plain_parameters(step)}, [model, *_others(planner, step)])
    return Model(tensors=done.tensors, structure=done.structure, name=step.do)


def _others(planner: Planner, step: StepTerms) -> list[Model]:
    said = step.parameters.get("with", ())
    others = said if isinstance(said, list | tuple) else (said,)
    found: list[Model] = []
    for other in others:
        base = planner.base(str(other["base"]), root=other.get("root"))
        found.append(
            Model(tensors=SourceTensors(base.source), structure=base.structure, name=base.root)
        )
    return found


def plain_parameters(step: StepTerms) -> dict[str, Json]:
    """Return a transform's parameters as JSON has them."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    found: dict[str, Json] = plain(step.parameters)
    return found


def _said(step: StepTerms) -> dict[str, Json]:
    """Return what a training says beside options of its own."""
    known = set(StepTerms.model_fields) - {"do", "trainable"}
    found: dict[str, Json] = step.model_dump(mode="json", include=known, exclude_unset=True)
    return found


def training_stage(
    planner: Planner,
    step: StepTerms,
    structure: Structure | None,
    place: str,
    mixtures: Mapping[str, Mixture],
    *,
    tokenizer: PlannedTokenizer | None,
) -> dict[str, Json]:
    """Return a training with every number filled in.

    Args:
        planner: Of the recipe.
        step: The training.
        structure: What is trained; none where the forge does not know it.
        place: What mistakes call the step.
        mixtures: The recipe's data, packed.
        tokenizer: The recipe's tokenizer.

    Raises:
        CorpusError: The data do not last for the steps.
        RecipeError, RecordError, WeightsError: The teacher is not there, or cannot teach.
    """
    if planner.terms.engine.name == "command":
        return {
            "kind": "train",
            "do": "train",
            "structure": None if structure is None else structure.to_json(),
            "trainable": step.trainable if isinstance(step.trainable, str) else [*step.trainable],
            "options": {**_said(step), **plain_parameters(step)},
        }
    batch, optimizer = step.batch, step.optimizer
    if batch is None or optimizer is None or step.tokens is None or step.data is None:
        message = f"{place}: checking let a training without batch, optimizer, tokens or data pass"
        raise RuntimeError(message)
    per_step = batch.sequences * batch.length
    steps = math.ceil(step.tokens / per_step)
    mixture = mixtures[step.data]
    mixture.check(instances=steps * batch.sequences, length=batch.length, file=planner.recipe.file)
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
        "teacher": planned_teacher(planner, step, structure, tokenizer=tokenizer, place=place),
        "probe_every": probe,
        "keep_at": [*_kept(steps, probe)],
        "archive_at": [step for step in _DENSE if step <= steps],
        "options": {},
    }


def _kept(steps: int, probe: int) -> tuple[int, ...]:
    """Return the steps whose full state is written: both ends of every probe, and a dense start."""
    ends = {step for end in range(probe, steps + 1, probe) for step in (end - _PROBE_GAP, end)}
    return tuple(sorted(step for step in {0, steps, *_DENSE} | ends if 0 <= step <= steps))


def moved_share(step: StepTerms, structure: Structure) -> float:
    """Return the share of the parameters that a training may move, in [0, 1]."""
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
