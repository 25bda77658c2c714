"""Training step by step, and the replay of steps from a checkpoint.

Nothing here writes a file or knows a clock: `worker` does, for whole jobs. A replay takes a
checkpoint of any engine, since all write weights and moments alike.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dokja.errors import EngineError, Mistake, RecordError
from dokja.models.forge.engines.checkpoints import Checkpoint, open_checkpoint
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.ref.forward import gradient
from dokja.models.forge.engines.ref.network import FAMILIES, Network
from dokja.models.forge.engines.ref.optimizer import Optimizer, clip, norm
from dokja.models.forge.engines.ref.parts import Array
from dokja.models.forge.engines.ref.teaching import Teaching

__all__ = ["Batches", "Measured", "Replayed", "Training", "refuse", "replay"]

Batches = Callable[[int, int], NDArray[np.int64]]
"""Returns the tokens of the instances from a first up to a last, such as `TokenData.batch`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a step measured.

    Attributes:
        loss: Mean next-token cross-entropy before the update, nats.
        lr: Learning rate.
        grad_norm: Norm of the gradient before it was clipped.
    """

    loss: float
    lr: float
    grad_norm: float

    @property
    def finite(self) -> bool:
        """Whether the step could be made: both numbers are finite."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay came to.

    Attributes:
        step: The last step that was replayed.
        weights: Every tensor after it, float32.
        measured: What each step measured, in order.
    """

    step: int
    weights: Mapping[str, NDArray[np.float32]]
    measured: tuple[Measured, ...]


def refuse(job: Job) -> None:
    """Refuse a job that this engine cannot do as it is meant.

    Raises:
        EngineError: It cannot; every reason is in it.
    """
    reasons = []
    if job.structure.family not in FAMILIES:
        known = " and ".join(sorted(FAMILIES))
        reasons.append(f"the family {job.structure.family!r} (it trains {known})")
    if job.precision != "fp32":
        reasons.append(f"the precision {job.precision!r} (it computes in fp32)")
    if job.adapter is not None:
        reasons.append("adapters (it trains whole tensors)")
    if job.teacher is not None and job.teacher.structure.family not in FAMILIES:
        reasons.append(f"a teacher of the family {job.teacher.structure.family!r}")
    if job.device != "cpu":
        reasons.append(f"the device {job.device!r} (it computes on the CPU)")
    if isinstance(job.trainable, tuple):
        names = job.structure.shapes()
        reasons += [
            f"the pattern {pattern!r} (no tensor of the structure is called so)"
            for pattern in job.trainable
            if not any(fnmatchcase(name, pattern) for name in names)
        ]
    if reasons:
        raise EngineError(
            "ref cannot do this job. It asks for " + "; ".join(reasons) + ". Nothing was "
            "changed. Name another engine for it, such as hf."
        )


class Training:
    """Weights on their way through the steps of a job.

    Attributes:
        step: Steps done.
        weights: Every tensor; trained ones change in place.
    """

    def __init__(
        self,
        job: Job,
        weights: Mapping[str, Array],
        *,
        step: int,
        teaching: Teaching | None = None,
    ) -> None:
        """Begin with some weights and no memory of earlier gradients.

        Args:
            job: What is done.
            weights: Every tensor.
            step: Steps that they have seen.
            teaching: The job's teacher, opened.

        Raises:
            EngineError: The engine cannot do the job.
            ValueError: The job has a teacher and none was opened, or the other way round.
        """
        refuse(job)
        if (job.teacher is None) != (teaching is None):
            raise ValueError("a job is done with its teacher, or has none")
        self.step = step
        self._job = job
        self._teaching = teaching
        self._network = Network(job.structure)
        trained = {name: weights[name] for name in weights if _moves(job, name)}
        self._optimizer = Optimizer(job.optimizer, trained)
        still = {
            name: np.array(weights[name], dtype=np.float32)
            for name in weights.keys() - trained.keys()
        }
        self.weights: Mapping[str, NDArray[np.float32]] = MappingProxyType(
            {**still, **self._optimizer.weights.named}
        )
        # Gradients of what does not move are computed all the same, and left alone.
        self._gradients = {
            **{name: np.zeros_like(tensor) for name, tensor in still.items()},
            **self._optimizer.gradient.named,
        }

    @classmethod
    def resume(
        cls, job: Job, checkpoint: Checkpoint, *, teaching: Teaching | None = None
    ) -> "Training":
        """Go on from a checkpoint, with its moments.

        Args:
            job: What is done.
            checkpoint: Of this job.
            teaching: The job's teacher, opened.

        Raises:
            EngineError: The engine cannot do the job.
            RecordError: The checkpoint is one of another job; every mistake is in it.
        """
        refuse(job)
        mistakes = _checkpoint_mistakes(job, checkpoint)
        if mistakes:
            raise RecordError(mistakes)
        weights = {name: checkpoint.weights.read(name) for name in checkpoint.weights.names}
        training = cls(job, weights, step=checkpoint.state.step, teaching=teaching)
        training._optimizer.updates = checkpoint.state.updates
        for which, flat in training._moments():
            for name, view in flat.items():
                view[...] = checkpoint.moment(which, name)
        return training

    @property
    def updates(self) -> int:
        """Updates that the optimizer has made."""
        return self._optimizer.updates

    def optimizer_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return both moments of every trained tensor, named as checkpoints name them."""
        return {
            f"{which}/{name}": view
            for which, flat in self._moments()
            for name, view in flat.items()
        }

    def take_step(self, batches: Batches) -> Measured:
        """Do the next step of the job.

        Args:
            batches: Gives the tokens of the step's instances.

        Returns:
            What it measured. When that is not finite, the weights are those before the step and
            `step` has not moved.

        Raises:
            EngineError: A token is not in the vocabulary; nothing has moved.
        """
        job, step = self._job, self.step + 1
        tokens = batches(*job.instances(step))
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < job.structure.vocabulary:
            raise EngineError(
                f"step {step} reads ids from {tokens.min()} to {tokens.max()}, and the structure "
                f"has {job.structure.vocabulary}. Pack the data with the model's own tokenizer."
            )
        for tensor in self._gradients.values():
            tensor.fill(0.0)
        with np.errstate(all="ignore"):  # numbers that are not finite are told of below
            loss = gradient(
                self._network,
                self.weights,
                tokens,
                into=self._gradients,
                micro=job.batch.micro,
                teaching=self._teaching,
            )
            length = norm(self._optimizer.gradient.named.values())
        measured = Measured(loss=loss, lr=job.learning_rate(step), grad_norm=float(length))
        if not measured.finite:
            return measured
        if job.optimizer.clip is not None:
            clip(self._optimizer.gradient.values, length, most=job.optimizer.clip)
        self._optimizer.update(lr=measured.lr)
        self.step = step
        return measured

    def _moments(self) -> tuple[tuple[str, dict[str, NDArray[np.float32]]], ...]:
        return (
            ("exp_avg", self._optimizer.first.named),
            ("exp_avg_sq", self._optimizer.second.named),
        )


