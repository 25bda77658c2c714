"""How far chance alone goes under every re-ordering, computed instead of drawn.

The sum Σ P[i, π(i)] over a random order π has the variance Σ d² / (n − 1), where d is P without
its row and column means (Hoeffding, 1951). Products of centred matrices have no such means. So
what `nulls.permutation_null` measures with some orders is known for all of them, and costs no more
than three small tables of products.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["reordering_error"]


def reordering_error(child: NDArray[np.floating], parent: NDArray[np.floating]) -> float:
    """Return the root mean square of two directions' product under re-ordering.

    Args:
        child: A direction (see `coordinates.direction`) as a matrix, shape `(rows, columns)`:
            without row and column means.
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
    # The shorter side makes the smaller tables: the sum over the longer side's products is the
    # product of the two sides' own tables.
    left, right = (child, parent) if len(child) <= child.shape[1] else (child.T, parent.T)
    few, many = left.shape
    over_few = np.square(left @ right.T).sum(dtype=np.float64)
    over_many = ((left @ left.T) * (right @ right.T)).sum(dtype=np.float64)
    return math.sqrt(max(over_few / (few - 1), over_many / (many - 1)))
