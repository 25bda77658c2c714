"""Which ranks a system can hold among others on the same items, all systems at once.

All pairwise differences are studentised; the critical value is a quantile of the greatest one when
the signs of the clusters are turned at random for all systems together (max-t; Romano and Wolf
2005 for the idea, Mogstad, Romano, Shaikh and Wilhelm 2024 for ranks). The result is the same
`RankSets` that totals get; single ranks are not offered without it (design/measurement 5.7).
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.spreads import Basis, clusters_of
from dokja.evidence.statistics.contrasts.wild import turned_signs
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.rank_sets import RankSet, RankSets
from dokja.evidence.statistics.streams import normals
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Missing, MissingReason

__all__ = ["SystemRanks", "system_ranks"]

_FEW = 20  # effective clusters, as in `contrast`
_LEAST = 2
_BLOCK = 2_000
_NOISE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRanks:
    """The ranks that every system can hold.

    Attributes:
        sets: The rank sets, with level, critical value, draws and seed; `team` is the system.
        means: Weighted mean of each system.
        basis: What another form would replace: items or clusters.
        items: How many items.
        units: How many items or clusters could be replaced.
        method: `signs` of clusters or `normal` sums of items; `widened` where clusters are few.
    """

    sets: RankSets
    means: tuple[float, ...]
    basis: Basis
    items: int
    units: int
    method: str


def system_ranks(
    values: Floats,
    layout: Layout,
    *,
    names: tuple[str, ...],
    basis: Basis,
    level: float = 0.9,
    draws: int = 20_000,
    seed: int,
) -> SystemRanks | Missing:
    """Return which ranks each system can hold, jointly at this level.

    By clusters, random signs turn the cluster sums of all systems at once; by items there are so
    many sums that they are normal, and are drawn from their covariance. With fewer than 20
    effective clusters the critical value is widened by the quotient of t and normal quantile.

    Args:
        values: float64, shape `(items, systems)`.
        layout: Of the items.
        names: Of the systems.
        basis: `Basis.ITEMS` or `Basis.CLUSTERS`.
        level: Probability with which no pair is called wrongly, in (0, 1).
        draws: How many.
        seed: Of the rulebook.

    Returns:
        `Missing` without clusters, and with fewer than two units.

    Raises:
        ValueError: Names do not fit, another basis, or a level outside (0, 1).

    Example:
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> right = np.tile([1.0, 1.0, 0.0, 1.0], 100)
        >>> both = np.column_stack([right, 1 - right])
        >>> found = system_ranks(both, layout_of(400), names=("a", "b"), basis=Basis.ITEMS, seed=1)
        >>> [(one.team, one.best, one.worst) for one in found.sets.teams]
        [('a', 1, 1), ('b', 2, 2)]
    """
    check_level(level)
    if values.shape != (layout.items, len(names)) or len(set(names)) != len(names):
        raise ValueError(f"values of shape {values.shape} do not fit the systems, each once")
    pulls = _pulls(values, layout, basis=basis)
    if isinstance(pulls, Missing):
        return pulls
    drawn = _signed if basis is Basis.CLUSTERS else _normal
    sums, errors = drawn(pulls, draws=draws, seed=seed), _errors(pulls)
    widening = _widening(layout, basis=basis, level=level)
    critical = _critical(sums, errors, level=level) * widening
    means = layout.weights @ values
    teams = _teams(names, means[:, None] - means[None, :] > critical * errors)
    made = "signs" if basis is Basis.CLUSTERS else "normal"
    return SystemRanks(
        sets=RankSets(teams=teams, level=level, critical_value=critical, draws=draws, seed=seed),
        means=tuple(float(mean) for mean in means),
        basis=basis,
        items=layout.items,
        units=len(pulls),
        method=f"{made}, widened" if widening > 1 else made,
    )


def _teams(names: tuple[str, ...], better: NDArray[np.bool_]) -> tuple[RankSet, ...]:
    """Return the rank sets where it is certain who (row) is better than whom (column)."""
    return tuple(
        RankSet(
            team=name,
            best=1 + int(better[:, place].sum()),
            worst=len(names) - int(better[place].sum()),
        )
        for place, name in enumerate(names)
    )


def _pulls(values: Floats, layout: Layout, *, basis: Basis) -> Floats | Missing:
    """Return how much each item or cluster pulls each mean, shape `(units, systems)`."""
    if basis not in {Basis.ITEMS, Basis.CLUSTERS}:
        raise ValueError(f"ranks rest on items or clusters, not on {basis.value}")
    pulls = layout.weights[:, None] * (values - layout.weights @ values)
    if basis is Basis.CLUSTERS:
        if layout.clusters is None:
            return Missing(reason=MissingReason.NOT_MEASURED, what=("clusters",))
        pulls = np.column_stack([layout.clusters.sums(column) for column in pulls.T])
    units = len(pulls)
    if units < _LEAST:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=(basis.value,))
    scaled: Floats = pulls * np.sqrt(units / (units - 1))
    return scaled


def _widening(layout: Layout, *, basis: Basis, level: float) -> float:
    """Return by how much the critical value must grow because clusters are few."""
    clusters = clusters_of(layout)
    if basis is not Basis.CLUSTERS or clusters is None or clusters.effective >= _FEW:
        return 1.0
    tail = (1 + level) / 2
    return student_quantile(tail, df=clusters.count - 1) / NormalDist().inv_cdf(tail)


def _errors(pulls: Floats) -> Floats:
    """Return the standard error of every pairwise difference, shape `(systems, systems)`."""
    shared = pulls.T @ pulls
    own = np.diag(shared)
    variances = np.maximum(own[:, None] + own[None, :] - 2 * shared, 0.0)
    variances[variances <= _NOISE * (own[:, None] + own[None, :])] = 0.0
    errors: Floats = np.sqrt(variances)
    return errors


def _signed(pulls: Floats, *, draws: int, seed: int) -> Floats:
    return turned_signs(len(pulls), seed=seed, draws=draws).astype(np.float64) @ pulls


def _normal(pulls: Floats, *, draws: int, seed: int) -> Floats:
    """Return normal sums with the covariance of the pulls, by its eigenvectors."""
    sizes, axes = np.linalg.eigh(pulls.T @ pulls)
    root = axes * np.sqrt(np.maximum(sizes, 0.0))
    systems = pulls.shape[1]
    drawn = normals(seed, f"ranks/{systems}", count=draws * systems).reshape(draws, systems)
    sums: Floats = drawn @ root.T
    return sums


def _critical(sums: Floats, errors: Floats, *, level: float) -> float:
    """Return the quantile of the greatest studentised difference; 0 where nothing varies."""
    first, second = np.nonzero(np.triu(errors, k=1))
    if not len(first):
        return 0.0
    scale = errors[first, second]
    greatest = np.empty(len(sums))
    for start in range(0, len(sums), _BLOCK):
        block = sums[start : start + _BLOCK]
        studentised = np.abs(block[:, first] - block[:, second]) / scale
        greatest[start : start + _BLOCK] = studentised.max(axis=1)
    place = min(int(np.ceil(level * (len(greatest) + 1))), len(greatest)) - 1
    return float(np.partition(greatest, place)[place])
