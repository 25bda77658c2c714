"""What a safetensors file says of itself, checked before anything is allocated.

A header is believed only after all of it is checked: its length against the file and a cap,
its JSON for one reading only, each tensor's type and shape against its bytes, and all byte
ranges together, which must cover the data exactly. Nothing here reads a tensor's values.

The layout is that of the safetensors format: eight bytes of header length (little-endian), the
header as a JSON object, then the data; https://huggingface.co/docs/safetensors describes it.
"""

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake
from dokja.values import normal_form, parse_json

__all__ = [
    "ITEM_BYTES",
    "LENGTH_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_TENSORS",
    "Header",
    "TensorInfo",
    "check_length",
    "read_header",
    "shown",
]

LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header."""

MAX_HEADER_BYTES = 100_000_000
"""Longest header that is read; the reference reader's own limit."""

MAX_TENSORS = 100_000
"""Most tensors in one file; the largest public shards hold some thousands."""

# A tensor's description needs eleven commas and colons. More of them than this cannot be a
# list of tensors, and would only make the parser allocate.
_MAX_MARKS = 16 * MAX_TENSORS
_MAX_NAME = 512
_MAX_DIMENSIONS = 8
_MAX_DIMENSION = 2**48
_MAX_OFFSET = 2**62
_MAX_SHOWN_MISTAKES = 100

