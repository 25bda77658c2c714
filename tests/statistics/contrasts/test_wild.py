"""The wild cluster bootstrap: enumeration with loops, exact arithmetic, and its interval."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics.contrasts import joint_lower_tail, wild_interval, wild_test


def slow_square(signs, sums, shares):
    """The sign and the square of t*, as exact fractions; None where nothing varies."""
    count = len(sums)
    mean = sum(v * t for v, t in zip(signs, sums, strict=True))
    rest = [v * t - w * mean for v, t, w in zip(signs, sums, shares, strict=True)]
    variance = Fraction(count, count - 1) * sum(one * one for one in rest)
    sign = (mean > 0) - (mean < 0)
    if variance == 0:
        return (sign, None) if sign else (0, Fraction(0))
    return sign, mean * mean / variance


def key(found):
    """A number that orders t* as the real one does."""
    sign, square = found
    return (sign, 0) if square is None else (0, sign * square)


def slow_counts(sums, shares):
    real = key(slow_square([1] * len(sums), sums, shares))
    turned = [key(slow_square(v, sums, shares)) for v in product((1, -1), repeat=len(sums))]
    return sum(one >= real for one in turned), sum(one <= real for one in turned)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 9)), min_size=2, max_size=6))
def test_counts_are_those_of_exact_enumeration(clusters):
    sums = [Fraction(total, 20) for total, _ in clusters]
    whole = sum(weight for _, weight in clusters)
    shares = [Fraction(weight, whole) for _, weight in clusters]

    found = wild_test(np.array(sums, dtype=float), np.array(shares, dtype=float), seed=1)

    assert found.counts == slow_counts(sums, shares)
    assert (found.ways, found.exact, found.seed) == (2 ** len(sums), True, None)
    assert found.p_clear == found.counts[0] / found.ways
    assert found.p_fail == found.counts[1] / found.ways


def test_nothing_to_turn_is_never_unusual():
    found = wild_test(np.zeros(4), np.full(4, 0.25), seed=1)

    assert (found.p_clear, found.p_fail, found.statistic) == (1.0, 1.0, 0.0)


def test_drawn_signs_come_near_all_signs():
    rng = np.random.default_rng(4)
    sums, shares = rng.normal(0.02, 0.1, 13), rng.dirichlet(np.full(13, 3.0))

    found = wild_test(sums, shares, seed=7)

    turned = np.array(list(product((1, -1), repeat=13)), dtype=float)
    means = turned @ sums
    rest = turned * sums - means[:, None] * shares
    t = means / np.sqrt(13 / 12 * (rest**2).sum(axis=1))
    assert (found.ways, found.exact, found.seed) == (99_999, False, 7)
    assert found.statistic == pytest.approx(t[0], rel=1e-12)
    assert found.p_fail == pytest.approx((t <= t[0] + 1e-12).mean(), abs=0.006)
    assert found.p_clear == pytest.approx((t >= t[0] - 1e-12).mean(), abs=0.006)
    assert found.p_fail == (1 + found.counts[1]) / 100_000


def test_the_same_seed_gives_the_same_figures_and_another_gives_others():
    rng = np.random.default_rng(4)
    sums, shares = rng.normal(0.02, 0.1, 20), np.full(20, 0.05)

    first, again, other = (wild_test(sums, shares, seed=seed, draws=999) for seed in (7, 7, 8))

    assert first == again
    assert other.counts != first.counts


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8), st.randoms())
def test_order_and_sign_of_clusters(sums, random):
    sums = np.array(sums)
    shares = np.full(len(sums), 1 / len(sums))
    order = list(range(len(sums)))
    random.shuffle(order)

    found = wild_test(sums, shares, seed=1)

    assert wild_test(sums[order], shares, seed=1).counts == found.counts
    assert wild_test(-sums, shares, seed=1).counts == found.counts[::-1]


def test_the_interval_holds_what_the_test_does_not_reject():
    rng = np.random.default_rng(11)
    shares = rng.dirichlet(np.full(9, 4.0))
    reference = shares * rng.uniform(0.6, 0.9, 9)
    candidate = reference * rng.uniform(0.85, 1.05, 9)

    low, high = wild_interval(candidate, reference, shares, level=0.9, seed=1)

    def tails(ratio):
        found = wild_test(candidate - ratio * reference, shares, seed=1)
        return found.p_clear, found.p_fail

    assert low < candidate.sum() / reference.sum() < high
    assert tails(low + 1e-6)[0] > 0.05 >= tails(low - 1e-6)[0]
    assert tails(high - 1e-6)[1] > 0.05 >= tails(high + 1e-6)[1]


def test_too_few_clusters_bound_nothing():
    shares = np.full(3, 1 / 3)

    found = wild_interval(0.9 * shares + [0.01, 0, -0.01], shares, shares, level=0.95, seed=1)

    assert found == (-np.inf, np.inf)


def test_ratios_that_are_all_alike_bound_nothing():
    shares = np.full(9, 1 / 9)

    found = wild_interval(0.5 * shares, shares, shares, level=0.9, seed=1)

    assert found == (-np.inf, np.inf)


def test_the_joint_tail_is_that_of_exact_enumeration():
    sums = np.array([[-0.3, 0.1], [-0.2, -0.1], [-0.1, 0.2], [0.05, -0.3], [-0.2, 0.1]])
    shares = np.full(5, 0.2)
    exact = [[Fraction(round(100 * one), 100) for one in row] for row in sums.tolist()]
    columns = list(zip(*exact, strict=True))

    found = joint_lower_tail(sums, shares, seed=1)

    fifth = [Fraction(1, 5)] * 5
    smallest = [
        min(key(slow_square(v, column, fifth)) for column in columns)
        for v in product((1, -1), repeat=5)
    ]
    assert found == sum(one <= smallest[0] for one in smallest) / 32


def test_one_margin_alone_has_its_own_tail():
    rng = np.random.default_rng(2)
    sums, shares = rng.normal(-0.05, 0.1, 10), np.full(10, 0.1)

    assert joint_lower_tail(sums[:, None], shares, seed=1) == wild_test(sums, shares, seed=1).p_fail


@pytest.mark.parametrize(
    ("sums", "shares", "draws"),
    [(np.ones(1), np.ones(1), 9), (np.ones(3), np.ones(2), 9), (np.ones(3), np.ones(3), 0)],
)
def test_what_cannot_be_turned_is_refused(sums, shares, draws):
    with pytest.raises(ValueError, match=r"clusters|once"):
        wild_test(sums, shares, seed=1, draws=draws)


def test_an_interval_needs_a_level_and_a_reference():
    with pytest.raises(ValueError, match="level"):
        wild_interval(np.ones(3), np.ones(3), np.ones(3), level=1.0, seed=1)
    with pytest.raises(ValueError, match="reference"):
        wild_interval(np.ones(3), np.zeros(3), np.ones(3), level=0.9, seed=1)
