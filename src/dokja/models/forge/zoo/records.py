"""What was done to make a model of the zoo: its parents, and a record of every step.

A record is written when the model is there, and holds the steps' own records: a transform's with
its map, a laundering's with its seed, a training's with its data and losses. Labels follow from
records alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecordError
from dokja.models.forge.structures import Structure
from dokja.values import Json, parse_json, shown

__all__ = ["SCHEMA", "Parent", "ZooRecord", "read_record", "record_of"]

SCHEMA = "dokja.zoo-record/1"

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A model whose weights went in.

    Attributes:
        name: What the zoo calls it.
        root: Its tensor root.
    """

    name: str
    root: str

    def to_json(self) -> dict[str, Json]:
        """Return it as records state it."""
        return {"name": self.name, "root": self.root}


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooRecord:
    """How a model of the zoo was made.

    Attributes:
        name: What the zoo calls it.
        family: `F1`, `F2`, `F3` or `F5`.
        structure: What it is; of the body, where there is an encoder beside it.
        parents: Whose weights went in, the model that was changed first.
        teacher: The model whose answers it learned from.
        recipe: The steps as they were asked for; from them a variant is made again.
        steps: The steps' own records.
        root: Its tensor root.
        stored: Whether its weights lie on the disk.
    """

    name: str
    family: str
    structure: Structure
    parents: tuple[Parent, ...]
    teacher: Parent | None
    recipe: tuple[Step, ...]
    steps: tuple[Step, ...]
    root: str
    stored: bool

    def to_json(self) -> dict[str, Json]:
        """Return it as it lies on the disk."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "family": self.family,
            "structure": self.structure.to_json(),
            "parents": [parent.to_json() for parent in self.parents],
            "teacher": None if self.teacher is None else self.teacher.to_json(),
            "recipe": [dict(step) for step in self.recipe],
            "steps": [dict(step) for step in self.steps],
            "root": self.root,
            "stored": self.stored,
        }

    @property
    def losses(self) -> Mapping[str, float] | None:
        """First and last loss of its last training, and its data's entropy; None for a variant."""
        trained = [step for step in self.steps if step["kind"] == "train"]
        return trained[-1]["loss"] if trained else None


_WANTED: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "family": str,
    "structure": Mapping,
    "parents": list,
    "teacher": (Mapping, type(None)),
    "recipe": list,
    "steps": list,
    "root": str,
    "stored": bool,
}


def record_of(said: Any, *, file: str) -> ZooRecord:
    """Return the record that a JSON object states.

    Raises:
        RecordError: It states none; every mistake is in it.
    """
    mistakes = list(_mistakes(said, file))
    if mistakes:
        raise RecordError(mistakes)
    teacher = said["teacher"]
    return ZooRecord(
        name=said["name"],
        family=said["family"],
        structure=Structure.from_json(said["structure"], file=file),
        parents=tuple(Parent(name=one["name"], root=one["root"]) for one in said["parents"]),
        teacher=None if teacher is None else Parent(name=teacher["name"], root=teacher["root"]),
        recipe=tuple(said["recipe"]),
        steps=tuple(said["steps"]),
        root=said["root"],
        stored=said["stored"],
    )


def read_record(path: Path) -> ZooRecord:
    """Read a record.

    Raises:
        RecordError: The file cannot be read, or states none.
    """
    try:
        said = parse_json(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        wrong = Mistake(
            file=str(path), place="", read=shown(str(error)), expected="a record of the zoo"
        )
        raise RecordError([wrong]) from error
    return record_of(said, file=str(path))


def _mistakes(said: Any, file: str) -> Sequence[Mistake]:
    if not isinstance(said, Mapping) or said.get("schema") != SCHEMA:
        read = said.get("schema") if isinstance(said, Mapping) else type(said).__name__
        return [Mistake(file=file, place="schema", read=shown(repr(read)), expected=SCHEMA)]
    found = [
        Mistake(
            file=file,
            place=key,
            read=type(said[key]).__name__ if key in said else "nothing",
            expected="another kind of value",
        )
        for key, sort in _WANTED.items()
        if not isinstance(said.get(key), sort)
    ]
    if found:
        return found
    parents = [*said["parents"], *([] if said["teacher"] is None else [said["teacher"]])]
    found += [
        Mistake(file=file, place="parents", read=shown(repr(one)), expected="a name and a root")
        for one in parents
        if not isinstance(one, Mapping) or not {"name", "root"} <= set(one)
    ]
    found += [
        Mistake(file=file, place="steps", read=shown(repr(one)), expected="a step with its kind")
        for one in said["steps"]
        if not isinstance(one, Mapping) or not isinstance(one.get("kind"), str)
    ]
    return found
