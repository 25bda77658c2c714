"""The event stream of a run: what an engine says while it trains, one JSON object a line.

The file only grows. A process that is killed may leave half a line at its end; the next one
cuts it off and says how much in its `resume` event. After a resume, steps may be told again:
the last telling counts, and how many of them differed from the first is kept.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dokja.errors import LogError, Mistake
from dokja.models.forge.engines.courses import course_mistakes
from dokja.models.forge.engines.lines import Line, event_lines
from dokja.values import Json

__all__ = [
    "Checkpointed",
    "End",
    "Event",
    "EventWriter",
    "Events",
    "Interruption",
    "Metrics",
    "Resume",
    "Start",
    "Steps",
    "read_events",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A run begins: the weights of `step` are on disk, nothing was trained by it yet."""

    step: int
    at: datetime
    environment: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """A run goes on from the checkpoint of `step`.

    Attributes:
        step: Steps that the checkpoint had seen.
        at: When.
        environment: As in `Start`; it may be another machine.
        lost_bytes: How long the half line was that was cut off; 0 for none.
    """

    step: int
    at: datetime
    environment: Mapping[str, Json]
    lost_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What consecutive steps measured.

    Attributes:
        first: The first step told of, counted from 1.
        last: The last.
        tokens: Tokens seen by the whole run once `last` is done. On disk a list of one.
        loss: Mean next-token cross-entropy before each step's update, nats, one a step.
        lr: Learning rate of each step.
        grad_norm: Norm of each step's gradient before it was clipped.
        instances: First instance of the first step, and the one after the last step's last.
        at: When the last of them was done.
    """

    first: int
    last: int
    tokens: int
    loss: tuple[float, ...]
    lr: tuple[float, ...]
    grad_norm: tuple[float, ...]
    instances: tuple[int, int]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpointed:
    """The state after `step` lies whole in `folder`, relative to the job's folder."""

    step: int
    folder: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """The run was asked to stop, or could not go on; `reason` is a sentence."""

    step: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last step is done.

    Attributes:
        step: The last step.
        at: When.
        device_seconds: Seconds of all devices since the last start or resume, start-up included.
    """

    step: int
    at: datetime
    device_seconds: float


Event = Start | Resume | Steps | Checkpointed | Interruption | End
"""Anything that an engine says."""

_KINDS: Mapping[type[Event], str] = MappingProxyType(
    {
        Start: "start",
        Resume: "resume",
        Steps: "steps",
        Checkpointed: "checkpoint",
        Interruption: "interruption",
        End: "end",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a run measured, one value a step; arrays of one length, sorted by step.

    Attributes:
        step: Steps, int64, without gaps.
        loss: Nats, float64.
        lr: Learning rates, float64.
        grad_norm: Norms before clipping, float64.
        tokens: Tokens seen once the step is done, int64.
        instances: First instance of each step and the one after its last, int64, shape (n, 2).
    """

    step: NDArray[np.int64]
    loss: NDArray[np.float64]
    lr: NDArray[np.float64]
    grad_norm: NDArray[np.float64]
    tokens: NDArray[np.int64]
    instances: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """A whole event stream that was read without fault.

    Attributes:
        events: In the order of the file.
        torn_bytes: Length of a half line at the end; 0 unless it was read live.
    """

    events: tuple[Event, ...]
    torn_bytes: int = 0

    @property
    def start(self) -> Start:
        """The event with which every stream begins."""
        first = self.events[0]
        if not isinstance(first, Start):
            raise TypeError("an event stream begins with a start")
        return first

    @property
    def end(self) -> End | None:
        """The event with which a finished stream ends; None while the run is not done."""
        last = self.events[-1]
        return last if isinstance(last, End) else None

    @property
    def checkpoints(self) -> tuple[Checkpointed, ...]:
        """Every checkpoint once, the last telling of each, sorted by step."""
        last = {event.step: event for event in self.events if isinstance(event, Checkpointed)}
        return tuple(last[step] for step in sorted(last))

    @property
    def interruptions(self) -> tuple[Interruption | Resume, ...]:
        """Everything that broke the run's course, in order."""
        return tuple(event for event in self.events if isinstance(event, Interruption | Resume))

    def metrics(self) -> Metrics:
        """Return what was measured, the last telling of each step."""
        told = {row[0]: row for row in self._rows()}
        rows = [told[step] for step in sorted(told)]
        table = np.array([row[1:4] for row in rows], dtype=np.float64).reshape(-1, 3)
        counts = np.array([row[4:] for row in rows], dtype=np.int64).reshape(-1, 3)
        return Metrics(
            step=np.array([row[0] for row in rows], dtype=np.int64),
            loss=table[:, 0],
            lr=table[:, 1],
            grad_norm=table[:, 2],
            tokens=counts[:, 0],
            instances=counts[:, 1:],
        )

    def differing_steps(self) -> tuple[int, ...]:
        """Return the steps that were told twice, and differently: a resume that was not exact."""
        told: dict[int, tuple[float, ...]] = {}
        differing: set[int] = set()
        for row in self._rows():
            if told.setdefault(row[0], row) != row:
                differing.add(row[0])
        return tuple(sorted(differing))

    def _rows(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for event in self.events:
            if not isinstance(event, Steps):
                continue
            count = event.last - event.first + 1
            each = (event.instances[1] - event.instances[0]) // count
            begin = event.instances[0]
            per_step = event.tokens // event.last
            rows += [
                (
                    event.first + place,
                    event.loss[place],
                    event.lr[place],
                    event.grad_norm[place],
                    event.tokens - (count - 1 - place) * per_step,
                    begin + place * each,
                    begin + (place + 1) * each,
                )
                for place in range(count)
            ]
        return rows


class EventWriter:
    r"""Appends events; every line reaches the system at once, and the disk when asked.

    Attributes:
        lost_bytes: How long the half line was that was found at the end and cut off.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "events.jsonl"
        ...     with EventWriter(path) as log:
        ...         log.write(Start(step=0, at=noon, environment={}))
        ...         log.write(End(step=0, at=noon, device_seconds=0.5))
        ...     path.read_text().splitlines()[1]
        '{"kind":"end","step":0,"at":"2026-01-02T12:00:00.000000Z","device_seconds":0.5}'
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lost_bytes = _cut_tail(path)
        self._file = path.open("ab", buffering=0)

    def write(self, event: Event) -> None:
        """Append an event as one line.

        Raises:
            ValueError: It holds a number that is not finite.
        """
        line = json.dumps(event_json(event), separators=(",", ":"), allow_nan=False)
        self._file.write(line.encode() + b"\n")

    def sync(self) -> None:
        """Wait until everything written so far is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close; more than once does no harm."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def event_json(event: Event) -> dict[str, Json]:
    """Return an event as its line in the file holds it."""
    found: dict[str, Json] = {"kind": _KINDS[type(event)]}
    for item in fields(event):
        value = getattr(event, item.name)
        if isinstance(value, datetime):
            # One zone and one width, so that texts sort as times do.
            value = value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        elif isinstance(value, Mapping):
            value = dict(value)
        elif item.name == "tokens":
            value = [value]
        found[item.name] = list(value) if isinstance(value, tuple) else value
    return found


def read_events(path: Path, *, live: bool = False) -> Events:
    """Read an event stream whole.

    Args:
        path: The file `events.jsonl`.
        live: Whether the run may still be going: half a line at the end is then no fault.

    Raises:
        LogError: It cannot be read, a line is no event, steps are missing, the clock runs
            backwards, counts do not add up, or the end is torn. Every fault is in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        said = f"nothing: {error.strerror}"
        wrong = Mistake(file=path.name, place="", read=said, expected="an event stream")
        raise LogError([wrong]) from error
    return parse_events(data, file=path.name, live=live)


def parse_events(data: bytes, *, file: str, live: bool = False) -> Events:
    """Read an event stream from bytes; see `read_events`.

    Raises:
        LogError: As there.
    """
    whole, torn = _split_tail(data)
    lines, mistakes = event_lines(whole, file=file)
    if torn and not live:
        mistakes.append(
            Mistake(
                file=file,
                place=f"line {whole.count(10) + 1}",
                read=f"half a line of {torn} bytes",
                expected="whole lines",
                remedy="Start the worker again: it cuts the half line off and says so.",
            )
        )
    # Whether steps are missing can be told only where every line was understood.
    mistakes = mistakes or list(course_mistakes(lines, file=file))
    if mistakes:
        raise LogError(mistakes)
    return Events(events=tuple(_event(line) for line in lines), torn_bytes=torn)


def _event(line: Line) -> Event:
    kind = next(kind for kind, name in _KINDS.items() if name == line.kind)
    values = dict(line.values)
    if kind is Steps:
        values["tokens"] = values["tokens"][0]
    found: Any = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return kind(**found)


def _split_tail(data: bytes) -> tuple[bytes, int]:
    """Return the whole lines, and how many bytes follow the last of them."""
    whole = data[: data.rfind(b"\n") + 1]
    return whole, len(data) - len(whole)


def _cut_tail(path: Path) -> int:
    if not path.exists():
        return 0
    whole, torn = _split_tail(path.read_bytes())
    if torn:
        os.truncate(path, len(whole))
    return torn
