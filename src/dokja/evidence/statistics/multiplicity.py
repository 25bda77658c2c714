"""Many tests of one run, held together: the smallest p-value of many is small by chance."""

import math
from collections.abc import Sequence

__all__ = ["benjamini_hochberg", "holm"]


def benjamini_hochberg(p: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted so that those at most q are false in a share q of cases.

    The k-th smallest of n is multiplied by n/k; none becomes greater than one behind it
    (Benjamini and Hochberg 1995, for tests that are independent or hang together positively).

    Args:
        p: Each test's p-value, in [0, 1].

    Returns:
        In the order given; at most 1.

    Example:
        >>> [round(one, 3) for one in benjamini_hochberg([0.01, 0.5, 0.02, 0.9])]
        [0.04, 0.667, 0.04, 0.9]
    """
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted = [1.0] * len(p)
    behind = 1.0
    for place in range(len(p), 0, -1):
        number = order[place - 1]
        behind = min(behind, p[number] * len(p) / place)
        adjusted[number] = behind
    return tuple(adjusted)


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
