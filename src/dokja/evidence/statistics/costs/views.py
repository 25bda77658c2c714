"""Scores by cost: who is the best for a budget, who is unbeaten, what a right answer costs.

For a budget of tokens, money or joules per item the frontier is the best of the systems that cost
no more. Scores and costs are measured on the same items, so that both are drawn again together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts import Basis, Layout, Shape, Spread, ratio_interval, spread
from dokja.evidence.statistics.costs.systems import CostedSystem, check_systems, mean_cost
from dokja.evidence.statistics.intervals import bounded_estimate, check_level
from dokja.evidence.statistics.streams import uniforms
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["CostView", "SystemCost", "cost_view"]

_ROUNDING = 1e-12
_AT_ONCE = 50  # draws at a time: a block of counts stays small however many items there are


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemCost:
    """What a system reaches, and for how much.

    Attributes:
        label: Names it.
        score: Mean over the items, in [0, 1].
        cost: Mean per item, in the unit of the view.
        per_correct: Cost over score: what one right answer costs. `Missing` where so few are
            right that no bound can be given.
        unbeaten: Whether no other system is at least as good for no more.
        unbeaten_share: In which share of the draws it is unbeaten, in [0, 1].
    """

    label: str
    score: Estimate
    cost: Estimate
    per_correct: Measured
    unbeaten: bool
    unbeaten_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """Scores by cost.

    Attributes:
        unit: Of the costs, such as `tokens`, `KRW` or `joules`, per item.
        systems: From the cheapest.
        left_out: Labels of the systems whose cost is not known.
        basis: What another form would replace.
        draws: Of the items or clusters.
        seed: Of these draws.
    """

    unit: str
    systems: tuple[SystemCost, ...]
    left_out: tuple[str, ...]
    basis: Basis
    draws: int
    seed: int

    def frontier(self, budget: float) -> SystemCost | Missing:
        """Return the best system that costs no more than this per item, of equals the cheapest."""
        within = [each for each in self.systems if each.cost.value <= budget]
        if not within:
            return Missing(reason=MissingReason.NOT_COMPARABLE, what=("budget", self.unit))
        return max(within, key=lambda each: (each.score.value, -each.cost.value))

    @property
    def steps(self) -> tuple[SystemCost, ...]:
        """The systems that nobody beats, from the cheapest: where the frontier rises."""
        return tuple(each for each in self.systems if each.unbeaten)


def cost_view(
    systems: Sequence[CostedSystem],
    *,
    layout: Layout,
    basis: Basis,
    unit: str,
    seed: int,
    level: float = 0.95,
    draws: int = 2_000,
) -> CostView:
    """Return scores by cost, and who is unbeaten in how many draws.

    Args:
        systems: Each label once.
        layout: Of the items.
        basis: What another form would replace: items, or clusters where the layout has them.
        unit: Of all costs.
        seed: Of the draws.
        level: Of the intervals, in (0, 1).
        draws: How often items or clusters are drawn again, at least 1.

    Raises:
        ValueError: A label stands twice, shapes do not fit, a cost is below 0, the basis is
            neither items nor clusters, or the layout has no spread on it.
    """
    check_level(level)
    check_systems(systems, layout=layout)
    known = [each for each in systems if each.known_costs is not None]
    scores = np.array([each.scores for each in known]).reshape(len(known), layout.items)
    costs = np.array([each.known_costs for each in known]).reshape(len(known), layout.items)
    unbeaten = _unbeaten((scores @ layout.weights)[None], (costs @ layout.weights)[None])[0]
    shares = np.zeros(len(known))
    for drawn in _drawn_means(scores, costs, layout=layout, basis=basis, seed=seed, draws=draws):
        shares += _unbeaten(*drawn).sum(axis=0)
    found = [
        SystemCost(
            label=each.label,
            score=_mean_score(scores[n], layout=layout, basis=basis, level=level),
            cost=mean_cost(costs[n], layout=layout, basis=basis, level=level),
            per_correct=_per_correct(costs[n], scores[n], layout=layout, basis=basis, level=level),
            unbeaten=bool(unbeaten[n]),
            unbeaten_share=float(shares[n] / draws),
        )
        for n, each in enumerate(known)
    ]
    return CostView(
        unit=unit,
        systems=tuple(sorted(found, key=lambda each: (each.cost.value, each.label))),
        left_out=tuple(sorted(each.label for each in systems if each.known_costs is None)),
        basis=basis,
        draws=draws,
        seed=seed,
    )


def _unbeaten(scores: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell who is beaten by nobody, shape `(draws, systems)`: as good for no more, not the same."""
    # Sums of the same numbers differ in their last digits by the place of a column.
    noise = _ROUNDING * np.abs(costs).max(axis=1, initial=0.0)[:, None, None]
    as_good = scores[:, :, None] >= scores[:, None, :] - _ROUNDING
    as_cheap = costs[:, :, None] <= costs[:, None, :] + noise
    same = as_good & as_good.transpose(0, 2, 1) & as_cheap & as_cheap.transpose(0, 2, 1)
    unbeaten: NDArray[np.bool_] = ~np.any(as_good & as_cheap & ~same, axis=1)
    return unbeaten


def _drawn_means(
    scores: NDArray[np.float64],
    costs: NDArray[np.float64],
    *,
    layout: Layout,
    basis: Basis,
    seed: int,
    draws: int,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield mean scores and costs of items or clusters drawn again, shape `(draws, systems)`."""
    if basis is Basis.CLUSTERS and layout.clusters is not None:
        units = layout.clusters
    elif basis is Basis.ITEMS:
        units = layout.each_item
    else:
        raise ValueError(f"{basis.value}: only items and clusters of the layout are drawn again")
    weights = units.sums(layout.weights)
    sums = [
        np.array([units.sums(row * layout.weights) for row in rows]).reshape(len(rows), -1)
        for rows in (scores, costs)
    ]
    for start in range(0, draws, _AT_ONCE):
        block = min(_AT_ONCE, draws - start)
        picked = uniforms(seed, f"costs/{start}", count=block * units.count) * units.count
        offsets = np.repeat(np.arange(block) * units.count, units.count)
        counts = np.bincount(picked.astype(np.int64) + offsets, minlength=block * units.count)
        by_draw = counts.reshape(block, units.count).astype(np.float64)
        whole = (by_draw @ weights)[:, None]
        yield by_draw @ sums[0].T / whole, by_draw @ sums[1].T / whole


def _mean_score(
    scores: NDArray[np.float64], *, layout: Layout, basis: Basis, level: float
) -> Estimate:
    found = spread(scores, layout, basis=basis)
    if not isinstance(found, Spread):
        raise ValueError(f"the layout has no spread by {basis.value}")  # noqa: TRY004  # no type is wrong
    return bounded_estimate(
        min(float(layout.weights @ scores), 1.0),
        found.standard_error,
        units=found.units,
        level=level,
        scale=(0.0, 1.0),
        rests_on=((basis.value, found.units),),
        method=f"mean by {basis.value}",
    )


def _per_correct(
    costs: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    layout: Layout,
    basis: Basis,
    level: float,
) -> Measured:
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("correct answers",))
    right = float(layout.weights @ scores)
    found = ratio_interval(costs, scores, layout=layout, basis=basis, level=level)
    if right <= 0 or isinstance(found, Missing) or found.shape is not Shape.BETWEEN:
        return nothing
    value = float(layout.weights @ costs) / right
    return Estimate(
        value=value,
        low=min(max(found.low, 0.0), value),
        high=max(found.high, value),
        level=level,
        rests_on=(("items", layout.items),),
        method="cost per correct answer, fieller",
    )
