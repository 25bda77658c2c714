"""The same tensors of a suspect and of several candidates, beside each other layer by layer.

A merge keeps the structure of its parents, so every tensor is laid beside the tensor of the same
role in the layer of the same number. Of each the same rows are read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dokja.evidence.lineage.components import ComponentTensors, inventory
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import LayerValues, read_pair
from dokja.evidence.statistics import student_quantile
from dokja.models.comparison import MixtureBlock
from dokja.models.weights import Source
from dokja.values import Estimate

__all__ = ["Candidate", "LaidTensor", "candidates_of", "laid_out", "over_layers"]

_BITS = {"F64": 23, "F32": 23, "F16": 10, "BF16": 7}
"""Of the mantissa, by stored type; values are read as float32 at the finest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A model that may have gone into a merge.

    Attributes:
        place: Among the candidates as given.
        source: Its weights.
        component: Its component of the suspect's role and depth.
    """

    place: int
    source: Source
    component: ComponentTensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaidTensor:
    """One tensor of child and candidates.

    Attributes:
        layer: That it stands in.
        block: Its values.
        bits: Of the mantissa of the coarsest stored type among them; none where one of them is
            stored in another way than as plain floating-point numbers.
    """

    layer: int
    block: MixtureBlock
    bits: int | None


def candidates_of(ours: ComponentTensors, parents: Sequence[Source]) -> list[Candidate]:
    """Return those models that have a component of the same role and depth."""
    return [
        Candidate(place=place, source=source, component=theirs)
        for place, source in enumerate(parents)
        if (theirs := _like(ours, source)) is not None
    ]


def _like(ours: ComponentTensors, source: Source) -> ComponentTensors | None:
    """Return the reference's component of the same role and depth; none where it has none."""
    return next(
        (
            theirs
            for theirs in inventory(source).components
            if theirs.role == ours.role and len(theirs.layers) == len(ours.layers)
        ),
        None,
    )


def laid_out(
    suspect: Source,
    ours: ComponentTensors,
    *,
    candidates: Sequence[Candidate],
    plan: Plan,
    seed: int,
) -> list[LaidTensor]:
    """Return every tensor that all of them have, the same rows of each.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    readings = [
        read_pair((suspect, ours), (one.source, one.component), plan=plan, seed=seed)
        for one in candidates
    ]
    laid = []
    for layer, child in enumerate(readings[0].child):
        sides = [reading.parent[layer] for reading in readings]
        for role in sorted(_shared(child, [*(one.child[layer] for one in readings), *sides])):
            values = tuple(side[role].raw for side in sides)
            stored = {child[role].dtype, *(side[role].dtype for side in sides)}
            laid.append(
                LaidTensor(
                    layer=layer,
                    block=MixtureBlock(child=child[role].raw, parents=values),
                    bits=min(_BITS[one] for one in stored) if stored <= set(_BITS) else None,
                )
            )
    return laid


def _shared(child: LayerValues, others: Sequence[LayerValues]) -> set[str]:
    """Return the roles that all have, as tables of one shape."""
    return {
        role
        for role, values in child.items()
        if all(role in one and one[role].raw.shape == values.raw.shape for one in others)
    }


def over_layers(samples: Sequence[float], *, layers: int, plan: Plan, method: str) -> Estimate:
    """Return a mean with Student's interval over the layers that it was fitted in."""
    mean = float(np.mean(samples))
    error = reach = 0.0
    if len(samples) > 1:
        error = float(np.std(samples, ddof=1)) / math.sqrt(len(samples))
        reach = error * student_quantile(0.5 + plan.level / 2, df=len(samples) - 1)
    return Estimate(
        value=mean,
        low=mean - reach,
        high=mean + reach,
        level=plan.level,
        standard_error=error,
        rests_on=(("layers", layers),),
        method=method,
    )
