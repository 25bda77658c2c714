"""Reads a log's bytes: regular files only, capped, and never waiting for ever.

A log may still be written to. What is read is the file as it was when it was opened, so that
its digest is that of exactly the bytes which were judged.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import LogError, Mistake
from dokja.values import Digest

__all__ = ["MAX_LOG_BYTES", "LogFile", "read_file"]

MAX_LOG_BYTES = 1 << 30
"""Longest log that is read whole: a million steps of a dozen metrics stay well below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """The bytes of a log.

    Attributes:
        path: Where it lies.
        data: What stood in it when it was opened.
    """

    path: Path
    data: bytes

    @property
    def named(self) -> tuple[str, Digest]:
        """Its name, and the SHA-256 of what was read."""
        return self.path.name, Digest.of(self.data)


def read_file(path: Path, *, at_most: int = MAX_LOG_BYTES, only: int | None = None) -> LogFile:
    """Return a file's bytes.

    Args:
        path: The file; a link is followed.
        at_most: Refuse a file of more bytes than this.
        only: Read no more than this from its start, whatever its length.

    Raises:
        LogError: It is no regular file, cannot be read, or is too long.
    """
    try:
        # Without O_NONBLOCK a pipe of this name would make us wait for ever.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LogError([_wrong(path, f"nothing: {error.strerror or error}")]) from error
    with os.fdopen(number, "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise LogError([_wrong(path, "a folder, pipe, socket or device")])
        if only is None and state.st_size > at_most:
            remedy = "None of it was read. Split it at a step, or export only the scalars."
            raise LogError([_wrong(path, f"{state.st_size} bytes", at_most, remedy)])
        size = state.st_size if only is None else min(only, state.st_size)
        return LogFile(path=path, data=stream.read(size))


def _wrong(path: Path, read: str, at_most: int | None = None, remedy: str = "") -> Mistake:
    expected = "a regular file that can be read" if at_most is None else f"at most {at_most}"
    return Mistake(file=str(path), place="", read=read, expected=expected, remedy=remedy)
