"""What goes into a transform, what comes out, and what the build record keeps of it.

A record holds everything from which the transform can be done again on the same parents: its
name, its parameters with defaults filled in, and the map from old places to new ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from dokja.errors import Mistake, TransformError
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.tensors import Tensors, items
from dokja.values import Json

__all__ = ["Model", "TransformRecord", "Transformed", "refuse", "shape_mistakes", "sound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Tensors, and what network they are of.

    Attributes:
        tensors: By Hugging Face's names.
        structure: Family and sizes.
        name: What records and messages call it: a tensor root where it is known.
    """

    tensors: Tensors
    structure: Structure
    name: str = "the model"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformRecord:
    """What was done, so that it can be done again.

    Attributes:
        kind: Name of the transform.
        parameters: As they were given, defaults filled in.
        map: From new places to old ones, such as layers, neurons or rows.
        parents: What the sources are called, in order.
        keeps_function: Whether the outputs are the first parent's, but for rounding.
        structure_changed: Whether sizes or family are others than the first parent's.
    """

    kind: str
    parameters: Mapping[str, Json] = field(default_factory=dict)
    map: Mapping[str, Json] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    keeps_function: bool = False
    structure_changed: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a build record.

        Example:
            >>> TransformRecord(kind="dus", map={"layers": [0, 1, 0, 1]}).to_json()["map"]
            {'layers': [0, 1, 0, 1]}
        """
        return {
            "kind": self.kind,
            "parameters": dict(self.parameters),
            "map": dict(self.map),
            "parents": list(self.parents),
            "keeps_function": self.keeps_function,
            "structure_changed": self.structure_changed,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "TransformRecord":
        """Return the record that a build record states.

        Raises:
            TransformError: It states none.
        """
        wanted = {
            "kind": str,
            "parameters": Mapping,
            "map": Mapping,
            "parents": Sequence,
            "keeps_function": bool,
            "structure_changed": bool,
        }
        refuse(
            Mistake(
                file="transform record",
                place=key,
                read=type(said[key]).__name__ if key in said else "nothing",
                expected=f"a value of {sort.__name__}",
            )
            for key, sort in wanted.items()
            if not isinstance(said.get(key), sort)
        )
        return cls(
            kind=said["kind"],
            parameters=said["parameters"],
            map=said["map"],
            parents=tuple(said["parents"]),
            keeps_function=said["keeps_function"],
            structure_changed=said["structure_changed"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformed:
    """What a transform made.

    Attributes:
        tensors: Made when they are read; nothing was computed yet.
        structure: The network they are of.
        record: What the build record keeps.
        config_changes: What stands otherwise in `config.json` than `structure` says.
    """

    tensors: Tensors
    structure: Structure
    record: TransformRecord
    config_changes: Mapping[str, Json] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield every tensor with its name, one in memory at a time."""
        return items(self.tensors)

    @property
    def model(self) -> Model:
        """The result as the source of a further transform."""
        return Model(tensors=self.tensors, structure=self.structure, name=self.record.kind)

    def config(self) -> dict[str, Json]:
        """Return `config.json` of the result."""
        return {**self.structure.config(), **self.config_changes}


def refuse(mistakes: Iterator[Mistake] | Sequence[Mistake]) -> None:
    """Raise all mistakes at once, if there are any.

    Raises:
        TransformError: There is at least one.
    """
    found = list(mistakes)
    if found:
        raise TransformError(found)


def sound(model: Model) -> Structure:
    """Return a model's structure after making sure that its tensors are exactly the structure's.

    Raises:
        TransformError: Tensors are missing, too many, or of another shape.
    """
    refuse(shape_mistakes(model))
    return model.structure


def shape_mistakes(model: Model) -> Iterator[Mistake]:
    """Find tensors that are missing, too many, or of another shape than the structure asks for."""
    expected = model.structure.shapes()
    present = set(model.tensors.names)
    for name in sorted(expected.keys() - present):
        yield Mistake(
            file=model.name,
            place=f"tensor {name}",
            read="nothing",
            expected=f"a tensor of shape {expected[name]}",
        )
    for name in sorted(present - expected.keys()):
        yield Mistake(
            file=model.name,
            place=f"tensor {name}",
            read=f"a tensor of shape {model.tensors.shape(name)}",
            expected=f"no tensor of this name in a {model.structure.family} of these sizes",
        )
    for name in sorted(present & expected.keys()):
        if model.tensors.shape(name) != expected[name]:
            yield Mistake(
                file=model.name,
                place=f"tensor {name}",
                read=f"shape {model.tensors.shape(name)}",
                expected=f"shape {expected[name]}",
            )
