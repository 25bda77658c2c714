"""Files of a submission, opened so that they can do nothing but be read.

Only regular files that lie inside the folder are opened, never a pipe, a device or a link that
leads out of it; and every later reading makes sure that it meets the file that was checked.
Bytes are read at their position rather than mapped: a mapped file that is cut while it is read
ends the process, a short read ends in a sentence.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from dokja.errors import Mistake, WeightsError
from dokja.values import Digest

__all__ = ["StoredFile", "find_file", "os_mistake", "read_capped"]

_CHUNK = 1 << 20

Raw: TypeAlias = bytes
"""What a file holds; inside `StoredFile` the word `bytes` is its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A regular file, and how to know it again.

    Attributes:
        path: Where it lies, links resolved.
        shown: What messages call it.
        bytes: How long it is.
        mark: Device, number, size and time of change, as when it was found.
    """

    path: Path
    shown: str
    bytes: int
    mark: tuple[int, int, int, int]

    @property
    def name(self) -> str:
        """Its plain name in its folder."""
        return self.path.name

    def content(self, *, at_most: int) -> Raw:
        """Return the whole file.

        Raises:
            WeightsError: It is larger than it can sensibly be, or changed while it was read.
        """
        found = read_capped(self, at_most=at_most)
        if isinstance(found, Mistake):
            raise WeightsError([found])
        return found

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file for reading.

        Raises:
            WeightsError: It cannot be opened, or is no longer the file that was found.
        """
        try:
            # Without O_NONBLOCK a pipe that took the file's place would make us wait for ever.
            number = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise WeightsError([os_mistake(error, self.shown)]) from error
        with os.fdopen(number, "rb", buffering=0) as stream:
            if _mark(os.fstat(stream.fileno())) != self.mark:
                raise WeightsError([self.changed()])
            yield stream

    def read_into(self, buffer: memoryview, *, start: int) -> None:
        """Fill the buffer with the bytes from `start` on.

        Raises:
            WeightsError: The file has changed, or ends too early.
        """
        with self.opened() as stream:
            stream.seek(start)
            self._fill(buffer, stream)

    def pieces(self, start: int, length: int, *, size: int) -> Iterator[memoryview]:
        """Yield the bytes from `start` on, a piece at a time, all in one buffer.

        The file is opened once, and looked at again when its last byte was read. A piece is
        overwritten by the next one: whoever wants to keep it copies it.

        Args:
            start: First byte.
            length: How many bytes in all.
            size: Length of a piece in bytes; only the last one is shorter.

        Raises:
            WeightsError: The file has changed, changed while it was read, or ends too early.
        """
        buffer = memoryview(bytearray(min(size, length)))
        with self.opened() as stream:
            stream.seek(start)
            for done in range(0, length, size):
                piece = buffer[: min(size, length - done)]
                self._fill(piece, stream)
                yield piece
            if _mark(os.fstat(stream.fileno())) != self.mark:
                raise WeightsError([self.changed()])

    def _fill(self, buffer: memoryview, stream: BinaryIO) -> None:
        filled = 0
        while filled < len(buffer):
            # Linux reads at most 2 GB at a time.
            count = stream.readinto(buffer[filled : filled + (1 << 30)])  # type: ignore[attr-defined]  # a raw file has readinto, which BinaryIO does not name
            if not count:
                raise WeightsError([self.changed()])
            filled += count

    def digest(self) -> Digest:
        """Return the SHA-256 of the whole file, read a piece at a time."""
        running = hashlib.sha256()
        with self.opened() as stream:
            while piece := stream.read(_CHUNK):
                running.update(piece)
        return Digest(running.hexdigest())

    def changed(self) -> Mistake:
        """Return the mistake that says that somebody wrote to the file meanwhile."""
        return Mistake(
            file=self.shown,
            place="",
            read="another file than the one that was checked",
            expected="files that nobody writes to while they are read",
            remedy="What was read of it before is void; open it again when it rests.",
        )


def find_file(path: Path, *, inside: Path, shown: str) -> StoredFile | Mistake:
    """Return the regular file at this path, or why it cannot be read.

    Args:
        path: The file.
        inside: The folder, links resolved, that the file must not leave.
        shown: What messages call it.
    """
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(inside):
            return Mistake(
                file=shown,
                place="",
                read="a link that leads out of the folder",
                expected="a file that lies inside it",
                remedy="Put the file itself there (cp -L follows links).",
            )
        state = resolved.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a ring, before 3.13
        return os_mistake(error, shown)
    if not stat.S_ISREG(state.st_mode):
        return Mistake(
            file=shown,
            place="",
            read="a folder, pipe, socket or device",
            expected="a regular file",
        )
    return StoredFile(path=resolved, shown=shown, bytes=state.st_size, mark=_mark(state))


def read_capped(file: StoredFile, *, at_most: int) -> bytes | Mistake:
    """Return a whole small file, unless it is larger than it can sensibly be.

    Raises:
        WeightsError: It changed while it was read.
    """
    if file.bytes > at_most:
        return Mistake(
            file=file.shown,
            place="",
            read=f"{file.bytes} bytes",
            expected=f"at most {at_most}",
            remedy="None of it was read.",
        )
    buffer = bytearray(file.bytes)
    try:
        file.read_into(memoryview(buffer), start=0)
    except WeightsError as error:
        return error.mistakes[0]
    return bytes(buffer)


def os_mistake(error: OSError | RuntimeError, shown: str) -> Mistake:
    """Return what the operating system said, as a mistake."""
    remedy = ""
    if isinstance(error, PermissionError):
        remedy = "Give yourself permission to read it (chmod u+rX), or run as its owner."
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Mistake(
        file=shown,
        place="",
        read=f"nothing: {said}",
        expected="a file or folder that can be read",
        remedy=remedy,
    )


def _mark(state: os.stat_result) -> tuple[int, int, int, int]:
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
