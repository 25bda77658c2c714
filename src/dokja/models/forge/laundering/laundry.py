"""Launders weights, and undoes it where that can be done.

The record holds kinds and seed, from which every permutation, sign, scale and matrix follows
again; so a laundered model need not be stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake
from dokja.models.forge.laundering.kinds import KINDS, kinds_for
from dokja.models.forge.laundering.moves import Maps
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.records import Model, refuse, shape_mistakes
from dokja.models.forge.transforms.tensors import Tensors, edited, items
from dokja.values import Json

__all__ = ["Laundered", "LaunderingRecord", "launder", "maps_of", "unlaunder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunderingRecord:
    """What was done, so that it can be done again or undone.

    Attributes:
        kinds: Names of the kinds, in the order in which they were applied.
        seed: From which every choice follows.
        structure: Of the parent.
        parent: What it is called: its tensor root where that is known.
    """

    kinds: tuple[str, ...]
    seed: bytes
    structure: Structure
    parent: str = ""

    @property
    def invertible(self) -> bool:
        """Whether the parent's weights can be computed from the result and this record."""
        return all(KINDS[kind].invert is not None for kind in self.kinds)

    @property
    def exact(self) -> bool:
        """Whether the parent's weights come back bit by bit."""
        return all(KINDS[kind].exact for kind in self.kinds)

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a build record or a label of the zoo."""
        return {
            "kind": "launder",
            "kinds": list(self.kinds),
            "seed": self.seed.hex(),
            "structure": self.structure.to_json(),
            "parent": self.parent,
            "invertible": self.invertible,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "LaunderingRecord":
        """Return the record that a label or a build record states.

        Raises:
            TransformError: It states none.
            RecipeError: Its structure is not sound.
        """
        wanted = {"kinds": list, "seed": str, "structure": Mapping, "parent": str}
        refuse(
            Mistake(
                file="laundering record",
                place=key,
                read=type(said[key]).__name__ if key in said else "nothing",
                expected=f"a value of {sort.__name__}",
            )
            for key, sort in wanted.items()
            if not isinstance(said.get(key), sort)
        )
        refuse([*_unknown(said["kinds"]), *_seed_mistakes(said["seed"])])
        return cls(
            kinds=tuple(said["kinds"]),
            seed=bytes.fromhex(said["seed"]),
            structure=Structure.from_json(said["structure"]),
            parent=said["parent"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Laundered:
    """A laundered network.

    Attributes:
        tensors: float32, made when they are read.
        structure: Of the result: a rotation unties the head, a scale changes epsilon.
        config_changes: What stands otherwise in `config.json` than in the parent's.
        record: What was done.
        maps: For each kind, the choices that were made, by what they belong to.
    """

    tensors: Tensors
    structure: Structure
    config_changes: Mapping[str, Json]
    record: LaunderingRecord
    maps: Mapping[str, Maps] = field(repr=False)

    def __iter__(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield every tensor with its name, one in memory at a time."""
        return items(self.tensors)


def launder(
    tensors: Tensors,
    structure: Structure,
    *,
    seed: bytes,
    kinds: Sequence[str] | None = None,
    parent: str = "",
) -> Laundered:
    """Return other weights of a network that computes the same.

    Args:
        tensors: In the structure's names and shapes.
        structure: Of the parent.
        seed: Of every choice.
        kinds: Keys of `KINDS` in the order in which they are applied; all that fit by default.
        parent: What the record calls the parent.

    Raises:
        TransformError: A kind is unknown, stands twice, or is not exact for this structure; or
            the tensors are not the structure's. Every mistake is in it.
    """
    chosen = tuple(kinds_for(structure) if kinds is None else kinds)
    model = Model(tensors=tensors, structure=structure, name=parent or "the model")
    refuse([*_kind_mistakes(chosen, structure), *shape_mistakes(model)])
    maps: dict[str, Maps] = {}
    washed, now = tensors, structure
    for name in chosen:
        kind = KINDS[name]
        maps[name] = kind.draw(now, _seed(seed, name))
        washed, now = kind.apply(washed, now, maps[name])
    before, after = structure.config(), now.config()
    return Laundered(
        tensors=edited(washed, _rounded),
        structure=now,
        config_changes={key: value for key, value in after.items() if before.get(key) != value},
        record=LaunderingRecord(kinds=chosen, seed=seed, structure=structure, parent=parent),
        maps=maps,
    )


def maps_of(record: LaunderingRecord) -> dict[str, Maps]:
    """Return every choice that a record stands for, by kind: the exact map."""
    drawn = {}
    now = record.structure
    for name in record.kinds:
        # Only sizes that no laundering changes go into a draw, and whether the head is tied.
        drawn[name] = KINDS[name].draw(now, _seed(record.seed, name))
        if name == "rotation":
            now = _untied(now)
    return drawn


def unlaunder(tensors: Tensors, record: LaunderingRecord) -> Tensors:
    """Return the parent's weights, bit by bit or but for rounding; see `exact`.

    Args:
        tensors: The result of the laundering that the record states.
        record: Of it.

    Raises:
        TransformError: A kind in it cannot be undone: gains that were folded are lost.
    """
    refuse(
        Mistake(
            file="launder",
            place=f"kind {name}",
            read="a kind that folds gains away",
            expected="kinds that can be undone",
            remedy="Launder the parent again and compare, instead of undoing it.",
        )
        for name in record.kinds
        if KINDS[name].invert is None
    )
    drawn = maps_of(record)
    now = record.structure
    for name in reversed(record.kinds):
        kind = KINDS[name]
        if kind.invert is not None:
            tensors, now = kind.apply(tensors, now, kind.invert(drawn[name]))
    return edited(tensors, _rounded)


def _rounded(_: str, values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32)


def _seed(seed: bytes, kind: str) -> bytes:
    """Return a kind's own seed, so that leaving one kind out changes no other's choices."""
    return f"launder/{kind}/".encode() + seed


def _untied(structure: Structure) -> Structure:
    return Structure.from_json({**structure.to_json(), "tied": False})


def _seed_mistakes(seed: str) -> Iterator[Mistake]:
    try:
        bytes.fromhex(seed)
    except ValueError:
        yield Mistake(
            file="laundering record",
            place="seed",
            read=repr(seed[:20]),
            expected="hexadecimal digits in pairs",
        )


def _unknown(kinds: Sequence[Any]) -> Iterator[Mistake]:
    for name in kinds:
        if not isinstance(name, str) or name not in KINDS:
            yield Mistake(
                file="launder",
                place="kinds",
                read=repr(name),
                expected="one of " + ", ".join(KINDS),
            )


def _kind_mistakes(kinds: Sequence[str], structure: Structure) -> Iterator[Mistake]:
    yield from _unknown(kinds)
    fitting = kinds_for(structure)
    for name in kinds:
        if name in KINDS and name not in fitting:
            yield Mistake(
                file="launder",
                place="kinds",
                read=f"{name} for a {structure.family} of {structure.heads} heads",
                expected="one of " + ", ".join(fitting),
            )
    if not kinds or len(set(kinds)) != len(kinds):
        yield Mistake(
            file="launder",
            place="kinds",
            read=", ".join(kinds) or "none",
            expected="at least one, and each once",
        )
