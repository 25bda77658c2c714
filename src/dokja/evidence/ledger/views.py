"""Reading entries through a view, refusing what is not what it should be.

Every reader goes through here, so that an entry that was edited, moved or taken out is refused
where it is first met, and not only when somebody verifies the whole ledger.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from dokja.errors import LedgerBrokenError
from dokja.evidence.ledger.entries import Entry, read_entry
from dokja.evidence.ledger.storage import Head, Reading, Row
from dokja.values.trees import Node, cover, leaf_hash, range_hash

__all__ = ["entries_of", "found", "head_of", "range_hashes", "refuse_gap", "refuse_missing"]


def head_of(view: Reading, *, place: str) -> Head:
    """Return the size and root that the last writer left.

    Raises:
        LedgerBrokenError: They are not there.
    """
    head = view.head()
    if head.size < 0:
        message = f"{place}: the ledger does not say how long it is; run: dokja ledger verify"
        raise LedgerBrokenError(message)
    return head


def entries_of(rows: Sequence[Row], *, view: Reading, place: str) -> list[Entry]:
    """Return the entries of rows, refusing those that are not as they were written.

    An entry must have the hash that the tree holds of it, and be found by what it says.

    Raises:
        LedgerBrokenError: One was edited.
    """
    hashes = view.hashes([Node(0, row.seq) for row in rows])
    entries = []
    for row in rows:
        entry = read_entry(row.leaf, place=f"{place}, entry {row.seq}")
        if leaf_hash(row.leaf) != hashes.get(Node(0, row.seq)):
            _refuse_edited(row, "its bytes do not have the hash that was kept of it", place=place)
        if (entry.seq, entry.id, entry.kind, entry.time) != row[:4]:
            words = "it is kept under another number, id, kind or time than it says"
            _refuse_edited(row, words, place=place)
        entries.append(entry)
    return entries


def _refuse_edited(row: Row, words: str, *, place: str) -> NoReturn:
    message = (
        f"{place}, entry {row.seq}: {words}. It was edited after it was written; "
        "run: dokja ledger verify"
    )
    raise LedgerBrokenError(message)


def found(view: Reading, entry_id: str, *, place: str) -> Entry | None:
    """Return the entry of this id, or none.

    Raises:
        LedgerBrokenError: It was edited.
    """
    row = view.find(entry_id)
    return None if row is None else entries_of([row], view=view, place=place)[0]


def refuse_gap(rows: Sequence[Row], *, start: int, stop: int, place: str) -> None:
    """Refuse rows that are not all of those with `start <= seq < stop`.

    Raises:
        LedgerBrokenError: One was taken out.
    """
    seqs = [row.seq for row in rows]
    if seqs == [*range(start, stop)]:
        return
    missing = next(seq for seq in range(start, stop) if seq not in set(seqs))
    message = (
        f"{place}: entry {missing} is missing. It was taken out after it was written; "
        "run: dokja ledger verify"
    )
    raise LedgerBrokenError(message)


def refuse_missing(nodes: Sequence[Node], *, known: Mapping[Node, bytes], place: str) -> None:
    """Refuse to go on without a tree hash that must be kept.

    Raises:
        LedgerBrokenError: One is lacking.
    """
    lacking = [node for node in nodes if node not in known]
    if lacking:
        first = lacking[0].place << lacking[0].level
        message = (
            f"{place}: a tree hash over the entries from {first} on is missing. It was taken out "
            "after it was written; run: dokja ledger verify"
        )
        raise LedgerBrokenError(message)


def range_hashes(
    view: Reading, ranges: Sequence[tuple[int, int]], *, place: str
) -> tuple[bytes, ...]:
    """Return the hashes over ranges of entries, out of the perfect subtrees that are kept.

    Raises:
        LedgerBrokenError: A tree hash that must be kept is lacking.
    """
    nodes = [node for start, stop in ranges for node in cover(start, stop)]
    known = view.hashes(nodes)
    refuse_missing(nodes, known=known, place=place)
    return tuple(range_hash(start, stop, known=known) for start, stop in ranges)
