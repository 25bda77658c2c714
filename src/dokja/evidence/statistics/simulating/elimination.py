"""Who would have been last, and who would have gone on, had other items, raters or voters come.

The draws of all parts are scaled and added by the rules, and each draw is cut as the points were.
What is missing of a team has no draw: its share may be the least or the most there is, all ends
are tried, and a probability has the bounds that come out. A gate that is undecided has two
branches, in one of which the team passes. What the points as scored decide is told beside it,
with every single change of the rules that would have decided otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.ranks import Bounds
from dokja.evidence.statistics.simulating.cuts import HOME, ON, Fates, cut, monte_carlo_error
from dokja.evidence.statistics.simulating.designs import TieRule
from dokja.evidence.statistics.simulating.fields import scaled
from dokja.evidence.statistics.simulating.joint import PartDraws

__all__ = [
    "Branch",
    "Elimination",
    "SheetRules",
    "TeamChances",
    "elimination",
    "scored",
]

Floats: TypeAlias = NDArray[np.float64]
Gate: TypeAlias = Literal["holds", "fails", "undecided"]

_MOST_OPEN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRules:
    """How a sheet is cut.

    Attributes:
        places: How many go on.
        ties: What happens to teams that are level at the cut.
        tie_parts: The parts that break ties, where the rule is `part`.
        level_within: Teams this close to the cut count as level, in points.
        decimals: To how many the total is rounded; none for as it is.
        cut_among: Whether the places are cut among all, gates being put beside them, or among
            those that pass.
    """

    places: int
    ties: TieRule = "undecided"
    tie_parts: tuple[str, ...] = ()
    level_within: float = 0.0
    decimals: int | None = None
    cut_among: Literal["entrants", "gate-passers"] = "entrants"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamChances:
    """What one team's place is worth; bounds where something of some team is missing.

    Attributes:
        team: Its id.
        last: Probability of having the fewest points of all; equal points share it.
        on: Probability of going on, its gate included.
        regret: How many points it is, on average over the draws, above the worst team that goes
            on in its place when the points as scored are cut; 0 for a team that goes on.
    """

    team: str
    last: Bounds
    on: Bounds
    regret: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One way in which the undecided gates can turn out.

    Attributes:
        passing: Teams of undecided gates that pass in this branch.
        teams: In the order of the sheet.
    """

    passing: frozenset[str]
    teams: tuple[TeamChances, ...]

    def of(self, team: str) -> TeamChances:
        """Return what one team's place is worth.

        Raises:
            KeyError: It is not on the sheet.
        """
        return {each.team: each for each in self.teams}[team]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elimination:
    """The answer.

    Attributes:
        branches: One where no gate is undecided, else one for each way they can turn out.
        draws: Joint draws.
        monte_carlo_error: Greatest standard error of a probability in here from their number.
    """

    branches: tuple[Branch, ...]
    draws: int
    monte_carlo_error: float


def elimination(
    teams: Sequence[str],
    parts: Sequence[PartDraws],
    *,
    rules: SheetRules,
    gates: Mapping[str, Gate] | None = None,
) -> Elimination:
    """Return how likely each team is to be last and to go on.

    Args:
        teams: Their ids, in the order of the parts' columns.
        parts: Draws of every part; 62,500 keep the Monte Carlo error at .002 or below.
        rules: How the sheet is cut.
        gates: Of each team; those not named pass.

    Raises:
        ValueError: No part, columns that do not fit the teams, different numbers of draws, or so
            much missing or undecided (more than six each) that not every end can be tried.
    """
    _check(teams, parts)
    known = gates or {}
    undecided = [team for team in teams if known.get(team) == "undecided"]
    if len(undecided) > _MOST_OPEN:
        raise ValueError(f"{len(undecided)} gates are undecided; not every branch can be told")
    failing = {team for team in teams if known.get(team) == "fails"}
    branches = []
    for turn in product((True, False), repeat=len(undecided)):
        passing = {team for team, passes in zip(undecided, turn, strict=True) if passes}
        out = failing | (set(undecided) - passing)
        barred = np.array([team in out for team in teams])
        found = _bounded(teams, parts, rules=rules, barred=barred)
        branches.append(Branch(passing=frozenset(passing), teams=found))
    shares = [
        end
        for branch in branches
        for team in branch.teams
        for end in (team.last.low, team.last.high, team.on.low, team.on.high)
    ]
    draws = len(parts[0].drawn)
    return Elimination(
        branches=tuple(branches),
        draws=draws,
        monte_carlo_error=max(monte_carlo_error(share, draws=draws) for share in shares),
    )


