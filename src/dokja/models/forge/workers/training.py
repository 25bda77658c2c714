"""The transformers `Trainer` on our data, our optimizer and our schedule, measured without waits.

Losses and gradient norms stay on the device until they are told of, so that no step waits for
the one before. The Trainer saves nothing, logs nothing and shuffles nothing here: where a run
goes on is a matter of `engines.runs`, which batch comes next of the data order.
"""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer, TrainerCallback, TrainingArguments

from dokja.models.forge.engines.checkpoints import Checkpoint
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.schedules import factor

__all__ = ["Batches", "Loader", "Loop", "Measures", "Signals", "optimizer", "restore", "scheduler"]


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


class Loop(Trainer):
    """A Trainer that trains and does nothing else."""

    def __init__(
        self,
        job: Job,
        network: nn.Module,
        *,
        loader: Loader,
        callback: TrainerCallback,
        optimizers: tuple[torch.optim.Optimizer, LambdaLR],
        scratch: str,
    ) -> None:
        """Set it up.

        Args:
            job: What is trained.
            network: On its device.
            loader: This process's micro-batches.
            callback: Asked after every step.
            optimizers: Those of `optimizer` and `scheduler`.
            scratch: A folder that the Trainer may name and never writes to.
        """
        self.measures = Measures()
        self._job = job
        self._loader = loader
        self._trained = [p for p in network.parameters() if p.requires_grad]
        self._bf16 = job.precision == "bf16"
        super().__init__(
            model=network,
            args=_arguments(job, loader, scratch),
            callbacks=[callback],
            optimizers=optimizers,
        )
        # The loss is the plain mean over a micro-batch: all windows are full, nothing is padded.
        self.model_accepts_loss_kwargs = False

    def get_train_dataloader(self) -> Any:
        """Return our own loader, which nobody wraps, shuffles or skips in."""
        return self._loader

    def get_batch_samples(
        self,
        epoch_iterator: Iterator[Any],
        num_batches: int,
        device: Any = None,  # noqa: ARG002  # the Trainer's signature
    ) -> tuple[list[Any], None]:
        """Return a step's micro-batches; how many items they hold is known without counting."""
        return [next(epoch_iterator) for _ in range(num_batches)], None

    def training_step(
        self,
        model: nn.Module,
        inputs: Mapping[str, Tensor],
        num_items_in_batch: Any = None,  # noqa: ARG002  # the Trainer's signature
    ) -> Tensor:
        """Go forward and back once; the loss stays on the device."""
        ids = inputs["input_ids"]
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self._bf16):
            loss: Tensor = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss = loss / self._loader.accumulated
        loss.backward()
        loss = loss.detach()
        self.measures.add_loss(loss)
        return loss

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:  # noqa: ARG002  # likewise
        bound = self._job.optimizer.clip
        norm = nn.utils.clip_grad_norm_(self._trained, float("inf") if bound is None else bound)
        self.measures.add_norm(norm)
        return norm

    def _get_grad_norm(self, model: nn.Module, grad_norm: Tensor | None = None) -> Tensor:
        return self._clip_grad_norm(model) if grad_norm is None else grad_norm

    def log(self, *_: Any, **__: Any) -> None:
        """Say nothing: what is worth saying is told as events."""

    def floating_point_ops(self, inputs: Mapping[str, Any]) -> int:  # noqa: ARG002  # likewise
        """Return 0: what a run costs is computed from its structure, not counted every step."""
        return 0


def _arguments(job: Job, loader: Loader, scratch: str) -> TrainingArguments:
    # accelerate takes a named backend for the wish to be one of several processes.
    backend = {"cpu": "gloo", "cuda": "nccl"}[job.device] if loader.processes > 1 else None
    return TrainingArguments(
        output_dir=scratch,
        max_steps=len(loader) // loader.accumulated,
        per_device_train_batch_size=job.batch.micro,
        gradient_accumulation_steps=loader.accumulated,
        max_grad_norm=job.optimizer.clip or 0.0,
        use_cpu=job.device == "cpu",
        ddp_backend=backend,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,
        torch_compile=job.compile,
        logging_strategy="no",
        logging_nan_inf_filter=False,  # it would wait for the device in every step
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        average_tokens_across_devices=False,
        seed=0,  # nothing draws: starts, order and adapters have seeds of their own
    )


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
