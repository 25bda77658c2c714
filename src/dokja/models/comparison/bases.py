"""The change of coordinates between two models, from rows that go together.

A residual stream may be turned by any orthogonal matrix once the gains of its normalisations
are folded away, and the network computes the same (SliceGPT, arXiv 2401.15024). Rows known to
go together, such as the embeddings of tokens that both models have, show that turn: it is the
orthogonal Procrustes problem, solved by the polar factor of one matrix product.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.models.comparison.matching import stable_matching

__all__ = ["Basis", "basis_of_rows", "nearest_reordering", "polar", "reordering_share"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """A change of coordinates, and how well it holds where it was not fitted.

    Attributes:
        turn: Shape `(parent's width, child's width)`: parent's rows times this are the child's.
            Fitted on all rows, since what it is used on are other tensors.
        likeness: Mean cosine of half of the rows under the turn that the other half shows, in
            [-1, 1].
        rows: How many rows it was fitted on.
        held_out: How many rows `likeness` rests on.
    """

    turn: NDArray[np.float64]
    likeness: float
    rows: int
    held_out: int


def polar(product: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the nearest matrix with orthonormal rows or columns.

    Args:
        product: Shape `(parent's width, child's width)`: Σ parentᵀ child over paired rows.
    """
    left, _, right = np.linalg.svd(product.astype(np.float64), full_matrices=False)
    return np.asarray(left @ right)


def basis_of_rows(
    child: NDArray[np.floating], parent: NDArray[np.floating], *, rng: np.random.Generator
) -> Basis:
    """Return the turn between rows that go together, and how well it holds on rows not seen.

    Rows are centred by their mean and brought to length 1, since embeddings share one large
    direction that says nothing about whose they are.

    Args:
        child: Shape `(rows, child's width)`.
        parent: Shape `(rows, parent's width)`; row i goes with row i.
        rng: Draws the half.

    Raises:
        NotComparableError: There are fewer rows than twice the larger width, or a value is not
            finite.
    """
    widest = max(child.shape[1], parent.shape[1])
    if len(child) < 2 * widest:
        raise NotComparableError(f"{len(child)} shared rows; a turn needs {2 * widest}")
    if not (np.isfinite(child).all() and np.isfinite(parent).all()):
        raise NotComparableError("a value is not finite")
    ours, theirs = _unit_rows(child), _unit_rows(parent)
    order = rng.permutation(len(ours))
    fit, test = order[: len(order) // 2], order[len(order) // 2 :]
    half = polar(theirs[fit].T @ ours[fit])
    likeness = np.einsum("nd,nd->n", theirs[test] @ half, ours[test])
    return Basis(
        turn=polar(theirs.T @ ours),
        likeness=float(likeness.mean()),
        rows=len(ours),
        held_out=len(test),
    )


def _unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    exact = rows.astype(np.float64)
    exact = exact - exact.mean(axis=0)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.maximum(lengths, np.finfo(np.float64).tiny))


def nearest_reordering(turn: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the signed re-ordering of coordinates that is nearest to a turn.

    Example:
        >>> nearest_reordering(np.array([[0.1, -0.9], [0.8, 0.2]]))
        array([[ 0., -1.],
               [ 1.,  0.]])
    """
    columns = stable_matching(np.abs(turn))
    rows = np.flatnonzero(columns >= 0)
    columns = columns[rows]
    found = np.zeros(turn.shape)
    found[rows, columns] = np.where(turn[rows, columns] < 0, -1.0, 1.0)
    return found


def reordering_share(turn: NDArray[np.floating]) -> tuple[float, float]:
    """Return how near a turn is to a signed re-ordering, and the chance of that as log₁₀.

    The share is x = max over signed permutations P of tr(Pᵀ turn) / d. For a turn drawn evenly
    ln p ≤ ln d! + d ln 2 − d² I(x), with I(x) = x²/2 up to ½ and ⅛ − ¼ ln(2(1 − x)) above
    (arXiv 2508.06309).

    Args:
        turn: A square orthogonal matrix.

    Returns:
        The share in [0, 1], and log₁₀ of the bound, at most 0.
    """
    width = len(turn)
    columns = stable_matching(np.abs(turn))
    # Not the best re-ordering but nearly: the share is at most too small, the bound too large.
    share = min(1.0, float(np.abs(turn)[np.arange(width), columns].sum()) / width)
    near = 0.125 - 0.25 * math.log(2 * max(1 - share, 1e-12))
    rate = share**2 / 2 if share <= 0.5 else near  # noqa: PLR2004  # where the two forms meet
    log = math.lgamma(width + 1) + width * math.log(2) - width**2 * rate
    return share, min(0.0, log / math.log(10))
