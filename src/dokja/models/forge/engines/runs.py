"""The bookkeeping of a run that every engine shares: where it goes on, what it says, what it keeps.

An engine computes; everything that must survive it goes through here. Steps are told before the
checkpoint that holds them is written, so that a run never goes on from a step which its log
does not know.
"""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dokja.errors import EngineError, Mistake, RecipeError
from dokja.models.forge.engines.checkpoints import (
    Checkpoint,
    CheckpointState,
    find_checkpoints,
    relative_folder,
    remove_unfinished,
    write_adapter,
    write_checkpoint,
    write_weights,
)
from dokja.models.forge.engines.events import (
    Checkpointed,
    End,
    Event,
    EventWriter,
    Interruption,
    Resume,
    Start,
    Steps,
    read_events,
)
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.tensors import sync_folder
from dokja.values import Json

__all__ = ["Run", "State", "is_done", "newest_state"]

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What an engine hands over to be kept.

    Attributes:
        weights: Every tensor, float32; with an adapter, those into which it is merged.
        config: The weights' `config.json`.
        moments: `exp_avg/<name>` and `exp_avg_sq/<name>`, float32.
        updates: Updates that the optimizer has made.
        adapter: An adapter's factors; None where none is trained.
    """

    weights: Arrays
    config: Mapping[str, Json]
    moments: Arrays
    updates: int
    adapter: Arrays | None = None


def newest_state(job: Job, *, base: Path) -> Checkpoint | None:
    """Return the checkpoint that a run goes on from; None when it begins at its start weights.

    Args:
        job: The run's job.
        base: The job file's folder.

    Raises:
        RecipeError: The run is beyond the job's last step, or its checkpoints are all damaged.
    """
    found = find_checkpoints(base / job.checkpoints)
    if found.newest is None:
        if found.damaged:
            raise RecipeError(found.damaged)
        return None
    step = found.newest.state.step
    if not job.first_step <= step <= job.last_step:
        wrong = Mistake(
            file=job.checkpoints,
            place=found.newest.path.name,
            read=f"a state after {step} steps",
            expected=f"at least {job.first_step} and at most {job.last_step}, the job's last step",
            remedy="These checkpoints belong to another job; give this one its own folder.",
        )
        raise RecipeError([wrong])
    return found.newest


def is_done(job: Job, *, base: Path) -> bool:
    """Tell whether a run's last step, its end and its final weights are all there."""
    if not (base / job.final / "config.json").exists() or not (base / job.events).exists():
        return False
    end = read_events(base / job.events, live=True).end
    return end is not None and end.step == job.last_step


