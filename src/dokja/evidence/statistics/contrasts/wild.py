"""The wild cluster bootstrap: a test that stays honest where clusters are few or unequal.

The null is imposed: if the margin were 0, the sum of every cluster could as well have had the
other sign. All signs are turned in all ways, or in many ways drawn from a named stream, and the
studentised margin is compared with what comes out (Cameron, Gelbach and Miller 2008, here for a
weighted mean; design/measurement 5.2). Up to twelve clusters every way is tried: no seed, exact.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts.layouts import Floats
from dokja.evidence.statistics.streams import uniforms

__all__ = [
    "DRAWS",
    "ENUMERATED",
    "WildTest",
    "joint_lower_tail",
    "turned_signs",
    "wild_interval",
    "wild_p_values",
    "wild_test",
]

ENUMERATED = 12
"""Up to so many clusters all 2**G ways are tried."""
DRAWS = 99_999
"""Ways that are drawn where there are more clusters."""

Signs: TypeAlias = NDArray[np.float64]

_NOISE = 1e-9  # relative: ways that differ by less give the same figure, rounded otherwise
_ROUNDING = 1e-13  # of Σ T²: less than this is left of a difference that is 0
_BLOCK = 200_000  # ways × margins that are held at once: some megabytes
_LEAST = 2
_HALVINGS = 60
_REACH = 64.0  # how far an interval may reach, in multiples of its own width at the start


@dataclass(frozen=True, slots=True, kw_only=True)
class WildTest:
    """What turning the signs says about a margin.

    Attributes:
        statistic: The margin over its standard error by clusters.
        p_clear: Share of ways that give as much or more.
        p_fail: Share of ways that give as little or less.
        counts: How many ways those were, `(more, less)`, the real one included where all ways
            were tried.
        ways: How many ways were tried.
        exact: Whether these were all there are.
        seed: Of the drawn signs; None where all were tried.
        smallest_p: No share can be smaller than this.
    """

    statistic: float
    p_clear: float
    p_fail: float
    counts: tuple[int, int]
    ways: int
    exact: bool
    seed: int | None
    smallest_p: float


def wild_test(sums: Floats, shares: Floats, *, seed: int, draws: int = DRAWS) -> WildTest:
    """Return how unusual a weighted mean is among all that the signs of its clusters allow.

    With T_g the cluster sums and v_g = ±1: m* = Σ v_g T_g, r*_g = v_g T_g - ω_g m*, and
    t* = m*/√(G/(G-1) Σ r*_g²).

    Args:
        sums: T_g, the weighted sums of the differences of each cluster, shape `(clusters,)`.
        shares: ω_g, the weight of each cluster, adding up to 1; the same shape.
        seed: Of the rulebook; not used where all ways are tried.
        draws: How many ways are drawn where there are more than 2**12.

    Raises:
        ValueError: Fewer than two clusters, shapes that differ, or no draws.

    Example:
        >>> found = wild_test(np.array([0.1, 0.2, 0.1, 0.3]), np.full(4, 0.25), seed=1)
        >>> found.p_clear, found.ways, found.smallest_p
        (0.0625, 16, 0.0625)
    """
    _check(sums, shares, draws=draws)
    real, more, less, ways = _counted(sums[:, None], shares, seed=seed, draws=draws)
    exact = len(sums) <= ENUMERATED
    extra = 0 if exact else 1
    return WildTest(
        statistic=float(real[0]),
        p_clear=(int(more[0]) + extra) / (ways + extra),
        p_fail=(int(less[0]) + extra) / (ways + extra),
        counts=(int(more[0]), int(less[0])),
        ways=ways,
        exact=exact,
        seed=None if exact else seed,
        smallest_p=1 / (ways + extra),
    )


def wild_p_values(
    sums: Floats, shares: Floats, *, seed: int, draws: int = DRAWS
) -> tuple[Floats, Floats]:
    """Return p_clear and p_fail of many margins over the same clusters, as `wild_test` does.

    Args:
        sums: T_g of each margin, shape `(clusters, margins)`.
        shares: ω_g, shape `(clusters,)`.
        seed: Of the rulebook.
        draws: As in `wild_test`.

    Returns:
        Both float64, shape `(margins,)`.

    Raises:
        ValueError: As `wild_test`.
    """
    _check(sums[:, 0], shares, draws=draws)
    _, more, less, ways = _counted(sums, shares, seed=seed, draws=draws)
    extra = 0 if len(sums) <= ENUMERATED else 1
    return (more + extra) / (ways + extra), (less + extra) / (ways + extra)


def joint_lower_tail(sums: Floats, shares: Floats, *, seed: int, draws: int = DRAWS) -> float:
    """Return how unusual the smallest of several studentised margins is (max-t, lower side).

    The signs are turned for all margins at once, so that what they have in common is kept; the
    share of ways whose smallest one is as small or smaller is a p-value for "some margin is
    below 0" that needs no correction for their number.

    Args:
        sums: T_g of each margin, shape `(clusters, margins)`.
        shares: ω_g, shape `(clusters,)`.
        seed: Of the rulebook.
        draws: As in `wild_test`.

    Raises:
        ValueError: As `wild_test`.
    """
    _check(sums[:, 0], shares, draws=draws)
    count, margins = sums.shape
    smallest = min(_real(sums[:, each], shares) for each in range(margins))
    margin = _NOISE * max(1.0, abs(smallest)) if math.isfinite(smallest) else 0.0
    less = ways = 0
    for signs in _ways(count, seed=seed, draws=draws):
        turned = _statistics(signs, sums, shares).min(axis=1)
        less += int((turned <= smallest + margin).sum())
        ways += len(turned)
    extra = 0 if count <= ENUMERATED else 1
    return (less + extra) / (ways + extra)


def wild_interval(
    candidate: Floats, reference: Floats, shares: Floats, *, level: float, seed: int
) -> tuple[float, float]:
    """Return the ratios that the bootstrap does not reject at this level, by bisection.

    Args:
        candidate: Weighted sums of the candidate's values over each cluster.
        reference: Of the reference's; they must add up to more than 0.
        shares: ω_g.
        level: In (0, 1), such as .95: either tail may hold (1 - level)/2.
        seed: Of the rulebook.

    Returns:
        Both ends; an end that is never rejected is infinite. So are both where every cluster has
        the same ratio, because nothing then shows how much they could differ.

    Raises:
        ValueError: As `wild_test`, a level outside (0, 1), or a reference of 0.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level {level} is not between 0 and 1")
    whole = float(reference.sum())
    if whole <= 0:
        raise ValueError("a ratio to a reference of 0 is no number")
    _check(candidate, shares, draws=DRAWS)
    ratio = float(candidate.sum()) / whole
    tail = (1 - level) / 2
    residual = candidate - ratio * reference
    count = len(shares)
    error = math.sqrt(count / (count - 1) * float(residual @ residual)) / whole
    if error <= _NOISE:
        return -math.inf, math.inf
    line = _Line(candidate=candidate, reference=reference, shares=shares, seed=seed)
    low = _end(line, start=ratio, step=-error, tail=tail)
    high = _end(line, start=ratio, step=error, tail=tail)
    return low, high


