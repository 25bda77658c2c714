"""A training's log as arrays, whoever wrote it: the engine's own events, or an imported log.

Logs of millions of lines are read in bulk: lines as the forge's engines write them are cut by
their keys, and their numbers parsed together. Whatever is written otherwise goes through
`engines.events`, line by line, which also tells every fault. What a log does not hold is none,
and the check that needs it says so.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import LogError, Mistake
from dokja.models.forge.engines.events import parse_events
from dokja.models.forge.engines.lines import Line, event_lines
from dokja.models.forge.importers import Metrics

__all__ = ["Break", "Column", "StepLog", "imported_log", "read_log", "read_log_bytes"]

Moments = NDArray[np.datetime64]

_PREFIX = b'{"kind":"steps","first":'
_KEYS = (
    (b',"last":', b"A"),
    (b',"tokens":[', b"B"),
    (b'],"loss":[', b"C"),
    (b'],"lr":[', b"D"),
    (b'],"grad_norm":[', b"E"),
    (b'],"instances":[', b"F"),
)
_AT = b'],"at":"'
_AT_BYTES = len("2026-01-02T12:00:00.000000Z")
_TAIL = len(_AT) + _AT_BYTES + len('"}')
_FIGURES = b"0123456789.e+-"
_BLOCK = 2_000  # such a block stays in a core's cache
_SMALL = 32
_FIRST_LAST_TOKENS_INSTANCES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One measurement over the steps, each step once, rising.

    Attributes:
        step: int64, shape `(steps,)`.
        value: float64, shape `(steps,)`.
        averaged: Whether a value is a mean over the steps since the one before it.
    """

    step: NDArray[np.int64]
    value: NDArray[np.float64]
    averaged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where a training's course was broken: `resume` or `interruption`, and after which step."""

    kind: str
    step: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLog:
    """What a log says of a training's steps.

    Attributes:
        file: What messages call it.
        columns: By name: `loss` (nats), `lr`, `grad_norm`, `tokens` (seen once a step is done).
        at: When each line was written, and the last step that it tells of; `datetime64[us]`.
        instances: First instance of each step of `loss` and the one after its last, shape
            `(steps, 2)`; none where the log does not tell.
        breaks: In the order of the log.
        seconds: Of all devices, as every `end` says; none where nothing does.
        faults: What contradicts itself in the log.
        imported: Whether another tool wrote it.
        bytes: How long it is.
    """

    file: str
    columns: Mapping[str, Column]
    at: Moments | None = None
    at_step: NDArray[np.int64] | None = None
    instances: NDArray[np.int64] | None = None
    breaks: tuple[Break, ...] = ()
    seconds: float | None = None
    faults: tuple[Mistake, ...] = ()
    imported: bool = False
    bytes: int = 0

    def column(self, name: str) -> Column | None:
        """Return a measurement; none where the log does not have it."""
        return self.columns.get(name)


@dataclass(slots=True)
class _Rows:
    """Lines of steps in the order of the file, gathered block by block."""

    heads: list[NDArray[np.float64]] = field(default_factory=list)
    """First, last, tokens, two instances: shape `(lines, 5)`."""

    values: list[NDArray[np.float64]] = field(default_factory=list)
    """Step, loss, lr, grad_norm: shape `(steps, 4)`."""

    at: list[Moments] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    """After how many lines of steps a start or resume stands, and at which step."""

    lines: int = 0
    last_at: list[datetime] = field(default_factory=list)


