"""The transformers `Trainer` on our data, our optimizer and our schedule, measured without waits.

It saves nothing, logs nothing and shuffles nothing here: where a run goes on is a matter of
`engines.runs`, which batch comes next of the data order.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer, TrainerCallback, TrainingArguments

from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.workers.teaching import Teaching
from dokja.models.forge.workers.training import Loader, Measures

__all__ = ["Loop"]


class Loop(Trainer):
    """A Trainer that trains and does nothing else."""

    def __init__(
        self,
        job: Job,
        network: nn.Module,
        *,
        loader: Loader,
        teaching: Teaching | None,
        callback: TrainerCallback,
        optimizers: tuple[torch.optim.Optimizer, LambdaLR],
        measures: Measures,
        scratch: str,
    ) -> None:
        """Set it up.

        Args:
            job: What is trained.
            network: On its device.
            loader: This process's micro-batches.
            teaching: A teacher that is followed beside the data.
            callback: Asked after every step.
            optimizers: Those of `optimizer` and `scheduler`.
            measures: Where losses and norms go.
            scratch: A folder that the Trainer may name and never writes to.
        """
        self.measures = measures
        self._job = job
        self._loader = loader
        self._teaching = teaching
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
        """Go forward and back once; the data's loss stays on the device."""
        ids = inputs["input_ids"]
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self._bf16):
            out = model(input_ids=ids, labels=ids, use_cache=False)
            loss: Tensor = out.loss
            taught = loss if self._teaching is None else self._teaching.loss(loss, out.logits, ids)
        (taught / self._loader.accumulated).backward()
        loss = loss.detach() / self._loader.accumulated
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
