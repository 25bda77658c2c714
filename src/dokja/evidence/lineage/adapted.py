"""Whether a model holds what an adapter adds to its base.

A base with an adapter laid onto it is compared as any model is. Besides, what the other model has
more than the base is laid beside what the adapter adds, matrix by matrix. An adapter that was
merged shows a coefficient of 1 and leaves nothing but rounding; one that was merged and trained
on leaves what the training did. The same product with its rows and columns in random order is the
control: it holds the same values and explains nothing. A model that comes from the same base by
another way explains nothing either, however alike the sums are.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.components import ComponentTensors
from dokja.evidence.lineage.findings import AdapterReading, ComponentFinding
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import read_rows
from dokja.evidence.lineage.relations import Derivation, Relation, derivation_of
from dokja.evidence.statistics import student_quantile
from dokja.models.comparison import centred_correlation
from dokja.models.weights import Laid, Source, TensorInfo
from dokja.values import Estimate, Reason

__all__ = ["Model", "adapter_reading", "bare", "with_adapter"]

Model = Source | Laid
"""Weights, or a base with an adapter laid onto it."""

_ROUNDINGS = 4
"""A merge may round the product, the sum, and both once more when it is stored."""
_UNIT = {"BF16": 2.0**-7, "F16": 2.0**-10}
_SINGLE = 2.0**-23

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Beside:
    """Rows of one matrix.

    Attributes:
        layer: Which layer it stands in.
        summed: The base with the adapter's change.
        change: What the adapter adds; none where it does not change the matrix.
        other: The model that is laid beside them.
        unit: Relative distance of two neighbouring values of the coarser type.
    """

    layer: int
    summed: Rows
    change: Rows | None
    other: Rows
    unit: float

    def equal(self, rows: Rows) -> bool:
        """Tell whether the other model has these rows, up to rounding."""
        size = np.abs(self.other) + np.abs(self.summed)
        size += 0 if self.change is None else np.abs(self.change)
        return bool((np.abs(self.other - rows) <= _ROUNDINGS * self.unit * size).all())


def bare(model: Model) -> Source:
    """Return a model's weights."""
    return model.source if isinstance(model, Laid) else model


def adapter_reading(
    laid: tuple[Laid, ComponentTensors],
    other: tuple[Source, ComponentTensors],
    *,
    plan: Plan,
    rng: np.random.Generator,
) -> AdapterReading | None:
    """Return how far a model holds what an adapter adds; none where it touches nothing of it.

    Args:
        laid: The base with the adapter, and its component.
        other: The model laid beside it, and its component of the same depth.
        plan: How many values of a matrix are read, and the level of the interval.
        rng: Draws rows, and the order of the control.
    """
    pairs = list(_beside(laid, other, plan=plan, rng=rng))
    touched = [one for one in pairs if one.change is not None and one.change.any()]
    if not touched:
        return None
    merged = all(one.equal(one.summed) for one in pairs)
    moved = [one.other.astype(np.float64) - (one.summed - _changed(one)) for one in touched]
    untouched = all(one.equal(one.summed - _changed(one)) for one in touched)
    coefficients, likenesses, twins, left = [], [], [], []
    for one, more in zip(touched, moved, strict=True):
        change = _changed(one).astype(np.float64)
        coefficients.append(float(np.sum(more * change) / np.sum(change * change)))
        energy = float(np.sum(more * more))
        left.append(float(np.sum((more - change) ** 2)) / energy if energy else 1.0)
        likenesses.append(_likeness(more, change))
        rows, columns = (rng.permutation(length) for length in change.shape)
        twins.append(_likeness(more, change[np.ix_(rows, columns)]))
    return AdapterReading(
        coefficient=_interval(coefficients, [one.layer for one in touched], plan=plan),
        likeness=float(np.mean(likenesses)),
        twin=float(np.mean(np.abs(twins))),
        left=float(np.mean(left)),
        matrices=len(touched),
        merged=merged,
        untouched=untouched,
    )


def _changed(one: _Beside) -> Rows:
    return np.zeros_like(one.other) if one.change is None else one.change


