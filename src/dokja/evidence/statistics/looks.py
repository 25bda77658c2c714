"""Looking before the end without erring more often: how much error each look may spend.

Whoever looks at a running measurement and stops when it pleases errs far more often than one look
would. A plan names its looks beforehand, as shares t of the information of the whole; each may
spend α(t) − α(before) of the error, α(t) = 2[1 − Φ(z_{1−α/2}/√t)] on its side (Lan and DeMets
1983, the spending that resembles O'Brien and Fleming's bounds). Boundaries follow by recursive
integration over the sums that have not crossed yet (Armitage, McPherson and Rowe 1969). Each side
is bounded for itself: to say *clears* early, and to say *does not clear* early.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.statistics.student import student_share_below

__all__ = [
    "Look",
    "Looks",
    "Stop",
    "error_spent",
    "information",
    "look_boundaries",
    "planned_looks",
    "z_of_t",
]

_NODES = 200  # Gauss and Legendre's; 100 give the same boundaries to ten digits
_FARTHEST = 38.0  # standard deviations: beyond it a double has no tail left
_DEEP = 9.0  # how far below 0, in standard deviations, a sum is followed
_APART = 1e-9
_MEANT = 0.02  # how far a look may lie from the fraction that was registered


class Stop(Enum):
    """What a look allows."""

    CLEARS = "clears"
    DOES_NOT_CLEAR = "does not clear"
    GO_ON = "go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a running measurement says.

    Attributes:
        number: The first is 1.
        planned: The registered fraction of the information, in (0, 1].
        reached: The fraction that was there.
        z: How far the contrast lies above 0, in standard errors, as a normal deviate.
        clears_from: At or above it the look may end with *clears*.
        fails_from: At or below it the look may end with *does not clear*; below 0.
        says: What the look allows.
        spent_clear: Share of the error of the upper side that was spent until here, in (0, 1].
        spent_fail: Likewise of the lower side.
    """

    number: int
    planned: float
    reached: float
    z: float
    clears_from: float
    fails_from: float
    says: Stop
    spent_clear: float
    spent_fail: float

    @property
    def may_stop(self) -> bool:
        """Whether the measurement may end here with a verdict."""
        return self.says is not Stop.GO_ON


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Looks that were registered before the first answer. Made by `planned_looks`.

    Attributes:
        alpha_clear: Error of the upper side over all looks.
        alpha_fail: Error of the lower side over all looks.
        fractions: Of the information, rising; the last is 1.
        clears_from: Upper boundary of each look.
        fails_from: Lower boundary of each look, below 0.
    """

    alpha_clear: float
    alpha_fail: float
    fractions: tuple[float, ...]
    clears_from: tuple[float, ...]
    fails_from: tuple[float, ...]

    def at(self, reached: float, *, z: float) -> Look:
        """Return what a look at this much information says.

        Args:
            reached: Share of the information of the whole that is there, from `information`.
            z: The contrast over its standard error, from `z_of_t` where the error is estimated.

        Raises:
            NotComparableError: No look was registered within .02 of what is reached.
            ValueError: `z` is NaN.

        Example:
            >>> looks = planned_looks([0.5, 1.0], alpha_clear=0.05, alpha_fail=0.05)
            >>> looks.at(0.5, z=2.0).says.value, looks.at(0.5, z=3.0).says.value
            ('go on', 'clears')
        """
        if math.isnan(z):
            raise ValueError("a look needs a number")
        near = min(range(len(self.fractions)), key=lambda n: abs(self.fractions[n] - reached))
        planned = self.fractions[near]
        if not abs(planned - reached) <= _MEANT:
            named = ", ".join(f"{each:g}" for each in self.fractions)
            raise NotComparableError(
                f"no look was registered at {reached:g} of the information; registered are "
                f"{named}. Wait for the next of them: a look that nobody planned cannot stop"
            )
        upper, lower = self.clears_from[near], self.fails_from[near]
        says = Stop.GO_ON
        if z >= upper:
            says = Stop.CLEARS
        elif z <= lower:
            says = Stop.DOES_NOT_CLEAR
        return Look(
            number=near + 1,
            planned=planned,
            reached=reached,
            z=z,
            clears_from=upper,
            fails_from=lower,
            says=says,
            spent_clear=error_spent(planned, alpha=self.alpha_clear) / self.alpha_clear,
            spent_fail=error_spent(planned, alpha=self.alpha_fail) / self.alpha_fail,
        )


def planned_looks(
    fractions: Sequence[float], *, alpha_clear: float = 0.05, alpha_fail: float = 0.05
) -> Looks:
    """Return a plan of looks.

    Args:
        fractions: Of the information, rising, in (0, 1]; the last is 1.
        alpha_clear: How often *clears* may be said of a contrast of 0 over all looks, in (0, .5).
        alpha_fail: Likewise *does not clear*.

    Raises:
        ValueError: Fractions do not rise to 1, or an error is not in (0, .5).
    """
    return Looks(
        alpha_clear=alpha_clear,
        alpha_fail=alpha_fail,
        fractions=tuple(fractions),
        clears_from=look_boundaries(tuple(fractions), alpha=alpha_clear),
        fails_from=tuple(-z for z in look_boundaries(tuple(fractions), alpha=alpha_fail)),
    )


def information(error_now: float, *, error_at_end: float) -> float:
    """Return the share of the information that is there: t = SE²_end / SE²_now, at most 1.

    Args:
        error_now: Standard error of the contrast at the look, above 0.
        error_at_end: The one that the plan expects of the whole form, above 0.

    Raises:
        ValueError: An error is not above 0.
    """
    if not (error_now > 0 and error_at_end > 0):
        raise ValueError("information needs standard errors above 0")
    return min((error_at_end / error_now) ** 2, 1.0)


def z_of_t(t: float, *, df: float) -> float:
    """Return the normal deviate that is exceeded as often as this t statistic.

    Boundaries are made for normal deviates; a t statistic of few clusters enters as the z of
    equal p, not as it is.

    Raises:
        ValueError: `t` is NaN or `df` is not above 0.

    Example:
        >>> round(z_of_t(2.5, df=5), 3), round(z_of_t(2.5, df=1e6), 3)
        (1.923, 2.5)
    """
    beyond = student_share_below(-abs(t), df=df)
    if beyond <= 0:
        return math.copysign(math.inf, t)
    return math.copysign(abs(NormalDist().inv_cdf(beyond)), t)


def error_spent(fraction: float, *, alpha: float) -> float:
    """Return the error that may have been spent when this much information is there.

    Args:
        fraction: In (0, 1].
        alpha: Over all looks, in (0, .5).

    Raises:
        ValueError: An argument lies outside its range.

    Example:
        >>> round(error_spent(1.0, alpha=0.05), 6), round(error_spent(0.5, alpha=0.05), 6)
        (0.05, 0.005575)
    """
    if not 0 < fraction <= 1 or not 0 < alpha < 0.5:  # noqa: PLR2004  # beyond, sides overlap
        raise ValueError(f"no error is spent at {fraction} of the information with alpha {alpha}")
    z = NormalDist().inv_cdf(1 - alpha / 2)
    return 2 * _beyond(z / math.sqrt(fraction))


@lru_cache(maxsize=64)
def look_boundaries(fractions: tuple[float, ...], *, alpha: float) -> tuple[float, ...]:
    """Return how far above 0 each look must lie, in standard errors, to stop on this side.

    Args:
        fractions: Of the information, rising, in (0, 1]; the last is 1.
        alpha: Of this side, over all looks, in (0, .5).

    Raises:
        ValueError: Fractions do not rise to 1, or alpha is not in (0, .5).

    Example:
        >>> fifths = (0.2, 0.4, 0.6, 0.8, 1.0)
        >>> [round(z, 3) for z in look_boundaries(fifths, alpha=0.025)]
        [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    rising = all(a < b - _APART for a, b in zip((0.0, *fractions), fractions, strict=False))
    if not fractions or not rising or fractions[-1] != 1:
        raise ValueError(f"looks at {fractions} do not rise from above 0 to 1")
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    # The sums S_t that have not crossed yet, as weighted points; at first all of them are at 0.
    sums, masses = np.zeros(1), np.ones(1)
    before, spent = 0.0, 0.0
    found: list[float] = []
    for fraction in fractions:
        step = math.sqrt(fraction - before)
        allowed = error_spent(fraction, alpha=alpha)
        bound = _crossed(sums, masses, step=step, error=allowed - spent)
        found.append(bound / math.sqrt(fraction))
        low = -_DEEP * math.sqrt(fraction)
        high = min(bound, -low)
        places = low + (high - low) * (nodes + 1) / 2
        gaps = (places[:, None] - sums[None, :]) / step
        density = (np.exp(-gaps * gaps / 2) @ masses) / (step * math.sqrt(2 * math.pi))
        sums, masses = places, density * weights * (high - low) / 2
        before, spent = fraction, allowed
    return tuple(found)


def _crossed(
    sums: NDArray[np.float64],
    masses: NDArray[np.float64],
    *,
    step: float,
    error: float,
) -> float:
    """Return the sum that is exceeded after one more step with this probability, by bisection."""
    pairs = list(zip(sums.tolist(), masses.tolist(), strict=True))
    low, high = 0.0, _FARTHEST * step + max(float(sums.max()), 0.0)
    for _ in range(80):
        middle = (low + high) / 2
        share = math.fsum(mass * _beyond((middle - at) / step) for at, mass in pairs)
        if share > error:
            low = middle
        else:
            high = middle
    return high


def _beyond(z: float) -> float:
    """Return the probability that a normal deviate lies above z, with all its digits."""
    return math.erfc(z / math.sqrt(2)) / 2
