from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics import Total, rank_sets


def bounds(team, low, high, error=0.0):
    return Total(team=team, estimate=None, low=low, high=high, standard_error=error)


def test_two_teams_need_the_two_sided_normal_quantile(total):
    totals = [total("garam", 75.0, 1.0), total("narae", 70.0, 2.0)]

    found = rank_sets(totals, level=0.95, draws=200_000, seed=4)

    assert found.critical_value == pytest.approx(NormalDist().inv_cdf(0.975), abs=0.015)
    assert [(r.team, r.best, r.worst) for r in found.teams] == [("garam", 1, 1), ("narae", 2, 2)]


def test_five_equal_errors_need_the_studentised_range(total):
    totals = [total(f"team-{i}", 70.0, 1.5) for i in range(5)]

    found = rank_sets(totals, level=0.95, draws=200_000, seed=4)

    # Published: the .95 quantile of the studentised range of 5 at infinite df is 3.858.
    assert found.critical_value * 2**0.5 == pytest.approx(3.858, abs=0.02)
    assert [(r.best, r.worst) for r in found.teams] == [(1, 5)] * 5


def test_bounds_are_compared_at_their_unfavourable_ends():
    totals = [bounds("lg", 90.15, 90.25), bounds("nc", 40.0, 60.0), bounds("skt", 60.0, 89.0)]

    found = rank_sets(totals, level=0.95, draws=10, seed=1)

    assert found.critical_value is None
    assert [(r.team, r.best, r.worst) for r in found.teams] == [
        ("lg", 1, 1),
        ("nc", 2, 3),
        ("skt", 2, 3),
    ]


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan")])
def test_a_level_outside_its_range_is_refused(total, level):
    with pytest.raises(ValueError, match="level"):
        rank_sets([total("garam", 70.0, 1.0)], level=level, draws=10, seed=1)


def test_an_unknown_team_has_no_rank_set(total):
    found = rank_sets([total("garam", 70.0, 1.0)], level=0.9, draws=10, seed=1)

    with pytest.raises(KeyError):
        found.of("maru")


rows = st.lists(
    st.tuples(st.floats(40, 90), st.floats(0, 4), st.floats(0, 10)), min_size=1, max_size=6
)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_a_rank_set_holds_the_rank_of_the_estimates(values):
    totals = [bounds(f"t{i}", v, v + w, error) for i, (v, error, w) in enumerate(values)]

    found = rank_sets(totals, level=0.95, draws=200, seed=1)

    for ranks, (value, _, width) in zip(found.teams, values, strict=True):
        above = sum(other > value + width for other, _, _ in values)
        not_below = sum(other + wide >= value for other, _, wide in values)
        assert 1 <= ranks.best <= above + 1
        assert not_below <= ranks.worst <= len(values)


@settings(max_examples=30, deadline=None)
@given(rows, st.floats(1.0, 3.0))
def test_more_error_never_narrows_a_rank_set(values, factor):
    sure = [bounds(f"t{i}", v, v, 1.0) for i, (v, _, _) in enumerate(values)]
    unsure = [bounds(f"t{i}", v, v, factor) for i, (v, _, _) in enumerate(values)]

    narrow = rank_sets(sure, level=0.9, draws=500, seed=1)
    wide = rank_sets(unsure, level=0.9, draws=500, seed=1)

    for less, more in zip(narrow.teams, wide.teams, strict=True):
        assert more.best <= less.best
        assert less.worst <= more.worst


def test_coverage_no_pair_is_called_wrongly_too_often(total):
    # All teams are equal in truth: any certain difference is wrong.
    random = Random(8)  # noqa: S311 - a simulation, no secret
    wrong = 0
    for _ in range(400):
        totals = [total(f"t{i}", random.gauss(70, 2.0), 2.0) for i in range(5)]
        found = rank_sets(totals, level=0.9, draws=5_000, seed=1)
        wrong += any((r.best, r.worst) != (1, 5) for r in found.teams)

    assert 0.05 <= wrong / 400 <= 0.15
