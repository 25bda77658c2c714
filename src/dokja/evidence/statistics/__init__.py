"""Pure functions from observations to estimates with intervals, and from totals to ranks.

No file, no ledger, no clock: numbers come in, frozen values go out. Chance comes from a seed that
the rulebook names, so that every figure can be drawn again. A figure that cannot be made is
`Missing`, never 0 and never an interval of width 0.
"""

from dokja.evidence.statistics.rank_sets import RankSet, RankSets, rank_sets
from dokja.evidence.statistics.ranks import (
    Bounds,
    RankProbabilities,
    SetProbability,
    TeamRanks,
    rank_probabilities,
    set_probability,
)
from dokja.evidence.statistics.sums import sum_of
from dokja.evidence.statistics.totals import Total

__all__ = [
    "Bounds",
    "RankProbabilities",
    "RankSet",
    "RankSets",
    "SetProbability",
    "TeamRanks",
    "Total",
    "rank_probabilities",
    "rank_sets",
    "set_probability",
    "sum_of",
]
