"""The frontier over time: who may stand for it, and what gathered scores say of how it moves.

Eligibility is a matter of days and sources. The tables hold scores that others gathered on other
days and other items: they show trends, and no verdict rests on them.
"""

from dokja.evidence.benchmarks.frontiers.choosing import (
    Choice,
    ChosenCells,
    Step,
    best_so_far,
    chosen_cells,
    kept_scores,
)
from dokja.evidence.benchmarks.frontiers.eligibility import (
    Eligibility,
    FrontierRule,
    ListedSystem,
    NotEligible,
    Turned,
    eligible_systems,
)
from dokja.evidence.benchmarks.frontiers.tables import (
    GatheredScore,
    ScoreTables,
    read_score_tables,
)

__all__ = [
    "Choice",
    "ChosenCells",
    "Eligibility",
    "FrontierRule",
    "GatheredScore",
    "ListedSystem",
    "NotEligible",
    "ScoreTables",
    "Step",
    "Turned",
    "best_so_far",
    "chosen_cells",
    "eligible_systems",
    "kept_scores",
    "read_score_tables",
]
