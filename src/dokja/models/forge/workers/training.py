"""What a training loop in torch needs, whoever's loop it is: tokens, measures, optimizer, signals.

Losses and gradient norms stay on the device until they are told of, so that no step waits for
the one before. Which batch comes next is a matter of the data order, never of a loader's state.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from dokja.models.forge.engines.checkpoints import Checkpoint
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.schedules import factor

__all__ = ["Batches", "Loader", "Measures", "Signals", "optimizer", "restore", "scheduler"]


class Batches(Protocol):
    """Where tokens come from; `corpora.TokenData` is one."""

    def batch(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the tokens of some instances, shape `(stop - start, length)`."""
        ...


class Loader:
    """The micro-batches of one process, in order, on the device.

    A step's instances are dealt to the processes in runs of equal length, so that a batch is the
    same whatever their number.
    """

    def __init__(
        self, job: Job, data: Batches, *, first: int, process: int, processes: int
    ) -> None:
        self.processes = processes
        self._job = job
        self._data = data
        self._first = first
        self._share = job.batch.sequences // processes
        self._begin = process * self._share
        self._on_gpu = job.device == "cuda"
        self.accumulated = self._share // job.batch.micro
        """Forward passes of this process in a step."""

    def __len__(self) -> int:
        return (self._job.last_step - self._first) * self.accumulated

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        micro = self._job.batch.micro
        for step in range(self._first + 1, self._job.last_step + 1):
            start = self._job.instances(step)[0] + self._begin
            tokens = torch.from_numpy(self._data.batch(start, start + self._share))
            if self._on_gpu:
                tokens = tokens.pin_memory().to("cuda", non_blocking=True)
            for place in range(0, self._share, micro):
                yield {"input_ids": tokens[place : place + micro]}


class Measures:
    """Losses and norms of the steps since the last telling, still on the device."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._sum: Tensor | None = None

    def add_loss(self, loss: Tensor) -> None:
        """Take a forward pass's share of its step's loss."""
        self._sum = loss if self._sum is None else self._sum + loss

    def add_norm(self, norm: Tensor) -> None:
        """Take the gradient norm, with which a step's forward passes are over."""
        if self._sum is None:
            raise ValueError("a gradient norm without a loss")
        self._losses.append(self._sum)
        self._norms.append(norm)
        self._sum = None

    def take(self, *, processes: int) -> tuple[list[float], list[float]]:
        """Return losses and norms as numbers and forget them; waits for the device once.

        Args:
            processes: Their losses are averaged; all of them have to call this.
        """
        if not self._losses:
            return [], []
        losses = torch.stack(self._losses).float()
        norms = torch.stack(self._norms).float()
        if processes > 1:
            torch.distributed.all_reduce(losses)
            losses /= processes
        self._losses, self._norms = [], []
        return losses.tolist(), norms.tolist()


class Signals:
    """Turns SIGTERM, SIGUSR1 and SIGINT into a question that the loop asks between steps."""

    def __init__(self) -> None:
        self.received: str | None = None
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number).name


def optimizer(job: Job, trained: Sequence[tuple[str, nn.Parameter]]) -> torch.optim.AdamW:
    """Return the job's AdamW; tensors of two or more dimensions decay, vectors do not."""
    terms = job.optimizer
    matrices = [parameter for _, parameter in trained if parameter.dim() >= 2]  # noqa: PLR2004  # a matrix
    vectors = [parameter for _, parameter in trained if parameter.dim() < 2]  # noqa: PLR2004  # a vector
    groups = [
        {"params": matrices, "weight_decay": terms.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=terms.lr,
        betas=terms.betas,
        eps=terms.eps,
        foreach=job.foreach,
        fused=job.fused or None,
    )


def scheduler(job: Job, adamw: torch.optim.Optimizer, *, first: int) -> LambdaLR:
    """Return the job's schedule, at the step after `first`."""
    return LambdaLR(adamw, lambda done: factor(job.schedule, first + done + 1))


def restore(
    adamw: torch.optim.Optimizer,
    checkpoint: Checkpoint,
    *,
    fused: bool,
    views: Callable[[str, Tensor], Iterator[tuple[str, Tensor]]],
    trained: Sequence[tuple[str, nn.Parameter]],
) -> None:
    """Put a checkpoint's moments into the optimizer, bit-equal.

    Args:
        adamw: The optimizer; whatever it held is replaced.
        checkpoint: Where the moments lie.
        fused: Whether its step counter lives on the device.
        views: Cuts a tensor of a parameter's shape into views by their names on disk.
        trained: The optimizer's parameters by name in memory.
    """
    for memory, parameter in trained:
        # As torch makes them: a counter on the CPU unless the fused kernel counts.
        counter = torch.tensor(float(checkpoint.state.updates))
        state: dict[str, Tensor] = {"step": counter.to(parameter.device) if fused else counter}
        for which in ("exp_avg", "exp_avg_sq"):
            moment = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            for name, view in views(memory, moment):
                view.copy_(torch.from_numpy(checkpoint.moment(which, name)))
            state[which] = moment.detach()
        adamw.state[parameter] = state
