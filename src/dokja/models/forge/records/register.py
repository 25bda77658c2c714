"""The register of keys: which key belongs to which builder or witness, and when it counts.

It is a small TOML file that a programme keeps, `keys.toml`. A moment may be a date, which is its
first moment in UTC. A revoked key counts for what a witness saw before the revocation, and for
nothing else: whoever stole the key can write any date, but no receipt of last week.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from dokja.errors import KeyFileError, Mistake, RecordError
from dokja.values import shown, text_fault
from dokja.values.keys import VerifierKey, refuse_reused

__all__ = ["KeyRegister", "KeyRole", "KeyStanding", "RegisteredKey", "read_keys"]

SCHEMA = "dokja.keys/1"
_MAX_BYTES = 1_000_000


class KeyRole(Enum):
    """What a key is used for."""

    BUILDER = "builder"
    WITNESS = "witness"


class KeyStanding(Enum):
    """Whether a key counts for something signed at some moment."""

    VALID = "valid"
    UNKNOWN = "unknown"
    NOT_YET = "not yet valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredKey:
    """A key and whose it is.

    Attributes:
        holder: The builder's or witness's name in the programme.
        role: What it is used for.
        key: The public key.
        valid_from: First moment at which it counts.
        valid_to: First moment at which it counts no more; none if it has no end.
        revoked: When it was revoked; none if it was not.
    """

    holder: str
    role: KeyRole
    key: VerifierKey
    valid_from: datetime
    valid_to: datetime | None = None
    revoked: datetime | None = None

    def standing(self, at: datetime, *, seen: datetime | None = None) -> KeyStanding:
        """Return whether it counts.

        Args:
            at: When the signer says it signed.
            seen: When a witness saw it; None if none did.
        """
        if at < self.valid_from:
            return KeyStanding.NOT_YET
        if self.valid_to is not None and at >= self.valid_to:
            return KeyStanding.EXPIRED
        if self.revoked is not None and (seen is None or max(at, seen) >= self.revoked):
            return KeyStanding.REVOKED
        return KeyStanding.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegister:
    """Every key that is known.

    Attributes:
        keys: In the order of the file.

    Example:
        >>> register = KeyRegister(keys=())
        >>> register.standing("a+b+c", role=KeyRole.BUILDER, at=datetime.now(UTC)).value
        'unknown'
    """

    keys: tuple[RegisteredKey, ...]

    def find(self, vkey: str, *, role: KeyRole) -> RegisteredKey | None:
        """Return the key that is written so and used so; None if it is not registered."""
        for one in self.keys:
            if one.role is role and _written(one.key) == vkey:
                return one
        return None

    def standing(
        self, vkey: str, *, role: KeyRole, at: datetime, seen: datetime | None = None
    ) -> KeyStanding:
        """Return whether a key counts for something; see `RegisteredKey.standing`."""
        found = self.find(vkey, role=role)
        return KeyStanding.UNKNOWN if found is None else found.standing(at, seen=seen)


_written: Callable[[VerifierKey], str] = lru_cache(maxsize=1024)(str)
"""Every entry of a chain asks for the same few keys."""


def read_keys(path: Path) -> KeyRegister:
    """Return the register in a file.

    Raises:
        RecordError: It cannot be read or is wrong; every mistake is in it.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            read = f"{path.stat().st_size} bytes"
            raise RecordError([_wrong(path.name, "", read, f"at most {_MAX_BYTES}")])
        said = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        read = f"nothing: {error.strerror}"
        raise RecordError([_wrong(path.name, "", read, "a register of keys")]) from error
    except ValueError as error:  # also UnicodeDecodeError and TOMLDecodeError
        raise RecordError([_wrong(path.name, "", str(error), "TOML in UTF-8")]) from error
    return register_of(said, file=path.name)


def register_of(said: Mapping[str, Any], *, file: str) -> KeyRegister:
    """Return the register that a value states.

    Raises:
        RecordError: It states none; every mistake is in it.
    """
    mistakes = [
        _wrong(file, key, "a key that registers do not have", "only schema and [[key]]")
        for key in sorted(set(said) - {"schema", "key"})
    ]
    if said.get("schema") != SCHEMA:
        mistakes.append(_wrong(file, "schema", shown(repr(said.get("schema"))), SCHEMA))
    rows = said.get("key", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        mistakes.append(_wrong(file, "key", shown(repr(rows)), "tables [[key]]"))
        rows = []
    keys = []
    for number, row in enumerate(rows, start=1):
        faults = list(_row_mistakes(row, file=file, place=f"key {number}"))
        mistakes += faults
        if not faults:
            keys.append(_row(row))
    try:
        refuse_reused([one.key for one in keys])
    except KeyFileError as error:
        mistakes.append(_wrong(file, "key", str(error), "one key, one holder, one role"))
    if mistakes:
        raise RecordError(mistakes)
    return KeyRegister(keys=tuple(keys))


_NEEDED = ("holder", "role", "vkey", "from")
_ALLOWED = (*_NEEDED, "to", "revoked")


def _row_mistakes(row: Mapping[str, Any], *, file: str, place: str) -> Iterator[Mistake]:
    for name in sorted(set(row) - set(_ALLOWED)):
        yield _wrong(
            file, f"{place}, {name}", shown(repr(row[name])), "only " + ", ".join(_ALLOWED)
        )
    for name in _NEEDED:
        if name not in row:
            yield _wrong(file, f"{place}, {name}", "nothing", "this key")
    fault = text_fault(row.get("holder", "-"), name=False)
    if fault is not None:
        yield _wrong(file, f"{place}, holder", *fault)
    if row.get("role", "builder") not in {role.value for role in KeyRole}:
        yield _wrong(file, f"{place}, role", shown(repr(row["role"])), "builder or witness")
    if "vkey" in row:
        try:
            VerifierKey.parse(str(row["vkey"]))
        except KeyFileError as error:
            yield _wrong(file, f"{place}, vkey", str(error), "a public key as name+id+base64")
    yield from _span_mistakes(row, file=file, place=place)


def _span_mistakes(row: Mapping[str, Any], *, file: str, place: str) -> Iterator[Mistake]:
    for name in ("from", "to", "revoked"):
        if name in row and _moment(row[name]) is None:
            read = shown(repr(row[name]))
            yield _wrong(file, f"{place}, {name}", read, "a date, or a time with a zone")
    begin, end = _moment(row.get("from")), _moment(row.get("to"))
    if begin is not None and end is not None and end <= begin:
        yield _wrong(file, f"{place}, to", str(row["to"]), f"later than {row['from']}")


def _row(row: Mapping[str, Any]) -> RegisteredKey:
    begin = _moment(row["from"])
    return RegisteredKey(
        holder=row["holder"],
        role=KeyRole(row["role"]),
        key=VerifierKey.parse(row["vkey"]),
        valid_from=datetime.min.replace(tzinfo=UTC) if begin is None else begin,
        valid_to=_moment(row.get("to")),
        revoked=_moment(row.get("revoked")),
    )


def _moment(said: Any) -> datetime | None:
    if isinstance(said, datetime):
        return said if said.tzinfo is not None else None
    if isinstance(said, date):
        return datetime(said.year, said.month, said.day, tzinfo=UTC)
    return None


def _wrong(file: str, place: str, read: str, expected: str) -> Mistake:
    return Mistake(file=file, place=place, read=read, expected=expected)
