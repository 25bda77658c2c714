"""Reads TensorBoard event files: scalars only, without TensorFlow or TensorBoard.

An event file is a row of records, each an `Event` message (tensorflow/core/util/event.proto,
tensorboard 2.21): 1 wall_time, 2 step, 5 summary; a summary's values (field 1): 1 tag, 2
simple_value, 8 tensor, 9 metadata, whose plugin name tells scalars from what else a tensor may
be. PyTorch writes simple values, TensorFlow 2 tensors of one element.

Several event files in one folder are one run that was started several times; they are read in
the order of their names, which begin with the second in which they were opened.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from dokja.models.forge.importers.faults import Fault, FaultKind
from dokja.models.forge.importers.files import LogFile
from dokja.models.forge.importers.metrics import Metrics
from dokja.models.forge.importers.points import Points
from dokja.models.forge.importers.records import Broken, records
from dokja.models.forge.importers.wire import (
    WireError,
    as_double,
    as_float,
    as_signed,
    fields,
    varints,
)

__all__ = ["read_tensorboard"]

_SCALARS = b"scalars"
_LONGEST_TAG = 512
_FLOAT, _DOUBLE, _INT32, _INT64, _BFLOAT16, _HALF = 1, 2, 3, 9, 14, 19


def read_tensorboard(files: Sequence[LogFile]) -> Metrics:
    """Return the scalars of the event files of one run.

    Args:
        files: In the order in which they were written.
    """
    points = Points(unit="record")
    tensors: set[str] = set()  # tags that hold something else than scalars
    number = 0  # counted through all files
    for file in files:
        for found in records(file.data):
            number += 1
            if isinstance(found, Broken):
                points.faults.append(_fault(found, file.path, points.place(number)))
                continue
            try:
                _take(found, points, tensors=tensors, place=number)
            except WireError as error:
                expected = "an Event message"
                points.fault(FaultKind.UNREADABLE, place=number, read=str(error), expected=expected)
    return points.metrics(kind="tensorboard", files=[file.named for file in files])


def _fault(broken: Broken, path: Path, place: str) -> Fault:
    return Fault(
        kind=broken.kind,
        place=f"{place} ({path.name})",
        read=broken.read,
        expected=broken.expected,
    )


def _take(event: bytes, points: Points, *, tensors: set[str], place: int) -> None:
    seconds, step, summaries = None, 0, []
    for number, _, value in fields(event):
        if number == 1:
            seconds = as_double(value)
        elif number == 2 and isinstance(value, int):  # noqa: PLR2004  # step
            step = as_signed(value)
        elif number == 5 and isinstance(value, bytes):  # noqa: PLR2004  # summary
            summaries.append(value)
    for summary in summaries:
        for number, _, one in fields(summary):
            if number == 1 and isinstance(one, bytes):
                tag, scalar = _scalar(one, tensors)
                if scalar is not None:
                    points.add(tag, scalar, step=step, seconds=seconds, place=place)


def _scalar(message: bytes, tensors: set[str]) -> tuple[str, float | None]:
    tag, value, tensor, plugin = "", None, None, None
    for number, _, one in fields(message):
        if number == 1 and isinstance(one, bytes):
            tag = one[:_LONGEST_TAG].decode("utf-8", errors="replace")
        elif number == 2:  # noqa: PLR2004  # simple_value
            value = as_float(one)
        elif number == 8 and isinstance(one, bytes):  # noqa: PLR2004  # tensor
            tensor = one
        elif number == 9 and isinstance(one, bytes):  # noqa: PLR2004  # metadata
            plugin = _plugin(one)
    # A writer names the plugin with the first value of a tag only.
    if plugin is not None and plugin != _SCALARS:
        tensors.add(tag)
    if value is None and tensor is not None and tag not in tensors:
        value = _single(tensor)
    return tag, value


def _plugin(metadata: bytes) -> bytes | None:
    for number, _, data in fields(metadata):
        if number == 1 and isinstance(data, bytes):
            for inner, _, name in fields(data):
                if inner == 1 and isinstance(name, bytes):
                    return name
    return None


def _single(tensor: bytes) -> float | None:
    """Return the one element of a TensorProto; None when it holds another number of them."""
    dtype, elements, values = 0, 1, []
    content = b""
    for number, _, value in fields(tensor):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2 and isinstance(value, bytes):  # noqa: PLR2004  # tensor_shape
            elements = math.prod(_dimensions(value))
        elif number == 4 and isinstance(value, bytes):  # noqa: PLR2004  # tensor_content
            content = value
        else:
            values += _typed(number, value)
    if elements != 1:
        return None
    if content:
        return _from_content(dtype, content)
    return values[0] if len(values) == 1 else None


def _dimensions(shape: bytes) -> Iterator[int]:
    for number, _, dimension in fields(shape):
        if number == 2 and isinstance(dimension, bytes):  # noqa: PLR2004  # dim
            sizes = [value for inner, _, value in fields(dimension) if inner == 1]
            yield sizes[0] if sizes and isinstance(sizes[0], int) else 0


def _typed(number: int, value: int | bytes) -> list[float]:
    """Return the values of float_val, double_val, int_val or int64_val, packed or not."""
    if number == 5 and isinstance(value, bytes):  # noqa: PLR2004  # float_val
        return [as_float(value[at : at + 4]) for at in range(0, min(len(value), 8), 4)]
    if number == 6 and isinstance(value, bytes):  # noqa: PLR2004  # double_val
        return [as_double(value[at : at + 8]) for at in range(0, min(len(value), 16), 8)]
    if number in {7, 10}:  # int_val, int64_val
        numbers = [value] if isinstance(value, int) else list(varints(value[:20]))
        return [float(as_signed(one)) for one in numbers]
    return []


def _from_content(dtype: int, content: bytes) -> float | None:
    forms = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _INT64: "<q", _HALF: "<e"}
    if dtype == _BFLOAT16 and len(content) == 2:  # noqa: PLR2004  # its upper half is a float32's
        return as_float(b"\0\0" + content)
    form = forms.get(dtype)
    if form is None or struct.calcsize(form) != len(content):
        return None
    return float(struct.unpack(form, content)[0])
