"""Whether a component is a sum of several references, or of their changes of a common base.

Every tensor is laid beside the same tensor of every candidate, layer by layer under the same
number: a merge keeps the structure of its parents. What was re-ordered, or has other layers,
cannot be taken apart here. Weights are reported layer by layer and with an interval over layers;
a sum of which a part counts negatively is no merge, and is not called one. What a weighted sum
does not explain is laid beside trimmed and elected changes, and called those only if they leave
far less (see `electing`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dokja.evidence.lineage.components import ComponentSpec, inventory
from dokja.evidence.lineage.electing import elected_reading
from dokja.evidence.lineage.findings import MergeReading
from dokja.evidence.lineage.laying import (
    Candidate,
    LaidTensor,
    candidates_of,
    laid_out,
    over_layers,
)
from dokja.evidence.lineage.plans import Plan
from dokja.models.comparison import Choice, affine_weights, choose_parents
from dokja.models.weights import Source

__all__ = ["decompose"]

_LEAST = 2


def decompose(
    suspect: Source,
    parents: Sequence[Source],
    *,
    component: str,
    rng: np.random.Generator,
    components: Mapping[str, ComponentSpec] | None = None,
    plan: Plan | None = None,
) -> MergeReading | None:
    """Return a component as a sum of references or of their changes; None where it is none.

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
    found = candidates_of(ours, parents)
    if len(found) < _LEAST:
        return None
    seed = int(rng.integers(2**62))
    laid = laid_out(suspect, ours, candidates=found, plan=plan, seed=seed)
    if not laid:
        return None
    choice = choose_parents([one.block for one in laid], least_fall=plan.merge_fall, rng=rng)
    elected = elected_reading(laid, choice, candidates=found, plan=plan, rng=rng)
    if isinstance(elected, MergeReading):
        return elected
    if len(choice.parents) < _LEAST:
        return None
    reading = replace(_reading(laid, choice, parents=found, plan=plan), not_elected=elected)
    return reading if all(weight.value > 0 for weight in reading.weights) else None


def _reading(
    laid: Sequence[LaidTensor],
    choice: Choice,
    *,
    parents: Sequence[Candidate],
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
        parents=tuple(parents[number].source.name for number in choice.parents),
        places=tuple(parents[number].place for number in choice.parents),
        weights=tuple(
            over_layers(
                [float(one[place]) for one in samples],
                layers=len(by_layer),
                plan=plan,
                method="affine-least-squares",
            )
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
