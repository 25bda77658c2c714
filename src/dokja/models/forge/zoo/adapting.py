"""Trains a low-rank adapter (LoRA, arXiv 2106.09685) with the reference engine's gradients.

    python -m dokja.models.forge.zoo.adapting job.json

The gradient of a factor follows from that of the whole matrix, W = W0 + (alpha / rank) B A: so the
reference engine, which trains whole tensors, gives it. That spends more than an adapter must and
needs no torch. Factors begin as the worker `hf` begins them, and a job is obeyed as every engine
obeys it; `tests/forge/zoo` holds the two against each other.
"""

import math
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from dokja.errors import DokjaError, EngineError
from dokja.models.forge.corpora.batches import TokenData, open_data
from dokja.models.forge.engines import Checkpoint, Job, read_job
from dokja.models.forge.engines.contract import BAD_INPUT, CANNOT_TELL, DONE, INTERRUPTED
from dokja.models.forge.engines.jobs import Adapter
from dokja.models.forge.engines.ref.environment import environment
from dokja.models.forge.engines.ref.forward import gradient
from dokja.models.forge.engines.ref.memory import keep_freed_memory
from dokja.models.forge.engines.ref.network import FAMILIES, Network
from dokja.models.forge.engines.ref.optimizer import Optimizer, clip, norm
from dokja.models.forge.engines.ref.worker import start_weights
from dokja.models.forge.engines.runs import Run, State, is_done, newest_state
from dokja.models.forge.initialisation import initial_values

__all__ = ["Adapting", "main", "train"]

_A, _B = ".lora_A.weight", ".lora_B.weight"
Arrays = Mapping[str, NDArray[np.float32]]


class Adapting:
    """An adapter on its way through the steps of a job.

    Attributes:
        step: Steps done.
        weights: Every tensor, with the adapter merged into its targets.
    """

    def __init__(self, job: Job, base: Arrays, *, resumed: Checkpoint | None) -> None:
        """Begin at the base, or where a checkpoint left the factors.

        Raises:
            EngineError: The job asks for something else than an adapter on a family of `ref`.
        """
        adapter = _adapter(job)
        self.step = job.first_step if resumed is None else resumed.state.step
        self._job, self._base = job, base
        self._scale = np.float32(adapter.alpha / adapter.rank)
        self._targets = [
            name for name in sorted(base) if name.split(".")[-2] in set(adapter.targets)
        ]
        factors = _first_factors(adapter, base, self._targets)
        if resumed is not None and resumed.adapter is not None:
            factors = {name: resumed.adapter.read(name) for name in factors}
        self._optimizer = Optimizer(job.optimizer, factors)
        if resumed is not None:
            self._optimizer.updates = resumed.state.updates
            for which, flat in self._moments():
                for name, view in flat.items():
                    view[...] = resumed.moment(which, name)
        self._network = Network(job.structure)
        self._gradients = {name: np.zeros_like(tensor) for name, tensor in base.items()}
        self.weights: dict[str, NDArray[np.float32]] = dict(base)
        self._merge()

    def take_step(self, data: TokenData) -> tuple[float, float]:
        """Do the next step; return its loss and the norm of the factors' gradient."""
        job = self._job
        tokens = data.batch(*job.instances(self.step + 1))
        for tensor in self._gradients.values():
            tensor.fill(0.0)
        micro = job.batch.micro
        loss = gradient(self._network, self.weights, tokens, into=self._gradients, micro=micro)
        factors, into = self._optimizer.weights.named, self._optimizer.gradient.named
        for name in self._targets:
            stem, whole = name.removesuffix(".weight"), self._scale * self._gradients[name]
            into[stem + _A][...] = factors[stem + _B].T @ whole
            into[stem + _B][...] = whole @ factors[stem + _A].T
        length = norm(into.values())
        if math.isfinite(loss) and math.isfinite(length):
            if job.optimizer.clip is not None:
                clip(self._optimizer.gradient.values, length, most=job.optimizer.clip)
            self.step += 1
            self._optimizer.update(lr=job.learning_rate(self.step))
            self._merge()
        return float(loss), float(length)

    def state(self) -> State:
        """Return everything that a checkpoint holds."""
        return State(
            weights=self.weights,
            config=self._job.structure.config(),
            moments={
                f"{which}/{name}": view
                for which, flat in self._moments()
                for name, view in flat.items()
            },
            updates=self._optimizer.updates,
            adapter=self._optimizer.weights.named,
        )

    def _merge(self) -> None:
        factors = self._optimizer.weights.named
        for name in self._targets:
            stem = name.removesuffix(".weight")
            change = self._scale * (factors[stem + _B] @ factors[stem + _A])
            self.weights[name] = self._base[name] + change

    def _moments(self) -> tuple[tuple[str, dict[str, NDArray[np.float32]]], ...]:
        return (
            ("exp_avg", self._optimizer.first.named),
            ("exp_avg_sq", self._optimizer.second.named),
        )


