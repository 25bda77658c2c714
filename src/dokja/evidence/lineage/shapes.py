"""Shape algebra: what shapes prove or refute of the roles that names propose.

The width of the residual stream is the dimension that most matrices share. From it follows which
side of a matrix holds its units, and whether a file keeps its matrices transposed. What does not
fit is a doubt: a sentence that names the tensors. Nothing here knows a name's meaning.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dokja.evidence.lineage.bodies import Cell
from dokja.evidence.lineage.claims import Claims
from dokja.evidence.lineage.listings import Described
from dokja.evidence.lineage.patterns import Place, Sort

__all__ = ["Survey", "Tensor", "matrix_sides", "shape_words", "solve"]

_MATRIX, _STACK = 2, 3
_INNER_GAINS = {"norm_q", "norm_k", "norm_q_a", "norm_kv_a", "norm_inside"}
_MOST_DOUBTS = 40
_MOST_EXPERTS = 2**18


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor with the place that its name proposes.

    Attributes:
        info: From its header.
        place: From its name.
    """

    info: Described
    place: Place

    @property
    def name(self) -> str:
        """As in the header."""
        return self.info.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return self.info.shape

    @property
    def shown(self) -> str:
        """Name and shape, for a sentence."""
        return f"{self.name} {shape_words(self.shape)}"


def shape_words(shape: tuple[int, ...]) -> str:
    """Return a shape as a sentence writes it.

    Example:
        >>> shape_words((4, 2))
        '[4, 2]'
    """
    return f"[{', '.join(map(str, shape))}]"


def matrix_sides(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Return rows and columns; a stack's are those of one expert. None for vectors."""
    if len(shape) not in {_MATRIX, _STACK} or 0 in shape:
        return None
    return shape[-2], shape[-1]


@dataclass(slots=True)
class Survey:
    """What is known of a stack of layers while it is mapped.

    Attributes:
        width: Dimensions of the residual stream.
        transposed: Whether matrices are kept as inputs by outputs.
        stacks_transposed: Likewise of stacks of experts.
        claims: What the configuration says.
        doubts: What contradicts itself, so far.
        placed: Tensors with a place, so far.
        others: Those that are no matrix of units, by what they are.
        guesses: Whether the width of a head may be guessed where what is claimed fits nowhere.
        misfits: Whether some attention had no heads that fit.
        experts_left: How many more experts are believed; the largest public models have some
            30,000 over all layers.
    """

    width: int
    transposed: bool
    stacks_transposed: bool
    claims: Claims
    doubts: list[str] = field(default_factory=list)
    placed: set[str] = field(default_factory=set)
    others: dict[str, str] = field(default_factory=dict)
    guesses: bool = False
    misfits: bool = False
    experts_left: int = _MOST_EXPERTS
    _unsaid: int = 0

    def start_again(self) -> None:
        """Forget everything but the algebra, and guess from now on."""
        self.doubts.clear()
        self.placed.clear()
        self.others.clear()
        self.guesses, self.misfits = True, False
        self.experts_left, self._unsaid = _MOST_EXPERTS, 0

    def doubt(self, sentence: str) -> None:
        """Note a contradiction once; of very many only the first are kept, and their number."""
        if sentence in self.doubts:
            return
        if len(self.doubts) < _MOST_DOUBTS:
            self.doubts.append(sentence)
        else:
            self._unsaid += 1

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every doubt."""
        more = (f"{self._unsaid} more of these kinds",) if self._unsaid else ()
        return (*self.doubts, *more)

    def put(self, tensors: Iterable[Tensor]) -> None:
        """Note that tensors have a place."""
        self.placed.update(tensor.name for tensor in tensors)

    def put_aside(self, tensor: Tensor, what: str) -> None:
        """Note that a tensor has a place but is no matrix of units."""
        self.placed.add(tensor.name)
        self.others[tensor.name] = what

    def reader(self, tensor: Tensor) -> Cell | None:
        """Return a matrix that reads the residual, or None after noting a doubt."""
        return self._cell(tensor, writes=False)

    def writer(self, tensor: Tensor) -> Cell | None:
        """Return a matrix that writes to the residual, or None after noting a doubt."""
        return self._cell(tensor, writes=True)

    def _cell(self, tensor: Tensor, *, writes: bool) -> Cell | None:
        sides = matrix_sides(tensor.shape)
        if sides is None:
            self.doubt(
                f"{tensor.shown} is named like a matrix of the {tensor.place.role} and is none"
            )
            return None
        stacked = len(tensor.shape) == _STACK
        transposed = self.stacks_transposed if stacked else self.transposed
        turned = writes != transposed
        units, residual = (sides[1], sides[0]) if turned else sides
        if residual != self.width:
            does = "writes to" if writes else "reads"
            self.doubt(
                f"{tensor.shown} is named like what {does} the residual as {tensor.place.role}, "
                f"but its {'rows' if turned else 'columns'} are {residual} where the other "
                f"tensors of {tensor.place.stack or tensor.place.component} have {self.width}"
            )
            return None
        return Cell(tensor=tensor.name, units=units, residual=residual, turned=turned)


def solve(tensors: Iterable[Tensor], claims: Claims) -> Survey | None:
    """Return what the shapes of a stack say of all of it; None where it has no matrix.

    Args:
        tensors: Of the stack; any order.
        claims: What the configuration says; it decides between equally frequent dimensions.
    """
    # Experts repeat each other: one of a kind in each layer counts.
    kinds: dict[tuple[int | None, str, str], Tensor] = {}
    for tensor in tensors:
        place = tensor.place
        if place.sort not in {Sort.INNER, Sort.OTHER} and place.role not in _INNER_GAINS:
            kinds.setdefault((place.layer, place.template, place.part), tensor)
    width = _most_frequent(kinds.values(), {claim.value for claim in claims.sizes("width")})
    if width is None:
        return None
    votes = {True: 0, False: 0}
    stack_votes = {True: 0, False: 0}
    for tensor in kinds.values():
        sides = matrix_sides(tensor.shape)
        if sides is None or tensor.place.sort not in {Sort.READS, Sort.WRITES}:
            continue
        if (sides[0] == width) != (sides[1] == width) and tensor.place.layer is not None:
            straight = (sides[1] == width) == (tensor.place.sort is Sort.READS)
            held = stack_votes if len(tensor.shape) == _STACK else votes
            held[not straight] += 1
    return Survey(
        width=width,
        transposed=votes[True] > votes[False],
        stacks_transposed=stack_votes[True] > stack_votes[False],
        claims=claims,
    )


def _most_frequent(tensors: Iterable[Tensor], claimed: set[int]) -> int | None:
    matrices: Counter[int] = Counter()
    vectors: Counter[int] = Counter()
    for tensor in tensors:
        sides = matrix_sides(tensor.shape)
        if sides is not None:
            matrices.update(set(sides))
        elif len(tensor.shape) == 1 and tensor.place.sort is Sort.GAINS:
            vectors[tensor.shape[0]] += 1
    counted: Mapping[int, int] = matrices + Counter(
        {length: count for length, count in vectors.items() if length in matrices}
    )
    if not counted:
        return None
    return max(
        counted, key=lambda length: (counted[length], length in claimed, vectors[length], length)
    )
