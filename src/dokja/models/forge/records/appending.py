"""Writes the live chain of a run.

An entry is on the disk before its witness hears of it, so that a builder that is killed never
tells a witness two histories. What a killed process left half written is cut off and kept beside
the chain; damage anywhere else is an error, and nothing is appended to it.
"""

import base64
import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from dokja.errors import DokjaError, Mistake, RecordError
from dokja.models.forge.records.bodies import Body, Commit, Seal
from dokja.models.forge.records.chain import FILE, Chain, parse_chain
from dokja.models.forge.records.entries import (
    SIGNED,
    START,
    Entry,
    LateReceipt,
    Link,
    entry_bytes,
)
from dokja.models.forge.records.witness import Receipt, Witness
from dokja.values import Digest
from dokja.values.keys import SigningKey

__all__ = ["ChainWriter"]


class ChainWriter:
    """Appends entries to the chain of a run, one writer at a time.

    Attributes:
        cut: Where the half line lies that a killed process left; None if there was none.
        trouble: Why the witness gave no receipt when it was last asked; empty if it did.

    Example:
        >>> from datetime import UTC, timedelta
        >>> from tempfile import TemporaryDirectory
        >>> from dokja.models.forge.records.bodies import Interruption
        >>> noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
        >>> key = SigningKey("team.example", bytes(32))
        >>> stop = Interruption(component="body", step=3, reason="preempted")
        >>> with TemporaryDirectory() as folder:
        ...     with ChainWriter(Path(folder), signer=key, clock=lambda: noon) as writer:
        ...         writer.append(stop)
        Traceback (most recent call last):
        ...
        dokja.errors.RecordError: chain.jsonl, entry 0: read interruption; expected commit, which \
binds the builder before anything else.
        Nothing was changed.
    """

    def __init__(
        self,
        path: Path,
        *,
        signer: SigningKey,
        clock: Callable[[], datetime],
        witness: Witness | None = None,
    ) -> None:
        """Open the chain for appending; begin it if there is none.

        Args:
            path: The file, or the folder of the run.
            signer: The builder's key.
            clock: The builder's clock.
            witness: Who is shown every entry; None for nobody, and then nothing is live.

        Raises:
            RecordError: The chain is damaged, does not hang together, is being written by
                another process, or cannot be opened.
        """
        self.path = path / FILE if path.is_dir() else path
        self.cut: Path | None = None
        self.trouble = ""
        self._signer, self._vkey = signer, str(signer.verifier)
        self._clock, self._witness = clock, witness
        try:
            self._number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            read = f"nothing: {error.strerror}"
            raise RecordError([self._wrong("", read, "a file that can be written")]) from error
        try:
            fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._links, self._bytes = self._resume()
        except OSError as error:
            os.close(self._number)
            read = "a chain that another process writes"
            raise RecordError([self._wrong("", read, "one writer at a time")]) from error
        except RecordError:
            os.close(self._number)
            raise

    @property
    def chain(self) -> Chain:
        """The chain as it stands."""
        digest = Digest.of(_whole(self._number, self._bytes))
        return Chain(links=tuple(self._links), file=self.path.name, digest=digest)

    @property
    def waiting(self) -> int:
        """How many entries wait for a witness."""
        return len(self._links) - self._seen()

    def append(self, body: Body, *, at: datetime | None = None) -> Link:
        """Append an entry, show it to the witness, and return it with the receipt if it came.

        Args:
            body: What it says.
            at: When it happened, where that is not now: an imported log. Never before the last
                entry.

        Raises:
            RecordError: The chain does not begin with a commit, is sealed, the clock runs
                backwards, or the file cannot be written. Then nothing was appended.
        """
        entry = Entry(
            n=len(self._links),
            prev=self._links[-1].digest if self._links else START,
            at=self._clock() if at is None else at,
            body=body,
        )
        self._refuse(entry)
        raw = entry_bytes(entry)
        signature = base64.b64encode(self._signer.sign(SIGNED + raw)).decode()
        link = Link(
            entry=entry,
            raw=raw,
            signature=signature,
            signer=self._vkey,
            receipt=None,
            line=self._lines + 1,
        )
        self._write(link.to_line())
        self._links.append(link)
        self.catch_up()
        return self._links[-1]

    def catch_up(self) -> int:
        """Show the witness what it has not seen yet, in order; return how many receipts came.

        A witness that is down delays receipts and nothing else: what waits is tried again with
        the next entry, or when this is called.

        Raises:
            RecordError: The file cannot be written.
        """
        came = 0
        for place in range(self._seen(), len(self._links)):
            receipt = self._ask(self._links[place])
            if receipt is None:
                break
            self._write(LateReceipt(n=place, receipt=receipt).to_line())
            self._links[place] = replace(self._links[place], receipt=receipt)
            came += 1
        return came

    def close(self) -> None:
        """Let go of the chain; more than once does no harm."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, link: Link) -> Receipt | None:
        """Return the receipt of an entry; None, and why in `trouble`, if there is none."""
        if self._witness is None:
            return None
        self.trouble = ""
        try:
            receipt = self._witness.submit(link.raw)
        except DokjaError as error:
            self.trouble = f"{self._witness.name}: {error}"
            return None
        if receipt is None:
            self.trouble = f"{self._witness.name}: no answer"
        elif receipt.entry != link.digest or not receipt.is_signed():
            self.trouble = f"{self._witness.name}: answered with no receipt of entry {link.entry.n}"
            return None
        return receipt

    def _seen(self) -> int:
        """Return the first place from which on no entry has a receipt: they come in order."""
        place = len(self._links)
        while place and self._links[place - 1].receipt is None:
            place -= 1
        return place

    def _refuse(self, entry: Entry) -> None:
        place, last = f"entry {entry.n}", self._links[-1].entry if self._links else None
        is_commit = isinstance(entry.body, Commit)
        if last is None and not is_commit:
            expected = "commit, which binds the builder before anything else"
            raise RecordError([self._wrong(place, entry.kind, expected)])
        if last is not None and is_commit:
            raise RecordError([self._wrong(place, entry.kind, "one commit, at the beginning")])
        if last is not None and isinstance(last.body, Seal):
            raise RecordError([self._wrong(place, entry.kind, "nothing after the seal")])
        if last is not None and entry.at < last.at:
            read = f"{entry.at.isoformat()}, before {last.at.isoformat()} of entry {last.n}"
            raise RecordError([self._wrong(place, read, "a clock that does not run backwards")])

    def _resume(self) -> tuple[list[Link], int]:
        size = os.fstat(self._number).st_size
        data = _whole(self._number, size)
        chain = parse_chain(data, file=self.path.name, live=True)
        self._lines = data.count(b"\n")
        for place, link in enumerate(chain.links):
            prev = chain.links[place - 1].digest if place else START
            if (link.entry.n, link.entry.prev) != (place, prev):
                read = f"entry {link.entry.n} after {link.entry.prev}"
                expected = f"entry {place} after {prev}"
                raise RecordError([self._wrong(f"line {link.line}", read, expected)])
        if chain.torn_bytes:
            self._cut(data[size - chain.torn_bytes :], keep=size - chain.torn_bytes)
        if not size:
            _sync_folder(self.path.parent)
        return list(chain.links), size - chain.torn_bytes

    def _cut(self, torn: bytes, *, keep: int) -> None:
        """Keep half a line beside the chain, then cut it off."""
        number = 1
        while (beside := self.path.with_name(f"{self.path.name}.torn-{number}")).exists():
            number += 1
        unfinished = self.path.with_name(f".{beside.name}.unfinished")
        with unfinished.open("wb") as file:
            file.write(torn)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(beside)
        os.ftruncate(self._number, keep)
        os.fsync(self._number)
        _sync_folder(self.path.parent)
        self.cut = beside

    def _write(self, line: bytes) -> None:
        """Append a line and wait for the disk; on failure leave the file as it was."""
        try:
            written = os.write(self._number, line)
            while written < len(line):  # a full disk says so at the second try
                written += os.write(self._number, line[written:])
            os.fsync(self._number)
        except OSError as error:
            os.ftruncate(self._number, self._bytes)
            read = f"an error of the disk: {error.strerror}"
            remedy = "The entry was not appended. Make room and resume the run."
            raise RecordError(
                [replace(self._wrong("", read, "a line on the disk"), remedy=remedy)]
            ) from error
        self._bytes += len(line)
        self._lines += 1

    def _wrong(self, place: str, read: str, expected: str) -> Mistake:
        return Mistake(file=self.path.name, place=place, read=read, expected=expected)


def _whole(number: int, size: int) -> bytes:
    pieces: list[bytes] = []
    done = 0
    while done < size and (piece := os.pread(number, min(size - done, 1 << 30), done)):
        pieces.append(piece)
        done += len(piece)
    return b"".join(pieces)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
