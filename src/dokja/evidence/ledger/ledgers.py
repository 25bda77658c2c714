"""The ledger: entries are appended at the end, and nothing else is ever written.

This is the only writer. It numbers drafts, hashes them into the tree and answers with proofs;
how bytes are kept is for `storage`, whether an edit was made is for `verification`. It reads no
clock: whoever appends says when.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from dokja.errors import LedgerBrokenError, LedgerError
from dokja.evidence.ledger.admission import refuse_references, refuse_taken_ids
from dokja.evidence.ledger.corrections import CORRECTION, CurrentEntry, in_force
from dokja.evidence.ledger.entries import Checker, Draft, Entry, prepare, written_time
from dokja.evidence.ledger.exports import WitnessNote, export_lines
from dokja.evidence.ledger.keys import SigningKey, VerifierKey
from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.ledger.notes import sign_checkpoint
from dokja.evidence.ledger.storage import Head, Reading, Row, Storage, Writing
from dokja.evidence.ledger.verification import Verification, verify_storage
from dokja.evidence.ledger.views import (
    entries_of,
    found,
    head_of,
    range_hashes,
    refuse_gap,
    refuse_missing,
)
from dokja.evidence.ledger.witnesses import Witness
from dokja.values import Digest
from dokja.values.trees import (
    Frontier,
    consistency_ranges,
    cover,
    inclusion_ranges,
    leaf_hash,
)

__all__ = ["Ledger"]

_PAGE = 1000


class Ledger:
    """An append-only, tamper-evident sequence of entries.

    Args:
        storage: Where it is kept.
        check: Judges each body by its kind before anything is appended.

    Example:
        >>> import tempfile
        >>> from datetime import UTC, datetime
        >>> from pathlib import Path
        >>> from dokja.evidence.ledger.sqlite import SqliteStorage
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = Path(folder.name) / "ledger.db"
        >>> storage = SqliteStorage.create(path, origin="example.org/log")
        >>> with folder, Ledger(storage, check=lambda kind, body, place: ()) as ledger:
        ...     first, = ledger.append(
        ...         [Draft(kind="note", actor="office", body={"text": "독자"})],
        ...         at=datetime(2026, 1, 15, 9, 0, tzinfo=UTC),
        ...     )
        ...     first.id, ledger.size, ledger.entry(0) == first
        ('note/0', 1, True)
    """

    def __init__(self, storage: Storage, *, check: Checker = check_body) -> None:
        self._storage = storage
        self._check = check

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection; the next use opens new ones."""
        self._storage.close()

    @property
    def origin(self) -> str:
        """The name under which this ledger signs its checkpoints."""
        return self._storage.origin

    @property
    def place(self) -> str:
        """Where the ledger is kept, as people name it."""
        return self._storage.place

    @property
    def size(self) -> int:
        """How many entries there are."""
        with self._storage.reading() as view:
            return head_of(view, place=self.place).size

    def append(self, drafts: Sequence[Draft], *, at: datetime) -> tuple[Entry, ...]:
        """Append all drafts, or none; what is returned has reached the disk.

        Args:
            drafts: What to enter, in order.
            at: When, by the writer's clock, with its time zone. The order of entries is their
                number; a clock that runs behind is kept as it was read.

        Raises:
            EntryError: Something is wrong with the drafts; every mistake of every draft.
            DuplicateEntryError: An id is taken, or is given twice.
            LedgerBusyError: Another writer held the ledger for too long.
            LedgerWriteError: The disk is full, or the ledger may not be written.
            ValueError: `at` names no time zone.
        """
        time = written_time(at)
        prepared = prepare(drafts, check=self._check, file=self.place)
        if not prepared:
            return ()
        with self._storage.writing() as view:
            head = head_of(view, place=self.place)
            refuse_references(prepared, view=view, check=self._check, place=self.place)
            entries = tuple(
                draft.entered(seq, time=time) for seq, draft in enumerate(prepared, start=head.size)
            )
            refuse_taken_ids(entries, view=view, place=self.place)
            self._add(entries, head=head, view=view)
        return entries

    def entries(
        self, start: int = 0, stop: int | None = None, *, kind: str | None = None
    ) -> Iterator[Entry]:
        """Yield the entries with `start <= seq < stop` in order, a page in memory at a time.

        The range ends where the ledger ended when the first was asked for.

        Raises:
            LedgerBrokenError: An entry was edited, or is missing.
        """
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop:
            page = self._page(start, stop, kind=kind)
            yield from page
            if len(page) < _PAGE:
                return
            start = page[-1].seq + 1

    def current(
        self, *, kind: str | None = None, size: int | None = None
    ) -> Iterator[CurrentEntry]:
        """Yield the entries as they stand after their corrections, in order.

        Args:
            kind: Only entries of this kind.
            size: As the ledger stood when it had this many entries.
        """
        corrections = self.entries(0, size, kind=CORRECTION)
        yield from in_force(self.entries(0, size, kind=kind), corrections=corrections)

    def entry(self, seq: int) -> Entry:
        """Return the entry of this number.

        Raises:
            LedgerError: There is none.
            LedgerBrokenError: It was edited, or is missing.
        """
        size = self.size
        if not 0 <= seq < size:
            message = f"{self.place}: there is no entry {seq}; the ledger has {size}"
            raise LedgerError(message)
        return self._page(seq, seq + 1, kind=None)[0]

    def find(self, entry_id: str) -> Entry | None:
        """Return the entry of this id, or none."""
        with self._storage.reading() as view:
            return found(view, entry_id, place=self.place)

    def root(self, size: int | None = None) -> Digest:
        """Return the root over the first `size` entries; over all where none is given.

        Raises:
            LedgerError: There are fewer entries.
        """
        with self._storage.reading() as view:
            size = self._size_in(view, size)
            return Digest(range_hashes(view, [(0, size)], place=self.place)[0].hex())

    def inclusion_proof(self, seq: int, size: int | None = None) -> tuple[bytes, ...]:
        """Return the hashes that prove that entry `seq` stands in the tree of `size` entries.

        Raises:
            LedgerError: There is no such entry in such a tree.
        """
        with self._storage.reading() as view:
            size = self._size_in(view, size)
            if not 0 <= seq < size:
                message = f"{self.place}: there is no entry {seq} among the first {size}"
                raise LedgerError(message)
            return range_hashes(view, inclusion_ranges(seq, size), place=self.place)

    def consistency_proof(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """Return the hashes that prove that the tree of `new` entries begins with that of `old`.

        Raises:
            LedgerError: `old` is larger than `new`, or the ledger is smaller.
        """
        with self._storage.reading() as view:
            new = self._size_in(view, new)
            if not 0 <= old <= new:
                message = f"{self.place}: a tree of {new} entries did not grow out of one of {old}"
                raise LedgerError(message)
            return range_hashes(view, consistency_ranges(old, new), place=self.place)

    def checkpoint(self, key: SigningKey, *, size: int | None = None) -> str:
        """Return the signed checkpoint over the first `size` entries; over all where none is given.

        A ledger must not sign two trees of which neither grew out of the other. Before anything
        is signed, the kept tree hashes are therefore compared with the last writer's root.

        Raises:
            LedgerError: There are fewer entries.
            LedgerBrokenError: The tree hashes were edited; nothing is signed.
        """
        with self._storage.reading() as view:
            head = head_of(view, place=self.place)
            size = self._size_in(view, size)
            ranges = [(0, head.size), (0, size)]
            whole, root = range_hashes(view, ranges, place=self.place)
        if whole != head.root:
            _refuse_other_root(self.place, then="signed")
        return sign_checkpoint(self.origin, size, Digest(root.hex()), key=key)

    def verify(
        self,
        *,
        checkpoints: Sequence[str] = (),
        keys: Sequence[VerifierKey] = (),
        witnesses: Sequence[Witness] = (),
        folder: Path = Path(),
        progress: Callable[[int, int], None] | None = None,
    ) -> Verification:
        """Recompute the whole ledger and compare it; see `verification.verify_storage`."""
        return verify_storage(
            self._storage,
            checkpoints=checkpoints,
            keys=keys,
            witnesses=witnesses,
            folder=folder,
            progress=progress,
        )

    def export(
        self,
        *,
        checkpoints: Sequence[str] = (),
        keys: Sequence[VerifierKey] = (),
        witnesses: Sequence[WitnessNote] = (),
    ) -> Iterator[bytes]:
        """Yield the lines of a file that anyone can verify; see `exports.export_lines`."""
        return export_lines(self._storage, checkpoints=checkpoints, keys=keys, witnesses=witnesses)

    def _page(self, start: int, stop: int, *, kind: str | None) -> list[Entry]:
        """Return up to a page of entries, checked against what they are found by."""
        with self._storage.reading() as view:
            rows = list(islice(view.rows(start, stop, kind=kind), _PAGE))
            if kind is None:
                refuse_gap(rows, start=start, stop=min(stop, start + _PAGE), place=self.place)
            return entries_of(rows, view=view, place=self.place)

    def _size_in(self, view: Reading, size: int | None) -> int:
        there = head_of(view, place=self.place).size
        if size is None:
            return there
        if not 0 <= size <= there:
            message = f"{self.place}: asked for {size} entries; the ledger has {there}"
            raise LedgerError(message)
        return size

    def _add(self, entries: Sequence[Entry], *, head: Head, view: Writing) -> None:
        edge_nodes = cover(0, head.size)
        known = view.hashes(edge_nodes)
        refuse_missing(edge_nodes, known=known, place=self.place)
        edge = Frontier(head.size, known)
        if edge.root != head.root:
            _refuse_other_root(self.place, then="appended")
        rows = [Row(e.seq, e.id, e.kind, e.time, e.leaf_bytes) for e in entries]
        runs = tuple(edge.add([leaf_hash(row.leaf) for row in rows]))
        view.add(rows, runs=runs, head=Head(edge.size, edge.root))


def _refuse_other_root(place: str, *, then: str) -> NoReturn:
    message = (
        f"{place}: the tree does not have the root that the last writer left. It was edited "
        f"after it was written. Nothing was {then}; run: dokja ledger verify"
    )
    raise LedgerBrokenError(message)
