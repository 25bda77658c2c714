"""What is entered, and what stands in the ledger afterwards.

A `Draft` is what somebody wants to say; an `Entry` is what was said: it has a number and a time
and never changes. Whether a body fits its kind is judged by the checker that is handed in; what
the body means is for other rooms.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from dokja.errors import EntryError, LedgerBrokenError, LedgerFormatError, Mistake
from dokja.evidence.ledger.leaves import (
    compose_leaf,
    is_entry_id,
    is_newer,
    leaf_fault,
    swift_bytes,
)
from dokja.values import Digest, Json, is_identifier, normal_form
from dokja.values.trees import leaf_hash

__all__ = [
    "Checker",
    "Draft",
    "Entry",
    "PreparedDraft",
    "as_entry",
    "prepare",
    "read_entry",
    "written_time",
]

# Judges a body by its kind: (kind, body, place=…) → every mistake.
Checker: TypeAlias = Callable[..., tuple[Mistake, ...]]

_LONGEST_ACTOR = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Something to be entered.

    Attributes:
        kind: What sort of statement it is; an identifier.
        actor: Who says it: an organisation or office, never a private person.
        body: What is said, as a JSON object.
        blobs: Digests of the files that it rests on.
        id: How it will be referred to; `kind/seq` where none is given.
    """

    kind: str
    actor: str
    body: Mapping[str, Json]
    blobs: tuple[Digest, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that was entered.

    Attributes:
        seq: Its number, from 0, without gaps.
        id: How it is referred to; no two entries share one.
        time: When it was entered, RFC 3339 in UTC to the second, such as
            `2026-01-15T09:00:00Z`, by the clock of whoever entered it.
        kind: What sort of statement it is.
        actor: Who says it.
        body: What is said, as a JSON object.
        blobs: Digests of the files that it rests on.
    """

    seq: int
    id: str
    time: str
    kind: str
    actor: str
    body: Mapping[str, Json]
    blobs: tuple[Digest, ...] = ()
    _leaf: bytes = field(default=b"", repr=False, compare=False)

    @property
    def leaf_bytes(self) -> bytes:
        """The RFC 8785 bytes that are hashed and kept."""
        return self._leaf or compose_leaf(
            self.seq,
            entry_id=self.id,
            time=self.time,
            kind=self.kind,
            actor=self.actor,
            body=swift_bytes(dict(self.body)),
            blobs=[str(blob) for blob in self.blobs],
        )

    @property
    def digest(self) -> Digest:
        """The RFC 6962 hash of the leaf."""
        return Digest(leaf_hash(self.leaf_bytes).hex())

    @property
    def moment(self) -> datetime:
        """The time as a value."""
        return datetime.fromisoformat(self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDraft:
    """A draft that has been found right, with its body in canonical form.

    Attributes:
        draft: The draft.
        body: The canonical bytes of its body.
        blobs: The written digests of its blobs.
    """

    draft: Draft
    body: bytes
    blobs: tuple[str, ...]

    def entered(self, seq: int, *, time: str) -> Entry:
        """Return the entry that this draft becomes under this number, at this time."""
        draft = self.draft
        entry_id = draft.id or f"{draft.kind}/{seq}"
        leaf = compose_leaf(
            seq,
            entry_id=entry_id,
            time=time,
            kind=draft.kind,
            actor=draft.actor,
            body=self.body,
            blobs=self.blobs,
        )
        return Entry(
            seq=seq,
            id=entry_id,
            time=time,
            kind=draft.kind,
            actor=draft.actor,
            body=json.loads(self.body),  # apart from the draft's, and as it will be read back
            blobs=draft.blobs,
            _leaf=leaf,
        )


def written_time(at: datetime) -> str:
    """Return the time as entries write it.

    Raises:
        ValueError: It names no time zone, so that nobody could say when it was.

    Example:
        >>> written_time(datetime(2026, 1, 15, 9, 30, tzinfo=UTC))
        '2026-01-15T09:30:00Z'
    """
    if at.utcoffset() is None:
        message = f"the time {at.isoformat()} names no time zone; give one, such as UTC"
        raise ValueError(message)
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def prepare(drafts: Sequence[Draft], *, check: Checker, file: str) -> tuple[PreparedDraft, ...]:
    """Return the drafts in the form in which they can be entered.

    Args:
        drafts: What is to be entered.
        check: Judges each body by its kind.
        file: Where the drafts were to go, for the error.

    Raises:
        EntryError: Something is wrong with one or more; every mistake of every draft.
    """
    mistakes: list[Mistake] = []
    prepared = []
    for number, draft in enumerate(drafts, start=1):
        place = f"draft {number} ({draft.id or draft.kind})"
        found = [*_head_mistakes(draft, file=file, place=place)]
        try:
            body = swift_bytes(dict(draft.body))
        except (TypeError, ValueError, RecursionError) as error:
            what = "a body with one JSON form"
            found.append(Mistake(file=file, place=f"{place}, body", read=str(error), expected=what))
        else:
            found += check(draft.kind, draft.body, place=place)
            blobs = tuple(str(blob) for blob in draft.blobs)
            prepared.append(PreparedDraft(draft=draft, body=body, blobs=blobs))
        mistakes += found
    if mistakes:
        raise EntryError(mistakes, changed="Nothing was appended.")
    return tuple(prepared)


def _head_mistakes(draft: Draft, *, file: str, place: str) -> list[Mistake]:
    """Return what is wrong with a draft apart from its body."""

    def wrong(key: str, read: str, expected: str) -> Mistake:
        return Mistake(file=file, place=f"{place}, {key}", read=repr(read), expected=expected)

    mistakes = []
    if not is_identifier(draft.kind):
        mistakes.append(wrong("kind", draft.kind, "an identifier, such as score-sheet"))
    if draft.id is not None and not is_entry_id(draft.id):
        composed = normal_form(draft.id)
        if composed != draft.id:
            what = f"the same in NFC (composed Hangul): {composed!r}"
        else:
            what = "identifiers joined by /: lower-case letters, digits, Hangul, and . _ - inside"
        mistakes.append(wrong("id", draft.id, what))
    if not draft.actor.strip() or len(draft.actor) > _LONGEST_ACTOR or not _is_line(draft.actor):
        what = f"one line of 1 to {_LONGEST_ACTOR} characters: who says this"
        mistakes.append(wrong("actor", draft.actor, what))
    elif normal_form(draft.actor) != draft.actor:
        what = f"the same in NFC (composed Hangul): {normal_form(draft.actor)!r}"
        mistakes.append(wrong("actor", draft.actor, what))
    if len(set(draft.blobs)) != len(draft.blobs):
        mistakes.append(wrong("blobs", "a digest twice", "each blob named once"))
    return mistakes


def _is_line(text: str) -> bool:
    return text.isprintable()


def read_entry(leaf: bytes, *, place: str) -> Entry:
    """Return the entry that a leaf says.

    Args:
        leaf: The bytes.
        place: Where they stand, for the error.

    Raises:
        LedgerBrokenError: The bytes are not the canonical form of an entry.
        LedgerFormatError: They were written by a newer release.
    """
    said, fault = leaf_fault(leaf)
    if is_newer(said):
        message = f"{place}: {fault}. Use the Dokja that wrote it, or a newer one."
        raise LedgerFormatError(message)
    if fault:
        message = (
            f"{place}: {fault}. It was edited after it was written. Nothing was changed; "
            "run: dokja ledger verify"
        )
        raise LedgerBrokenError(message)
    return as_entry(said, leaf=leaf)


def as_entry(said: Mapping[str, Any], *, leaf: bytes) -> Entry:
    """Return the entry for what a faultless leaf says."""
    return Entry(
        seq=said["seq"],
        id=said["id"],
        time=said["time"],
        kind=said["kind"],
        actor=said["actor"],
        body=said["body"],
        blobs=tuple(Digest.parse(blob) for blob in said["blobs"]),
        _leaf=leaf,
    )
