"""Where every component of a recipe comes from: leaves, and what was done to them.

Leaves are weights drawn from a seed (S), the builder's own earlier record (expanded to its own
leaves), others' open weights (O), weights that others hold closed (C), and models behind an
interface (A). Steps are edges. A teacher or synthetic data are edges of data: they are kept and
shown, and lower nothing. Nothing here knows a grade.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from dokja.models.forge.recipes.schema import ComponentTerms, RecipeFile, StepTerms, Teacher
from dokja.models.forge.transforms import TRANSFORMS
from dokja.values import Json

__all__ = ["DataEdge", "Descent", "Leaf", "LeafKind", "Moved", "descent", "descents"]


class LeafKind(Enum):
    """What a component's weights start from."""

    SCRATCH = "S"
    OPEN = "O"
    CLOSED = "C"
    REMOTE = "A"


class Moved(Enum):
    """How much of a component training moved since its structure last changed."""

    NOTHING = "nothing"
    ADAPTERS = "adapters"
    PART = "part"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One origin of a component's weights.

    Attributes:
        kind: What kind of origin.
        name: The seed's family, the base's name, or the closed or remote model.
        root: Tensor root of a base, written `dokja-tensors-v1:…`; none where not known.
        licence: Under which it is used; none for own weights.
        record: Digest of the own record that it was expanded from; none for direct leaves.
    """

    kind: LeafKind
    name: str
    root: str | None = None
    licence: str | None = None
    record: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in plans and records."""
        found: dict[str, Json] = {"kind": self.kind.value, "name": self.name}
        for key in ("root", "licence", "record"):
            if getattr(self, key) is not None:
                found[key] = getattr(self, key)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEdge:
    """A model whose answers or probabilities a component was trained on; it bears no grade.

    Attributes:
        name: The teacher's name.
        root: Its tensor root; none where not known.
        licence: Under which its answers are used; none where not said.
    """

    name: str
    root: str | None = None
    licence: str | None = None

    def is_of(self, other: "DataEdge") -> bool:
        """Tell whether another edge says the same, with the root that this one may lack."""
        same = (self.name, self.licence) == (other.name, other.licence)
        return same and self.root in {None, other.root}

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in plans and records."""
        found: dict[str, Json] = {"name": self.name}
        for key in ("root", "licence"):
            if getattr(self, key) is not None:
                found[key] = getattr(self, key)
        return found

    @classmethod
    def from_json(cls, said: Any) -> "DataEdge":
        """Return the edge that a plan or record states; older ones state a name alone.

        Raises:
            KeyError: It states none.

        Example:
            >>> DataEdge.from_json("big") == DataEdge.from_json({"name": "big"})
            True
        """
        if not isinstance(said, Mapping):
            return cls(name=str(said))
        return cls(name=str(said["name"]), root=said.get("root"), licence=said.get("licence"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """Where one component comes from.

    Attributes:
        component: Its id.
        role: What it does in the model.
        leaves: Every origin of its weights, in the order in which they came in.
        steps: What was done, by name, in order.
        structure_changed: Whether a step changed the structure that the leaves had.
        moved: How much training moved after the last change of structure.
        ever_moved: How much training moved at any time.
        trainable: Name patterns that training moved, where it moved a part.
        family: Family of the structure, for weights from a seed.
        corpus_tokenizer: For a tokenizer: whether it was learnt here from a recorded corpus.
        data_edges: Teachers whose answers it was trained on; shown, never graded.
    """

    component: str
    role: str
    leaves: tuple[Leaf, ...]
    steps: tuple[str, ...] = ()
    structure_changed: bool = False
    moved: Moved = Moved.NOTHING
    ever_moved: Moved = Moved.NOTHING
    trainable: tuple[str, ...] = ()
    family: str | None = None
    corpus_tokenizer: bool = False
    data_edges: tuple[DataEdge, ...] = ()

    @property
    def own(self) -> bool:
        """Whether every leaf was drawn from a seed."""
        return all(leaf.kind is LeafKind.SCRATCH for leaf in self.leaves)

    def with_teacher(self, said: Any) -> "Descent":
        """Return the descent with the root of a teacher that a plan found; the same without one.

        Args:
            said: The teacher as the plan states it; nothing for none.
        """
        if not isinstance(said, Mapping):
            return self
        found = DataEdge(name=said["base"], root=said["root"], licence=said["licence"])
        return replace(
            self,
            data_edges=tuple(found if edge.is_of(found) else edge for edge in self.data_edges),
        )

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in plans and records."""
        return {
            "component": self.component,
            "role": self.role,
            "leaves": [leaf.to_json() for leaf in self.leaves],
            "steps": [*self.steps],
            "structure_changed": self.structure_changed,
            "moved": self.moved.value,
            "ever_moved": self.ever_moved.value,
            "trainable": [*self.trainable],
            "family": self.family,
            "corpus_tokenizer": self.corpus_tokenizer,
            "data_edges": [edge.to_json() for edge in self.data_edges],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Descent":
        """Return the descent that a plan or record states.

        Raises:
            KeyError, TypeError, ValueError: It states none.
        """
        leaves = tuple(
            Leaf(
                kind=LeafKind(leaf["kind"]),
                name=str(leaf["name"]),
                root=leaf.get("root"),
                licence=leaf.get("licence"),
                record=leaf.get("record"),
            )
            for leaf in said["leaves"]
        )
        return cls(
            component=str(said["component"]),
            role=str(said["role"]),
            leaves=leaves,
            steps=tuple(str(step) for step in said["steps"]),
            structure_changed=said["structure_changed"] is True,
            moved=Moved(said["moved"]),
            ever_moved=Moved(said["ever_moved"]),
            trainable=tuple(str(one) for one in said.get("trainable", ())),
            family=None if said.get("family") is None else str(said["family"]),
            corpus_tokenizer=said["corpus_tokenizer"] is True,
            data_edges=tuple(DataEdge.from_json(edge) for edge in said["data_edges"]),
        )


_MORE = (Moved.NOTHING, Moved.ADAPTERS, Moved.PART, Moved.WHOLE)


def descents(
    recipe: RecipeFile, *, records: Mapping[str, Sequence[Descent]] | None = None
) -> tuple[Descent, ...]:
    """Return where every component of a recipe comes from.

    Args:
        recipe: The recipe, at any size: every size has the same ancestry.
        records: Components of the own records that the recipe starts from, by the path that
            it names. A record that is not the builder's own is no key here: it is others' work.
    """
    return tuple(descent(component, records=records or {}) for component in recipe.component)


def descent(component: ComponentTerms, *, records: Mapping[str, Sequence[Descent]]) -> Descent:
    """Return where one component comes from; see `descents`."""
    start = _start(component, records)
    leaves = list(start.leaves)
    changed, moved, ever = start.structure_changed, start.moved, start.ever_moved
    trainable, edges = list(start.trainable), list(start.data_edges)
    for step in component.step:
        if step.is_training:
            now = _moved(step)
            moved, ever = max(moved, now, key=_MORE.index), max(ever, now, key=_MORE.index)
            trainable += step.trainable if isinstance(step.trainable, tuple) else ()
            edges += [] if step.teacher is None else [_taught(step.teacher)]
            continue
        spec = TRANSFORMS[step.do]
        leaves += _brought(step, records) if spec.adds_leaves else []
        if spec.changes_structure:
            changed, moved = True, Moved.NOTHING
    return Descent(
        component=component.id,
        role=component.role,
        leaves=tuple(dict.fromkeys(leaves)),
        steps=(*start.steps, *(step.do for step in component.step)),
        structure_changed=changed,
        moved=moved,
        ever_moved=ever,
        trainable=tuple(dict.fromkeys(trainable)),
        family=component.origin.scratch or start.family,
        corpus_tokenizer=start.corpus_tokenizer,
        data_edges=tuple(dict.fromkeys(edges)),
    )


def _taught(teacher: Teacher) -> DataEdge:
    return DataEdge(name=teacher.base, root=teacher.root, licence=teacher.licence)


def _start(component: ComponentTerms, records: Mapping[str, Sequence[Descent]]) -> Descent:
    origin = component.origin
    known = records.get(origin.record or "")
    if known is not None:
        same = [one for one in known if one.component == component.id] or [
            one for one in known if one.role == component.role
        ]
        if same:
            return same[0]
    leaf = {
        "base": LeafKind.OPEN,
        "record": LeafKind.OPEN,  # a record that is not shown to be the builder's own
        "scratch": LeafKind.SCRATCH,
        "train": LeafKind.SCRATCH,
        "index": LeafKind.SCRATCH,  # the builder's own documents bear no weights
        "closed": LeafKind.CLOSED,
        "api": LeafKind.REMOTE,
    }[origin.kind]
    said = getattr(origin, origin.kind)
    name = said if isinstance(said, str) else said.kind
    return Descent(
        component=component.id,
        role=component.role,
        leaves=(Leaf(kind=leaf, name=name, root=origin.root, licence=origin.licence),),
        corpus_tokenizer=origin.train is not None and origin.train.kind == "byte-bpe",
    )


def _moved(step: StepTerms) -> Moved:
    if step.trainable == "all":
        return Moved.WHOLE
    return Moved.ADAPTERS if step.trainable == "adapters" else Moved.PART


def _brought(step: StepTerms, records: Mapping[str, Sequence[Descent]]) -> list[Leaf]:
    """Return the leaves that a transform brings in: the other parents of a merge or transplant."""
    said = step.parameters.get("with", ())
    found: list[Leaf] = []
    for other in said if isinstance(said, list | tuple) else (said,):
        if not isinstance(other, Mapping):
            continue
        known = records.get(str(other.get("record", "")))
        if known is not None:
            found += [leaf for one in known for leaf in one.leaves]
            continue
        found.append(
            Leaf(
                kind=LeafKind.OPEN,
                name=str(other.get("base", "")),
                root=other.get("root"),
                licence=other.get("licence"),
            )
        )
    return found
