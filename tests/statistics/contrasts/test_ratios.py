"""Fieller's interval: by trying every ratio, by its named cases, and by its coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dokja.evidence.statistics.contrasts import (
    Basis,
    Shape,
    above_chance,
    contrast,
    layout_of,
    margin_test,
    ratio_interval,
)
from dokja.evidence.statistics.contrasts.ratios import _solved
from dokja.values import Missing, MissingReason


def graded(seed, *, items=30, own=0.6, other=0.7):
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 0.1, items)
    return (
        np.clip(own + ease + rng.normal(0, 0.2, items), 0, 1),
        np.clip(other + ease + rng.normal(0, 0.2, items), 0, 1),
        layout_of(items, strata=np.arange(items) % 3, clusters=np.arange(items) % 6),
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([Basis.ITEMS, Basis.STRATA, Basis.CLUSTERS]))
def test_it_holds_the_ratios_that_a_two_sided_test_does_not_reject(seed, basis):
    candidate, reference, layout = graded(seed)

    found = ratio_interval(candidate, reference, layout=layout, basis=basis, level=0.9)

    for ratio in np.linspace(0.2, 2.5, 47):
        test = margin_test(candidate - ratio * reference, layout, basis=basis, span=(-9.0, 9.0))
        assert found.holds(float(ratio)) == (min(test.p_clear, test.p_fail) > 0.05)


def test_a_reference_that_may_be_nothing_bounds_less():
    rng = np.random.default_rng(1)
    layout = layout_of(12)
    rare = np.zeros(12)
    rare[0] = 1.0
    often = np.array([1.0] * 11 + [0.0])

    outside = ratio_interval(often, rare, layout=layout, basis=Basis.ITEMS)
    every = ratio_interval(
        np.roll(rare, 3), rng.permutation(rare), layout=layout, basis=Basis.ITEMS
    )

    assert outside.shape is Shape.OUTSIDE
    assert outside.holds(11.0)
    assert outside.holds(1e9)
    assert not outside.holds(0.0)
    assert every.shape is Shape.EVERY
    assert (every.low, every.high) == (-math.inf, math.inf)
    assert every.holds(-3.0)


def test_the_border_between_the_cases_is_a_ray():
    # At this level the reference is just not told from 0.
    reference = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    candidate = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    t = reference.mean() / (reference.std(ddof=1) / math.sqrt(6))
    level = float(2 * stats.t.cdf(t, 5) - 1)

    shapes = {
        ratio_interval(
            candidate, reference, layout=layout_of(6), basis=Basis.ITEMS, level=level + step
        ).shape
        for step in (-1e-3, 1e-3)
    }

    assert shapes == {Shape.BETWEEN, Shape.OUTSIDE}
    assert _solved(0.0, 2.0, 1.0, size=1.0) == (Shape.AT_LEAST, 0.25, math.inf)
    assert _solved(0.0, -2.0, 1.0, size=1.0) == (Shape.AT_MOST, -math.inf, -0.25)
    assert _solved(0.0, 0.0, -1.0, size=1.0) == (Shape.EVERY, -math.inf, math.inf)


def test_two_way_errors_have_no_interval_of_this_kind():
    candidate, reference, _ = graded(1)
    layout = layout_of(30, clusters=np.arange(30) % 6, crossed=np.arange(30) // 5)

    found = ratio_interval(candidate, reference, layout=layout, basis=Basis.TWO_WAY)

    assert isinstance(found, Missing)


def test_without_clusters_there_is_no_interval_by_clusters():
    candidate, reference, _ = graded(1)

    found = ratio_interval(candidate, reference, layout=layout_of(30), basis=Basis.CLUSTERS)

    assert isinstance(found, Missing)


@pytest.mark.parametrize("reference", [np.ones(40), np.tile([1.0, 0.0], 20)])
def test_two_systems_that_never_differ_are_not_known_to_be_equal(reference):
    found = ratio_interval(reference, reference, layout=layout_of(40), basis=Basis.ITEMS)

    assert found == Missing(reason=MissingReason.NOT_COMPARABLE, what=("variation",))


def test_coverage():
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(600):
        reference = (rng.uniform(size=300) < 0.8).astype(float)
        candidate = (rng.uniform(size=300) < 0.6).astype(float)
        found = ratio_interval(candidate, reference, layout=layout_of(300), basis=Basis.ITEMS)
        held += found.holds(0.75)

    assert 0.93 <= held / 600 <= 0.975


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0, 0.9))
def test_above_chance_puts_guessing_at_nothing_and_everything_right_at_one(values, chance):
    corrected = above_chance(np.array([*values, chance, 1.0]), chance)

    assert corrected[-2:].tolist() == pytest.approx([0.0, 1.0], abs=1e-12)
    assert corrected[:-2].tolist() == pytest.approx(
        [(value - chance) / (1 - chance) for value in values]
    )


def test_each_item_may_have_its_own_chance():
    values = np.array([[1.0, 0.25], [0.2, 0.2]])

    found = above_chance(values, np.array([0.25, 0.2]))

    assert found.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    with pytest.raises(ValueError, match="guessing"):
        above_chance(values, 1.0)


def test_a_scale_that_begins_below_nothing_is_allowed_where_it_is_declared():
    values = above_chance(np.array([1.0, 0.0, 1.0, 1.0]), 0.25)

    found = contrast(values, values, ratio=".95", layout=layout_of(4), seed=1, scale=(-1 / 3, 1.0))

    assert found.ratio == 1.0
    with pytest.raises(ValueError, match="finite number"):
        contrast(values, values, ratio=".95", layout=layout_of(4), seed=1)
