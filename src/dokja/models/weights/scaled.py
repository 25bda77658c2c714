"""Matrices that are stored as codes with scales, block by block of rows and columns.

A value is its code times the scale of its block. Codes are 8-bit floats, whole numbers, or
packed ones; a block may be the whole matrix, a row, a group of columns, or a square.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dokja.models.weights.headers import TensorInfo
from dokja.models.weights.held import StoredTensor

__all__ = ["Packing", "Scaled", "block_length"]

_SQUARE = 128
"""Side of a block where nothing says otherwise: that of the first models stored so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How whole numbers are packed along a row, the first in the lowest bits.

    Attributes:
        bits: Of a number: 4 or 8.
        offset: Whether a stored number is larger than the real one by half its range; otherwise
            it is a two's complement.
    """

    bits: int
    offset: bool

    def unpacked(self, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the numbers of whole bytes."""
        return np.take(_values(self.bits, self.offset), raw.reshape(-1), axis=0).reshape(-1)


@cache
def _values(bits: int, offset: bool) -> NDArray[np.float32]:  # noqa: FBT001  # a key of the cache
    """Return the numbers that each byte holds, shape `(256, numbers in a byte)`."""
    half = 1 << (bits - 1)
    shifts = np.arange(0, 8, bits)
    codes = np.arange(256)[:, None] >> shifts & (2 * half - 1)
    real = codes - half if offset else (codes ^ half) - half
    return real.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """A matrix, or a stack of them, of codes and scales.

    Attributes:
        info: Its logical name and shape; the type and bytes of its codes.
        codes: The codes, shape `(rows, columns)`, packed or not, or a stack of such.
        scales: Shape `(row blocks, column blocks)`, fewer axes where one scale does, or a stack.
        block: Rows and columns that share a scale.
        packing: How the codes are packed; None when they are not.
    """

    info: TensorInfo
    codes: StoredTensor
    scales: StoredTensor
    block: tuple[int, int]
    packing: Packing | None = None
    by_rows: ClassVar[bool] = True

    def whole(self) -> NDArray[np.float32]:
        """Return all values."""
        return self.rows(0, self.info.shape[0])

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows, or matrices of a stack; only their codes and scales are read."""
        values = self._codes(start, stop)
        if self.info.parameters == 0 or start == stop:
            return values
        if len(self.info.shape) == 2:  # noqa: PLR2004  # a matrix
            self._scale(values, self._scales(start, stop), first=start)
            return values
        for place, number in enumerate(range(start, stop)):
            scales = self.scales.rows(number, number + 1).reshape(self.scales.info.shape[1:])
            self._scale(values[place], np.atleast_2d(scales), first=0)
        return values

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the codes as they are stored."""
        return self.codes.pieces(size)

    def _codes(self, start: int, stop: int) -> NDArray[np.float32]:
        if self.packing is None:
            return self.codes.rows(start, stop)
        width = self.codes.info.parameters // max(self.codes.info.shape[0], 1)
        raw = self.codes.stored(start * width, (stop - start) * width)
        return self.packing.unpacked(raw).reshape(stop - start, *self.info.shape[1:])

    def _scales(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the scales of the blocks that hold these rows."""
        if self.scales.info.parameters == 1:
            return self.scales.whole().reshape(1, 1)
        high = self.block[0]
        found = self.scales.rows(start // high, -(-stop // high))
        return found.reshape(len(found), -1)

    def _scale(
        self, values: NDArray[np.float32], scales: NDArray[np.float32], *, first: int
    ) -> None:
        """Multiply rows from the `first` on by their scales, in place."""
        high, wide = self.block
        numbers = np.arange(first, first + len(values)) // high - first // high
        columns = values.shape[1]
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number shows as such
            whole = columns // wide * wide
            if whole:
                parts = values[:, :whole].reshape(len(values), -1, wide)
                spread = scales[:, : whole // wide]
                parts *= spread if len(spread) == 0 else spread[numbers][:, :, None]
                values[:, :whole] = parts.reshape(len(values), whole)
            if whole < columns:
                values[:, whole:] *= scales[numbers, -1:]


def block_length(length: int, count: int, *, said: int | None) -> int | None:
    """Return how many rows or columns share a scale; None when the counts do not fit.

    Args:
        length: Rows or columns of the matrix.
        count: Rows or columns of the scales.
        said: What the configuration says of it.

    Example:
        >>> block_length(300, 3, said=None), block_length(300, 300, said=None)
        (128, 1)
        >>> block_length(300, 7, said=None) is None
        True
    """
    if count == 1:
        return max(length, 1)
    if count == length:
        return 1
    for wanted in (said, _SQUARE):
        if wanted and -(-length // wanted) == count:
            return wanted
    return length // count if count and length % count == 0 else None
