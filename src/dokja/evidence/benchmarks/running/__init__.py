"""Runs: a system is asked a form, every answer is durable, and records follow from what came back.

A run is a folder. `make_plan` and `begin_run` freeze what is asked of whom; `run_endpoint` or
`run_local` asks what is still open, as often as it takes; `conclude` makes records, outcomes and
figures from what came over the wire; `run_table` lays several runs on one form side by side.
Nothing here reads a clock, forms a score or judges.
"""

from dokja.evidence.benchmarks.running.endings import Ending, Why
from dokja.evidence.benchmarks.running.folders import RunFolder, begin_run
from dokja.evidence.benchmarks.running.forms import Form, Question, folder_form, plain_form
from dokja.evidence.benchmarks.running.limits import Limits
from dokja.evidence.benchmarks.running.local import run_local
from dokja.evidence.benchmarks.running.opened import OpenRun
from dokja.evidence.benchmarks.running.order import Order, make_order, sample_key
from dokja.evidence.benchmarks.running.outcome_files import run_table
from dokja.evidence.benchmarks.running.plans import (
    Plan,
    System,
    make_plan,
    read_plan,
    refuse_another,
)
from dokja.evidence.benchmarks.running.records import records_of
from dokja.evidence.benchmarks.running.runner import run_endpoint
from dokja.evidence.benchmarks.running.sessions import Session, Sources
from dokja.evidence.benchmarks.running.spending import Prices
from dokja.evidence.benchmarks.running.summaries import Summary, conclude, measured_draft, run_id
from dokja.evidence.benchmarks.running.tallies import Tally

__all__ = [
    "Ending",
    "Form",
    "Limits",
    "OpenRun",
    "Order",
    "Plan",
    "Prices",
    "Question",
    "RunFolder",
    "Session",
    "Sources",
    "Summary",
    "System",
    "Tally",
    "Why",
    "begin_run",
    "conclude",
    "folder_form",
    "make_order",
    "make_plan",
    "measured_draft",
    "plain_form",
    "read_plan",
    "records_of",
    "refuse_another",
    "run_endpoint",
    "run_id",
    "run_local",
    "run_table",
    "sample_key",
]