class Run:
    """The written side of one run; held by one process.

    Attributes:
        step: The last step that was told.
    """

    def __init__(self, job: Job, *, base: Path, engine: str, clock: Callable[[], datetime]) -> None:
        self.step = job.first_step
        self._job = job
        self._base = base
        self._engine = engine
        self._clock = clock
        self._log = EventWriter(base / job.events)
        self._writers = ThreadPoolExecutor(max_workers=1)
        self._writing: tuple[int, Future[Path]] | None = None

    def begin(self, environment: Mapping[str, Json], *, resumed: Checkpoint | None) -> None:
        """Say that the run starts, or goes on from a checkpoint.

        Args:
            environment: What the engine runs on and with.
            resumed: The checkpoint that it goes on from.

        Raises:
            LogError: The log cannot be gone on with; every fault is in it.
        """
        path = self._base / self._job.events
        remove_unfinished(self._base / self._job.checkpoints)
        if resumed is not None:
            self.step = resumed.state.step
        if path.stat().st_size == 0:
            self._say(Start(step=self.step, at=self._clock(), environment=environment))
        else:
            told = read_events(path)
            self._say(
                Resume(
                    step=self.step,
                    at=max(self._clock(), told.events[-1].at),
                    environment=environment,
                    lost_bytes=self._log.lost_bytes,
                )
            )
            # A checkpoint can be whole although the process ended before it could say so.
            if resumed is not None and self.step not in {one.step for one in told.checkpoints}:
                self._tell_checkpoint(resumed.path, self.step)
        self._log.sync()

    def tell(self, losses: Sequence[float], norms: Sequence[float]) -> None:
        """Tell what the steps since the last telling measured.

        Args:
            losses: Mean loss of each step before its update, nats.
            norms: Norm of each step's gradient before it was clipped.

        Raises:
            EngineError: A number is not finite. The steps before it were told, and the log
                says why the run ended.
        """
        self.settle(wait=False)
        pairs = list(zip(losses, norms, strict=True))
        finite = [math.isfinite(loss) and math.isfinite(norm) for loss, norm in pairs]
        count = finite.index(False) if False in finite else len(pairs)
        if count:
            first, last = self.step + 1, self.step + count
            self._say(
                Steps(
                    first=first,
                    last=last,
                    tokens=last * self._job.batch.tokens,
                    loss=tuple(loss for loss, _ in pairs[:count]),
                    lr=tuple(map(self._job.learning_rate, range(first, last + 1))),
                    grad_norm=tuple(norm for _, norm in pairs[:count]),
                    instances=(self._job.instances(first)[0], self._job.instances(last)[1]),
                    at=self._clock(),
                )
            )
            self.step = last
        if count < len(pairs):
            loss, norm = pairs[count]
            reason = f"step {self.step + 1} has the loss {loss} and the gradient norm {norm}"
            self.interrupt(reason)
            raise EngineError(
                f"Training stopped: {reason}, which are not finite. Checkpoints up to step "
                f"{self.step} stand; lower the learning rate and start a new run."
            )

    def keep(self, state: State) -> None:
        """Write the checkpoint of the last step told, and say so once it lies on the disk."""
        self.settle()
        self._log.sync()
        self._tell_checkpoint(self._write(state, self.step), self.step)

    def keep_behind(self, state: State) -> None:
        """Write the checkpoint of the last step told while the next steps go on.

        Args:
            state: In memory that the steps do not write to.
        """
        self.settle()
        self._log.sync()
        step = self.step
        self._writing = (step, self._writers.submit(self._write, state, step))

    def settle(self, *, wait: bool = True) -> None:
        """Say that a checkpoint lies on the disk, if one was written meanwhile.

        Args:
            wait: Whether to wait for one that is still being written.

        Raises:
            OSError: It could not be written.
        """
        if self._writing is None or not (wait or self._writing[1].done()):
            return
        step, written = self._writing
        self._writing = None
        self._tell_checkpoint(written.result(), step)

    def _write(self, state: State, step: int) -> Path:
        job = self._job
        return write_checkpoint(
            self._base / job.checkpoints,
            state=CheckpointState(
                step=step,
                tokens=step * job.batch.tokens,
                cursor=step * job.batch.sequences,
                optimizer="adamw",
                updates=state.updates,
                engine=self._engine,
                precision=job.precision,
            ),
            weights=state.weights,
            config=state.config,
            optimizer=state.moments,
            adapter=state.adapter,
        )

    def interrupt(self, reason: str) -> None:
        """Say why the run does not go on now."""
        self.settle()
        self._say(Interruption(step=self.step, reason=reason, at=self._clock()))
        self._log.sync()

    def finish(self, state: State, *, device_seconds: float) -> None:
        """Write the final weights and say that the run ended.

        Args:
            state: The last state; its moments are not written again.
            device_seconds: Seconds of all devices since this process began.
        """
        self.settle()
        if state.adapter is not None and self._job.adapter is not None:
            name, adapter = f"{self._job.final}-adapter", state.adapter
            config = self._job.adapter.peft_config()
            self._replace(name, lambda into: write_adapter(into, adapter, config=config))
        self._replace(
            self._job.final, lambda into: write_weights(into, state.weights, config=state.config)
        )
        self._say(End(step=self.step, at=self._clock(), device_seconds=device_seconds))
        self._log.sync()

    def close(self) -> None:
        """Bring the log to the disk and let it go."""
        self._writers.shutdown()
        self._log.close()

    def _replace(self, name: str, write: Callable[[Path], None]) -> None:
        target = self._base / name
        unfinished = target.with_name(f".{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        write(unfinished)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
        sync_folder(target.parent)

    def _tell_checkpoint(self, path: Path, step: int) -> None:
        folder = relative_folder(path, base=self._base)
        self._say(Checkpointed(step=step, folder=folder, at=self._clock()))
        self._log.sync()

    def _say(self, event: Event) -> None:
        self._log.write(event)
