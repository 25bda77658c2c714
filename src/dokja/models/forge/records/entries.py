"""Entries of a chain and the lines they stand on.

An entry is `{n, prev, kind, at, body}` in canonical JSON; `prev` is the SHA-256 of the entry
before it. Its line holds the entry, the builder's signature over the entry's bytes, the signer's
public key, and the receipt if there was one at once. A receipt that comes later stands on a line
of its own, `{"n": …, "receipt": …}`, so that the file only ever grows.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import with_config

from dokja.errors import Mistake, RecordError
from dokja.models.forge.forms import (
    STRICT,
    Count,
    moment_of,
    moment_text,
    plain,
    quick_bytes,
    read_form,
    strict_base64,
)
from dokja.models.forge.records.bodies import KINDS, Body, kind_of
from dokja.models.forge.records.witness import Receipt
from dokja.values import Digest, Json, canonical_bytes, shown

__all__ = ["START", "Entry", "LateReceipt", "Link", "entry_bytes", "read_line"]

START = Digest("0" * 64)
"""What the first entry names as its predecessor."""

SIGNED = b"dokja-chain-entry-v1\n"
"""Stands before an entry's bytes where they are signed, so that it signs nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that a run said.

    Attributes:
        n: Its place in the chain, from 0.
        prev: Digest of the entry before it.
        at: When, by the builder's clock.
        body: What it says.
    """

    n: int
    prev: Digest
    at: datetime
    body: Body

    @property
    def kind(self) -> str:
        """Its kind, such as `metrics`."""
        return kind_of(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An entry as it stands in the file.

    Attributes:
        entry: What it says.
        raw: Its canonical bytes.
        signature: Base64 of the builder's Ed25519 signature.
        signer: The builder's public key, as a vkey.
        receipt: What the witness said; none while it said nothing.
        line: On which line it stands, from 1.
    """

    entry: Entry
    raw: bytes
    signature: str
    signer: str
    receipt: Receipt | None
    line: int

    @property
    def digest(self) -> Digest:
        """SHA-256 of the entry's bytes: what the next entry and the receipt name."""
        return Digest.of(self.raw)

    def to_line(self) -> bytes:
        """Return its line, with the line's end."""
        receipt = b"null" if self.receipt is None else self.receipt.to_bytes()
        signature, signer = canonical_bytes(self.signature), canonical_bytes(self.signer)
        return b'{"entry":%b,"receipt":%b,"signature":%b,"signer":%b}\n' % (
            self.raw,
            receipt,
            signature,
            signer,
        )


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class LateReceipt:
    """A receipt that came after its entry was written."""

    n: Count
    receipt: Receipt

    def to_line(self) -> bytes:
        """Return its line, with the line's end."""
        return canonical_bytes(plain(self)) + b"\n"


def entry_bytes(entry: Entry) -> bytes:
    """Return an entry in canonical JSON (RFC 8785)."""
    said: dict[str, Json] = {
        "n": entry.n,
        "prev": str(entry.prev),
        "kind": entry.kind,
        "at": moment_text(entry.at),
        "body": plain(entry.body),
    }
    return canonical_bytes(said)


def read_line(line: bytes, *, file: str, number: int) -> Link | LateReceipt:
    """Return what one line of a chain holds.

    Args:
        line: Without the line's end.
        file: What mistakes call the chain.
        number: Which line it is, from 1.

    Raises:
        RecordError: It is no line of a chain, or is written otherwise than the forge writes it.
    """
    place = f"line {number}"
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError([_wrong(file, place, str(error), "one JSON object")]) from error
    if not isinstance(said, dict) or set(said) not in _KEYS:
        read = shown(repr(said))
        raise RecordError([_wrong(file, place, read, "an entry with its signature")])
    try:
        # Also finds a key that stands twice, since only one of the two was read.
        same = quick_bytes(said) == line
    except ValueError as error:
        raise RecordError([_wrong(file, place, str(error), "canonical JSON")]) from error
    if not same:
        raise RecordError([_wrong(file, place, "another writing", "canonical JSON (RFC 8785)")])
    if "n" in said:
        return read_form(LateReceipt, said, file=file, place=place)
    return _link(said, file=file, number=number)


_MOST_ENTRIES = 2**53
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEYS = ({"n", "receipt"}, {"entry", "receipt", "signature", "signer"})


def _link(said: dict[str, Any], *, file: str, number: int) -> Link:
    place = f"line {number}"
    entry, signature, signer = said["entry"], said["signature"], said["signer"]
    if not isinstance(entry, dict) or set(entry) != {"n", "prev", "kind", "at", "body"}:
        raise RecordError(
            [_wrong(file, f"{place}, entry", shown(repr(entry)), "n, prev, kind, at and body")]
        )
    kind = KINDS.get(entry["kind"]) if isinstance(entry["kind"], str) else None
    if kind is None:
        raise RecordError(
            [
                _wrong(
                    file, f"{place}, kind", shown(repr(entry["kind"])), "one of " + ", ".join(KINDS)
                )
            ]
        )
    body = read_form(kind, entry["body"], file=file, place=f"{place}, body")
    faults = [*_outer_faults(entry, signature, signer)]
    if faults:
        raise RecordError([_wrong(file, f"{place}, {key}", *fault) for key, fault in faults])
    read = Entry(
        n=entry["n"], prev=Digest.parse(entry["prev"]), at=moment_of(entry["at"]), body=body
    )
    raw = quick_bytes(entry)
    receipt = said["receipt"]
    return Link(
        entry=read,
        raw=raw,
        signature=signature,
        signer=signer,
        receipt=None
        if receipt is None
        else read_form(Receipt, receipt, file=file, place=f"{place}, receipt"),
        line=number,
    )


def _outer_faults(
    entry: Mapping[str, Any], signature: Any, signer: Any
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield which key holds what, and what it should hold."""
    n, prev, at = entry["n"], entry["prev"], entry["at"]
    if type(n) is not int or not 0 <= n < _MOST_ENTRIES:
        yield "n", (shown(repr(n)), "a whole number from 0")
    if not isinstance(prev, str) or _DIGEST.fullmatch(prev) is None:
        yield "prev", (shown(repr(prev)), "sha256: and 64 hexadecimal digits")
    try:
        moment_of(at)
    except ValueError as error:
        yield "at", (shown(repr(at)), str(error).removeprefix("not "))
    try:
        strict_base64(str(signature))
    except ValueError:
        yield "signature", (shown(repr(signature)), "Base64")
    if not isinstance(signer, str):
        yield "signer", (shown(repr(signer)), "a public key as name+id+base64")


def _wrong(file: str, place: str, read: str, expected: str) -> Mistake:
    return Mistake(
        file=file,
        place=place,
        read=read,
        expected=expected,
        remedy="The file was changed after it was written: restore it from a copy.",
    )