def scored(
    parts: Sequence[PartDraws], *, rules: SheetRules, barred: NDArray[np.bool_] | None = None
) -> Fates:
    """Return what the points as scored decide, shape `(teams,)`.

    Raises:
        ValueError: A share is missing: then there are no points to cut.
    """
    once = [
        replace(part, drawn=part.estimate[None], references_drawn=part.references[None])
        for part in parts
    ]
    if any(np.isnan(part.estimate).any() for part in parts):
        raise ValueError("a share is missing, so that there are no points to cut")
    out = np.zeros(len(parts[0].estimate), np.bool_) if barred is None else barred
    _, fates = _cut(once, rules=rules, barred=out)
    found: Fates = fates[0]
    return found


def _check(teams: Sequence[str], parts: Sequence[PartDraws]) -> None:
    shapes = {part.drawn.shape for part in parts}
    if len(shapes) != 1 or next(iter(shapes))[1] != len(teams) or len(set(teams)) < len(teams):
        raise ValueError(f"parts of shapes {sorted(shapes)} do not fit {len(teams)} teams")


def _bounded(
    teams: Sequence[str],
    parts: Sequence[PartDraws],
    *,
    rules: SheetRules,
    barred: NDArray[np.bool_],
) -> tuple[TeamChances, ...]:
    """Return the chances, with the least and the most over all ends of what is missing."""
    ends = [_chances(filled, rules=rules, barred=barred) for filled in _filled(parts)]
    low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    return tuple(
        TeamChances(
            team=team,
            last=Bounds(low=float(low[0, index]), high=float(high[0, index])),
            on=Bounds(low=float(low[1, index]), high=float(high[1, index])),
            regret=Bounds(low=float(low[2, index]), high=float(high[2, index])),
        )
        for index, team in enumerate(teams)
    )


def _filled(parts: Sequence[PartDraws]) -> Iterator[list[PartDraws]]:
    """Yield the parts with every missing share at its least or its most, in every way."""
    missing = [
        (index, int(team))
        for index, part in enumerate(parts)
        for team in np.flatnonzero(np.isnan(part.estimate))
    ]
    if len(missing) > _MOST_OPEN:
        raise ValueError(f"{len(missing)} shares are missing; not every end can be tried")
    for ends in product((0.0, 1.0), repeat=len(missing)):
        estimates = [part.estimate.copy() for part in parts]
        drawn = [part.drawn.copy() if missing else part.drawn for part in parts]
        for (index, team), end in zip(missing, ends, strict=True):
            estimates[index][team] = end
            drawn[index][:, team] = end
        yield [
            replace(part, estimate=estimate, drawn=draws)
            for part, estimate, draws in zip(parts, estimates, drawn, strict=True)
        ]


def _chances(parts: Sequence[PartDraws], *, rules: SheetRules, barred: NDArray[np.bool_]) -> Floats:
    """Return each team's chances of being last and of going on, and its regret, as rows."""
    totals, fates = _cut(parts, rules=rules, barred=barred)
    lowest = totals == totals.min(axis=1, keepdims=True)
    last = (lowest / lowest.sum(axis=1, keepdims=True)).mean(axis=0)
    decided = scored(parts, rules=rules, barred=barred)
    regret = np.zeros(len(barred))
    if (decided == ON).any():
        worst_on = totals[:, decided == ON].min(axis=1)
        home = (decided == HOME) & ~barred
        above = np.maximum(totals - worst_on[:, None], 0.0).mean(axis=0)
        regret[home] = above[home]
    return np.stack([last, (fates == ON).mean(axis=0), regret])


def _cut(
    parts: Sequence[PartDraws], *, rules: SheetRules, barred: NDArray[np.bool_]
) -> tuple[Floats, Fates]:
    """Return the totals of each draw, and what became of each team in it."""
    each = {part.part: scaled(part.drawn, part, references=part.references_drawn) for part in parts}
    totals: Floats = np.sum(list(each.values()), axis=0)
    breaker = None
    if rules.tie_parts:
        breaker = np.sum([each[part] for part in rules.tie_parts], axis=0)
    counted = ~barred if rules.cut_among == "gate-passers" else np.ones_like(barred)
    fates = np.full(totals.shape, HOME, np.int8)
    if int(counted.sum()) <= rules.places:
        fates[:, counted] = ON
    else:
        chosen = breaker[:, counted] if breaker is not None else None
        fates[:, counted] = cut(totals[:, counted], rules, breaker=chosen)
    fates[:, barred] = HOME
    return totals, fates
