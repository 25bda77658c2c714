"""What would settle a verdict: analysis of variance, plans that keep their word, re-asking."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics.contrasts import (
    Clearance,
    GeneraliseTo,
    Values,
    cells_of,
    contrast,
    layout_of,
    parts_of,
    reach,
    reach_terms,
    reask,
    settling,
)
from dokja.values import Missing, MissingReason


def slow_parts(differences, clusters):
    """One-way analysis of variance, group after group."""
    groups = [
        [d for d, c in zip(differences, clusters, strict=True) if c == one] for one in set(clusters)
    ]
    n, count = len(differences), len(groups)
    mean = sum(differences) / n
    between = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups) / (count - 1)
    within = sum((d - sum(g) / len(g)) ** 2 for g in groups for d in g) / (n - count)
    typical = (n - sum(len(g) ** 2 for g in groups) / n) / (count - 1)
    return math.sqrt(max(0.0, (between - within) / typical)), math.sqrt(within)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_parts_are_those_of_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 7, 60)
    differences = rng.normal(size=60) + rng.normal(size=7)[clusters]

    found = parts_of(differences, layout_of(60, clusters=clusters))

    between, within = slow_parts(differences.tolist(), clusters.tolist())
    assert (found.between, found.within) == pytest.approx((between, within), rel=1e-9, abs=1e-9)


def test_parts_come_near_what_was_put_in():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(400), 25)
    differences = rng.normal(0, 0.5, 10_000) + rng.normal(0, 0.2, 400)[clusters]

    found = parts_of(differences, layout_of(10_000, clusters=clusters))

    assert found.between == pytest.approx(0.2, rel=0.1)
    assert found.within == pytest.approx(0.5, rel=0.03)
    assert found.floor == pytest.approx(found.between / math.sqrt(400))
    assert (found.clusters, found.items) == (400, 10_000)


def test_without_clusters_there_are_no_parts():
    assert parts_of(np.ones(3), layout_of(3)) == Missing(
        reason=MissingReason.NOT_MEASURED, what=("clusters",)
    )
    assert parts_of(np.ones(3), layout_of(3, clusters=[1, 2, 3])) == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("clusters",)
    )


def paired(seed, items, *, clusters=40, own=0.72, between=0.0):
    rng = np.random.default_rng(seed)
    cluster = np.arange(items) % clusters
    ease = rng.normal(0, between, clusters)[cluster] if between else np.zeros(items)
    reference = (rng.uniform(size=items) < 0.7).astype(float)
    candidate = (rng.uniform(size=items) < np.clip(own + ease, 0, 1)).astype(float)
    return candidate, reference, layout_of(items, strata=cluster % 4, clusters=cluster)


def told(candidate, reference, layout, **terms):
    found = contrast(candidate, reference, ratio=".95", layout=layout, seed=1, draws=999)
    differences = candidate - 0.95 * reference
    return found, settling(
        found, differences, layout=layout, terms=reach_terms(".95", seed=1, **terms)
    )


def test_so_many_items_decide_as_often_as_was_planned():
    # The true margin is .72 - .95 × .7 = .055; the plan is made for exactly that margin.
    candidate, reference, layout = paired(1, 400)
    _, plan = told(candidate, reference, layout, delta_min=0.055)
    items = plan.at_smallest.items_in_all

    cleared = 0
    for seed in range(300):
        again = paired(1000 + seed, items)
        test = contrast(*again[:2], ratio=".95", layout=again[2], seed=1, draws=9).by_items
        cleared += test.p_clear <= 0.05

    assert 0.72 <= cleared / 300 <= 0.88
    assert plan.power == 0.8


def test_needs_follow_their_formulas():
    candidate, reference, layout = paired(2, 800, between=0.05)
    found, plan = told(candidate, reference, layout)

    reach_of = NormalDist().inv_cdf(0.95) + NormalDist().inv_cdf(0.8)
    for need, margin in ((plan.at_estimate, found.margin), (plan.at_smallest, 0.01)):
        scale = reach_of / abs(margin)
        assert need.margin == margin
        assert need.items_in_all == math.ceil(800 * (scale * found.by_items.standard_error) ** 2)
        assert need.clusters_in_all == math.ceil(
            40 * (scale * found.by_clusters.standard_error) ** 2
        )
    error = abs(found.margin) / reach_of
    parts = plan.parts
    assert error > parts.floor
    assert plan.at_estimate.items_in_same_clusters == math.ceil(
        parts.within**2 / (error**2 - parts.floor**2)
    )


def test_more_items_of_the_same_clusters_may_never_be_enough():
    candidate, reference, layout = paired(3, 400, clusters=8, between=0.3)

    _, plan = told(candidate, reference, layout)

    assert plan.at_smallest.items_in_same_clusters == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("clusters",)
    )
    assert plan.at_smallest.clusters_in_all > 8


def test_a_margin_of_nothing_is_settled_by_no_number_of_items():
    layout = layout_of(40)
    candidate = np.array([1.0] * 19 + [0.0] * 21)
    reference = np.array([0.0] * 20 + [1.0] * 20)

    found, plan = told(candidate, reference, layout)

    assert found.margin == pytest.approx(0.0, abs=1e-15)
    assert plan.at_estimate.items_in_all == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("margin",)
    )
    assert plan.at_smallest.items_in_all > 40
    assert plan.at_smallest.clusters_in_all == Missing(
        reason=MissingReason.NOT_MEASURED, what=("clusters",)
    )


def opened(seed, *, own, open_cells):
    candidate, reference, layout = paired(seed, 1_000, own=own)
    low = Values(candidate=candidate.copy(), references=reference[:, None].copy())
    high = Values(candidate=candidate.copy(), references=reference[:, None].copy())
    low.candidate[:open_cells], high.candidate[:open_cells] = 0.0, 1.0
    low.references[:open_cells], high.references[:open_cells] = 0.0, 1.0
    return cells_of(candidate, reference[:, None], names=("a",), low=low, high=high), layout


def test_asking_again_so_often_decides_and_once_less_does_not():
    cells, layout = opened(5, own=0.85, open_cells=150)
    terms = reach_terms(".95", seed=1, generalise_to=GeneraliseTo.BLUEPRINT)

    found = reask(cells, layout, terms=terms)

    assert reach(cells, layout, terms=terms).verdict is Clearance.UNDECIDED
    assert found.suffices
    assert found.open == 300
    assert 0 < found.samples < 300


def test_where_the_interval_is_the_doubt_asking_again_is_not_enough():
    cells, layout = opened(5, own=0.67, open_cells=20)

    found = reask(cells, layout, terms=reach_terms(".95", seed=1))

    assert (found.samples, found.open, found.suffices) == (40, 40, False)


def test_nothing_open_needs_no_asking():
    cells, layout = opened(5, own=0.95, open_cells=0)

    found = reask(cells, layout, terms=reach_terms(".95", seed=1))

    assert (found.samples, found.open, found.suffices) == (0, 0, True)
