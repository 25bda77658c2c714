"""A team's total as chance sees it: where it stands, how far it may move, what bounds it.

Three kinds of not knowing are kept apart. *Sampling*: another sample of items, voters or raters
would have given another total; this is drawn. *Rounding*: the total was published rounded; it may
stand anywhere in the interval, and no chance is assigned to that. *Missing*: a part is not there;
the total may stand anywhere between the worst and the best value of that part. The last two give
bounds, never a middle.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.streams import normals
from dokja.values import Estimate, IntervalKind

__all__ = ["Field", "Total", "field_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A team's total points, or the bounds of it.

    Attributes:
        team: The team's id.
        estimate: The total; None when a part of it is missing.
        low: The least total that is still possible. Read only when there is no estimate.
        high: The greatest total that is still possible.
        standard_error: Of the parts that are there, when others are missing. Read only when
            there is no estimate.

    Raises:
        ValueError: A number is not finite, low is above high, or the standard error is negative.

    Example:
        >>> Total(team="garam", estimate=None, low=40.0, high=75.0).high
        75.0
    """

    team: str
    estimate: Estimate | None
    low: float
    high: float
    standard_error: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.low, self.high, self.standard_error)):
            raise ValueError(f"the total of {self.team} needs finite numbers")
        if self.low > self.high:
            raise ValueError(f"the total of {self.team} lies between {self.low} and {self.high}")
        if self.standard_error < 0:
            raise ValueError(f"the standard error of {self.team} is {self.standard_error}")

    @property
    def centres(self) -> tuple[float, float]:
        """The least and the greatest value that the draws are centred on."""
        if self.estimate is None:
            return self.low, self.high
        if self._drawn(self.estimate):
            return self.estimate.value, self.estimate.value
        return self.estimate.low, self.estimate.high

    @property
    def error(self) -> float:
        """The standard deviation of the draws.

        A sampling interval without a published standard error is read as a normal one.
        """
        if self.estimate is None:
            return self.standard_error
        if not self._drawn(self.estimate):
            return 0.0
        if self.estimate.standard_error is not None:
            return self.estimate.standard_error
        half = (self.estimate.high - self.estimate.low) / 2
        return half / NormalDist().inv_cdf((1 + self.estimate.level) / 2)

    @staticmethod
    def _drawn(estimate: Estimate) -> bool:
        known = estimate.standard_error is not None or estimate.level < 1
        return estimate.kind is IntervalKind.SAMPLING and known


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """All teams of a stage, drawn jointly; inside this room only.

    Attributes:
        teams: Their ids, in the order that was asked.
        lows: Least centre of each, shape `(teams,)`.
        highs: Greatest centre of each, shape `(teams,)`.
        errors: Standard deviation of each, shape `(teams,)`.
        noise: The draws without their centres, shape `(draws, teams)`.
    """

    teams: tuple[str, ...]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    errors: NDArray[np.float64]
    noise: NDArray[np.float64]

    @property
    def bounded(self) -> bool:
        """Whether some team has bounds instead of one centre."""
        return bool(np.any(self.lows != self.highs))


def field_of(totals: Sequence[Total], *, draws: int, seed: int) -> Field:
    """Return the teams' totals with their joint draws.

    Totals are drawn independently of each other: the ledger's scores carry no covariance. Teams
    answer the same items, which makes real differences a little surer than they are shown here.

    Raises:
        ValueError: No team, a team twice, or fewer than one draw.
    """
    if not totals:
        raise ValueError("no team has a total")
    twice = [team for team, count in Counter(total.team for total in totals).items() if count > 1]
    if twice:
        raise ValueError(f"the total of {', '.join(twice)} stands there twice")
    if draws < 1:
        raise ValueError(f"{draws} draws cannot show a probability")
    columns = [
        total.error * normals(seed, f"team/{total.team}", count=draws)
        if total.error
        else np.zeros(draws)
        for total in totals
    ]
    return Field(
        teams=tuple(total.team for total in totals),
        lows=np.array([total.centres[0] for total in totals]),
        highs=np.array([total.centres[1] for total in totals]),
        errors=np.array([total.error for total in totals]),
        noise=np.stack(columns, axis=1),
    )
