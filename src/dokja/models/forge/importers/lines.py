"""Reads JSON Lines: a trainer's own log, the history of W&B, and `metrics.jsonl` of this room.

A line is an object with the step and values by name; other than numbers is passed over. In a
history of W&B the step is `_step`, unless the trainer logged its own beside it. A line of
`metrics.jsonl` has one metric's `name` and `value`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dokja.models.forge.importers.faults import FaultKind
from dokja.models.forge.importers.files import LogFile
from dokja.models.forge.importers.metrics import Metrics
from dokja.models.forge.importers.points import Points
from dokja.models.forge.importers.said import as_number, as_seconds, loads
from dokja.values import shown

__all__ = ["HISTORY_NOTE", "STEP_KEYS", "TIME_KEYS", "numbered_lines", "read_lines", "take_row"]

STEP_KEYS = (
    "step",
    "train/global_step",
    "global_step",
    "iteration",
    "trainer/global_step",
    "_step",
)
"""Where a row's step may stand; the first that is there is taken."""

TIME_KEYS = ("at", "_timestamp", "timestamp", "time", "wall_time")
"""Where a row's time may stand."""

_BESIDE = frozenset({*STEP_KEYS, *TIME_KEYS, "_runtime", "epoch", "train/epoch", "source"})
HISTORY_NOTE = (
    "Steps are those that the trainer logged (`train/global_step`, `global_step`) where it did, "
    "else W&B's own `_step`, which counts calls of `wandb.log`."
)
"""What must be known of any history of W&B."""


def numbered_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty, with their numbers, without copying the whole."""
    at, number = 0, 0
    while at < len(data):
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        number += 1
        line = data[at:stop].strip()
        if line:
            yield number, line
        at = stop + 1


def read_lines(file: LogFile, *, kind: str = "jsonl") -> Metrics:
    r"""Return the metrics of a JSON Lines file.

    Args:
        file: The file.
        kind: `jsonl`, `wandb` for a history of W&B, or `dokja` for `metrics.jsonl`.

    Example:
        >>> from pathlib import Path
        >>> said = b'{"step": 1, "loss": 5.5}\n{"step": 2, "loss": NaN}\n{"step": 3, "lo'
        >>> read = read_lines(LogFile(path=Path("log.jsonl"), data=said))
        >>> [fault.kind.value for fault in read.faults], read.series["loss"].step.tolist()
        (['cut', 'not-finite'], [1, 2])
    """
    points = Points(unit="line")
    ends_whole = file.data.endswith((b"\n", b"}"))
    last = max((number for number, _ in numbered_lines(file.data)), default=0)
    for number, line in numbered_lines(file.data):
        try:
            row = loads(line)
        except (ValueError, RecursionError) as error:
            cut = number == last and not ends_whole
            points.fault(
                FaultKind.CUT if cut else FaultKind.UNREADABLE,
                place=number,
                read=shown(line.decode("utf-8", errors="replace")),
                expected="a whole line" if cut else f"one JSON object ({shown(str(error))})",
            )
            continue
        take_row(row, points, place=number)
    notes = (HISTORY_NOTE,) if kind == "wandb" else ()
    return points.metrics(kind=kind, files=[file.named], notes=notes)


def take_row(row: Any, points: Points, *, place: int) -> None:
    """Take the points of one row; a row without a step is a fault."""
    step = _step(row) if isinstance(row, Mapping) else None
    if step is None:
        expected = "an object with a step, a whole number: one of " + ", ".join(STEP_KEYS)
        points.fault(
            FaultKind.UNREADABLE, place=place, read=shown(repr(row)[:200]), expected=expected
        )
        return
    seconds = next(
        (found for key in TIME_KEYS if (found := as_seconds(row.get(key))) is not None), None
    )
    if isinstance(row.get("name"), str) and "value" in row:
        row = {row["name"]: row["value"]}
    for name, value in row.items():
        number = None if name in _BESIDE else as_number(value)
        if number is not None:
            points.add(name, number, step=step, seconds=seconds, place=place)


def _step(row: Mapping[str, Any]) -> int | None:
    for key in STEP_KEYS:
        number = as_number(row.get(key))
        if number is not None and number.is_integer():
            return int(number)
    return None
