"""Where the teams truly stand, and what the sheet would give them without any error.

A field is a set of standings: how far each team lies from a middling one in each part, in
standard deviations between teams. Two kinds of fields are asked about: fields drawn at random, as
nobody knows who will enter, and a field in which two teams meet at the cut and lie as far apart as
one says, so that what it takes to tell them apart can be read off.
"""

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.simulating.designs import (
    Ballots,
    PartDesign,
    PartScale,
    StageDesign,
)
from dokja.evidence.statistics.simulating.moments import win_means
from dokja.evidence.statistics.streams import normals

__all__ = ["drawn_field", "field_at", "scaled", "true_points", "truth_of"]

Floats: TypeAlias = NDArray[np.float64]

_LEAST, _MOST = 0.01, 0.99
_STEPS = 36
_FARTHEST = 8.0
_CLEAR = 1.0
"""How far teams away from the cut stand from each other, in standard deviations."""


def truth_of(part: PartDesign, standings: Floats) -> Floats:
    """Return what a part's standings are in truth: shares, or strengths in a ballot.

    Args:
        part: Has the level and the spread.
        standings: In standard deviations between teams, any shape.
    """
    if isinstance(part.seen_by, Ballots):
        return part.spread * standings
    return np.clip(part.level + part.spread * standings, _LEAST, _MOST)


class Scaled(Protocol):
    """What scaling asks of a part, planned or observed."""

    @property
    def part(self) -> str:
        """The part's id."""

    @property
    def points(self) -> float:
        """What can be had."""

    @property
    def scale(self) -> PartScale:
        """What earns all of them."""


def scaled(shares: Floats, part: Scaled, *, references: Floats | None = None) -> Floats:
    """Return the points that shares earn.

    Args:
        shares: Of each team, in the last axis.
        part: Its points and its scale. `to-target` gives all points to whoever reaches the best
            reference, and no more.
        references: Shares of the references in the last axis; read for `to-target`.

    Example:
        >>> from dokja.evidence.statistics.simulating.designs import Panel
        >>> part = PartDesign(part="user", points=25, scale="to-best", seen_by=Panel())
        >>> scaled(np.array([0.8, 0.4]), part).tolist()
        [25.0, 12.5]
    """
    bounded = np.clip(shares, 0.0, 1.0)
    if part.scale == "absolute":
        return part.points * bounded
    if part.scale == "to-best":
        best = bounded.max(axis=-1, keepdims=True)
    else:
        if references is None or references.shape[-1] == 0:
            raise ValueError(f"{part.part} is scaled to a target, and no reference is there")
        best = np.clip(references, 0.0, 1.0).max(axis=-1, keepdims=True)
    floor = np.finfo(np.float64).tiny
    points: Floats = part.points * np.minimum(bounded / np.maximum(best, floor), 1.0)
    return points


def true_points(part: PartDesign, standings: Floats) -> Floats:
    """Return the points that a part would give if everything could be observed."""
    truth = truth_of(part, standings)
    seen = part.seen_by
    if isinstance(seen, Ballots):
        truth = win_means(truth, taste_sd=seen.taste_sd)
    references = None
    if part.scale == "to-target":
        references = np.array([getattr(seen, "reference_level", _MOST)])
    return scaled(truth, part, references=references)


def drawn_field(stage: StageDesign, *, draws: int, seed: int) -> Floats:
    """Return standings of random fields, shape `(draws, parts, teams)`.

    A team that is good in one part tends to be good in another: any two parts correlate by the
    stage's `agreement`.
    """
    teams = stage.teams
    common = normals(seed, "field/common", count=draws * teams).reshape(draws, teams)
    drawn = np.empty((draws, len(stage.parts), teams))
    for index, part in enumerate(stage.parts):
        label = f"field/{part.part}"
        own = normals(seed, label, count=draws * teams).reshape(draws, teams)
        drawn[:, index] = np.sqrt(stage.agreement) * common + np.sqrt(1 - stage.agreement) * own
    return drawn


def field_at(stage: StageDesign, *, gap: float) -> Floats:
    """Return the standings in which the two teams at the cut lie `gap` points apart in truth.

    Teams stand in order, best first; the better of the two is better in every part alike. All
    others stand away from the cut by one standard deviation each.

    Args:
        stage: How many go on, and the parts.
        gap: True difference of the totals, in points, at least 0.

    Returns:
        Shape `(teams,)`, for every part the same.

    Raises:
        ValueError: The rules cannot tell any two teams so far apart.
    """
    if gap < 0:
        raise ValueError(f"a gap of {gap} points")
    low, high = 0.0, _FARTHEST
    if _gap(stage, high) < gap:
        raise ValueError(f"these rules set no two teams {gap:g} points apart")
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _gap(stage, middle) < gap else (low, middle)
    return _placed(stage, high if gap else 0.0)


def _placed(stage: StageDesign, apart: float) -> Floats:
    rank = np.arange(stage.teams, dtype=np.float64)
    above = apart / 2 + _CLEAR * (stage.places - 1 - rank)
    below = -apart / 2 - _CLEAR * (rank - stage.places)
    return np.where(rank < stage.places, above, below)


def _gap(stage: StageDesign, apart: float) -> float:
    standings = _placed(stage, apart)
    totals = np.sum([true_points(part, standings) for part in stage.parts], axis=0)
    return float(totals[stage.places - 1] - totals[stage.places])
