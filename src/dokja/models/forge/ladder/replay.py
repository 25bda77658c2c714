"""Replays of a few steps from an archived state, by the run's own engine or by numpy alone.

The job is the one that the plan and the seed fix, never the file that a builder left beside the
weights. A worker runs in a folder of its own; the reference engine runs in this process.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from dokja.errors import EngineError
from dokja.models.forge.corpora import open_data
from dokja.models.forge.engines.contract import DONE, WorkerEngine
from dokja.models.forge.engines.events import Resume, Start, read_events
from dokja.models.forge.engines.job_files import write_job
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.ref import open_teaching
from dokja.models.forge.engines.ref import replay as replay_in_numpy
from dokja.models.forge.engines.ref.training import refuse
from dokja.models.forge.engines.replays import prepare_replay
from dokja.models.forge.ladder.distances import Reader
from dokja.models.forge.ladder.segments import MOST_STEPS
from dokja.models.forge.running.processes import RunLock, work
from dokja.models.weights import open_source
from dokja.values import Json

__all__ = ["RefReplayer", "ReplayRequest", "Replayed", "Replayer", "WorkerReplayer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """What is to be replayed.

    Attributes:
        job: The training's job, as the plan fixes it.
        base: The folder that the job's paths start from.
        state: The archived state to go on from.
        steps: How many steps; at most `segments.MOST_STEPS`.
        settings: Fields of the job that are to be otherwise, such as `threads`.
    """

    job: Job
    base: Path
    state: Path
    steps: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise ValueError(f"a replay has 1 to {MOST_STEPS} steps, not {self.steps}")

    def changed(self, settings: Mapping[str, Any]) -> "ReplayRequest":
        """Return the same request with some fields of the job otherwise."""
        return replace(self, settings={**self.settings, **settings})


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay came to.

    Attributes:
        engine: Which engine replayed.
        weights: Reads a tensor of the end, by name.
        losses: Of each step, nats.
        environment: Where it ran, as the engine says; empty where it says nothing.
    """

    engine: str
    weights: Reader
    losses: tuple[float, ...]
    environment: Mapping[str, Json] = field(default_factory=dict)


class Replayer(Protocol):
    """Something that replays."""

    @property
    def name(self) -> str:
        """Name of the engine."""
        ...

    def replay(self, request: ReplayRequest) -> Replayed:
        """Replay; see `ReplayRequest`.

        Raises:
            EngineError: The engine cannot do the job, or stopped.
            RecordError: The state is damaged, or one of another job.
            RecipeError: The steps lie outside the job.
            CorpusError: The data are not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class RefReplayer:
    """Replays with numpy, in this process."""

    name: str = "ref"

    def replay(self, request: ReplayRequest) -> Replayed:
        """Replay; see `Replayer`."""
        job = request.job
        if request.settings:
            job = _with(job, request.settings)
        refuse(job)  # before a teacher of a family that it does not know is opened
        teaching = open_teaching(job, base=request.base)
        with open_data(job.data, base=request.base, length=job.batch.length) as data:
            done = replay_in_numpy(
                job,
                state_folder=request.state,
                steps=request.steps,
                batches=data.batch,
                teaching=teaching,
            )
        return Replayed(
            engine=self.name,
            weights=done.weights.__getitem__,
            losses=tuple(one.loss for one in done.measured),
        )


def _with(job: Job, settings: Mapping[str, Any]) -> Job:
    """Return a job with other settings; `micro` is one of its batch."""
    own = dict(settings)
    micro = own.pop("micro", job.batch.micro)
    return replace(job, batch=replace(job.batch, micro=micro), **own)


class WorkerReplayer:
    """Replays with an engine in a process of its own.

    Args:
        engine: Which, with the interpreter that it runs under.
        scratch: A folder for replays; each is removed when the next begins.
        environment: All of the worker's environment.
    """

    def __init__(
        self, engine: WorkerEngine, *, scratch: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = engine.name
        self._engine, self._scratch, self._environment = engine, scratch, environment
        self._number = 0

    def replay(self, request: ReplayRequest) -> Replayed:
        """Replay; see `Replayer`. Its tensors can be read for as long as the folder is there."""
        self._number += 1
        into = self._scratch / f"replay-{self._number}"
        shutil.rmtree(into, ignore_errors=True)
        asked = self._scratch / f"asked-{self._number}"
        asked.mkdir(parents=True, exist_ok=True)
        moved = _with(request.job.seen_from(asked, base=request.base), request.settings)
        write_job(moved, asked / "job.json")
        job = prepare_replay(
            asked / "job.json", checkpoint=request.state, steps=request.steps, into=into
        )
        with RunLock(into) as lock:
            code = work(
                self._engine.command(job.resolve()),
                folder=into,
                lock=lock,
                environment=self._environment,
                watch=lambda: None,
            )
        if code != DONE:
            raise EngineError(f"{into}: the replay was asked to stop. Nothing was compared.")
        events = read_events(into / "events.jsonl")
        # In a folder without events, a worker that goes on from a state says that it starts.
        begun = [one for one in events.events if isinstance(one, Start | Resume)]
        source = open_source(into / "model")
        # Weights stay mapped; the state that was copied is not needed any more.
        shutil.rmtree(into / "checkpoints", ignore_errors=True)
        shutil.rmtree(asked)
        return Replayed(
            engine=self.name,
            weights=source.read,
            losses=tuple(events.metrics().loss.tolist()),
            environment=begun[-1].environment if begun else {},
        )