def _adapter(job: Job) -> Adapter:
    if job.adapter is None or job.structure.family not in FAMILIES or job.precision != "fp32":
        raise EngineError(
            f"This worker trains adapters of {' and '.join(sorted(FAMILIES))} in fp32; the job "
            f"asks for {'no adapter' if job.adapter is None else 'one'} of a "
            f"{job.structure.family} in {job.precision}. Nothing was changed."
        )
    return job.adapter


def _first_factors(
    adapter: Adapter, base: Arrays, targets: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    seed, factors = bytes.fromhex(adapter.seed), {}
    for name in targets:
        stem, (outputs, inputs) = name.removesuffix(".weight"), base[name].shape
        # The variance of the uniform draw that LoRA's authors use: 1 / (3 · inputs).
        std, count = 1.0 / math.sqrt(3 * inputs), adapter.rank * inputs
        drawn = initial_values(stem + _A, seed, std=std, start=0, stop=count)
        factors[stem + _A] = drawn.reshape(adapter.rank, inputs)
        factors[stem + _B] = np.zeros((outputs, adapter.rank), dtype=np.float32)
    return factors


class _Stop:
    """Remembers which signal asked the process to stop."""

    def __init__(self) -> None:
        self.name: str | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _: FrameType | None) -> None:
        self.name = signal.Signals(number).name


def train(job: Job, *, base: Path, data: TokenData, stop: _Stop) -> int:
    """Run a job, or go on with it; return the exit code of the contract.

    Raises:
        DokjaError: The job cannot be done; see the message.
    """
    began = time.monotonic()
    _adapter(job)
    if is_done(job, base=base):
        return DONE
    resumed = newest_state(job, base=base)
    adapting = Adapting(job, start_weights(job, base=base), resumed=resumed)
    run = Run(job, base=base, engine="ref", clock=lambda: datetime.now(UTC))
    try:
        run.begin(environment(job), resumed=resumed)
        if resumed is None:
            run.keep(adapting.state())
        while adapting.step < job.last_step:
            loss, length = adapting.take_step(data)
            run.tell([loss], [length])  # raises where a number is not finite
            asked = stop.name is not None and adapting.step < job.last_step
            if asked or job.wants_checkpoint(adapting.step):
                run.keep(adapting.state())
            if asked:
                run.interrupt(f"the process was asked to stop by {stop.name}")
                return INTERRUPTED
        run.finish(adapting.state(), device_seconds=time.monotonic() - began)
    finally:
        run.close()
    return DONE


def main(words: Sequence[str]) -> int:
    """Run the job whose file is named; return the exit code."""
    if len(words) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return BAD_INPUT
    stop, path = _Stop(), Path(words[0])
    keep_freed_memory()
    try:
        job = read_job(path)
        length, vocabulary = job.batch.length, job.structure.vocabulary
        with open_data(job.data, base=path.parent, length=length, vocabulary=vocabulary) as data:
            data.order.check(job.last_step * job.batch.sequences)
            return train(job, base=path.parent, data=data, stop=stop)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_TELL
    except DokjaError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
