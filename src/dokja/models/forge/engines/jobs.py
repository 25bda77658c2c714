"""A job: all that a worker is told, as one value; `job_files` writes and reads it.

Paths in it are relative to its file's own folder, so that a run's folder can be moved. A worker
that is started on the same job again goes on from the newest whole checkpoint; `start` and
`first_step` count only where there is none.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from dokja.models.forge.schedules import Schedule, factor
from dokja.models.forge.structures import Structure
from dokja.values import Json

__all__ = [
    "ATTENTION",
    "SCHEMA",
    "AdamW",
    "Adapter",
    "Batch",
    "Job",
    "Keep",
    "Teacher",
]

SCHEMA = "dokja.job/1"

ATTENTION = ("sdpa", "flash", "cudnn", "efficient", "math", "eager")
"""Attention kernels: `sdpa` leaves the choice to torch, the others force one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step sees.

    Attributes:
        sequences: Windows in a step, over all processes.
        length: Tokens in a window.
        micro: Windows in one forward pass of one process; less memory, the same batch.
    """

    sequences: int
    length: int
    micro: int

    @property
    def tokens(self) -> int:
        """Tokens a step."""
        return self.sequences * self.length

    def to_json(self) -> dict[str, Json]:
        """Return it as a job states it."""
        return {"sequences": self.sequences, "length": self.length, "micro": self.micro}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamW:
    """AdamW with decoupled decay (arXiv 1711.05101) and a bound on the gradient's norm.

    Attributes:
        lr: Peak learning rate; the schedule multiplies it.
        betas: Decay of the first and the second moment.
        eps: Added to the root of the second moment.
        weight_decay: Of tensors with two or more dimensions; vectors have none.
        clip: Largest norm of the gradient over all trained tensors; none for no bound.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    clip: float | None = 1.0

    def to_json(self) -> dict[str, Json]:
        """Return it as a job states it."""
        return {
            "kind": "adamw",
            "lr": self.lr,
            "betas": list(self.betas),
            "eps": self.eps,
            "weight_decay": self.weight_decay,
            "clip": self.clip,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A low-rank adapter (LoRA, arXiv 2106.09685).

    Attributes:
        rank: Rank of the update.
        alpha: The update is scaled by alpha over rank.
        targets: Last parts of the names of the linear maps that get one, such as `q_proj`.
        seed: Hexadecimal; the first factor is drawn from it, the second begins at zero.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    seed: str

    def to_json(self) -> dict[str, Json]:
        """Return it as a job states it."""
        return {
            "rank": self.rank,
            "alpha": self.alpha,
            "targets": list(self.targets),
            "seed": self.seed,
        }

    def peft_config(self) -> dict[str, Json]:
        """Return what peft's `adapter_config.json` says of it, beside finished factors."""
        return {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "r": self.rank,
            "lora_alpha": self.alpha,
            "target_modules": list(self.targets),
            "lora_dropout": 0.0,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "base_model_name_or_path": None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """A frozen network whose probabilities a job follows (distillation, arXiv 1503.02531).

    What is trained on is `(1 - share)` times the cross-entropy of the data, plus `share` times
    the squared temperature times the Kullback-Leibler divergence of the student's distribution
    from the teacher's, both softened by the temperature and averaged over the same positions.

    Attributes:
        weights: Folder of its weights.
        root: Their tensor root; other weights are refused.
        structure: What it is; its vocabulary is the student's.
        share: Share of the loss that follows it, in [0, 1].
        temperature: What both networks' scores are divided by.
    """

    weights: str
    root: str
    structure: Structure
    share: float
    temperature: float

    def to_json(self) -> dict[str, Json]:
        """Return it as a job states it."""
        return {
            "weights": self.weights,
            "root": self.root,
            "structure": self.structure.to_json(),
            "share": self.share,
            "temperature": self.temperature,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Which checkpoints are kept, beside the first and the last.

    Attributes:
        checkpoint_every: Every so many steps.
        dense_until: Every step up to this one.
        at: These steps.
    """

    checkpoint_every: int
    dense_until: int = 0
    at: tuple[int, ...] = ()

    def wants(self, step: int) -> bool:
        """Tell whether the state after this step is kept.

        Example:
            >>> keep = Keep(checkpoint_every=50, dense_until=2, at=(7,))
            >>> [step for step in range(101) if keep.wants(step)]
            [0, 1, 2, 7, 50, 100]
        """
        return step % self.checkpoint_every == 0 or step <= self.dense_until or step in self.at

    def to_json(self) -> dict[str, Json]:
        """Return it as a job states it."""
        return {
            "checkpoint_every": self.checkpoint_every,
            "dense_until": self.dense_until,
            "at": list(self.at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a worker is told; read by `job_files.read_job`.

    Attributes:
        plan: Digest of the plan that this job belongs to.
        structure: What is trained.
        start: Folder of start weights.
        steps: How many steps the job has; its last step is `first_step` + `steps`.
        first_step: Steps that the start weights had seen.
        batch: What one step sees.
        optimizer: How a step updates.
        schedule: How the learning rate changes; step t counts from the training's beginning.
        trainable: `all`, `adapters`, or shell patterns of the names of what may move.
        data: What `corpora` opens: seed and sources.
        keep: Which checkpoints are kept.
        precision: `fp32`, or `bf16` for autocast with float32 masters.
        device: `cpu` or `cuda`.
        determinism: `calibrated` (noise floor is measured) or `strict` (kernels without atomics).
        threads: Threads of one process.
        attention: One of `ATTENTION`.
        foreach: Whether the optimizer updates all tensors of a kind at once.
        fused: Whether it uses one kernel for all of an update.
        compile: Whether the network is compiled.
        adapter: The adapter that `adapters` trains.
        teacher: Whose probabilities are followed beside the data; left out where nobody's are.
        log_every: Steps that are told of in one event.
        events: The file of events.
        checkpoints: The folder of checkpoints.
        final: The folder of final weights.
    """

    plan: str
    structure: Structure
    start: str
    steps: int
    batch: Batch
    optimizer: AdamW
    schedule: Schedule
    data: Mapping[str, Any]
    keep: Keep
    first_step: int = 0
    trainable: str | tuple[str, ...] = "all"
    precision: str = "fp32"
    device: str = "cpu"
    determinism: str = "calibrated"
    threads: int = 1
    attention: str = "sdpa"
    foreach: bool = True
    fused: bool = False
    compile: bool = False
    adapter: Adapter | None = None
    teacher: Teacher | None = None
    log_every: int = 10
    events: str = "events.jsonl"
    checkpoints: str = "checkpoints"
    final: str = "model"

    @property
    def last_step(self) -> int:
        """The step after which the weights are final."""
        return self.first_step + self.steps

    def instances(self, step: int) -> tuple[int, int]:
        """Return the first instance of a step's batch and the one after its last.

        Step t uses batch t - 1, so that the cursor after t steps is t times the batch.
        """
        return (step - 1) * self.batch.sequences, step * self.batch.sequences

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.optimizer.lr * factor(self.schedule, step)

    def wants_checkpoint(self, step: int) -> bool:
        """Tell whether the state after this step is kept; the first and the last always are."""
        return self.keep.wants(step) or step in {self.first_step, self.last_step}

    def until(self, step: int) -> "Job":
        """Return the same job, ending after another step; the schedule stays."""
        return replace(self, steps=step - self.first_step)

    def seen_from(self, into: Path, *, base: Path) -> "Job":
        """Return the same job for another folder: its inputs lie where they lay.

        Args:
            into: The folder that its paths are to start from.
            base: The one that they start from now.
        """

        def moved(path: str) -> str:
            return Path(os.path.relpath(base / path, into)).as_posix()

        sources = [{**one, "corpus": moved(one["corpus"])} for one in self.data.get("sources", ())]
        teacher = self.teacher
        return replace(
            self,
            start=moved(self.start),
            data={**self.data, "sources": sources},
            teacher=teacher and replace(teacher, weights=moved(teacher.weights)),
        )

    def to_json(self) -> dict[str, Json]:
        """Return it as `job.json` holds it."""
        found: dict[str, Json] = {"schema": SCHEMA}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "teacher" and value is None:
                continue  # jobs from before there were teachers keep their bytes
            if hasattr(value, "to_json"):
                value = value.to_json()
            elif isinstance(value, Mapping):
                value = dict(value)
            found[item.name] = list(value) if isinstance(value, tuple) else value
        return found