def _likeness(more: NDArray[np.float64], change: NDArray[np.float64]) -> float:
    try:
        return centred_correlation(more, change)
    except NotComparableError:
        return 0.0  # nothing was added: nothing is explained


def _beside(
    laid: tuple[Laid, ComponentTensors],
    other: tuple[Source, ComponentTensors],
    *,
    plan: Plan,
    rng: np.random.Generator,
) -> Iterator[_Beside]:
    targets = set(laid[0].adapter.targets)
    for layer, (mine, theirs) in enumerate(zip(_groups(laid[1]), _groups(other[1]), strict=False)):
        for role in sorted(set(mine) & set(theirs)):
            one, two = mine[role], theirs[role]
            if one.shape != two.shape or len(one.shape) != 2:  # noqa: PLR2004  # a matrix
                continue
            most = max(2, plan.values_per_tensor // max(one.shape[1], 1))
            rows = np.arange(one.shape[0])
            if len(rows) > most:
                rows = np.sort(rng.choice(len(rows), size=most, replace=False))
            yield _Beside(
                layer=layer,
                summed=read_rows(laid[0].source, one.name, rows),
                change=laid[0].change(one.name, rows) if one.name in targets else None,
                other=read_rows(other[0], two.name, rows),
                unit=max(_unit(one), _unit(two)),
            )


def _groups(component: ComponentTensors) -> Sequence[dict[str, TensorInfo]]:
    layers = [dict(layer) for layer in component.layers]
    return [*layers, {**component.loose, **component.token_rows}]


def _unit(tensor: TensorInfo) -> float:
    return _UNIT.get(tensor.dtype, _SINGLE)


def _interval(values: Sequence[float], layers: Sequence[int], *, plan: Plan) -> Estimate:
    """Return a mean with Student's interval over layers; of one layer over its matrices."""
    by_layer = [
        float(np.mean([value for value, held in zip(values, layers, strict=True) if held == layer]))
        for layer in sorted(set(layers))
    ]
    samples = by_layer if len(by_layer) > 1 else values
    mean = math.fsum(samples) / len(samples)
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
        rests_on=(("layers", len(by_layer)), ("matrices", len(values))),
        method="least-squares",
    )


def _same(one: Source, other: Source) -> bool:
    """Tell whether two are the same weights; files are read whole only if their headers agree."""
    return one.headers == other.headers and one.digest == other.digest


def with_adapter(
    finding: ComponentFinding,
    models: tuple[Model, Model],
    components: tuple[ComponentTensors, ComponentTensors | None],
    *,
    plan: Plan,
    rng: np.random.Generator,
) -> ComponentFinding:
    """Return the finding with what is seen of an adapter on either side.

    Args:
        finding: What comparing the two as they are says.
        models: The suspect and the reference.
        components: Of each, the reference's being the one that the finding names.
        plan: What is read.
        rng: Draws rows and controls.
    """
    (suspect, reference), (ours, theirs) = models, components
    if not isinstance(suspect, Laid) and not isinstance(reference, Laid):
        return finding
    if isinstance(suspect, Laid) and _same(suspect.base, bare(reference)):
        return replace(
            finding,
            relations=(Relation.NOT_TESTABLE,),
            derivation=Derivation.CANNOT_TELL,
            reasons=(*finding.reasons, Reason(code="lineage-laid-onto-it")),
        )
    if theirs is None or len(ours.layers) != len(theirs.layers):
        return finding
    sides = (suspect, ours), (reference, theirs)
    laid, other = sides if isinstance(suspect, Laid) else sides[::-1]
    reading = None
    if isinstance(laid[0], Laid):
        mine, beside = (laid[0], laid[1]), (bare(other[0]), other[1])
        reading = adapter_reading(mine, beside, plan=plan, rng=rng)
    if reading is None:
        return finding
    if reading.merged and not reading.untouched:
        relations = (Relation.ADAPTER_MERGED,)
        finding = replace(finding, relations=relations, derivation=derivation_of(relations))
    return replace(finding, adapter=reading)
