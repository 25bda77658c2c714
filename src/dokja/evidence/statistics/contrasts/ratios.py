"""The interval of a ratio of two means of the same items, by Fieller, and ratios above chance.

The ratios that a test of the margin would not reject are a quadratic inequality. It can come out
as all numbers between two ends, all but those between two, all on one side, or all there are:
where the reference itself cannot be told from 0, nothing bounds a ratio to it (Fieller 1954;
design/measurement 5.3).
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.spreads import Basis, Spread, spread
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Missing, MissingReason

__all__ = ["RatioInterval", "Shape", "above_chance", "ratio_interval"]

_STILL = 1e-12  # of the scale: an error that is 0 but for rounding
_NOISE = 1e-14  # relative: a leading coefficient that is 0 but for rounding


class Shape(Enum):
    """Which ratios are not rejected."""

    BETWEEN = "between"
    """Those from `low` to `high`."""
    OUTSIDE = "outside"
    """All but those between `low` and `high`: the reference may be 0."""
    AT_LEAST = "at-least"
    """Those from `low` up; `high` is infinite."""
    AT_MOST = "at-most"
    """Those up to `high`; `low` is infinite."""
    EVERY = "every"
    """All there are; both ends are infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioInterval:
    """The ratios that are not rejected at a level.

    Attributes:
        shape: How `low` and `high` bound them.
        low: The smaller number.
        high: The greater one.
        level: In (0, 1).
        basis: What another form would replace.
        df: Degrees of freedom of the t quantile.
    """

    shape: Shape
    low: float
    high: float
    level: float
    basis: Basis
    df: int

    def holds(self, ratio: float) -> bool:
        """Return whether a ratio is among them."""
        inside = self.low <= ratio <= self.high
        if self.shape is Shape.OUTSIDE:
            return not self.low < ratio < self.high
        return inside


def ratio_interval(
    candidate: Floats,
    reference: Floats,
    *,
    layout: Layout,
    basis: Basis,
    level: float = 0.95,
) -> RatioInterval | Missing:
    """Return { ρ : (c - ρf)² ≤ q²(V_cc - 2ρV_cf + ρ²V_ff) }, q the two-sided t quantile.

    Args:
        candidate: Its value on each item, shape `(items,)`.
        reference: The reference's.
        layout: Of the items.
        basis: What another form would replace. Two-way errors are no quadratic form, because
            they are floored.
        level: In (0, 1).

    Returns:
        `Missing` where the basis has no error, for two-way ones, and where the two differ by the
        same ratio in every unit: nothing then shows how much they could differ.

    Raises:
        ValueError: The level lies outside (0, 1).

    Example:
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> right = np.array([1.0, 1.0, 0.0, 1.0] * 50)
        >>> found = ratio_interval(right, np.roll(right, 1), layout=layout_of(200),
        ...                        basis=Basis.ITEMS)
        >>> found.shape.value, round(found.low, 3), round(found.high, 3)
        ('between', 0.876, 1.141)
    """
    check_level(level)
    if basis is Basis.TWO_WAY:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=(basis.value,))
    found = [
        spread(values, layout, basis=basis)
        for values in (candidate, reference, candidate + reference, candidate - reference)
    ]
    spreads = [each for each in found if isinstance(each, Spread)]
    if len(spreads) < len(found):
        return next(each for each in found if isinstance(each, Missing))
    own, other, added, taken = (each.standard_error**2 for each in spreads)
    shared = (added - taken) / 4
    df = spreads[0].df
    if _all_alike(candidate, reference, layout=layout, basis=basis):
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("variation",))
    square = student_quantile((1 + level) / 2, df=df) ** 2
    top, bottom = float(layout.weights @ candidate), float(layout.weights @ reference)
    shape, low, high = _solved(
        bottom**2 - square * other,
        top * bottom - square * shared,
        top**2 - square * own,
        size=bottom**2 + square * other,
    )
    return RatioInterval(shape=shape, low=low, high=high, level=level, basis=basis, df=df)


def above_chance(values: Floats, chance: float | Floats) -> Floats:
    """Return how far values lie above what guessing gets: (y - c)/(1 - c), not cut at 0.

    Args:
        values: In [0, 1], shape `(items,)` or `(items, systems)`.
        chance: What guessing gets, in [0, 1): one number, or one per item.

    Raises:
        ValueError: A chance outside [0, 1).

    Example:
        >>> above_chance(np.array([1.0, 0.25, 0.0]), 0.25).round(4).tolist()
        [1.0, 0.0, -0.3333]
    """
    guess = np.asarray(chance, dtype=np.float64)
    if not ((guess >= 0) & (guess < 1)).all():
        raise ValueError("what guessing gets must lie in [0, 1)")
    if guess.ndim and values.ndim > guess.ndim:
        guess = guess[:, None]
    corrected: Floats = (values - guess) / (1 - guess)
    return corrected


def _all_alike(candidate: Floats, reference: Floats, *, layout: Layout, basis: Basis) -> bool:
    """Return whether the differences at the estimated ratio do not vary at all."""
    top, bottom = float(layout.weights @ candidate), float(layout.weights @ reference)
    factor = top / bottom if bottom else 0.0
    found = spread(candidate - factor * reference, layout, basis=basis)
    return isinstance(found, Spread) and found.standard_error <= _STILL


def _solved(lead: float, half: float, rest: float, *, size: float) -> tuple[Shape, float, float]:
    """Return where lead ρ² - 2 half ρ + rest is at most 0."""
    if abs(lead) <= _NOISE * size:
        return _line(half, rest)
    root = half * half - lead * rest
    if root < 0 and lead < 0:
        return Shape.EVERY, -math.inf, math.inf
    # Above 0 the root cannot be negative: the estimate itself is never rejected.
    far = half + math.copysign(math.sqrt(max(root, 0.0)), half)
    ends = sorted((far / lead, rest / far if far != 0 else 0.0))
    return Shape.BETWEEN if lead > 0 else Shape.OUTSIDE, ends[0], ends[1]


def _line(half: float, rest: float) -> tuple[Shape, float, float]:
    if half > 0:
        return Shape.AT_LEAST, rest / (2 * half), math.inf
    if half < 0:
        return Shape.AT_MOST, -math.inf, rest / (2 * half)
    return Shape.EVERY, -math.inf, math.inf
