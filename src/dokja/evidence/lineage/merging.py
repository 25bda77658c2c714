"""Whether a component is a weighted sum of several references in the same coordinates.

Every tensor is laid beside the same tensor of every candidate, layer by layer under the same
number: a merge keeps the structure of its parents. What was re-ordered, or has other layers,
cannot be taken apart here. Weights are reported layer by layer and with an interval over layers;
a sum of which a part counts negatively is no merge, and is not called one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dokja.evidence.lineage.components import ComponentSpec, ComponentTensors, inventory
from dokja.evidence.lineage.findings import MergeReading
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import LayerValues, read_pair
from dokja.evidence.statistics import student_quantile
from dokja.models.comparison import Choice, MixtureBlock, affine_weights, choose_parents
from dokja.models.weights import Source
from dokja.values import Estimate

__all__ = ["decompose"]

_LEAST = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Laid:
    """One tensor of child and candidates, and the layer that it stands in."""

    layer: int
    block: MixtureBlock


def decompose(
    suspect: Source,
    parents: Sequence[Source],
    *,
    component: str,
    rng: np.random.Generator,
    components: Mapping[str, ComponentSpec] | None = None,
    plan: Plan | None = None,
) -> MergeReading | None:
    """Return a component as a weighted sum of references; None where it is none.

    Args:
        suspect: The model in question.
        parents: The candidates, two or more; of each its component of the same role.
        component: Which component of the suspect.
        rng: Draws rows, and the orders of scrambled twins.
        components: The suspect's components as declared; by tensor names where none are.
        plan: How much is read, and by how much each further parent must lower what is left.

    Raises:
        KeyError: The suspect has no such component.
        WeightsError: A file changed since it was checked.
    """
    plan = plan if plan is not None else Plan()
    held = {one.component: one for one in inventory(suspect, components=components).components}
    ours = held[component]
    found = [
        (number, source, theirs)
        for number, source in enumerate(parents)
        if (theirs := _like(ours, source)) is not None
    ]
    if len(found) < _LEAST:
        return None
    seed = int(rng.integers(2**62))
    laid = _laid(suspect, ours, found, plan=plan, seed=seed)
    if not laid:
        return None
    blocks = [one.block for one in laid]
    choice = choose_parents(blocks, least_fall=plan.merge_fall, rng=rng)
    if len(choice.parents) < _LEAST:
        return None
    reading = _reading(laid, choice, parents=found, plan=plan)
    return reading if all(weight.value > 0 for weight in reading.weights) else None


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


def _laid(
    suspect: Source,
    ours: ComponentTensors,
    parents: Sequence[tuple[int, Source, ComponentTensors]],
    *,
    plan: Plan,
    seed: int,
) -> list[_Laid]:
    """Return every tensor that all of them have, the same rows of each."""
    readings = [
        read_pair((suspect, ours), (source, theirs), plan=plan, seed=seed)
        for _, source, theirs in parents
    ]
    laid = []
    for layer, child in enumerate(readings[0].child):
        sides = [reading.parent[layer] for reading in readings]
        for role in sorted(_shared(child, [*(one.child[layer] for one in readings), *sides])):
            values = tuple(side[role].raw for side in sides)
            laid.append(
                _Laid(layer=layer, block=MixtureBlock(child=child[role].raw, parents=values))
            )
    return laid


def _shared(child: LayerValues, others: Sequence[LayerValues]) -> set[str]:
    """Return the roles that all have, as tables of one shape."""
    return {
        role
        for role, values in child.items()
        if all(role in one and one[role].raw.shape == values.raw.shape for one in others)
    }


def _reading(
    laid: Sequence[_Laid],
    choice: Choice,
    *,
    parents: Sequence[tuple[int, Source, ComponentTensors]],
    plan: Plan,
) -> MergeReading:
    fitted = [(one.layer, affine_weights(one.block, choice.parents)[0]) for one in laid]
    by_layer = {
        layer: np.mean([weights for held, weights in fitted if held == layer], axis=0)
        for layer in sorted({layer for layer, _ in fitted})
    }
    # One or two layers are all the layers there are; their tensors stand in for them.
    samples = (
        list(by_layer.values()) if len(by_layer) > _LEAST else [weights for _, weights in fitted]
    )
    return MergeReading(
        parents=tuple(parents[number][1].name for number in choice.parents),
        places=tuple(parents[number][0] for number in choice.parents),
        weights=tuple(
            _weight([float(one[place]) for one in samples], layers=len(by_layer), plan=plan)
            for place in range(len(choice.parents))
        ),
        left=choice.left[-1],
        left_by_one=choice.left[0],
        left_by_twin=choice.twins[-1],
        layers=tuple(
            (layer, tuple(float(one) for one in weights)) for layer, weights in by_layer.items()
        ),
        tensors=len(laid),
    )


def _weight(samples: Sequence[float], *, layers: int, plan: Plan) -> Estimate:
    """Return a mean weight with Student's interval over the layers that it was fitted in."""
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
        method="affine-least-squares",
    )
