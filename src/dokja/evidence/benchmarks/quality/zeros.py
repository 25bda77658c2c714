"""Zeros that are more likely failed runs than scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.quality.presence import Presence
from dokja.evidence.benchmarks.rows import Rows
from dokja.evidence.benchmarks.tables import Flag

__all__ = ["cell_flags", "cost_flags", "stratum_flags", "zero_cells"]

_FAR = 0.2
_FEWEST = 3
_FEWEST_ITEMS = 20


def zero_cells(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where a cell is exactly 0 while its peers and its neighbours are all far from it.

    Args:
        scores: In [0, 1], NaN where there is none; shape `(tasks, systems)`.

    Returns:
        True where the cell is 0, at least three other systems scored in the task and all of them
        more than .2, and the system has at least three other scores and all of them more than .2;
        the same shape.

    Example:
        >>> scores = np.full((5, 4), 0.9)
        >>> scores[2, 1] = 0.0
        >>> np.argwhere(zero_cells(scores)).tolist()
        [[2, 1]]
    """
    near = scores <= _FAR
    known = ~np.isnan(scores)
    zero = scores == 0
    others_near = near.sum(axis=1, keepdims=True) - near
    own_near = near.sum(axis=0, keepdims=True) - near
    others = known.sum(axis=1, keepdims=True) - known
    own = known.sum(axis=0, keepdims=True) - known
    found: NDArray[np.bool_] = (
        zero & (others_near == 0) & (own_near == 0) & (others >= _FEWEST) & (own >= _FEWEST)
    )
    return found


def cell_flags(
    scores: NDArray[np.float64], *, tasks: Sequence[str], systems: Sequence[str]
) -> list[Flag]:
    """Return the cells of a table of task scores that are more likely missing than 0."""
    return [
        raised("zero_cell", 1, systems=(systems[system],), task=tasks[task])
        for task, system in np.argwhere(zero_cells(scores)).tolist()
    ]


def stratum_flags(presence: Presence) -> list[Flag]:
    """Return strata of items in which a system scored exactly 0 while nothing else is near it."""
    strata = presence.strata_codes
    names = tuple(dict.fromkeys(presence.strata))
    size = len(names)
    rows = np.stack(
        [np.bincount(strata, weights=column, minlength=size) for column in presence.rows.T], axis=1
    )
    points = np.stack(
        [np.bincount(strata, weights=column, minlength=size) for column in presence.points.T],
        axis=1,
    )
    scores = np.where(rows >= _FEWEST_ITEMS, points / np.maximum(rows, 1), np.nan)
    return cell_flags(scores, tasks=names, systems=presence.systems)


def cost_flags(rows: Rows) -> list[Flag]:
    """Return systems of whose answers a cost of exactly 0 is told."""
    if rows.costs is None:
        return []
    free = np.bincount(rows.systems.codes[rows.costs == 0], minlength=len(rows.systems.names))
    return [
        raised("zero_cost", count, systems=(name,))
        for name, count in zip(rows.systems.names, free.tolist(), strict=True)
        if count
    ]
