"""Signed notes and checkpoints, as C2SP's signed-note, tlog-checkpoint and tlog-cosignature say.

A checkpoint is a text of three lines (origin, size, root) with signature lines below it: the
log's own, and co-signatures of witnesses with their time. A note whose known signatures do not
all hold is refused whole. Nothing here reads a file or a clock.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dokja.errors import LedgerBrokenError
from dokja.evidence.ledger.keys import KeySort, SigningKey, VerifierKey
from dokja.values import Digest

__all__ = ["Checkpoint", "Signature", "checkpoint_text", "cosign", "open_note", "sign_checkpoint"]

MOST_SIGNATURES = 64
MOST_BYTES = 1 << 20

_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_ID_BYTES = 4
_TIME_BYTES = 8
_ROOT_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature that holds.

    Attributes:
        key: The key that made it.
        time: When a witness made it, as it says itself; none for a log's own signature.
    """

    key: VerifierKey
    time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log or its witnesses have signed.

    Attributes:
        origin: Name under which the log signs.
        size: How many entries the tree has.
        root: Root of the tree.
        signatures: Those of known keys; all of them hold.
    """

    origin: str
    size: int
    root: Digest
    signatures: tuple[Signature, ...] = ()

    def signed_by(self, key: VerifierKey) -> Signature | None:
        """Return the signature of this key, if it is there."""
        return next((found for found in self.signatures if found.key == key), None)


def checkpoint_text(origin: str, size: int, root: Digest) -> str:
    """Return the text of a checkpoint, which is what is signed.

    Example:
        >>> print(checkpoint_text("example.org/log", 0, Digest.of(b"")), end="")
        example.org/log
        0
        47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
    """
    return f"{origin}\n{size}\n{base64.b64encode(root.raw).decode()}\n"


def sign_checkpoint(origin: str, size: int, root: Digest, *, key: SigningKey) -> str:
    """Return the signed checkpoint.

    Raises:
        ValueError: The key is a witness's.
    """
    if key.sort is not KeySort.LOG:
        message = f"{key.name} is a witness's key; a log signs with its own"
        raise ValueError(message)
    text = checkpoint_text(origin, size, root)
    return text + "\n" + _line(key.verifier, key.sign(text.encode()))


def cosign(note: str, *, key: SigningKey, at: datetime) -> str:
    """Return the note with a witness's timestamped co-signature added.

    An older co-signature of the same key is replaced. The witness must have made sure before
    that the tree grew out of the one it saw last; see `witnesses`.

    Raises:
        ValueError: The key is a log's, `at` names no time zone, or the note has no form.
    """
    if key.sort is not KeySort.WITNESS:
        message = f"{key.name} is a log's key; a witness co-signs with its own"
        raise ValueError(message)
    if at.utcoffset() is None:
        message = f"the time {at.isoformat()} names no time zone"
        raise ValueError(message)
    text, lines = _taken_apart(note)
    seconds = int(at.astimezone(UTC).timestamp())
    signature = key.sign(_cosigned(text, seconds))
    mine = _line(key.verifier, seconds.to_bytes(_TIME_BYTES, "big") + signature)
    others = [line for line in lines if not _same_key(line, key.verifier)]
    return text + "\n" + "".join(line + "\n" for line in others) + mine


def open_note(note: str, *, keys: Sequence[VerifierKey], place: str) -> Checkpoint:
    """Return the checkpoint of a note, with the signatures of the known keys.

    Signatures of unknown keys are passed over, as the format demands. Whether those that are
    there suffice is for the caller to judge.

    Args:
        note: The whole text.
        keys: Public keys that are known; they must have gone through `keys.refuse_reused`.
        place: Where the note was read, for the error.

    Raises:
        LedgerBrokenError: It is no checkpoint, or a signature of a known key does not hold.
    """
    try:
        text, lines = _taken_apart(note)
        origin, size, root = _body(text)
    except ValueError as error:
        message = f"{place}: this is no signed checkpoint ({error}). Nothing was taken from it."
        raise LedgerBrokenError(message) from error
    known = {(key.name, key.key_id): key for key in keys}
    found = []
    for line in lines:
        name, key_id, signature = _signature(line)
        key = known.get((name, key_id))
        if key is None:
            continue
        held = _holding(key, signature, text)
        if held is None:
            message = (
                f"{place}: the signature of {name} (key id {key_id.hex()}) does not hold over this "
                f"checkpoint of size {size}. It was forged or edited. Nothing was taken from it."
            )
            raise LedgerBrokenError(message)
        found.append(held)
    return Checkpoint(origin=origin, size=size, root=root, signatures=tuple(found))


def _holding(key: VerifierKey, signature: bytes, text: str) -> Signature | None:
    """Return the signature if it holds."""
    if key.sort is KeySort.LOG:
        return Signature(key=key) if key.verifies(signature, text.encode()) else None
    seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
    if not key.verifies(signature[_TIME_BYTES:], _cosigned(text, seconds)):
        return None
    try:
        return Signature(key=key, time=datetime.fromtimestamp(seconds, tz=UTC))
    except (OverflowError, ValueError, OSError):  # a time beyond what a calendar can say
        return None


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _line(key: VerifierKey, signature: bytes) -> str:
    return f"— {key.name} {base64.b64encode(key.key_id + signature).decode()}\n"


def _taken_apart(note: str) -> tuple[str, list[str]]:
    """Return the text of a note and its signature lines."""
    if len(note) > MOST_BYTES:
        message = f"longer than {MOST_BYTES} characters"
        raise ValueError(message)
    if any(ord(sign) < ord(" ") and sign != "\n" for sign in note):
        message = "a control character stands in it"
        raise ValueError(message)
    text, parted, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not parted or lines.pop() != "" or not lines or len(lines) > MOST_SIGNATURES:
        message = f"expected a text, an empty line, and 1 to {MOST_SIGNATURES} signature lines"
        raise ValueError(message)
    for line in lines:
        _signature(line)
    return text + "\n", lines


def _signature(line: str) -> tuple[str, bytes, bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        message = f"{line!r} is no signature line"
        raise ValueError(message)
    raw = _decoded(match.group(2))
    if len(raw) <= _ID_BYTES:
        message = f"the signature of {match.group(1)} is too short"
        raise ValueError(message)
    return match.group(1), raw[:_ID_BYTES], raw[_ID_BYTES:]


def _same_key(line: str, key: VerifierKey) -> bool:
    name, key_id, _ = _signature(line)
    return (name, key_id) == (key.name, key.key_id)


def _body(text: str) -> tuple[str, int, Digest]:
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines):  # noqa: PLR2004 (origin, size, root)
        message = "expected the lines origin, size and root"
        raise ValueError(message)
    if re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]) is None:
        message = f"the size reads {lines[1]!r}"
        raise ValueError(message)
    raw = _decoded(lines[2])
    if len(raw) != _ROOT_BYTES:
        message = f"the root has {len(raw)} bytes, expected {_ROOT_BYTES}"
        raise ValueError(message)
    return lines[0], int(lines[1]), Digest(raw.hex())


def _decoded(text: str) -> bytes:
    """Return the bytes of a base64 text that is written the one canonical way."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        message = f"{text!r} is no base64 ({error})"
        raise ValueError(message) from error
    if base64.b64encode(raw).decode() != text:
        message = f"{text!r} is not the canonical base64 of its bytes"
        raise ValueError(message)
    return raw
