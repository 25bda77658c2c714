"""What a verifier has at hand of a build, and what is missing, each part by itself.

A run's folder holds everything; a published record may come with some of it, or alone. Nothing is
refused here for being absent: what a check needs and does not find it says by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dokja.errors import CorpusError, DokjaError, InputError, LogError, Mistake, RecordError
from dokja.models.forge.corpora import TokenData
from dokja.models.forge.corpora.batches import open_data
from dokja.models.forge.engines import Job
from dokja.models.forge.importers import read_log as read_foreign
from dokja.models.forge.ladder.logs import StepLog, imported_log, read_log
from dokja.models.forge.plans import BaseStore, Plan, PlannedComponent, read_plan
from dokja.models.forge.records import (
    Attestation,
    Chain,
    Checkpoint,
    Commit,
    Init,
    KeyRegister,
    Metrics,
    Problem,
    Seal,
    Stage,
    read_attestation,
    read_chain,
)
from dokja.models.forge.running.finishing import result_folder
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.running.training import job_of
from dokja.models.weights import Source, open_source
from dokja.models.weights.roots import TensorDigest, source_digests

__all__ = ["Artefacts", "Training", "open_artefacts", "reason_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of one component, as the plan fixed it.

    Attributes:
        component: Whose.
        index: Which of its stages, from 0.
        stage: As planned: steps, batch, optimizer, schedule.
        folder: Its folder, relative to the run's.
        job: What a worker would be told; none where the plan's words make none.
        why_no_job: Why there is none.
    """

    component: PlannedComponent
    index: int
    stage: Mapping[str, Any]
    folder: str
    job: Job | None
    why_no_job: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.component.id}/{self.index + 1}"

    @property
    def steps(self) -> int:
        """How many steps were planned."""
        return int(self.stage["steps"])

    @property
    def begins(self) -> bool:
        """Whether it starts from weights as they were drawn, by nobody trained before."""
        return self.index == 0 and "scratch" in self.component.origin


def reason_of(error: DokjaError) -> str:
    """Return why something cannot be read, as one line of text."""
    if isinstance(error, InputError):
        shown = "; ".join(str(mistake) for mistake in error.mistakes[:3])
        more = len(error.mistakes) - 3
        return f"{shown} (and {more} more)" if more > 0 else shown
    return str(error)


