"""Reads a GGUF header from its beginning, a window at a time, and never beyond its cap.

The header's length stands nowhere, so that it is fetched as it is understood: first what the
first request of an address brings anyway, then windows. Strings that nobody asked for are
stepped over without being kept.
"""

import struct

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.headers import MAX_HEADER_BYTES
from dokja.models.weights.held import OpenedFile

__all__ = ["Cursor"]

_WINDOW = 1 << 20
_LONGEST_STRING = 1 << 24


class Cursor:
    """A place in a header, and what was fetched of it.

    Attributes:
        at: The next byte.
        place: What is being read, as mistakes call it.
    """

    def __init__(self, file: OpenedFile) -> None:
        self._file = file
        self._end = min(file.bytes, MAX_HEADER_BYTES)
        self._window = b""
        self._start = 0
        self.at = 0
        self.place = "header"

    def fault(self, read: str, expected: str) -> WeightsError:
        """Return the error that says what stands here instead of what should."""
        return WeightsError(
            [Mistake(file=self._file.shown, place=self.place, read=read, expected=expected)]
        )

    def take(self, length: int) -> bytes:
        """Return the next bytes, and step over them.

        Raises:
            WeightsError: The file ends before, or the header is longer than any.
        """
        stop = self._stop(length)
        if stop > self._start + len(self._window):
            kept = self._window[self.at - self._start :]
            wanted = bytearray(min(max(_WINDOW, length) + len(kept), self._end - self.at))
            wanted[: len(kept)] = kept
            fresh = memoryview(wanted)[len(kept) :]
            self._file.read_into(fresh, start=self.at + len(kept))
            self._window, self._start = bytes(wanted), self.at
        taken = self._window[self.at - self._start : stop - self._start]
        self.at = stop
        return taken

    def skip(self, length: int) -> None:
        """Step over bytes that nobody asked for; what was not fetched yet is not fetched.

        Raises:
            WeightsError: The file ends before, or the header is longer than any.
        """
        self.at = self._stop(length)

    def _stop(self, length: int) -> int:
        stop = self.at + length
        if stop > self._end:
            raise self.fault(
                f"a header that goes on after byte {self._end}",
                f"one that ends inside the file and before byte {MAX_HEADER_BYTES}",
            )
        return stop

    def number(self, form: str) -> int:
        """Return the next whole number, of a `struct` form such as `<I`."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def string(self, *, longest: int = _LONGEST_STRING) -> bytes:
        """Return the next string's bytes.

        Raises:
            WeightsError: It is longer than `longest`, or than the header.
        """
        length = self.number("<Q")
        if length > longest:
            raise self.fault(f"a string of {length} bytes", f"at most {longest}")
        return self.take(length)

    def text(self, *, longest: int) -> str:
        """Return the next string as text.

        Raises:
            WeightsError: It is too long, or not UTF-8.
        """
        raw = self.string(longest=longest)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fault(f"a byte that is not UTF-8 at {error.start}", "text") from error
