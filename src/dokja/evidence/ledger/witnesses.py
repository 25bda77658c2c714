"""Witnesses: keys outside the programme that remember what the ledger once was.

A witness keeps one file, the last checkpoint that it co-signed, outside the programme folder or
published at an address. It co-signs a larger tree only if that tree grew out of the one it
remembers. Whoever cuts the ledger's tail or rewrites its history is then contradicted by it.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from dokja.errors import KeyFileError, LedgerBrokenError, LedgerError, LedgerWriteError
from dokja.evidence.ledger.keys import KeySort, SigningKey, VerifierKey, refuse_reused
from dokja.evidence.ledger.notes import MOST_BYTES, Checkpoint, cosign, open_note
from dokja.values.trees import EMPTY_ROOT, is_consistent

__all__ = ["Grown", "Witness", "co_sign", "fetch", "is_address", "is_outside", "write_note"]

_TIMEOUT_SECONDS = 20.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who watches a ledger, and where it publishes what it saw.

    Attributes:
        key: The witness's public key.
        at: A path outside the programme folder, or an `https://` address, of a co-signed
            checkpoint. A path that is not absolute starts at the programme folder.
    """

    key: VerifierKey
    at: str


class Grown(Protocol):
    """What a witness asks of a ledger."""

    @property
    def origin(self) -> str:
        """The name under which it signs."""

    def consistency_proof(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """Return the proof that it grew from `old` to `new` entries."""


def is_address(at: str) -> bool:
    """Tell whether this is an address on the web and no path."""
    return at.startswith(("https://", "http://"))


def is_outside(path: Path, *, folder: Path) -> bool:
    """Tell whether a file lies outside a folder, links resolved.

    A witness inside the folder could be rewritten along with the ledger.
    """
    return not path.resolve().is_relative_to(folder.resolve())


def fetch(at: str, *, folder: Path) -> str:
    """Return the note that a witness published.

    Args:
        at: Where; see `Witness.at`.
        folder: The programme folder, at which relative paths start.

    Raises:
        LedgerError: It cannot be reached or read, is too long, or lies inside the folder.
    """
    if is_address(at):
        return _fetch_address(at)
    path = folder / at
    if not is_outside(path, folder=folder):
        message = f"{path}: a witness inside the programme folder vouches for nothing; move it out"
        raise LedgerError(message)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        message = f"{path}: the witness's checkpoint cannot be read ({error.strerror})"
        raise LedgerError(message) from error
    return _decoded(data, at=str(path))


class _NoRedirects(HTTPRedirectHandler):
    """An address that points elsewhere is refused: nobody said that elsewhere may be asked."""

    def redirect_request(self, *_: object) -> None:
        return None


def _fetch_address(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError as error:
        message = f"{address}: this is no address ({error})"
        raise LedgerError(message) from error
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        message = f"{address}: a witness is asked over https only"
        raise LedgerError(message)
    request = Request(address, headers={"Accept": "text/plain"})  # noqa: S310 (scheme checked above)
    try:
        with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_SECONDS) as answer:
            if answer.status != HTTPStatus.OK:
                message = f"{address}: the witness answered {answer.status}"
                raise LedgerError(message)
            data = answer.read(MOST_BYTES + 1)
    except (URLError, OSError, ValueError) as error:
        message = f"{address}: the witness cannot be reached ({error})"
        raise LedgerError(message) from error
    return _decoded(data, at=address)


def _decoded(data: bytes, *, at: str) -> str:
    if len(data) > MOST_BYTES:
        message = f"{at}: longer than {MOST_BYTES} bytes; this is no checkpoint"
        raise LedgerError(message)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"{at}: this is no UTF-8 and so no checkpoint"
        raise LedgerBrokenError(message) from error


def co_sign(
    note: str,
    *,
    ledger: Grown,
    key: SigningKey,
    log_keys: Sequence[VerifierKey],
    seen: str | None,
    at: datetime,
) -> str:
    """Return the note co-signed, if the tree grew out of the one that the witness saw last.

    Args:
        note: A checkpoint signed by the log.
        ledger: Answers with the consistency proof; it is not trusted.
        key: The witness's secret key.
        log_keys: The log's public keys.
        seen: The note that this witness co-signed last; none for the first.
        at: When, by the witness's clock.

    Raises:
        LedgerBrokenError: The note is not the log's, is of another log, or its tree is smaller
            than the one seen last, or did not grow out of it.
        KeyFileError: The witness's key is the log's, or no witness's key.
    """
    if key.sort is not KeySort.WITNESS:
        message = f"{key.name}: this is a log's key; a witness needs its own. Nothing was signed."
        raise KeyFileError(message)
    refuse_reused([*log_keys, key.verifier])
    offered = open_note(note, keys=log_keys, place="the offered checkpoint")
    if offered.origin != ledger.origin or not offered.signatures:
        message = (
            f"the offered checkpoint of {offered.origin} is not signed by a key of the log "
            f"{ledger.origin}. Nothing was signed."
        )
        raise LedgerBrokenError(message)
    if seen is not None:
        known = [*log_keys, key.verifier]
        last = open_note(seen, keys=known, place="the witness's last checkpoint")
        if last.signed_by(key.verifier) is None:
            message = (
                "the witness's last checkpoint is not co-signed by its key. Nothing was signed."
            )
            raise LedgerBrokenError(message)
        _refuse_unless_grown(last, offered, ledger=ledger)
    elif offered.size == 0 and offered.root.raw != EMPTY_ROOT:
        message = "the offered checkpoint gives an empty tree a root that it cannot have"
        raise LedgerBrokenError(message)
    return cosign(note, key=key, at=at)


def _refuse_unless_grown(last: Checkpoint, offered: Checkpoint, *, ledger: Grown) -> None:
    if last.origin != offered.origin:
        message = f"the witness watches {last.origin}, not {offered.origin}. Nothing was signed."
        raise LedgerBrokenError(message)
    if offered.size < last.size:
        message = (
            f"{offered.origin}: the witness saw {last.size} entries, and is now shown "
            f"{offered.size}: the tail from entry {offered.size} on was cut. Nothing was signed."
        )
        raise LedgerBrokenError(message)
    path = ledger.consistency_proof(last.size, offered.size)
    grown = is_consistent(
        last.root.raw, offered.root.raw, old=last.size, new=offered.size, path=path
    )
    if not grown:
        message = (
            f"{offered.origin}: the tree of {offered.size} entries did not grow out of the tree "
            f"of {last.size} that the witness saw: history before entry {last.size} was "
            "rewritten. Nothing was signed."
        )
        raise LedgerBrokenError(message)


def write_note(path: Path, note: str) -> None:
    """Write a note to a file in one step: a reader sees the old one or the new one.

    Raises:
        LedgerWriteError: It cannot be written; the old one stays.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        part = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        message = (
            f"{path}: the checkpoint could not be written ({error.strerror}); the old one stays"
        )
        raise LedgerWriteError(message) from error
