"""Grows a zoo: trains what must be trained, and tries and labels every variant once.

A model is there whole or not at all, so that a growth that was killed at any moment goes on from
what is there; a training goes on from its newest checkpoint. Whatever stands on another parent
than the one that is there now is made anew.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dokja.documents.packing import Corpus
from dokja.errors import EngineError, Mistake, RecipeError
from dokja.models.forge.engines.contract import DONE, INTERRUPTED
from dokja.models.forge.running.processes import RunLock
from dokja.models.forge.transforms import Model
from dokja.models.forge.zoo.blueprints import Blueprint
from dokja.models.forge.zoo.corpora import TAUGHT, ensure_corpus
from dokja.models.forge.zoo.making import Made, first_weights, make, tensors_root
from dokja.models.forge.zoo.manifest import (
    MANIFEST,
    Zoo,
    assemble,
    model_folder,
    record_path,
    records_in,
    tier_in,
    write_json,
    write_zoo,
)
from dokja.models.forge.zoo.nursery import Nursery
from dokja.models.forge.zoo.planning import ZooPlan
from dokja.models.forge.zoo.records import Parent, ZooRecord
from dokja.models.forge.zoo.shelf import made_of
from dokja.models.forge.zoo.texts import tokenizer_json
from dokja.models.forge.zoo.training import GROWING, finish, job_path, prepare

__all__ = ["Grower", "grow"]

_LOOK_SECONDS = 0.05
_TAUGHT_SHARE = 0.25
_MOST_TAUGHT = 64_000


def _silent(name: str, done: int, count: int) -> None:
    del name, done, count


@dataclass(frozen=True, slots=True, kw_only=True)
class Grower:
    """With what a zoo is grown.

    Attributes:
        environment: All of the environment that engines get.
        python: The interpreter that engines run under.
        at_once: How many trainings run at a time.
        progress: Told the model that was made, and how many of how many are there.
    """

    environment: Mapping[str, str]
    python: str
    at_once: int = 1
    progress: Callable[[str, int, int], None] = field(default=_silent)


def grow(plan: ZooPlan, folder: Path, *, grower: Grower) -> Zoo:
    """Grow a zoo, or go on growing it, and write its manifest.

    Args:
        plan: What it is to have.
        folder: Where; made if it is not there.
        grower: With what.

    Raises:
        EngineError: Somebody else grows it, or an engine failed; what is there stands.
        RecipeError: The folder holds a zoo of another tier.
        RecordError: A record in the folder cannot be read.
    """
    _refuse(plan, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with RunLock(folder):
        work = _Growth(plan, folder, grower=grower)
        try:
            with Nursery(
                folder / GROWING,
                at_once=grower.at_once,
                environment=grower.environment,
                python=grower.python,
            ) as nursery:
                work.go(nursery)
        finally:
            zoo = work.zoo()
            write_zoo(zoo)
        shutil.rmtree(folder / GROWING, ignore_errors=True)  # logs, and what nobody asks for now
        return zoo


def _refuse(plan: ZooPlan, folder: Path) -> None:
    """Refuse to make one tier out of another: what does not fit would be made anew."""
    there = tier_in(folder)
    if there is not None and there != plan.tier.name:
        wrong = Mistake(
            file=str(folder / MANIFEST),
            place="tier",
            read=there,
            expected=plan.tier.name,
            remedy="Grow this tier in a folder of its own.",
        )
        raise RecipeError([wrong])


class _Growth:
    """One pass over a plan."""

    def __init__(self, plan: ZooPlan, folder: Path, *, grower: Grower) -> None:
        self._plan, self._folder, self._grower = plan, folder, grower
        self._by_name = {one.name: one for one in plan.blueprints}
        self._records = _sound(records_in(folder), self._by_name)
        self._waiting = [one for one in plan.blueprints if one.name not in self._records]
        self._corpora: dict[str, Corpus] = {}
        for blueprint in self._waiting:
            shutil.rmtree(model_folder(folder, blueprint.name), ignore_errors=True)
        (folder / "records").mkdir(exist_ok=True)
        write_json(folder / "tokenizer.json", tokenizer_json())

    def zoo(self) -> Zoo:
        """Return what is there."""
        return assemble(self._plan, self._records, folder=self._folder)

    def go(self, nursery: Nursery) -> None:
        """Make everything that is not there yet."""
        while self._waiting or nursery.working:
            trained = self._ready(trained=True)
            variant = self._ready(trained=False)
            if trained is not None and nursery.has_room:
                self._waiting.remove(trained)
                self._begin(trained, nursery)
            elif variant is not None:
                self._waiting.remove(variant)
                self._make(variant)
            for name, code in nursery.wait(_LOOK_SECONDS if variant is not None else None):
                self._end(name, code)

    def _ready(self, *, trained: bool) -> Blueprint | None:
        """Return the first model of a kind whose parents are all there."""
        return next(
            (
                one
                for one in self._waiting
                if one.trained == trained and all(need in self._records for need in one.needs)
            ),
            None,
        )

    def _begin(self, blueprint: Blueprint, nursery: Nursery) -> None:
        job = job_path(self._folder, blueprint.name)
        if not job.exists():
            prepare(
                blueprint,
                self._begun(blueprint),
                folder=self._folder,
                corpus=self._corpus(blueprint),
                share=self._plan.share(blueprint.family),
            )
        nursery.send(job, name=blueprint.name, engine=blueprint.engine or "")

    def _end(self, name: str, code: int) -> None:
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code != DONE:
            raise EngineError(
                f"{job_path(self._folder, name)}: the engine ended with code {code}; its log lies "
                f"in {self._folder / GROWING}. Finished models stand; mend the cause and grow the "
                "zoo again."
            )
        blueprint = self._by_name[name]
        record = finish(
            blueprint,
            self._begun(blueprint),
            folder=self._folder,
            corpus=self._corpus(blueprint),
            parents=tuple(map(self._parent, blueprint.parents)),
            teacher=None if blueprint.teacher is None else self._parent(blueprint.teacher),
        )
        self._keep(record)

    def _make(self, blueprint: Blueprint) -> None:
        made = self._begun(blueprint)
        record = ZooRecord(
            name=blueprint.name,
            family=blueprint.family,
            structure=made.structure,
            parents=tuple(map(self._parent, blueprint.parents)),
            teacher=None,
            recipe=blueprint.steps,
            steps=made.steps,
            root=tensors_root(made.tensors),
            stored=False,
        )
        write_json(record_path(self._folder, record.name, stored=False), record.to_json())
        self._keep(record)

    def _keep(self, record: ZooRecord) -> None:
        self._records[record.name] = record
        self._grower.progress(record.name, len(self._records), len(self._by_name))

    def _begun(self, blueprint: Blueprint) -> Made:
        """Return what a blueprint's steps make, up to its training."""
        steps = [step for step in blueprint.steps if step["do"] != "train"]
        if steps and steps[0]["do"] == "start":
            structure = self._plan.share(blueprint.family).structure
            seed = str(steps[0]["seed"])
            return first_weights(structure, family=blueprint.family, seed=seed)
        sources = [self._model(name) for name in blueprint.parents]
        return make(steps, sources, family=blueprint.family)

    def _model(self, name: str) -> Model:
        record = self._records[name]
        return made_of(record, self._records, self._folder).model(record.root)

    def _parent(self, name: str) -> Parent:
        return Parent(name=name, root=self._records[name].root)

    def _corpus(self, blueprint: Blueprint) -> Corpus:
        name = str(blueprint.steps[-1]["corpus"])
        if name not in self._corpora:
            tokens, teacher = self._plan.tier.corpus_tokens, None
            if name.startswith(TAUGHT):
                share = self._plan.share(blueprint.family)
                tokens = min(_MOST_TAUGHT, round(_TAUGHT_SHARE * share.root_tokens))
                teacher = self._model(blueprint.teacher or "")
            self._corpora[name] = ensure_corpus(
                self._folder / "corpora", name, tokens=tokens, teacher=teacher
            )
        return self._corpora[name]


def _sound(
    records: Mapping[str, ZooRecord], wanted: Mapping[str, Blueprint]
) -> dict[str, ZooRecord]:
    """Return the records that are of this plan, made by its recipes, of parents that are there."""
    found: dict[str, ZooRecord] = {}
    for name, blueprint in wanted.items():
        record = records.get(name)
        if record is None or [*map(dict, record.recipe)] != blueprint.recipe():
            continue
        needs = [*record.parents, *(() if record.teacher is None else (record.teacher,))]
        if all(need.name in found and found[need.name].root == need.root for need in needs):
            found[name] = record
    return found
