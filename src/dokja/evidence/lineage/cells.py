"""The values of a cell: units by residual coordinates, however its file lays them out.

Where the units are rows of the file, only the rows asked for are read, neighbours together;
where they are columns, the whole tensor is, since its columns lie scattered. Of a stack of
experts the one expert is read.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.lineage.bodies import Cell
from dokja.evidence.lineage.listings import Described

__all__ = ["Values", "read_cell"]

_MATRIX = 2


class Values(Protocol):
    """Opened weights, as far as cells are read from them; a `models.weights.Source` is one."""

    def info(self, name: str) -> Described:
        """Return what the header says of a tensor."""

    def read(self, name: str) -> NDArray[np.float32]:
        """Return all values of a tensor."""

    def read_rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows along the first axis."""


def read_cell(
    source: Values, cell: Cell, units: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return a cell's values, shape `(units, residual)`.

    Args:
        source: Where the cell lies.
        cell: From `map_bodies` of the same weights.
        units: Which units, in the order wanted, counted after picks; all of them by default.

    Raises:
        IndexError: The cell has no such unit, or the tensor no such rows.
        KeyError: There is no tensor of this name.
        WeightsError: The file changed since it was checked.

    Example:
        >>> class One:
        ...     def read_rows(self, name, start, stop):
        ...         return np.arange(8, dtype=np.float32).reshape(4, 2)[start:stop]
        ...     def info(self, name):
        ...         from dokja.models.weights import TensorInfo
        ...         return TensorInfo(name=name, dtype="F32", shape=(4, 2), start=0, stop=32)
        >>> fused = Cell(tensor="w", units=2, residual=2, picks=((1, 2), (3, 4)))
        >>> read_cell(One(), fused).tolist()
        [[2.0, 3.0], [6.0, 7.0]]
    """
    rows = _file_units(cell, units)
    shape = source.info(cell.tensor).shape
    if cell.expert is not None:
        one = source.read_rows(cell.tensor, cell.expert, cell.expert + 1)[0]
        return _straight(one, cell)[rows]
    if cell.turned or len(shape) != _MATRIX:
        return _straight(source.read(cell.tensor), cell)[rows]
    return _rows(source, cell.tensor, rows)


def _file_units(cell: Cell, units: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the units as the file counts them."""
    if units is not None and len(units) and (units.min() < 0 or units.max() >= cell.units):
        raise IndexError(f"{cell.tensor} has {cell.units} units here, asked for {units.max()}")
    if not cell.picks:
        return np.arange(cell.units) if units is None else units
    picked = np.concatenate([np.arange(start, stop) for start, stop in cell.picks])
    return picked if units is None else picked[units]


def _straight(values: NDArray[np.float32], cell: Cell) -> NDArray[np.float32]:
    """Return all units as rows; further axes, such as a convolution's, belong to the units."""
    if cell.turned:
        return np.ascontiguousarray(values.reshape(cell.residual, -1).T)
    return values.reshape(-1, cell.residual)


def _rows(source: Values, name: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    wanted, order = np.unique(rows, return_inverse=True)
    breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
    runs = [run for run in np.split(wanted, breaks) if len(run)]
    if not runs:
        return source.read_rows(name, 0, 0)
    read = [source.read_rows(name, int(run[0]), int(run[-1]) + 1) for run in runs]
    values = read[0] if len(read) == 1 else np.concatenate(read)
    return values if np.array_equal(rows, wanted) else values[order]
