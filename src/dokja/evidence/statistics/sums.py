"""What parts add up to, with an interval that keeps sampling and rounding apart.

Sampling errors of independent parts add as squares; roundings add as they are, because nothing
says that they cancel. A sum that lacks a part is not made here: its bounds are.
"""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

from dokja.values import Estimate, IntervalKind

__all__ = ["sum_of"]


def sum_of(
    estimates: Sequence[Estimate],
    *,
    level: float,
    scale: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """Return the sum of independent estimates.

    Args:
        estimates: At least one; all of them parts of the same sum.
        level: Of the sampling interval, in (0, 1). A sum of rounded and exact parts alone has
            level 1.
        scale: Least and greatest possible sum; the interval is cut there, and `method` says so.

    Returns:
        Their sum. Its standard error is there if every sampling part has one, published or read
        off its interval as a normal one; what it rests on is added up by name.

    Raises:
        ValueError: Nothing to add, or the sum lies outside the scale.

    Example:
        >>> parts = [
        ...     Estimate(value=v, low=v - 0.05, high=v + 0.05, level=1, kind=IntervalKind.ROUNDING)
        ...     for v in (33.6, 31.6, 25.0)
        ... ]
        >>> whole = sum_of(parts, level=0.95)
        >>> round(whole.value, 2), round(whole.high - whole.low, 2), whole.kind.value
        (90.2, 0.3, 'rounding')
    """
    if not estimates:
        raise ValueError("a sum needs at least one part")
    value = math.fsum(estimate.value for estimate in estimates)
    sampled = [estimate for estimate in estimates if estimate.kind is IntervalKind.SAMPLING]
    fixed = [estimate for estimate in estimates if estimate.kind is not IntervalKind.SAMPLING]
    error = math.sqrt(math.fsum(_error(estimate) ** 2 for estimate in sampled))
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    low = value - half - math.fsum(estimate.value - estimate.low for estimate in fixed)
    high = value + half + math.fsum(estimate.high - estimate.value for estimate in fixed)
    least, greatest = scale
    cut = low < least or high > greatest
    rests: Counter[str] = Counter()
    for estimate in estimates:
        rests.update(dict(estimate.rests_on))
    return Estimate(
        value=value,
        low=max(low, least),
        high=min(high, greatest),
        level=level if sampled else 1.0,
        kind=_kind(estimates),
        standard_error=error if sampled else None,
        rests_on=tuple(rests.items()),
        method="sum, cut at the scale" if cut else "sum",
    )


def _error(estimate: Estimate) -> float:
    if estimate.standard_error is not None:
        return estimate.standard_error
    if estimate.level == 1:
        # Certain bounds: no normal interval is that sure, so the whole half width is the error.
        return (estimate.high - estimate.low) / 2
    return (estimate.high - estimate.low) / 2 / NormalDist().inv_cdf((1 + estimate.level) / 2)


def _kind(estimates: Sequence[Estimate]) -> IntervalKind:
    kinds = {estimate.kind for estimate in estimates}
    if IntervalKind.SAMPLING in kinds:
        return IntervalKind.SAMPLING
    return IntervalKind.ROUNDING if IntervalKind.ROUNDING in kinds else IntervalKind.EXACT
