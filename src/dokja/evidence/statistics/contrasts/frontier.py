"""The frontier as a maximum of noisy means: for display, never for the verdict.

The best of several near-equal systems is partly the luckiest, and the error always falls on the
candidate. The verdict needs no estimate of the maximum (`three_way`); these figures show what it
is: the candidate and all references are drawn again together, and the maximum is taken anew in
each draw (design/measurement 5.4).
"""

from dataclasses import dataclass

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Values
from dokja.evidence.statistics.contrasts.contrast import Ratio, ratio_of
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.resampling import resampled_means, subsampled_means
from dokja.evidence.statistics.contrasts.spreads import Basis
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Missing, MissingReason

__all__ = [
    "FrontierDraws",
    "RuleErrors",
    "SelectionBias",
    "frontier_draws",
    "rule_errors",
    "selection_bias",
]

_TIE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierDraws:
    """What joint draws say of a candidate and a maximum.

    Attributes:
        ratio: Of the candidate to the best reference, as estimated; `Missing` if that is 0.
        low: The ratio that 5 % of the draws lie below; `Missing` if a draw has a best of 0.
        middle: The median ratio.
        high: The ratio that 95 % lie below.
        p_at_least: Share of draws whose ratio is at least the required one.
        excess: Mean of the maximum over the draws less the maximum as estimated: how much the
            best is overstated, if another form overstates it as this one did.
        best: Share of draws in which each reference is the best; ties are shared.
        basis: What was drawn.
        items: On how many items.
        units: How many things could be drawn.
        draws: How many draws.
        seed: Of the stream.
    """

    ratio: float | Missing
    low: float | Missing
    middle: float | Missing
    high: float | Missing
    p_at_least: float
    excess: float
    best: tuple[float, ...]
    basis: Basis
    items: int
    units: int
    draws: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionBias:
    """How much the best of several is overstated by a suite of a given size.

    Attributes:
        size: Items of the suite.
        excess: Mean over draws of the greatest mean, less the greatest mean on all items.
        best_found: How often the best on all items is alone the best on the draw.
        best_tied: How often it is the best together with others.
        draws: How many suites were drawn.
        seed: Of the stream.
    """

    size: int
    excess: float
    best_found: float
    best_tied: float
    draws: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleErrors:
    """How often rules err on suites of a given size, the truth being that of all items.

    Attributes:
        size: Items of the suite.
        reaches: Whether the ratio on all items is at least the required one.
        point_wrong: Share of suites whose point ratio lies on the wrong side.
        three_way_wrong: Share for which the three-way rule, by items, gives the wrong verdict.
        undecided: Share for which it gives none.
        draws: How many suites were drawn.
        seed: Of the stream.
    """

    size: int
    reaches: bool
    point_wrong: float
    three_way_wrong: float
    undecided: float
    draws: int
    seed: int


def frontier_draws(
    values: Values, layout: Layout, *, ratio: Ratio, basis: Basis, draws: int, seed: int
) -> FrontierDraws:
    """Return what joint draws of all systems say of the candidate and the best reference.

    Args:
        values: Of the candidate and each reference.
        layout: Of the items.
        ratio: What is required.
        basis: What is drawn again.
        draws: How many.
        seed: Names the stream.

    Raises:
        ValueError: As `resampled_means`.

    Example:
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> got = np.tile([1.0, 1.0, 0.0, 1.0], 50)
        >>> values = Values(candidate=got, references=np.column_stack([got, 1 - got]))
        >>> found = frontier_draws(values, layout_of(200), ratio=".95", basis=Basis.ITEMS,
        ...                        draws=100, seed=1)
        >>> found.ratio, found.p_at_least, found.best
        (1.0, 1.0, (1.0, 0.0))
    """
    required = float(ratio_of(ratio))
    columns = np.column_stack([values.candidate, values.references])
    means = resampled_means(columns, layout, basis=basis, draws=draws, seed=seed)
    own, others = means[:, 0], means[:, 1:]
    greatest = others.max(axis=1)
    estimate = layout.weights @ columns
    top = float(estimate[1:].max())
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    low: float | Missing = nothing
    middle: float | Missing = nothing
    high: float | Missing = nothing
    if (greatest > 0).all():
        low, middle, high = (float(each) for each in np.quantile(own / greatest, [0.05, 0.5, 0.95]))
    clustered = basis in {Basis.CLUSTERS, Basis.CLUSTERS_IN_STRATA} and layout.clusters is not None
    units = layout.clusters.count if clustered and layout.clusters else layout.items
    return FrontierDraws(
        ratio=float(estimate[0]) / top if top > 0 else nothing,
        low=low,
        middle=middle,
        high=high,
        p_at_least=float((own - required * greatest >= -_TIE).mean()),
        excess=_excess(others, estimate[1:]),
        best=tuple(float(share) for share in _best(others).mean(axis=0)),
        basis=basis,
        items=layout.items,
        units=units,
        draws=draws,
        seed=seed,
    )


