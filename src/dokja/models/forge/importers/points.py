"""Gathers a log's points as they are read, and makes series of them.

What is judged here is the same for every kind of log: steps that repeat, gaps between steps, a
clock that runs backwards, values that are no numbers. A step that was logged again (a run that
was resumed from a checkpoint logs some steps a second time) keeps its last value.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.importers.faults import Fault, FaultKind, capped
from dokja.models.forge.importers.metrics import CANONICAL, Metrics, Series, frozen_series
from dokja.models.forge.importers.names import renamed
from dokja.values import Digest, shown

__all__ = ["MAX_NAMES", "Points"]

MAX_NAMES = 10_000
"""Most metrics that one log may have; a hostile one could name each point differently."""

MAX_STEP = 2**53 - 1
"""Largest step: whatever reads `metrics.jsonl` holds it exactly."""

_FEW = 3
# A stride is known once it was met twice, hence from three points on.
_NO_TIME = np.iinfo(np.int64).min  # what numpy stores for NaT


@dataclass(slots=True)
class _Column:
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


class Points:
    """The points of one log, in the order in which they were logged.

    Args:
        unit: What the log consists of, for places: `line`, `record` or `entry`.

    Example:
        >>> points = Points(unit="line")
        >>> for place, step in enumerate([1, 2, 5], start=1):
        ...     points.add("loss", 5.5, step=step, seconds=None, place=place)
        >>> read = points.metrics(kind="jsonl", files=())
        >>> read.series["loss"].step.tolist(), [str(fault) for fault in read.faults]
        ([1, 2, 5], ['gap, loss, step 2: read nothing between the steps 2 and 5; expected a value \
every 1 steps.'])
    """

    def __init__(self, *, unit: str) -> None:
        self.unit = unit
        self.faults: list[Fault] = []
        self._columns: dict[str, _Column] = {}
        self._latest = _NO_TIME
        self._overflowing = False

    def __bool__(self) -> bool:
        return bool(self._columns)

    def place(self, number: int) -> str:
        """Return what a place of this log is called."""
        return f"{self.unit} {number}"

    def fault(
        self, kind: FaultKind, *, place: int, read: str, expected: str, step: int | None = None
    ) -> None:
        """Note a fault of one record."""
        self.faults.append(
            Fault(kind=kind, place=self.place(place), step=step, read=read, expected=expected)
        )

    def add(self, name: str, value: float, *, step: int, seconds: float | None, place: int) -> None:
        """Take one point; a step that cannot be one is a fault, and its point is left out.

        Args:
            name: The log's own; the room's four names are found when all are known.
            value: As it was logged; NaN and infinities too.
            step: Of the training.
            seconds: Since 1970 in UTC; None where the log tells no time.
            place: The number of the line, record or entry.
        """
        if not 0 <= step <= MAX_STEP:
            read, expected = f"the step {step}", "a whole number from 0 to 2**53 - 1"
            self.fault(FaultKind.UNREADABLE, place=place, read=read, expected=expected)
            return
        column = self._columns.get(name)
        if column is None:
            if len(self._columns) >= MAX_NAMES:
                self._too_many(place)
                return
            column = self._columns[name] = _Column()
        column.steps.append(step)
        column.values.append(value)
        column.times.append(self._time(seconds, place=place, step=step))
        column.places.append(place)

    def metrics(
        self,
        *,
        kind: str,
        files: Sequence[tuple[str, Digest]],
        averaged: Mapping[str, bool] | None = None,
        leads: Mapping[str, int] | None = None,
        notes: Sequence[str] = (),
    ) -> Metrics:
        """Return everything that was taken, and all that is wrong with it.

        Args:
            kind: What wrote the log.
            files: What was read.
            averaged: By name, whether values are means over the steps since the last.
            leads: By name, how many steps later a value is used.
            notes: What a reader must know.
        """
        series: dict[str, Series] = {}
        found = list(self.faults)
        gaps: set[tuple[int, int]] = set()
        names = renamed(set(self._columns))
        for own, name in sorted(names.items(), key=lambda item: _by_importance(item[1])):
            column = self._columns[own]
            steps = np.array(column.steps, dtype=np.int64)
            values = np.array(column.values, dtype=np.float64)
            last = _last_of_each(steps)
            found += _repeated(name, steps, values)
            found += self._not_finite(name, column, values)
            one = Series(
                step=steps[last],
                value=values[last],
                at=np.array(column.times, dtype=np.int64)[last].view("datetime64[us]"),
                averaged=(averaged or {}).get(name),
                leads=(leads or {}).get(name, 0),
            )
            series[name] = one
            if name in CANONICAL:
                found += _gaps(name, one.step, told=gaps)
        return Metrics(
            kind=kind,
            files=tuple(files),
            series=frozen_series(series),
            faults=capped(found),
            notes=tuple(notes),
        )

    def _time(self, seconds: float | None, *, place: int, step: int) -> int:
        # Beyond the years that numpy's microseconds can tell, a time is none.
        if seconds is None or not math.isfinite(seconds) or not 0 <= seconds < 1e11:  # noqa: PLR2004  # the year 5138
            return _NO_TIME
        time = round(seconds * 1e6)
        if time < self._latest:
            earlier = (self._latest - time) / 1e6
            self.fault(
                FaultKind.CLOCK,
                place=place,
                step=step,
                read=f"a time {earlier:.6g} s before the record above it",
                expected="a clock that does not run backwards",
            )
        self._latest = time
        return time

    def _not_finite(
        self, name: str, column: _Column, values: NDArray[np.float64]
    ) -> Iterator[Fault]:
        for place in np.flatnonzero(~np.isfinite(values)):
            yield Fault(
                kind=FaultKind.NOT_FINITE,
                place=self.place(column.places[place]),
                name=name,
                step=column.steps[place],
                read=str(values[place]),
                expected="a finite number",
            )

    def _too_many(self, place: int) -> None:
        if not self._overflowing:
            read, expected = f"more than {MAX_NAMES} names", "a log of metrics over steps"
            self.fault(FaultKind.UNREADABLE, place=place, read=read, expected=expected)
        self._overflowing = True


def _by_importance(name: str) -> tuple[int, str]:
    return (CANONICAL.index(name) if name in CANONICAL else len(CANONICAL), name)


def _last_of_each(steps: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where each step stands last, by rising step."""
    _, reversed_first = np.unique(steps[::-1], return_index=True)
    return np.asarray(len(steps) - 1 - reversed_first, dtype=np.intp)


