"""One value, one sequence of bytes: canonical JSON after RFC 8785.

What is signed, hashed or replayed goes through here, so that two machines that hold the same
value hold the same bytes. NaN and infinities have no canonical form and are refused.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import rfc8785

__all__ = ["Json", "canonical_bytes", "parse_json"]

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
"""A JSON value."""

_BEYOND = 2**53
_QUICK = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def canonical_bytes(value: Json) -> bytes:
    """Return the RFC 8785 bytes of a JSON value.

    Args:
        value: Text, numbers, booleans, null, lists and string-keyed mappings of these.

    Raises:
        ValueError: It holds NaN, an infinity, an integer beyond 2**53 - 1, a key that is no
            text, a lone surrogate, or something that JSON does not know.

    Example:
        >>> canonical_bytes({"b": 1.0, "a": "독자"}).decode()
        '{"a":"독자","b":1}'
    """
    if _is_plain(value):
        try:
            return _QUICK(value).encode()
        except UnicodeEncodeError:
            pass  # a lone surrogate: the slow way says so
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        message = f"this value has no canonical JSON form: {error}"
        raise ValueError(message) from error


def _is_plain(value: object) -> bool:
    """Tell whether the standard library writes a value as RFC 8785 does, and much quicker.

    It does for texts, whole numbers that are safe, and what is made of them: floats it writes
    otherwise, and keys beyond ASCII it sorts otherwise.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -_BEYOND < value < _BEYOND  # type: ignore[operator]  # an int, as was just seen
    if kind is dict:
        return all(
            type(key) is str and key.isascii() and _is_plain(inner)
            for key, inner in value.items()  # type: ignore[attr-defined]  # a dict likewise
        )
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))  # type: ignore[call-overload]  # a list likewise
    return False


def parse_json(data: bytes | str) -> Any:
    """Return the value of a JSON text, refusing what would have two readings.

    Raises:
        ValueError: It is no JSON, is not UTF-8, names one key twice in an object, or holds
            NaN or an infinity.

    Example:
        >>> parse_json('{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
    """
    return json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            message = f"the key {key!r} stands twice in one object"
            raise ValueError(message)
        found[key] = value
    return found


def _refuse_constant(constant: str) -> NoReturn:
    message = f"{constant} is not a number that can be judged"
    raise ValueError(message)
