"""A training's log as arrays, whoever wrote it: the engine's own events, or an imported log.

Logs are read in bulk, see `ladder.bulk`; where one does not hang together, `engines.events` reads
it line by line and tells every fault. What a log does not hold is none, and the check that needs
it says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dokja.errors import LogError, Mistake
from dokja.models.forge.engines.events import parse_events
from dokja.models.forge.importers import Metrics
from dokja.models.forge.ladder.bulk import read_rows
from dokja.models.forge.ladder.rows import Break, Moments, Rows

__all__ = ["Break", "Column", "StepLog", "imported_log", "read_log", "read_log_bytes"]

_PIECE = 1 << 21  # what is made of such a piece stays in a core's cache


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


def read_log(path: Path) -> StepLog:
    """Read the event stream of an engine.

    Args:
        path: The file `events.jsonl`.

    Raises:
        LogError: It cannot be read at all, or holds no line that is an event.
    """
    try:
        with path.open("rb") as file:
            rows, sound = read_rows(iter(lambda: file.read(_PIECE), b""))
        faults = () if sound else _faults(path.read_bytes(), path.name)
        size = path.stat().st_size
    except OSError as error:
        read = f"nothing: {error.strerror}"
        wrong = Mistake(file=path.name, place="", read=read, expected="an event stream")
        raise LogError([wrong]) from error
    return _log_of(rows, file=path.name, faults=faults, size=size)


def read_log_bytes(data: bytes, *, file: str) -> StepLog:
    """Read an event stream from bytes; see `read_log`.

    Raises:
        LogError: It holds no line that is an event.
    """
    rows, sound = read_rows(data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
    faults = () if sound else _faults(data, file)
    return _log_of(rows, file=file, faults=faults, size=len(data))


def _faults(data: bytes, file: str) -> tuple[Mistake, ...]:
    """Return what the exact reader has against the log; it alone decides."""
    try:
        parse_events(data, file=file)
    except LogError as error:
        return error.mistakes
    return ()


def _log_of(rows: Rows, *, file: str, faults: tuple[Mistake, ...], size: int) -> StepLog:
    if not rows.heads:
        if not rows.spans:
            expected = "lines that are events"
            wrong = Mistake(file=file, place="", read="none", expected=expected)
            raise LogError(list(faults) or [wrong])
        return StepLog(file=file, columns={}, faults=faults, bytes=size)
    first, last, tokens, begin, end = rows.heads[0]
    line, step = _lines_and_steps(first, rows.steps[0])
    place = _last_telling(step)
    line = place if isinstance(line, slice) else line[place]
    step = step[place]
    told = {
        name: Column(step=step, value=value[place])
        for name, value in zip(("loss", "lr", "grad_norm"), rows.told[0], strict=True)
    }
    each = (end - begin) / np.maximum(last - first + 1, 1)
    begin = begin[line] + (step - first[line]) * each[line]
    ends = _last_telling(last)
    return StepLog(
        file=file,
        columns={
            **told,
            "tokens": Column(step=last[ends], value=tokens[ends].astype(np.float64)),
        },
        at=rows.at[0],
        at_step=last,
        instances=np.stack([begin, begin + each[line]], axis=1).astype(np.int64),
        breaks=tuple(rows.breaks),
        seconds=sum(rows.seconds) if rows.seconds else None,
        faults=faults,
        bytes=size,
    )


def _lines_and_steps(
    first: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | slice, NDArray[np.int64]]:
    """Return of each step told on which line it stands, and which it is.

    Where each line tells of one step, that is every line.

    Args:
        first: The first step of each line.
        steps: Of how many steps each line tells.
    """
    if (steps == 1).all():
        return slice(None), first
    line = np.repeat(np.arange(len(first)), steps)
    return line, first[line] + np.arange(len(line)) - (np.cumsum(steps) - steps)[line]


def _last_telling(steps: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Return where each step stands the last time, steps rising; everywhere, where they rise."""
    if (np.diff(steps) > 0).all():
        return slice(None)
    _, first = np.unique(steps[::-1], return_index=True)
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
