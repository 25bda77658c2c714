"""Drawing what a stage would score: true points, and points as observed.

The same standard normal numbers serve every question about a stage, whatever is changed in it, so
that the difference between two designs is not the luck of their draws.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.simulating.cuts import Fates, cut
from dokja.evidence.statistics.simulating.designs import Ballots, PartDesign, StageDesign
from dokja.evidence.statistics.simulating.fields import drawn_field, scaled, true_points, truth_of
from dokja.evidence.statistics.simulating.moments import moments_of, win_means
from dokja.evidence.statistics.streams import normals

__all__ = ["Drawn", "drawn_stage", "part_points", "random_stage"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Many stages of one design.

    Attributes:
        truth: True totals, shape `(teams,)` where the field is given, else `(draws, teams)`.
        totals: Totals as scored, shape `(draws, teams)`.
        fates: What became of each team, same shape.
    """

    truth: Floats
    totals: Floats
    fates: Fates


def drawn_stage(stage: StageDesign, standings: Floats, *, draws: int, seed: int) -> Drawn:
    """Return stages that differ only in what was observed.

    Args:
        stage: The design.
        standings: Of each team in every part, shape `(teams,)`.
        draws: How many stages.
        seed: Of the draws.
    """
    truth = np.sum([true_points(part, standings) for part in stage.parts], axis=0)
    each = {
        part.part: part_points(stage, part, standings=standings, draws=draws, seed=seed)
        for part in stage.parts
    }
    return _cut_up(stage, truth, each)


def random_stage(stage: StageDesign, *, draws: int, seed: int) -> Drawn:
    """Return stages of random fields: another set of teams in every draw.

    The error of observation is that of a middling team for every team. It changes slowly with how
    good a team is, and teams at the cut are middling.
    """
    field = drawn_field(stage, draws=draws, seed=seed)
    truth = np.zeros((draws, stage.teams))
    each = {}
    for index, part in enumerate(stage.parts):
        standings = field[:, index]
        truth += true_points(part, standings)
        each[part.part] = part_points(stage, part, standings=standings, draws=draws, seed=seed)
    return _cut_up(stage, truth, each)


def part_points(
    stage: StageDesign, part: PartDesign, *, standings: Floats, draws: int, seed: int
) -> Floats:
    """Return a part's points as observed, shape `(draws, teams)`.

    Args:
        stage: The stage it belongs to.
        part: The part.
        standings: Shape `(teams,)`, or `(draws, teams)` for a field of its own in each draw.
        draws: How many.
        seed: Of the draws.
    """
    truth = truth_of(part, standings)
    about = truth if truth.ndim == 1 else truth_of(part, np.zeros(stage.teams))
    moments = moments_of(part, about, generalise_to=stage.generalise_to)
    columns = [
        normals(seed, f"{part.part}/{column}", count=draws) for column in range(len(moments.mean))
    ]
    noise = np.stack(columns, axis=1) @ _root(moments.covariance)
    own = moments.mean[: moments.teams]
    if truth.ndim > 1:
        seen = part.seen_by
        own = win_means(truth, taste_sd=seen.taste_sd) if isinstance(seen, Ballots) else truth
    references = moments.mean[moments.teams :] + noise[:, moments.teams :]
    return scaled(own + noise[:, : moments.teams], part, references=references)


def _cut_up(stage: StageDesign, truth: Floats, each: dict[str, Floats]) -> Drawn:
    totals = np.sum(list(each.values()), axis=0)
    breaker = np.sum([each[part] for part in stage.tie_parts], axis=0) if stage.tie_parts else None
    return Drawn(truth=truth, totals=totals, fates=cut(totals, stage, breaker=breaker))


def _root(covariance: Floats) -> Floats:
    """Return the symmetric square root: it changes smoothly as the covariance does."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
