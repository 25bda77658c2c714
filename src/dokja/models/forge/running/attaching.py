"""Takes in what an engine that runs elsewhere left: its log and its weights.

Nothing is believed of it beyond what it is: metrics are entered as imported, which is late by
definition, and weights by their tensor root. What an engine does not give stays missing, and a
check that needs it says so by name.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dokja.errors import LogError, Mistake
from dokja.models.forge.engines.checkpoints import checkpoint_name
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.importers import Metrics, read_log
from dokja.models.forge.launch.watching import Engine, watch
from dokja.models.forge.records import ChainWriter, Checkpoint, LogSpan, StateDigest
from dokja.models.forge.records import Metrics as MetricsEntry
from dokja.models.forge.running.places import RunPlaces
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Digest

__all__ = ["METRICS_FILE", "Left", "left_by", "read_left", "take_in"]

METRICS_FILE = "metrics.jsonl"
"""Imported metrics, in the stage's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What there is of a training that ran elsewhere.

    Attributes:
        metrics: Its log, read; none where there is none yet.
        checkpoints: Folders of weights, by the step that they had seen.
        refused: Why other checkpoints cannot be opened.
    """

    metrics: Metrics | None = None
    checkpoints: Mapping[int, Path] = field(default_factory=dict)
    refused: tuple[Mistake, ...] = ()


def read_left(*, log: Path | None, checkpoints: Mapping[int, Path]) -> Left:
    """Return what somebody hands in of a run made elsewhere.

    Raises:
        LogError: The log cannot be read.
    """
    return Left(metrics=None if log is None else read_log(log), checkpoints=dict(checkpoints))


def left_by(engine: str, folder: Path) -> Left:
    """Return what a foreign engine left so far in the folder that its launch files name.

    Args:
        engine: `titan` or `megatron`.
        folder: The stage's folder.

    Raises:
        LogError: Its logs are of several runs, or cannot be read.
    """
    kind = {"titan": Engine.TITAN, "megatron": Engine.MEGATRON}[engine]
    seen = watch(folder, engine=kind)
    return Left(
        metrics=seen.metrics,
        checkpoints={one.step: one.folder for one in seen.checkpoints},
        refused=seen.refused,
    )


def take_in(
    left: Left, *, chain: ChainWriter, places: RunPlaces, component: str, folder: Path, job: Job
) -> bool:
    """Enter what is new; return whether the training came to its end.

    Args:
        left: What there is.
        chain: The run's chain.
        places: The run's places.
        component: Whose training it is.
        folder: The stage's folder.
        job: What was planned.

    Raises:
        LogError: The log has no loss, or tells of more steps than were planned.
        WeightsError: A checkpoint is damaged, hostile, or lacks a shard.
    """
    _enter_metrics(left, chain=chain, places=places, component=component, folder=folder, job=job)
    known = {
        said.state.step
        for _, said in chain.chain.of(Checkpoint)
        if said.folder.startswith(f"{places.relative(folder)}/")
    }
    for step in sorted(set(left.checkpoints) - known):
        kept = folder / job.checkpoints / checkpoint_name(step) / "weights"
        if not kept.is_dir():
            _copy(left.checkpoints[step], kept)
        digests = source_digests(open_source(kept))
        data = places.write_digests(
            places.relative(folder), step, [one.to_json() for one in digests]
        )
        chain.append(
            Checkpoint(
                component=component,
                state=StateDigest(
                    step=step,
                    tokens=step * job.batch.tokens,
                    cursor=step * job.batch.sequences,
                    weights=root_text(root(digests)),
                ),
                folder=places.relative(kept.parent),
                digests=Digest.of(data),
                archived=True,
            )
        )
    if job.last_step not in left.checkpoints and job.last_step not in known:
        return False
    if not (folder / job.final).is_dir():
        _copy(
            folder / job.checkpoints / checkpoint_name(job.last_step) / "weights",
            folder / job.final,
        )
    return True


def _enter_metrics(
    left: Left, *, chain: ChainWriter, places: RunPlaces, component: str, folder: Path, job: Job
) -> None:
    if left.metrics is None:
        return
    if "loss" not in left.metrics.series:
        raise LogError([_wrong(left.metrics, "no loss", "a training log with a loss")])
    loss = left.metrics.series["loss"]
    first, last = int(loss.step[0]), int(loss.step[-1])
    if last > job.last_step:
        raise LogError([_wrong(left.metrics, f"step {last}", f"at most step {job.last_step}")])
    path = folder / METRICS_FILE
    left.metrics.write_metrics(path)
    data = path.read_bytes()
    span = LogSpan(file=places.relative(path), start=0, stop=len(data), digest=Digest.of(data))
    if any(said.log == span for _, said in chain.chain.of(MetricsEntry)):
        return
    chain.append(
        MetricsEntry(
            component=component,
            first=first,
            last=last,
            tokens=last * job.batch.tokens,
            loss=float(loss.value[-1]),
            log=span,
            imported=True,
        )
    )


def _wrong(metrics: Metrics, read: str, expected: str) -> Mistake:
    return Mistake(file=metrics.files[0][0], place="", read=read, expected=expected)


def _copy(source: Path, target: Path) -> None:
    open_source(source)  # refuses what is damaged or hostile before anything is copied
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source, unfinished)
    unfinished.rename(target)
