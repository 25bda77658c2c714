"""Tries scorers before they may produce evidence; records of others are refused."""

from dokja.evidence.benchmarks.sanity.audits import extraction_recall
from dokja.evidence.benchmarks.sanity.probing import Labelled, probe_tasks, read_labelled
from dokja.evidence.benchmarks.sanity.reports import ATTACKS, Check, Floor, Recall, SanityReport
from dokja.evidence.benchmarks.sanity.standing import is_audited, refuse_unproven
from dokja.evidence.benchmarks.sanity.trials import JudgedLabel, try_scorer

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
    "probe_tasks",
    "read_labelled",
    "refuse_unproven",
    "try_scorer",
]
