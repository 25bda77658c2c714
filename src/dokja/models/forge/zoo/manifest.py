"""`zoo.json`: every model of a zoo, its true label, and how it is opened.

The manifest follows from the records beside it, in a fixed order, and holds neither times nor
places: the same zoo grown again on the same machine has the same bytes. Wherever a folder's
weights are another model's than the manifest says, its tensor root tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecordError
from dokja.models.forge.engines.tensors import sync_folder, write_bytes
from dokja.models.forge.zoo.labels import label
from dokja.models.forge.zoo.planning import LeftOut, ZooPlan
from dokja.models.forge.zoo.records import ZooRecord, read_record
from dokja.models.forge.zoo.roots import Root
from dokja.values import Json, canonical_bytes, parse_json, shown

__all__ = [
    "MANIFEST",
    "SCHEMA",
    "Zoo",
    "ZooModel",
    "assemble",
    "model_folder",
    "read_zoo",
    "record_path",
    "records_in",
    "relabel",
    "tier_in",
    "write_json",
    "write_zoo",
]

SCHEMA = "dokja.zoo/1"
MANIFEST = "zoo.json"
RECORDS = "records"
MODELS = "models"
RECORD = "record.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooModel:
    """A model of the zoo.

    Attributes:
        record: How it was made.
        label: The truth, as `Label.to_json` states it.
        roots: Names of the roots that its weights, or its teacher's, come from.
        split: The side on which all of them are.
    """

    record: ZooRecord
    label: Mapping[str, Any]
    roots: tuple[str, ...]
    split: str

    @property
    def name(self) -> str:
        """What the zoo calls it."""
        return self.record.name

    def to_json(self) -> dict[str, Json]:
        """Return it as the manifest states it."""
        record = self.record
        losses = record.losses
        return {
            "name": record.name,
            "family": record.family,
            "root": record.root,
            "folder": f"{MODELS}/{record.name}" if record.stored else None,
            "parents": [parent.to_json() for parent in record.parents],
            "recipe": [dict(step) for step in record.recipe],
            "label": dict(self.label),
            "roots": list(self.roots),
            "split": self.split,
            "loss": None if losses is None else dict(losses),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoo:
    """An opened zoo.

    Attributes:
        folder: Where it lies.
        tier: How large it is.
        complete: Whether every model of the tier, but those left out, is there.
        left_out: What it does not have, and why.
        roots: Every root by name.
        models: Every model by name, in the manifest's order.
    """

    folder: Path
    tier: str
    complete: bool
    left_out: tuple[LeftOut, ...]
    roots: Mapping[str, Root]
    models: Mapping[str, ZooModel]

    def to_json(self) -> dict[str, Json]:
        """Return the manifest."""
        return {
            "schema": SCHEMA,
            "tier": self.tier,
            "complete": self.complete,
            "left_out": [{"what": one.what, "why": one.why} for one in self.left_out],
            "roots": {name: _root_json(root) for name, root in self.roots.items()},
            "models": [model.to_json() for model in self.models.values()],
        }

    def model(self, name: str) -> ZooModel:
        """Return a model.

        Raises:
            RecordError: There is none of this name.
        """
        if name not in self.models:
            near = [one for one in self.models if one.startswith(name.partition(".")[0])][:6]
            wrong = Mistake(
                file=str(self.folder / MANIFEST),
                place="models",
                read=f"no model {shown(name)}",
                expected=f"one of its {len(self.models)}, such as {', '.join(near or self.models)}",
            )
            raise RecordError([wrong])
        return self.models[name]


def assemble(plan: ZooPlan, records: Mapping[str, ZooRecord], *, folder: Path) -> Zoo:
    """Return the zoo that a plan and the records of what is there make."""
    there = {one.name: records[one.name] for one in plan.blueprints if one.name in records}
    return Zoo(
        folder=folder,
        tier=plan.tier.name,
        complete=len(there) == len(plan.blueprints),
        left_out=plan.left_out,
        roots=plan.roots,
        models=_models(there, plan.roots),
    )


def relabel(folder: Path) -> Zoo:
    """Label every model anew from its record, write the manifest, and return the zoo.

    Raises:
        RecordError: There is no manifest, or a record cannot be read.
    """
    old = read_zoo(folder)
    records = {name: one.record for name, one in old.models.items()}
    zoo = replace(old, models=_models(records, old.roots))
    write_zoo(zoo)
    return zoo


def _models(records: Mapping[str, ZooRecord], roots: Mapping[str, Root]) -> dict[str, ZooModel]:
    found: dict[str, ZooModel] = {}
    for name in _parents_first(records):
        record = records[name]
        needs = [*record.parents, *(() if record.teacher is None else (record.teacher,))]
        own = {name} if name in roots else set()
        resting = sorted(own.union(*(found[need.name].roots for need in needs)))
        sides = {roots[one].split for one in resting}
        if len(sides) != 1:
            wrong = Mistake(
                file=name,
                place="roots",
                read=", ".join(resting) or "none",
                expected="roots on one side of the split",
            )
            raise RecordError([wrong])
        found[name] = ZooModel(
            record=record,
            label=label(record).to_json(),
            roots=tuple(resting),
            split=sides.pop(),
        )
    return found


def _parents_first(records: Mapping[str, ZooRecord]) -> tuple[str, ...]:
    """Return names by how many generations stand before a model, then by name."""
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            record = records[name]
            needs = [*record.parents, *(() if record.teacher is None else (record.teacher,))]
            depths[name] = 1 + max((depth(need.name) for need in needs), default=-1)
        return depths[name]

    return tuple(sorted(records, key=lambda name: (depth(name), name)))


def write_zoo(zoo: Zoo) -> None:
    """Write the manifest, whole or not at all."""
    write_json(zoo.folder / MANIFEST, zoo.to_json())


def write_json(path: Path, said: Mapping[str, Json]) -> None:
    """Write a file of canonical JSON, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    write_bytes(unfinished, [canonical_bytes(dict(said)), b"\n"])
    unfinished.replace(path)
    sync_folder(path.parent)


