"""Which attention head of the one layer goes with which of the other.

What a head does to the residual stream is two matrices, W_oᵀW_v and W_qᵀW_k, that no basis inside
the head changes. Heads are matched by each of the two alone; a pair counts where both agree. The
matrices themselves, width by width, are never made: their products follow from the heads' own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.models.comparison.matching import stable_matching

__all__ = ["Heads", "head_likeness", "head_pairs"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heads:
    """A layer's query heads; each array has the shape `(heads, dimensions, width)`.

    Attributes:
        q: What queries read; a head's keys and values stand once for every query head.
        k: What keys read.
        v: What values read.
        o: What is written.
    """

    q: NDArray[np.float32]
    k: NDArray[np.float32]
    v: NDArray[np.float32]
    o: NDArray[np.float32]

    def turned(self, basis: NDArray[np.floating]) -> "Heads":
        """Return the same heads in other coordinates."""
        turn = basis.astype(np.float32)
        return Heads(q=self.q @ turn, k=self.k @ turn, v=self.v @ turn, o=self.o @ turn)


def head_likeness(
    child: tuple[NDArray[np.float32], NDArray[np.float32]],
    parent: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> NDArray[np.float64]:
    """Return the cosine of every two heads' products leftᵀright.

    With A = LᵀR the inner product of A and A′ is Σ (L L′ᵀ) ∘ (R R′ᵀ), a matter of a head's own
    dimensions.

    Args:
        child: Left and right factors, each shape `(heads, dimensions, width)`.
        parent: Likewise, of as wide a residual stream.

    Returns:
        Shape `(child's heads, parent's)`, in [-1, 1].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> left, right = rng.standard_normal((2, 3, 4, 8))
        >>> order = [2, 0, 1]
        >>> head_likeness((left[order], right[order]), (left, right)).argmax(axis=1).tolist()
        [2, 0, 1]
    """
    across = _inner(*child, *parent)
    ours = np.sqrt(np.clip(np.diag(_inner(*child, *child)), 1e-30, None))
    theirs = np.sqrt(np.clip(np.diag(_inner(*parent, *parent)), 1e-30, None))
    return np.asarray(across / ours[:, None] / theirs[None, :])


def _inner(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    other_left: NDArray[np.float32],
    other_right: NDArray[np.float32],
) -> NDArray[np.float64]:
    lefts = np.einsum("aiw,bjw->abij", left, other_left, optimize=True)
    rights = np.einsum("aiw,bjw->abij", right, other_right, optimize=True)
    return np.asarray(np.einsum("abij,abij->ab", lefts, rights), dtype=np.float64)


def head_pairs(child: Heads, parent: Heads) -> tuple[tuple[int, int], ...]:
    """Return (child's head, parent's) of heads that both products match to each other.

    Args:
        child: Heads of the one layer.
        parent: Of the other, in the same coordinates.
    """
    by_values = stable_matching(head_likeness((child.o, child.v), (parent.o, parent.v)))
    by_keys = stable_matching(head_likeness((child.q, child.k), (parent.q, parent.k)))
    return tuple(
        (head, int(other))
        for head, other in enumerate(by_values)
        if other >= 0 and by_keys[head] == other
    )
