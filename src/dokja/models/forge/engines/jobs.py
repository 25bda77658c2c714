"""A job: all that a worker is told, in one file, `job.json`.

Paths in it are relative to the file's own folder, so that a run's folder can be moved. A worker
that is started on the same job again goes on from the newest whole checkpoint; `start` and
`first_step` count only where there is none.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.engines.reading import ObjectReader
from dokja.models.forge.engines.tensors import write_bytes
from dokja.models.forge.schedules import Schedule, factor
from dokja.models.forge.structures import Structure
from dokja.values import Json, parse_json

__all__ = [
    "ATTENTION",
    "AdamW",
    "Adapter",
    "Batch",
    "Job",
    "Keep",
    "parse_job",
    "read_job",
    "write_job",
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
    """All that a worker is told; made by `read_job`.

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

    def to_json(self) -> dict[str, Json]:
        """Return it as `job.json` holds it."""
        found: dict[str, Json] = {"schema": SCHEMA}
        for item in fields(self):
            value = getattr(self, item.name)
            if hasattr(value, "to_json"):
                value = value.to_json()
            elif isinstance(value, Mapping):
                value = dict(value)
            found[item.name] = list(value) if isinstance(value, tuple) else value
        return found


def write_job(job: Job, path: Path) -> None:
    """Write a job file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    text = json.dumps(job.to_json(), ensure_ascii=False, indent=1, allow_nan=False)
    write_bytes(unfinished, [text.encode() + b"\n"])
    unfinished.replace(path)


def read_job(path: Path) -> Job:
    """Read a job file.

    Raises:
        RecipeError: It cannot be read, or is no job; every mistake is in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        read = f"nothing: {error.strerror}"
        wrong = Mistake(file=path.name, place="", read=read, expected="a job file")
        raise RecipeError([wrong]) from error
    return parse_job(data, file=path.name)


def parse_job(data: bytes | str, *, file: str) -> Job:
    """Return the job that a text states; see `read_job`.

    Raises:
        RecipeError: As there.
    """
    try:
        said = parse_json(data)
    except (ValueError, RecursionError) as error:
        wrong = Mistake(file=file, place="", read=str(error)[:200], expected="one JSON object")
        raise RecipeError([wrong]) from error
    reader = ObjectReader(said, file=file)
    job = _job(reader)
    if not reader.mistakes:
        reader.mistakes += _sense_mistakes(job, file)
    if reader.mistakes:
        raise RecipeError(reader.mistakes)
    return job


def _job(read: ObjectReader) -> Job:
    read.one_of("schema", (SCHEMA,))
    adapter = read.inner("adapter") if read.holds("adapter") else None
    job = Job(
        plan=read.text("plan"),
        structure=read.made("structure", Structure.from_json),
        start=read.path("start"),
        steps=read.whole("steps", least=1),
        first_step=read.whole("first_step", least=0, otherwise=0),
        batch=_batch(read.inner("batch")),
        optimizer=_optimizer(read.inner("optimizer")),
        schedule=read.made("schedule", Schedule.from_json),
        trainable=_trainable(read),
        data=read.anything("data"),
        keep=_keep(read.inner("keep")),
        precision=read.one_of("precision", ("fp32", "bf16"), otherwise="fp32"),
        device=read.one_of("device", ("cpu", "cuda"), otherwise="cpu"),
        determinism=read.one_of("determinism", ("calibrated", "strict"), otherwise="calibrated"),
        threads=read.whole("threads", least=1, otherwise=1),
        attention=read.one_of("attention", ATTENTION, otherwise="sdpa"),
        foreach=read.flag("foreach", otherwise=True),
        fused=read.flag("fused", otherwise=False),
        compile=read.flag("compile", otherwise=False),
        adapter=None if adapter is None else _adapter(adapter),
        log_every=read.whole("log_every", least=1, otherwise=10),
        events=read.path("events", otherwise="events.jsonl"),
        checkpoints=read.path("checkpoints", otherwise="checkpoints"),
        final=read.path("final", otherwise="model"),
    )
    read.close()
    return job


def _batch(read: ObjectReader) -> Batch:
    batch = Batch(
        sequences=read.whole("sequences", least=1),
        length=read.whole("length", least=2),
        micro=read.whole("micro", least=1),
    )
    read.close()
    return batch


def _optimizer(read: ObjectReader) -> AdamW:
    read.one_of("kind", ("adamw",))
    clip = read.number("clip", above=0.0) if read.holds("clip") else None
    optimizer = AdamW(
        lr=read.number("lr", above=0.0),
        betas=read.pair("betas", below=1.0, otherwise=(0.9, 0.95)),
        eps=read.number("eps", above=0.0, otherwise=1e-8),
        weight_decay=read.number("weight_decay", otherwise=0.0),
        clip=clip,
    )
    read.close()
    return optimizer


def _adapter(read: ObjectReader) -> Adapter:
    adapter = Adapter(
        rank=read.whole("rank", least=1),
        alpha=read.number("alpha", above=0.0),
        targets=read.texts("targets"),
        seed=read.hexadecimal("seed"),
    )
    read.close()
    return adapter


def _keep(read: ObjectReader) -> Keep:
    keep = Keep(
        checkpoint_every=read.whole("checkpoint_every", least=1),
        dense_until=read.whole("dense_until", least=0, otherwise=0),
        at=read.wholes("at"),
    )
    read.close()
    return keep


def _trainable(read: ObjectReader) -> str | tuple[str, ...]:
    if read.is_list("trainable"):
        return read.texts("trainable")
    return read.one_of("trainable", ("all", "adapters"), otherwise="all")


def _sense_mistakes(job: Job, file: str) -> list[Mistake]:
    """Find values that are sound one by one and make no sense together."""
    found: list[tuple[str, str, str]] = []
    if job.batch.sequences % job.batch.micro:
        expected = f"a divisor of the {job.batch.sequences} sequences of a step"
        found.append(("batch.micro", str(job.batch.micro), expected))
    if job.batch.length > job.structure.positions:
        expected = f"at most the structure's {job.structure.positions} positions"
        found.append(("batch.length", str(job.batch.length), expected))
    if (job.adapter is not None) != (job.trainable == "adapters"):
        read = f"{job.trainable!r} {'without' if job.adapter is None else 'with'} an adapter"
        found.append(("trainable", read, "'adapters' together with an adapter, or neither"))
    if job.fused and job.foreach:
        found.append(("fused", "true beside foreach", "one of the two: they are two kernels"))
    return [
        Mistake(file=file, place=place, read=read, expected=expected)
        for place, read, expected in found
    ]
