"""Reads entries of a zip file that somebody sends, within bounds, whatever it claims.

Python's own reader cannot decode Zstandard (method 93) before 3.14, so that only the directory is
read with it; the bytes of an entry are taken from where the directory says, and decoded here. A
path that leaves its folder, entries that overlap, sizes that lie, checksums that do not fit and
anything beyond the bounds are refused.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dokja.errors import ExtraMissingError, Mistake, TableError
from dokja.values import shown

__all__ = ["Bounds", "ZipEntries", "open_zip"]

_STORED, _DEFLATED, _ZSTD = 0, 8, 93
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1
_AT_ONCE = 2**20


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
        names: Every entry by its name.
    """

    file: str
    names: Mapping[str, zipfile.ZipInfo]
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
        if entry.file_size > self._bounds.entry_bytes:
            read = f"{entry.file_size:,} bytes"
            raise self._wrong(name, read, f"at most {self._bounds.entry_bytes:,}")
        if entry.flag_bits & _ENCRYPTED:
            raise self._wrong(name, "encrypted", "an entry that is not")
        raw = self._raw(entry)
        try:
            data = _decoded(raw, method=entry.compress_type, size=entry.file_size)
        except (OSError, zlib.error) as error:
            raise self._wrong(name, shown(str(error)), "bytes that can be decoded") from None
        except NotImplementedError:
            read = f"compression method {entry.compress_type}"
            raise self._wrong(name, read, "stored, deflate (8) or Zstandard (93)") from None
        if len(data) != entry.file_size:
            read = f"{len(data):,} bytes or more"
            raise self._wrong(name, read, f"{entry.file_size:,}, as the directory says")
        if zlib.crc32(data) != entry.CRC:
            raise self._wrong(name, "other bytes", "those of which the checksum is kept")
        return data

    def _raw(self, entry: zipfile.ZipInfo) -> bytes:
        self._stream.seek(entry.header_offset)
        header = self._stream.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
            raise self._wrong(entry.filename, "no header", "a header where the directory says")
        name_length, extra_length = _HEADER.unpack(header)[-2:]
        self._stream.seek(name_length + extra_length, 1)
        raw = self._stream.read(entry.compress_size)
        if len(raw) != entry.compress_size:
            read = f"{len(raw):,} bytes"
            raise self._wrong(entry.filename, read, f"{entry.compress_size:,}: the file ends early")
        return raw

    def _wrong(self, name: str, read: str, expected: str) -> TableError:
        return TableError(
            [Mistake(file=self.file, place=shown(name), read=read, expected=expected)]
        )


@contextmanager
def open_zip(path: Path, *, bounds: Bounds | None = None) -> Iterator[ZipEntries]:
    """Open a zip file and check its directory.

    Raises:
        TableError: It is no zip file, has too many entries, names that leave its folder or stand
            twice, or entries that overlap; every mistake of the directory at once.
    """
    held = bounds or Bounds()
    try:
        with path.open("rb") as stream:
            with zipfile.ZipFile(stream) as archive:
                listed = archive.infolist()
            _check(listed, file=str(path), bounds=held)
            names = {entry.filename: entry for entry in listed}
            yield ZipEntries(file=str(path), names=names, _stream=stream, _bounds=held)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        read = shown(str(error))
        wrong = Mistake(file=str(path), place="", read=read, expected="a whole zip file")
        raise TableError([wrong]) from None


def _check(listed: list[zipfile.ZipInfo], *, file: str, bounds: Bounds) -> None:
    wrong: list[tuple[str, str, str]] = []
    if len(listed) > bounds.entries:
        wrong.append(("", f"{len(listed):,} entries", f"at most {bounds.entries:,}"))
    seen: set[str] = set()
    for entry in listed:
        name = entry.filename
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            wrong.append((shown(name), "a path that leaves its folder", "a path within it"))
        if name in seen:
            wrong.append((shown(name), "a name that stands twice", "every name once"))
        seen.add(name)
    end = 0
    for entry in sorted(listed, key=lambda each: each.header_offset):
        if entry.header_offset < end:
            wrong.append((shown(entry.filename), "bytes of another entry", "bytes of its own"))
        end = max(end, entry.header_offset + _HEADER.size + entry.compress_size)
    if wrong:
        raise TableError(
            [
                Mistake(file=file, place=place, read=read, expected=expected)
                for place, read, expected in wrong[:20]
            ]
        )


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
