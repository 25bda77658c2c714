"""Whether any name stands twice in a long list, with a flat use of memory.

Names are kept as fingerprints of eight bytes; a page of them is sorted and laid aside in a
scratch file. Two names that share a fingerprint by chance are told apart by whoever asks again
for the names themselves.
"""

import tempfile
from hashlib import blake2b
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["NameRegister", "fingerprint"]

_PAGE = 1 << 16
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
        self._lengths: list[int] = []

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
            self._file.write(_sorted(self._open).tobytes())
            self._lengths.append(len(self._open))
            self._open = []

    def repeated(self) -> set[bytes]:
        """Return the fingerprints that came more than once."""
        runs = [_sorted(self._open)]
        if self._file is not None:
            self._file.flush()
            kept = np.memmap(self._file, dtype=np.uint64, mode="r")
            runs += np.split(kept, np.cumsum(self._lengths)[:-1])
        found: set[bytes] = set()
        # One slice of all values after the other, so that a slice holds about a page.
        edges = np.linspace(0.0, 2.0**64, len(runs) + 1)[1:-1].astype(np.uint64)
        starts = [0] * len(runs)
        for edge in [*edges, None]:
            stops = [len(run) if edge is None else int(np.searchsorted(run, edge)) for run in runs]
            parts = [run[a:b] for run, a, b in zip(runs, starts, stops, strict=True)]
            values = np.sort(np.concatenate(parts))
            twice = values[1:][values[1:] == values[:-1]]
            found.update(int(value).to_bytes(_BYTES, "big") for value in np.unique(twice))
            starts = stops
        return found


def _sorted(fingerprints: list[bytes]) -> NDArray[np.uint64]:
    values = np.frombuffer(b"".join(fingerprints), dtype=">u8").astype(np.uint64)
    return np.sort(values)