@dataclass
class Artefacts:
    """A build as far as it is at hand; made by `open_artefacts`.

    Attributes:
        folder: The run's folder; none where only a record is there.
        record: The signed record's file; none where there is none.
        bases: Where others' weights are looked for.
        imported: Logs of another tool, by the training's name; used where no events are.
        absent: Why a part could not be read, by its name: `chain`, `plan`.
        judged: What is wrong with the chain under a register of keys, once it was asked.
    """

    folder: Path | None
    record: Path | None
    bases: BaseStore
    imported: Mapping[str, Any] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    judged: tuple[KeyRegister, tuple[Problem, ...]] | None = None
    _digests: dict[Path, tuple[TensorDigest, ...]] = field(default_factory=dict)
    _sources: dict[Path, Source] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What messages call it."""
        path = self.folder if self.folder is not None else self.record
        return "" if path is None else path.name

    @cached_property
    def chain(self) -> Chain | None:
        """The chain; none where it is not there or cannot be read, see `absent`."""
        if self.folder is None or not (self.folder / "chain.jsonl").exists():
            self.absent["chain"] = "there is no chain.jsonl"
            return None
        try:
            return read_chain(self.folder)
        except RecordError as error:
            self.absent["chain"] = reason_of(error)
            return None

    @property
    def chain_is_damaged(self) -> bool:
        """Whether there is a chain that cannot be read."""
        there = self.folder is not None and (self.folder / "chain.jsonl").exists()
        return there and self.chain is None

    @cached_property
    def plan(self) -> Plan | None:
        """The plan; none where it is not there or cannot be read."""
        if self.folder is None or not (self.folder / "plan.json").exists():
            self.absent["plan"] = "there is no plan.json"
            return None
        try:
            return read_plan(self.folder)
        except InputError as error:
            self.absent["plan"] = reason_of(error)
            return None

    @cached_property
    def plan_folder(self) -> Path | None:
        """Where the plan's data and tokenizer lie; none where nobody can tell."""
        if self.folder is None:
            return None
        try:
            found = RunPlaces(self.folder).plan_folder
        except RecordError:
            found = self.folder
        return found if found.is_dir() else None

    def attestation(self, keys: KeyRegister) -> Attestation:
        """Return the record in its envelope.

        Raises:
            RecordError: There is none, or it is no envelope of a record.
        """
        if self.record is None:
            expected = "a signed build record"
            wrong = Mistake(file="record.json", place="", read="nothing", expected=expected)
            raise RecordError([wrong])
        seal = None if self.chain is None or not self.chain.links else self.chain.links[-1].receipt
        return read_attestation(self.record, keys=keys, seen=None if seal is None else seal.at)

    @property
    def commit(self) -> Commit | None:
        """What the builder was bound to."""
        return None if self.chain is None else self.chain.commit

    @property
    def init(self) -> Init | None:
        """Seed and start."""
        return None if self.chain is None else self.chain.init

    @property
    def seal(self) -> Seal | None:
        """What came out."""
        return None if self.chain is None else self.chain.seal

    @property
    def joint(self) -> bool:
        """Whether a program of the builder's own made all components at once."""
        return self.plan is not None and self.plan.engine.get("name") == "command"

    def weighted(self) -> tuple[PlannedComponent, ...]:
        """Return the components that have weights, by structure or because the seal says so."""
        if self.plan is None:
            return ()
        sealed = {} if self.seal is None else self.seal.roots
        return tuple(
            one for one in self.plan.components if one.structure is not None or one.id in sealed
        )

    def own_names(self, component: PlannedComponent, names: Sequence[str]) -> tuple[str, ...]:
        """Return which tensors of a result are a component's: all, unless it has prefixes."""
        said = component.facts.get("tensors")
        prefixes = tuple(map(str, said)) if self.joint and isinstance(said, list) else ("",)
        return tuple(name for name in names if name.startswith(prefixes))

    def bodies(self) -> tuple[PlannedComponent, ...]:
        """Return the components that have weights of a known structure."""
        if self.plan is None:
            return ()
        return tuple(one for one in self.plan.components if one.structure is not None)

    @cached_property
    def trainings(self) -> tuple[Training, ...]:
        """Every training of the plan."""
        return tuple(self._trainings())

    def _trainings(self) -> Iterator[Training]:
        if self.joint:
            return  # the plan fixes neither steps nor batches of a program of the builder's own
        for component in self.bodies():
            for index, stage in enumerate(component.stages):
                if stage["kind"] == "train":
                    yield self._training(component, index, stage)

    def _training(
        self, component: PlannedComponent, index: int, stage: Mapping[str, Any]
    ) -> Training:
        folder = f"{component.id}/{index + 1:02d}-train"
        job, why = None, "no plan and no seed are at hand"
        if self.plan is not None and self.folder is not None and self.init is not None:
            plan_folder = self.plan_folder or self.folder
            try:
                job = job_of(
                    self.plan,
                    stage,
                    seed=bytes.fromhex(self.init.seed),
                    plan_folder=plan_folder,
                    folder=self.folder / folder,
                    start=self.before(component, index),
                )
            except InputError as error:
                why = reason_of(error)
        return Training(
            component=component, index=index, stage=stage, folder=folder, job=job, why_no_job=why
        )

    def before(self, component: PlannedComponent, index: int) -> Path:
        """Return the folder of the weights that a stage started from."""
        places = RunPlaces(self.folder or Path())
        if index == 0:
            return places.start(component.id) / "weights"
        return self.after(component, index - 1)

    def after(self, component: PlannedComponent, index: int) -> Path:
        """Return the folder of the weights that a stage ended with."""
        stage = component.stages[index]
        training = stage["kind"] == "train"
        do = "train" if training else str(stage["do"])
        folder = RunPlaces(self.folder or Path()).stage(component.id, index, do)
        return folder / ("model" if training else "weights")

    def result(self, component: PlannedComponent) -> Path | None:
        """Return the folder of what came out of a component; none where it is not there."""
        if self.plan is None or self.folder is None:
            return None
        found = result_folder(self.plan, RunPlaces(self.folder), component)
        return found if found.is_dir() else None

    def stage_entries(self, component: str) -> Mapping[int, Stage]:
        """Return what the chain says of a component's stages, by their place."""
        said = () if self.chain is None else self.chain.of(Stage)
        return {one.index: one for _, one in said if one.component == component}

    def checkpoints(self, training: Training) -> tuple[Checkpoint, ...]:
        """Return the states that the chain names of a training, by step, once each."""
        if self.chain is None:
            return ()
        prefix = f"{training.folder}/"
        found = {
            said.state.step: said
            for _, said in self.chain.of(Checkpoint)
            if said.folder.startswith(prefix)
        }
        return tuple(found[step] for step in sorted(found))

    def metrics(self, training: Training) -> tuple[Metrics, ...]:
        """Return what the chain says that a training's steps measured."""
        if self.chain is None:
            return ()
        prefix = f"{training.folder}/"
        return tuple(
            said
            for _, said in self.chain.of(Metrics)
            if said.component == training.component.id
            and (said.imported or said.log.file.startswith(prefix))
        )

    def log(self, training: Training) -> StepLog:
        """Return a training's log.

        Raises:
            LogError: There is none, or nothing of it can be read.
        """
        if training.name in self.imported:
            return imported_log(self.imported[training.name])
        if self.folder is None:
            wrong = Mistake(file="events.jsonl", place="", read="nothing", expected="a log")
            raise LogError([wrong])
        path = self.folder / training.folder / "events.jsonl"
        told = {said.log.file for said in self.metrics(training) if said.imported}
        if not path.exists() and len(told) == 1:
            return imported_log(read_foreign(self.folder / told.pop()))
        return read_log(path)

    def tokens(self, training: Training) -> TokenData:
        """Return the tokens of a training in its order.

        Raises:
            CorpusError: They are not at hand, or not those that were named.
        """
        if training.job is None or self.folder is None:
            wrong = Mistake(
                file="data", place=training.name, read=training.why_no_job, expected="its data"
            )
            raise CorpusError([wrong])
        job = training.job
        return open_data(job.data, base=self.folder / training.folder, length=job.batch.length)

    def source(self, folder: Path) -> Source:
        """Return opened weights; each folder is opened once.

        Raises:
            WeightsError: They are damaged, hostile or not there.
        """
        if folder not in self._sources:
            self._sources[folder] = open_source(folder)
        return self._sources[folder]

    def digests(
        self, folder: Path, *, names: Sequence[str] | None = None, threads: int = 1
    ) -> tuple[TensorDigest, ...]:
        """Return digests of weights; each folder is read once.

        Raises:
            WeightsError: They are damaged, hostile or not there.
        """
        if folder not in self._digests or names is not None:
            found = source_digests(self.source(folder), names, threads=threads)
            if names is not None:
                return found
            self._digests[folder] = found
        return self._digests[folder]


