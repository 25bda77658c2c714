"""Chances far out in the tails, as logarithms: Spearman's correlation and Fisher's combination.

Both are wanted at sizes where the chance itself is smaller than any number a computer holds.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_ROUNDS, _NEAR = 500, 1e-15
"""When to stop a continued fraction."""


def log_spearman(order: NDArray[np.int64]) -> float:
    """Return the logarithm of the chance that an order is so near to the rising one.

    By Student's t with two degrees of freedom less than there are things, as is usual for the
    rank correlation. One-sided: what keeps its place speaks for a relation, what is reversed
    does not.

    Args:
        order: Of n things, a permutation of 0 to n - 1; at least three.

    Returns:
        At most 0; minus infinity for the rising order itself.

    Example:
        >>> round(math.exp(log_spearman(np.array([0, 2, 1, 3]))), 3)  # correlation 0.8
        0.1
    """
    count = len(order)
    moved = float(((order - np.arange(count)) ** 2).sum())
    correlation = 1 - 6 * moved / (count * (count**2 - 1))
    both = log_beta_share(1 - correlation**2, (count - 2) / 2, 0.5)
    one = both - math.log(2)
    return one if correlation >= 0 else math.log1p(-math.exp(one))


def log_beta_share(x: float, a: float, b: float) -> float:
    """Return the logarithm of the regularised incomplete beta function, I_x(a, b).

    Args:
        x: In [0, 1].
        a: Above 0.
        b: Above 0.
    """
    if x <= 0:
        return -math.inf
    if x >= 1:
        return 0.0
    if x > (a + 1) / (a + b + 2):
        return math.log1p(-math.exp(log_beta_share(1 - x, b, a)))
    whole = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    lead = a * math.log(x) + b * math.log1p(-x) - math.log(a) - whole
    return lead - math.log(_fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """Return 1 + d₁/(1 + d₂/(1 + …)), the continued fraction below I_x(a, b), by Lentz's way."""
    value = above = 1.0
    below = 0.0
    for step in range(1, _ROUNDS):
        m, odd = divmod(step, 2)
        if odd:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        below = 1 / (1 + term * below)
        above = 1 + term / above
        value *= above * below
        if abs(above * below - 1) < _NEAR:
            break
    return value


def log_fisher(logs: Sequence[float]) -> float:
    """Return the logarithm of the chance that independent tests come out so small together.

    Fisher's combination: minus twice the sum of logarithms has a χ² distribution with twice as
    many degrees of freedom as there are tests, whose tail is a finite sum.

    Args:
        logs: Each test's chance as a natural logarithm, finite; at least one.

    Example:
        >>> round(math.exp(log_fisher([math.log(0.05)])), 3)
        0.05
    """
    half = -math.fsum(logs)
    if half <= 0:
        return 0.0
    terms = [k * math.log(half) - math.lgamma(k + 1) for k in range(len(logs))]
    most = max(terms)
    return min(0.0, -half + most + math.log(math.fsum(math.exp(term - most) for term in terms)))
