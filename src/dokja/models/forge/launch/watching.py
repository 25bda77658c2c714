"""Looks at the folder of a foreign engine, and says what there is and what is missing.

It looks once, and only reads; who follows a run looks again. Logs go through the importers,
weights through the same opener as everything that is judged. A checkpoint in torch's
distributed form holds pickles: it is named and not opened, since an examiner unpickles nothing;
the builder turns it into safetensors.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np

from dokja.errors import LogError, Mistake, WeightsError
from dokja.models.forge.engines import Checkpointed, Interruption
from dokja.models.forge.importers import FaultKind, LogKind, Metrics, find_logs, read_log
from dokja.models.forge.importers.files import read_file
from dokja.models.forge.importers.tensorboard import read_tensorboard
from dokja.models.forge.launch.given import (
    NotGiven,
    missing_of_checkpoints,
    missing_of_metrics,
)
from dokja.models.weights import Source, open_source

__all__ = ["Attached", "Engine", "Watched", "open_attached", "watch"]

_STEP = re.compile(r"(?:step|iter|checkpoint|global_step)[-_]?0*(\d{1,12})")
_DISTRIBUTED = frozenset({".metadata", "metadata.json", "common.pt"})
_DEEPEST = 4
_MOST = 20_000


class Engine(StrEnum):
    """Which engine left the folder.

    Attributes:
        TITAN: torchtitan.
        MEGATRON: Megatron-LM or Megatron-Bridge.
    """

    TITAN = "torchtitan"
    MEGATRON = "megatron"


_CONVERSIONS = {
    Engine.TITAN: "The builder turns it into safetensors where it was trained, with the file that \
was written beside the settings: python convert_titan.py STEP_FOLDER HF_FOLDER; hand in HF_FOLDER.",
    Engine.MEGATRON: "The builder turns it into safetensors where it was trained, with \
Megatron-Bridge: python convert_megatron.py back CHECKPOINT STEP; hand in hf/step-STEP.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A checkpoint whose weights can be opened.

    Attributes:
        step: Updates that it has seen, from its folder's name.
        folder: Where it lies.
        parameters: How many values it holds.
    """

    step: int
    folder: Path
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Everything that an engine has left so far.

    Attributes:
        engine: Which.
        metrics: Its log; None when there is none yet.
        checkpoints: Those that can be opened, by step.
        refused: Why the others cannot be; a sentence each, with what to do.
        events: Checkpoints and interruptions as events of this room, in order of their times.
        missing: What the engine does not give.
    """

    engine: Engine
    metrics: Metrics | None
    checkpoints: tuple[Attached, ...]
    refused: tuple[Mistake, ...]
    events: tuple[Checkpointed | Interruption, ...]
    missing: tuple[NotGiven, ...]


def watch(folder: Path, *, engine: Engine, utc_offset_minutes: int = 0) -> Watched:
    """Look at an engine's folder once.

    Args:
        folder: The run's folder: logs, TensorBoard files and checkpoints somewhere below it.
        engine: Which engine writes to it.
        utc_offset_minutes: For text logs: how far the cluster's clock is ahead of UTC.

    Raises:
        LogError: The folder cannot be read, or its logs are of several runs.
    """
    metrics = _metrics(folder, engine, utc_offset_minutes)
    attached: list[Attached] = []
    refused: list[Mistake] = []
    for step, place in _step_folders(folder):
        try:
            source = open_attached(place, engine=engine)
        except WeightsError as error:
            refused += error.mistakes
            continue
        attached.append(Attached(step=step, folder=place, parameters=source.parameters))
    attached.sort(key=lambda one: (one.step, str(one.folder)))
    events: list[Checkpointed | Interruption] = [
        *_checkpointed(attached, folder),
        *_interruptions(metrics),
    ]
    steps = tuple(one.step for one in attached)
    return Watched(
        engine=engine,
        metrics=metrics,
        checkpoints=tuple(attached),
        refused=tuple(refused),
        events=tuple(sorted(events, key=lambda event: (event.at, event.step))),
        missing=(
            *missing_of_metrics(metrics, engine=engine.value),
            *missing_of_checkpoints(steps, engine=engine.value, states=False),
        ),
    )


def open_attached(folder: Path, *, engine: Engine) -> Source:
    """Open the weights of an engine's checkpoint.

    Args:
        folder: A folder of safetensors, as both engines write when told to.
        engine: Which engine wrote it.

    Raises:
        WeightsError: It is in torch's distributed form, a shard is missing, or anything else is
            wrong with it; nothing was unpickled.
    """
    found = sorted(_DISTRIBUTED & {path.name for path in folder.iterdir()})
    distributed = found or any(folder.glob("*.distcp"))
    if distributed:
        wrong = Mistake(
            file=str(folder),
            place="",
            read="a checkpoint in torch's distributed form, which holds pickles",
            expected="safetensors; a pickle is a programme, and none is run here",
            remedy=_CONVERSIONS[engine],
        )
        raise WeightsError([wrong])
    return open_source(folder)


def _metrics(folder: Path, engine: Engine, utc_offset_minutes: int) -> Metrics | None:
    logs = find_logs(folder)
    # Each start of torchtitan opens a new folder of event files: together they are the run.
    boards = [path for kind, files in logs if kind is LogKind.TENSORBOARD for path in files]
    if boards:
        return read_tensorboard([read_file(path) for path in sorted(boards, key=_opened)])
    wanted = LogKind.TITAN if engine is Engine.TITAN else LogKind.MEGATRON
    texts = [files[0] for kind, files in logs if kind is wanted]
    if len(texts) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in texts[:20])
        wrong = Mistake(
            file=str(folder),
            place="",
            read=f"{len(texts)} outputs in which {engine.value} logged: {listed}",
            expected="one",
            remedy="Let every start append to one file, as the written job.sbatch does.",
        )
        raise LogError([wrong])
    if not texts:
        return None
    return read_log(texts[0], kind=wanted, utc_offset_minutes=utc_offset_minutes)


def _opened(path: Path) -> tuple[str, str]:
    return (path.name, str(path))


def _step_folders(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yield the folders that are named for a step and hold files, each with its step."""
    waiting, looked = [(folder, 0)], 0
    while waiting:
        place, depth = waiting.pop()
        for path in _listed(place):
            looked += 1
            if looked > _MOST:
                wrong = Mistake(
                    file=str(folder), place="", read=f"more than {_MOST} files", expected="a run"
                )
                raise LogError([wrong])
            if path.is_symlink() or not path.is_dir():
                continue
            named = _STEP.fullmatch(path.name)
            if named is not None and any(child.is_file() for child in _listed(path)):
                yield int(named[1]), path
            elif depth < _DEEPEST:
                waiting.append((path, depth + 1))


