"""How an interval is drawn about a mean whose error comes from a few independent units.

The units are what another sample would have replaced: clusters of items, raters, voters. Their
number less one is the degrees of freedom. Units that all say the same do not make the truth
certain: then the interval comes from how large a share of the population could have said
otherwise and still not have shown up, not from a standard error of 0.
"""

import math
from statistics import NormalDist

from dokja.evidence.statistics.student import student_quantile
from dokja.values import Estimate

__all__ = ["bounded_estimate", "check_level"]

_NOISE = 1e-9  # of the scale: less than this is rounding, and a strength that never ends


def check_level(level: float) -> None:
    """Raise a ValueError unless the level lies inside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"the level {level} is not between 0 and 1")


def bounded_estimate(
    value: float,
    standard_error: float,
    *,
    units: int,
    level: float,
    scale: tuple[float, float],
    rests_on: tuple[tuple[str, int], ...],
    method: str,
) -> Estimate:
    """Return an estimate on a bounded scale with its t interval.

    The interval is cut at the ends of the scale, and `method` says so. When all units are alike,
    the value could be held by as little as q = ((1 - level)/2)^(1/units) of the population; the
    interval then reaches as far as the rest of it could pull the mean (Clopper and Pearson 1934
    for a share of 0 or 1), and `method` says "all alike".

    Args:
        value: The mean, inside the scale.
        standard_error: At least 0.
        units: How many independent units, at least 2.
        level: In (0, 1).
        scale: Least and greatest possible value.
        rests_on: Passed through.
        method: Passed through, with what was done about the interval.
    """
    least, greatest = scale
    if standard_error <= _NOISE * max(1.0, abs(least), abs(greatest)):
        held = ((1 - level) / 2) ** (1 / units)
        low, high = held * value + (1 - held) * least, held * value + (1 - held) * greatest
        return Estimate(
            value=value,
            low=min(low, value),
            high=max(high, value),
            level=level,
            standard_error=(high - low) / 2 / NormalDist().inv_cdf((1 + level) / 2),
            rests_on=rests_on,
            method=f"{method}, all alike",
        )
    half = student_quantile((1 + level) / 2, df=units - 1) * standard_error
    low, high = max(value - half, least), min(value + half, greatest)
    cut = value - half < least or value + half > greatest
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        standard_error=standard_error,
        rests_on=rests_on,
        method=f"{method}, cut at the scale" if cut and math.isfinite(half) else method,
    )
