"""Reads `trainer_state.json` of the Hugging Face Trainer (transformers 5.24).

Its `log_history` holds one object for each time that something was logged: `step`, `epoch`, and
values by name. `loss` is the mean over the steps since the last time; `learning_rate` is the rate
that the step itself used. It tells no times.
"""

import json
import re
from typing import Any

from dokja.errors import LogError, Mistake
from dokja.models.forge.importers.faults import FaultKind
from dokja.models.forge.importers.files import LogFile
from dokja.models.forge.importers.metrics import Metrics
from dokja.models.forge.importers.points import Points
from dokja.models.forge.importers.said import as_number, loads, unique
from dokja.values import shown

__all__ = ["read_trainer"]

_NOTES = (
    "loss is the mean over the steps since it was last logged (Trainer, `logging_steps`).",
    "Unless `logging_nan_inf_filter` was off, the Trainer put the mean so far in the place of a \
loss that is NaN or infinite: such a loss cannot be seen here.",
    "Older Trainers read the learning rate after the scheduler had moved on: of the next step.",
    "It tells no times.",
)
# These stand beside the values and are none.
_BESIDE = frozenset({"step", "epoch"})
_HISTORY = '"log_history"'
_BETWEEN = re.compile(r"[\s,]*")


def read_trainer(file: LogFile) -> Metrics:
    """Return the metrics of a `trainer_state.json`.

    A file that was cut while it was written is read as far as it goes, and says so.

    Raises:
        LogError: It is no such file.

    Example:
        >>> from pathlib import Path
        >>> said = b'{"log_history": [{"step": 10, "loss": 5.5, "learning_rate": 0.001}]}'
        >>> read = read_trainer(LogFile(path=Path("trainer_state.json"), data=said))
        >>> {name: series.value.tolist() for name, series in read.series.items()}
        {'loss': [5.5], 'lr': [0.001]}
    """
    points = Points(unit="entry")
    for number, entry in enumerate(_history(file, points), start=1):
        _take(entry, points, place=number)
    return points.metrics(kind="trainer", files=[file.named], averaged={"loss": True}, notes=_NOTES)


def _take(entry: Any, points: Points, *, place: int) -> None:
    step = entry.get("step") if isinstance(entry, dict) else None
    if not isinstance(step, int) or isinstance(step, bool):
        read = f"the step {shown(repr(step))}" if isinstance(entry, dict) else shown(repr(entry))
        expected = "an object with the whole number `step`"
        points.fault(FaultKind.UNREADABLE, place=place, read=read, expected=expected)
        return
    for name, value in entry.items():
        number = None if name in _BESIDE else as_number(value)
        if number is not None:
            points.add(name, number, step=step, seconds=None, place=place)


def _history(file: LogFile, points: Points) -> list[Any]:
    try:
        said = loads(file.data)
        history = said.get("log_history") if isinstance(said, dict) else None
    except (ValueError, RecursionError) as error:
        entries = _as_far_as_it_goes(file.data)
        if not entries:
            raise _wrong(file, f"no JSON ({shown(str(error))})") from error
        points.fault(
            FaultKind.CUT,
            place=len(entries) + 1,
            read="an end in the middle of the file",
            expected="a whole JSON object",
        )
        return entries
    if not isinstance(history, list):
        raise _wrong(file, "no list `log_history`")
    return history


def _as_far_as_it_goes(data: bytes) -> list[Any]:
    """Return the whole entries at the start of a history whose file was cut."""
    text = data.decode("utf-8", errors="replace")
    at = text.find("[", text.find(_HISTORY)) + 1 if _HISTORY in text else 0
    decoder = json.JSONDecoder(object_pairs_hook=unique)
    entries: list[Any] = []
    while at:
        try:
            entry, at = decoder.raw_decode(text, _BETWEEN.match(text, at).end())  # type: ignore[union-attr]  # it matches nothing at all too
        except (ValueError, RecursionError):
            break
        entries.append(entry)
    return entries


def _wrong(file: LogFile, read: str) -> LogError:
    expected = "the Trainer's state, a JSON object with the list `log_history`"
    return LogError([Mistake(file=str(file.path), place="", read=read, expected=expected)])
