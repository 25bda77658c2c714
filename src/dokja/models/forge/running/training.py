"""A planned training: its job is written, its engine started, and what it says recorded."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dokja.errors import EngineError, Mistake, RecipeError
from dokja.models.forge.engines.catalogue import WORKERS, worker_engine
from dokja.models.forge.engines.contract import DONE
from dokja.models.forge.engines.job_files import write_job
from dokja.models.forge.engines.jobs import AdamW, Adapter, Batch, Job, Keep
from dokja.models.forge.plans import Plan, PlannedComponent
from dokja.models.forge.plans.mixtures import job_sources
from dokja.models.forge.records import ChainWriter, Checkpoint
from dokja.models.forge.running.attaching import Left, left_by, take_in
from dokja.models.forge.running.building import Builder
from dokja.models.forge.running.joint import JOINT
from dokja.models.forge.running.launching import Cluster, write_launch_files
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.running.processes import RunLock, work
from dokja.models.forge.running.recorder import StepRecorder
from dokja.models.forge.running.states import PROBE_GAP, Recorder
from dokja.models.forge.running.teaching import (
    planned_job_teacher,
    teacher_folder,
    with_teacher,
)
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure

__all__ = ["FOREIGN", "Trainer", "job_of", "train_joint"]

FOREIGN = ("titan", "megatron")
"""Engines that are never started here: their settings are written, what they leave is read."""

_ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def job_of(
    plan: Plan,
    stage: Mapping[str, Any],
    *,
    seed: bytes,
    plan_folder: Path,
    folder: Path,
    start: Path,
) -> Job:
    """Return the job of a planned training; where its teacher lies is still open.

    Args:
        plan: The plan.
        stage: The training, as planned.
        seed: The run's seed: orders the data and draws an adapter's first values.
        plan_folder: Where the plan's data lie.
        folder: Where the job file will lie.
        start: The weights that it starts from.

    Raises:
        CorpusError: The plan's data were never packed.
        RecipeError: The plan names an optimizer or a teacher that no job can have.
    """
    engine, place = plan.engine, plan.place
    batch, optimizer = stage["batch"], stage["optimizer"]
    schedule = {**stage["schedule"], "total_steps": stage["steps"]}
    adapter = stage.get("adapter")
    trainable = stage["trainable"]
    probes = int(stage["probe_every"])
    bf16 = engine["precision"] == "bf16"
    sources = job_sources(_mapping(plan.data[stage["data"]]), plan=plan_folder, job=folder)
    return Job(
        plan=str(plan.digest),
        structure=Structure.from_json(stage["structure"]),
        start=os.path.relpath(start, folder),
        steps=int(stage["steps"]),
        batch=Batch(**batch),
        optimizer=_optimizer(optimizer, file=plan.name),
        schedule=Schedule.from_json(schedule),
        trainable=trainable if isinstance(trainable, str) else tuple(trainable),
        adapter=None
        if adapter is None
        else Adapter(
            rank=int(adapter["rank"]),
            alpha=float(adapter["alpha"]),
            targets=tuple(adapter["targets"]) or _ALL_LINEAR,
            seed=seed.hex(),
        ),
        teacher=planned_job_teacher(stage),
        precision=str(engine["precision"]),
        device=str(place["device"]),
        determinism=str(engine["determinism"]),
        attention=str(engine["attention"]),
        threads=1,
        foreach=not bf16,
        fused=bf16,
        data={"seed": seed.hex(), "sources": [*sources]},
        keep=Keep(checkpoint_every=max(probes, PROBE_GAP), at=tuple(stage["keep_at"])),
    )


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _optimizer(said: Mapping[str, Any], *, file: str) -> AdamW:
    if said["kind"] != "adamw":
        raise RecipeError(
            [
                Mistake(
                    file=file,
                    place="optimizer.kind",
                    read=repr(said["kind"]),
                    expected="adamw: these engines train by no other",
                )
            ]
        )
    values = {key: value for key, value in said.items() if key != "kind"}
    return AdamW(**{**values, "betas": tuple(values["betas"])})


class Trainer:
    """Runs trainings of one plan.

    Args:
        plan: The plan.
        plan_folder: Where its data lie.
        places: The run's places.
        chain: Where what it does is said.
        lock: The run's lock, held.
        builder: Who builds, and with what.
    """

    def __init__(
        self,
        plan: Plan,
        plan_folder: Path,
        places: RunPlaces,
        *,
        chain: ChainWriter,
        lock: RunLock,
        builder: Builder,
    ) -> None:
        self._plan, self._plan_folder, self._places = plan, plan_folder, places
        self._chain, self._lock, self._builder = chain, lock, builder

    def train(
        self,
        component: PlannedComponent,
        stage: Mapping[str, Any],
        *,
        folder: Path,
        start: Path,
        seed: bytes,
    ) -> bool:
        """Train, or go on training; return whether it came to its end.

        Raises:
            EngineError: The worker failed; what it had written stands, and it can be resumed.
            RecipeError: The teacher is not there any more, or is another.
        """
        folder.mkdir(parents=True, exist_ok=True)
        job = job_of(
            self._plan,
            stage,
            seed=seed,
            plan_folder=self._plan_folder,
            folder=folder,
            start=start,
        )
        recorder = self._recorder(component, stage, folder=folder, job=job)
        recorder.watch()  # what an earlier worker said before its core was killed
        if self.is_told(folder, job):
            return True
        teacher = teacher_folder(
            stage, plan=self._plan, places=self._places, bases=self._builder.bases
        )
        job = with_teacher(job, teacher, base=folder)
        write_job(job, folder / "job.json")
        if self._builder.left is not None or self._builder.cluster is not None:
            return self._elsewhere(component, folder, job)
        code = work(
            self._command(folder / "job.json"),
            folder=folder,
            lock=self._lock,
            environment={**self._builder.environment, "DOKJA_PLAN": str(self._plan.digest)},
            watch=recorder.watch,
        )
        recorder.finish()
        return code == DONE

    def _elsewhere(self, component: PlannedComponent, folder: Path, job: Job) -> bool:
        """Write launch files, or take in what was handed in or left behind so far."""
        name = str(self._plan.engine["name"])
        left = self._builder.left
        if left is None and name in FOREIGN:
            left = left_by(name, folder)
        if (self._builder.cluster is not None and left is None) or left == Left():
            write_launch_files(
                self._plan,
                job,
                folder,
                module=WORKERS[name].module if name in WORKERS else None,
                cluster=self._builder.cluster or Cluster(),
            )
        if left is None:
            return False  # the recorder has read what our own engine left, and it is not done
        return take_in(
            left,
            chain=self._chain,
            places=self._places,
            component=component.id,
            folder=folder,
            job=job,
        )

    def is_told(self, folder: Path, job: Job) -> bool:
        """Tell whether the chain holds all of a training that came to its end."""
        prefix = f"{self._places.relative(folder)}/"
        ended = any(
            entry.folder.startswith(prefix) and entry.state.step == job.last_step
            for _, entry in self._chain.chain.of(Checkpoint)
        )
        return ended and (folder / job.final).is_dir()

    def _recorder(
        self, component: PlannedComponent, stage: Mapping[str, Any], *, folder: Path, job: Job
    ) -> Recorder:
        probes = int(stage["probe_every"])
        return Recorder(
            self._chain,
            self._places,
            component=component.id,
            folder=folder,
            job=job,
            probe_ends=frozenset(range(probes, job.last_step + 1, probes)),
            archive=frozenset(stage["archive_at"]),
            progress=self._builder.progress,
        )

    def _command(self, job: Path) -> tuple[str, ...]:
        name = str(self._plan.engine["name"])
        if name == "command":
            words = self._plan.engine["command"]
            return (*map(str, words if isinstance(words, list) else ()), str(job.resolve()))
        if name not in WORKERS:
            raise RecipeError(
                [
                    Mistake(
                        file=self._plan.name,
                        place="engine.name",
                        read=repr(name),
                        expected="an engine that runs here: " + ", ".join([*WORKERS, "command"]),
                        remedy="Write its launch files with: dokja forge run PLAN -o RUN --launch",
                    )
                ]
            )
        return worker_engine(name, python=self._builder.python).command(job.resolve())


def train_joint(
    plan: Plan,
    places: RunPlaces,
    job: Path,
    *,
    chain: ChainWriter,
    lock: RunLock,
    builder: Builder,
) -> bool:
    """Run a program of the builder's own; return whether it came to its end.

    Raises:
        EngineError: It failed, or left no model.
        RecipeError: The plan names no program.
    """
    folder = job.parent
    recorder = StepRecorder(
        chain, places, component=JOINT, events=folder / "events.jsonl", progress=builder.progress
    )
    recorder.watch()
    if not (folder / "model").is_dir():
        code = work(
            [*_program(plan, python=builder.python), str(job.resolve())],
            folder=folder,
            lock=lock,
            environment={**builder.environment, "DOKJA_PLAN": str(plan.digest)},
            watch=recorder.watch,
        )
        if code != DONE:
            return False
    recorder.finish()
    if not (folder / "model").is_dir():
        raise EngineError(
            f"{folder}: the program ended well and left no model/. Nothing was sealed; mend it "
            "and resume the run."
        )
    return True


def _program(plan: Plan, *, python: str) -> list[str]:
    """Return the words of a program: `python` is this one, files are found from where we stand."""
    words = plan.engine["command"]
    found: list[str] = []
    for word in words if isinstance(words, list) else []:
        path = Path(str(word))
        found.append(
            python if word == "python" else str(path.resolve() if path.is_file() else word)
        )
    return found
