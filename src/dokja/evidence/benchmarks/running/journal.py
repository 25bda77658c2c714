"""The journal of a run: one line for everything that happened, each sealed to those before it.

A line is a JSON object whose first key is `h`. Taken without it, the rest is canonical JSON, and
h = SHA-256(h of the line before ‖ the line without h); the line before the first is the plan's
digest. A line is written by one unbuffered write before what it says counts, so that a process
that is killed loses nothing. Half a line at the end is what a lost machine leaves behind; it is
cut off and kept beside. Anything else that does not fit was changed after it was written.
"""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.running.bodies import unwritten
from dokja.evidence.benchmarks.running.lines import line_of
from dokja.values import Json

__all__ = ["FILE", "Journal", "Line", "read_lines", "said_at"]

FILE = "journal.jsonl"

_OPEN = b'{"h":"'
_BODY = len(_OPEN) + 64 + len(b'",')
_READ_BYTES = 1 << 20


class Line(NamedTuple):
    """A line as it was read.

    Attributes:
        number: From 1.
        offset: Of its first byte.
        said: What it says, `h` included.
        stop: One past its line end.
    """

    number: int
    offset: int
    said: dict[str, Any]
    stop: int


class Journal:
    """A journal that is being written.

    Args:
        path: The file, for messages.
        number: It, open for appending.
        head: h of the last line, 32 bytes; the plan's digest where there is none.
        lines: How many lines there are.
    """

    def __init__(self, path: Path, *, number: int, head: bytes, lines: int) -> None:
        self._path = path
        self._number = number
        self.head = head
        self.lines = lines
        self.size = os.fstat(number).st_size
        self.unsynced = 0

    def tell(self, said: dict[str, Json]) -> int:
        """Append a line that says this and its own number; return where it begins.

        Raises:
            RunWriteError: The disk is full or read-only; the line is not there.
        """
        said["n"] = self.lines + 1
        return self._write(line_of(said))

    def _write(self, body: bytes) -> int:
        """Append a line and return where it begins.

        Args:
            body: A canonical JSON object that is not empty.

        Raises:
            RunWriteError: The disk is full or read-only; the line is not there.
        """
        head = sha256(self.head + body).digest()
        data = b"".join((_OPEN, head.hex().encode(), b'",', body[1:], b"\n"))
        try:
            written = os.write(self._number, data)
            if written != len(data):
                # A full disk takes a part first; the next write says why.
                written += os.write(self._number, data[written:])
        except OSError as error:
            os.ftruncate(self._number, self.size)
            raise unwritten(self._path, error) from error
        offset = self.size
        self.head = head
        self.size += len(data)
        self.lines += 1
        self.unsynced += 1
        return offset

    def sync(self) -> None:
        """Have the disk hold everything that was written.

        Raises:
            RunWriteError: It does not.
        """
        try:
            os.fdatasync(self._number)
        except OSError as error:
            raise unwritten(self._path, error) from error
        self.unsynced = 0


def read_lines(path: Path, *, start: bytes) -> Iterator[Line]:
    """Yield the whole lines of a journal, each held against those before it.

    Half a line at the end is passed over.

    Args:
        path: The file.
        start: The 32 bytes of the plan's digest.

    Raises:
        RunError: A line is not what was written there; it names the first one.
    """
    head = start
    offset = 0
    for number, raw in enumerate(_raw_lines(path), start=1):
        body = b"{" + raw[_BODY:]
        head = sha256(head + body).digest()
        said = _said(raw)
        if said is None or raw[len(_OPEN) : _BODY - 2] != head.hex().encode():
            raise RunError([_damage(path, number)])
        stop = offset + len(raw) + 1
        yield Line(number, offset, said, stop)
        offset = stop


def said_at(number: int, *, offset: int, most: int = 1 << 16) -> dict[str, Any]:
    """Return what the line that begins at `offset` says; it was read before and is not judged.

    Args:
        number: The open file.
        offset: Where a line begins.
        most: The longest line that there can be.
    """
    data = os.pread(number, 2048, offset)
    end = data.find(b"\n")
    if end < 0:
        data = os.pread(number, most, offset)
        end = data.find(b"\n")
    found: dict[str, Any] = json.loads(data[:end])
    return found


def _raw_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=_READ_BYTES) as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def _said(raw: bytes) -> dict[str, Any] | None:
    if not raw.startswith(_OPEN) or raw[_BODY - 2 : _BODY] != b'",':
        return None
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _damage(path: Path, number: int) -> Mistake:
    return Mistake(
        file=str(path),
        place=f"line {number}",
        read="a line that does not follow from the line before it",
        expected="the line that was written there",
        remedy="The file was changed after it was written; restore it from a copy.",
    )
