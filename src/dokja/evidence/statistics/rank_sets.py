"""Which ranks a team can still hold, all teams at once.

A rank set says: of all teams, so many are certainly better, so many certainly worse, and where
between them this one stands cannot be told. Certainly is joint: with the stated probability no
pair at all is called wrongly. Single ranks are not offered without their sets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dokja.evidence.statistics.totals import Field, Total, field_of

__all__ = ["RankSet", "RankSets", "rank_sets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSet:
    """The ranks that one team can hold: `best` to `worst`, 1 being the first."""

    team: str
    best: int
    worst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSets:
    """The ranks that every team can hold.

    Attributes:
        teams: In the order that was asked.
        level: Probability with which no pair is called wrongly.
        critical_value: How many standard errors a difference must exceed; missing when no total
            is drawn and only bounds are compared.
        draws: How many joint draws the critical value comes from.
        seed: Of the draws.
    """

    teams: tuple[RankSet, ...]
    level: float
    critical_value: float | None
    draws: int
    seed: int

    def of(self, team: str) -> RankSet:
        """Return the ranks that this team can hold.

        Raises:
            KeyError: It was not asked about.
        """
        for ranks in self.teams:
            if ranks.team == team:
                return ranks
        raise KeyError(team)


def rank_sets(totals: Sequence[Total], *, level: float, draws: int, seed: int) -> RankSets:
    """Return which ranks each team can hold, jointly at this level.

    All pairwise differences are divided by their standard errors; the critical value is the
    `level` quantile of the greatest absolute one when all true totals are equal (max-t). Bounds
    are compared at their unfavourable ends.

    Args:
        totals: One per team that is counted.
        level: In (0, 1), such as .95.
        draws: Joint draws.
        seed: Of the rulebook.

    Raises:
        ValueError: No team, a team twice, no draw, or a level outside (0, 1).

    Example:
        >>> known = [Total(team=t, estimate=None, low=p, high=p) for t, p in (("a", 2), ("b", 1))]
        >>> [(r.best, r.worst) for r in rank_sets(known, level=0.95, draws=100, seed=1).teams]
        [(1, 1), (2, 2)]
    """
    if not 0 < level < 1:
        raise ValueError(f"the level {level} is not between 0 and 1")
    field = field_of(totals, draws=draws, seed=seed)
    critical = _critical_value(field, level=level)
    count = len(field.teams)
    better = [
        [_certainly(field, i, j, critical=critical) for j in range(count)] for i in range(count)
    ]
    return RankSets(
        teams=tuple(
            RankSet(
                team=team,
                best=1 + sum(better[other][index] for other in range(count)),
                worst=count - sum(better[index]),
            )
            for index, team in enumerate(field.teams)
        ),
        level=level,
        critical_value=critical,
        draws=draws,
        seed=seed,
    )


def _critical_value(field: Field, *, level: float) -> float | None:
    greatest = np.zeros(field.noise.shape[0])
    drawn = False
    for i, j in combinations(range(len(field.teams)), 2):
        error = math.hypot(field.errors[i], field.errors[j])
        if error > 0:
            drawn = True
            studentised = np.abs(field.noise[:, i] - field.noise[:, j]) / error
            np.maximum(greatest, studentised, out=greatest)
    if not drawn:
        return None
    # The order statistic above the quantile: never too small, whatever the number of draws.
    place = min(math.ceil(level * (len(greatest) + 1)), len(greatest)) - 1
    return float(np.partition(greatest, place)[place])


def _certainly(field: Field, i: int, j: int, *, critical: float | None) -> bool:
    error = math.hypot(field.errors[i], field.errors[j])
    margin = 0.0 if critical is None else critical * error
    return bool(i != j and field.lows[i] - field.highs[j] > margin)
