"""Which relations the evidence leaves open, and which way they run.

The borders between relations are conventions, and sets say so: between *fine-tuned* and
*continually pretrained* lies no natural line. They rest on the toy models of the design note,
one run each: a short fine-tuning left a centred correlation of 0.997, continued training 0.86,
a 70/30 mixture 0.92, a shared random start at most 0.33. A shared start is no derivation; what
separates it is that normalisation gains start at one and therefore agree only after shared
training.

A mixture is left open wherever a dense change is, until its parents are given.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from dokja.models.comparison import LayerTable

__all__ = [
    "Derivation",
    "Direction",
    "Kinship",
    "Relation",
    "derivation_of",
    "direction_of",
    "is_depth_edit",
    "relations_of",
]

_NEARLY_EQUAL = 0.99
_ROUNDED = 0.97
_LITTLE_MOVED = 0.9
_BEYOND_SHARED_START = 0.5
_TWIN_SYMMETRY = 0.5


class Relation(Enum):
    """A claim about trained values; of each, the evidence leaves it open or not."""

    IDENTICAL = "identical"
    REQUANTISED = "requantised"
    ADAPTER_MERGED = "adapter_merged"
    FINE_TUNED = "fine_tuned"
    CONTINUALLY_PRETRAINED = "continually_pretrained"
    MERGED = "merged"
    DEPTH_EDITED = "depth_edited"
    WIDTH_EDITED = "width_edited"
    UPCYCLED = "upcycled"
    SHARED_INITIALISATION = "shared_initialisation"
    NO_EVIDENCE = "no_evidence"
    NOT_TESTABLE = "not_testable"

    @property
    def descends(self) -> bool | None:
        """Whether trained values of one side come from the other's; None if it cannot be told."""
        match self:
            case (
                Relation.IDENTICAL
                | Relation.REQUANTISED
                | Relation.ADAPTER_MERGED
                | Relation.FINE_TUNED
                | Relation.CONTINUALLY_PRETRAINED
                | Relation.MERGED
                | Relation.DEPTH_EDITED
                | Relation.WIDTH_EDITED
                | Relation.UPCYCLED
            ):
                return True
            case Relation.SHARED_INITIALISATION | Relation.NO_EVIDENCE:
                return False
            case Relation.NOT_TESTABLE:
                return None
            case _:
                assert_never(self)


class Derivation(Enum):
    """Whether values of one side come from the other's training."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"


class Direction(Enum):
    """Which side was made from the other's layers, or from those of a model that both share."""

    MODEL_FROM_REFERENCE = "model_from_reference"
    REFERENCE_FROM_MODEL = "reference_from_model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """What a related pair looks like.

    Attributes:
        correlation: The effect, centred.
        equal: Whether every value that was read is the same, up to rounding to the coarser type.
        depth_edit: Whether layers were repeated, dropped, moved or put in.
        width_edit: Whether neurons, heads or dimensions were taken out or put in.
        upcycled: Whether several experts go with one dense block.
        rounded: Whether one side alone stands on a coarse grid.
        gains_agree: Whether normalisation gains agree as well; None when they tell nothing.
        low_rank: Whether every change is of low rank, and untouched matrices are equal.
    """

    correlation: float
    equal: bool = False
    depth_edit: bool = False
    width_edit: bool = False
    upcycled: bool = False
    rounded: bool = False
    gains_agree: bool | None = None
    low_rank: bool = False


def relations_of(kinship: Kinship) -> tuple[Relation, ...]:
    """Return every relation that a related pair leaves open.

    Example:
        >>> [relation.value for relation in relations_of(Kinship(correlation=0.86))]
        ['continually_pretrained', 'merged']
    """
    named = (
        (kinship.upcycled, (Relation.UPCYCLED,)),
        (kinship.depth_edit, (Relation.DEPTH_EDITED,)),
        (kinship.width_edit, (Relation.WIDTH_EDITED,)),
        (kinship.equal, (Relation.IDENTICAL,)),
        (kinship.rounded and kinship.correlation >= _ROUNDED, (Relation.REQUANTISED,)),
        (kinship.low_rank, (Relation.ADAPTER_MERGED, Relation.FINE_TUNED)),
    )
    return next((found for holds, found in named if holds), _of_a_dense_change(kinship))


def _of_a_dense_change(kinship: Kinship) -> tuple[Relation, ...]:
    if kinship.correlation >= _NEARLY_EQUAL:
        return (Relation.FINE_TUNED,)
    if kinship.correlation >= _LITTLE_MOVED:
        return (Relation.FINE_TUNED, Relation.CONTINUALLY_PRETRAINED, Relation.MERGED)
    moved = (Relation.CONTINUALLY_PRETRAINED, Relation.MERGED)
    if kinship.correlation >= _BEYOND_SHARED_START or kinship.gains_agree:
        return moved
    return (*moved, Relation.SHARED_INITIALISATION)


def derivation_of(relations: Sequence[Relation]) -> Derivation:
    """Return what a set of relations says about descent: a mixed set cannot tell.

    Example:
        >>> derivation_of([Relation.MERGED, Relation.SHARED_INITIALISATION])
        <Derivation.CANNOT_TELL: 'cannot_tell'>
    """
    answers = {relation.descends for relation in relations}
    if answers == {True}:
        return Derivation.YES
    return Derivation.NO if answers == {False} else Derivation.CANNOT_TELL


def is_depth_edit(pairs: Sequence[tuple[int, int]], *, layers: tuple[int, int]) -> bool:
    """Tell whether a map shows layers repeated, dropped, moved or put in.

    Args:
        pairs: (layer of the suspect, layer of the reference).
        layers: How many layers the suspect and the reference have.
    """
    return layers[0] != layers[1] or any(ours != theirs for ours, theirs in pairs)


def direction_of(
    pairs: Sequence[tuple[int, int]],
    turned: Sequence[tuple[int, int]],
    *,
    table: LayerTable,
) -> Direction | None:
    """Return which way a relation runs, where repeated layers show it.

    Repeating layers goes one way only: two layers of the one side go with one layer of the
    other. A model that was cut down from such a one shows them too, but stays much nearer to
    the one of the two that it kept; then nothing is said.

    Args:
        pairs: Map from the suspect's layers to the reference's.
        turned: Map from the reference's layers to the suspect's.
        table: How alike they are: suspect's layers by reference's.
    """
    ours = _repeats(pairs, {pair: float(table.values[pair]) for pair in pairs})
    theirs = _repeats(turned, {pair: float(table.values[pair[::-1]]) for pair in turned})
    if ours == theirs:
        return None
    return Direction.MODEL_FROM_REFERENCE if ours else Direction.REFERENCE_FROM_MODEL


def _repeats(pairs: Sequence[tuple[int, int]], likeness: Mapping[tuple[int, int], float]) -> bool:
    """Tell whether some layer is repeated, each repetition being about as near to it."""
    counts = Counter(theirs for _, theirs in pairs)
    repeated = [layer for layer, count in counts.items() if count > 1]
    return bool(repeated) and all(
        _symmetric([likeness[pair] for pair in pairs if pair[1] == layer]) for layer in repeated
    )


def _symmetric(likenesses: Sequence[float]) -> bool:
    nearest, farthest = 1 - max(likenesses), 1 - min(likenesses)
    return nearest >= _TWIN_SYMMETRY * farthest - 1e-6