def open_artefacts(
    path: Path,
    *,
    artefacts: Path | None = None,
    bases: Sequence[Path] = (),
    imported: Mapping[str, Any] | None = None,
) -> Artefacts:
    """Open a build for verification.

    Args:
        path: A run's folder, or the file of a signed record.
        artefacts: The folder with the run's files, where `path` is a record that lies elsewhere.
        bases: Where others' weights are looked for.
        imported: Logs of other tools, as importers read them, by training such as `body/1`.

    Raises:
        RecordError: There is neither a chain nor a record.
    """
    if path.is_dir():
        folder: Path | None = path
        record: Path | None = path / "record.json"
    else:
        record = path
        folder = artefacts
        if folder is None and (path.parent / "chain.jsonl").exists():
            folder = path.parent
    has_record = record is not None and record.is_file()
    has_chain = folder is not None and (folder / "chain.jsonl").is_file()
    if not has_record and not has_chain:
        wrong = Mistake(
            file=str(path),
            place="",
            read="neither a chain nor a record",
            expected="a run's folder, or a record.json",
            remedy="Name the folder that `dokja forge run` wrote.",
        )
        raise RecordError([wrong])
    return Artefacts(
        folder=folder,
        record=record if has_record else None,
        bases=BaseStore(tuple(bases)),
        imported=imported or {},
    )
