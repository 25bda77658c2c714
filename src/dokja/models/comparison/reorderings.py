"""How far chance alone goes under every re-ordering, computed instead of drawn.

The sum Σ P[i, π(i)] over a random order π has the variance Σ d² / (n − 1), where d is P without
its row and column means (Hoeffding, 1951). So what `nulls.permutation_null` measures with some
orders is known for all of them, and costs no more than two small tables of products.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["reordering_error"]


def reordering_error(child: NDArray[np.floating], parent: NDArray[np.floating]) -> float:
    """Return the root mean square of two directions' product under re-ordering.

    Args:
        child: A direction (see `coordinates.direction`) as a matrix, shape `(rows, columns)`.
        parent: Likewise, same shape.

    Returns:
        The larger of two: rows of one side in every order, and columns in every order.

    Raises:
        NotComparableError: The shapes differ, or there are not two rows and two columns.

    Example:
        >>> one = np.array([[0.5, -0.5], [-0.5, 0.5]])
        >>> round(reordering_error(one, one), 6)
        1.0
    """
    if child.shape != parent.shape or child.ndim != 2 or min(child.shape) < 2:  # noqa: PLR2004  # rows and columns; two orders
        raise NotComparableError(f"no rows to re-order in {child.shape} and {parent.shape}")
    left, right = child.astype(np.float64), parent.astype(np.float64)
    return max(_over_rows(left, right), _over_rows(left.T, right.T))


def _over_rows(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    rows, columns = left.shape
    sums = left.sum(axis=0), right.sum(axis=0)
    mean = float(sums[0] @ sums[1]) / rows
    one, other = left - sums[0] / rows, right - sums[1] / rows
    if rows <= columns:
        squares = float(np.square(one @ other.T).sum())
    else:  # the same sum, by the smaller of the two tables
        squares = float(np.sum((one.T @ one) * (other.T @ other)))
    return math.sqrt(max(squares, 0.0) / (rows - 1) + mean * mean)
