"""Runs of several systems on one suite as a table of outcomes.

The items are the same because their digests are: no alignment has to be shown.
"""

from collections.abc import Mapping

import numpy as np

from dokja.evidence.benchmarks.outcomes import default_charge
from dokja.evidence.benchmarks.records import RunRecord
from dokja.evidence.benchmarks.tables import OutcomeTable

__all__ = ["table_of_runs"]


def table_of_runs(runs: Mapping[str, RunRecord]) -> OutcomeTable:
    """Return the outcomes of runs; an item's category is its cluster.

    Args:
        runs: By the label of the system; all of the same items.

    Raises:
        ValueError: No run, or runs of different items.
    """
    if not runs:
        raise ValueError("a table needs at least one run")
    first = next(iter(runs.values()))
    if len({(run.suite, run.items_digest) for run in runs.values()}) > 1:
        raise ValueError("the runs answered different items")
    outcomes = [[record.outcome for record in run.records] for run in runs.values()]
    codes = np.array([[each.code for each in column] for column in outcomes], dtype=np.uint8)
    charges = np.array(
        [[default_charge(each).code for each in column] for column in outcomes], dtype=np.uint8
    )
    return OutcomeTable(
        suite=first.suite,
        items=tuple(record.item for record in first.records),
        systems=tuple(runs),
        outcomes=np.ascontiguousarray(codes.T)[:, :, None],
        charges=np.ascontiguousarray(charges.T)[:, :, None],
        strata=tuple(record.cluster for record in first.records),
    )
