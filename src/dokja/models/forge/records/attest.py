"""Records as in-toto statements in signed envelopes, and what became of an envelope read back.

The statement is in-toto v1 with one subject a component, each named by two digests: `sha256` of
its file manifest and its tensor root. The envelope is DSSE v1.0, signed with Ed25519 over its
pre-authentication encoding; its bytes are canonical JSON, so that one record signed by one key
is always the same file. See github.com/in-toto/attestation and github.com/secure-systems-lab/dsse.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dokja.errors import KeyFileError, Mistake, RecordError
from dokja.models.forge.forms import strict_base64
from dokja.models.forge.records.record import BuildRecord, record_of
from dokja.models.forge.records.register import KeyRegister, KeyRole, KeyStanding
from dokja.models.forge.records.witness import key_of
from dokja.models.weights.roots import tensor_root
from dokja.values import Json, canonical_bytes, parse_json, shown
from dokja.values.keys import SigningKey

__all__ = [
    "PAYLOAD_TYPE",
    "PREDICATE_TYPE",
    "STATEMENT_TYPE",
    "Attestation",
    "attest",
    "authentication_bytes",
    "open_attestation",
    "read_attestation",
    "statement",
]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:dokja:build-record:v1"
_MAX_BYTES = 700_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """An envelope that was read.

    Attributes:
        record: What it says.
        signer: The key that signed it, as a vkey.
        holder: Whose key the register says it is; none where it does not know the key.
        standing: Whether the key counted when the run was finished, as the record says.
        signed: Whether that key signed these bytes.
    """

    record: BuildRecord
    signer: str
    holder: str | None
    standing: KeyStanding
    signed: bool

    @property
    def holds(self) -> bool:
        """Whether a known key that counts signed it, and the key is that of the named builder."""
        valid = self.signed and self.standing is KeyStanding.VALID
        return valid and self.holder == self.record.builder.name

    @property
    def reason(self) -> str:
        """Why it does not hold, as a sentence; empty where it does."""
        if not self.signed:
            return f"the signature is not one by {self.signer} over this record"
        if self.standing is KeyStanding.UNKNOWN:
            return f"the register does not know the key {self.signer}: whose it is cannot be told"
        if self.standing is not KeyStanding.VALID:
            finished = self.record.span.finished.isoformat()
            return f"the key {self.signer} is {self.standing.value} at {finished}"
        if self.holder != self.record.builder.name:
            return f"the key is {self.holder}'s, but the record names {self.record.builder.name}"
        return ""


def statement(record: BuildRecord) -> dict[str, Json]:
    """Return a record as an in-toto statement."""
    subjects: list[Json] = []
    for component in record.components:
        digests: dict[str, Json] = {"sha256": component.files.hex}
        if component.root is not None:
            digests["dokja-tensors-v1"] = tensor_root(component.root).hex
        subjects.append({"name": component.id, "digest": digests})
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": record.to_json(),
    }


def authentication_bytes(payload: bytes, *, kind: str = PAYLOAD_TYPE) -> bytes:
    """Return what a DSSE signature is over: the pre-authentication encoding (PAE).

    Example:
        >>> authentication_bytes(b"hello world", kind="http://example.com/HelloWorld")
        b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    encoded = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(encoded), encoded, len(payload), payload)


def attest(record: BuildRecord, signer: SigningKey) -> bytes:
    """Return the signed envelope of a record; equal bytes for an equal record and key."""
    payload = canonical_bytes(statement(record))
    signature = signer.sign(authentication_bytes(payload))
    envelope: dict[str, Json] = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": str(signer.verifier), "sig": base64.b64encode(signature).decode()}
        ],
    }
    return canonical_bytes(envelope) + b"\n"


