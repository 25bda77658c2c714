"""How the values of a record are written as JSON and read back: one form, every fault at once.

Values are frozen dataclasses. Reading is strict: no unknown key, no text for a number, and what
was read must be exactly what the value would be written as, so that one value has one text.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, PlainValidator, TypeAdapter, ValidationError

from dokja.errors import Mistake, RecordError
from dokja.models.weights.roots import tensor_root
from dokja.values import Digest, Json, canonical_bytes, shown

__all__ = [
    "STRICT",
    "Count",
    "DigestText",
    "HexText",
    "Moment",
    "RootText",
    "moment_of",
    "moment_text",
    "plain",
    "quick_bytes",
    "read_form",
    "strict_base64",
]

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
"""What every form is read with."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
# Exponents, whole floats, integers of 16 digits and more, and signs of four bytes.
_DIFFERS = re.compile(rb"\de[+-]\d|\.0[,\]}]|\.0$|(?<![.\d])\d{16}|[\xf0-\xf4]")
_LONG = b"0" * 16
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_KEY = 32
_MOST_COUNTED = 2**53

Form = TypeVar("Form")


def moment_text(at: datetime) -> str:
    """Return a moment in UTC, always of one width, so that texts sort as moments do.

    Raises:
        ValueError: It has no time zone.

    Example:
        >>> moment_text(datetime(2026, 1, 2, 12, tzinfo=UTC))
        '2026-01-02T12:00:00.000000Z'
    """
    if at.tzinfo is None:
        raise ValueError(f"a moment needs a time zone: {at}")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment_of(said: Any) -> datetime:
    """Return the moment that a text names.

    Raises:
        ValueError: It is written otherwise than `moment_text` writes it.
    """
    if isinstance(said, datetime):
        return said
    if not isinstance(said, str) or _MOMENT.fullmatch(said) is None:
        raise ValueError("not a moment such as 2026-01-02T12:00:00.000000Z")
    return datetime.fromisoformat(said)


def strict_base64(said: str) -> bytes:
    r"""Return the bytes of a Base64 text that has only one writing.

    Raises:
        ValueError: It is no Base64, or another text stands for the same bytes.

    Example:
        >>> strict_base64("AAE=")
        b'\x00\x01'
    """
    try:
        data = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not Base64") from error
    if base64.b64encode(data).decode() != said:
        raise ValueError("Base64 with bits that mean nothing")
    return data


def _digest(said: Any) -> Digest:
    if isinstance(said, Digest):
        return said
    if not isinstance(said, str):
        raise ValueError("not a digest of the form sha256:<64 hexadecimal digits>")  # noqa: TRY004  # pydantic gathers only ValueError
    return Digest.parse(said)


def _root(said: str) -> str:
    tensor_root(said)
    return said


def _hex(said: str) -> str:
    if re.fullmatch(rf"[0-9a-f]{{{2 * _KEY}}}", said) is None:
        raise ValueError(f"not {_KEY} bytes in lower-case hexadecimal digits")
    return said


def _count(said: int) -> int:
    if not 0 <= said < _MOST_COUNTED:
        raise ValueError("not a whole number from 0 that JSON holds exactly")
    return said


DigestText = Annotated[Digest, PlainValidator(_digest)]
"""A digest, written `sha256:…`."""

Moment = Annotated[datetime, PlainValidator(moment_of)]
"""A moment in UTC."""

RootText = Annotated[str, AfterValidator(_root)]
"""A tensor root, written `dokja-tensors-v1:…`."""

HexText = Annotated[str, AfterValidator(_hex)]
"""32 bytes in hexadecimal digits."""

Count = Annotated[int, AfterValidator(_count)]
"""A whole number from 0."""


def quick_bytes(value: Json) -> bytes:
    """Return the same as `canonical_bytes`, several times faster for what chains hold.

    The standard library writes JSON as RFC 8785 wants it, but for numbers that are whole floats,
    very large or very small, and for keys beyond the basic plane. Whatever might be one of these
    goes the slow way.

    Args:
        value: As it was parsed from JSON: every key is text.

    Raises:
        ValueError: It has no canonical form.

    Example:
        >>> quick_bytes({"b": 2.0, "a": 0.5})
        b'{"a":0.5,"b":2}'
    """
    try:
        data = json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
        ).encode()
    except (ValueError, TypeError):
        return canonical_bytes(value)
    return canonical_bytes(value) if _may_differ(data) else data


def _may_differ(data: bytes) -> bool:
    # Plain searches first: they cost a tenth of the pattern, and most lines hold none of these.
    flat = data.translate(_ZEROS)
    coarse = (
        b".0," in data
        or b".0]" in data
        or b".0}" in data
        or data.endswith(b".0")
        or b"0e+0" in flat
        or b"0e-0" in flat
        or _LONG in flat
        or not data.isascii()
    )
    return coarse and _DIFFERS.search(data) is not None


_names: Callable[[Any], tuple[str, ...]] = cache(
    lambda form: tuple(item.name for item in fields(form))
)


def plain(value: Any) -> Json:
    """Return a form, or what stands in one, as JSON.

    Example:
        >>> plain({"of": (Digest.of(b""), 1.5)})["of"][1]
        1.5
    """
    match value:
        case Enum():
            found: Json = value.value
        case str() | int() | float() | None:
            found = value
        case Digest():
            found = str(value)
        case datetime():
            found = moment_text(value)
        case Mapping():
            found = {key: plain(item) for key, item in value.items()}
        case tuple() | list():
            found = [plain(item) for item in value]
        case _:
            found = {name: plain(getattr(value, name)) for name in _names(type(value))}
    return found


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def read_form(kind: type[Form], said: Any, *, file: str, place: str = "") -> Form:
    """Return the form that a JSON value states.

    Args:
        kind: Which form.
        said: The value.
        file: What mistakes call the place it was read from.
        place: Where in it.

    Raises:
        RecordError: It states none; every mistake is in it.
    """
    prefix = [place] if place else []
    try:
        text = quick_bytes(said)
    except ValueError as error:
        wrong = Mistake(file=file, place=place, read=str(error), expected="canonical JSON")
        raise RecordError([wrong]) from error
    try:
        found: Form = _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise RecordError(
            [
                Mistake(
                    file=file,
                    place=", ".join([*prefix, ".".join(map(str, one["loc"]))]) or "value",
                    read=shown(repr(one["input"])),
                    expected=_expected(one["type"], one["msg"]),
                )
                for one in error.errors(include_url=False)
            ]
        ) from error
    if plain(found) != said:
        raise RecordError(
            [
                Mistake(
                    file=file,
                    place=place,
                    read="another writing of the same value",
                    expected="every value in its one form, and no key left out",
                )
            ]
        )
    return found


def _expected(sort: str, said: str) -> str:
    if sort == "unexpected_keyword_argument":
        return "only the keys of this form"
    if sort == "missing":
        return "this key"
    return said.removeprefix("Value error, ").removeprefix("Input should be ")
