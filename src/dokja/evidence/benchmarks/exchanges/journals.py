"""Reading a store from end to end: every line must follow from the one before it.

Damage is named by its line and stops the reading, with one exception: a last line without an end
is what a killed recorder leaves, is passed over, and is said. The head that was signed, if there
is one, must be the head of these very lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import LedgerBrokenError, Mistake, RecordingBrokenError, RecordingError
from dokja.evidence.benchmarks.exchanges.bodies import Bodies, open_bodies
from dokja.evidence.benchmarks.exchanges.entries import (
    START,
    Exchange,
    Handed,
    Head,
    Line,
    Session,
    parsed,
    unchained,
)
from dokja.evidence.benchmarks.exchanges.profiles import Profile
from dokja.evidence.ledger.keys import VerifierKey
from dokja.evidence.ledger.notes import Checkpoint, open_note
from dokja.values import Digest
from dokja.values.trees import Frontier, leaf_hash

__all__ = ["JOURNAL", "NOTE", "Recording", "read_recording"]

JOURNAL, NOTE = "journal.jsonl", "head.note"

_TO_MIRROR = "The file was edited after it was written; restore it from a copy."


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A store as it was read, from its first line to its last.

    Attributes:
        store: Its folder.
        head: Its first line.
        profile: What may differ between two sendings of one request.
        bodies: Where its bodies lie.
        exchanges: In the order in which they were complete.
        sessions: Of each exchange, the number of the session that recorded it.
        handed: Numbers of exchanges whose answers were given to a later request.
        lines: How many lines it has.
        size: How many bytes of the journal are whole lines.
        torn: How many bytes of a half line come after them.
        chain: The chain value after the last line.
        tree: The RFC 6962 tree over the lines, without their ends.
        signed: How many lines the signed head covers; 0 without one.
    """

    store: Path
    head: Head
    profile: Profile
    bodies: Bodies
    exchanges: tuple[Exchange, ...]
    sessions: tuple[int, ...]
    handed: frozenset[int]
    lines: int
    size: int
    torn: int
    chain: bytes
    tree: Frontier
    signed: int

    @property
    def is_signed(self) -> bool:
        """Whether the signed head covers every line."""
        return self.signed == self.lines

    @property
    def root(self) -> Digest:
        """Root of the tree over the lines: what the signed head holds."""
        return Digest(self.tree.root.hex())

    def missing_bodies(self) -> Iterator[tuple[Exchange, str]]:
        """Yield each exchange and the part of it whose bytes are not here."""
        for exchange in self.exchanges:
            for part in ("request", "response", "times"):
                body = getattr(exchange, part)
                if body is not None and not self.bodies.path(body).exists():
                    yield exchange, part


def read_recording(store: Path, *, keys: Sequence[VerifierKey] = ()) -> Recording:
    """Return a store, having checked every line and the signed head.

    Args:
        store: The folder.
        keys: Public keys that were got elsewhere; with them the head must be signed by one. The
            key that the store names itself is always known, and vouches for nothing but that
            whoever signed the head began the store.

    Raises:
        RecordingError: It is no store, is of a newer form, lacks its secret, or none of the
            given keys signed it.
        RecordingBrokenError: A line does not follow, or the head was signed over others.
    """
    data = _journal(store)
    note = _note(store)
    walk = _Walk(store / JOURNAL, stop=0 if note is None else _size_of(note))
    whole = data.rfind(b"\n") + 1
    for raw in data[:whole].split(b"\n")[:-1]:
        walk.take(raw + b"\n")
    head = walk.head()
    checked = None if note is None else _checked(note, head, keys, store / NOTE)
    if checked is not None:
        walk.compare(checked, store / NOTE)
    if keys and (checked is None or not any(map(checked.signed_by, keys))):
        expected = "a head that one of the given keys signed"
        read = "no such signature"
        raise RecordingError([Mistake(file=str(store), place="", read=read, expected=expected)])
    return Recording(
        store=store,
        head=head,
        profile=Profile.of_body(dict(head.profile)),
        bodies=open_bodies(store, sealed=head.sealed),
        exchanges=tuple(walk.exchanges),
        sessions=tuple(walk.sessions),
        handed=frozenset(walk.handed),
        lines=walk.lines,
        size=whole,
        torn=len(data) - whole,
        chain=walk.chain,
        tree=walk.tree,
        signed=0 if checked is None else checked.size,
    )


