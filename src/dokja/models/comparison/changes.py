"""What kind of change lies between two tensors that are alike: none, rounding, low rank, dense."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["Change", "change"]

_ENERGY = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference of two tensors.

    Attributes:
        equal: Whether every value is the same.
        relative_size: Size of the difference against that of the parent, both as root sum of
            squares.
        rank: How many directions hold 95 % of the difference's energy; 0 when there is none.
        full_rank: The most that it could be.
    """

    equal: bool
    relative_size: float
    rank: int
    full_rank: int


def change(child: NDArray[np.float32], parent: NDArray[np.float32]) -> Change:
    """Return what changed between two tensors of one shape.

    Args:
        child: Values of the model in question; rows are the first axis.
        parent: Values of the candidate ancestor, same shape.

    Raises:
        NotComparableError: The shapes differ, a value is not finite, or the parent is all zero.

    Example:
        >>> parent = np.eye(4, dtype=np.float32)
        >>> change(parent + np.ones((4, 4), dtype=np.float32), parent).rank
        1
    """
    if child.shape != parent.shape:
        raise NotComparableError(f"the shapes {child.shape} and {parent.shape} differ")
    if not (np.isfinite(child).all() and np.isfinite(parent).all()):
        raise NotComparableError("a value is not finite")
    ours, theirs = child.astype(np.float64), parent.astype(np.float64)
    size = float(np.linalg.norm(theirs))
    if size == 0.0:
        raise NotComparableError("every value of the parent is zero")
    difference = (ours - theirs).reshape(len(ours) if ours.ndim > 1 else 1, -1)
    full = min(difference.shape)
    moved = float(np.linalg.norm(difference))
    if moved == 0.0:
        return Change(equal=True, relative_size=0.0, rank=0, full_rank=full)
    # Singular values from the smaller Gram matrix: only their squares are needed.
    smaller = difference if difference.shape[0] <= difference.shape[1] else difference.T
    energy = np.clip(np.linalg.eigvalsh(smaller @ smaller.T)[::-1], 0.0, None)
    rank = int(np.searchsorted(np.cumsum(energy), _ENERGY * energy.sum()) + 1)
    return Change(equal=False, relative_size=moved / size, rank=min(rank, full), full_rank=full)
