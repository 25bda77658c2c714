"""Tries scorers before they may produce evidence; records of others are refused."""

from dokja.evidence.benchmarks.sanity.audits import extraction_recall
from dokja.evidence.benchmarks.sanity.judging import (
    JudgedLabel,
    measured_errors,
    read_judged,
    told_errors,
)
from dokja.evidence.benchmarks.sanity.probing import Labelled, probe_tasks, read_labelled
from dokja.evidence.benchmarks.sanity.reports import ATTACKS, Check, Floor, Recall, SanityReport
from dokja.evidence.benchmarks.sanity.standing import is_audited, refuse_unproven
from dokja.evidence.benchmarks.sanity.trials import try_scorer

__all__ = [
    "ATTACKS",
    "Check",
    "Floor",
    "JudgedLabel",
    "Labelled",
    "Recall",
    "SanityReport",
    "extraction_recall",
    "is_audited",
    "measured_errors",
    "probe_tasks",
    "read_judged",
    "read_labelled",
    "refuse_unproven",
    "told_errors",
    "try_scorer",
]
