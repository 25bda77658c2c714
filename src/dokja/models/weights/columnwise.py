"""Matrices that GPTQ and AWQ store turned on their side: inputs by outputs, packed in int32.

A value is (code - zero) times scale, where zero and scale belong to a group of inputs and one
output. GPTQ packs along the inputs, names each input's group, and stores zeros less one; AWQ
packs along the outputs, eight in the order 0 2 4 6 1 3 5 7. A row of the matrix that people
mean is a column here, so that some rows are read no sooner than all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.headers import TensorInfo, shown
from dokja.models.weights.held import StoredTensor

__all__ = ["Awq", "Gptq"]

_WORD = 32
_AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gptq:
    """A matrix as GPTQ stores it.

    Attributes:
        info: Its logical name and shape `(outputs, inputs)`; the type and bytes of its codes.
        codes: int32, `(inputs x bits / 32, outputs)`.
        zeros: int32, `(groups, outputs x bits / 32)`, one less than they are unless `whole_zeros`.
        scales: `(groups, outputs)`.
        order: The group of each input; None when the groups follow each other.
        bits: Of a code: 2, 4 or 8.
        whole_zeros: Whether zeros are stored as they are, as in the second form of the format.
    """

    info: TensorInfo
    codes: StoredTensor
    zeros: StoredTensor
    scales: StoredTensor
    order: StoredTensor | None
    bits: int
    whole_zeros: bool = False
    by_rows: ClassVar[bool] = False

    def whole(self) -> NDArray[np.float32]:
        """Return all values."""
        return self.rows(0, self.info.shape[0])

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows; all codes are read for them.

        Raises:
            WeightsError: An input names a group that there is not.
        """
        mask = (1 << self.bits) - 1
        zeros = _split(_words(self.zeros), self.bits, axis=1)[:, start:stop]
        if not self.whole_zeros:
            zeros = zeros + 1 & mask
        scales = self.scales.whole()[:, start:stop]
        codes = _split(_words(self.codes)[:, start:stop], self.bits, axis=0)
        groups = self._groups()
        values = codes.astype(np.float32)
        values -= zeros.astype(np.float32)[groups]
        values *= scales[groups]
        return np.ascontiguousarray(values.T)

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the codes as they are stored."""
        return self.codes.pieces(size)

    def _groups(self) -> NDArray[np.int64]:
        inputs, count = self.info.shape[1], self.scales.info.shape[0]
        if self.order is None:
            return np.arange(inputs) // -(-inputs // count)
        found = self.order.stored(0, inputs).view("<i4").astype(np.int64)
        if inputs and not 0 <= found.min() <= found.max() < count:
            raise WeightsError(
                [
                    Mistake(
                        file=self.codes.file.shown,
                        place=f"tensor {shown(self.order.info.name)}",
                        read=f"groups from {found.min()} to {found.max()}",
                        expected=f"groups from 0 to {count - 1}, as there are scales",
                    )
                ]
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Awq:
    """A matrix as AWQ stores it, four bits to a code.

    Attributes:
        info: Its logical name and shape `(outputs, inputs)`; the type and bytes of its codes.
        codes: int32, `(inputs, outputs / 8)`.
        zeros: int32, `(groups, outputs / 8)`.
        scales: `(groups, outputs)`.
    """

    info: TensorInfo
    codes: StoredTensor
    zeros: StoredTensor
    scales: StoredTensor
    by_rows: ClassVar[bool] = False

    def whole(self) -> NDArray[np.float32]:
        """Return all values."""
        return self.rows(0, self.info.shape[0])

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows; all codes are read for them."""
        first, last = start // 8, -(-stop // 8)
        zeros = _in_order(_split(_words(self.zeros)[:, first:last], 4, axis=1))
        codes = _in_order(_split(_words(self.codes)[:, first:last], 4, axis=1))
        wanted = slice(start - first * 8, stop - first * 8)
        size = -(-self.info.shape[1] // self.scales.info.shape[0])
        groups = np.arange(self.info.shape[1]) // size
        values = codes[:, wanted].astype(np.float32)
        values -= zeros[:, wanted].astype(np.float32)[groups]
        values *= self.scales.whole()[:, start:stop][groups]
        return np.ascontiguousarray(values.T)

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the codes as they are stored."""
        return self.codes.pieces(size)


def _words(tensor: StoredTensor) -> NDArray[np.uint32]:
    raw = tensor.stored(0, tensor.info.parameters)
    return raw.view("<u4").reshape(tensor.info.shape)


def _split(words: NDArray[np.uint32], bits: int, *, axis: int) -> NDArray[np.int16]:
    """Return the numbers in words, those of a word following each other along an axis."""
    shifts = np.arange(0, _WORD, bits, dtype=np.uint32)
    parts = words[:, :, None] >> shifts & np.uint32((1 << bits) - 1)
    down, across = words.shape
    if axis == 0:
        return parts.astype(np.int16).transpose(0, 2, 1).reshape(down * len(shifts), across)
    return parts.astype(np.int16).reshape(down, across * len(shifts))


def _in_order(codes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return columns in their order, where every eight are interleaved."""
    eights = codes.reshape(len(codes), -1, 8)
    ordered = np.empty_like(eights)
    ordered[:, :, list(_AWQ_ORDER)] = eights
    return ordered.reshape(codes.shape)
