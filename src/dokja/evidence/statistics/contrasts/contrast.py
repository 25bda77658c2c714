"""Whether a candidate reaches a required share of a reference on the same items.

Asked is the margin δ = candidate - x · reference, item by item, not the ratio: the margin is a
mean, its error needs no approximation, and its sign is the answer (design/measurement 5.1).
The error is given by items, by strata and by clusters, because these answer different questions;
which one decides, a rulebook says, and nothing here.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.spreads import (
    Basis,
    Clusters,
    Spread,
    clusters_of,
    spread,
)
from dokja.evidence.statistics.contrasts.wild import DRAWS, WildTest, wild_test
from dokja.evidence.statistics.student import student_share_below
from dokja.values import Missing, MissingReason

__all__ = [
    "Contrast",
    "MarginTest",
    "Ratio",
    "Scale",
    "contrast",
    "margin_test",
    "needs_signs",
    "ratio_of",
]

Ratio: TypeAlias = Fraction | Decimal | str | int
"""A ratio as it was written: `".95"` is 19/20, which no binary number is."""
Scale: TypeAlias = tuple[float, float]

_FEW = 20  # effective clusters: below, t intervals by clusters are too short (MacKinnon and Webb)
_HEAVY = 0.2  # share of one cluster: above, likewise
_NOISE = 1e-12  # of the scale: less than this is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTest:
    """What one basis says of a margin.

    Attributes:
        basis: What another form would replace.
        standard_error: Of the margin.
        units: How many items or clusters could be replaced.
        df: Degrees of freedom of the t test.
        p_clear: One-sided p-value against "the margin is at most 0": small means *clears*.
        p_fail: One-sided p-value against "the margin is at least 0": small means *does not clear*.
        p_at_least: P(ratio ≥ x): the value of the confidence distribution, a confidence and not a
            probability of anything about the systems.
        method: `t`, `wild-cluster` or `all-alike`.
        wild: How the signs were turned, where that decides.
        strata_joined: How many strata of one unit were joined with others.
    """

    basis: Basis
    standard_error: float
    units: int
    df: int
    p_clear: float
    p_fail: float
    p_at_least: float
    method: str
    wild: WildTest | None = None
    strata_joined: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A candidate against one reference.

    Attributes:
        required: The ratio that is required, x.
        candidate: Weighted mean of the candidate.
        reference: Weighted mean of the reference.
        margin: δ = candidate - x · reference.
        ratio: Of the means; `Missing` where the reference's is not above 0.
        items: How many items.
        by_items: The test by items; `Missing` with one item.
        by_strata: By items of the same strata; `Missing` without strata.
        by_clusters: By clusters, t or wild bootstrap as the clusters ask for; `Missing` without.
        by_clusters_in_strata: By clusters of the same strata, always t; `Missing` without either.
        two_way: By two crossed clusterings, always t; `Missing` without.
        clusters_t: The t test by clusters even where the wild bootstrap is `by_clusters`.
        clusters: How much the clusters are worth; None without.
    """

    required: Fraction
    candidate: float
    reference: float
    margin: float
    ratio: float | Missing
    items: int
    by_items: MarginTest | Missing
    by_strata: MarginTest | Missing
    by_clusters: MarginTest | Missing
    by_clusters_in_strata: MarginTest | Missing
    two_way: MarginTest | Missing
    clusters_t: MarginTest | Missing
    clusters: Clusters | None

    def by(self, basis: Basis) -> MarginTest | Missing:
        """Return the test of a basis."""
        return {
            Basis.ITEMS: self.by_items,
            Basis.STRATA: self.by_strata,
            Basis.CLUSTERS: self.by_clusters,
            Basis.CLUSTERS_IN_STRATA: self.by_clusters_in_strata,
            Basis.TWO_WAY: self.two_way,
        }[basis]


def contrast(
    candidate: Floats,
    reference: Floats,
    *,
    ratio: Ratio,
    layout: Layout,
    seed: int,
    draws: int = DRAWS,
    scale: Scale = (0.0, 1.0),
) -> Contrast:
    """Return how a candidate stands to a reference on the same items.

    Args:
        candidate: Its value on each item, averaged over epochs, only items that count for both;
            float64, shape `(items,)`.
        reference: The reference's; the same shape.
        ratio: What is required, x, above 0.
        layout: Weights, strata and clusters of the items (`layout_of`).
        seed: Of the rulebook; drawn from only where more than 12 clusters need the bootstrap.
        draws: Of the bootstrap.
        scale: Least and greatest value of an item. Corrected for guessing by c it is
            (-c/(1 - c), 1).

    Raises:
        ValueError: Shapes that do not fit, a value outside the scale, or a ratio not above 0.

    Example:
        >>> import numpy as np
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> right = np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
        >>> found = contrast(*right, ratio=".95", layout=layout_of(4), seed=1)
        >>> round(found.margin, 4), found.ratio, round(found.by_items.p_at_least, 3)
        (0.0375, 1.0, 0.535)
    """
    required = ratio_of(ratio)
    _check(candidate, reference, layout=layout, scale=scale)
    x = float(required)
    differences = candidate - x * reference
    span = (scale[0] - x * scale[1], scale[1] - x * scale[0])
    tests = {basis: margin_test(differences, layout, basis=basis, span=span) for basis in Basis}
    top, bottom = float(layout.weights @ candidate), float(layout.weights @ reference)
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    by_t = tests[Basis.CLUSTERS]
    return Contrast(
        required=required,
        candidate=top,
        reference=bottom,
        margin=float(layout.weights @ differences),
        ratio=top / bottom if bottom > 0 else nothing,
        items=layout.items,
        by_items=tests[Basis.ITEMS],
        by_strata=tests[Basis.STRATA],
        by_clusters=_few_or_many(by_t, differences, layout=layout, seed=seed, draws=draws),
        by_clusters_in_strata=tests[Basis.CLUSTERS_IN_STRATA],
        two_way=tests[Basis.TWO_WAY],
        clusters_t=by_t,
        clusters=clusters_of(layout),
    )


