"""Runs a plan: commits, draws the seed, starts engines, records, and seals.

Every step looks first whether the chain says that it was done, so that a run that was killed at
any moment goes on from there and ends with the same bytes where the engine allows it.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.corpora import VERSION as ORDER_VERSION
from dokja.models.forge.forms import plain
from dokja.models.forge.plans import Plan, PlannedComponent, read_plan
from dokja.models.forge.records import (
    ChainWriter,
    Commit,
    Init,
    Seal,
    SeedOrigin,
    Stage,
    draw_seed,
)
from dokja.models.forge.records.facts import Compute
from dokja.models.forge.running.building import Builder
from dokja.models.forge.running.finishing import finish_model
from dokja.models.forge.running.joint import write_joint_job
from dokja.models.forge.running.places import RunPlaces, write_whole
from dokja.models.forge.running.processes import RunLock
from dokja.models.forge.running.recording import write_record
from dokja.models.forge.running.starting import start_weights
from dokja.models.forge.running.training import Trainer, train_joint
from dokja.models.forge.running.transforming import transform_stage
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Digest, Json

__all__ = ["Builder", "RunResult", "run_plan"]

_ARCHIVE_SHARE = 0.5
_DENSE_UNTIL = 100
_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended.

    Attributes:
        folder: The run's folder.
        sealed: Whether it came to its end; otherwise it was asked to stop and can be resumed.
        roots: Tensor root of every component with weights, once sealed.
    """

    folder: Path
    sealed: bool
    roots: Mapping[str, str]


def run_plan(plan_folder: Path, into: Path, *, builder: Builder, resume: bool = False) -> RunResult:
    """Run a plan, or go on with a run of it.

    Args:
        plan_folder: What `dokja forge plan` wrote.
        into: The run's folder: new, or with `resume` the one of an interrupted run.
        builder: Who builds, and with what.
        resume: Whether the folder must hold a run already.

    Raises:
        RecipeError: The plan is damaged, or the folder holds another plan's run.
        RecordError: The chain is damaged.
        EngineError: Somebody else works in the folder, or a worker failed; it can be resumed.
    """
    plan = read_plan(plan_folder)
    _refuse(plan, into, resume=resume)
    into.mkdir(parents=True, exist_ok=True)
    places = RunPlaces(into)
    with (
        RunLock(into) as lock,
        ChainWriter(
            into, signer=builder.signer, clock=builder.clock, witness=builder.witness
        ) as chain,
    ):
        work = _Run(plan, plan_folder, places, chain=chain, builder=builder, lock=lock)
        return work.go()


def _refuse(plan: Plan, into: Path, *, resume: bool) -> None:
    there = (into / "plan.json").exists()
    mistake: Mistake | None = None
    if there and not resume:
        mistake = Mistake(
            file=str(into),
            place="",
            read="a run that was begun already",
            expected="a new folder",
            remedy="Go on with it by --resume, or name another folder.",
        )
    elif there and read_plan(into).digest != plan.digest:
        mistake = Mistake(
            file=str(into),
            place="plan.json",
            read=f"a run of the plan {read_plan(into).digest}",
            expected=f"a run of {plan.digest}",
        )
    elif not there and into.exists() and any(into.iterdir()):
        mistake = Mistake(
            file=str(into), place="", read="a folder with other things in it", expected="a new one"
        )
    if mistake is not None:
        raise RecipeError([mistake])


