"""How far a replay ended from what the builder claims, in parts of how far the segment went.

e = |W_replay - W_claimed| / |W_after - W_before|, over the whole component and for every tensor:
a change that is hidden in one small tensor vanishes in the total. A tensor that did not move in
the segment is measured by how far the component moved.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Distance", "Reader", "distance"]

Reader = Callable[[str], NDArray[np.float32]]
"""Returns a tensor by its name, such as `Source.read`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far two ends of a segment lie apart.

    Attributes:
        total: e over all tensors; 0 for the same weights, about 1 for strangers.
        worst: Largest e of one tensor.
        worst_tensor: Which; empty where all are equal.
        equal: How many tensors are equal, bit for bit.
        tensors: How many there are.
        moved: |W_after - W_before| over all tensors.
    """

    total: float
    worst: float
    worst_tensor: str
    equal: int
    tensors: int
    moved: float

    @property
    def is_bit_equal(self) -> bool:
        """Whether every tensor is equal, bit for bit."""
        return self.equal == self.tensors


def distance(
    replayed: Reader, claimed: Reader, *, before: Reader, names: Iterable[str]
) -> Distance:
    """Return how far a replay ended from what is claimed.

    Sums of squares are taken in float64, one tensor at a time.

    Args:
        replayed: Weights that a replay ended with.
        claimed: Weights that the builder says it ended with.
        before: Weights that both began with.
        names: Every tensor.

    Raises:
        ValueError: Nothing moved in the segment, and the ends differ: there is no measure.

    Example:
        >>> ends = {"a": np.array([3.0, 4.0]), "b": np.array([1.0])}
        >>> start = {"a": np.array([0.0, 0.0]), "b": np.array([1.0])}
        >>> other = {"a": np.array([3.0, 4.0]), "b": np.array([1.5])}
        >>> found = distance(other.get, ends.get, before=start.get, names=["a", "b"])
        >>> found.total, found.worst, found.worst_tensor, found.equal
        (0.1, 0.1, 'b', 1)
    """
    apart: dict[str, float] = {}
    moved: dict[str, float] = {}
    equal = 0
    for name in names:
        theirs = claimed(name)
        apart[name] = _square(replayed(name), theirs)
        moved[name] = _square(theirs, before(name))
        equal += apart[name] == 0.0
    way, off = math.sqrt(sum(moved.values())), math.sqrt(sum(apart.values()))
    if way == 0.0 and off > 0.0:
        raise ValueError("no tensor moved in the segment, so that nothing measures the replay")
    each = {
        name: math.sqrt(square) / (math.sqrt(moved[name]) or way)
        for name, square in apart.items()
        if square > 0.0
    }
    worst = max(each, key=lambda name: each[name], default="")
    return Distance(
        total=off / way if off else 0.0,
        worst=each.get(worst, 0.0),
        worst_tensor=worst,
        equal=equal,
        tensors=len(apart),
        moved=way,
    )


def _square(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the squared distance of two tensors; infinite where a value is not finite."""
    # Bits decide what is equal: an infinity less itself would be no number.
    if one.shape == other.shape and one.tobytes() == other.tobytes():
        return 0.0
    apart = (one.astype(np.float64) - other.astype(np.float64)).reshape(-1)
    square = float(np.dot(apart, apart))
    return square if math.isfinite(square) else math.inf
