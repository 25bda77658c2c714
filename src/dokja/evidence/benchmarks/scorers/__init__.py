"""Tells what became of a reply, by rules that are declared data and have a digest."""

from dokja.evidence.benchmarks.scorers.choices import ChoiceScorer
from dokja.evidence.benchmarks.scorers.declarations import KINDS, read_scorer
from dokja.evidence.benchmarks.scorers.exact import ExactScorer
from dokja.evidence.benchmarks.scorers.judged import JudgeScorer
from dokja.evidence.benchmarks.scorers.numbers import NumericScorer
from dokja.evidence.benchmarks.scorers.patterns import PatternScorer
from dokja.evidence.benchmarks.scorers.programs import CodeScorer
from dokja.evidence.benchmarks.scorers.sandbox import Sandbox, open_sandbox
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
    "KINDS",
    "Aids",
    "Choice",
    "ChoiceScorer",
    "CodeScorer",
    "CodeTest",
    "ExactScorer",
    "Executor",
    "Found",
    "Judge",
    "JudgeScorer",
    "NumericScorer",
    "PatternScorer",
    "Ran",
    "Reply",
    "Sandbox",
    "Scorer",
    "Scoring",
    "Task",
    "open_sandbox",
    "read_scorer",
]
