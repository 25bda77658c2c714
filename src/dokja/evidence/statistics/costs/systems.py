"""A model at an effort, what it scored on each item and what each item cost.

The same model thinking longer is another system. A cost that is not known is not 0, and a mean
over the known ones would be biased: then the system has no cost here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts import Basis, Layout, Spread, spread
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Estimate

__all__ = ["CostedSystem", "check_systems", "mean_cost"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostedSystem:
    """A model at an effort, on each item.

    Attributes:
        label: Names model and effort.
        scores: In [0, 1], shape `(items,)`.
        costs: At least 0, in one unit for all systems, the same shape; NaN where a cost is not
            known, None where none is.
    """

    label: str
    scores: NDArray[np.float64]
    costs: NDArray[np.float64] | None

    @property
    def known_costs(self) -> NDArray[np.float64] | None:
        """The costs if every one of them is known: a mean over the known ones would be biased."""
        if self.costs is None or not np.isfinite(self.costs).all():
            return None
        return self.costs


def check_systems(systems: Sequence[CostedSystem], *, layout: Layout) -> None:
    """Raise a ValueError if a label stands twice, a shape does not fit, or a cost is below 0."""
    labels = [each.label for each in systems]
    if len(set(labels)) < len(labels):
        raise ValueError("a system stands twice")
    for each in systems:
        if each.scores.shape != (layout.items,):
            raise ValueError(f"{each.label}: scores of shape {each.scores.shape} do not fit")
        if each.costs is None:
            continue
        if each.costs.shape != each.scores.shape or (each.costs < 0).any():
            raise ValueError(f"{each.label}: costs do not fit the scores or lie below 0")


def mean_cost(
    costs: NDArray[np.float64], *, layout: Layout, basis: Basis, level: float
) -> Estimate:
    """Return the mean cost per item with its t interval; one price for all items has no width.

    Raises:
        ValueError: The layout has no spread on this basis.
    """
    found = spread(costs, layout, basis=basis)
    if not isinstance(found, Spread):
        raise ValueError(f"the layout has no spread by {basis.value}")  # noqa: TRY004  # no type is wrong
    value = float(layout.weights @ costs)
    half = student_quantile((1 + level) / 2, df=found.df) * found.standard_error
    return Estimate(
        value=value,
        low=min(max(value - half, 0.0), value),
        high=value + half,
        level=level,
        standard_error=found.standard_error,
        rests_on=((basis.value, found.units),),
        method=f"mean by {basis.value}",
    )
