"""What raters say of teams, when raters differ in severity and not each rated every team.

A mark is the team's worth plus the rater's severity plus what neither explains. Severities are
fitted beside the teams, so that a team is not punished for having been read by the severe; with
every cell filled the team's worth is its plain mean. The interval is over raters: another panel
of the same size could have been called. A team that was read by fewer than two raters, or whose
worth hangs on a single one, has no interval and therefore no number.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.intervals import bounded_estimate, check_level
from dokja.values import Measured, Missing, MissingReason

__all__ = ["Mark", "RaterMeans", "rater_mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one rater gives one team."""

    rater: str
    team: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterMeans:
    """What a panel says.

    Attributes:
        teams: Each team, by id, with its worth on the scale of the marks.
        severities: Each rater with how far above (positive) or below the others they mark; the
            mean is 0. Empty when it cannot be told apart from the teams' worth.
        raters: How many raters.
        marks: How many marks.
    """

    teams: tuple[tuple[str, Measured], ...]
    severities: tuple[tuple[str, float], ...]
    raters: int
    marks: int

    def of(self, team: str) -> Measured:
        """Return the team's worth.

        Raises:
            KeyError: It was not rated.
        """
        return dict(self.teams)[team]


def rater_mean(marks: Sequence[Mark], *, level: float, scale: tuple[float, float]) -> RaterMeans:
    """Return every team's worth by least squares, with a jackknife interval over raters.

    The variance is (R - 1)/R Σ_r (worth without r - mean of these)² (Efron and Stein 1981); with
    every cell filled it is the variance of the marks over R. A team's degrees of freedom are its
    own raters less one.

    Args:
        marks: At most one per rater and team.
        level: Of the intervals, in (0, 1).
        scale: Least and greatest possible mark.

    Raises:
        ValueError: A rater marked a team twice, a mark is not finite or outside the scale, or
            the level is outside (0, 1).

    Example:
        >>> marks = [Mark(rater=r, team="garam", value=v) for r, v in (("r1", 20), ("r2", 24))]
        >>> found = rater_mean(marks, level=0.9, scale=(0, 35)).of("garam")
        >>> found.value, round(found.standard_error, 3)
        (22.0, 2.0)
    """
    check_level(level)
    _check(marks, scale=scale)
    teams, raters = sorted({m.team for m in marks}), sorted({m.rater for m in marks})
    whole = _worths(marks, teams=teams)
    without = [
        _worths([mark for mark in marks if mark.rater != rater], teams=teams) for rater in raters
    ]
    readers = Counter(mark.team for mark in marks)
    found: list[tuple[str, Measured]] = []
    for index, team in enumerate(teams):
        worth = whole[index]
        rest = [each[index] for each in without]
        if readers[team] < 2 or not np.isfinite([worth, *rest]).all():  # noqa: PLR2004  # a pair
            missing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("raters", team))
            found.append((team, missing))
            continue
        middle = math.fsum(rest) / len(rest)
        squares = math.fsum((each - middle) ** 2 for each in rest)
        estimate = bounded_estimate(
            min(max(float(worth), scale[0]), scale[1]),
            math.sqrt((len(rest) - 1) / len(rest) * squares),
            units=readers[team],
            level=level,
            scale=scale,
            rests_on=(("raters", readers[team]),),
            method="rater-mean",
        )
        found.append((team, estimate))
    return RaterMeans(
        teams=tuple(found),
        severities=_severities(marks, whole=dict(zip(teams, whole, strict=True))),
        raters=len(raters),
        marks=len(marks),
    )


def _check(marks: Sequence[Mark], *, scale: tuple[float, float]) -> None:
    cells = Counter((mark.rater, mark.team) for mark in marks)
    twice = [cell for cell, count in cells.items() if count > 1]
    if twice:
        raise ValueError(f"marked twice: {twice}")
    least, greatest = scale
    if not all(math.isfinite(mark.value) and least <= mark.value <= greatest for mark in marks):
        raise ValueError(f"a mark is not a finite number in [{least}, {greatest}]")


def _worths(marks: Sequence[Mark], *, teams: Sequence[str]) -> NDArray[np.float64]:
    """Return each team's worth, shape `(teams,)`; not a number where it cannot be told."""
    rated, raters = sorted({m.team for m in marks}), sorted({m.rater for m in marks})
    worths = np.full(len(teams), np.nan)
    if len(marks) == len(rated) * len(raters):
        # Every cell is filled: severities cancel, and a plain mean rounds alike everywhere.
        for team in rated:
            given_to = [mark.value for mark in marks if mark.team == team]
            worths[teams.index(team)] = math.fsum(given_to) / len(given_to)
        return worths
    columns = len(rated) + len(raters)
    design = np.zeros((len(marks) + 1, columns))
    given = np.zeros(len(marks) + 1)
    for row, mark in enumerate(marks):
        design[row, rated.index(mark.team)] = 1
        design[row, len(rated) + raters.index(mark.rater)] = 1
        given[row] = mark.value
    design[-1, len(rated) :] = 1  # the severities of a panel have mean 0
    fitted, _, rank, _ = np.linalg.lstsq(design, given)
    if rank == columns:
        for place, team in enumerate(rated):
            worths[teams.index(team)] = fitted[place]
    return worths


def _severities(marks: Sequence[Mark], *, whole: dict[str, float]) -> tuple[tuple[str, float], ...]:
    if not all(math.isfinite(worth) for worth in whole.values()):
        return ()
    found = []
    for rater in sorted({mark.rater for mark in marks}):
        above = [mark.value - whole[mark.team] for mark in marks if mark.rater == rater]
        found.append((rater, math.fsum(above) / len(above)))
    return tuple(found)
