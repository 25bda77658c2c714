"""The engine `hf`: trains by a job file with transformers, accelerate and peft.

    python -m dokja.models.forge.workers.hf job.json
    torchrun --nproc-per-node 2 -m dokja.models.forge.workers.hf job.json

Started again on the same job, it goes on from the newest whole checkpoint. SIGTERM, SIGUSR1 and
SIGINT make it write a checkpoint, say so, and end with 130. Only the first process writes.
"""

import contextlib
import logging
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dokja.models.forge.workers.settings import attention_kernel, environment, offline, prepare

offline()  # before transformers is imported: it reads these settings once

import torch  # noqa: E402  # see above
from transformers import TrainerCallback  # noqa: E402  # see above

from dokja.errors import DokjaError, EngineError, Mistake, RecipeError  # noqa: E402  # see above
from dokja.models.forge.engines import checkpoints, contract, jobs, runs  # noqa: E402  # see above
from dokja.models.forge.workers import training  # noqa: E402  # see above
from dokja.models.forge.workers.holding import Held, hold  # noqa: E402  # see above

__all__ = ["main", "train"]

_ENGINE = "hf"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The processes of a run, as torchrun says them.

    Attributes:
        rank: Which one this is; 0 writes.
        local: Which one on this machine.
        size: How many there are.
    """

    rank: int
    local: int
    size: int

    @classmethod
    def of(cls) -> "World":
        """Return what the environment says; one process when it says nothing."""
        said = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))
        rank, local, size = (int(value) if value else 0 for value in said)
        return cls(rank=rank, local=local, size=max(size, 1))


class Keeper(TrainerCallback):
    """Tells what steps measured and keeps states; asked by the Trainer after every step."""

    def __init__(
        self,
        job: jobs.Job,
        held: Held,
        *,
        run: runs.Run | None,
        resumed: checkpoints.Checkpoint | None,
        world: World,
        signals: training.Signals,
    ) -> None:
        self.interrupted: str | None = None
        self.loop: training.Loop
        self.adamw: torch.optim.Optimizer
        self._job = job
        self._held = held
        self._run = run
        self._resumed = resumed
        self._world = world
        self._signals = signals
        self.first = job.first_step if resumed is None else resumed.state.step

    def begin(self) -> None:
        """Put the optimizer where the checkpoint left it, and say that the run begins."""
        if self._resumed is not None:
            training.restore(
                self.adamw,
                self._resumed,
                fused=self._job.fused,
                views=self._held.cut,
                trained=self._held.trained,
            )
        if self._run is not None:
            told = environment(self._job, engine=_ENGINE, processes=self._world.size)
            self._run.begin(told, resumed=self._resumed)
            if self._resumed is None:
                self._run.keep(self.state(self.first))

    def state(self, step: int) -> runs.State:
        """Return the whole state after a step."""
        done = 0 if self._resumed is None else self._resumed.state.updates
        return self._held.state(self.adamw, updates=done + step - self.first)

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Begin once accelerate has wrapped everything; see `begin`."""
        self.begin()

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        """Tell, keep, and stop when asked to."""
        step = self.first + state.global_step
        keeps = self._job.wants_checkpoint(step)
        tells = keeps or step % self._job.log_every == 0
        # Several processes must stop after the same step: they ask each other when they tell.
        asked = (tells or self._world.size == 1) and self._stop_asked()
        if not (tells or asked):
            return
        self._tell(step)
        if self._run is not None and (keeps or asked):
            self._run.keep(self.state(step))
        if asked and step < self._job.last_step:
            self.interrupted = self._signals.received or "a signal to another process"
            if self._run is not None:
                self._run.interrupt(
                    f"asked to stop by {self.interrupted}; a checkpoint was written"
                )
            control.should_training_stop = True

    def _tell(self, step: int) -> None:
        losses, norms = self.loop.measures.take(processes=self._world.size)
        if self._run is not None:
            self._run.tell(losses, norms)
        elif not all(map(math.isfinite, losses + norms)):
            raise EngineError(f"a number before step {step} is not finite")

    def _stop_asked(self) -> bool:
        asked = self._signals.received is not None
        if self._world.size == 1:
            return asked
        answers = torch.tensor([float(asked)], device=self._device())
        torch.distributed.all_reduce(answers)
        return bool(answers.item())

    def _device(self) -> torch.device:
        return self._held.trained[0][1].device


