"""A tensor as a source holds it, wherever it lies and however it is packed.

`Held` is what every kind of tensor answers: its logical shape, rows of its values, and its
stored bytes. `StoredTensor` is the plain one, a run of blocks in one file; the others are made
of it. A `Meter` counts the bytes of values that come out of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.models.weights.grids import Grid
from dokja.models.weights.headers import TensorInfo
from dokja.values import Digest

__all__ = ["Held", "Meter", "OpenedFile", "Piece", "Sidecar", "StoredTensor"]

Piece: TypeAlias = bytes | bytearray | memoryview
"""Bytes in a row, whoever holds them."""

_PIECE = 1 << 20
"""Bytes that are read at once: they stay in a core's cache until they are converted."""

_BLOCKS_PIECE = 1 << 17
"""The same for types in blocks, whose decoding needs several times their room."""


class OpenedFile(Protocol):
    """A file of weights that was found and checked, here or far away."""

    @property
    def name(self) -> str:
        """Its plain name in its folder."""

    @property
    def shown(self) -> str:
        """What messages call it."""

    @property
    def bytes(self) -> int:
        """How long it is."""

    def read_into(self, buffer: memoryview, *, start: int) -> None:
        """Fill the buffer with the bytes from `start` on."""

    def pieces(self, start: int, length: int, *, size: int) -> Iterator[memoryview]:
        """Yield the bytes from `start` on, a piece at a time, all in one buffer."""

    def digest(self) -> Digest | None:
        """Return the SHA-256 of the whole file; None of one that is not fetched for it."""


class Sidecar(Protocol):
    """A small file beside the weights, read whole when it is needed."""

    @property
    def shown(self) -> str:
        """What messages call it."""

    def content(self, *, at_most: int) -> bytes:
        """Return all of it.

        Raises:
            WeightsError: It is longer than `at_most`, or cannot be read.
        """


@dataclass(slots=True, kw_only=True)
class Meter:
    """Counts the bytes of values that were handed out; several threads may count.

    Attributes:
        bytes_read: How many so far.
    """

    bytes_read: int = 0
    _counting: Lock = field(default_factory=Lock)

    def count(self, number: int) -> None:
        """Add to the count."""
        with self._counting:
            self.bytes_read += number


class Held(Protocol):
    """A tensor that can be read."""

    @property
    def info(self) -> TensorInfo:
        """Its name, how it is stored, and its logical shape."""

    @property
    def by_rows(self) -> bool:
        """Whether some rows can be read without reading them all."""

    def whole(self) -> NDArray[np.float32]:
        """Return all values in the tensor's shape."""

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows along the first axis; the caller has made sure that they are there."""

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield its stored bytes, in one buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """A tensor that is one run of blocks in one file.

    Attributes:
        info: What the header says of it.
        file: The file.
        data_start: Byte of the file from which `info.start` counts.
        grid: How its bytes become values.
        meter: Counts what is read.
    """

    info: TensorInfo
    file: OpenedFile
    data_start: int
    grid: Grid
    meter: Meter
    by_rows: ClassVar[bool] = True

    def whole(self, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return all values in the tensor's shape, in this array if one is given."""
        flat = None if out is None else out.reshape(-1)
        return self.values(0, self.info.parameters, out=flat).reshape(self.info.shape)

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows along the first axis."""
        width = self.info.parameters // max(self.info.shape[0], 1)
        values = self.values(start * width, (stop - start) * width)
        return values.reshape(stop - start, *self.info.shape[1:])

    def values(
        self, first: int, count: int, *, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return `count` values from the `first` on; both are whole numbers of blocks."""
        out = np.empty(count, dtype=np.float32) if out is None else out
        grid = self.grid
        most = _PIECE if grid.values == 1 else _BLOCKS_PIECE
        size = most // grid.bytes * grid.bytes
        at = 0
        for piece in self._run(first // grid.values * grid.bytes, self._bytes(count), size=size):
            done = len(piece) // grid.bytes * grid.values
            grid.decode(np.frombuffer(piece, dtype=np.uint8), out[at : at + done])
            at += done
        return out

    def blocks(self, rows: int) -> Iterator[NDArray[np.float32]]:
        """Yield the rows in order, `rows` at a time, each block in the same memory."""
        width = self.info.parameters // max(self.info.shape[0], 1)
        out = np.empty(min(rows, self.info.shape[0]) * width, dtype=np.float32)
        for piece in self._run(0, self.info.bytes, size=max(self._bytes(rows * width), 1)):
            count = len(piece) // self.grid.bytes * self.grid.values
            self.grid.decode(np.frombuffer(piece, dtype=np.uint8), out[:count])
            yield out[:count].reshape(-1, *self.info.shape[1:])

    def stored(self, first: int, count: int) -> NDArray[np.uint8]:
        """Return the bytes of whole blocks as they are stored."""
        raw = np.empty(self._bytes(count), dtype=np.uint8)
        start = self.data_start + self.info.start + first // self.grid.values * self.grid.bytes
        self.file.read_into(raw.data, start=start)
        self.meter.count(len(raw))
        return raw

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield its stored bytes, in one buffer."""
        return self._run(0, self.info.bytes, size=size)

    def _bytes(self, count: int) -> int:
        return count // self.grid.values * self.grid.bytes

    def _run(self, start: int, length: int, *, size: int) -> Iterator[memoryview]:
        first = self.data_start + self.info.start + start
        for piece in self.file.pieces(first, length, size=size):
            self.meter.count(len(piece))
            yield piece
