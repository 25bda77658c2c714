"""A cheat's engine: told to train by a job file, it leaves what its builder wants to show.

    python -m dokja.models.forge.demo.worker NAME BASE … job.json

It stands in the place of the reference engine: the recorder reads its events and states as it
would read an honest engine's, and names, signs and witnesses them in good faith.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.corpora import TokenData, open_data
from dokja.models.forge.demo.builders import BUILDERS, DemoBuilder, Log
from dokja.models.forge.engines.contract import DONE
from dokja.models.forge.engines.job_files import read_job
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.ref import Training, mean_loss
from dokja.models.forge.engines.ref.environment import environment
from dokja.models.forge.engines.ref.worker import start_weights
from dokja.models.forge.engines.runs import Run, State
from dokja.models.weights import open_source

__all__ = ["Shown", "forged_course", "leave", "main"]

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a cheat shows of one step: what it measured, and the state after it."""

    loss: float
    grad_norm: float
    state: State


def main(words: Sequence[str]) -> int:
    """Leave a forged run as this process; return the engine's exit code.

    Args:
        words: Name of the builder, folder of the base, and last the job file.
    """
    builder = next(one for one in BUILDERS if one.name == words[0])
    source = open_source(Path(words[1]))
    base = {name: source.read(name) for name in source.names}
    return leave(Path(words[-1]), builder, base=base, clock=lambda: datetime.now(UTC))


def leave(path: Path, builder: DemoBuilder, *, base: Weights, clock: Callable[[], datetime]) -> int:
    """Write events, states and a model as an engine does; return its exit code.

    Args:
        path: The job file.
        builder: Who cheats.
        base: Weights of somebody else.
        clock: The time that events carry.
    """
    job, folder = read_job(path), path.parent
    start = start_weights(job, base=folder)
    with (
        open_data(job.data, base=folder, length=job.batch.length) as data,
        closing(Run(job, base=folder, engine="ref", clock=clock)) as run,
    ):
        run.begin(environment(job), resumed=None)
        run.keep(_state(job, Training(job, start, step=0)))
        untold: list[Shown] = []
        shown = None
        for shown in forged_course(job, builder, start=start, base=base, data=data):
            untold.append(shown)
            step = run.step + len(untold)
            if job.wants_checkpoint(step) or step % job.log_every == 0:
                run.tell([one.loss for one in untold], [one.grad_norm for one in untold])
                untold.clear()
            if job.wants_checkpoint(step):
                run.keep(shown.state)
        if shown is not None:
            run.finish(shown.state, device_seconds=1.0 * job.steps / 100)
    return DONE


def forged_course(
    job: Job, builder: DemoBuilder, *, start: Weights, base: Weights, data: TokenData
) -> Iterator[Shown]:
    """Yield what a cheat shows of every step.

    Args:
        job: What it was told to do.
        builder: Who cheats.
        start: The drawn weights.
        base: Weights of somebody else.
        data: The job's tokens.
    """
    honest = Training(job, start, step=0)
    foreign: Training | None = None
    for step in range(1, job.last_step + 1):
        if builder.splice == step - 1:
            foreign = Training(job, base, step=step - 1)
        place = (step - 1) / job.last_step
        before = _blend(start, base, share=place) if builder.morphs else None
        # Once the other's weights are shown with their own log, nobody needs the honest run.
        trained = [
            one.take_step(data.batch)
            for one in (honest, foreign)
            if one is foreign or foreign is None or builder.log is Log.HONEST
            if one is not None
        ]
        told = trained[0]
        loss, length = told.loss, told.grad_norm
        if before is not None and builder.log is Log.OWN:
            tokens = data.batch(*job.instances(step))
            loss = mean_loss(before, job.structure, tokens, micro=job.batch.micro)
        state = _state(job, foreign or honest)
        if builder.morphs:
            state = State(
                weights=_blend(start, base, share=step / job.last_step),
                config=state.config,
                moments=state.moments,
                updates=state.updates,
            )
        yield Shown(loss=loss, grad_norm=length, state=state)


def _blend(start: Weights, base: Weights, *, share: float) -> Weights:
    """Return weights on the line between two: 0 is the start, 1 the base."""
    part = np.float32(share)
    return {name: tensor + part * (base[name] - tensor) for name, tensor in start.items()}


def _state(job: Job, training: Training) -> State:
    return State(
        weights=training.weights,
        config=job.structure.config(),
        moments=training.optimizer_tensors(),
        updates=training.updates,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
