"""Reads the directory of a zip file entry by entry, so that a million entries take few bytes.

Python's own reader makes an object of half a kilobyte of every entry at once. Here the names are
told one by one, and of those that are not kept only eight bytes stay, which show that no name
stands twice. Formats: APPNOTE.TXT 4.3.12 to 4.3.16 and 4.5.3.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Entry", "NoDirectoryError", "entries_of", "name_digest"]

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_COMMENT = 2**16
_FULL_16, _FULL_32 = 2**16 - 1, 2**32 - 1
_ZIP_64 = 1
_UTF_8 = 0x800
_AT_ONCE = 2**20


class NoDirectoryError(ValueError):
    """The file has no directory that can be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the directory tells it.

    Attributes:
        name: Its path.
        offset: Where its own header begins.
        packed: How many bytes it takes.
        size: How many bytes it is, decoded.
        checksum: CRC-32 of these.
        method: How it is packed.
        flags: As in the directory.
    """

    name: str
    offset: int
    packed: int
    size: int
    checksum: int
    method: int
    flags: int


def name_digest(name: str) -> int:
    """Return eight bytes that stand for a name."""
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def entries_of(stream: BinaryIO) -> Iterator[Entry]:
    """Give every entry of a zip file, in the order of its directory.

    Raises:
        NoDirectoryError: There is no directory, it lies elsewhere than its end says, or an entry
            of it is cut off.
    """
    count, size, start = _end(stream)
    stream.seek(start)
    left, buffer, place = size, b"", 0
    for _ in range(count):
        while (need := _length(buffer, place)) > len(buffer) - place:
            more = stream.read(min(_AT_ONCE, left))
            if not more:
                raise NoDirectoryError("the directory ends within an entry")
            left -= len(more)
            buffer, place = buffer[place:] + more, 0
        entry = _entry(buffer, place)
        if entry.offset + entry.packed > start:
            raise NoDirectoryError("an entry that lies beyond its file")
        yield entry
        place += need
    if left or place != len(buffer):
        raise NoDirectoryError("the directory is longer than its entries")


def _length(buffer: bytes, place: int) -> int:
    """Return how many bytes an entry of the directory takes, as far as that is known."""
    if len(buffer) - place < _ENTRY.size:
        return _ENTRY.size
    if not buffer.startswith(b"PK\x01\x02", place):
        raise NoDirectoryError("the directory holds something that is no entry")
    name, extra, comment = struct.unpack_from("<3H", buffer, place + 28)
    return _ENTRY.size + int(name) + int(extra) + int(comment)


def _entry(buffer: bytes, place: int) -> Entry:
    told = _ENTRY.unpack_from(buffer, place)
    flags, method, checksum, packed, size, name_length, extra_length = (*told[3:5], *told[7:12])
    offset = told[16]
    start = place + _ENTRY.size
    raw = buffer[start : start + name_length]
    extra = buffer[start + name_length : start + name_length + extra_length]
    size, packed, offset = _wide(extra, size, packed, offset)
    try:
        name = raw.decode("utf-8" if flags & _UTF_8 else "cp437")
    except UnicodeDecodeError:
        raise NoDirectoryError("a name that is not UTF-8") from None
    return Entry(name, offset, packed, size, checksum, method, flags)


def _wide(extra: bytes, *narrow: int) -> tuple[int, int, int]:
    """Return size, packed size and offset, those that are too large for 32 bits from the extra."""
    values = list(narrow)
    wanted = [place for place, value in enumerate(values) if value == _FULL_32]
    place = 0
    while wanted and place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        place += 4
        if kind == _ZIP_64:
            if length < 8 * len(wanted) or place + length > len(extra):
                raise NoDirectoryError("an entry whose sizes are cut off")
            for number, field in enumerate(wanted):
                values[field] = struct.unpack_from("<Q", extra, place + 8 * number)[0]
            break
        place += length
    return values[0], values[1], values[2]


def _end(stream: BinaryIO) -> tuple[int, int, int]:
    """Return how many entries there are, how long the directory is, and where it starts."""
    length = stream.seek(0, 2)
    tail_start = max(0, length - _COMMENT - _END.size)
    stream.seek(tail_start)
    tail = stream.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise NoDirectoryError("no end of a zip file's directory")
    *_, count, size, start, _ = _END.unpack_from(tail, place)
    end = tail_start + place
    if count == _FULL_16 or _FULL_32 in (size, start):
        count, size, start, end = _end_64(stream, end)
    if start + size != end:
        raise NoDirectoryError("the directory does not lie where its end says")
    if count * _ENTRY.size > size:
        raise NoDirectoryError("more entries than the directory has room for")
    return count, size, start


def _end_64(stream: BinaryIO, end: int) -> tuple[int, int, int, int]:
    if end < _LOCATOR.size:
        raise NoDirectoryError("no end of a large zip file's directory")
    stream.seek(end - _LOCATOR.size)
    sign, _, place, _ = _LOCATOR.unpack(stream.read(_LOCATOR.size))
    if place > end:
        raise NoDirectoryError("no end of a large zip file's directory")
    stream.seek(place)
    raw = stream.read(_END_64.size)
    if sign != b"PK\x06\x07" or len(raw) < _END_64.size or not raw.startswith(b"PK\x06\x06"):
        raise NoDirectoryError("no end of a large zip file's directory")
    *_, count, size, start = _END_64.unpack(raw)
    return count, size, start, place
