"""Judges a stage: one rulebook version and the ledger in, one decision out.

Nothing in this floor reads a clock, a disk, a network or chance: whatever changes from day to
day comes in as an argument, and the same arguments give the same bytes. Draws are made in
`evidence.statistics` from the seed that the rulebook names. What cannot be judged is undecided
and says what would settle it; putting that into words is left to `public`.
"""

from dokja.decisions.grades import ModelGrade, grade_model
from dokja.decisions.judging import Decision, LedgerHead, Software, TeamStanding, judge
from dokja.decisions.rules import (
    REASON_CODES,
    Rulebook,
    Ruling,
    Verdict,
    all_of,
    any_of,
    load_rulebook,
    majority,
)

__all__ = [
    "REASON_CODES",
    "Decision",
    "LedgerHead",
    "ModelGrade",
    "Rulebook",
    "Ruling",
    "Software",
    "TeamStanding",
    "Verdict",
    "all_of",
    "any_of",
    "grade_model",
    "judge",
    "load_rulebook",
    "majority",
]
