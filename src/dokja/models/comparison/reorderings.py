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
    return max(_over_rows(child, parent), _over_rows(child.T, parent.T))


def _over_rows(left: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    rows, columns = left.shape
    levels = left.mean(axis=0), right.mean(axis=0)
    mean = float(levels[0] @ levels[1]) * rows
    one, other = left - levels[0], right - levels[1]
    if rows <= columns:
        squares = float(np.square(one @ other.T).sum(dtype=np.float64))
    else:  # the same sum, by the smaller of the two tables
        squares = float(np.sum((one.T @ one) * (other.T @ other), dtype=np.float64))
    return math.sqrt(max(squares, 0.0) / (rows - 1) + mean * mean)
