"""What a GGUF file says of itself, checked before anything is allocated.

Counts, lengths and nesting are capped, keys and names are read once, alignment is a power of
two, a row is a whole number of blocks, and the tensors' ranges follow each other inside the
file, with nothing between them but padding. Nothing here reads a tensor's values.

The layout is that of versions 2 and 3 of the format, which ggml's `docs/gguf.md` describes.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.gguf_cursor import Cursor
from dokja.models.weights.gguf_grids import GGUF_GRIDS, GGUF_TYPES
from dokja.models.weights.headers import MAX_TENSORS, TensorInfo, shown
from dokja.models.weights.held import OpenedFile

__all__ = ["MAGIC", "Fact", "GgufHeader", "read_gguf_header"]

Fact: TypeAlias = bool | int | float | str | tuple[bool | int | float, ...] | tuple[str, ...]

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MAX_FACTS = 10_000
_MAX_NAME = 512
_MAX_KEY = 65_535
_MAX_ITEMS = 1 << 21
_MAX_KEPT_NUMBERS = 4096
_MAX_DIMENSIONS = 4
_MAX_DIMENSION = 2**48
_MAX_ALIGNMENT = 1 << 20
_DEFAULT_ALIGNMENT = 32
_MAX_SHOWN = 100
_TOKENS = "tokenizer.ggml.tokens"
_BOOL, _STRING, _ARRAY = 7, 8, 9
_NUMBERS: Mapping[int, str] = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    _BOOL: "<B",
    10: "<Q",
    11: "<q",
    12: "<d",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """A file's tensors and facts, or what is wrong with its header.

    Attributes:
        tensors: Every tensor; shapes as numpy has them, the row's length last.
        facts: Keys and values; of arrays only the tokens and short lists of numbers.
        data_start: Byte of the file from which the tensors' ranges count.
        mistakes: Everything that is wrong; a file with any is not read from.
    """

    tensors: tuple[TensorInfo, ...] = ()
    facts: Mapping[str, Fact]
    data_start: int = 0
    mistakes: tuple[Mistake, ...] = ()


def read_gguf_header(file: OpenedFile) -> GgufHeader:
    """Return what a GGUF file says that it holds, or everything that is wrong with it.

    Raises:
        WeightsError: The file changed while its header was read.
    """
    cursor = Cursor(file)
    try:
        count, facts = _facts(cursor)
        tensors, mistakes = _tensors(cursor, count, file=file.shown)
    except WeightsError as error:
        return GgufHeader(facts={}, mistakes=error.mistakes)
    align = facts.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not _is_alignment(align):
        mistakes.append(
            Mistake(
                file=file.shown,
                place="general.alignment",
                read=shown(align),
                expected=f"a power of two of at most {_MAX_ALIGNMENT}",
            )
        )
        return GgufHeader(facts=facts, mistakes=tuple(mistakes[:_MAX_SHOWN]))
    start = -(-cursor.at // align) * align
    if not mistakes:
        mistakes += _range_mistakes(tensors, file.bytes - start, align=align, file=file.shown)
    return GgufHeader(
        tensors=() if mistakes else tuple(tensors),
        facts=facts,
        data_start=start,
        mistakes=tuple(mistakes[:_MAX_SHOWN]),
    )


def _is_alignment(align: Fact) -> TypeGuard[int]:
    return (
        isinstance(align, int)
        and not isinstance(align, bool)
        and 0 < align <= _MAX_ALIGNMENT
        and align & (align - 1) == 0
    )


def _facts(cursor: Cursor) -> tuple[int, dict[str, Fact]]:
    if (magic := cursor.take(4)) != MAGIC:
        raise cursor.fault(f"the first bytes {magic!r}", f"{MAGIC!r}")
    version = cursor.number("<I")
    if version not in _VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        big = " in big-endian order" if swapped in _VERSIONS else ""
        raise cursor.fault(
            f"version {swapped if big else version}{big}", "version 2 or 3, little-endian"
        )
    tensors, facts = cursor.number("<Q"), cursor.number("<Q")
    if tensors > MAX_TENSORS or facts > _MAX_FACTS:
        raise cursor.fault(
            f"{tensors} tensors and {facts} facts",
            f"at most {MAX_TENSORS} tensors and {_MAX_FACTS} facts",
        )
    found: dict[str, Fact] = {}
    seen: set[str] = set()
    items = [_MAX_ITEMS]
    for number in range(facts):
        cursor.place = f"fact {number}"
        key = cursor.text(longest=_MAX_KEY)
        cursor.place = f"fact {shown(key)}"
        if key in seen:
            raise cursor.fault("a key that was there before", "each key once")
        seen.add(key)
        value = _value(cursor, cursor.number("<I"), keep=key == _TOKENS, items=items)
        if value is not None:
            found[key] = value
    return tensors, found


def _value(cursor: Cursor, kind: int, *, keep: bool, items: list[int]) -> Fact | None:
    if kind == _STRING:
        return cursor.string().decode("utf-8", errors="backslashreplace")
    if kind == _ARRAY:
        return _array(cursor, keep=keep, items=items)
    return _numbers(cursor, kind, count=1)[0]


def _numbers(cursor: Cursor, kind: int, *, count: int) -> tuple[bool | int | float, ...]:
    if kind not in _NUMBERS:
        raise cursor.fault(f"a value of type {kind}", "one of the format's types 0 to 12")
    form = _NUMBERS[kind]
    size = struct.calcsize(form)
    raw = cursor.take(size * count)
    values: tuple[bool | int | float, ...] = struct.unpack(f"<{count}{form[1]}", raw)
    if kind != _BOOL:
        return values
    if not set(values) <= {0, 1}:
        raise cursor.fault(f"a truth value of {max(values)}", "0 or 1")
    return tuple(bool(value) for value in values)


def _array(cursor: Cursor, *, keep: bool, items: list[int]) -> Fact | None:
    kind, count = cursor.number("<I"), cursor.number("<Q")
    if kind == _ARRAY:
        raise cursor.fault("an array of arrays", "an array of single values")
    if kind == _STRING:
        items[0] -= count
        if items[0] < 0:
            raise cursor.fault(f"an array of {count} strings", f"at most {_MAX_ITEMS} in all")
        strings = (cursor.string() for _ in range(count))
        if keep:
            return tuple(raw.decode("utf-8", errors="backslashreplace") for raw in strings)
        for _ in strings:
            pass
        return None
    if kind not in _NUMBERS:
        raise cursor.fault(f"an array of type {kind}", "one of the format's types 0 to 12")
    if count <= _MAX_KEPT_NUMBERS:
        return _numbers(cursor, kind, count=count)
    cursor.skip(struct.calcsize(_NUMBERS[kind]) * count)
    return None


def _tensors(cursor: Cursor, count: int, *, file: str) -> tuple[list[TensorInfo], list[Mistake]]:
    tensors: list[TensorInfo] = []
    mistakes: list[Mistake] = []
    names: set[str] = set()
    for number in range(count):
        cursor.place = f"tensor {number}"
        name = cursor.text(longest=_MAX_NAME)
        cursor.place = f"tensor {shown(name)}"
        axes = cursor.number("<I")
        if not 0 < axes <= _MAX_DIMENSIONS:
            raise cursor.fault(f"{axes} axes", f"1 to {_MAX_DIMENSIONS}")
        lengths = [cursor.number("<Q") for _ in range(axes)]
        kind, offset = cursor.number("<I"), cursor.number("<Q")
        found = list(_tensor_mistakes(name, lengths, kind=kind, names=names))
        names.add(name)
        mistakes += [
            Mistake(file=file, place=cursor.place, read=read, expected=expected)
            for read, expected in found
        ]
        if not found:
            grid = GGUF_GRIDS[GGUF_TYPES[kind]]
            size = math.prod(lengths) // grid.values * grid.bytes
            tensors.append(
                TensorInfo(
                    name=name,
                    dtype=GGUF_TYPES[kind],
                    shape=tuple(reversed(lengths)),
                    start=offset,
                    stop=offset + size,
                )
            )
    cursor.place = "header"
    return tensors, mistakes


def _tensor_mistakes(
    name: str, lengths: list[int], *, kind: int, names: set[str]
) -> Iterator[tuple[str, str]]:
    if not name or not name.isprintable():
        yield "a name that is empty or has control signs", "a printable name"
    if name in names:
        yield "a name that was there before", "each tensor once"
    if any(not 0 < length <= _MAX_DIMENSION for length in lengths):
        yield f"the lengths {shown(lengths)}", "whole numbers from 1 to 2**48"
    if kind not in GGUF_TYPES:
        yield f"type {kind}", "one of " + ", ".join(f"{n} ({t})" for n, t in GGUF_TYPES.items())
    elif lengths[0] % GGUF_GRIDS[GGUF_TYPES[kind]].values:
        block = GGUF_GRIDS[GGUF_TYPES[kind]].values
        yield f"rows of {lengths[0]} values", f"whole blocks of {block}"


def _range_mistakes(
    tensors: list[TensorInfo], data_bytes: int, *, align: int, file: str
) -> Iterator[Mistake]:
    """Find overlaps, holes, crooked starts and a wrong end."""
    end, last = 0, "the header"
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.stop)):
        place = f"tensor {shown(tensor.name)}"
        due = -(-end // align) * align
        if tensor.start != due:
            yield Mistake(
                file=file,
                place=place,
                read=f"a start at byte {tensor.start} after {last}",
                expected=f"byte {due}, the next multiple of {align}",
            )
        if tensor.stop > data_bytes:
            yield Mistake(
                file=file,
                place=place,
                read=f"bytes {tensor.start} to {tensor.stop} of {max(data_bytes, 0)}",
                expected="a range inside the data",
                remedy="The file is cut off; fetch it again and compare its size and digest.",
            )
        end, last = max(end, tensor.stop), place
    if tensors and data_bytes >= -(-end // align) * align + align:
        yield Mistake(
            file=file,
            place="end",
            read=f"{data_bytes - end} bytes that no tensor claims",
            expected="a file that ends with its last tensor",
        )
