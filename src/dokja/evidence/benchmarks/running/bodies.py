"""What came over the wire, byte-true and compressed, in one file that only grows.

A body is named by the SHA-256 of its bytes and found by its place, both of which stand in the
journal. Replies of one run are much alike: the first one is the dictionary by which all others
are compressed, and stands at the head of the file.
"""

import os
import zlib
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from dokja.errors import Mistake, RunError, RunWriteError

__all__ = ["FILE", "Bodies", "Stored", "unwritten"]

FILE = "bodies.pack"
_MAGIC = b"dokja bodies 1\n"
_LENGTH_BYTES = 4
_DICTIONARY = 1 << 12
_LARGEST = 1 << 25
_LEVEL = 1
_SMALL, _LITTLE_MEMORY, _WINDOW, _MEMORY = 12, 5, 15, 8


class Stored(NamedTuple):
    """Where a body lies.

    Attributes:
        at: Place of its first byte.
        length: Of its compressed form.
        sha256: Of the body itself, as hexadecimal digits.
    """

    at: int
    length: int
    sha256: str


class Bodies:
    """The file of a run's bodies.

    Args:
        path: The file; it is begun with the first body.
        number: It, opened for reading, and for appending where bodies are put.
    """

    def __init__(self, path: Path, *, number: int) -> None:
        self._path = path
        self._number = number
        self.size = os.fstat(number).st_size
        self._dictionary = self._head() if self.size else b""

    def put(self, body: bytes) -> Stored:
        """Keep a body and return where it lies.

        Raises:
            RunWriteError: The disk is full; what was written of it is cut off again.
        """
        if not self.size:
            self._begin(body)
        # Most replies are short: a small window is made ten times as quickly as a full one.
        short = len(body) <= 1 << _SMALL
        packer = zlib.compressobj(
            _LEVEL,
            zlib.DEFLATED,
            _SMALL if short else _WINDOW,
            _LITTLE_MEMORY if short else _MEMORY,
            zdict=self._dictionary,
        )
        data = packer.compress(body) + packer.flush()
        at = self.size
        self._write(data)
        return Stored(at, len(data), sha256(body).hexdigest())

    def get(self, stored: Stored) -> bytes:
        """Return a body.

        Raises:
            RunError: What lies there is not the body of this digest.
        """
        data = os.pread(self._number, stored.length, stored.at)
        opener = zlib.decompressobj(zdict=self._dictionary)
        try:
            body = opener.decompress(data, _LARGEST)
        except zlib.error:
            body = b""
        if sha256(body).hexdigest() != stored.sha256:
            raise RunError(
                [
                    Mistake(
                        file=str(self._path),
                        place=f"byte {stored.at}",
                        read="something else than what was written there",
                        expected=f"the reply sha256:{stored.sha256[:12]}…",
                        remedy="Restore the file from a copy.",
                    )
                ]
            )
        return body

    def holds(self, stored: Stored) -> bool:
        """Tell whether a body lies whole where it should."""
        if stored.at + stored.length > self.size:
            return False
        try:
            self.get(stored)
        except RunError:
            return False
        return True

    def _begin(self, body: bytes) -> None:
        self._dictionary = body[:_DICTIONARY] or b"\n"
        length = len(self._dictionary).to_bytes(_LENGTH_BYTES, "big")
        self._write(_MAGIC + length + self._dictionary)

    def _head(self) -> bytes:
        start = len(_MAGIC) + _LENGTH_BYTES
        head = os.pread(self._number, start, 0)
        length = int.from_bytes(head[len(_MAGIC) :], "big")
        if head[: len(_MAGIC)] != _MAGIC or self.size < start + length:
            wrong = Mistake(
                file=str(self._path), place="", read="another beginning", expected="bodies of a run"
            )
            raise RunError([wrong])
        return os.pread(self._number, length, start)

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._number, data[written:])
        except OSError as error:
            os.ftruncate(self._number, self.size)
            raise unwritten(self._path, error) from error
        self.size += len(data)


def unwritten(path: Path, error: OSError) -> RunWriteError:
    """Return the error that says that a file of a run cannot be written."""
    return RunWriteError(
        f"{path}: cannot be written ({error.strerror}). The run was stopped; every answer that was "
        "recorded stands. Make room, then run: dokja measure --resume "
        f"{path.parent.parent if path.name == FILE else path.parent}"
    )
