"""Who goes home when totals are cut, and how far that is from the truth.

A cut gives each team one of three fates: it goes on, it goes home, or it is undecided because it
is level with another at the cut and the rule for ties leaves it so. A team is *wrongly* sent home
when another that is truly no better goes on in its place; what that costs is the regret, in
points.
"""

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.simulating.designs import TieRule

__all__ = [
    "HOME",
    "ON",
    "OPEN",
    "CutRules",
    "Fates",
    "Outcome",
    "cut",
    "monte_carlo_error",
    "outcome_of",
]

Floats: TypeAlias = NDArray[np.float64]
Fates: TypeAlias = NDArray[np.int8]

HOME, OPEN, ON = np.int8(-1), np.int8(0), np.int8(1)
_SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of many cuts.

    Attributes:
        wrong: Share of stages in which a truly better team is sent home while a worse goes on.
        undecided: Share in which some team is left undecided.
        going: How many teams go on, on average.
        regret: Mean of how many true points the best team sent home is above the worst that goes
            on; 0 where it is not.
        error: Monte Carlo standard error of `wrong`.
        draws: How many stages were drawn.
    """

    wrong: float
    undecided: float
    going: float
    regret: float
    error: float
    draws: int


class CutRules(Protocol):
    """What a cut asks of the rules of a stage, planned or judged."""

    @property
    def places(self) -> int:
        """How many go on."""

    @property
    def ties(self) -> TieRule:
        """What happens to teams that are level at the cut."""

    @property
    def level_within(self) -> float:
        """How close to the cut counts as level, in points."""

    @property
    def decimals(self) -> int | None:
        """To how many the total is rounded."""


def cut(totals: Floats, stage: CutRules, *, breaker: Floats | None = None) -> Fates:
    """Return each team's fate, shape `(draws, teams)`.

    Args:
        totals: Points as scored, shape `(draws, teams)`.
        stage: The places and the rule for ties.
        breaker: Points in the part that breaks ties, same shape.

    Example:
        >>> from dokja.evidence.statistics.simulating import Panel, PartDesign, StageDesign
        >>> part = PartDesign(part="all", points=100, scale="absolute", seen_by=Panel())
        >>> stage = StageDesign(teams=3, places=1, parts=(part,))
        >>> cut(np.array([[70.0, 60.0, 70.0], [70.0, 60.0, 50.0]]), stage).tolist()
        [[0, -1, 0], [1, -1, -1]]
    """
    if stage.decimals is not None:
        totals = np.round(totals, stage.decimals)
    ordered = np.sort(totals, axis=1)[:, ::-1]
    last_in, first_out = ordered[:, [stage.places - 1]], ordered[:, [stage.places]]
    margin = stage.level_within + _SAME
    level = last_in - first_out <= margin
    fates = np.where(totals >= last_in, ON, HOME).astype(np.int8)
    # Whoever is within the margin of the other side of the cut is level with it.
    tied = level & (totals <= first_out + margin) & (totals >= last_in - margin)
    if stage.ties == "all-advance":
        fates[tied] = ON
        return fates
    fates[tied] = OPEN
    if stage.ties == "part" and breaker is not None:
        _broken(fates, breaker, places=stage.places)
    return fates


def _broken(fates: Fates, breaker: Floats, *, places: int) -> None:
    """Fill the places that are left with those of the tied who stand highest in one part."""
    for row in np.flatnonzero((fates == OPEN).any(axis=1)):
        tied = np.flatnonzero(fates[row] == OPEN)
        left = places - int((fates[row] == ON).sum())
        standing = breaker[row, tied]
        cutoff = np.sort(standing)[::-1]
        last_in, first_out = cutoff[left - 1], cutoff[left]
        fates[row, tied[standing >= last_in]] = ON
        fates[row, tied[standing < last_in]] = HOME
        if last_in - first_out <= _SAME:
            fates[row, tied[np.abs(standing - last_in) <= _SAME]] = OPEN


def outcome_of(fates: Fates, truth: Floats) -> Outcome:
    """Return how often the cut sent a truly better team home.

    Args:
        fates: Shape `(draws, teams)`.
        truth: True totals, shape `(teams,)` or `(draws, teams)`.
    """
    true = np.broadcast_to(truth, fates.shape)
    best_home = np.where(fates == HOME, true, -np.inf).max(axis=1)
    worst_on = np.where(fates == ON, true, np.inf).min(axis=1)
    # With nobody on one side the difference is infinitely negative: nothing was mistaken.
    lost = np.maximum(best_home - worst_on, 0.0)
    wrong = lost > _SAME
    draws = len(fates)
    share = float(wrong.mean())
    return Outcome(
        wrong=share,
        undecided=float((fates == OPEN).any(axis=1).mean()),
        going=float((fates == ON).sum(axis=1).mean()),
        regret=float(lost.mean()),
        error=monte_carlo_error(share, draws=draws),
        draws=draws,
    )


def monte_carlo_error(share: float, *, draws: int) -> float:
    """Return the standard error that comes from the number of draws alone.

    One more draw is counted either way, so that what was never drawn is not called impossible.
    """
    shrunk = (share * draws + 1) / (draws + 2)
    return math.sqrt(shrunk * (1 - shrunk) / draws)
