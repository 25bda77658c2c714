"""The framing of TFRecord files: length, checksum, data, checksum.

Eight bytes of length and four of data's checksum are little-endian; both checksums are masked
CRC-32C (tensorflow.org/tutorials/load_data/tfrecord). A wrong checksum of a length ends the
reading, since nobody knows where the next record begins; one of the data costs that record.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dokja.models.forge.importers.checksums import crc32c, crc32c_of_each, masked
from dokja.models.forge.importers.faults import FaultKind

__all__ = ["HEAD_BYTES", "MAX_RECORD_BYTES", "Broken", "is_head", "records"]

HEAD_BYTES = 12
"""Length and its checksum."""

MAX_RECORD_BYTES = 64 << 20
"""Longest record that is believed; a summary of scalars takes a few hundred bytes."""

_TAIL_BYTES = 4
_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A record that cannot be used.

    Attributes:
        kind: `CUT`, `CHECKSUM` or `UNREADABLE`.
        read: What stands there.
        expected: What should.
    """

    kind: FaultKind
    read: str
    expected: str


def is_head(first: bytes) -> bool:
    """Tell whether a file that begins with these bytes begins with a record."""
    if len(first) < HEAD_BYTES:
        return False
    stored = _CHECKSUM.unpack_from(first, _LENGTH.size)[0]
    return bool(stored == masked(crc32c(first[: _LENGTH.size])))


def records(data: bytes) -> Iterator[bytes | Broken]:
    """Yield each record's data, or why it cannot be used, in order.

    Args:
        data: The whole file.
    """
    starts, lengths, end = _framed(data)
    found = crc32c_of_each(data, starts, lengths)
    sound = ((found >> 15) | (found << 17)) + np.uint32(0xA282EAD8)
    for start, length, own in zip(starts, lengths, sound.tolist(), strict=True):
        stored = _CHECKSUM.unpack_from(data, start + length)[0]
        if stored == own:
            yield data[start : start + length]
        else:
            read = f"the checksum {stored:#010x} of data whose own is {own:#010x}"
            yield Broken(
                kind=FaultKind.CHECKSUM,
                read=read,
                expected="equal checksums; nothing of this record was used",
            )
    if end is not None:
        yield end


def _framed(data: bytes) -> tuple[list[int], list[int], Broken | None]:
    """Return where the records' data lie, and what ends them early."""
    starts: list[int] = []
    lengths: list[int] = []
    at, size = 0, len(data)
    checksums: dict[int, int] = {}  # of lengths: most records have one of a few
    while at < size:
        left = size - at
        if left < HEAD_BYTES:
            return starts, lengths, _cut(left)
        length = _LENGTH.unpack_from(data, at)[0]
        own = checksums.get(length)
        if own is None:
            own = masked(crc32c(data[at : at + _LENGTH.size]))
            if len(checksums) < MAX_RECORD_BYTES >> 10:
                checksums[length] = own
        if own != _CHECKSUM.unpack_from(data, at + _LENGTH.size)[0]:
            read = "a length whose checksum does not match"
            expected = "a record; nothing after this place was used"
            wrong = Broken(kind=FaultKind.CHECKSUM, read=read, expected=expected)
            return starts, lengths, wrong
        if length > MAX_RECORD_BYTES:
            read, expected = f"a record of {length} bytes", f"at most {MAX_RECORD_BYTES}"
            wrong = Broken(kind=FaultKind.UNREADABLE, read=read, expected=expected)
            return starts, lengths, wrong
        if left < HEAD_BYTES + length + _TAIL_BYTES:
            return starts, lengths, _cut(left)
        starts.append(at + HEAD_BYTES)
        lengths.append(length)
        at += HEAD_BYTES + length + _TAIL_BYTES
    return starts, lengths, None


def _cut(left: int) -> Broken:
    return Broken(
        kind=FaultKind.CUT,
        read=f"{left} bytes of a record that is longer",
        expected="a whole record",
    )
