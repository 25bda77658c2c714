"""Nulls, power, vocabularies and changes beside their slow twins."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import NotComparableError
from dokja.models.comparison import (
    centred_correlation,
    change,
    critical_z,
    direction,
    minimum_detectable,
    permutation_null,
    token_overlap,
)


def tables(seed, rows=20, columns=30, *, spike=0.0):
    rng = np.random.default_rng(seed)
    pair = rng.standard_normal((2, rows, columns))
    # A direction that both sides share in columns makes chance agreements larger.
    pair += spike * rng.standard_normal((2, rows, 1)) * rng.standard_normal(columns)
    return [direction(values).reshape(rows, columns) for values in pair]


def test_null_is_what_reordering_rows_one_by_one_gives():
    child, parent = tables(1)

    null = permutation_null(child, parent, draws=50, rng=np.random.default_rng(9))

    rng = np.random.default_rng(9)
    orders = rng.permuted(np.tile(np.arange(20), (50, 1)), axis=1)
    slow = [centred_correlation(child, parent[order]) for order in orders]
    assert null.largest == pytest.approx(max(map(abs, slow)), abs=1e-6)
    assert null.standard_error == pytest.approx(
        math.sqrt(math.fsum(r * r for r in slow) / 50), abs=1e-6
    )


@pytest.mark.parametrize("spike", [0.0, 1.0, 3.0])
def test_null_standard_error_agrees_with_the_exact_one(spike):
    child, parent = tables(2, spike=spike)

    null = permutation_null(child, parent, draws=4000, rng=np.random.default_rng(9))

    # Variance of a sum over randomly ordered, mean-free rows: <A'A, B'B> / (rows - 1).
    exact = math.sqrt(float(np.sum((child.T @ child) * (parent.T @ parent))) / 19)
    assert null.standard_error == pytest.approx(exact, rel=0.05)


def test_null_of_shared_structure_is_wider_than_that_of_noise():
    rng = np.random.default_rng(9)

    plain = permutation_null(*tables(2), draws=200, rng=rng)
    spiked = permutation_null(*tables(2, spike=3.0), draws=200, rng=rng)

    assert plain.standard_error == pytest.approx(1 / math.sqrt(19 * 29), rel=0.2)
    assert spiked.standard_error > 3 * plain.standard_error


def test_null_with_the_same_generator_is_the_same():
    first, second = (
        permutation_null(*tables(1), draws=200, rng=np.random.default_rng(4)) for _ in range(2)
    )

    assert first == second


@pytest.mark.parametrize("shapes", [((3, 4), (4, 3)), ((1, 5), (1, 5)), ((5,), (5,))])
def test_null_without_rows_to_reorder_is_an_error(shapes):
    with pytest.raises(NotComparableError):
        permutation_null(
            np.ones(shapes[0]), np.ones(shapes[1]), draws=2, rng=np.random.default_rng(1)
        )


def test_critical_score_grows_with_the_tests_and_matches_the_normal_tail():
    for tests in (1, 10, 1000):
        z = critical_z(error_rate=0.01, tests=tests)

        assert math.erfc(z / math.sqrt(2)) / 2 == pytest.approx(0.01 / tests, rel=1e-6)


def test_minimum_detectable_is_what_simulation_finds():
    rng = np.random.default_rng(1)
    rule = {"standard_error": 0.02, "critical": 5.0, "floor": 0.05}

    smallest = minimum_detectable(**rule, found=0.9)

    measured = rng.normal(smallest, 0.02, 20_000)
    assert np.mean(measured >= 5 * 0.02) == pytest.approx(0.9, abs=0.01)


WORDS = st.sets(st.text(max_size=3), min_size=1, max_size=8)


@given(WORDS, WORDS)
def test_token_overlap_is_symmetric_bounded_and_one_for_the_same(ours, theirs):
    there, back = token_overlap(ours, theirs), token_overlap(theirs, ours)

    assert there.share == back.share == len(ours & theirs) / len(ours | theirs)
    assert token_overlap(ours, list(ours)).share == 1


def test_token_overlap_of_no_tokens_is_an_error():
    with pytest.raises(NotComparableError):
        token_overlap([], ["a"])


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_change_of_low_rank_is_recognised(rank):
    rng = np.random.default_rng(rank)
    parent = rng.standard_normal((40, 60)).astype(np.float32)
    factors = rng.standard_normal((40, rank)) @ rng.standard_normal((rank, 60))

    found = change(parent + factors.astype(np.float32), parent)

    assert found.rank <= rank
    assert found.full_rank == 40


def test_change_of_noise_is_of_nearly_full_rank():
    rng = np.random.default_rng(1)
    parent = rng.standard_normal((40, 60)).astype(np.float32)

    found = change(parent + 0.1 * rng.standard_normal((40, 60)).astype(np.float32), parent)

    assert found.relative_size == pytest.approx(0.1, abs=0.01)
    assert found.rank > 20


def test_change_of_nothing_is_none():
    parent = np.eye(3, dtype=np.float32)

    found = change(parent, parent)

    assert (found.equal, found.relative_size, found.rank) == (True, 0.0, 0)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (np.eye(2), np.eye(3)),
        (np.eye(2), np.zeros((2, 2))),
        (np.full((2, 2), np.nan), np.eye(2)),
    ],
)
def test_change_that_cannot_be_measured_is_an_error(child, parent):
    with pytest.raises(NotComparableError):
        change(child, parent)
