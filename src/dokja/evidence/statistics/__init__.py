"""Pure functions from observations to estimates with intervals, and from totals to ranks.

No file, no clock: numbers come in, frozen values go out, and the one thing said towards the ledger
is the form of a score. Chance comes from a seed that the rulebook names, so that every figure can
be drawn again. A figure that cannot be made is `Missing`, never 0; observations that all say the
same are not taken for certainty.
"""

from dokja.evidence.statistics.contrasts import (
    Basis,
    Clearance,
    Contrast,
    Doubt,
    GeneraliseTo,
    Reach,
    ReachTerms,
    Reading,
    ReferenceMode,
    cells_of,
    contrast,
    fragility,
    layout_of,
    ratio_interval,
    reach,
    reach_terms,
    reading,
    settling,
    unmeasured,
)
from dokja.evidence.statistics.means import clustered_mean
from dokja.evidence.statistics.multiplicity import holm
from dokja.evidence.statistics.pairings import PairedStrengths, TeamStrength, Vote, bradley_terry
from dokja.evidence.statistics.points import Scale, Scores, ScoreTerms, scores_of
from dokja.evidence.statistics.rank_sets import RankSet, RankSets, rank_sets
from dokja.evidence.statistics.ranks import (
    Bounds,
    RankProbabilities,
    SetProbability,
    TeamRanks,
    rank_probabilities,
    set_probability,
)
from dokja.evidence.statistics.raters import Mark, RaterMeans, rater_mean
from dokja.evidence.statistics.scales import to_best
from dokja.evidence.statistics.student import student_quantile, student_share_below
from dokja.evidence.statistics.sums import sum_of
from dokja.evidence.statistics.totals import Total

__all__ = [
    "Basis",
    "Bounds",
    "Clearance",
    "Contrast",
    "Doubt",
    "GeneraliseTo",
    "Mark",
    "PairedStrengths",
    "RankProbabilities",
    "RankSet",
    "RankSets",
    "RaterMeans",
    "Reach",
    "ReachTerms",
    "Reading",
    "ReferenceMode",
    "Scale",
    "ScoreTerms",
    "Scores",
    "SetProbability",
    "TeamRanks",
    "TeamStrength",
    "Total",
    "Vote",
    "bradley_terry",
    "cells_of",
    "clustered_mean",
    "contrast",
    "fragility",
    "holm",
    "layout_of",
    "rank_probabilities",
    "rank_sets",
    "rater_mean",
    "ratio_interval",
    "reach",
    "reach_terms",
    "reading",
    "scores_of",
    "set_probability",
    "settling",
    "student_quantile",
    "student_share_below",
    "sum_of",
    "to_best",
    "unmeasured",
]