def train(
    job: jobs.Job, *, base: Path, data: training.Batches, signals: training.Signals | None = None
) -> int:
    """Run a job to its end, or until it is asked to stop; return the exit code.

    Args:
        job: What to do.
        base: The folder that its paths start from.
        data: Its tokens.
        signals: Where a question to stop would arrive; made here when absent.

    Raises:
        DokjaError: The job cannot be done; see the message.
    """
    began = time.monotonic()
    world = World.of()
    _check_shares(job, world)
    prepare(job)
    device = torch.device("cpu" if job.device == "cpu" else f"cuda:{world.local}")
    if job.device == "cuda":
        torch.cuda.set_device(device)
    if runs.is_done(job, base=base):
        return contract.DONE
    resumed = runs.newest_state(job, base=base)
    held = hold(job, base=base, device=device, resumed=resumed)
    with contextlib.ExitStack() as stack:
        run = None
        if world.rank == 0:
            run = runs.Run(job, base=base, engine=_ENGINE, clock=lambda: datetime.now(UTC))
            stack.callback(run.close)
        keeper = Keeper(
            job,
            held,
            run=run,
            resumed=resumed,
            world=world,
            signals=signals or training.Signals(),
        )
        _loop(job, base=base, data=data, keeper=keeper, held=held, world=world)
        if keeper.interrupted is not None:
            return contract.INTERRUPTED
        if run is not None:
            seconds = (time.monotonic() - began) * world.size
            run.finish(keeper.state(job.last_step), device_seconds=seconds)
    return contract.DONE


def _loop(
    job: jobs.Job,
    *,
    base: Path,
    data: training.Batches,
    keeper: Keeper,
    held: Held,
    world: World,
) -> None:
    adamw = training.optimizer(job, held.trained)
    keeper.adamw = adamw
    if keeper.first == job.last_step:
        keeper.begin()
        return
    keeper.loop = training.Loop(
        job,
        held.network,
        loader=training.Loader(
            job, data, first=keeper.first, process=world.rank, processes=world.size
        ),
        callback=keeper,
        optimizers=(adamw, training.scheduler(job, adamw, first=keeper.first)),
        scratch=os.fspath(base),
    )
    with attention_kernel(job.attention):
        keeper.loop.train()


def _check_shares(job: jobs.Job, world: World) -> None:
    if job.batch.sequences % (job.batch.micro * world.size):
        wrong = Mistake(
            file="job.json",
            place="batch.sequences",
            read=f"{job.batch.sequences} over {world.size} processes by {job.batch.micro}",
            expected="equally many whole micro-batches for every process",
        )
        raise RecipeError([wrong])


def main(words: Sequence[str]) -> int:
    """Run the job whose file is named; return the exit code."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    if len(words) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return contract.BAD_INPUT
    path = Path(words[0])
    try:
        job = jobs.read_job(path)
        # Imported here so that other sources of tokens do without what corpora need.
        from dokja.models.forge.corpora.batches import open_data  # noqa: PLC0415  # see above

        with open_data(
            job.data,
            base=path.parent,
            length=job.batch.length,
            vocabulary=job.structure.vocabulary,
        ) as data:
            # Before the first step, not at the step at which a source runs out.
            data.order.check(job.last_step * job.batch.sequences)
            return train(job, base=path.parent, data=data)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return contract.CANNOT_TELL
    except DokjaError as error:
        sys.stderr.write(f"{error}\n")
        return contract.BAD_INPUT
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
