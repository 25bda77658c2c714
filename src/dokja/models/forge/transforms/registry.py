"""Every transform by its name: a recipe's step is checked here, and applied when its sources are.

Where the next transform goes: a module beside this one, and one entry in `steps`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake, TransformError
from dokja.models.forge.transforms.parameters import chosen
from dokja.models.forge.transforms.records import Model, Transformed
from dokja.models.forge.transforms.steps import SPECS, TransformSpec
from dokja.values import shown

__all__ = ["TRANSFORMS", "TransformSpec", "apply", "check_step"]

_Values = Mapping[str, Any]

TRANSFORMS: Mapping[str, TransformSpec] = MappingProxyType({spec.name: spec for spec in SPECS})
"""Every transform by the name that recipes write after `do`."""


def check_step(name: object, parameters: _Values) -> dict[str, Any]:
    """Return a step's parameters with defaults filled in.

    Args:
        name: Of the transform.
        parameters: As the recipe gives them, `do` left out.

    Raises:
        TransformError: The transform is unknown, or parameters are; every mistake is in it.

    Example:
        >>> check_step("dus", {"map": {"kind": "overlap", "drop": 1}})
        {'map': {'kind': 'overlap', 'drop': 1}}
        >>> check_step("dos", {})
        Traceback (most recent call last):
        dokja.errors.TransformError: step, do: read 'dos'; expected one of drop-layers, dus, grow, \
merge, merge-adapter, noise, prune-heads, prune-neurons, quantise, replace-embeddings, \
transplant, upcycle, vocabulary, zero-blocks.
        Nothing was changed.
    """
    spec = TRANSFORMS.get(name) if isinstance(name, str) else None
    if spec is None:
        known = ", ".join(sorted(TRANSFORMS))
        raise TransformError(
            [Mistake(file="step", place="do", read=shown(repr(name)), expected=f"one of {known}")]
        )
    values, mistakes = chosen(parameters, spec.parameters, file=spec.name)
    if not mistakes:
        mistakes = [
            Mistake(file=spec.name, place=place, read=read, expected=expected)
            for place, read, expected in spec.check(values)
        ]
    if mistakes:
        raise TransformError(mistakes)
    return values


def apply(step: _Values, sources: Sequence[Model]) -> Transformed:
    """Apply one step of a recipe; tensors are made when they are read.

    Args:
        step: `do` and the transform's parameters, such as a record's kind and parameters.
        sources: The model itself, then the other parents in the order of `with`.

    Raises:
        TransformError: The step is wrong, parents are missing or too many, or the tensors do not
            fit it. Nothing was made.
    """
    given = {key: value for key, value in step.items() if key != "do"}
    values = check_step(step.get("do", ""), given)
    spec = TRANSFORMS[step["do"]]
    others = values.get("with") or ()
    count = 1 + (len(others) if isinstance(others, list | tuple) else 1)
    if len(sources) != count:
        raise TransformError(
            [
                Mistake(
                    file=spec.name,
                    place="sources",
                    read=f"{len(sources)} models",
                    expected=f"{count}: the model itself, and those that `with` names",
                )
            ]
        )
    done = spec.run(values, sources)
    # The record speaks in the recipe's words; who the other parents are stands in `parents`.
    said = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if key != "with" and value is not None
    }
    return replace(done, record=replace(done.record, parameters=said))
