"""Many tests of one run, held together: the smallest p-value of many is small by chance."""

import math
from collections.abc import Sequence

__all__ = ["holm"]


def holm(log10_p: Sequence[float]) -> tuple[float, ...]:
    """Return Holm's adjusted p-values, as log₁₀, whatever the tests have to do with each other.

    The smallest is multiplied by the number of tests, the next by one less, and so on; none
    becomes smaller than one before it (Holm 1979).

    Args:
        log10_p: Each test's p-value as log₁₀, at most 0.

    Returns:
        In the order given; at most 0.

    Example:
        >>> [round(one, 3) for one in holm([-3.0, -1.0, -6.0])]
        [-2.699, -1.0, -5.523]
    """
    order = sorted(range(len(log10_p)), key=log10_p.__getitem__)
    adjusted = [0.0] * len(log10_p)
    before = -math.inf
    for place, number in enumerate(order):
        before = max(before, min(0.0, log10_p[number] + math.log10(len(order) - place)))
        adjusted[number] = before
    return tuple(adjusted)
