"""Scaling figures to the best among them, with the uncertainty of who the best is.

A maximum of noisy figures is overstated, and dividing by it is not dividing by a constant: the
best of one sample need not be the best of the next. The interval is therefore drawn with the
maximum taken anew in every draw.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np

from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.streams import normals
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["to_best"]


def to_best(
    estimates: Mapping[str, Estimate], *, level: float, draws: int, seed: int
) -> dict[str, Measured]:
    """Return each estimate as a share of the greatest, in [0, 1].

    Args:
        estimates: By team; independent, at least 0, on a scale that has a zero.
        level: Of the intervals, in (0, 1).
        draws: How many joint normal draws, at least 2.
        seed: Of the draws.

    Returns:
        Shares by team, 1 for the best; all `Missing` (not comparable) when the greatest is 0.

    Raises:
        ValueError: An estimate is below 0, or fewer than two draws are asked.

    Example:
        >>> marks = {
        ...     team: Estimate(value=v, low=v - 2, high=v + 2, level=0.95, standard_error=1.0)
        ...     for team, v in (("garam", 30.0), ("maru", 15.0))
        ... }
        >>> to_best(marks, level=0.95, draws=1000, seed=1)["maru"].value
        0.5
    """
    check_level(level)
    if draws < 2:  # noqa: PLR2004  # a standard deviation needs a pair
        raise ValueError(f"{draws} draws cannot show an error")
    if any(estimate.value < 0 for estimate in estimates.values()):
        raise ValueError("a share of the best needs figures of at least 0")
    best = max((estimate.value for estimate in estimates.values()), default=0.0)
    if best == 0:
        missing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("best",))
        return dict.fromkeys(estimates, missing)
    drawn = np.stack(
        [
            estimate.value + (estimate.standard_error or 0.0) * normals(seed, team, count=draws)
            for team, estimate in estimates.items()
        ]
    )
    drawn = np.maximum(drawn, 0.0)
    greatest = np.maximum(drawn.max(axis=0), np.finfo(np.float64).tiny)
    normal = NormalDist().inv_cdf((1 + level) / 2)
    shares: dict[str, Measured] = {}
    for row, (team, estimate) in zip(drawn / greatest, estimates.items(), strict=True):
        listed = row.tolist()
        middle = math.fsum(listed) / draws
        error = math.sqrt(math.fsum((each - middle) ** 2 for each in listed) / (draws - 1))
        value = estimate.value / best
        shares[team] = Estimate(
            value=value,
            low=max(value - normal * error, 0.0),
            high=min(value + normal * error, 1.0),
            level=level,
            standard_error=error,
            rests_on=estimate.rests_on,
            method=f"{estimate.method}, to the best",
        )
    return shares
