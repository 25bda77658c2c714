"""Stable matchings, what they agree on by chance, and turns, beside slow twins."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dokja.errors import NotComparableError
from dokja.models.comparison import (
    agreement,
    basis_of_rows,
    log10_chance,
    log10_fixed_points,
    nearest_reordering,
    polar,
    reordering_share,
    stable_matching,
    units_of,
)

SCORES = arrays(
    "f8", st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.floats(-4, 4), unique=True
)


def slow_matching(scores):
    """Take pairs by falling score, each row and column once."""
    found = np.full(len(scores), -1)
    order = sorted(np.ndindex(scores.shape), key=lambda pair: -scores[pair])
    taken = set()
    for row, column in order:
        if found[row] < 0 and column not in taken:
            found[row] = column
            taken.add(column)
    return found


def orthogonal(width, seed):
    return polar(np.random.default_rng(seed).standard_normal((width, width)))


def block(seed, *, neurons=40, width=24, gated=True):
    rng = np.random.default_rng(seed)
    parts = [rng.standard_normal((neurons, width)) for _ in range(3)]
    return units_of(parts[0] if gated else None, parts[1], parts[2])


@given(SCORES)
def test_matching_equals_taking_pairs_by_falling_score(scores):
    assert stable_matching(scores).tolist() == slow_matching(scores).tolist()


@given(SCORES, st.randoms(use_true_random=False))
def test_matching_does_not_look_at_the_order_of_rows_and_columns(scores, random):
    rows = np.array(random.sample(range(scores.shape[0]), scores.shape[0]))
    columns = np.array(random.sample(range(scores.shape[1]), scores.shape[1]))

    turned = stable_matching(scores[np.ix_(rows, columns)])

    back = np.full(len(rows), -1)
    back[rows] = np.where(turned >= 0, columns[turned], -1)
    assert back.tolist() == stable_matching(scores).tolist()


def test_matching_ends_when_all_scores_are_the_same():
    assert stable_matching(np.zeros((4, 3))).tolist() == [0, 1, 2, -1]


@pytest.mark.parametrize("size", [3, 4, 5])
def test_chance_bounds_what_all_pairs_of_uniform_matchings_do(size):
    everything = list(permutations(range(size)))
    agreed = [sum(i == j for i, j in enumerate(one)) for one in everything]  # the other is fixed

    for count in range(size + 1):
        share = sum(k >= count for k in agreed) / len(agreed)
        assert share <= 10 ** log10_chance(count, of=size, among=size, matchings=2) + 1e-12
        assert share <= 10 ** log10_fixed_points(count) + 1e-12


def test_chance_bounds_three_matchings_of_blocks_of_two_sizes():
    rng = np.random.default_rng(5)
    draws = 20_000
    agreed = np.array(
        [
            np.logical_and(*(rng.permutation(6)[:4] == np.arange(4) for _ in range(2))).sum()
            for _ in range(draws)
        ]
    )

    for count in (1, 2):
        share = (agreed >= count).mean()
        assert share <= 10 ** log10_chance(count, of=4, among=6, matchings=3)


def test_copy_in_another_order_and_scale_agrees_on_every_neuron():
    rng = np.random.default_rng(1)
    gate, up, down = (rng.standard_normal((40, 24)) for _ in range(3))
    order = rng.permutation(40)
    scale = rng.choice([-3.0, 0.2], size=(40, 1))

    found = agreement(
        units_of(gate[order], (scale * up)[order], (down / scale)[order]), units_of(gate, up, down)
    )

    assert (found.two, found.three, found.share) == (40, 40, 1.0)
    assert dict(found.pairs.tolist()) == dict(enumerate(order.tolist()))


def test_strangers_agree_on_a_neuron_or_two():
    shares = [agreement(block(seed), block(seed + 1)).share for seed in range(0, 20, 2)]

    assert max(shares) <= 2 / 40


def test_pruned_block_is_found_inside_the_whole():
    whole = block(3)
    kept = np.sort(np.random.default_rng(4).permutation(40)[:25])

    found = agreement(whole.chosen(kept), whole)

    assert (found.three, found.of, found.among) == (25, 25, 40)
    assert found.pairs[:, 1].tolist() == kept.tolist()


def test_without_gates_a_changed_sign_is_another_neuron():
    rng = np.random.default_rng(2)
    up, down = rng.standard_normal((30, 16)), rng.standard_normal((30, 16))

    same = agreement(units_of(None, up, down), units_of(None, up, down))
    flipped = agreement(units_of(None, -up, -down), units_of(None, up, down))

    assert (same.share, same.gate_down) == (1.0, None)
    assert flipped.share < 0.2


def test_dead_neurons_are_left_out_and_the_others_keep_their_numbers():
    rng = np.random.default_rng(3)
    gate, up, down = (rng.standard_normal((10, 8)) for _ in range(3))
    down[4] = 0.0

    units = units_of(gate, up, down)

    assert units.kept.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert agreement(units, units).pairs[4].tolist() == [5, 5]


@pytest.mark.parametrize(
    "parts",
    [
        (np.ones((3, 4)), np.ones((3, 5)), np.ones((3, 4))),
        (np.ones((3, 4)), np.full((3, 4), np.nan), np.ones((3, 4))),
        (np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))),
    ],
)
def test_block_without_sound_neurons_cannot_be_compared(parts):
    with pytest.raises(NotComparableError):
        units_of(*parts)


def test_blocks_of_two_kinds_or_widths_cannot_be_compared():
    with pytest.raises(NotComparableError):
        agreement(block(1), block(1, gated=False))
    with pytest.raises(NotComparableError):
        agreement(block(1), block(1, width=20))


def test_turn_is_recovered_from_rows_and_holds_on_rows_that_were_held_out():
    rng = np.random.default_rng(1)
    rows, turn = rng.standard_normal((200, 16)), orthogonal(16, 2)

    found = basis_of_rows(rows @ turn + 0.05 * rng.standard_normal((200, 16)), rows, rng=rng)

    assert np.abs(found.turn - turn).max() < 0.02
    assert found.likeness > 0.99
    assert (found.rows, found.held_out) == (200, 100)


def test_rows_of_strangers_are_no_nearer_than_chance_where_they_were_held_out():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((2, 200, 16))

    found = basis_of_rows(rows[0], rows[1], rng=rng)

    assert abs(found.likeness) < 0.1


def test_turn_needs_twice_as_many_rows_as_dimensions():
    with pytest.raises(NotComparableError, match="a turn needs 32"):
        basis_of_rows(np.ones((31, 16)), np.ones((31, 16)), rng=np.random.default_rng(1))


def test_reordering_with_signs_is_told_from_a_turn():
    rng = np.random.default_rng(1)
    order = np.eye(64)[rng.permutation(64)] * rng.choice([-1, 1], 64)

    assert reordering_share(order)[0] == 1.0
    assert np.array_equal(nearest_reordering(order + 0.01 * rng.standard_normal((64, 64))), order)
    assert reordering_share(order)[1] < -1000
    assert reordering_share(orthogonal(64, 3))[1] == 0.0


def test_bound_of_a_reordering_holds_for_even_turns():
    """Mean share of even turns is near sqrt(2 ln d / d); none reaches what is bounded at 1 %."""
    shares = [reordering_share(orthogonal(48, seed)) for seed in range(100)]

    assert all(bound > -2 for _, bound in shares)
    assert max(share for share, _ in shares) < math.sqrt(2 * math.log(48) / 48) + 0.1
