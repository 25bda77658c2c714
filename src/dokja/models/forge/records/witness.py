"""Witnesses: who say when they saw an entry, and so keep history from being written afterwards.

A witness signs the digest of the entry with its own clock and counts what it saw. It may be
down: then it answers nothing, and training goes on. A witness that is asked again about bytes it
has seen must give the first receipt again, so that a builder that was killed between asking and
writing down the answer makes no second history.
"""

import base64
import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from pydantic import with_config

from dokja.errors import KeyFileError, Mistake, RecordError
from dokja.models.forge.forms import (
    STRICT,
    Count,
    DigestText,
    Moment,
    moment_text,
    plain,
    quick_bytes,
    read_form,
    strict_base64,
)
from dokja.values import Digest, Json, parse_json
from dokja.values.keys import SigningKey, VerifierKey

__all__ = ["LocalWitness", "Receipt", "Witness", "issue_receipt", "key_of"]

_SIGNED = b"dokja-receipt-v1\n"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a witness says about an entry.

    Attributes:
        witness: The witness's public key, as a vkey.
        entry: SHA-256 of the entry's bytes.
        seq: How many entries the witness had seen before.
        at: When, by the witness's clock.
        proof: What the witness adds, such as a checkpoint and an inclusion proof; may be empty.
        signature: Ed25519 over all of the above, Base64.
    """

    witness: str
    entry: DigestText
    seq: Count
    at: Moment
    proof: Mapping[str, Any] = field(default_factory=dict)
    signature: str

    def to_bytes(self) -> bytes:
        """Return the receipt in canonical JSON: what seeds and draws are made from."""
        return quick_bytes(plain(self))

    def is_signed(self) -> bool:
        """Tell whether the key that it names signed it; who holds that key is another question."""
        try:
            signature = strict_base64(self.signature)
            return key_of(self.witness).verifies(signature, _signed_bytes(self))
        except (KeyFileError, ValueError):
            return False


class Witness(Protocol):
    """Someone who sees entries and says when."""

    name: str

    def submit(self, entry: bytes) -> Receipt | None:
        """Return the receipt of an entry, the first one if it was seen before; None when down."""
        ...


@lru_cache(maxsize=64)
def key_of(vkey: str) -> VerifierKey:
    """Return the key that is written as a vkey.

    Raises:
        KeyFileError: It is no vkey.
    """
    return VerifierKey.parse(vkey)


def issue_receipt(
    entry: bytes,
    key: SigningKey,
    *,
    seq: int,
    at: datetime,
    proof: Mapping[str, Any] | None = None,
) -> Receipt:
    """Return a signed receipt of an entry.

    Args:
        entry: The entry's bytes.
        key: The witness's key.
        seq: How many entries it had seen before.
        at: When, by its clock.
        proof: What it adds.

    Example:
        >>> from datetime import UTC
        >>> key = SigningKey("example.org/witness", bytes(32))
        >>> issue_receipt(b"{}", key, seq=0, at=datetime(2026, 1, 2, tzinfo=UTC)).is_signed()
        True
    """
    receipt = Receipt(
        witness=str(key.verifier),
        entry=Digest.of(entry),
        seq=seq,
        at=at,
        proof={} if proof is None else proof,
        signature="",
    )
    signature = key.sign(_signed_bytes(receipt))
    return replace(receipt, signature=base64.b64encode(signature).decode())


def _signed_bytes(receipt: Receipt) -> bytes:
    # What `plain` makes of it; written out, since chains hold thousands.
    said: dict[str, Json] = {
        "witness": receipt.witness,
        "entry": str(receipt.entry),
        "seq": receipt.seq,
        "at": moment_text(receipt.at),
        "proof": plain(receipt.proof),
        "signature": "",
    }
    return _SIGNED + quick_bytes(said)


class LocalWitness:
    """A witness on the builder's own machine, with a journal outside the run's folder.

    It shows that entries were made in order and when, to whoever trusts the machine's clock and
    the holder of the key: it is for trying things out, and no outside witness.

    Args:
        journal: Its file of receipts, one a line; it only grows.
        key: Its key.
        clock: Its clock.
    """

    def __init__(self, journal: Path, *, key: SigningKey, clock: Callable[[], datetime]) -> None:
        self.name = key.name
        self._journal = journal
        self._key = key
        self._clock = clock
        self._seen: dict[str, Receipt] = {}
        self._read_to = 0

    def submit(self, entry: bytes) -> Receipt:
        """Return the receipt of an entry, the first one if it was seen before.

        Raises:
            RecordError: The journal is damaged or cannot be written.
        """
        try:
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            number = os.open(self._journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(number, "r+b", buffering=0) as file:
                fcntl.flock(number, fcntl.LOCK_EX)
                self._read(number)
                digest = str(Digest.of(entry))
                if digest not in self._seen:
                    self._write(file.fileno(), entry)
                return self._seen[digest]
        except OSError as error:
            raise RecordError([self._mistake("", f"nothing: {error.strerror}")]) from error

    def _write(self, number: int, entry: bytes) -> None:
        receipt = issue_receipt(entry, self._key, seq=len(self._seen), at=self._clock())
        line = receipt.to_bytes() + b"\n"
        written = os.write(number, line)
        while written < len(line):  # a full disk says so at the second try
            written += os.write(number, line[written:])
        os.fsync(number)
        self._seen[str(receipt.entry)] = receipt
        self._read_to += len(line)

    def _read(self, number: int) -> None:
        """Read what was added since the last time, and cut off half a line of a killed process."""
        data = os.pread(number, max(0, os.fstat(number).st_size - self._read_to), self._read_to)
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) != len(data):
            os.ftruncate(number, self._read_to + len(whole))
        for line in whole.splitlines():
            place = f"receipt {len(self._seen) + 1}"
            try:
                said = parse_json(line)
            except ValueError as error:
                raise RecordError([self._mistake(place, str(error))]) from error
            receipt = read_form(Receipt, said, file=self._journal.name, place=place)
            if not receipt.is_signed() or receipt.seq != len(self._seen):
                raise RecordError([self._mistake(place, "a receipt that was changed")])
            self._seen[str(receipt.entry)] = receipt
        self._read_to += len(whole)

    def _mistake(self, place: str, read: str) -> Mistake:
        return Mistake(
            file=self._journal.name,
            place=place,
            read=read,
            expected="the journal of this witness, as it wrote it",
            remedy="Restore it from a copy; a new journal would contradict the old receipts.",
        )
