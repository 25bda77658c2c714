"""The frame of a worker program: reads the job, holds the network, hands over to a loop.

An engine gives its name, how it makes its network, and its loop; everything else is the same.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor, nn

from dokja.errors import DokjaError, EngineError, Mistake, RecipeError
from dokja.models.forge.engines import contract, runs
from dokja.models.forge.engines.job_files import read_job
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.workers.holding import Held, hold
from dokja.models.forge.workers.keeping import Keeper, World
from dokja.models.forge.workers.networks import Made
from dokja.models.forge.workers.settings import attention_kernel, prepare
from dokja.models.forge.workers.teaching import Teaching, open_teaching
from dokja.models.forge.workers.training import Batches, Loader, Signals, optimizer

__all__ = ["Program", "Task", "main", "train"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a loop gets.

    Attributes:
        job: What to do.
        held: The network and what of it is trained.
        keeper: To be told of the beginning and of every step.
        loader: This process's micro-batches.
        teaching: The teacher that is followed beside the data; none for data alone.
        adamw: The optimizer; the loop calls `keeper.begin` once it has wrapped it.
        scratch: A folder whose name may be needed; nothing is to be written there.
    """

    job: Job
    held: Held
    keeper: Keeper
    loader: Loader
    teaching: Teaching | None
    adamw: torch.optim.AdamW
    scratch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An engine as a worker.

    Attributes:
        engine: What records call it.
        make: Makes a network of a job's structure; raises an EngineError when it cannot.
        scores: Computes a network's scores of some ids, shape `(sequences, length, vocabulary)`.
        loop: Trains until the keeper says stop or the loader ends.
    """

    engine: str
    make: Callable[[Job], Made]
    scores: Callable[[nn.Module, Tensor], Tensor]
    loop: Callable[[Task], None]


def train(
    program: Program, job: Job, *, base: Path, data: Batches, signals: Signals | None = None
) -> int:
    """Run a job to its end, or until it is asked to stop; return the exit code.

    Args:
        program: The engine.
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
    held = hold(job, program.make(job), base=base, device=device, resumed=resumed)
    teaching = open_teaching(
        job, make=program.make, scores=program.scores, base=base, device=device
    )
    with contextlib.ExitStack() as stack:
        run = None
        if world.rank == 0:
            run = runs.Run(job, base=base, engine=program.engine, clock=lambda: datetime.now(UTC))
            stack.callback(run.close)
        keeper = Keeper(
            job,
            held,
            run=run,
            engine=program.engine,
            resumed=resumed,
            world=world,
            signals=signals or Signals(),
        )
        loader = Loader(job, data, first=keeper.first, process=world.rank, processes=world.size)
        task = Task(
            job=job,
            held=held,
            keeper=keeper,
            loader=loader,
            teaching=teaching,
            adamw=optimizer(job, held.trained),
            scratch=os.fspath(base),
        )
        _steps(program, task)
        if keeper.interrupted is not None:
            return contract.INTERRUPTED
        if run is not None:
            seconds = (time.monotonic() - began) * world.size
            run.finish(keeper.state(job.last_step), device_seconds=seconds)
    return contract.DONE


def _steps(program: Program, task: Task) -> None:
    keeper = task.keeper
    keeper.adamw = task.adamw
    if keeper.first == task.job.last_step:
        keeper.begin()
        return
    with attention_kernel(task.job.attention):
        program.loop(task)


def _check_shares(job: Job, world: World) -> None:
    if job.batch.sequences % (job.batch.micro * world.size):
        wrong = Mistake(
            file="job.json",
            place="batch.sequences",
            read=f"{job.batch.sequences} over {world.size} processes by {job.batch.micro}",
            expected="equally many whole micro-batches for every process",
        )
        raise RecipeError([wrong])


def main(program: Program, words: Sequence[str], *, usage: str) -> int:
    """Run the job whose file is named; return the exit code.

    Args:
        program: The engine.
        words: The command line without the program's name.
        usage: What is said when the words are none that can be followed.
    """
    if len(words) != 1:
        sys.stderr.write(f"{usage}\n")
        return contract.BAD_INPUT
    path = Path(words[0])
    try:
        job = read_job(path)
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
            return train(program, job, base=path.parent, data=data)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return contract.CANNOT_TELL
    except DokjaError as error:
        sys.stderr.write(f"{error}\n")
        return contract.BAD_INPUT
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
