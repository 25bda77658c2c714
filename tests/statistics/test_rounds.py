"""Changes within a run, from three rounds: a slow twin, properties, and how often it errs."""

from collections import Counter
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.statistics.identity import Half, rounds_moved, smallest_change

answers = st.lists(st.tuples(*[st.integers(-1, 2)] * 3), max_size=40)


def slowly(rows):
    """Count odd answers one by one; sum the binomial tail term by term; Holm by hand."""
    odd, told = Counter(), 0
    for row in rows:
        if min(row) < 0:
            continue
        told += 1
        for place in range(3):
            rest = [row[other] for other in range(3) if other != place]
            if rest[0] == rest[1] != row[place]:
                odd[place] += 1
    if not told:
        return (0, 0, 0), None

    def tail(count, other):
        trials = count + other
        return sum(comb(trials, k) for k in range(count, trials + 1)) / 2**trials

    smaller = min(tail(odd[0], odd[1]), tail(odd[2], odd[1]))
    return (odd[0], odd[1], odd[2]), min(1.0, 2 * smaller)


@given(answers)
def test_rounds_are_counted_and_tested_as_slowly(rows):
    odd, p = slowly(rows)

    found = rounds_moved(np.array(rows, dtype=np.int64).reshape(-1, 3).T)

    assert found.odd == odd
    assert found.adjusted == (None if p is None else pytest.approx(p, rel=1e-9))
    assert found.alike + sum(found.odd) <= found.items


@given(answers)
def test_a_run_told_backwards_changes_in_the_other_half(rows):
    table = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    other = {Half.FIRST: Half.SECOND, Half.SECOND: Half.FIRST, None: None}

    found, back = rounds_moved(table), rounds_moved(table[::-1])

    assert back.odd == found.odd[::-1]
    assert back.adjusted == pytest.approx(found.adjusted)
    assert back.half is other[found.half]


def test_an_endpoint_that_only_wavers_is_found_no_oftener_than_the_level():
    rng = np.random.default_rng(3)
    found = 0

    for _ in range(500):
        table = np.where(rng.random((3, 50)) < 0.2, rng.integers(1, 4, (3, 50)), 0)
        found += bool(rounds_moved(table).changed)

    assert found <= 35  # .05 of 500 and two standard errors


def test_the_smallest_change_is_seen_as_often_as_it_says():
    rng = np.random.default_rng(4)
    share = smallest_change(50, wavered=0, level=0.025)
    seen = 0

    for _ in range(400):
        table = np.zeros((3, 50), dtype=np.int64)
        table[2, rng.permutation(50)[: round(share * 50)]] = 1
        seen += bool(rounds_moved(table).changed)

    assert seen == 400  # nothing wavers here: at that share it is certain
    table = np.zeros((3, 50), dtype=np.int64)
    table[2, : round(share * 50) - 1] = 1
    assert rounds_moved(table).changed is False


def test_what_cannot_be_told_is_not_told():
    nothing = rounds_moved(np.full((3, 5), -1))
    few = rounds_moved(np.zeros((3, 3), dtype=np.int64))

    assert (nothing.changed, nothing.adjusted, nothing.smallest) == (None, None, None)
    assert (few.changed, few.smallest) == (False, None)
    with pytest.raises(ValueError, match="rounds of shape"):
        rounds_moved(np.zeros((2, 5), dtype=np.int64))