def read_log(path: Path) -> StepLog:
    """Read the event stream of an engine.

    Args:
        path: The file `events.jsonl`.

    Raises:
        LogError: It cannot be read at all, or holds no line that is an event.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        read = f"nothing: {error.strerror}"
        wrong = Mistake(file=path.name, place="", read=read, expected="an event stream")
        raise LogError([wrong]) from error
    return read_log_bytes(data, file=path.name)


def read_log_bytes(data: bytes, *, file: str) -> StepLog:
    """Read an event stream from bytes; see `read_log`.

    Raises:
        LogError: It holds no line that is an event.
    """
    rows = _Rows()
    sound = data.endswith(b"\n")
    lines = data.split(b"\n")[:-1]
    block: list[bytes] = []
    for line in lines:
        if line.startswith(_PREFIX):
            block.append(line)
            if len(block) >= _BLOCK:
                sound &= _take_steps(block, rows)
                block = []
        else:
            sound &= _take_steps(block, rows)
            block = []
            sound &= _take_other(line, rows)
    sound &= _take_steps(block, rows)
    sound = sound and _hangs_together(rows)
    faults: tuple[Mistake, ...] = ()
    if not sound:
        faults = _faults(data, file)
    return _log_of(rows, file=file, faults=faults, size=len(data))


def _faults(data: bytes, file: str) -> tuple[Mistake, ...]:
    """Return what the exact reader has against the log; it alone decides."""
    try:
        parse_events(data, file=file)
    except LogError as error:
        return error.mistakes
    return ()


def _take_steps(block: Sequence[bytes], rows: _Rows) -> bool:
    """Take lines that begin as lines of steps; return whether every one was understood."""
    if not block:
        return True
    if _in_bulk(block, rows):
        return True
    if len(block) <= _SMALL:
        lines, mistakes = event_lines(b"\n".join(block) + b"\n", file="")
        for line in lines:
            _take_line(line, rows)
        return not mistakes
    half = len(block) // 2
    first = _take_steps(block[:half], rows)
    return _take_steps(block[half:], rows) and first


def _in_bulk(block: Sequence[bytes], rows: _Rows) -> bool:
    """Take lines written alike, or none of them.

    Every key is replaced by a letter. Where figures are left out, the lines must be the same
    letters and commas in the same order: then each number stands where its key says.
    """
    count = len(block)
    text = b"\n".join([line[len(_PREFIX) : -_TAIL] for line in block])
    tails = b"\n".join([line[-_TAIL:] for line in block])
    if len(tails) != count * (_TAIL + 1) - 1:
        return False
    for key, letter in _KEYS:
        text = text.replace(key, letter)
    marks = text.translate(None, _FIGURES)
    one = marks[: marks.find(b"\n")] if count > 1 else marks
    steps = one.count(b",") // 3 + 1
    between = b"," * (steps - 1)
    expected = b"ABC" + between + b"D" + between + b"E" + between + b"F,"
    if one != expected or marks != b"\n".join([expected] * count):
        return False
    numbers = _numbers(text.translate(_TO_COMMAS), count * (3 * steps + 5))
    at = _times(tails)
    if numbers is None or at is None:
        return False
    table = numbers.reshape(count, -1)
    heads = table[:, [0, 1, 2, -2, -1]]
    if not _sound_heads(heads, steps):
        return False
    told = table[:, 3 : 3 + 3 * steps].reshape(count, 3, steps).transpose(0, 2, 1).reshape(-1, 3)
    step = (heads[:, :1] + np.arange(steps)).reshape(-1, 1)
    rows.heads.append(heads)
    rows.values.append(np.concatenate([step, told], axis=1))
    rows.at.append(at)
    rows.lines += count
    return bool(np.isfinite(told).all())


_TO_COMMAS = bytes.maketrans(b"ABCDEF\n", b",,,,,,,")


def _numbers(text: bytes, count: int) -> NDArray[np.float64] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            found = np.fromstring(text.decode("ascii"), dtype=np.float64, sep=",")
        except (DeprecationWarning, ValueError):
            return None
    return found if len(found) == count else None


def _times(tails: bytes) -> Moments | None:
    """Return the times of tails of one length, each on its line."""
    table = np.frombuffer(tails + b"\n", dtype=np.uint8).reshape(-1, _TAIL + 1)
    around = (table[:, : len(_AT)].tobytes(), table[:, -4:].tobytes())
    if around != (_AT * len(table), b'Z"}\n' * len(table)):
        return None
    written = np.ascontiguousarray(table[:, len(_AT) : -4]).view("S26").reshape(-1)
    try:
        return written.astype("datetime64[us]")
    except ValueError:
        return None


def _sound_heads(heads: NDArray[np.float64], steps: int) -> bool:
    whole = bool((heads == np.floor(heads)).all() and (heads >= 0).all())
    return whole and bool((heads[:, 1] - heads[:, 0] == steps - 1).all())


def _take_other(raw: bytes, rows: _Rows) -> bool:
    lines, mistakes = event_lines(raw + b"\n", file="")
    for line in lines:
        _take_line(line, rows)
    return not mistakes


def _take_line(line: Line, rows: _Rows) -> None:
    values = line.values
    match line.kind:
        case "steps":
            _take_steps_line(values, rows)
        case "start":
            rows.spans.append((rows.lines, values["step"]))
        case "resume":
            rows.spans.append((rows.lines, values["step"]))
            rows.breaks.append(Break(kind="resume", step=values["step"], at=values["at"]))
        case "interruption":
            rows.breaks.append(Break(kind="interruption", step=values["step"], at=values["at"]))
        case "end":
            rows.seconds.append(float(values["device_seconds"]))
        case _:
            pass


def _take_steps_line(values: Mapping[str, Any], rows: _Rows) -> None:
    """Take one line of steps that the bulk reader left; lists of other lengths are cut alike."""
    told = np.array(list(zip(values["loss"], values["lr"], values["grad_norm"], strict=False)))
    first, last = values["first"], values["last"]
    step = first + np.arange(len(told), dtype=np.float64)
    head = [first, last, values["tokens"][0], *values["instances"]]
    rows.heads.append(np.array([head], dtype=np.float64))
    rows.values.append(np.concatenate([step[:, None], told], axis=1))
    at = values["at"].astimezone(UTC).replace(tzinfo=None)
    rows.at.append(np.array([at], dtype="datetime64[us]"))
    rows.lines += 1


def _hangs_together(rows: _Rows) -> bool:
    """Tell whether lines follow each other; what exactly does not is the exact reader's to say."""
    if not rows.heads or not rows.spans or rows.spans[0][0] != 0:
        return False
    heads, at = np.concatenate(rows.heads), np.concatenate(rows.at)
    expected = np.empty(len(heads))
    expected[1:] = heads[:-1, 1] + 1
    for place, step in rows.spans:
        if place < len(heads):
            expected[place] = step + 1
    count = heads[:, 1] - heads[:, 0] + 1
    each = (heads[:, 4] - heads[:, 3]) / count
    return bool(
        (heads[:, 0] == expected).all()
        and (np.diff(at) >= np.timedelta64(0)).all()
        and len(rows.values) >= 1
        and (each == each[0]).all()
        and (heads[:, 3] == (heads[:, 0] - 1) * each).all()
        and (heads[:, 2] * heads[0, 1] == heads[0, 2] * heads[:, 1]).all()
        and not rows.breaks
    )


