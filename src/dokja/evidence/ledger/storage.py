"""What the ledger asks of a database, and nothing more.

A storage keeps rows, tree hashes and the head, shows one unchanging view to a reader, and lets
one writer at a time add at the end. It knows nothing of JSON, signatures or proofs. SQLite and
PostgreSQL do this in `sqlite` and `postgres`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from dokja.values.trees import Node, Run

__all__ = [
    "LAYOUT",
    "PAGE",
    "Head",
    "Reading",
    "Row",
    "Storage",
    "Writing",
    "node_key",
    "node_of",
]

LAYOUT = 1  # of tables and columns; a change in it that old releases cannot read raises it
PAGE = 1000  # rows that are held in memory at once

_INDEX_BITS = 56


class Row(NamedTuple):
    """An entry as it is kept: its bytes, and copies of three keys to find it by."""

    seq: int
    id: str
    kind: str
    time: str
    leaf: bytes


class Head(NamedTuple):
    """How many entries there are, and the root of the tree over them."""

    size: int
    root: bytes


def node_key(node: Node) -> int:
    """Return one integer per perfect subtree, in the order of levels."""
    return node.level << _INDEX_BITS | node.place


def node_of(key: int) -> Node:
    """Return the perfect subtree that `node_key` wrote as this integer."""
    return Node(key >> _INDEX_BITS, key & ((1 << _INDEX_BITS) - 1))


class Reading(Protocol):
    """One unchanging view of what was written."""

    def head(self) -> Head:
        """Return the size and the root that the last writer left."""

    def rows(
        self, start: int, stop: int | None = None, *, kind: str | None = None
    ) -> Iterator[Row]:
        """Yield the rows with `start <= seq < stop` in order, with a flat use of memory."""

    def find(self, entry_id: str) -> Row | None:
        """Return the row of this id."""

    def known(self, ids: Sequence[str]) -> dict[str, int]:
        """Return which of these ids are taken, and by which entry."""

    def hashes(self, nodes: Sequence[Node]) -> dict[Node, bytes]:
        """Return the hashes of those of the perfect subtrees that are kept."""

    def run(self, level: int, first: int, count: int) -> dict[int, bytes]:
        """Return the hashes kept on a level, by index, from `first` on for `count` places."""

    def counts(self) -> tuple[int, int]:
        """Return how many rows and how many tree hashes are kept."""


class Writing(Reading, Protocol):
    """The one writer's view; what it adds is durable once its context has ended."""

    def add(self, rows: Sequence[Row], *, runs: Sequence[Run], head: Head) -> None:
        """Add rows and tree hashes at the end, and set the head."""


class Storage(Protocol):
    """A place where one ledger is kept."""

    @property
    def place(self) -> str:
        """Where it is, as people name it; without any password."""

    @property
    def origin(self) -> str:
        """The name under which this ledger signs."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Open one unchanging view.

        Raises:
            LedgerError: It cannot be read; the subclass and the text say why.
        """

    def writing(self) -> AbstractContextManager[Writing]:
        """Become the one writer; commit at the end, or leave all as it was on an exception.

        Raises:
            LedgerBusyError: Another writer held it for too long.
            LedgerWriteError: The disk is full or the place cannot be written.
        """

    def damage(self) -> tuple[str, ...]:
        """Return what the database itself finds wrong with its file."""

    def close(self) -> None:
        """Let go of every connection."""
