"""Sums whose every bit is the same on every machine.

A library's sum adds in an order that depends on the processor's vector width, so that two
examiners may round differently. These add the two halves of the values onto each other until
one is left: only element-wise additions, which IEEE 754 rounds in one way.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["steady_dot", "steady_mean", "steady_sum"]

Doubles = NDArray[np.float64]


def steady_sum(values: NDArray[Any]) -> Doubles:
    """Return the sum over the first axis, in float64.

    Args:
        values: Shape `(n, …)`.

    Returns:
        Shape `(…)`; zero where n is 0.

    Example:
        >>> float(steady_sum(np.arange(5)))
        10.0
    """
    rest = values.astype(np.float64)
    if len(rest) == 0:
        return np.zeros(rest.shape[1:], dtype=np.float64)
    while len(rest) > 1:
        half = len(rest) // 2
        folded = rest[:half] + rest[half : 2 * half]
        rest = np.concatenate([folded, rest[2 * half :]]) if len(rest) % 2 else folded
    total: Doubles = rest[0]
    return total


def steady_dot(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the inner product of two arrays of one shape, in float64."""
    product = one.astype(np.float64).ravel() * other.astype(np.float64).ravel()
    return float(steady_sum(product))


def steady_mean(values: NDArray[Any]) -> Doubles:
    """Return the mean over the first axis, in float64.

    Raises:
        ValueError: There is nothing to average.
    """
    if len(values) == 0:
        message = "the mean of no values"
        raise ValueError(message)
    mean: Doubles = steady_sum(values) / len(values)
    return mean