def selection_bias(values: Floats, *, size: int, draws: int, seed: int) -> SelectionBias:
    """Return how much the best system would be overstated by suites of so many items.

    Args:
        values: Of several systems on all items, float64, shape `(items, systems)`.
        size: Items of the suite, drawn without replacement.
        draws: How many suites.
        seed: Names the stream.

    Raises:
        ValueError: As `subsampled_means`.
    """
    truth = values.mean(axis=0)
    means = subsampled_means(values, size=size, draws=draws, seed=seed)
    part = _best(means)[:, int(np.argmax(truth))]
    return SelectionBias(
        size=size,
        excess=_excess(means, truth),
        best_found=float((part == 1).mean()),
        best_tied=float(((part > 0) & (part < 1)).mean()),
        draws=draws,
        seed=seed,
    )


def rule_errors(
    values: Values, *, ratio: Ratio, size: int, draws: int, seed: int, alpha: float = 0.05
) -> RuleErrors:
    """Return how often a point rule and the three-way rule err on suites of so many items.

    Args:
        values: Of the candidate and one reference on all items.
        ratio: What is required.
        size: Items of the suite, drawn without replacement.
        draws: How many suites.
        seed: Names the stream.
        alpha: Error rate of the three-way rule on each side.

    Raises:
        ValueError: More than one reference, or as `subsampled_means`.
    """
    if values.references.shape[1] != 1:
        raise ValueError("the errors of a rule are told for one reference")
    differences = values.candidate - float(ratio_of(ratio)) * values.references[:, 0]
    moments = np.column_stack([differences, differences**2])
    reaches = bool(differences.mean() >= 0)
    found = subsampled_means(moments, size=size, draws=draws, seed=seed)
    margins = found[:, 0]
    errors = np.sqrt(np.maximum(found[:, 1] - margins**2, 0.0) / (size - 1))
    bound = student_quantile(1 - alpha, df=size - 1) * errors
    clears, fails = margins >= bound, margins <= -bound
    return RuleErrors(
        size=size,
        reaches=reaches,
        point_wrong=float(((margins >= 0) != reaches).mean()),
        three_way_wrong=float((fails if reaches else clears).mean()),
        undecided=float((~clears & ~fails).mean()),
        draws=draws,
        seed=seed,
    )


def _excess(means: Floats, truth: Floats) -> float:
    """Return by how much the greatest mean of a draw exceeds the greatest truth, on average.

    All systems rise and fall together with the items drawn. Their average is known, so that what
    it did by chance is taken off: the figure is the same, and its noise is much smaller.
    """
    above = means.max(axis=1) - means.mean(axis=1)
    return float(above.mean() - (truth.max() - truth.mean()))


def _best(means: Floats) -> Floats:
    """Return each system's part of being the best in each draw; ties are shared."""
    first = means >= means.max(axis=1, keepdims=True) - _TIE
    shared: Floats = first / first.sum(axis=1, keepdims=True)
    return shared
