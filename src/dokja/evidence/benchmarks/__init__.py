"""Observes what models answer to items whose right answers are known.

A suite is read whole, a responder is asked, every answer is recorded with what became of it, and
the ledger gets one entry per run and one per score. Nothing here grades a model, weighs parts or
sends a team home, and no non-answer becomes a number before a convention says so.
"""

from dokja.evidence.benchmarks.drafts import accuracy, run_draft, score_drafts
from dokja.evidence.benchmarks.records import Record, RunRecord, read_records
from dokja.evidence.benchmarks.runs import run_suite, score_again
from dokja.evidence.benchmarks.scoring import SCORER, STRICT, Outcome, extracted, outcome_of
from dokja.evidence.benchmarks.suites import Item, Suite, read_suite

__all__ = [
    "SCORER",
    "STRICT",
    "Item",
    "Outcome",
    "Record",
    "RunRecord",
    "Suite",
    "accuracy",
    "extracted",
    "outcome_of",
    "read_records",
    "read_suite",
    "run_draft",
    "run_suite",
    "score_again",
    "score_drafts",
]