class _Walk:
    """One walk along a journal, line by line."""

    def __init__(self, path: Path, *, stop: int) -> None:
        self.exchanges: list[Exchange] = []
        self.sessions: list[int] = []
        self.handed: list[int] = []
        self.lines = 0
        self.chain = START
        self.tree = Frontier()
        self._path, self._stop = path, stop
        self._head: Head | None = None
        self._session = 0
        self._root = b""

    def take(self, raw: bytes) -> None:
        """Check a line and note what it says."""
        self.lines += 1
        after = unchained(raw, self.chain)
        if after is None:
            raise self._broken(
                "a line whose chain value does not follow",
                "the value that follows from this line and the one before it",
            )
        self.chain = after
        for _ in self.tree.add([leaf_hash(raw[:-1])]):
            pass
        if self.lines == self._stop:
            self._root = self.tree.root
        try:
            self._note(parsed(raw))
        except (ValueError, KeyError, TypeError) as error:
            read = f"a line that says otherwise ({error})"
            mistake = self._mistake(read, "a line of a store", remedy="A newer Dokja may know it.")
            raise RecordingError([mistake]) from error

    def head(self) -> Head:
        """Return what the first line says."""
        if self._head is None:
            self.lines = 1
            raise self._broken("no head", "the first line of a store")
        return self._head

    def compare(self, checked: Checkpoint, file: Path) -> None:
        """Refuse a signed head that is not one of these lines'."""
        if checked.size > self.lines:
            read = f"{self.lines} lines in {self._path.name}"
            expected = f"at least the {checked.size} that were signed"
        elif self._root != checked.root.raw:
            read = f"a root over lines 1 to {checked.size} that is not the one of {JOURNAL}"
            expected = f"{Digest(self._root.hex()).short}…"
        else:
            return
        mistake = Mistake(file=str(file), place="", read=read, expected=expected, remedy=_TO_MIRROR)
        raise RecordingBrokenError([mistake])

    def _note(self, line: Line) -> None:
        match line:
            case Head() if self.lines == 1:
                if Profile.of_body(dict(line.profile)).digest != line.profile_digest:
                    message = "the profile's digest is another"
                    raise ValueError(message)
                self._head = line
            case Session():
                self._session = line.number
            case Handed():
                self.handed.append(line.n)
            case Exchange() if line.n == len(self.exchanges) + 1:
                self.exchanges.append(line)
                self.sessions.append(self._session)
            case _:
                message = "it does not belong here"
                raise ValueError(message)

    def _mistake(self, read: str, expected: str, *, remedy: str = _TO_MIRROR) -> Mistake:
        return Mistake(
            file=str(self._path),
            place=f"line {self.lines}",
            read=read,
            expected=expected,
            remedy=remedy,
        )

    def _broken(self, read: str, expected: str) -> RecordingBrokenError:
        return RecordingBrokenError(
            [self._mistake(read, expected)], changed="Nothing was read from it or changed."
        )


def _journal(store: Path) -> bytes:
    path = store / JOURNAL
    try:
        return path.read_bytes()
    except OSError as error:
        read = error.strerror or "an error"
        expected = "the journal of a store that `dokja record` has written"
        raise RecordingError(
            [Mistake(file=str(path), place="", read=read, expected=expected)]
        ) from error


def _note(store: Path) -> str | None:
    try:
        return (store / NOTE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        expected = "a signed head"
        mistake = Mistake(file=str(store / NOTE), place="", read=str(error), expected=expected)
        raise RecordingError([mistake]) from error


def _size_of(note: str) -> int:
    """Return the size that a note claims, whoever signed it; 0 if it claims none."""
    lines = note.split("\n")
    written = lines[1] if len(lines) > 1 else ""
    return int(written) if written.isascii() and written.isdecimal() else 0


def _checked(note: str, head: Head, keys: Sequence[VerifierKey], file: Path) -> Checkpoint:
    own = VerifierKey.parse(head.signer)
    try:
        found = open_note(note, keys=[own, *(key for key in keys if key != own)], place=str(file))
    except LedgerBrokenError as error:
        expected = f"a head signed by {own.name}"
        mistake = Mistake(file=str(file), place="", read=str(error), expected=expected)
        raise RecordingBrokenError([mistake]) from error
    if found.signed_by(own) is None or found.origin != own.name:
        expected = f"a head of {own.name}, signed with the key that the first line names"
        read = f"one of {found.origin} without that signature"
        mistake = Mistake(file=str(file), place="", read=read, expected=expected)
        raise RecordingBrokenError([mistake])
    return found
