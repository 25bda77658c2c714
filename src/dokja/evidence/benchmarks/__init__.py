"""Observes what models answer to items whose right answers are known.

A suite is read whole, a responder is asked, every answer is recorded with what became of it, and
the ledger gets one entry per run and one per score. Nothing here grades a model, weighs parts or
sends a team home, and no non-answer becomes a number before a convention says so.

What needs the ledger (`drafts`, `records`, `runs`) is imported from its own module: whoever asks a
model should not wait for it.
"""

from dokja.evidence.benchmarks.scoring import SCORER, STRICT, Outcome, extracted, outcome_of
from dokja.evidence.benchmarks.suites import Item, Suite, read_suite

__all__ = [
    "SCORER",
    "STRICT",
    "Item",
    "Outcome",
    "Suite",
    "extracted",
    "outcome_of",
    "read_suite",
]
