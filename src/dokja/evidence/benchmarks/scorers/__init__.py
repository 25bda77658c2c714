"""Tells what became of a reply, by rules that are declared data and have a digest."""

from dokja.evidence.benchmarks.scorers.choices import ChoiceScorer
from dokja.evidence.benchmarks.scorers.declarations import read_scorer
from dokja.evidence.benchmarks.scorers.tasks import (
    ALONE,
    Aids,
    Choice,
    CodeTest,
    Executor,
    Found,
    Judge,
    Ran,
    Reply,
    Scorer,
    Scoring,
    Task,
)

__all__ = [
    "ALONE",
    "Aids",
    "Choice",
    "ChoiceScorer",
    "CodeTest",
    "Executor",
    "Found",
    "Judge",
    "Ran",
    "Reply",
    "Scorer",
    "Scoring",
    "Task",
    "read_scorer",
]