def ratio_of(written: Ratio) -> Fraction:
    """Return a required ratio exactly as it was written.

    Raises:
        ValueError: It is no number, not finite, or not above 0.
        TypeError: It is a binary number, which is not what was written.

    Example:
        >>> ratio_of("0.95"), ratio_of(".9")
        (Fraction(19, 20), Fraction(9, 10))
    """
    if isinstance(written, float):
        raise TypeError(f"write the ratio {written} as text, so that it is what was written")
    try:
        ratio = Fraction(written)
    except (OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"{written} is no ratio") from error
    if ratio <= 0:
        raise ValueError(f"a required ratio must be above 0, not {written}")
    return ratio


def margin_test(
    differences: Floats, layout: Layout, *, basis: Basis, span: Scale
) -> MarginTest | Missing:
    """Return the t test of a weighted mean of differences against 0, both sides.

    Where all units are alike nothing shows how much they could differ. Then the p-value is the
    probability that so many units show none of those that would bring the mean to 0: with m the
    mean and `end` the end of the span beyond 0, (end/(end - m))^units. That is the interval of
    Clopper and Pearson for a share of 0, turned around.

    Args:
        differences: One per item.
        layout: Of the items.
        basis: What another form would replace.
        span: Least and greatest possible difference.
    """
    found = spread(differences, layout, basis=basis)
    if isinstance(found, Missing):
        return found
    margin = float(layout.weights @ differences)
    if found.standard_error <= _NOISE * (span[1] - span[0]):
        return _alike(margin, found, span=span)
    t = margin / found.standard_error
    below = student_share_below(t, df=found.df)
    return MarginTest(
        basis=basis,
        standard_error=found.standard_error,
        units=found.units,
        df=found.df,
        p_clear=student_share_below(-t, df=found.df),
        p_fail=below,
        p_at_least=below,
        method="t",
        strata_joined=found.strata_joined,
    )


def needs_signs(clusters: Clusters) -> bool:
    """Return whether clusters are so few or so unequal that the wild bootstrap decides."""
    return clusters.effective < _FEW or clusters.largest_share > _HEAVY


def _alike(margin: float, found: Spread, *, span: Scale) -> MarginTest:
    chance = 1.0
    if abs(margin) > _NOISE * (span[1] - span[0]):
        end = span[0] if margin > 0 else span[1]
        chance = max(end / (end - margin), 0.0) ** found.units
    p_clear, p_fail = (chance, 1.0) if margin > 0 else (1.0, chance)
    return MarginTest(
        basis=found.basis,
        standard_error=0.0,
        units=found.units,
        df=found.df,
        p_clear=p_clear,
        p_fail=p_fail,
        p_at_least=(p_fail + 1 - p_clear) / 2,
        method="all-alike",
        strata_joined=found.strata_joined,
    )


def _few_or_many(
    by_t: MarginTest | Missing, differences: Floats, *, layout: Layout, seed: int, draws: int
) -> MarginTest | Missing:
    """Return the t test where clusters are many and even enough, else the wild bootstrap."""
    clusters = clusters_of(layout)
    if clusters is None or layout.clusters is None or isinstance(by_t, Missing):
        return by_t
    if by_t.method == "all-alike" or not needs_signs(clusters):
        return by_t
    wild = wild_test(
        layout.clusters.sums(layout.weights * differences),
        layout.clusters.sums(layout.weights),
        seed=seed,
        draws=draws,
    )
    return MarginTest(
        basis=by_t.basis,
        standard_error=by_t.standard_error,
        units=by_t.units,
        df=by_t.df,
        p_clear=wild.p_clear,
        p_fail=wild.p_fail,
        p_at_least=(wild.p_fail + 1 - wild.p_clear) / 2,
        method="wild-cluster",
        wild=wild,
    )


def _check(candidate: Floats, reference: Floats, *, layout: Layout, scale: Scale) -> None:
    shape = (layout.items,)
    if candidate.shape != shape or reference.shape != shape:
        raise ValueError(
            f"values of shapes {candidate.shape} and {reference.shape} do not fit {shape} items"
        )
    slack = _NOISE * max(1.0, abs(scale[0]), abs(scale[1]))
    for values in (candidate, reference):
        least, greatest = float(values.min()), float(values.max())
        if not (scale[0] - slack <= least and greatest <= scale[1] + slack):
            raise ValueError(f"a value is not a finite number in [{scale[0]}, {scale[1]}]")
        if not math.isfinite(least + greatest):
            raise ValueError("a value is not finite")
