"""The wire form of protocol buffers, read field by field without a schema.

Only what metrics need: varints, fixed 32 and 64 bits, and length-delimited fields
(protobuf.dev/programming-guides/encoding). Nothing is allocated for what a length claims; a
length beyond the message is an error before it is believed.
"""

import struct
from collections.abc import Iterator

__all__ = ["VARINT", "WireError", "as_double", "as_float", "as_signed", "fields", "varints"]

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
_MAX_FIELDS = 1_000_000
_VARINT_BITS = 70
_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")


class WireError(ValueError):
    """These bytes are no message."""


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    r"""Yield number, wire type and value of each field, in the order in which they stand.

    Args:
        message: The bytes of one message.

    Raises:
        WireError: A field reaches beyond the message, or is of an unknown type.

    Example:
        >>> list(fields(b"\x10\x96\x01\x1a\x02hi"))
        [(2, 0, 150), (3, 2, b'hi')]
    """
    at, count, size = 0, 0, len(message)
    while at < size:
        count += 1
        if count > _MAX_FIELDS:
            raise WireError(f"more than {_MAX_FIELDS} fields")
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == VARINT:
            value, at = _varint(message, at)
        else:
            if kind == DELIMITED:
                length, at = _varint(message, at)
            elif kind in {FIXED64, FIXED32}:
                length = 8 if kind == FIXED64 else 4
            else:
                raise WireError(f"field {number} of the wire type {kind}")
            if length > size - at:
                raise WireError(f"field {number} of {length} bytes where {size - at} are left")
            value = message[at : at + length]
            at += length
        yield number, kind, value


def varints(packed: bytes) -> Iterator[int]:
    """Yield the numbers of a packed field."""
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def as_double(value: int | bytes) -> float:
    """Return a fixed 64-bit field as a number.

    Raises:
        WireError: It is of another type.
    """
    if not isinstance(value, bytes) or len(value) != _DOUBLE.size:
        raise WireError("a field that is no double")
    return float(_DOUBLE.unpack(value)[0])


def as_float(value: int | bytes) -> float:
    """Return a fixed 32-bit field as a number.

    Raises:
        WireError: It is of another type.
    """
    if not isinstance(value, bytes) or len(value) != _FLOAT.size:
        raise WireError("a field that is no float")
    return float(_FLOAT.unpack(value)[0])


def as_signed(value: int) -> int:
    """Return a varint as the signed 64-bit number that it stands for.

    Example:
        >>> as_signed(2**64 - 1)
        -1
    """
    value &= 2**64 - 1
    return value - 2**64 if value >> 63 else value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise WireError("a number that the message cuts off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  # the last byte of a number has no eighth bit
            return value, at
        shift += 7
        if shift >= _VARINT_BITS:
            raise WireError("a number of more than ten bytes")