def _listed(place: Path) -> list[Path]:
    try:
        return sorted(place.iterdir())
    except OSError as error:
        read = f"nothing: {error.strerror or error}"
        wrong = Mistake(file=str(place), place="", read=read, expected="a folder of a run")
        raise LogError([wrong]) from error


def _checkpointed(attached: Sequence[Attached], folder: Path) -> Iterator[Checkpointed]:
    for one in attached:
        written = max(path.stat().st_mtime for path in one.folder.iterdir())
        place = one.folder.relative_to(folder).as_posix()
        yield Checkpointed(step=one.step, folder=place, at=datetime.fromtimestamp(written, tz=UTC))


def _interruptions(metrics: Metrics | None) -> Iterator[Interruption]:
    """Yield an interruption for each run of steps that was logged again."""
    if metrics is None or "loss" not in metrics.series:
        return
    loss = metrics.series["loss"]
    for fault in metrics.faults:
        if fault.kind is not FaultKind.REPEATED or fault.name != "loss" or fault.step is None:
            continue
        at = loss.at[int((loss.step == fault.step).argmax())]
        if np.isnat(at):
            continue
        seconds = int(at.astype(np.int64)) / 1e6
        yield Interruption(
            step=fault.step - 1,
            reason=f"The log tells of {fault.read}: the run went on from before them.",
            at=datetime.fromtimestamp(seconds, tz=UTC),
        )