def records_in(folder: Path) -> dict[str, ZooRecord]:
    """Return every record of a zoo by name.

    Raises:
        RecordError: Some cannot be read; every mistake is in it.
    """
    found: dict[str, ZooRecord] = {}
    mistakes: list[Mistake] = []
    stored = sorted((folder / MODELS).glob(f"[!.]*/{RECORD}"))
    for path in [*stored, *sorted((folder / RECORDS).glob("[!.]*.json"))]:
        try:
            record = read_record(path)
            found[record.name] = record
        except RecordError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RecordError(mistakes)
    return found


def read_zoo(folder: Path) -> Zoo:
    """Open a zoo.

    Raises:
        RecordError: There is none, or its manifest does not fit its records; every mistake.
    """
    path, said = folder / MANIFEST, _said(folder)
    records = records_in(folder)
    mistakes = [
        Mistake(
            file=str(path),
            place=f"models, {one.get('name')}",
            read="no record of this model with this root",
            expected="the record from which the label was made",
            remedy=f"Grow the zoo again, or label it anew: dokja forge zoo label {folder}",
        )
        for one in said["models"]
        if one.get("name") not in records or records[one["name"]].root != one.get("root")
    ]
    if mistakes:
        raise RecordError(mistakes)
    return Zoo(
        folder=folder,
        tier=said["tier"],
        complete=said["complete"],
        left_out=tuple(LeftOut(what=one["what"], why=one["why"]) for one in said["left_out"]),
        roots={name: Root(name=name, **one) for name, one in said["roots"].items()},
        models={
            one["name"]: ZooModel(
                record=records[one["name"]],
                label=one["label"],
                roots=tuple(one["roots"]),
                split=one["split"],
            )
            for one in said["models"]
        },
    )


def tier_in(folder: Path) -> str | None:
    """Return the tier of the zoo in a folder; None where there is none yet.

    Raises:
        RecordError: The manifest cannot be read.
    """
    return str(_said(folder)["tier"]) if (folder / MANIFEST).exists() else None


def _said(folder: Path) -> Mapping[str, Any]:
    path = folder / MANIFEST
    try:
        said: Any = parse_json(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        wrong = Mistake(
            file=str(path),
            place="",
            read=shown(str(error)),
            expected="the manifest of a zoo",
            remedy=f"Grow one with: dokja forge zoo grow --tier smoke -o {folder}",
        )
        raise RecordError([wrong]) from error
    if not isinstance(said, Mapping) or said.get("schema") != SCHEMA:
        wrong = Mistake(file=str(path), place="schema", read="another", expected=SCHEMA)
        raise RecordError([wrong])
    return said


def _root_json(root: Root) -> dict[str, Json]:
    return {
        "seed": root.seed,
        "corpus": root.corpus,
        "order": root.order,
        "twin_of": root.twin_of,
        "split": root.split,
    }


def model_folder(folder: Path, name: str) -> Path:
    """Return where a stored model lies."""
    return folder / MODELS / name


def record_path(folder: Path, name: str, *, stored: bool) -> Path:
    """Return where a model's record lies: with its weights, or among those of variants."""
    if stored:
        return model_folder(folder, name) / RECORD
    return folder / RECORDS / f"{name}.json"
