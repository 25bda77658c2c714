"""Writing a store: one recorder at a time, nothing kept in memory that a kill could take.

Bodies are files before the line that names them is written, and a line is written with one call
before anybody is told of its exchange: `kill -9` loses nothing. What a killed recorder left half
written is cut off and kept beside the journal. A failing disk is an error at once, and leaves no
half line behind.
"""

import fcntl
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from dokja.errors import Mistake, RecordingError
from dokja.evidence.benchmarks.exchanges.bodies import Bodies, make_secret, open_bodies
from dokja.evidence.benchmarks.exchanges.entries import (
    START,
    Body,
    Exchange,
    Handed,
    Head,
    Line,
    Session,
    chained,
)
from dokja.evidence.benchmarks.exchanges.journals import JOURNAL, NOTE, Recording, read_recording
from dokja.evidence.benchmarks.exchanges.profiles import exchange_key, without_credentials
from dokja.evidence.benchmarks.exchanges.sides import Answer, Request, Terms
from dokja.evidence.ledger.keys import SigningKey
from dokja.evidence.ledger.notes import sign_checkpoint
from dokja.values import Digest
from dokja.values.trees import Frontier, leaf_hash

__all__ = ["Recorder"]

_MANY = 32


class Recorder:
    """Appends exchanges to a store; leaving it signs the head.

    Attributes:
        store: The folder.
        profile: What may differ between two sendings of one request.
        bodies: Where bodies lie.
        torn: Where the half line lies that a killed recorder left; None if there was none.
        recorded: How many exchanges this recorder has added.
        faults: How many of them were faulty.
    """

    def __init__(
        self,
        store: Path,
        *,
        terms: Terms,
        signer: SigningKey,
        secret: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        """Begin a store, or go on with one.

        Args:
            store: The folder; it is made if it is not there.
            terms: What the store is begun with.
            signer: Signs the head.
            secret: 32 random bytes for a new sealed store.
            clock: The time.

        Raises:
            RecordingError: The folder holds something else, is being written by another
                recorder, was begun with other terms or another key, or cannot be written.
            RecordingBrokenError: The store was edited after it was written.
        """
        self.store, self.profile = store, terms.profile
        self.torn: Path | None = None
        self.recorded = self.faults = 0
        self._signer, self._clock = signer, clock
        self._unsynced: list[Path] = []
        self._tries: dict[Digest, int] = {}
        self._by_idempotency: dict[tuple[Digest, str], Exchange] = {}
        self._untaken: dict[Digest, deque[Exchange]] = {}
        self._count = 0
        try:
            self._number = self._opened()
        except OSError as error:
            raise self._refused(error.strerror or "an error", "a folder to write to") from error
        try:
            self.bodies = self._begun(terms, secret)
        except OSError as error:
            os.close(self._number)
            raise self._refused(error.strerror or "an error", "a folder to write to") from error
        except RecordingError:
            os.close(self._number)
            raise

    def key(self, request: Request) -> Digest:
        """Return what names a request in this store."""
        plain = exchange_key(request.method, request.path, request.body, profile=self.profile)
        return self.bodies.key(plain)

    def known(self, request: Request, key: Digest) -> Exchange | None:
        """Return the exchange whose answer this request is owed, if there is one.

        A request with the idempotency key of one that was answered is that request, sent again;
        and an answer that nobody was there to take is for the next who asks the same. Nothing
        is asked, and paid, twice.

        Raises:
            RecordingError: It cannot be written that the answer was given away.
        """
        if request.idempotency is not None:
            named = self.bodies.veiled(request.idempotency) or ""
            return self._by_idempotency.get((key, named))
        waiting = self._untaken.get(key)
        if not waiting:
            return None
        exchange = waiting.popleft()
        self._append(Handed(n=exchange.n, at=_written(self._clock())))
        return exchange

    def add(self, request: Request, answer: Answer, *, key: Digest) -> Exchange:
        """Keep an exchange; when this returns, a kill cannot lose it.

        Raises:
            RecordingError: It cannot be written; nothing of it stands in the journal then.
        """
        n = self._count + 1
        try:
            kept = [
                self._kept(data, n=n, part=part)
                for data, part in (
                    (request.body or None, "request"),
                    (answer.body, "response"),
                    (answer.times, "times"),
                )
            ]
        except OSError as error:
            raise self._refused(error.strerror or "an error", "room for a body") from error
        exchange = Exchange(
            n=n,
            key=key,
            attempt=self._tries.get(key, 0) + 1,
            method=request.method,
            path=without_credentials(request.path),
            request=kept[0],
            asked=_written(answer.asked),
            took_us=answer.took_us,
            status=answer.status,
            headers=answer.headers,
            response=kept[1],
            times=kept[2],
            fault=answer.fault,
            taken=answer.taken,
            idempotency=self.bodies.veiled(request.idempotency),
        )
        self._append(exchange)
        self._remember(exchange)
        self.recorded += 1
        self.faults += exchange.is_faulty
        return exchange

    def sync(self) -> None:
        """Wait until the disk has what was written: after that, loss of power loses none of it.

        Raises:
            RecordingError: The disk fails.
        """
        written, self._unsynced = self._unsynced, []
        try:
            if len(written) > _MANY:
                os.sync()  # one wait for all; one by one each would wait for the disk
            else:
                for path in written:
                    _synced(path)
            os.fdatasync(self._number)
        except OSError as error:
            raise self._refused(error.strerror or "an error", "a disk that keeps bodies") from error

    def close(self) -> None:
        """Sign the head and let the store go.

        Raises:
            RecordingError: The disk fails; every line that was written stands.
        """
        try:
            self.sync()
            note = sign_checkpoint(
                self._signer.name, self._tree.size, Digest(self._tree.root.hex()), key=self._signer
            )
            unfinished = self.store / f".{NOTE}"
            unfinished.write_text(note, encoding="utf-8")
            unfinished.replace(self.store / NOTE)
        except OSError as error:
            raise self._refused(error.strerror or "an error", "room for the head") from error
        finally:
            os.close(self._number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        with suppress(RecordingError):  # what went wrong first is told
            self.close()

    def _opened(self) -> int:
        """Return the journal, open and locked."""
        if (
            self.store.is_dir()
            and not (self.store / JOURNAL).exists()
            and any(self.store.iterdir())
        ):
            raise self._refused("a folder that holds other things", "a store, or an empty folder")
        self.store.mkdir(parents=True, exist_ok=True)
        number = os.open(self.store / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(number)
            raise self._refused(
                "a store that is being recorded", "one recorder at a time"
            ) from error
        return number

    def _begun(self, terms: Terms, secret: bytes) -> Bodies:
        """Begin an empty store or take up one that has lines; return its bodies."""
        at = _written(self._clock())
        if self._is_empty():
            self._chain, self._tree, self._size = START, Frontier(), 0
            if terms.sealed:
                make_secret(self.store, secret)
            else:
                (self.store / "blobs").mkdir()
            head = Head(
                profile=terms.profile.body,
                profile_digest=terms.profile.digest,
                upstream=terms.upstream,
                sealed=terms.sealed,
                at=at,
                signer=str(self._signer.verifier),
            )
            self._append(head)
            self._append(Session(number=1, at=at))
            return open_bodies(self.store, sealed=terms.sealed)
        found = read_recording(self.store)
        self._refuse_others(found, terms)
        self._cut(found)
        self._chain, self._tree, self._size = found.chain, found.tree, found.size
        for exchange in found.exchanges:
            self._remember(exchange, handed=exchange.n in found.handed)
        self._append(Session(number=max(found.sessions, default=1) + 1, at=at))
        return found.bodies

    def _is_empty(self) -> bool:
        """Tell whether nothing was ever said here; a half first line says nothing."""
        data = os.pread(self._number, 1 << 20, 0)
        if b"\n" in data:
            return False
        if data:
            self._keep_torn(data, line=1)
            os.ftruncate(self._number, 0)
        return True

    def _refuse_others(self, found: Recording, terms: Terms) -> None:
        file = str(self.store)
        pairs = (
            ("profile", found.head.profile_digest.short, terms.profile.digest.short),
            ("upstream", found.head.upstream, terms.upstream),
            ("sealed", str(found.head.sealed).lower(), str(terms.sealed).lower()),
            ("signer", found.head.signer, str(self._signer.verifier)),
        )
        mistakes = [
            Mistake(
                file=file,
                place=place,
                read=asked,
                expected=f"{stands}, with which the store was begun",
                remedy="Record into another folder, or as it was begun.",
            )
            for place, stands, asked in pairs
            if stands != asked
        ]
        if mistakes:
            raise RecordingError(mistakes)

    def _cut(self, found: Recording) -> None:
        """Cut off a half last line, and keep it beside the journal."""
        if found.torn:
            torn = os.pread(self._number, found.torn, found.size)
            self._keep_torn(torn, line=found.lines + 1)
            os.ftruncate(self._number, found.size)

    def _keep_torn(self, data: bytes, *, line: int) -> None:
        self.torn = self.store / f"torn-line-{line}.bin"
        self.torn.write_bytes(data)

    def _remember(self, exchange: Exchange, *, handed: bool = False) -> None:
        """Note what later requests of the same key must know."""
        self._count = exchange.n
        if exchange.is_faulty:
            self._tries[exchange.key] = self._tries.get(exchange.key, 0) + 1
            return
        self._tries.pop(exchange.key, None)
        if exchange.idempotency is not None:
            self._by_idempotency[exchange.key, exchange.idempotency] = exchange
        elif not (exchange.taken or handed):
            self._untaken.setdefault(exchange.key, deque()).append(exchange)

    def _kept(self, data: bytes | None, *, n: int, part: str) -> Body | None:
        if data is None:
            return None
        body = self.bodies.put(data, n=n, part=part)
        self._unsynced.append(self.bodies.path(body))
        return body

    def _append(self, line: Line) -> None:
        """Write a line with one call; what cannot be written whole is taken back."""
        raw, after = chained(line, self._chain)
        try:
            written = os.write(self._number, raw)
        except OSError as error:
            raise self._refused(error.strerror or "an error", "room for a line") from error
        if written != len(raw):
            os.ftruncate(self._number, self._size)
            raise self._refused("a disk that is full", "room for a line")
        self._chain = after
        self._size += written
        for _ in self._tree.add([leaf_hash(raw[:-1])]):
            pass

    def _refused(self, read: str, expected: str) -> RecordingError:
        return RecordingError(
            [Mistake(file=str(self.store), place="", read=read, expected=expected)],
            changed="What was recorded before stands.",
        )


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