def _log_of(rows: _Rows, *, file: str, faults: tuple[Mistake, ...], size: int) -> StepLog:
    if not rows.heads:
        if not rows.spans:
            expected = "lines that are events"
            wrong = Mistake(file=file, place="", read="none", expected=expected)
            raise LogError(list(faults) or [wrong])
        return StepLog(file=file, columns={}, faults=faults, bytes=size)
    heads, values = np.concatenate(rows.heads), np.concatenate(rows.values)
    place = _last_telling(values[:, 0])
    step = values[place, 0].astype(np.int64)
    told = {
        name: Column(step=step, value=values[place, column])
        for column, name in ((1, "loss"), (2, "lr"), (3, "grad_norm"))
    }
    counts = np.concatenate([np.full(len(h), len(v) // len(h)) for h, v in _parts(rows)])
    line = np.repeat(np.arange(len(heads)), counts)[place]
    count = np.maximum(heads[:, 1] - heads[:, 0] + 1, 1)
    each = ((heads[:, 4] - heads[:, 3]) / count)[line]
    begin = heads[line, 3] + (step - heads[line, 0]) * each
    ends = _last_telling(heads[:, 1])
    return StepLog(
        file=file,
        columns={
            **told,
            "tokens": Column(step=heads[ends, 1].astype(np.int64), value=heads[ends, 2]),
        },
        at=np.concatenate(rows.at),
        at_step=heads[:, 1].astype(np.int64),
        instances=np.stack([begin, begin + each], axis=1).astype(np.int64),
        breaks=tuple(rows.breaks),
        seconds=sum(rows.seconds) if rows.seconds else None,
        faults=faults,
        bytes=size,
    )


def _parts(rows: _Rows) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield blocks of lines that tell of equally many steps, with what they tell."""
    return zip(rows.heads, rows.values, strict=True)


def _last_telling(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where each step stands the last time, steps rising."""
    if len(steps) < 2 or (np.diff(steps) > 0).all():  # noqa: PLR2004  # one step has no neighbour
        return np.arange(len(steps))
    backwards = steps[::-1]
    _, first = np.unique(backwards, return_index=True)
    return np.asarray(len(steps) - 1 - first)


def imported_log(metrics: Metrics) -> StepLog:
    """Return what an imported log says; what it lacks is left out by name."""
    columns = {
        name: Column(
            step=series.step + series.leads, value=series.value, averaged=bool(series.averaged)
        )
        for name, series in metrics.series.items()
        if name in {"loss", "lr", "grad_norm", "tokens"} and len(series)
    }
    loss = metrics.series.get("loss")
    timed = loss is not None and not np.isnat(loss.at).any()
    names = ", ".join(name for name, _ in metrics.files)
    return StepLog(
        file=names or metrics.kind,
        columns=columns,
        at=loss.at if timed and loss is not None else None,
        at_step=loss.step if timed and loss is not None else None,
        faults=tuple(
            Mistake(file=names, place="", read=json.dumps(str(fault)), expected="a sound log")
            for fault in metrics.faults
        ),
        imported=True,
    )
