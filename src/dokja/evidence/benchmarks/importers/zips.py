"""Reads entries of a zip file that somebody sends, within bounds, whatever it claims.

Python's own reader cannot decode Zstandard (method 93) before 3.14: the bytes of an entry are taken
from where the directory says, and decoded here. A path that leaves its folder, a name that stands
twice, entries that overlap, sizes that lie, checksums that do not fit and anything beyond the
bounds are refused.
"""

import re
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dokja.errors import ExtraMissingError, Mistake, TableError
from dokja.evidence.benchmarks.importers.directories import (
    Entry,
    NoDirectoryError,
    entries_of,
    name_digest,
)
from dokja.values import shown

__all__ = ["Bounds", "ZipEntries", "open_zip"]

_STORED, _DEFLATED, _ZSTD = 0, 8, 93
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1
_AT_ONCE = 2**20
_ANY = re.compile(r".*", re.DOTALL)
_SHOWN = 5
_REMEDY = "Convert the log with the version that Dokja knows, or use a newer Dokja."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a zip file may hold.

    Attributes:
        entries: At most so many entries.
        entry_bytes: Each of at most so many bytes, decoded.
    """

    entries: int = 5_000_000
    entry_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipEntries:
    """The entries of an open zip file.

    Attributes:
        file: Its path, for what is said about it.
    """

    file: str
    _found: "_Directory"
    _stream: BinaryIO
    _bounds: Bounds

    @property
    def names(self) -> Sequence[str]:
        """The entries that are listed, in the order of the directory."""
        return self._found.listed

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def read(self, name: str) -> bytes:
        """Return the bytes of an entry, decoded and checked.

        Raises:
            TableError: They are not what the directory says, or beyond the bounds.
            ExtraMissingError: They are Zstandard and the package for it is not installed.
            KeyError: There is no such entry.
        """
        entry = self._found[name]
        if entry.size > self._bounds.entry_bytes:
            read = f"{entry.size:,} bytes"
            raise self._wrong(name, read, f"at most {self._bounds.entry_bytes:,}")
        if entry.flags & _ENCRYPTED:
            raise self._wrong(name, "encrypted", "an entry that is not")
        raw = self._raw(entry)
        try:
            data = _decoded(raw, method=entry.method, size=entry.size)
        except (OSError, zlib.error) as error:
            raise self._wrong(name, shown(str(error)), "bytes that can be decoded") from None
        except NotImplementedError:
            read = f"compression method {entry.method}"
            raise self._wrong(name, read, "stored, deflate (8) or Zstandard (93)") from None
        if len(data) != entry.size:
            read = f"{len(data):,} bytes or more"
            raise self._wrong(name, read, f"{entry.size:,}, as the directory says")
        if zlib.crc32(data) != entry.checksum:
            raise self._wrong(name, "other bytes", "those of which the checksum is kept")
        return data

    def _raw(self, entry: Entry) -> bytes:
        self._stream.seek(entry.offset)
        header = self._stream.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
            raise self._wrong(entry.name, "no header", "a header where the directory says")
        name_length, extra_length = _HEADER.unpack(header)[-2:]
        self._stream.seek(name_length + extra_length, 1)
        if entry.packed > self._bounds.entry_bytes:
            read = f"{entry.packed:,} bytes"
            raise self._wrong(entry.name, read, f"at most {self._bounds.entry_bytes:,}")
        raw = self._stream.read(entry.packed)
        if len(raw) != entry.packed:
            read = f"{len(raw):,} bytes"
            raise self._wrong(entry.name, read, f"{entry.packed:,}: the file ends early")
        return raw

    def _wrong(self, name: str, read: str, expected: str) -> TableError:
        return TableError(
            [Mistake(file=self.file, place=shown(name), read=read, expected=expected)]
        )


@contextmanager
def open_zip(
    path: Path,
    *,
    known: re.Pattern[str] = _ANY,
    listed: re.Pattern[str] = _ANY,
    bounds: Bounds | None = None,
) -> Iterator[ZipEntries]:
    """Open a zip file and check its directory.

    Args:
        path: The file.
        known: What every entry's name must match, folders aside.
        listed: The entries whose names are held in memory; others are found if they are asked for.
        bounds: How much the file may hold.

    Raises:
        TableError: It is no zip file, has too many entries, names that leave its folder, stand
            twice or are not known, or entries that overlap; every mistake of the directory at once.
    """
    try:
        with path.open("rb") as stream:
            found = _checked(stream, path, known=known, listed=listed, bounds=bounds or Bounds())
            yield ZipEntries(
                file=str(path), _found=found, _stream=stream, _bounds=bounds or Bounds()
            )
    except (OSError, NoDirectoryError) as error:
        read = shown(str(error))
        wrong = Mistake(file=str(path), place="", read=read, expected="a whole zip file")
        raise TableError([wrong]) from None


class _Directory:
    """What the directory tells: of every entry forty-eight bytes, of those that are listed a name.

    An entry is found by eight bytes of a digest of its name. Two names that share these look like
    one name twice, and are refused like it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.wrong: list[Mistake] = []
        self.listed: list[str] = []
        self._digests = array("Q")
        self._told = tuple(array(code) for code in "QQQLHH")
        self._order = np.zeros(0, dtype=np.intp)
        self._sorted = np.zeros(0, dtype=np.uint64)

    def __contains__(self, name: str) -> bool:
        return self._place(name) is not None

    def __getitem__(self, name: str) -> Entry:
        place = self._place(name)
        if place is None:
            raise KeyError(name)
        return Entry(name, *(each[place] for each in self._told))

    def _place(self, name: str) -> int | None:
        digest = np.uint64(name_digest(name))
        found = int(np.searchsorted(self._sorted, digest))
        if found == len(self._sorted) or self._sorted[found] != digest:
            return None
        return int(self._order[found])

    @property
    def count(self) -> int:
        """How many entries were told of."""
        return len(self._digests)

    def add(self, entry: Entry, *, listed: bool) -> None:
        """Take an entry in."""
        self._digests.append(name_digest(entry.name))
        told = (entry.offset, entry.packed, entry.size)
        for column, number in zip(
            self._told, (*told, entry.checksum, entry.method, entry.flags), strict=True
        ):
            column.append(number)
        if listed:
            self.listed.append(entry.name)

    def wrongly(self, place: str, read: str, expected: str, *, remedy: str = "") -> None:
        """Note a mistake; of many only the first few are told."""
        if len(self.wrong) < _SHOWN:
            told = {"place": shown(place), "read": read, "expected": expected, "remedy": remedy}
            self.wrong.append(Mistake(file=str(self.file), **told))

    def settle(self) -> None:
        """Look for names that stand twice and for entries that overlap.

        Raises:
            TableError: With every mistake that was noted.
        """
        digests = np.array(self._digests, dtype=np.uint64)
        self._order = np.argsort(digests, kind="stable")
        self._sorted = digests[self._order]
        if (self._sorted[1:] == self._sorted[:-1]).any():
            self.wrongly("", "a name that stands twice", "every name once")
        starts = np.array(self._told[0], dtype=np.uint64)
        ends = starts + np.array(self._told[1], dtype=np.uint64) + np.uint64(_HEADER.size)
        order = np.argsort(starts, kind="stable")
        if (starts[order][1:] < ends[order][:-1]).any():
            self.wrongly("", "entries that share bytes", "bytes of its own for each")
        if self.wrong:
            raise TableError(self.wrong)