ITEM_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "F64": 8,
        "F32": 4,
        "F16": 2,
        "BF16": 2,
        "I64": 8,
        "I32": 4,
        "I16": 2,
        "I8": 1,
        "U64": 8,
        "U32": 4,
        "U16": 2,
        "U8": 1,
        "BOOL": 1,
        "F8_E4M3": 1,
        "F8_E5M2": 1,
        "F8_E8M0": 1,
    }
)
"""Bytes of one value, for each type that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """What the header says of one tensor, after it was checked.

    Attributes:
        name: As it stands in the header.
        dtype: A key of `ITEM_BYTES`.
        shape: Lengths of its axes; empty for a single value.
        start: First byte of its data, counted from the end of the header.
        stop: Byte after its last.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def bytes(self) -> int:
        """How many bytes its data take."""
        return self.stop - self.start

    @property
    def parameters(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A file's tensors, or what is wrong with its header.

    Attributes:
        tensors: Every tensor whose own description is sound.
        mistakes: Everything that is wrong; a file with any is not read from.
    """

    tensors: tuple[TensorInfo, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


def shown(value: object) -> str:
    """Return a value as an error message shows it: on one line, and short.

    Example:
        >>> shown("x" * 100)
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"
    """
    # A long text or list is cut before it is written out, and an integer of thousands of
    # digits is never written out at all: Python refuses to.
    if isinstance(value, int) and not -_MAX_OFFSET < value < _MAX_OFFSET:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value[:60]) if isinstance(value, str) else f"{type(value).__name__}"
    if isinstance(value, bool | int | float) or value is None:
        text = repr(value)
    elif isinstance(value, list):
        text = "[" + ", ".join(shown(item) for item in value[:8]) + "]"
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004  # part of one line


def check_length(stated: int, *, file_bytes: int, file: str) -> Mistake | None:
    """Return what is wrong with the stated length of a header, before anything of it is read.

    Args:
        stated: What the first eight bytes say.
        file_bytes: How long the file is.
        file: What the mistake calls it.
    """
    room = file_bytes - LENGTH_BYTES
    if stated > MAX_HEADER_BYTES:
        return Mistake(
            file=file,
            place="header length",
            read=f"{stated} bytes",
            expected=f"at most {MAX_HEADER_BYTES}",
            remedy="None of it was read.",
        )
    if stated > room:
        return Mistake(
            file=file,
            place="header length",
            read=f"{stated} bytes in a file that has {room} after its first eight",
            expected="a header that lies inside the file",
            remedy="The file is cut off; fetch it again and compare its size and digest.",
        )
    if stated < 2:  # noqa: PLR2004  # the shortest JSON object is {}
        return Mistake(
            file=file,
            place="header length",
            read=f"{stated} bytes",
            expected="at least the two of an empty object",
        )
    return None


def read_header(raw: bytes, *, data_bytes: int, file: str) -> Header:
    """Return the tensors that a header describes, or everything that is wrong with it.

    Args:
        raw: The header's bytes, without the eight of its length.
        data_bytes: How many bytes follow it in the file.
        file: What mistakes call it.

    Example:
        >>> raw = b'{"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}'
        >>> read_header(raw, data_bytes=24, file="m.safetensors").tensors[0].shape
        (2, 3)
        >>> print(read_header(raw, data_bytes=20, file="m.safetensors").mistakes[0])
        m.safetensors, tensor 'w': read bytes 0 to 24 of 20; expected a range inside the data. \
The file is cut off; fetch it again and compare its size and digest.
    """
    described = _described(raw, file)
    if isinstance(described, Mistake):
        return Header(mistakes=(described,))
    mistakes = list(_metadata_mistakes(described.pop("__metadata__", None), file))
    tensors: list[TensorInfo] = []
    for name, fields in described.items():
        found = list(_tensor_mistakes(name, fields, file))
        mistakes += found
        if not found:
            start, stop = fields["data_offsets"]
            tensors.append(
                TensorInfo(
                    name=name,
                    dtype=fields["dtype"],
                    shape=tuple(fields["shape"]),
                    start=start,
                    stop=stop,
                )
            )
    # Ranges can be judged together only when every one of them is known.
    if not mistakes:
        mistakes += _range_mistakes(tensors, data_bytes, file)
    return Header(tensors=tuple(tensors), mistakes=_cut(mistakes, file))


def _described(raw: bytes, file: str) -> dict[str, Any] | Mistake:
    try:
        return _parsed(raw)
    except RecursionError:
        read = "brackets nested beyond all reason"
    except UnicodeDecodeError as error:
        read = f"a byte that is not UTF-8 at {error.start}"
    except ValueError as error:
        read = str(error)[:200]
    return Mistake(
        file=file, place="header", read=read, expected="one JSON object that names tensors"
    )


def _parsed(raw: bytes) -> dict[str, Any]:
    """Return the header's JSON object, parsed only if it cannot exhaust the memory.

    Raises:
        ValueError: What was read instead.
    """
    if raw[:1] != b"{":
        raise ValueError(f"the first byte {raw[:1]!r}")
    marks = raw.count(b",") + raw.count(b":")
    if marks > _MAX_MARKS:
        raise ValueError(f"{marks} commas and colons, more than {MAX_TENSORS} tensors need")
    described = parse_json(raw.decode("utf-8"))
    if not isinstance(described, dict):
        raise ValueError(type(described).__name__)  # noqa: TRY004  # the caller tells what it read
    if len(described) > MAX_TENSORS + 1:
        raise ValueError(f"{len(described)} tensors, more than {MAX_TENSORS}")
    return described


def _metadata_mistakes(metadata: object, file: str) -> Iterator[Mistake]:
    sound = metadata is None or (
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    )
    if not sound:
        yield Mistake(
            file=file,
            place="__metadata__",
            read=shown(metadata),
            expected="an object of texts",
        )


def _tensor_mistakes(name: str, fields: object, file: str) -> Iterator[Mistake]:
    place = f"tensor {shown(name)}"
    if (fault := _name_fault(name)) is not None:
        yield Mistake(
            file=file,
            place=place,
            read=fault,
            expected=f"a name in composed form (NFC), without control signs, of 1 to {_MAX_NAME}",
        )
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        read = ", ".join(map(shown, list(fields)[:8])) if isinstance(fields, dict) else ""
        yield Mistake(
            file=file,
            place=place,
            read=f"the keys {read}" if isinstance(fields, dict) else shown(fields),
            expected="the keys dtype, shape and data_offsets, and no others",
        )
        return
    faults = list(_field_mistakes(fields, file=file, place=place))
    yield from faults
    if not faults:
        yield from _size_mistakes(fields, file=file, place=place)


def _name_fault(name: str) -> str | None:
    if not 0 < len(name) <= _MAX_NAME:
        return f"a name of {len(name)} signs"
    if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in name):
        return "a control sign or half a surrogate pair in the name"
    if name != normal_form(name):
        return "a decomposed name (NFD)"
    return None


def _field_mistakes(fields: Mapping[str, Any], *, file: str, place: str) -> Iterator[Mistake]:
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        yield Mistake(
            file=file,
            place=f"{place}, dtype",
            read=shown(dtype),
            expected="one of " + ", ".join(ITEM_BYTES),
            remedy="Convert other types to BF16 first.",
        )
    if not _whole_numbers(shape, at_most=_MAX_DIMENSION) or len(shape) > _MAX_DIMENSIONS:
        yield Mistake(
            file=file,
            place=f"{place}, shape",
            read=shown(shape),
            expected=f"at most {_MAX_DIMENSIONS} whole numbers from 0 to 2**48",
        )
    if not _whole_numbers(offsets, at_most=_MAX_OFFSET) or len(offsets) != 2:  # noqa: PLR2004  # start and stop
        yield Mistake(
            file=file,
            place=f"{place}, data_offsets",
            read=shown(offsets),
            expected="two whole numbers, start and stop",
        )


def _whole_numbers(values: object, *, at_most: int) -> bool:
    # JSON's true is an instance of int in Python, and is no dimension.
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= at_most
        for value in values
    )


def _size_mistakes(fields: Mapping[str, Any], *, file: str, place: str) -> Iterator[Mistake]:
    start, stop = fields["data_offsets"]
    if stop < start:
        yield Mistake(
            file=file,
            place=f"{place}, data_offsets",
            read=f"[{start}, {stop}]",
            expected="a stop that is not before its start",
        )
        return
    needed = math.prod(fields["shape"]) * ITEM_BYTES[fields["dtype"]]
    if needed != stop - start:
        yield Mistake(
            file=file,
            place=place,
            read=f"shape {fields['shape']} of {fields['dtype']} in {stop - start} bytes",
            expected=f"the {shown(needed)} bytes that this shape needs",
        )


def _range_mistakes(tensors: list[TensorInfo], data_bytes: int, file: str) -> Iterator[Mistake]:
    """Find overlaps, holes and a wrong end: the ranges must cover the data exactly."""
    end = 0
    last = "the header"
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.stop)):
        place = f"tensor {shown(tensor.name)}"
        if tensor.stop > data_bytes:
            yield Mistake(
                file=file,
                place=place,
                read=f"bytes {tensor.start} to {tensor.stop} of {data_bytes}",
                expected="a range inside the data",
                remedy="The file is cut off; fetch it again and compare its size and digest.",
            )
        if tensor.start != end:
            kind = "overlap" if tensor.start < end else "hole"
            yield Mistake(
                file=file,
                place=place,
                read=f"a start at byte {tensor.start}: {kind} after {last}, which ends at {end}",
                expected="ranges that follow each other",
            )
        end = max(end, tensor.stop)
        last = place
    if end < data_bytes:
        yield Mistake(
            file=file,
            place="end",
            read=f"{data_bytes - end} bytes that no tensor claims",
            expected="a file that ends with its last tensor",
        )


def _cut(mistakes: list[Mistake], file: str) -> tuple[Mistake, ...]:
    """Keep a message readable when every one of a hundred thousand tensors is wrong."""
    more = len(mistakes) - _MAX_SHOWN_MISTAKES
    if more <= 0:
        return tuple(mistakes)
    rest = Mistake(
        file=file,
        place="header",
        read=f"{more} more mistakes like these",
        expected="none",
    )
    return (*mistakes[:_MAX_SHOWN_MISTAKES], rest)
