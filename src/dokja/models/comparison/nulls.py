"""What centred correlation chance alone makes, and how small a likeness can be seen.

The null hypothesis is that the rows of one side stand in an order that has nothing to do with
the other side. Its spread is measured by re-ordering rows, not assumed: 1/√(values) holds only
when columns have no structure that both sides share.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["Null", "critical_z", "minimum_detectable", "permutation_null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """Correlations under re-ordered rows.

    Attributes:
        standard_error: Root mean square of the correlations.
        largest: The largest of them without its sign.
        draws: How many orders were tried.
    """

    standard_error: float
    largest: float
    draws: int


def permutation_null(
    child: NDArray[np.floating],
    parent: NDArray[np.floating],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Null:
    """Return the correlations of two centred matrices when the parent's rows are re-ordered.

    Args:
        child: A direction (see `coordinates.direction`) as a matrix, shape `(rows, columns)`.
        parent: Likewise, same shape.
        draws: How many random orders, at least 1; 200 give the standard error to about 5 %.
        rng: Where the orders come from.

    Raises:
        NotComparableError: The shapes differ, or there are fewer than two rows to re-order.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> one, other = rng.standard_normal((2, 40, 50)) / np.sqrt(2000)
        >>> 0.018 < permutation_null(one, other, draws=200, rng=rng).standard_error < 0.027
        True
    """
    if child.shape != parent.shape or child.ndim != 2 or len(child) < 2:  # noqa: PLR2004  # rows and columns; two orders
        raise NotComparableError(f"no rows to re-order in {child.shape} and {parent.shape}")
    # Every order's correlation is a sum over one table of row products, made once.
    products = child @ parent.T
    rows = np.arange(len(child))
    orders = rng.permuted(np.tile(rows, (draws, 1)), axis=1)
    correlations = products[rows, orders].sum(axis=1, dtype=np.float64)
    return Null(
        standard_error=float(np.sqrt(np.mean(np.square(correlations)))),
        largest=float(np.abs(correlations).max()),
        draws=draws,
    )


def critical_z(*, error_rate: float, tests: int) -> float:
    """Return the standard score beyond which chance goes in one of `1 / error_rate` runs.

    Bonferroni's correction: whatever the tests have to do with each other, one-sided.

    Example:
        >>> round(critical_z(error_rate=1e-6, tests=16), 2)
        5.29
    """
    return -NormalDist().inv_cdf(error_rate / tests)


def minimum_detectable(
    *, standard_error: float, critical: float, floor: float, found: float
) -> float:
    """Return the smallest true correlation that a rule sees with the probability asked for.

    The rule calls a correlation seen when it reaches `floor` and `critical` standard errors;
    the measured correlation is taken as normal about the true one.

    Args:
        standard_error: Of the measured correlation.
        critical: The rule's standard score.
        floor: The rule's smallest effect.
        found: The probability, such as 0.9.

    Example:
        >>> round(minimum_detectable(standard_error=0.01, critical=6, floor=0.1, found=0.9), 3)
        0.113
    """
    needed = max(floor, critical * standard_error)
    return needed + NormalDist().inv_cdf(found) * standard_error
