"""Makes models from their recipes: variants again, bit by bit, and what trainings start from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.laundering import launder
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import ArrayTensors, Model, Tensors, apply
from dokja.models.forge.zoo.encoders import sighted_config, sighted_start
from dokja.models.weights.roots import array_digest, root, root_text
from dokja.values import Json

__all__ = ["Made", "first_weights", "make", "tensors_root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What some steps made; tensors are computed when they are read.

    Attributes:
        tensors: By name.
        structure: What they are of; of the body, where there is an encoder beside it.
        config: `config.json`.
        steps: The steps' own records.
    """

    tensors: Tensors
    structure: Structure
    config: Mapping[str, Json]
    steps: tuple[Mapping[str, Json], ...]

    def model(self, name: str) -> Model:
        """Return it as the source of a further step."""
        return Model(tensors=self.tensors, structure=self.structure, name=name)


def first_weights(structure: Structure, *, family: str, seed: str) -> Made:
    """Return a model as it is drawn from a seed.

    Args:
        structure: Of it, or of its body.
        family: `F5` has an encoder beside its body.
        seed: In hexadecimal digits.
    """
    drawn = sighted_start if family == "F5" else initialise
    return Made(
        tensors=ArrayTensors(dict(drawn(structure, bytes.fromhex(seed)))),
        structure=structure,
        config=_config(structure, family),
        steps=({"kind": "start", "seed": seed},),
    )


def make(steps: Sequence[Mapping[str, Any]], sources: Sequence[Model], *, family: str) -> Made:
    """Return what steps make of their sources.

    Args:
        steps: Of a recipe, without `start` and `train`.
        sources: The model that is changed, then those that the first step names besides.
        family: Of the zoo.

    Raises:
        TransformError: A step does not fit them.
        RecipeError: A step is one that only an engine does.
    """
    _refuse(steps, sources)
    model, records = sources[0], []
    config: dict[str, Json] = _config(model.structure, family)
    for number, step in enumerate(steps):
        if step["do"] == "launder":
            washed = launder(
                model.tensors,
                model.structure,
                seed=bytes.fromhex(step["seed"]),
                kinds=step["kinds"],
                parent=model.name,
            )
            records.append(washed.record.to_json())
            config = _config(washed.structure, family) | dict(washed.config_changes)
            model = Model(tensors=washed.tensors, structure=washed.structure, name=model.name)
            continue
        done = apply(step, [model, *(sources[1:] if number == 0 else ())])
        records.append(done.record.to_json())
        config = _config(done.structure, family) | dict(done.config_changes)
        model = Model(tensors=done.tensors, structure=done.structure, name=model.name)
    return Made(
        tensors=model.tensors, structure=model.structure, config=config, steps=tuple(records)
    )


def tensors_root(tensors: Tensors) -> str:
    """Return the root over all tensors, each made once, one in memory at a time.

    Example:
        >>> import numpy as np
        >>> tensors_root(ArrayTensors({"w": np.zeros(2, dtype=np.float32)}))[:25]
        'dokja-tensors-v1:2c511b3f'
    """
    return root_text(root(array_digest(name, tensors.read(name)) for name in tensors.names))


def _config(structure: Structure, family: str) -> dict[str, Json]:
    return sighted_config(structure) if family == "F5" else structure.config()


def _refuse(steps: Sequence[Mapping[str, Any]], sources: Sequence[Model]) -> None:
    wrong = [
        Mistake(
            file="zoo",
            place="recipe",
            read=f"the step {step['do']}",
            expected="steps that are done without an engine",
            remedy="A trained model lies on the disk; read it there.",
        )
        for step in steps
        if step["do"] in {"start", "train"}
    ]
    if not sources:
        wrong.append(Mistake(file="zoo", place="parents", read="none", expected="at least one"))
    if wrong:
        raise RecipeError(wrong)
