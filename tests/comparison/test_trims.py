"""What was kept of changes, beside what was put together on purpose."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.models.comparison.trims import kept_counts, places_by_size, rounding_floor


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=20))
def test_places_are_those_of_a_stable_sort(values):
    found = places_by_size(np.array(values))

    wanted = sorted(range(len(values)), key=lambda place: (-values[place], place))
    assert [int(np.flatnonzero(found == place)[0]) for place in range(len(values))] == wanted


@given(st.floats(1e-20, 1e20))
def test_rounding_to_bfloat16_stays_within_the_floor(value):
    stored = float(np.float64(np.asarray(value, dtype=ml_dtypes.bfloat16)))

    assert abs(stored - value) <= rounding_floor(np.array([max(value, stored)]), bits=7)[0]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 200), min_size=1, max_size=3))
def test_one_edge_for_each_change_is_found(seed, kept):
    rng = np.random.default_rng(seed)
    ranks = np.stack([rng.permutation(200) for _ in kept])
    touched = (ranks < np.array(kept)[:, np.newaxis]).any(axis=0)

    found = kept_counts(touched, ranks, shows=np.ones(ranks.shape, dtype=bool))

    again = (ranks < found[:, np.newaxis]).any(axis=0)
    mistakes = int((again != touched).sum())
    common = min(int(((ranks.min(axis=0) < cut) != touched).sum()) for cut in range(201))
    assert mistakes <= common
    if len(set(kept)) == 1:
        assert mistakes == 0


@pytest.mark.parametrize("count", [0, 40, 200])
def test_change_that_stands_alone_has_its_edge_in_the_middle_of_what_is_known(count):
    ranks = np.arange(200)[np.newaxis]
    known = ranks % 10 == 0

    found = kept_counts(ranks[0] < count, ranks, shows=known)

    assert abs(int(found[0]) - count) <= 10
