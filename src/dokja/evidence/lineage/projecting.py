"""Cells seen through few axes: for components too large to be held in memory.

Directions keep their angles, but for about 1/√axes, when all of them are seen through the same
random axes (Johnson and Lindenstrauss, 1984). A matrix is read in pieces and is never held whole,
whichever way its file lays it out; what is folded into it is folded into the axes instead.
"""

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.lineage.bodies import Cell
from dokja.evidence.lineage.cells import Values, read_cell

__all__ = ["axes", "project_cell"]

_PIECE_VALUES = 1 << 23
_MATRIX = 2


def axes(width: int, count: int, *, seed: int) -> NDArray[np.float32]:
    """Return random axes, shape `(width, count)`; the same for the same seed.

    Each entry has variance 1/count, so that lengths stay what they were on average.
    """
    drawn = np.random.default_rng(seed).standard_normal((width, count), dtype=np.float32)
    return np.asarray(drawn / np.sqrt(count), dtype=np.float32)


def project_cell(
    source: Values,
    cell: Cell,
    onto: NDArray[np.float32],
    *,
    units: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Return a cell's units seen through some axes.

    Args:
        source: Where the cell lies.
        cell: The matrix.
        onto: Shape `(residual, axes)`.
        units: Which units, rising; all of them by default.

    Returns:
        Shape `(units, axes)`.

    Raises:
        WeightsError: The file changed since it was checked.
    """
    chosen = np.arange(cell.units) if units is None else units
    turned = cell.turned and cell.expert is None
    if turned and len(source.info(cell.tensor).shape) == _MATRIX:
        return _turned(source, cell, onto, chosen)
    step = max(1, _PIECE_VALUES // cell.residual)
    pieces = [
        read_cell(source, cell, chosen[start : start + step]) @ onto
        for start in range(0, len(chosen), step)
    ]
    return np.concatenate(pieces) if pieces else np.zeros((0, onto.shape[1]), dtype=np.float32)


def _turned(
    source: Values, cell: Cell, onto: NDArray[np.float32], chosen: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Sum over pieces of the residual: its coordinates are the rows of the file."""
    columns = chosen
    if cell.picks:
        columns = np.concatenate([np.arange(start, stop) for start, stop in cell.picks])[chosen]
    whole = len(columns) == source.info(cell.tensor).shape[1]
    step = max(1, _PIECE_VALUES // source.info(cell.tensor).shape[1])
    found = np.zeros((len(columns), onto.shape[1]), dtype=np.float32)
    for start in range(0, cell.residual, step):
        stop = min(start + step, cell.residual)
        rows = source.read_rows(cell.tensor, start, stop)
        found += (rows if whole and not cell.picks else rows[:, columns]).T @ onto[start:stop]
    return found
