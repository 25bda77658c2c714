"""Whether any name stands twice in a long list, with a flat use of memory.

Names are kept as fingerprints of eight bytes; a page of them is sorted and laid aside in a
scratch file. Two names that share a fingerprint by chance are told apart by whoever asks again
for the names themselves.
"""

import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["NameRegister", "fingerprint"]

_PAGE = 1 << 16
_PARTS = 256  # by the first byte; one part of all pages is in memory at once
_BYTES = 8


def fingerprint(name: str) -> bytes:
    """Return eight bytes that stand for a name."""
    return blake2b(name.encode(), digest_size=_BYTES).digest()


class NameRegister:
    """Takes names one by one; tells afterwards which fingerprints came more than once.

    Example:
        >>> with NameRegister() as register:
        ...     for name in ("a", "b", "a"):
        ...         register.take(name)
        ...     register.repeated() == {fingerprint("a")}
        True
    """

    def __init__(self, *, page: int = _PAGE) -> None:
        self._page = page
        self._open: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._starts: list[NDArray[np.int64]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def take(self, name: str) -> None:
        """Take one name."""
        self._open.append(fingerprint(name))
        if len(self._open) == self._page:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the register)
            values = _sorted(self._open)
            self._file.write(values.tobytes())
            self._starts.append(_starts(values))
            self._open = []

    def repeated(self) -> set[bytes]:
        """Return the fingerprints that came more than once."""
        last = _sorted(self._open)
        starts = _starts(last)
        found: set[bytes] = set()
        for part in range(_PARTS):
            values = [last[starts[part] : starts[part + 1]], *self._kept(part)]
            together = np.sort(np.concatenate(values))
            twice = together[1:][together[1:] == together[:-1]]
            found.update(int(value).to_bytes(_BYTES, "big") for value in np.unique(twice))
        return found

    def _kept(self, part: int) -> Iterator[NDArray[np.uint64]]:
        """Yield that part of every page that was laid aside."""
        for number, starts in enumerate(self._starts):
            if self._file is not None:
                first, stop = int(starts[part]), int(starts[part + 1])
                self._file.seek((number * self._page + first) * _BYTES)
                data = self._file.read((stop - first) * _BYTES)
                yield np.frombuffer(data, dtype=np.uint64)


def _starts(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where each part of all possible values starts in sorted values, and their end."""
    edges = np.arange(1, _PARTS, dtype=np.uint64) << np.uint64(56)
    inner = np.searchsorted(values, edges)
    return np.concatenate([[0], inner, [len(values)]]).astype(np.int64)


def _sorted(fingerprints: list[bytes]) -> NDArray[np.uint64]:
    values = np.frombuffer(b"".join(fingerprints), dtype=">u8").astype(np.uint64)
    return np.sort(values)
