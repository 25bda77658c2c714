"""Sealed fields: a salted commitment stands where a value stays secret.

The commitment is the SHA-256 digest of the canonical form of the field's name, the salt and the
value. Without the salt it tells nothing, even of a name out of a short list; with it, an
unsealing can be checked by anyone. Salts and values are kept outside the ledger, so that
personal text can be erased there while the chain stays whole.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import LedgerBrokenError, LedgerError, LedgerWriteError
from dokja.evidence.ledger.entries import Entry
from dokja.values import Digest, Json, canonical_bytes, parse_json

__all__ = [
    "SALT_BYTES",
    "UNSEAL",
    "SealFolder",
    "commitment",
    "is_sealed",
    "seal",
    "unseal_fault",
    "unseals",
]

UNSEAL = "unseal"
SALT_BYTES = 32

_LEAST_SALT_BYTES = 16
_VERSION = "dokja.seal/1"


def commitment(value: Json, *, salt: bytes, field: str) -> Digest:
    """Return the digest that commits to a value without telling it.

    Args:
        value: The value, as JSON.
        salt: At least 16 random bytes, used for this field only.
        field: The field's place in the body, such as `reviewer` or `members.0.name`.

    Raises:
        ValueError: The salt is too short, or the value has no canonical form.
    """
    if len(salt) < _LEAST_SALT_BYTES:
        message = f"a salt of {len(salt)} bytes can be guessed; use {SALT_BYTES} random bytes"
        raise ValueError(message)
    return Digest.of(
        canonical_bytes({"field": field, "salt": salt.hex(), "seal": _VERSION, "value": value})
    )


def seal(value: Json, *, salt: bytes, field: str) -> dict[str, Json]:
    """Return what stands in the body instead of the value.

    Raises:
        ValueError: The salt is too short, or the value has no canonical form.

    Example:
        >>> seal("reviewer-3", salt=bytes(32), field="reviewer")["sealed"][:14]
        'sha256:03d6776'
    """
    return {"sealed": str(commitment(value, salt=salt, field=field))}


def is_sealed(value: Json) -> bool:
    """Tell whether a commitment stands here."""
    return isinstance(value, Mapping) and value.keys() == {"sealed"}


def unseals(sealed: Json, *, value: Json, salt: bytes, field: str) -> bool:
    """Tell whether this value and salt are what was committed to.

    Example:
        >>> sealed = seal("reviewer-3", salt=bytes(32), field="reviewer")
        >>> [unseals(sealed, value=name, salt=bytes(32), field="reviewer")
        ...  for name in ("reviewer-3", "reviewer-4")]
        [True, False]
    """
    return (
        isinstance(sealed, Mapping)
        and is_sealed(sealed)
        and sealed["sealed"] == str(commitment(value, salt=salt, field=field))
    )


def unseal_fault(body: Mapping[str, Json], *, target: Entry | None) -> tuple[str, str, str] | None:
    """Return what is wrong between an unsealing and the entry that it names, if anything.

    Args:
        body: Body of the `unseal` entry: `entry`, `field`, `value`, `salt` in hexadecimal.
        target: The entry of the id that it names, from before it; none if absent.

    Returns:
        The key, what was read there, and what was expected.
    """
    named, field = str(body.get("entry")), str(body.get("field"))
    if target is None:
        return "entry", repr(named), "the id of an entry that stands in the ledger already"
    sealed = _at(target.body, field)
    if not is_sealed(sealed):
        return "field", repr(field), f"the place of a sealed field in entry {target.seq} ({named})"
    try:
        salt = bytes.fromhex(str(body.get("salt")))
        right = unseals(sealed, value=body.get("value"), salt=salt, field=field)
    except ValueError as error:
        return "salt", str(error), f"{SALT_BYTES} bytes in hexadecimal"
    if not right:
        return "value", "a value and salt", f"those that entry {target.seq} ({named}) commits to"
    return None


def _at(body: Json, field: str) -> Json:
    """Return what stands at a dotted place, or nothing."""
    for step in field.split("."):
        if isinstance(body, Mapping):
            body = body.get(step)
        elif isinstance(body, list | tuple) and step.isdecimal() and int(step) < len(body):
            body = body[int(step)]
        else:
            return None
    return body


@dataclass(frozen=True, slots=True)
class SealFolder:
    """Where salts and sealed values are kept until they are published or erased.

    One file per commitment, readable by its owner only. The folder is never exported.
    """

    path: Path

    def keep(self, value: Json, *, salt: bytes, field: str) -> dict[str, Json]:
        """Keep the value and its salt; return what stands in the body instead.

        Raises:
            LedgerWriteError: It cannot be kept; nothing must then be sealed with it.
            ValueError: The salt is too short, or the value has no canonical form.
        """
        sealed = seal(value, salt=salt, field=field)
        kept = {"field": field, "salt": salt.hex(), "seal": _VERSION, "value": value}
        file = self._file(Digest.parse(str(sealed["sealed"])))
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(canonical_bytes(kept))
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            message = f"{file}: the sealed value could not be kept ({error}). Nothing was appended."
            raise LedgerWriteError(message) from error
        return sealed

    def unsealing(self, sealed: Mapping[str, Json], *, entry: str) -> dict[str, Json]:
        """Return the body of the entry that publishes a sealed field.

        Args:
            sealed: What stands in the body, `{"sealed": …}`.
            entry: Id of the entry in which it stands.

        Raises:
            LedgerError: Its salt is not kept here, or was erased.
            LedgerBrokenError: What is kept is not what was committed to.
        """
        digest = Digest.parse(str(sealed["sealed"]))
        file = self._file(digest)
        try:
            kept = parse_json(file.read_bytes())
            field, salt, value = kept["field"], bytes.fromhex(kept["salt"]), kept["value"]
            right = commitment(value, salt=salt, field=field) == digest
        except OSError as error:
            message = f"{file}: the salt is not kept here, or was erased ({error})"
            raise LedgerError(message) from error
        except (ValueError, KeyError, TypeError) as error:
            message = f"{file}: this is no kept seal ({error}). Nothing was changed."
            raise LedgerBrokenError(message) from error
        if not right:
            message = f"{file}: this is not what was committed to. Nothing was changed."
            raise LedgerBrokenError(message)
        return {"entry": entry, "field": field, "value": value, "salt": salt.hex()}

    def erase(self, sealed: Mapping[str, Json]) -> bool:
        """Erase the value and salt of a commitment; tell whether they were there.

        The chain stays whole, and nobody can show any more what was committed to.
        """
        file = self._file(Digest.parse(str(sealed["sealed"])))
        was_there = file.exists()
        file.unlink(missing_ok=True)
        return was_there

    def _file(self, digest: Digest) -> Path:
        return self.path / f"{digest.hex}.json"