def _checked(
    stream: BinaryIO,
    path: Path,
    *,
    known: re.Pattern[str],
    listed: re.Pattern[str],
    bounds: Bounds,
) -> _Directory:
    found = _Directory(path)
    for entry in entries_of(stream):
        name = entry.name
        if found.count == bounds.entries:
            read, expected = f"more than {bounds.entries:,} entries", f"at most {bounds.entries:,}"
            found.wrongly("", read, expected)
            break
        if _leaves(name):
            found.wrongly(name, "a path that leaves its folder", "a path within it")
        elif not known.fullmatch(name) and not name.endswith("/"):
            expected = "an entry of a kind that is known"
            found.wrongly(name, "this entry", expected, remedy=_REMEDY)
        found.add(entry, listed=listed.fullmatch(name) is not None)
    found.settle()
    return found


def _leaves(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return not parts[0] or ".." in parts or ":" in parts[0]


def _decoded(raw: bytes, *, method: int, size: int) -> bytes:
    """Return at most one byte more than is told of, so that a bomb does not go off."""
    if method == _STORED:
        return raw
    if method == _DEFLATED:
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        return decoder.decompress(raw, size + 1)
    if method == _ZSTD:
        return _zstd(raw, size=size)
    raise NotImplementedError(method)


def _zstd(raw: bytes, *, size: int) -> bytes:
    """Return what all frames hold; a writer that flushes often writes several."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra
    except ImportError:
        raise ExtraMissingError(
            "this log is compressed with Zstandard; reading it needs an extra: "
            "pip install 'dokja[import]'"
        ) from None
    with pa.CompressedInputStream(pa.py_buffer(raw), "zstd") as stream:
        parts, rest = [], size + 1
        while rest and (part := stream.read(min(rest, _AT_ONCE))):
            parts.append(part)
            rest -= len(part)
        return b"".join(parts)
