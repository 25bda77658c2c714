"""How likely a team is to stand where, given what its total and the others' rest on.

These are probabilities under repeated sampling of items, voters and raters around the estimates,
by joint draws whose seed is in the rulebook. A team whose total is missing, or was published
rounded, gives bounds: a probability of standing high can only grow with the team's own total and
shrink with another's, so that its least and its greatest value lie where the team stands at one
end of its bounds and all others at the other end. The same draws serve both ends. Teams that draw
the same total share the place evenly. Nothing here knows a gate or a rule: who is counted, and
how many places there are, comes in.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.totals import Field, Total, field_of

__all__ = [
    "Bounds",
    "RankProbabilities",
    "SetProbability",
    "TeamRanks",
    "rank_probabilities",
    "set_probability",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The least and the greatest value that missing evidence leaves open; equal if none is."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRanks:
    """Where one team stands.

    Attributes:
        team: The team's id.
        top: Probability of one of the first `places` places, in [0, 1].
        lowest: Probability of the last place, in [0, 1].
        expected_rank: Mean rank, from 1 to the number of teams.
    """

    team: str
    top: Bounds
    lowest: Bounds
    expected_rank: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class RankProbabilities:
    """Where every team stands, and how the figures were made.

    Attributes:
        teams: In the order that was asked.
        places: How many places `top` counts.
        draws: How many joint draws were made.
        seed: Of the draws.
        monte_carlo_error: Greatest standard error of any probability in here that comes from the
            number of draws alone.
    """

    teams: tuple[TeamRanks, ...]
    places: int
    draws: int
    seed: int
    monte_carlo_error: float

    def of(self, team: str) -> TeamRanks:
        """Return where this team stands.

        Raises:
            KeyError: It was not asked about.
        """
        for ranks in self.teams:
            if ranks.team == team:
                return ranks
        raise KeyError(team)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProbability:
    """How likely a set of teams is to be the true top set.

    Attributes:
        low: With the worst that missing evidence leaves open.
        high: With the best.
        monte_carlo_error: Standard error that comes from the number of draws alone.
    """

    low: float
    high: float
    monte_carlo_error: float


def rank_probabilities(
    totals: Sequence[Total], *, places: int, draws: int, seed: int
) -> RankProbabilities:
    """Return how likely each team is to be among the first, to be last, and its mean rank.

    Args:
        totals: One per team that is counted; order does not change any figure.
        places: How many advance, from 0 to the number of teams or more.
        draws: Joint draws; 62,500 keep the Monte Carlo error at .002 or below.
        seed: Of the rulebook.

    Raises:
        ValueError: No team, a team twice, a negative number of places, or no draw.

    Example:
        >>> from dokja.values import Estimate
        >>> same = Estimate(value=70.0, low=66.0, high=74.0, level=0.95, standard_error=2.0)
        >>> pair = [Total(team=t, estimate=same, low=0, high=100) for t in ("garam", "narae")]
        >>> found = rank_probabilities(pair, places=1, draws=62_500, seed=1)
        >>> abs(found.of("garam").top.low - 0.5) < 5 * found.monte_carlo_error
        True
    """
    if places < 0:
        raise ValueError(f"{places} places cannot be filled")
    field = field_of(totals, draws=draws, seed=seed)
    teams = tuple(_ranks(field, index, places=places) for index in range(len(totals)))
    shown = [
        share
        for ranks in teams
        for share in (ranks.top.low, ranks.top.high, ranks.lowest.low, ranks.lowest.high)
    ]
    return RankProbabilities(
        teams=teams,
        places=places,
        draws=draws,
        seed=seed,
        monte_carlo_error=max(_monte_carlo_error(share, draws=draws) for share in shown),
    )


def set_probability(
    totals: Sequence[Total], advancing: Collection[str], *, draws: int, seed: int
) -> SetProbability:
    """Return how likely exactly these teams are to be the true first ones.

    Args:
        totals: One per team that is counted.
        advancing: Ids of the teams in question, as many as there are places.
        draws: Joint draws.
        seed: Of the rulebook.

    Raises:
        ValueError: No team, a team twice, an advancing team without a total, or no draw.
    """
    field = field_of(totals, draws=draws, seed=seed)
    strange = sorted(set(advancing) - set(field.teams))
    if strange:
        raise ValueError(f"no total is there for {', '.join(strange)}")
    inside = np.array([team in set(advancing) for team in field.teams])
    if inside.all() or not inside.any():
        return SetProbability(low=1.0, high=1.0, monte_carlo_error=0.0)
    worst = _first_share(field.noise + np.where(inside, field.lows, field.highs), inside=inside)
    best = _first_share(field.noise + np.where(inside, field.highs, field.lows), inside=inside)
    return SetProbability(
        low=worst,
        high=best,
        monte_carlo_error=max(_monte_carlo_error(share, draws=draws) for share in (worst, best)),
    )


def _ranks(field: Field, index: int, *, places: int) -> TeamRanks:
    worst = _standing(field, index, own=field.lows, others=field.highs, places=places)
    best = worst
    if field.bounded:
        best = _standing(field, index, own=field.highs, others=field.lows, places=places)
    return TeamRanks(
        team=field.teams[index],
        top=Bounds(low=worst[0], high=best[0]),
        lowest=Bounds(low=best[1], high=worst[1]),
        expected_rank=Bounds(low=best[2], high=worst[2]),
    )


def _standing(
    field: Field,
    index: int,
    *,
    own: NDArray[np.float64],
    others: NDArray[np.float64],
    places: int,
) -> tuple[float, float, float]:
    drawn = field.noise + others
    mine = field.noise[:, index] + own[index]
    drawn[:, index] = mine
    above = np.count_nonzero(drawn > mine[:, None], axis=1)
    level = np.count_nonzero(drawn == mine[:, None], axis=1)
    below = drawn.shape[1] - above - level
    top = np.clip((places - above) / level, 0.0, 1.0)
    lowest = np.where(below == 0, 1.0 / level, 0.0)
    rank = 1 + above + (level - 1) / 2
    return _mean(top), _mean(lowest), _mean(rank)


def _first_share(drawn: NDArray[np.float64], *, inside: NDArray[np.bool_]) -> float:
    least = drawn[:, inside].min(axis=1)
    greatest = drawn[:, ~inside].max(axis=1)
    first = (least > greatest).astype(np.float64)
    for row in np.flatnonzero(least == greatest):
        tied = drawn[row] == least[row]
        level, taken = int(tied.sum()), int((tied & inside).sum())
        first[row] = 1 / math.comb(level, taken)
    return _mean(first)


def _mean(shares: NDArray[np.float64]) -> float:
    # An exact sum: the figure then depends on the draws alone, not on the order of adding.
    return math.fsum(shares.tolist()) / len(shares)


def _monte_carlo_error(share: float, *, draws: int) -> float:
    # One more draw either way, so that an event that was never drawn is not called impossible.
    shrunk = (share * draws + 1) / (draws + 2)
    return math.sqrt(shrunk * (1 - shrunk) / draws)
