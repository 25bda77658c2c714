"""What would settle an undecided verdict: more items, more clusters, or asking again.

More items shrink only the part of the error that lies between items of a cluster. The part that
lies between clusters stays, however many items are drawn from the same ones; then more clusters
are the only cure (design/measurement 5.5). All figures take the margin as it was estimated, or
as the smallest one that matters, for true: they are plans, not promises.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Cells, Values
from dokja.evidence.statistics.contrasts.contrast import Contrast, MarginTest, Scale
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.readings import reading
from dokja.evidence.statistics.contrasts.terms import Clearance, ReachTerms
from dokja.evidence.statistics.streams import uniforms
from dokja.values import Missing, MissingReason

__all__ = ["Need", "Parts", "Reask", "Settling", "needed", "parts_of", "reask", "settling"]

POWER = 0.8
"""Of a new form to settle the question, where the margin is what it is taken for."""

_LEAST = 2
_NOISE = 1e-12  # a margin that is 0 but for rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where the spread of the differences lies, by analysis of variance.

    Attributes:
        between: σ_b, between clusters; at least 0.
        within: σ_w, between items of one cluster.
        floor: What the standard error by clusters cannot get below with these clusters, however
            many items each has: σ_b √(Σ ω²), which is σ_b/√G where all weigh the same.
        clusters: How many.
        items: How many.
    """

    between: float
    within: float
    floor: float
    clusters: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How much evidence would settle the question if the margin were this.

    Attributes:
        margin: What the margin is taken for.
        items_in_all: Items one by one, those at hand included; `Missing` for a margin of 0.
        items_in_same_clusters: Items in all if they come from the same clusters; `Missing` (not
            comparable) where no number is enough, and without clusters.
        clusters_in_all: Clusters like those at hand, those included; `Missing` without.
    """

    margin: float
    items_in_all: int | Missing
    items_in_same_clusters: int | Missing
    clusters_in_all: int | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reask:
    """How many open samples must be asked again.

    Attributes:
        samples: How many, if they turn out as the settled ones of their stratum did.
        open: How many are open.
        suffices: Whether that decides; else all must be asked again and more is needed besides.
    """

    samples: int
    open: int
    suffices: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """What would settle an undecided verdict.

    Attributes:
        at_estimate: If the margin is what it was estimated to be.
        at_smallest: If it is the smallest that matters.
        parts: Where the spread lies; `Missing` without clusters.
        power: Of the new form.
    """

    at_estimate: Need
    at_smallest: Need
    parts: Parts | Missing
    power: float


def settling(
    found: Contrast, differences: Floats, *, layout: Layout, terms: ReachTerms
) -> Settling:
    """Return what would settle the question of a contrast.

    Args:
        found: The contrast.
        differences: candidate - x · reference of each item, which it was made of.
        layout: Of the items.
        terms: What was registered; the smaller error rate is planned for.

    Example:
        >>> from dokja.evidence.statistics.contrasts import contrast, layout_of, reach_terms
        >>> right = np.array([1.0, 1.0, 0.0, 1.0] * 50)
        >>> other, layout = np.roll(right, 1), layout_of(200)
        >>> found = contrast(right, other, ratio=".95", layout=layout, seed=1)
        >>> told = settling(found, right - 0.95 * other, layout=layout,
        ...                 terms=reach_terms(".95", seed=1))
        >>> told.at_estimate.items_in_all
        2101
    """
    parts = parts_of(differences, layout)
    alpha = min(terms.alpha_clear, terms.alpha_fail)
    first, second = (
        needed(found, parts, margin=margin, alpha=alpha)
        for margin in (found.margin, terms.delta_min)
    )
    return Settling(at_estimate=first, at_smallest=second, parts=parts, power=POWER)


def needed(found: Contrast, parts: Parts | Missing, *, margin: float, alpha: float) -> Need:
    """Return how much evidence settles the question if the margin is this.

    Items one by one: n [(z_{1-α} + z_{1-β}) SE/δ]²; clusters likewise from the error by clusters;
    items in the same clusters: σ_w²/[(δ/(z_{1-α} + z_{1-β}))² - floor²].

    Args:
        found: The contrast.
        parts: Of its spread.
        margin: What the margin is taken for; its sign does not matter.
        alpha: One-sided error rate.
    """
    reach = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(POWER)
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("margin",))
    if abs(margin) <= _NOISE:
        return Need(
            margin=0.0,
            items_in_all=nothing,
            items_in_same_clusters=nothing,
            clusters_in_all=nothing,
        )
    error = abs(margin) / reach
    in_same: int | Missing
    if isinstance(parts, Missing):
        in_same = parts
    elif error <= parts.floor:
        in_same = Missing(reason=MissingReason.NOT_COMPARABLE, what=("clusters",))
    else:
        in_same = math.ceil(parts.within**2 / (error**2 - parts.floor**2))
    return Need(
        margin=margin,
        items_in_all=_scaled(found.by_items, error=error),
        items_in_same_clusters=in_same,
        clusters_in_all=_scaled(found.by_clusters, error=error),
    )


def parts_of(differences: Floats, layout: Layout) -> Parts | Missing:
    """Return where the spread of the differences lies, by one-way analysis of variance.

    σ_w² is the mean square within clusters, σ_b² = (mean square between - within)/n₀ with
    n₀ = (n - Σ n_g²/n)/(G - 1), not below 0 (Searle, Casella and McCulloch 1992, 3.6).

    Returns:
        `Missing` without clusters, with fewer than two, or with one item in each.
    """
    if layout.clusters is None:
        return Missing(reason=MissingReason.NOT_MEASURED, what=("clusters",))
    count, items = layout.clusters.count, layout.items
    if count < _LEAST or items == count:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("clusters",))
    sizes = layout.clusters.sums(np.ones(items))
    means = layout.clusters.sums(differences) / sizes
    residual = differences - means[layout.clusters.codes]
    within = float(residual @ residual) / (items - count)
    about = means - differences.mean()
    between = float(sizes @ about**2) / (count - 1)
    typical = (items - float(sizes @ sizes) / items) / (count - 1)
    variance = max((between - within) / typical, 0.0)
    shares = layout.clusters.sums(layout.weights)
    return Parts(
        between=math.sqrt(variance),
        within=math.sqrt(within),
        floor=math.sqrt(variance * float(shares @ shares)),
        clusters=count,
        items=items,
    )


def reask(cells: Cells, layout: Layout, *, terms: ReachTerms, scale: Scale = (0.0, 1.0)) -> Reask:
    """Return how many open samples must be asked again, if they turn out like the others.

    Open samples are settled in a drawn order, each at the mean of what its system got on the
    settled items of its stratum, until the worst and the best end give the same verdict and that
    verdict is not *undecided*. The number is found by halving.

    Args:
        cells: What everybody got.
        layout: Of the items.
        terms: What was registered.
        scale: Least and greatest value of an item.
    """
    low = np.column_stack([cells.low.candidate, cells.low.references])
    high = np.column_stack([cells.high.candidate, cells.high.references])
    rows, systems = np.nonzero(high > low)
    order = np.argsort(uniforms(terms.seed, "reask", count=len(rows)), kind="stable")
    rows, systems = rows[order], systems[order]
    expected = _expected(low, high, layout=layout)[rows, systems]

    def decided(count: int) -> bool:
        least, most = low.copy(), high.copy()
        for ends in (least, most):
            ends[rows[:count], systems[:count]] = expected[:count]
        worst = Values(candidate=least[:, 0], references=most[:, 1:])
        best = Values(candidate=most[:, 0], references=least[:, 1:])
        first = reading(worst, layout, terms=terms, scale=scale).verdict
        if first is Clearance.UNDECIDED:
            return False
        return reading(best, layout, terms=terms, scale=scale).verdict is first

    count = len(rows)
    if not decided(count):
        return Reask(samples=count, open=count, suffices=False)
    few, enough = -1, count
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if decided(middle) else (middle, enough)
    return Reask(samples=enough, open=count, suffices=True)


def _expected(low: Floats, high: Floats, *, layout: Layout) -> Floats:
    """Return the mean of each system's settled cells in each item's stratum, else of all."""
    settled = high <= low
    expected = np.empty_like(low)
    for system in range(low.shape[1]):
        known = settled[:, system]
        overall = float(low[known, system].mean()) if known.any() else (low + high).mean() / 2
        expected[:, system] = overall
        if layout.strata is not None:
            held = layout.strata.sums(known.astype(np.float64))
            sums = layout.strata.sums(np.where(known, low[:, system], 0.0))
            means = np.divide(sums, held, out=np.full_like(sums, overall), where=held > 0)
            expected[:, system] = means[layout.strata.codes]
    return expected


def _scaled(test: MarginTest | Missing, *, error: float) -> int | Missing:
    """Return how many units bring the standard error down to `error`."""
    if isinstance(test, Missing):
        return test
    return math.ceil(test.units * (test.standard_error / error) ** 2)
