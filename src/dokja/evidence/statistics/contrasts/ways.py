"""Margins over several benchmarks: one part per benchmark, and every way to add parts up.

A *way* takes one reference on each benchmark: the same everywhere, or another one here and there.
Parts were measured apart, so that their variances add up. Nothing here knows a verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.spreads import Basis, Spread, spread
from dokja.evidence.statistics.student import student_share_below
from dokja.values import Missing, MissingReason

__all__ = ["Part", "Way", "added", "among_benchmarks", "hardest_way", "part_of"]

_LEAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A candidate against one reference on one benchmark.

    Attributes:
        margin: Of the means, or of the ratio to what is required.
        variance: Of the margin.
        df: Degrees of freedom of the variance.
    """

    margin: float
    variance: float
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Parts added up.

    Attributes:
        margin: Σ W a.
        standard_error: Its error, above 0.
        df: Degrees of freedom.
    """

    margin: float
    standard_error: float
    df: float

    @property
    def p_clear(self) -> float:
        """The p-value against "the margin is at most 0"."""
        return student_share_below(-self.margin / self.standard_error, df=self.df)

    @property
    def p_fail(self) -> float:
        """The p-value against "the margin is at least 0"."""
        return student_share_below(self.margin / self.standard_error, df=self.df)


def part_of(
    candidate: Floats,
    reference: Floats,
    *,
    layout: Layout,
    basis: Basis,
    required: float,
    of_ratio: bool,
) -> Part | Missing:
    """Return the part of one benchmark.

    Of the means it is c - x f. Of the ratio it is c/f - x, with the delta method's variance: that
    of c - (c/f) f item by item, over f².

    Args:
        candidate: Shape `(items,)`.
        reference: Shape `(items,)`.
        layout: Of the items.
        basis: What another form would replace.
        required: The ratio, x.
        of_ratio: Whether the margin is that of the ratio.

    Returns:
        `Missing` where the basis has no error, and where a ratio would be one to 0.
    """
    top, bottom = float(layout.weights @ candidate), float(layout.weights @ reference)
    if of_ratio and bottom <= 0:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    factor = top / bottom if of_ratio else required
    found = spread(candidate - factor * reference, layout, basis=basis)
    if not isinstance(found, Spread):
        return found
    scale = bottom if of_ratio else 1.0
    margin = factor - required if of_ratio else top - required * bottom
    return Part(margin=margin, variance=(found.standard_error / scale) ** 2, df=found.df)


def added(parts: Sequence[Part], weights: Floats) -> Way | Missing:
    """Return the weighted sum of the parts, variances added as Σ W² V.

    The degrees of freedom are Satterthwaite's, (Σ W² V)²/Σ((W² V)²/df): a benchmark of few
    clusters that makes most of the error is not drowned by the many items of another.

    Returns:
        `Missing` where nothing varies at all.

    Example:
        >>> parts = [Part(margin=0.1, variance=0.01, df=9), Part(margin=0.3, variance=0.01, df=9)]
        >>> found = added(parts, np.array([0.5, 0.5]))
        >>> round(found.margin, 3), round(found.standard_error, 4), round(found.df, 6)
        (0.2, 0.0707, 18.0)
    """
    variances = weights**2 * np.array([part.variance for part in parts])
    whole = float(variances.sum())
    if whole <= 0:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("variation",))
    freedom = np.array([part.df for part in parts])
    return Way(
        margin=float(weights @ np.array([part.margin for part in parts])),
        standard_error=math.sqrt(whole),
        df=whole**2 / float((variances**2 / freedom).sum()),
    )


def among_benchmarks(parts: Sequence[Part], weights: Floats) -> Way | Missing:
    """Return the weighted mean of the parts where the benchmarks are themselves a sample.

    V = B/(B - 1) Σ W²(a - ā)² on B - 1 degrees of freedom: how the benchmarks differ is all that
    counts, and what was measured within them is contained in it.

    Returns:
        `Missing` with one benchmark, or where all are alike.
    """
    count = len(parts)
    if count < _LEAST:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("benchmarks",))
    margins = np.array([part.margin for part in parts])
    mean = float(weights @ margins)
    variance = count / (count - 1) * float((weights**2) @ (margins - mean) ** 2)
    if variance <= 0:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("variation",))
    return Way(margin=mean, standard_error=math.sqrt(variance), df=count - 1)


def hardest_way(table: Sequence[Sequence[Part]], weights: Floats) -> Way | Missing:
    """Return the way with the smallest t among all that take any reference on each benchmark.

    Benchmark by benchmark, a choice with a greater margin and a smaller variance than another can
    never become the harder one, and is dropped; what is left at the end is compared. Where some
    way has a margin below 0 the smallest t may not be found, and none clears anyway.

    Args:
        table: The parts, by benchmark and by reference.
        weights: Of the benchmarks.

    Returns:
        As `added`.
    """
    ways = np.zeros((1, 2))
    choices = np.zeros((1, 0), dtype=np.int64)
    for weight, row in zip(weights, table, strict=True):
        own = np.array([(weight * part.margin, weight**2 * part.variance) for part in row])
        ways = (ways[:, None, :] + own[None, :, :]).reshape(-1, 2)
        column = np.tile(np.arange(len(row)), len(choices))[:, None]
        choices = np.hstack([np.repeat(choices, len(row), axis=0), column])
        kept = _undominated(ways)
        ways, choices = ways[kept], choices[kept]
    margins, variances = ways.T
    if (variances <= 0).all():
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("variation",))
    t = margins / np.sqrt(np.maximum(variances, np.finfo(np.float64).tiny))
    chosen = choices[int(np.argmin(t))]
    return added([row[place] for row, place in zip(table, chosen, strict=True)], weights)


def _undominated(ways: Floats) -> NDArray[np.int64]:
    """Return the places of the ways with no other of smaller margin and greater variance."""
    order = np.lexsort((-ways[:, 1], ways[:, 0]))
    variances = ways[order, 1]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(variances)[:-1]])
    kept: NDArray[np.int64] = order[variances > before]
    return kept