class _Line:
    """Every margin candidate - x reference at once: what the signs make of it is linear in x."""

    def __init__(self, *, candidate: Floats, reference: Floats, shares: Floats, seed: int) -> None:
        self.candidate, self.reference, self.shares = candidate, reference, shares
        parts = np.column_stack([candidate, reference, candidate * shares, reference * shares])
        turned = [signs @ parts for signs in _ways(len(shares), seed=seed, draws=DRAWS)]
        self.turned = np.concatenate(turned)
        self.extra = 0 if len(shares) <= ENUMERATED else 1

    def tail(self, ratio: float, *, upper: bool) -> float:
        """Return the share of ways at least as far up (or down) as the real one."""
        sums = self.candidate - ratio * self.reference
        means = self.turned[:, 0] - ratio * self.turned[:, 1]
        cross = self.turned[:, 2] - ratio * self.turned[:, 3]
        whole = float(sums @ sums)
        squares = whole - 2 * means * cross + means**2 * float(self.shares @ self.shares)
        turned = _studentised(means, squares, whole=whole, count=len(sums))
        real = _real(sums, self.shares)
        margin = _NOISE * max(1.0, abs(real))
        far = turned >= real - margin if upper else turned <= real + margin
        return (int(far.sum()) + self.extra) / (len(turned) + self.extra)


def _end(line: _Line, *, start: float, step: float, tail: float) -> float:
    """Return the ratio furthest from the start, on the side of the step, that is not rejected."""
    upper = step < 0  # below the estimate the margin is above 0: its upper tail is small
    reach = 1.0
    while line.tail(start + reach * step, upper=upper) > tail:
        reach *= 2
        if reach > _REACH:
            return math.copysign(math.inf, step)
    inside, outside = reach / 2 if reach > 1 else 0.0, reach
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if line.tail(start + middle * step, upper=upper) > tail:
            inside = middle
        else:
            outside = middle
        if outside - inside < _NOISE:
            break
    return start + outside * step


