"""How much of a margin is the noise of asking again: the same items, another run.

Asked again, a system answers some items otherwise. That noise is one part of every error here,
and the smallest: an interval of it alone says what the same items would say again, not what other
items would. Public indices often print that one; here it stands apart and is called *same items*
(design/measurement 5.1).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts.contrast import Ratio, ratio_of
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Missing, MissingReason

__all__ = ["Repeats", "RunNoise", "run_noise"]

_LEAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What one system got, run after run.

    Attributes:
        values: float64, shape `(items, epochs)`.
        counted: Which of them count, bool, the same shape; None for all.
    """

    values: Floats
    counted: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNoise:
    """The part of a margin's error that comes from asking the same items again.

    Attributes:
        margin: The margin, over all epochs that count.
        standard_error: Of the margin if the same items were asked as often again.
        low: Lower end of the interval *same items*.
        high: Upper end.
        level: Of the interval.
        df: Degrees of freedom: repeats beyond the first, over items and both systems.
        items: How many items.
        filled: For how many items and systems the noise is that of the system's other items,
            because fewer than two epochs count.
    """

    margin: float
    standard_error: float
    low: float
    high: float
    level: float
    df: int
    items: int
    filled: int


def run_noise(
    candidate: Repeats,
    reference: Repeats,
    *,
    ratio: Ratio,
    layout: Layout,
    level: float = 0.95,
) -> RunNoise | Missing:
    """Return the noise of asking again: Σ w² (s²_c/E_c + x² s²_f/E_f).

    The epochs of two systems have nothing to do with each other, so that their variances add; on
    average that is the variance of the differences, epoch by epoch.

    Args:
        candidate: What it got in each epoch.
        reference: What the reference got; it may have another number of epochs.
        ratio: What is required, x.
        layout: Of the items.
        level: Of the interval, in (0, 1).

    Returns:
        `Missing` where a system has no item with two epochs that count, or an item with none.

    Raises:
        ValueError: Shapes that do not fit, or a level outside (0, 1).

    Example:
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> often = Repeats(values=np.array([[1.0, 0.0], [1.0, 1.0]]))
        >>> found = run_noise(often, often, ratio="1", layout=layout_of(2))
        >>> round(found.standard_error, 4), found.df
        (0.3536, 4)
    """
    check_level(level)
    required = float(ratio_of(ratio))
    margin, variance, df, filled = 0.0, 0.0, 0, 0
    for system, factor in ((candidate, 1.0), (reference, -required)):
        found = _noise(system, layout)
        if isinstance(found, Missing):
            return found
        means, variances, repeats, without = found
        margin += factor * float(layout.weights @ means)
        variance += factor**2 * float(layout.weights**2 @ variances)
        df += repeats
        filled += without
    half = student_quantile((1 + level) / 2, df=df) * math.sqrt(variance)
    return RunNoise(
        margin=margin,
        standard_error=math.sqrt(variance),
        low=margin - half,
        high=margin + half,
        level=level,
        df=df,
        items=layout.items,
        filled=filled,
    )


def _noise(system: Repeats, layout: Layout) -> tuple[Floats, Floats, int, int] | Missing:
    """Return each item's mean and its variance, the repeats, and how many items have none."""
    values = system.values
    counted = np.ones(values.shape, dtype=np.bool_) if system.counted is None else system.counted
    if values.ndim != 2 or len(values) != layout.items or counted.shape != values.shape:  # noqa: PLR2004  # items and epochs
        raise ValueError(f"values of shape {values.shape} do not fit {layout.items} items")
    epochs = counted.sum(axis=1)
    repeated = epochs >= _LEAST
    if not repeated.any() or (epochs == 0).any():
        return Missing(reason=MissingReason.NOT_MEASURED, what=("epochs",))
    means = np.where(counted, values, 0.0).sum(axis=1) / epochs
    squares = np.where(counted, (values - means[:, None]) ** 2, 0.0).sum(axis=1)
    repeats = int((epochs[repeated] - 1).sum())
    pooled = float(squares[repeated].sum()) / repeats
    own = np.where(repeated, squares / np.maximum(epochs - 1, 1), pooled)
    return means, own / epochs, repeats, int((~repeated).sum())
