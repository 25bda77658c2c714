"""The standard error of a weighted mean of differences, by what another form would replace.

One question has one error: other items, other items of the same strata, other clusters, other
clusters of the same strata, or other clusters in two crossed ways (design/measurement 5.1;
the paired and the clustered form also in Miller, arXiv 2411.00640). Nothing here tests anything.
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from dokja.evidence.statistics.contrasts.layouts import Floats, Grouping, Layout, joined
from dokja.values import Missing, MissingReason

__all__ = ["Basis", "Clusters", "Spread", "clusters_of", "spread"]

_LEAST = 2  # units that can differ from each other


class Basis(Enum):
    """What another form would replace."""

    ITEMS = "items"
    """Other items, drawn one by one."""
    STRATA = "strata"
    """Other items of the same strata: the blueprint stays."""
    CLUSTERS = "clusters"
    """Other clusters with other items."""
    CLUSTERS_IN_STRATA = "clusters-in-strata"
    """Other clusters with other items; the blueprint stays."""
    TWO_WAY = "two-way"
    """Other clusters in two crossed ways at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """How much clusters of unequal weight are worth.

    Attributes:
        count: How many there are, G.
        effective: G* = G/(1 + Γ), Γ the squared coefficient of variation of the squared weights
            of the clusters; G for equal ones (after Carter, Schnepel and Steigerwald 2017).
        largest_share: Weight of the heaviest, in (0, 1].
        largest: Its name.
    """

    count: int
    effective: float
    largest_share: float
    largest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A standard error and what it rests on.

    Attributes:
        basis: What another form would replace.
        standard_error: At least 0.
        units: How many things that could be replaced: items, or clusters; of two crossed
            clusterings the smaller number.
        df: Degrees of freedom.
        strata_joined: How many strata of one unit were joined with others.
    """

    basis: Basis
    standard_error: float
    units: int
    df: int
    strata_joined: int = 0


def clusters_of(layout: Layout) -> Clusters | None:
    """Return what the clusters of a layout are worth; None where it has none.

    Example:
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> clusters_of(layout_of(4, clusters=["a", "a", "b", "b"])).effective
        2.0
    """
    if layout.clusters is None:
        return None
    shares = layout.clusters.sums(layout.weights)
    squares = shares**2
    variation = float(squares.var() / squares.mean() ** 2)
    heaviest = int(np.argmax(shares))
    return Clusters(
        count=layout.clusters.count,
        effective=layout.clusters.count / (1 + variation),
        largest_share=float(shares[heaviest]),
        largest=layout.clusters.names[heaviest],
    )


def spread(differences: Floats, layout: Layout, *, basis: Basis) -> Spread | Missing:
    """Return the standard error of the weighted mean of the differences.

    With δ the weighted mean and w the weights: by items n/(n-1) Σ w²(D-δ)²; by strata the same
    about each stratum's own mean with its own n; by clusters G/(G-1) Σ S² with S the sum of
    w(D-δ) over a cluster; by clusters in strata the same about each stratum's mean; two-way
    V_A + V_B - V_AB, not below either (Cameron, Gelbach and Miller 2011).

    Args:
        differences: One per item, float64, shape `(items,)`.
        layout: Of the items.
        basis: What another form would replace.

    Returns:
        `Missing` (not measured) where the layout does not have what the basis needs, and
        (not comparable) where there are fewer than two units, or as many strata as units.

    Example:
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> found = spread(np.array([1.0, 0.0, 1.0, 0.0]), layout_of(4), basis=Basis.ITEMS)
        >>> round(found.standard_error, 4), found.df
        (0.2887, 3)
    """
    match basis:
        case Basis.ITEMS:
            return _plain(differences, layout, units=layout.each_item, basis=basis)
        case Basis.STRATA:
            return _within(differences, layout, units=layout.each_item, basis=basis)
        case Basis.CLUSTERS:
            return _plain(differences, layout, units=layout.clusters, basis=basis)
        case Basis.CLUSTERS_IN_STRATA:
            return _within(differences, layout, units=_parts(layout), basis=basis)
        case Basis.TWO_WAY:
            return _two_way(differences, layout)


def _plain(
    differences: Floats, layout: Layout, *, units: Grouping | None, basis: Basis
) -> Spread | Missing:
    if units is None:
        return Missing(reason=MissingReason.NOT_MEASURED, what=("clusters",))
    count = units.count
    if count < _LEAST:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=(basis.value,))
    weights = layout.weights
    pulls = units.sums(weights * (differences - weights @ differences))
    variance = count / (count - 1) * float(pulls @ pulls)
    return Spread(basis=basis, standard_error=math.sqrt(variance), units=count, df=count - 1)


def _within(
    differences: Floats, layout: Layout, *, units: Grouping | None, basis: Basis
) -> Spread | Missing:
    if layout.strata is None or units is None:
        what = "strata" if layout.strata is None else "clusters"
        return Missing(reason=MissingReason.NOT_MEASURED, what=(what,))
    of_unit, singles = joined(units, layout.strata)
    of_item = of_unit[units.codes]
    length = layout.strata.count
    weights = layout.weights
    sizes = np.bincount(of_unit, minlength=length)
    held = np.bincount(of_item, weights=weights, minlength=length)
    sums = np.bincount(of_item, weights=weights * differences, minlength=length)
    means = np.divide(sums, held, out=np.zeros(length), where=held > 0)
    pulls = units.sums(weights * (differences - means[of_item]))
    squares = np.bincount(of_unit, weights=pulls**2, minlength=length)
    used = sizes >= _LEAST
    df = int((sizes[used] - 1).sum())
    if df < 1:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=(basis.value,))
    variance = float((sizes[used] / (sizes[used] - 1) * squares[used]).sum())
    return Spread(
        basis=basis,
        standard_error=math.sqrt(variance),
        units=units.count,
        df=df,
        strata_joined=singles,
    )


def _two_way(differences: Floats, layout: Layout) -> Spread | Missing:
    first, second = layout.clusters, layout.crossed
    if first is None or second is None:
        return Missing(reason=MissingReason.NOT_MEASURED, what=("clusters", "crossed"))
    both = second.within(first)
    found = [
        _plain(differences, layout, units=units, basis=Basis.TWO_WAY)
        for units in (first, second, both)
    ]
    spreads = [each for each in found if isinstance(each, Spread)]
    if len(spreads) < len(found):
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=(Basis.TWO_WAY.value,))
    one, other, cells = (each.standard_error**2 for each in spreads)
    variance = max(one + other - cells, one, other)
    fewest = min(first.count, second.count)
    return Spread(
        basis=Basis.TWO_WAY, standard_error=math.sqrt(variance), units=fewest, df=fewest - 1
    )


def _parts(layout: Layout) -> Grouping | None:
    """Return the clusters, cut at the borders of the strata."""
    if layout.clusters is None or layout.strata is None:
        return None
    return layout.clusters.within(layout.strata)