def turned_signs(count: int, *, seed: int, draws: int) -> NDArray[np.int8]:
    """Return ways to turn the signs of so many clusters: all there are, or as many as are drawn.

    Args:
        count: How many clusters.
        seed: Names the stream; not used where there are at most 2**12 ways.
        draws: How many are drawn where there are more.

    Returns:
        +1 and -1, int8, shape `(ways, count)`, read-only. All ways begin with the real one.

    Example:
        >>> turned_signs(2, seed=1, draws=9).tolist()
        [[1, 1], [-1, 1], [1, -1], [-1, -1]]
    """
    return _every_way(count) if count <= ENUMERATED else _drawn_ways(count, seed, draws)


def _counted(
    sums: Floats, shares: Floats, *, seed: int, draws: int
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64], int]:
    """Return each statistic, how many ways give as much, how many as little, and of how many."""
    real = _statistics(np.ones((1, len(sums))), sums, shares)[0]
    margin = np.where(np.isfinite(real), _NOISE * np.maximum(1.0, np.abs(real)), 0.0)
    more = np.zeros(len(real), dtype=np.int64)
    less = np.zeros(len(real), dtype=np.int64)
    ways = 0
    for signs in _ways(len(sums), seed=seed, draws=draws, margins=len(real)):
        turned = _statistics(signs, sums, shares)
        more += (turned >= real - margin).sum(axis=0)
        less += (turned <= real + margin).sum(axis=0)
        ways += len(turned)
    return real, more, less, ways


def _ways(count: int, *, seed: int, draws: int, margins: int = 1) -> Iterator[Signs]:
    """Yield the ways to turn the signs of so many clusters, in blocks of rows."""
    every = turned_signs(count, seed=seed, draws=draws)
    rows = max(_BLOCK // margins, 1)
    for first in range(0, len(every), rows):
        yield every[first : first + rows].astype(np.float64)


@lru_cache(maxsize=16)
def _every_way(count: int) -> NDArray[np.int8]:
    bits = np.arange(2**count)[:, None] >> np.arange(count)[None, :] & 1
    signs = (1 - 2 * bits).astype(np.int8)
    signs.setflags(write=False)
    return signs


@lru_cache(maxsize=2)
def _drawn_ways(count: int, seed: int, draws: int) -> NDArray[np.int8]:
    drawn = uniforms(seed, f"wild/{count}", count=draws * count).reshape(draws, count)
    signs = np.where(drawn < 0.5, -1, 1).astype(np.int8)  # noqa: PLR2004  # a fair coin
    signs.setflags(write=False)
    return signs


def _statistics(signs: Signs, sums: Floats, shares: Floats) -> Floats:
    """Return t* of each way (row) and margin (column).

    Σ r*² is written out as Σ T² - 2 m* Σ v T ω + m*² Σ ω², so that no array of ways × clusters
    is made for it.
    """
    means = signs @ sums
    cross = signs @ (sums * shares[:, None])
    whole = (sums**2).sum(axis=0)
    squares = whole - 2 * means * cross + means**2 * float(shares @ shares)
    return _studentised(means, squares, whole=whole, count=len(sums))


def _studentised(means: Floats, squares: Floats, *, whole: Floats | float, count: int) -> Floats:
    """Return means over errors; where nothing varies, as far out as there is, or 0."""
    varying = squares > _ROUNDING * whole
    errors = np.sqrt(np.where(varying, squares, 1.0) * count / (count - 1))
    nothing = np.abs(means) <= _NOISE * np.sqrt(whole)
    far = np.where(nothing, 0.0, np.copysign(np.inf, means))
    return np.where(varying, means / errors, far)


def _real(sums: Floats, shares: Floats) -> float:
    """Return the statistic of the signs as they are."""
    return float(_statistics(np.ones((1, len(sums))), sums[:, None], shares)[0, 0])


def _check(sums: Floats, shares: Floats, *, draws: int) -> None:
    if sums.shape != shares.shape or len(sums) < _LEAST:
        raise ValueError(f"sums of shape {sums.shape} do not fit clusters of {shares.shape}")
    if draws < 1:
        raise ValueError("signs must be drawn at least once")
