"""What was said cannot be unsaid: a correction is an entry that names what it corrects.

The corrected entry stays. Readers are shown the replacement, or that it was withdrawn, together
with the numbers of both entries. A later correction of the same entry stands for the earlier
one. Corrections are not themselves corrected.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dokja.evidence.ledger.entries import Entry
from dokja.values import Json

__all__ = ["CORRECTION", "CurrentEntry", "correction_fault", "current", "in_force"]

CORRECTION = "correction"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentEntry:
    """An entry as it stands after its corrections.

    Attributes:
        entry: What was entered first; it stays as it was.
        correction: The last entry that corrects it; none where nobody did.
    """

    entry: Entry
    correction: Entry | None = None

    @property
    def body(self) -> Mapping[str, Json] | None:
        """What holds now; none where it was withdrawn."""
        if self.correction is None:
            return self.entry.body
        body = self.correction.body.get("body")
        return body if isinstance(body, Mapping) else None

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was taken back with nothing in its place."""
        return self.body is None

    @property
    def seqs(self) -> tuple[int, ...]:
        """The number of the entry, then of its correction."""
        if self.correction is None:
            return (self.entry.seq,)
        return (self.entry.seq, self.correction.seq)

    @property
    def id(self) -> str:
        """How the entry is referred to."""
        return self.entry.id

    @property
    def seq(self) -> int:
        """The number of the entry."""
        return self.entry.seq

    @property
    def kind(self) -> str:
        """What sort of statement it is."""
        return self.entry.kind

    @property
    def actor(self) -> str:
        """Who said it."""
        return self.entry.actor

    @property
    def time(self) -> str:
        """When it was entered."""
        return self.entry.time


def current(entries: Iterable[Entry]) -> tuple[CurrentEntry, ...]:
    """Return the entries as they stand, in order; the corrections themselves are left out.

    Args:
        entries: Entries with all corrections of them; what a correction names may be absent.

    Example:
        >>> first = Entry(seq=0, id="a", time="2026-01-15T09:00:00Z", kind="note", actor="o",
        ...               body={"text": "95"})
        >>> second = Entry(seq=1, id="b", time="2026-01-16T09:00:00Z", kind="correction",
        ...                actor="o", body={"corrects": "a", "body": {"text": "94"}})
        >>> [(found.body, found.seqs) for found in current([first, second])]
        [({'text': '94'}, (0, 1))]
    """
    kept = tuple(entries)
    return tuple(in_force(kept, corrections=(entry for entry in kept if entry.kind == CORRECTION)))


def in_force(entries: Iterable[Entry], *, corrections: Iterable[Entry]) -> Iterator[CurrentEntry]:
    """Yield the entries as they stand, holding only the corrections in memory."""
    last: dict[str, Entry] = {}
    for correction in corrections:
        last[str(correction.body.get("corrects"))] = correction
    for entry in entries:
        if entry.kind != CORRECTION:
            yield CurrentEntry(entry=entry, correction=last.get(entry.id))


def correction_fault(
    body: Mapping[str, Json], *, target: Entry | None
) -> tuple[str, str, str] | None:
    """Return what is wrong between a correction and the entry that it names, if anything.

    Args:
        body: Body of the correction.
        target: The entry of the id that it names, from before the correction; none if absent.

    Returns:
        The key, what was read there, and what was expected.
    """
    corrects, digest = body.get("corrects"), body.get("digest")
    if target is None:
        return "corrects", repr(corrects), "the id of an entry that stands in the ledger already"
    if target.kind == CORRECTION:
        named = target.body.get("corrects")
        what = f"no correction; correct the entry that it corrects, {named!r}, once more"
        return "corrects", f"{corrects!r}, which is a correction", what
    if digest != str(target.digest):
        return "digest", repr(digest), f"{target.digest}, the leaf hash of entry {target.seq}"
    return None
