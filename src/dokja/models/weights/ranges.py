"""Which bytes of which files were read, and a digest over all of it.

A finding rests on what was read. The account holds every range with the SHA-256 of its bytes,
so that whoever has the same files can read the same ranges and see whether they still say the
same; its own digest goes into reports.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from dokja.models.weights.held import OpenedFile, Piece
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["AccountedFile", "RangeAccount", "RangeRead", "runs"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RangeRead:
    """A range of a file that was read.

    Attributes:
        file: The file's plain name.
        first: Its first byte that was read.
        last: The last one, included, as HTTP counts.
        sha256: Of these bytes, hexadecimal.
    """

    file: str
    first: int
    last: int
    sha256: str

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in accounts."""
        return {
            "file": self.file,
            "first": self.first,
            "last": self.last,
            "sha256": self.sha256,
        }


class RangeAccount:
    """Every range that was read; several threads may add to it.

    Example:
        >>> account = RangeAccount()
        >>> account.add("model.safetensors", 8, b"{}")
        >>> account.bytes, account.ranges()[0].last
        (2, 9)
    """

    def __init__(self) -> None:
        self._ranges: list[RangeRead] = []
        self._bytes = 0
        self._adding = Lock()

    @property
    def bytes(self) -> int:
        """How many bytes were read; what was read twice counts twice."""
        return self._bytes

    def add(self, file: str, first: int, data: Piece) -> None:
        """Note that these bytes were read; an empty range leaves no trace."""
        length = len(data)
        if not length:
            return
        entry = RangeRead(
            file=file, first=first, last=first + length - 1, sha256=hashlib.sha256(data).hexdigest()
        )
        with self._adding:
            self._ranges.append(entry)
            self._bytes += length

    def take(self, ranges: Iterable[RangeRead]) -> None:
        """Note ranges that another account holds, such as another process's."""
        taken = list(ranges)
        with self._adding:
            self._ranges += taken
            self._bytes += sum(one.last - one.first + 1 for one in taken)

    def ranges(self) -> tuple[RangeRead, ...]:
        """Return the ranges by file and place; in which order they were read is left out."""
        with self._adding:
            return tuple(sorted(self._ranges))

    def digest(self) -> Digest:
        """Return the SHA-256 over the canonical JSON of all ranges, each named once.

        Two runs that read the same bytes of the same files have the same digest, however many
        threads they read with.
        """
        return Digest.of(
            canonical_bytes({"ranges": [one.to_json() for one in sorted(set(self.ranges()))]})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountedFile:
    """A file whose readings are noted in an account.

    Attributes:
        file: The file.
        account: Where they are noted.
    """

    file: OpenedFile
    account: RangeAccount

    @property
    def name(self) -> str:
        """Its plain name in its folder."""
        return self.file.name

    @property
    def shown(self) -> str:
        """What messages call it."""
        return self.file.shown

    @property
    def bytes(self) -> int:
        """How long it is."""
        return self.file.bytes

    def read_into(self, buffer: memoryview, *, start: int) -> None:
        """Fill the buffer with the bytes from `start` on."""
        self.file.read_into(buffer, start=start)
        self.account.add(self.name, start, buffer)

    def pieces(self, start: int, length: int, *, size: int) -> Iterator[memoryview]:
        """Yield the bytes from `start` on, a piece at a time, all in one buffer."""
        at = start
        for piece in self.file.pieces(start, length, size=size):
            self.account.add(self.name, at, piece)
            at += len(piece)
            yield piece

    def digest(self) -> Digest | None:
        """Return the SHA-256 of the whole file; None of one that is not fetched for it."""
        return self.file.digest()


def runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield rising row numbers as runs of neighbours, start included and stop not.

    Raises:
        ValueError: They do not rise.

    Example:
        >>> list(runs([2, 3, 4, 9]))
        [(2, 5), (9, 10)]
    """
    start = stop = None
    for row in rows:
        if stop is not None and row < stop:
            raise ValueError(f"row {row} comes after row {stop - 1}: rows must rise")
        if start is not None and stop is not None and row != stop:
            yield start, stop
            start = None
        start = row if start is None else start
        stop = row + 1
    if start is not None and stop is not None:
        yield start, stop