def read_attestation(path: Path, *, keys: KeyRegister, seen: datetime | None = None) -> Attestation:
    """Return what became of the envelope in a file; see `open_attestation`.

    Raises:
        RecordError: It cannot be read, or is no envelope of a record.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            read = f"{path.stat().st_size} bytes"
            raise RecordError([_wrong(path.name, "", read, f"at most {_MAX_BYTES}")])
        data = path.read_bytes()
    except OSError as error:
        read = f"nothing: {error.strerror}"
        raise RecordError([_wrong(path.name, "", read, "a signed build record")]) from error
    return open_attestation(data, file=path.name, keys=keys, seen=seen)


def open_attestation(
    data: bytes, *, file: str, keys: KeyRegister, seen: datetime | None = None
) -> Attestation:
    """Return what became of an envelope: its record, its signer, and whether both count.

    An unknown or revoked key and a wrong signature are answers, not errors, so that whoever asks
    hears all that can be said.

    Args:
        data: The envelope's bytes.
        file: What mistakes call it.
        keys: Builders that are known.
        seen: When a witness saw the chain's seal; a key that was revoked later still counts.

    Raises:
        RecordError: It is no envelope with one signature, or holds no record.
    """
    envelope = _object(data, file=file, place="")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        read = shown(repr(envelope.get("payloadType")))
        raise RecordError([_wrong(file, "payloadType", read, PAYLOAD_TYPE)])
    payload = _bytes(envelope.get("payload"), file=file, place="payload")
    signature, signer = _signature(envelope.get("signatures"), file=file)
    record = _record(payload, file=file)
    try:
        signed = key_of(signer).verifies(signature, authentication_bytes(payload))
    except KeyFileError as error:
        expected = "a public key as name+id+base64"
        raise RecordError([_wrong(file, "signatures.0.keyid", str(error), expected)]) from error
    found = keys.find(signer, role=KeyRole.BUILDER)
    finished = record.span.finished
    return Attestation(
        record=record,
        signer=signer,
        holder=None if found is None else found.holder,
        standing=KeyStanding.UNKNOWN if found is None else found.standing(finished, seen=seen),
        signed=signed,
    )


def _record(payload: bytes, *, file: str) -> BuildRecord:
    said = _object(payload, file=file, place="payload")
    kind = (said.get("_type"), said.get("predicateType"))
    if kind != (STATEMENT_TYPE, PREDICATE_TYPE):
        expected = f"{STATEMENT_TYPE} and {PREDICATE_TYPE}"
        raise RecordError([_wrong(file, "payload", shown(repr(kind)), expected)])
    record = record_of(said.get("predicate"), file=file)
    if canonical_bytes(statement(record)) != payload:
        read = "other subjects than the record's components, or another writing"
        expected = "one subject a component, in canonical JSON"
        raise RecordError([_wrong(file, "payload, subject", read, expected)])
    return record


def _signature(said: Any, *, file: str) -> tuple[bytes, str]:
    one = said[0] if isinstance(said, list) and len(said) == 1 else None
    if not isinstance(one, Mapping) or set(one) != {"keyid", "sig"}:
        raise RecordError(
            [_wrong(file, "signatures", shown(repr(said)), "one signature with keyid and sig")]
        )
    if not isinstance(one["keyid"], str):
        read = shown(repr(one["keyid"]))
        raise RecordError([_wrong(file, "signatures.0.keyid", read, "a public key")])
    return _bytes(one["sig"], file=file, place="signatures.0.sig"), one["keyid"]


def _bytes(said: Any, *, file: str, place: str) -> bytes:
    try:
        return strict_base64(said if isinstance(said, str) else "*")
    except ValueError as error:
        raise RecordError([_wrong(file, place, shown(repr(said)), "Base64")]) from error


def _object(data: bytes, *, file: str, place: str) -> Mapping[str, Any]:
    try:
        said = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise RecordError([_wrong(file, place, str(error)[:200], "one JSON object")]) from error
    if not isinstance(said, Mapping):
        raise RecordError([_wrong(file, place, shown(repr(said)), "one JSON object")])
    return said


def _wrong(file: str, place: str, read: str, expected: str) -> Mistake:
    return Mistake(file=file, place=place, read=read, expected=expected)