def replay(
    job: Job,
    *,
    state_folder: Path,
    steps: int,
    batches: Batches,
    teaching: Teaching | None = None,
) -> Replayed:
    """Return what a checkpoint becomes after some more steps of its job; nothing is written.

    Args:
        job: The job that was run, by whichever engine. Its kernels and threads do not matter
            here; its numbers must have been fp32.
        state_folder: A checkpoint, `step-…`, with weights and state.
        steps: How many steps to replay.
        batches: Gives the tokens of the steps' instances, such as `TokenData.batch`.
        teaching: The job's teacher, opened.

    Raises:
        EngineError: The engine cannot do the job, or numbers are no longer finite.
        RecordError: The checkpoint is damaged, or one of another job.
        ValueError: No step is asked for, or the job's teacher was not opened.
    """
    if steps < 1:
        raise ValueError(f"a replay of {steps} steps replays nothing")
    training = Training.resume(job, open_checkpoint(state_folder), teaching=teaching)
    measured = []
    for _ in range(steps):
        measured.append(training.take_step(batches))
        if not measured[-1].finite:
            raise EngineError(
                f"the replay of step {training.step + 1} came to a loss of {measured[-1].loss} "
                f"and a gradient's norm of {measured[-1].grad_norm}, which are not finite."
            )
    return Replayed(step=training.step, weights=training.weights, measured=tuple(measured))


def _moves(job: Job, name: str) -> bool:
    patterns = job.trainable
    return isinstance(patterns, str) or any(fnmatchcase(name, one) for one in patterns)


def _checkpoint_mistakes(job: Job, checkpoint: Checkpoint) -> list[Mistake]:
    """Find what a checkpoint of this job would not say."""
    state, shapes = checkpoint.state, job.structure.shapes()
    trained = tuple(sorted(name for name in shapes if _moves(job, name)))
    stored = {name: checkpoint.weights.info(name).shape for name in checkpoint.weights.names}
    wrong = sorted(n for n in shapes.keys() | stored.keys() if shapes.get(n) != stored.get(n))
    rules: list[tuple[str, object, object]] = [
        (f"weights, tensor {name!r}", stored.get(name), shapes.get(name)) for name in wrong[:10]
    ]
    rules += [
        ("state, precision", state.precision, "fp32"),
        ("state, optimizer", state.optimizer, "adamw"),
        ("state, cursor", state.cursor, state.step * job.batch.sequences),
        ("state, tokens", state.tokens, state.step * job.batch.tokens),
        ("state, trained tensors", len(checkpoint.trained), len(trained)),
    ]
    return [
        Mistake(
            file=checkpoint.path.name,
            place=place,
            read=str(read),
            expected=f"{expected}, as the job says",
            remedy="This checkpoint belongs to another job.",
        )
        for place, read, expected in rules
        if read != expected
    ]
