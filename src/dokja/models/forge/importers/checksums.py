"""CRC-32C, and the masked form in which TensorBoard stores it.

Castagnoli's polynomial, reflected (RFC 3720, appendix B.4); the mask is that of TFRecord files:
the checksum rotated right by 15 bits, plus 0xa282ead8 (tensorflow/core/lib/hash/crc32c.h). Many
short records are checked side by side in numpy; a long one is cut into lanes whose checksums
are joined, which is possible since a CRC is linear.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["crc32c", "crc32c_of_each", "masked"]

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
_MASK = 0xA282EAD8
_LANE = 1024
_LONG = 4 * _LANE


def _table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table.astype(np.uint32)


_TABLE = _table()
_TABLE_LIST: list[int] = _TABLE.tolist()


def _advanced(state: NDArray[np.uint32], columns: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the states after each took its row of bytes; `columns` is `(length, rows)`."""
    for column in columns:
        state = _TABLE[(state ^ column) & 0xFF] ^ (state >> 8)
    return state


def _past_a_lane() -> tuple[list[int], ...]:
    """Return four tables that carry a state past a lane of zero bytes, a byte of it each."""
    bits = np.array([1 << bit for bit in range(32)], dtype=np.uint32)
    after = _advanced(bits, np.zeros((_LANE, 32), dtype=np.uint8)).tolist()
    tables = []
    for byte in range(4):
        table = [0] * 256
        for value in range(256):
            for bit in range(8):
                if value >> bit & 1:
                    table[value] ^= after[8 * byte + bit]
        tables.append(table)
    return tuple(tables)


_PAST = _past_a_lane()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of the data.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    state, done = _ONES, 0
    if len(data) >= _LONG:
        lanes = len(data) // _LANE
        done = lanes * _LANE
        rows = np.frombuffer(data, dtype=np.uint8, count=done).reshape(lanes, _LANE)
        starts = np.zeros(lanes, dtype=np.uint32)
        for own in _advanced(starts, np.ascontiguousarray(rows.T)).tolist():
            first, second, third, fourth = _PAST
            state = (
                first[state & 0xFF]
                ^ second[state >> 8 & 0xFF]
                ^ third[state >> 16 & 0xFF]
                ^ fourth[state >> 24]
                ^ own
            )
    for byte in data[done:]:
        state = _TABLE_LIST[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ _ONES


def crc32c_of_each(
    data: bytes, starts: Sequence[int], lengths: Sequence[int]
) -> NDArray[np.uint32]:
    """Return the CRC-32C of many pieces of the data.

    Args:
        data: What holds them all.
        starts: Where each piece begins.
        lengths: How long each is, in bytes; all pieces lie inside the data.

    Example:
        >>> [hex(one) for one in crc32c_of_each(b"x123456789", [1], [9])]
        ['0xe3069283']
    """
    if not starts:
        return np.zeros(0, dtype=np.uint32)
    whole = np.frombuffer(data, dtype=np.uint8)
    begin = np.asarray(starts, dtype=np.int64)
    found = np.zeros(len(begin), dtype=np.uint32)
    order = np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable")
    sizes, firsts = np.unique(np.asarray(lengths, dtype=np.int64)[order], return_index=True)
    for size, rows in zip(sizes.tolist(), np.split(order, firsts[1:]), strict=True):
        if size >= _LONG:
            for row in rows.tolist():
                found[row] = crc32c(data[starts[row] : starts[row] + size])
            continue
        state = np.full(len(rows), _ONES, dtype=np.uint32)
        for offset in range(size):
            state = _TABLE[(state ^ whole[begin[rows] + offset]) & 0xFF] ^ (state >> 8)
        found[rows] = state ^ np.uint32(_ONES)
    return found


def masked(checksum: int) -> int:
    """Return the checksum as a TFRecord stores it.

    Example:
        >>> hex(masked(0xe3069283))
        '0xc78ab0e5'
    """
    return ((checksum >> 15 | checksum << 17) + _MASK) & _ONES
