"""Runs a whole job with the reference engine: events, checkpoints, final weights.

A worker that was killed is started again on the same job and goes on from its newest whole
checkpoint, to the same bytes. SIGTERM, SIGINT and SIGUSR1 let it finish its step and keep it.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from dokja.errors import DokjaError, EngineError, Mistake, RecordError
from dokja.models.forge.corpora.batches import TokenData, open_data
from dokja.models.forge.engines.contract import BAD_INPUT, CANNOT_TELL, DONE, INTERRUPTED
from dokja.models.forge.engines.job_files import read_job
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.ref.environment import environment
from dokja.models.forge.engines.ref.memory import keep_freed_memory
from dokja.models.forge.engines.ref.teaching import open_teaching
from dokja.models.forge.engines.ref.training import Measured, Training, refuse
from dokja.models.forge.engines.runs import Run, State, is_done, newest_state
from dokja.models.forge.structures import Structure
from dokja.models.weights import Source, open_source

__all__ = ["main", "start_weights", "train"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def main(path: Path) -> int:
    """Run the job at a path as this process, and return its exit code."""
    stop = _Stop()
    for number in _SIGNALS:
        signal.signal(number, stop.ask)
    keep_freed_memory()
    try:
        return train(
            read_job(path),
            base=path.parent,
            clock=lambda: datetime.now(UTC),
            seconds=time.monotonic,
            stop=stop.reason,
        )
    except DokjaError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT


def train(
    job: Job,
    *,
    base: Path,
    clock: Callable[[], datetime],
    seconds: Callable[[], float],
    stop: Callable[[], str | None] = lambda: None,
) -> int:
    """Run a job, or go on with it, and return the exit code of the contract.

    Args:
        job: What to do.
        base: The job file's folder, from which its paths start.
        clock: The time that events carry.
        seconds: A clock that only counts.
        stop: Returns why the run should be interrupted; None to go on. Asked after every step.

    Raises:
        EngineError: The engine cannot do the job.
        CorpusError: The data cannot be read.
        WeightsError: The start weights or the teacher's cannot be read.
        RecordError: The start weights are of another structure, the teacher's are others than
            the job names, or the newest checkpoint belongs to another job.
        RecipeError: The checkpoints are beyond the job, or all damaged.
        LogError: The events cannot be gone on with.
    """
    begun = seconds()
    refuse(job)
    if is_done(job, base=base):
        return DONE
    length, vocabulary = job.batch.length, job.structure.vocabulary
    with open_data(job.data, base=base, length=length, vocabulary=vocabulary) as data:
        # Before the first step, not at the step at which a source runs out.
        data.order.check(job.last_step * job.batch.sequences)
        teaching = open_teaching(job, base=base)
        checkpoint = newest_state(job, base=base)
        if checkpoint is None:
            weights = start_weights(job, base=base)
            training = Training(job, weights, step=job.first_step, teaching=teaching)
        else:
            training = Training.resume(job, checkpoint, teaching=teaching)
        with closing(Run(job, base=base, engine="ref", clock=clock)) as run:
            run.begin(environment(job), resumed=checkpoint)
            if checkpoint is None:
                run.keep(_state(job, training))
            code = _steps(job, training, data=data, run=run, stop=stop)
            if code == DONE:
                run.finish(_state(job, training), device_seconds=seconds() - begun)
            return code


def start_weights(job: Job, *, base: Path) -> Mapping[str, NDArray[np.float32]]:
    """Return the weights that a job starts from.

    Raises:
        WeightsError: They cannot be read.
        RecordError: They are of another structure than the job's; every mistake is in it.
    """
    source = open_source(base / job.start)
    mistakes = list(_start_mistakes(job, source))
    if mistakes:
        raise RecordError(mistakes)
    return {name: source.read(name) for name in source.names}


def _start_mistakes(job: Job, source: Source) -> Iterator[Mistake]:
    """Find tensors of other shapes, and a configuration that computes something else."""
    shapes = job.structure.shapes()
    for name in sorted(shapes.keys() | set(source.names)):
        stored = source.info(name).shape if name in source.names else None
        if stored != shapes.get(name):
            yield Mistake(
                file=job.start,
                place=f"tensor {name!r}",
                read="nothing" if stored is None else f"the shape {stored}",
                expected="no such tensor" if name not in shapes else f"the shape {shapes[name]}",
            )
    if source.config is None:
        return
    try:
        said = Structure.from_config(source.config, file=f"{job.start}/config.json").to_json()
    except RecordError as error:
        yield from error.mistakes
        return
    ours = job.structure.to_json()
    for key in sorted((said.keys() | ours.keys()) - {"positions"}):
        if said.get(key) != ours.get(key):
            yield Mistake(
                file=f"{job.start}/config.json",
                place=key,
                read=str(said.get(key, "nothing")),
                expected=f"{ours.get(key, 'nothing')}, as the job's structure says",
            )


def _steps(
    job: Job, training: Training, *, data: TokenData, run: Run, stop: Callable[[], str | None]
) -> int:
    """Do what steps are left, and return the exit code."""
    untold: list[Measured] = []
    while training.step < job.last_step:
        measured = training.take_step(data.batch)
        untold.append(measured)
        if not measured.finite:
            return _end_here(untold, run=run)
        step, reason = training.step, stop()
        keeps = job.wants_checkpoint(step) or (reason is not None and step < job.last_step)
        if keeps or step % job.log_every == 0:
            _tell(untold, run=run)
        if keeps:
            run.keep(_state(job, training))
        if reason is not None and step < job.last_step:
            run.interrupt(reason)
            return INTERRUPTED
    return DONE


def _tell(untold: list[Measured], *, run: Run) -> None:
    run.tell([one.loss for one in untold], [one.grad_norm for one in untold])
    untold.clear()


def _end_here(untold: list[Measured], *, run: Run) -> int:
    """Tell the steps before one that was not finite; the log says why the run ended."""
    try:
        _tell(untold, run=run)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
    return CANNOT_TELL


def _state(job: Job, training: Training) -> State:
    return State(
        weights=training.weights,
        config=job.structure.config(),
        moments=training.optimizer_tensors(),
        updates=training.updates,
    )


class _Stop:
    """Remembers which signal asked the process to stop."""

    def __init__(self) -> None:
        self._name: str | None = None

    def ask(self, number: int, _: FrameType | None) -> None:
        """Take the signal; the step that is being done is finished first."""
        self._name = signal.Signals(number).name

    def reason(self) -> str | None:
        """Return why to stop; None when nobody asked."""
        return None if self._name is None else f"the process was asked to stop by {self._name}"
