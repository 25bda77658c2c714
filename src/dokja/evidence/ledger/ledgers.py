"""The ledger: entries are appended at the end, and nothing else is ever written.

This is the only writer. It numbers drafts, hashes them into the tree and answers with proofs;
how bytes are kept is for `storage`, whether an edit was made is for `verification`. It reads no
clock: whoever appends says when.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import NoReturn, Self

from dokja.errors import DuplicateEntryError, EntryError, LedgerBrokenError, LedgerError, Mistake
from dokja.evidence.ledger import trees
from dokja.evidence.ledger.corrections import CORRECTION, CurrentEntry, in_force
from dokja.evidence.ledger.entries import (
    Checker,
    Draft,
    Entry,
    PreparedDraft,
    prepare,
    read_entry,
    written_time,
)
from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.ledger.references import reference_fault, referred
from dokja.evidence.ledger.storage import Head, Reading, Row, Storage, Writing
from dokja.evidence.ledger.trees import Frontier, Node, Run, cover, leaf_hash, range_hash
from dokja.values import Digest, Json

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
            return _head(view, place=self.place).size

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
            head = _head(view, place=self.place)
            self._check_references(prepared, view=view)
            entries = tuple(
                draft.entered(seq, time=time) for seq, draft in enumerate(prepared, start=head.size)
            )
            self._refuse_taken_ids(entries, view=view)
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
            return _found(view, entry_id, place=self.place)

    def root(self, size: int | None = None) -> Digest:
        """Return the root over the first `size` entries; over all where none is given.

        Raises:
            LedgerError: There are fewer entries.
        """
        with self._storage.reading() as view:
            size = self._size_in(view, size)
            return Digest(self._range_hashes(view, [(0, size)])[0].hex())

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
            return self._range_hashes(view, trees.inclusion_ranges(seq, size))

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
            return self._range_hashes(view, trees.consistency_ranges(old, new))

    def _page(self, start: int, stop: int, *, kind: str | None) -> list[Entry]:
        """Return up to a page of entries, checked against what they are found by."""
        with self._storage.reading() as view:
            page = []
            for row in view.rows(start, stop, kind=kind):
                page.append(_entry(row, place=self.place))
                if len(page) == _PAGE:
                    break
        if kind is None and [entry.seq for entry in page] != [*range(start, start + len(page))]:
            expected = next(n for n, entry in enumerate(page, start) if entry.seq != n)
            _refuse_gap(expected, place=self.place)
        if kind is None and len(page) < min(stop - start, _PAGE):
            _refuse_gap(start + len(page), place=self.place)
        return page

    def _size_in(self, view: Reading, size: int | None) -> int:
        there = _head(view, place=self.place).size
        if size is None:
            return there
        if not 0 <= size <= there:
            message = f"{self.place}: asked for {size} entries; the ledger has {there}"
            raise LedgerError(message)
        return size

    def _range_hashes(self, view: Reading, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
        nodes = [node for start, stop in ranges for node in cover(start, stop)]
        known = view.hashes(nodes)
        _refuse_missing(nodes, known=known, place=self.place)
        return tuple(range_hash(start, stop, known=known) for start, stop in ranges)

    def _check_references(self, prepared: Sequence[PreparedDraft], *, view: Writing) -> None:
        mistakes = []
        for number, draft in enumerate(item.draft for item in prepared):
            name = referred(draft.kind, draft.body)
            if name is None:
                continue
            target = _found(view, name, place=self.place)
            place = f"draft {number + 1} ({draft.id or draft.kind})"
            fault = reference_fault(draft.kind, draft.body, target=target)
            if fault is not None:
                key, read, expected = fault
                mistakes.append(
                    Mistake(file=self.place, place=f"{place}, {key}", read=read, expected=expected)
                )
            elif target is not None and draft.kind == CORRECTION:
                mistakes += self._replacement_mistakes(draft.body, target=target, place=place)
        if mistakes:
            raise EntryError(mistakes, changed="Nothing was appended.")

    def _replacement_mistakes(
        self, body: Mapping[str, Json], *, target: Entry, place: str
    ) -> tuple[Mistake, ...]:
        """Judge what a correction puts in place by the kind of what it corrects."""
        replacement = body.get("body")
        if not isinstance(replacement, Mapping):
            return ()
        return self._check(target.kind, replacement, place=f"{self.place}, {place}, body.body")

    def _refuse_taken_ids(self, entries: Sequence[Entry], *, view: Writing) -> None:
        taken = {
            f"{name!r} (entry {seq})" for name, seq in view.known([e.id for e in entries]).items()
        }
        seen: set[str] = set()
        for entry in entries:
            if entry.id in seen:
                taken.add(f"{entry.id!r} (twice among the drafts)")
            seen.add(entry.id)
        if taken:
            message = (
                f"{self.place}: ids that are taken already: {', '.join(sorted(taken))}. "
                "What was said cannot be said again under its id; correct it with a correction "
                "entry, or choose another id. Nothing was appended."
            )
            raise DuplicateEntryError(message)

    def _add(self, entries: Sequence[Entry], *, head: Head, view: Writing) -> None:
        edge_nodes = cover(0, head.size)
        known = view.hashes(edge_nodes)
        _refuse_missing(edge_nodes, known=known, place=self.place)
        edge = Frontier(head.size, known)
        if edge.root != head.root:
            message = (
                f"{self.place}: the tree does not have the root that the last writer left. It was "
                "edited after it was written. Nothing was appended; run: dokja ledger verify"
            )
            raise LedgerBrokenError(message)
        rows = [Row(e.seq, e.id, e.kind, e.time, e.leaf_bytes) for e in entries]
        runs = [Run(*run) for run in edge.add([leaf_hash(row.leaf) for row in rows])]
        view.add(rows, runs=runs, head=Head(edge.size, edge.root))


def _head(view: Reading, *, place: str) -> Head:
    head = view.head()
    if head.size < 0:
        message = f"{place}: the ledger does not say how long it is; run: dokja ledger verify"
        raise LedgerBrokenError(message)
    return head


def _entry(row: Row, *, place: str) -> Entry:
    """Return the entry of a row, refusing one that is found by what it does not say."""
    entry = read_entry(row.leaf, place=f"{place}, entry {row.seq}")
    if (entry.seq, entry.id, entry.kind, entry.time) != row[:4]:
        message = (
            f"{place}, entry {row.seq}: it is kept under another number, id, kind or time than "
            "it says. It was edited after it was written; run: dokja ledger verify"
        )
        raise LedgerBrokenError(message)
    return entry


def _found(view: Reading, entry_id: str, *, place: str) -> Entry | None:
    row = view.find(entry_id)
    return None if row is None else _entry(row, place=place)


def _refuse_gap(seq: int, *, place: str) -> NoReturn:
    message = (
        f"{place}: entry {seq} is missing. It was taken out after it was written; "
        "run: dokja ledger verify"
    )
    raise LedgerBrokenError(message)


def _refuse_missing(nodes: Sequence[Node], *, known: Mapping[Node, bytes], place: str) -> None:
    lacking = [node for node in nodes if node not in known]
    if lacking:
        first = lacking[0].place << lacking[0].level
        message = (
            f"{place}: a tree hash over the entries from {first} on is missing. It was taken out "
            "after it was written; run: dokja ledger verify"
        )
        raise LedgerBrokenError(message)
