"""Finds out what wrote a log, by its content, and which log a folder holds.

A name is a hint where to look, and never decides how a file is read.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import assert_never

from dokja.errors import LogError, Mistake
from dokja.models.forge.importers.engines import (
    MEGATRON_LINE,
    TITAN_LINE,
    read_megatron,
    read_titan,
)
from dokja.models.forge.importers.files import LogFile, read_file
from dokja.models.forge.importers.lines import STEP_KEYS, numbered_lines, read_lines
from dokja.models.forge.importers.metrics import Metrics
from dokja.models.forge.importers.records import is_head
from dokja.models.forge.importers.said import loads
from dokja.models.forge.importers.tensorboard import read_tensorboard
from dokja.models.forge.importers.trainer import read_trainer
from dokja.models.forge.importers.wandb import OFFLINE_HEAD, read_offline, read_table
from dokja.values import shown

__all__ = ["LogKind", "find_logs", "kind_of", "read_log"]

_LOOK_AT = 4 << 20  # a job prints its settings, often at length, before its first step
_MOST_FILES = 20_000
_DEEPEST = 4
_LISTED = 20
_SUFFIXES = frozenset({".jsonl", ".csv", ".log", ".txt", ".out", ".wandb", ".json"})
_EVENTS = "tfevents"
_STATE = "trainer_state.json"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class LogKind(StrEnum):
    """What may have written a log.

    Attributes:
        TRAINER: Hugging Face Trainer, `trainer_state.json`.
        TENSORBOARD: Event files.
        WANDB: Weights & Biases, history as JSON Lines.
        WANDB_TABLE: Weights & Biases, CSV.
        WANDB_OFFLINE: Weights & Biases, `run-….wandb`.
        JSONL: Anything that writes one object a line.
        DOKJA: `metrics.jsonl` of this room.
        TITAN: torchtitan's output.
        MEGATRON: Megatron's output.
    """

    TRAINER = "trainer"
    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    WANDB_TABLE = "wandb-table"
    WANDB_OFFLINE = "wandb-offline"
    JSONL = "jsonl"
    DOKJA = "dokja"
    TITAN = "torchtitan"
    MEGATRON = "megatron"


_OF_ONE_FILE: Mapping[LogKind, Callable[[LogFile], Metrics]] = MappingProxyType(
    {
        LogKind.TRAINER: read_trainer,
        LogKind.WANDB_TABLE: read_table,
        LogKind.WANDB_OFFLINE: read_offline,
    }
)


def kind_of(first: bytes) -> LogKind | None:
    r"""Return what wrote a log that begins with these bytes; None when nothing known did.

    Args:
        first: The first 4 MiB, or all of it.

    Example:
        >>> kind_of(b'{"_step": 0, "loss": 5.5}\n').value
        'wandb'
        >>> kind_of(b"hello") is None
        True
    """
    if first.startswith(OFFLINE_HEAD[:4]):
        return LogKind.WANDB_OFFLINE
    if is_head(first):
        return LogKind.TENSORBOARD
    text = first.decode("utf-8-sig", errors="replace")
    if text.lstrip().startswith("{"):
        return _kind_of_json(first, text)
    return _kind_of_text(_COLOUR.sub("", text))


def _kind_of_text(text: str) -> LogKind | None:
    if TITAN_LINE.search(text):
        return LogKind.TITAN
    if MEGATRON_LINE.search(text):
        return LogKind.MEGATRON
    titles = {cell.strip().strip('"') for cell in text[: text.find("\n")].split(",")}
    if len(titles) > 1 and titles & {"Step", *STEP_KEYS}:
        return LogKind.WANDB_TABLE
    return None


def read_log(path: Path, *, kind: LogKind | None = None, utc_offset_minutes: int = 0) -> Metrics:
    r"""Return the metrics of a training log.

    Args:
        path: A file, or a folder that holds one log: several TensorBoard files of one folder are
            one log, and of several `trainer_state.json` the newest is taken, which holds all the
            history.
        kind: What wrote it; found out by its content when None.
        utc_offset_minutes: For text logs, which print local time: minutes ahead of UTC.

    Raises:
        LogError: It cannot be read, is of no known kind, or the folder holds several logs, which
            are listed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     written = Path(folder, "log.jsonl").write_text('{"step": 1, "loss": 5.5}\n')
        ...     read_log(Path(folder)).series["loss"].value.tolist()
        [5.5]
    """
    paths = [path]
    if path.is_dir():
        kind, paths = _the_log(path, kind)
    if kind is None:
        kind = kind_of(read_file(paths[0], only=_LOOK_AT).data)
    if kind is None:
        raise LogError([_unknown(path)])
    files = [read_file(one) for one in paths]
    return _read(files, kind, utc_offset_minutes)


def find_logs(folder: Path) -> tuple[tuple[LogKind, tuple[Path, ...]], ...]:
    """Return the logs that lie in a folder, each with its kind and files, by name.

    Args:
        folder: Searched four folders deep; links are not followed.

    Raises:
        LogError: It cannot be read, or holds more files than anybody would look through.
    """
    found: list[tuple[LogKind, tuple[Path, ...]]] = []
    boards: dict[Path, list[Path]] = {}
    states: list[Path] = []
    for path in _candidates(folder):
        kind = kind_of(read_file(path, only=_LOOK_AT).data)
        if kind is LogKind.TENSORBOARD:
            boards.setdefault(path.parent, []).append(path)
        elif kind is LogKind.TRAINER:
            states.append(path)
        elif kind is not None:
            found.append((kind, (path,)))
    found += [(LogKind.TENSORBOARD, tuple(sorted(files))) for files in boards.values()]
    if states:
        found.append((LogKind.TRAINER, (max(states, key=_age),)))
    return tuple(sorted(found, key=lambda log: log[1][0]))


def _age(state: Path) -> tuple[bool, int, str]:
    """Return what sorts the newest state last: the run's own, else the latest checkpoint's."""
    number = _CHECKPOINT.fullmatch(state.parent.name)
    return (number is None, int(number[1]) if number else 0, str(state))


def _candidates(folder: Path) -> Iterator[Path]:
    looked, waiting = 0, [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            listed = sorted(place.iterdir())
        except OSError as error:
            raise LogError([_unread(place, f"nothing: {error.strerror or error}")]) from error
        looked += len(listed)
        if looked > _MOST_FILES:
            raise LogError([_unread(folder, f"more than {_MOST_FILES} files")])
        for path in listed:
            if path.is_symlink():
                continue
            if path.is_dir() and depth < _DEEPEST:
                waiting.append((path, depth + 1))
            elif path.is_file() and _may_be_log(path.name):
                yield path


def _may_be_log(name: str) -> bool:
    if name.endswith(".json"):
        return name == _STATE
    return _EVENTS in name or Path(name).suffix in _SUFFIXES


def _the_log(folder: Path, kind: LogKind | None) -> tuple[LogKind, list[Path]]:
    logs = [log for log in find_logs(folder) if kind in {None, log[0]}]
    if not logs:
        raise LogError([_unknown(folder)])
    if len(logs) > 1:
        listed = [f"{files[0].relative_to(folder)} ({of})" for of, files in logs[:_LISTED]]
        more = f" and {len(logs) - _LISTED} more" if len(logs) > _LISTED else ""
        wrong = Mistake(
            file=str(folder),
            place="",
            read=f"{len(logs)} logs: {', '.join(listed)}{more}",
            expected="one log",
            remedy="Name the one that is meant.",
        )
        raise LogError([wrong])
    return logs[0][0], list(logs[0][1])


def _read(files: Sequence[LogFile], kind: LogKind, utc_offset_minutes: int) -> Metrics:
    first = files[0]
    read = _read_kind(files, kind, utc_offset_minutes)
    if not read.series:
        faults = "; ".join(str(fault) for fault in read.faults[:3]) or "no metric in it"
        raise LogError([_unread(first.path, f"no value of any metric ({faults})")])
    return read


def _read_kind(files: Sequence[LogFile], kind: LogKind, utc_offset_minutes: int) -> Metrics:
    match kind:
        case LogKind.TENSORBOARD:
            return read_tensorboard(files)
        case LogKind.TITAN | LogKind.MEGATRON:
            reader = read_titan if kind is LogKind.TITAN else read_megatron
            return reader(files[0], utc_offset_minutes=utc_offset_minutes)
        case LogKind.TRAINER | LogKind.WANDB_TABLE | LogKind.WANDB_OFFLINE:
            return _OF_ONE_FILE[kind](files[0])
        case LogKind.WANDB | LogKind.JSONL | LogKind.DOKJA:
            return read_lines(files[0], kind=kind.value)
        case _:
            assert_never(kind)


def _kind_of_json(first: bytes, text: str) -> LogKind | None:
    if '"log_history"' in text:
        return LogKind.TRAINER
    for _, line in numbered_lines(first):
        try:
            row = loads(line)
        except (json.JSONDecodeError, ValueError, RecursionError):
            continue
        if not isinstance(row, dict):
            continue
        if {"name", "value", "step"} <= row.keys():
            return LogKind.DOKJA
        if "_step" in row or "_timestamp" in row:
            return LogKind.WANDB
        if set(STEP_KEYS) & row.keys():
            return LogKind.JSONL
    return None


def _unknown(path: Path) -> Mistake:
    known = "trainer_state.json of the Hugging Face Trainer, TensorBoard event files, W&B history \
(JSON Lines, CSV or .wandb), JSON Lines with a step, or the output of torchtitan or Megatron"
    return Mistake(
        file=str(path),
        place="",
        read="no log of a known kind",
        expected=known,
        remedy="Write it as JSON Lines, one object a line with a step and the metrics by name.",
    )


def _unread(path: Path, read: str) -> Mistake:
    return Mistake(file=shown(str(path)), place="", read=read, expected="a training log")
