"""Holm's adjustment beside its slow twin."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.statistics import holm


def slow_twin(p_values):
    """Adjust one by one, as the paper says it: the largest of all smaller ones' multiples."""
    count = len(p_values)
    ranked = sorted(p_values)
    return [
        min(1.0, max((count - place) * ranked[place] for place in range(ranked.index(one) + 1)))
        for one in p_values
    ]


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=8, unique=True))
def test_adjusted_chances_are_those_of_the_slow_twin(p_values):
    adjusted = holm([math.log10(one) for one in p_values])

    assert [10**one for one in adjusted] == pytest.approx(slow_twin(p_values))


@given(st.lists(st.floats(-300, 0), max_size=12))
def test_adjustment_only_raises_a_chance_and_keeps_the_order(log10_p):
    adjusted = holm(log10_p)

    assert all(before - 1e-9 <= after <= 0 for before, after in zip(log10_p, adjusted, strict=True))
    ranked = [adjusted[i] for i in sorted(range(len(log10_p)), key=log10_p.__getitem__)]
    assert ranked == sorted(ranked)