class _Run:
    """One pass over a plan."""

    def __init__(
        self,
        plan: Plan,
        plan_folder: Path,
        places: RunPlaces,
        *,
        chain: ChainWriter,
        builder: Builder,
        lock: RunLock,
    ) -> None:
        self._plan, self._plan_folder, self._places = plan, plan_folder, places
        self._chain, self._builder, self._lock = chain, builder, lock

    def go(self) -> RunResult:
        self._settle()
        if self._chain.chain.seal is not None:
            return self._recorded()
        if self._chain.chain.commit is None:
            self._commit()
        seed = self._init()
        if self._plan.engine["name"] == "command":
            return self._joint(seed)
        for component in self._plan.components:
            if component.structure is None:
                continue
            for index, stage in enumerate(component.stages):
                if not self._stage(component, index, stage, seed=seed):
                    return self._result(sealed=False)
        self._seal()
        return self._recorded()

    def _joint(self, seed: bytes) -> RunResult:
        """Let a program of the builder's own make all components, and record what it says."""
        bases = {
            str(one.origin["base"]): self._builder.bases.find(str(one.origin["base"])) or Path()
            for one in self._plan.components
            if "base" in one.origin
        }
        here = Path(str(self._plan.place.get("here") or self._plan_folder))
        job = write_joint_job(self._plan, self._places, seed=seed, here=here, bases=bases)
        done = train_joint(
            self._plan,
            self._places,
            job,
            chain=self._chain,
            lock=self._lock,
            builder=self._builder,
        )
        if not done:
            return self._result(sealed=False)
        self._seal()
        return self._recorded()

    def _recorded(self) -> RunResult:
        """Write the record of the sealed chain; made again, it is the same."""
        write_record(
            self._plan,
            self._plan_folder,
            self._places,
            chain=self._chain.chain,
            signer=self._builder.signer,
        )
        return self._result(sealed=True)

    def _settle(self) -> None:
        folder = self._places.folder
        for name in ("recipe.toml", "plan.json"):  # the plan last: it marks the folder as a run
            if not (folder / name).exists():
                write_whole(folder / name, (self._plan_folder / name).read_bytes())
        self._places.settle(self._plan_folder.resolve())

    def _commit(self) -> None:
        plan, builder = self._plan, self._builder
        write_whole(self._places.nonce, builder.nonce.hex().encode() + b"\n", mode=0o600)
        manifests = {
            f"{name}/{source['name']}": Digest.parse(source["manifest"])
            for name, mixture in plan.data.items()
            for source in _sources(mixture)
        }
        bases = {one.id: str(one.origin["root"]) for one in plan.components if "root" in one.origin}
        tokenizer = None if plan.tokenizer is None else Digest.parse(str(plan.tokenizer["digest"]))
        self._chain.append(
            Commit(
                builder=builder.signer.name,
                recipe=plan.recipe,
                plan=plan.digest,
                code=builder.code,
                environment={**builder.facts, **self._made()},
                data=manifests,
                order=ORDER_VERSION,
                tokenizer=tokenizer,
                bases=bases,
                nonce=Digest.of(builder.nonce),
                archive_share=_ARCHIVE_SHARE,
                dense_until=_DENSE_UNTIL,
            )
        )

    def _made(self) -> dict[str, Json]:
        """Say where it trains, if that is not here."""
        if self._builder.left is not None:
            return {"made": "elsewhere, and handed in after the fact"}
        return {"made": "elsewhere, by launch files"} if self._builder.cluster else {}

    def _init(self) -> bytes:
        """Draw the seed from the commit's receipt, make every start, and say so."""
        known = self._chain.chain.init
        if known is not None:
            return bytes.fromhex(known.seed)
        receipt = self._chain.chain.links[0].receipt
        nonce = bytes.fromhex(self._places.nonce.read_text(encoding="ascii").strip())
        fixed = self._plan.seed.get("fixed")
        if isinstance(fixed, str):
            seed, origin = Digest.of(fixed.encode()).raw, SeedOrigin.FIXED
        else:
            seed = draw_seed(self._plan.digest, nonce, receipt=receipt)
            origin = SeedOrigin.NONCE if receipt is None else SeedOrigin.RECEIPT
        roots = {
            component.id: self._start(component, seed)
            for component in self._plan.components
            if component.structure is not None and self._plan.engine["name"] != "command"
        }
        self._chain.append(
            Init(
                seed=seed.hex(),
                origin=origin,
                nonce=None if origin is SeedOrigin.FIXED else nonce.hex(),
                receipt=None if receipt is None else Digest.of(receipt.to_bytes()),
                roots=roots,
            )
        )
        return seed

    def _start(self, component: PlannedComponent, seed: bytes) -> str:
        """Lay a component's first weights down, and return their root.

        Of a run made elsewhere they are what was handed in as step 0: no seed of ours drew them.
        """
        left = self._builder.left
        given = None if left is None else left.checkpoints.get(0)
        if given is not None and "base" not in component.origin:
            target = self._places.start(component.id) / "weights"
            if not target.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(given, target)
            return _root_of(target)
        return start_weights(
            component, self._places, seed=seed, bases=self._builder.bases, file=self._plan.name
        )

    def _stage(
        self, component: PlannedComponent, index: int, stage: Mapping[str, Any], *, seed: bytes
    ) -> bool:
        """Do one stage unless it is done; return whether it came to its end."""
        training = stage["kind"] == "train"
        do = "train" if training else str(stage["do"])
        folder = self._places.stage(component.id, index, do)
        result = folder / "model" if training else folder / "weights"
        place = (component.id, index)
        begun = any((s.component, s.index) == place for _, s in self._chain.chain.of(Stage))
        before = self._before(component, index)
        if not training:
            if not begun:
                after = transform_stage(
                    stage, before, result, bases=self._builder.bases, file=self._plan.name
                )
                self._chain.append(self._entry(component, index, stage, do, before, after=after))
            return True
        if not begun:
            self._chain.append(self._entry(component, index, stage, do, before, after=None))
        trainer = Trainer(
            self._plan,
            self._plan_folder,
            self._places,
            chain=self._chain,
            lock=self._lock,
            builder=self._builder,
        )
        return trainer.train(component, stage, folder=folder, start=before, seed=seed)

    def _before(self, component: PlannedComponent, index: int) -> Path:
        """Return the weights that a stage starts from."""
        if index == 0:
            return self._places.start(component.id) / "weights"
        stage = component.stages[index - 1]
        training = stage["kind"] == "train"
        do = "train" if training else str(stage["do"])
        folder = self._places.stage(component.id, index - 1, do)
        return folder / ("model" if training else "weights")

    def _entry(
        self,
        component: PlannedComponent,
        index: int,
        stage: Mapping[str, Any],
        do: str,
        before: Path,
        *,
        after: str | None,
    ) -> Stage:
        return Stage(
            component=component.id,
            index=index,
            do=do,
            step=0,
            terms=dict(stage),
            before=_root_of(before),
            after=after,
        )

    def _seal(self) -> None:
        roots, files = finish_model(self._plan, self._plan_folder, self._places, last=self._last)
        self._chain.append(Seal(roots=roots, files=files, compute=self._compute()))

    def _last(self, component: PlannedComponent) -> Path:
        return self._before(component, len(component.stages))

    def _compute(self) -> dict[str, Json]:
        """Return what the trainings took, by their own event streams."""
        seconds = 0.0
        flop = 0.0
        for path in sorted(self._places.folder.glob("*/*-train/events.jsonl")):
            for line in path.read_bytes().splitlines():
                said = json.loads(line)
                if said.get("kind") == "end":
                    seconds += float(said["device_seconds"])
        for budget in self._plan.budget.values():
            if isinstance(budget, Mapping) and isinstance(budget["flop"], int | float):
                flop += float(budget["flop"])
        device = str(self._plan.place.get("gpu") or self._plan.place.get("device"))
        hours = {device: seconds / _HOUR} if seconds else {}  # not told is not zero
        jobs = tuple(job for job in [self._builder.environment.get("SLURM_JOB_ID")] if job)
        said = plain(Compute(device_hours=hours, flop=flop, jobs=jobs))
        return dict(said) if isinstance(said, Mapping) else {}

    def _result(self, *, sealed: bool) -> RunResult:
        seal = self._chain.chain.seal
        roots = {} if seal is None else dict(seal.roots)
        return RunResult(folder=self._places.folder, sealed=sealed, roots=roots)


def _sources(mixture: Json) -> list[dict[str, Any]]:
    said = mixture.get("sources") if isinstance(mixture, Mapping) else None
    if not isinstance(said, list) or any("manifest" not in source for source in said):
        raise RecipeError(
            [
                Mistake(
                    file="plan.json",
                    place="data",
                    read="data that were not packed",
                    expected="packed corpora: this size is too large for the recipe's own data",
                    remedy="Plan again with --data NAME=FOLDER.",
                )
            ]
        )
    return said


def _root_of(folder: Path) -> str:
    return root_text(root(source_digests(open_source(folder))))