def _repeated(name: str, steps: NDArray[np.int64], values: NDArray[np.float64]) -> Iterator[Fault]:
    """Yield one fault for each run of neighbouring steps that were logged more than once."""
    distinct, counts = np.unique(steps, return_counts=True)
    again = np.flatnonzero(counts > 1)
    if not len(again):
        return
    seen: dict[int, set[float]] = {int(distinct[place]): set() for place in again}
    for step, value in zip(steps.tolist(), values.tolist(), strict=True):
        if step in seen:
            seen[step].add(value)
    for run in np.split(again, np.flatnonzero(np.diff(again) > 1) + 1):
        first, last = int(distinct[run[0]]), int(distinct[run[-1]])
        others = sum(len(seen[int(distinct[place])]) > 1 for place in run)
        span = f"step {first}" if first == last else f"the steps {first} to {last}"
        yield Fault(
            kind=FaultKind.REPEATED,
            place="",
            name=shown(name),
            step=first,
            read=f"{span} more than once, {others} of {len(run)} with another value",
            expected="each step once; the last value was kept",
        )


def _gaps(name: str, steps: NDArray[np.int64], *, told: set[tuple[int, int]]) -> Iterator[Fault]:
    """Yield one fault for each run of equal gaps; the stride is the commonest distance."""
    if len(steps) < _FEW:
        return
    apart = np.diff(steps)
    stride = min(Counter(apart.tolist()).items(), key=lambda item: (-item[1], item[0]))[0]
    expected = f"a value every {stride} steps"
    if steps[0] > max(stride, 1) and (0, int(steps[0])) not in told:
        told.add((0, int(steps[0])))
        read = f"step {steps[0]} first"
        yield Fault(
            kind=FaultKind.GAP,
            place="",
            name=name,
            step=int(steps[0]),
            read=read,
            expected=expected,
        )
    wide = np.flatnonzero(apart > stride)
    if not len(wide):
        return
    breaks = (np.diff(wide) > 1) | (np.diff(apart[wide]) != 0)
    for run in np.split(wide, np.flatnonzero(breaks) + 1):
        first, last = int(steps[run[0]]), int(steps[run[-1] + 1])
        if (first, last) in told:
            continue
        told.add((first, last))
        read = f"nothing between the steps {first} and {last}"
        if len(run) > 1:
            read = f"a value only every {apart[run[0]]} steps from {first} to {last}"
        yield Fault(
            kind=FaultKind.GAP, place="", name=name, step=first, read=read, expected=expected
        )
