"""Checks runs for what is wrong with endpoints, rulers and keys, before anybody reads a score.

Three instruments can be wrong before any model is. `check_runs` asks whether endpoints answer as
themselves, what moved since earlier runs or within a run, and whether the keys fit the answers;
`check_rows` asks the last of rows that somebody else recorded. What comes out are findings with
their error rates and with what would have been seen. None says why, and none is an accusation.
"""

from dokja.evidence.benchmarks.checking.answered import AnsweredItem, AnsweredRun, read_answers
from dokja.evidence.benchmarks.checking.documents import check_document, check_document_bytes
from dokja.evidence.benchmarks.checking.drafts import check_draft
from dokja.evidence.benchmarks.checking.findings import Check, CheckReport, Question, Says, Topic
from dokja.evidence.benchmarks.checking.keys import (
    KeySheet,
    key_checks,
    sheet_of_rows,
    sheet_of_runs,
)
from dokja.evidence.benchmarks.checking.reports import check_rows, check_runs

__all__ = [
    "AnsweredItem",
    "AnsweredRun",
    "Check",
    "CheckReport",
    "KeySheet",
    "Question",
    "Says",
    "Topic",
    "check_document",
    "check_document_bytes",
    "check_draft",
    "check_rows",
    "check_runs",
    "key_checks",
    "read_answers",
    "sheet_of_rows",
    "sheet_of_runs",
]
