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
from collections.abc import Iterator, Mapping
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
        names: The entries that are kept, by name, in the order of the directory.
    """

    file: str
    names: Mapping[str, Entry]
    _stream: BinaryIO
    _bounds: Bounds

    def read(self, name: str) -> bytes:
        """Return the bytes of an entry, decoded and checked.

        Raises:
            TableError: They are not what the directory says, or beyond the bounds.
            ExtraMissingError: They are Zstandard and the package for it is not installed.
            KeyError: There is no such entry.
        """
        entry = self.names[name]
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
    keep: re.Pattern[str] = _ANY,
    bounds: Bounds | None = None,
) -> Iterator[ZipEntries]:
    """Open a zip file and check its directory.

    Args:
        path: The file.
        known: What every entry's name must match, folders aside.
        keep: The entries that will be read; of others nothing is held in memory.
        bounds: How much the file may hold.

    Raises:
        TableError: It is no zip file, has too many entries, names that leave its folder, stand
            twice or are not known, or entries that overlap; every mistake of the directory at once.
    """
    try:
        with path.open("rb") as stream:
            names = _checked(stream, path, known=known, keep=keep, bounds=bounds or Bounds())
            yield ZipEntries(
                file=str(path), names=names, _stream=stream, _bounds=bounds or Bounds()
            )
    except (OSError, NoDirectoryError) as error:
        read = shown(str(error))
        wrong = Mistake(file=str(path), place="", read=read, expected="a whole zip file")
        raise TableError([wrong]) from None


class _Directory(Mapping[str, Entry]):
    """The entries that are kept; of each its name and forty bytes, of others twenty-four."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.wrong: list[Mistake] = []
        self._places: dict[str, int] = {}
        self._told = tuple(array(code) for code in "QQQLHH")
        self._digests, self._starts, self._ends = array("Q"), array("Q"), array("Q")

    def __getitem__(self, name: str) -> Entry:
        place = self._places[name]
        return Entry(name, *(each[place] for each in self._told))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def count(self) -> int:
        """How many entries were told of, kept or not."""
        return len(self._digests)

    def add(self, entry: Entry, *, keep: bool) -> None:
        """Take an entry in."""
        self._digests.append(entry.name_digest)
        self._starts.append(entry.offset)
        self._ends.append(entry.offset + _HEADER.size + entry.packed)
        if keep:
            self._places[entry.name] = len(self._places)
            told = (entry.offset, entry.packed, entry.size)
            for column, number in zip(
                self._told, (*told, entry.checksum, entry.method, entry.flags), strict=True
            ):
                column.append(number)

    def wrongly(self, place: str, read: str, expected: str, *, remedy: str = "") -> None:
        """Note a mistake; of many only the first few are told."""
        if len(self.wrong) < _SHOWN:
            told = {"place": shown(place), "read": read, "expected": expected, "remedy": remedy}
            self.wrong.append(Mistake(file=str(self.file), **told))

    def check(self) -> None:
        """Look for names that stand twice and for entries that overlap.

        Raises:
            TableError: With every mistake that was noted.
        """
        if len(np.unique(np.array(self._digests))) != self.count:
            self.wrongly("", "a name that stands twice", "every name once")
        order = np.argsort(np.array(self._starts), kind="stable")
        starts, ends = np.array(self._starts)[order], np.array(self._ends)[order]
        if (starts[1:] < ends[:-1]).any():
            self.wrongly("", "entries that share bytes", "bytes of its own for each")
        if self.wrong:
            raise TableError(self.wrong)


def _checked(
    stream: BinaryIO,
    path: Path,
    *,
    known: re.Pattern[str],
    keep: re.Pattern[str],
    bounds: Bounds,
) -> Mapping[str, Entry]:
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
        found.add(entry, keep=keep.fullmatch(name) is not None)
    found.check()
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
