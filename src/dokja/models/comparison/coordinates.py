"""How alike two tensors are that stand in the same coordinates.

Values are centred before they are compared: a row's, a column's and the whole's common level
say nothing about where the values come from, and two strangers share them easily. What is left
is compared by Pearson's correlation. Re-ordering or turning the coordinates of one side hides
any likeness from this measure; it claims nothing about sides that were re-ordered or turned.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["centred", "centred_correlation", "direction"]

_ROUNDING = 1e-12
"""Share of a tensor's energy that centring a constant one leaves behind in float64."""


def centred(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the values as a matrix without row means and column means.

    Args:
        values: One axis: a vector, made mean-free. More: rows are the first axis, columns all
            others flattened.

    Returns:
        Shape `(rows, columns)`; a vector becomes one row.

    Example:
        >>> centred(np.array([[1.0, 2.0], [3.0, 8.0]]))
        array([[ 1., -1.],
               [-1.,  1.]])
    """
    exact = values.astype(np.float64)
    if exact.ndim < 2:  # noqa: PLR2004  # a vector has no columns to centre apart
        row = exact.reshape(1, -1)
        return np.asarray(row - row.mean() if row.size else row)
    matrix = exact.reshape(exact.shape[0], -1)
    if not matrix.size:
        return matrix
    rows = matrix.mean(axis=1, keepdims=True)
    columns = matrix.mean(axis=0, keepdims=True)
    return np.asarray(matrix - rows - columns + matrix.mean())


def direction(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the centred values as one vector of length 1.

    Two directions' inner product is the centred correlation of what they were made from, so
    that many pairs are compared by one matrix product.

    Raises:
        NotComparableError: A value is not finite, or nothing varies once it is centred.
    """
    if not np.isfinite(values).all():
        raise NotComparableError("a value is not finite")
    # Scaled first, so that squares of huge or tiny values neither overflow nor vanish.
    scale = float(np.abs(values).max(initial=0.0))
    if scale == 0.0:
        raise NotComparableError("every value is zero")
    scaled = values.astype(np.float64) / scale
    flat = centred(scaled).ravel()
    length = math.sqrt(float(flat @ flat))
    if length * length <= _ROUNDING * float(np.square(scaled).sum()):
        raise NotComparableError("nothing varies once rows and columns are centred")
    return (flat / length).astype(np.float32)


def centred_correlation(child: NDArray[np.floating], parent: NDArray[np.floating]) -> float:
    """Return Pearson's correlation of two tensors, without row means and column means.

    Args:
        child: Values of the model in question.
        parent: Values of the candidate ancestor, same shape.

    Returns:
        In [-1, 1]; 1 for a copy, also one that was scaled, or to which levels of rows and
        columns were added.

    Raises:
        NotComparableError: The shapes differ, a value is not finite, or one side does not vary.

    Example:
        >>> weights = np.array([[1.0, 2.0, 4.0], [0.0, 5.0, 1.0]])
        >>> round(centred_correlation(weights, 3 * weights + 7), 6)
        1.0
    """
    if child.shape != parent.shape:
        raise NotComparableError(f"the shapes {child.shape} and {parent.shape} differ")
    likeness = float(direction(child).astype(np.float64) @ direction(parent).astype(np.float64))
    return max(-1.0, min(1.0, likeness))
