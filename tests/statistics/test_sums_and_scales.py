import math
from random import Random
from statistics import NormalDist, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.statistics import sum_of, to_best
from dokja.values import Estimate, IntervalKind, Missing


def sampled(value, error, *, rests_on=()):
    half = NormalDist().inv_cdf(0.975) * error
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        level=0.95,
        standard_error=error,
        rests_on=rests_on,
    )


def rounded(value, half=0.05):
    return Estimate(
        value=value, low=value - half, high=value + half, level=1, kind=IntervalKind.ROUNDING
    )


def exact(value):
    return Estimate(value=value, low=value, high=value, level=1, kind=IntervalKind.EXACT)


def test_sampling_errors_add_as_squares():
    found = sum_of(
        [sampled(30, 3, rests_on=(("items", 9),)), sampled(20, 4, rests_on=(("items", 1),))],
        level=0.95,
    )

    assert (found.value, found.standard_error) == (50, 5)
    assert found.high - found.value == pytest.approx(5 * 1.959964, abs=1e-5)
    assert found.rests_on == (("items", 10),)
    assert found.kind is IntervalKind.SAMPLING


def test_roundings_add_as_they_are():
    found = sum_of([rounded(33.6), rounded(31.6), exact(25.0)], level=0.95)

    assert (found.low, found.high) == (pytest.approx(90.1), pytest.approx(90.3))
    assert (found.kind, found.level, found.standard_error) == (IntervalKind.ROUNDING, 1, None)


def test_a_rounding_widens_a_sampled_sum_beyond_its_error():
    found = sum_of([sampled(10, 1), rounded(20)], level=0.95)

    assert found.high - found.value == pytest.approx(1.959964 + 0.05, abs=1e-5)
    assert found.standard_error == 1


def test_an_unpublished_error_is_read_off_the_interval():
    silent = Estimate(value=10, low=8, high=12, level=0.95)

    assert sum_of([silent], level=0.95).standard_error == pytest.approx(2 / 1.959964, abs=1e-6)


def test_a_sum_is_cut_at_its_scale_and_says_so():
    found = sum_of([sampled(39, 1)], level=0.95, scale=(0, 40))

    assert (found.high, found.method) == (40, "sum, cut at the scale")


def test_nothing_adds_up_to_nothing():
    with pytest.raises(ValueError, match="at least one part"):
        sum_of([], level=0.95)


parts = st.lists(st.tuples(st.floats(0, 20), st.floats(0, 3)), min_size=1, max_size=5)


@given(parts, st.randoms())
def test_the_order_of_parts_changes_nothing(rows, random):
    estimates = [sampled(*row) for row in rows]
    shuffled = list(estimates)
    random.shuffle(shuffled)

    assert sum_of(shuffled, level=0.9) == sum_of(estimates, level=0.9)


def test_shares_of_the_best_equal_a_direct_simulation():
    figures = {"garam": (30.0, 1.0), "narae": (29.0, 2.0), "maru": (15.0, 1.5)}
    random = Random(1)  # noqa: S311 - a simulation, no secret
    drawn = {team: [] for team in figures}
    for _ in range(20_000):
        row = {team: random.gauss(*figure) for team, figure in figures.items()}
        for team, value in row.items():
            drawn[team].append(value / max(row.values()))

    found = to_best(
        {team: sampled(*figure) for team, figure in figures.items()},
        level=0.95,
        draws=20_000,
        seed=1,
    )

    for team, (value, _) in figures.items():
        assert found[team].value == pytest.approx(value / 30.0)
        assert found[team].standard_error == pytest.approx(stdev(drawn[team]), rel=0.05)


def test_a_best_that_is_nothing_cannot_be_divided_by():
    found = to_best({"garam": exact(0.0)}, level=0.95, draws=10, seed=1)

    assert isinstance(found["garam"], Missing)


def test_a_figure_below_zero_has_no_share():
    with pytest.raises(ValueError, match="at least 0"):
        to_best({"garam": exact(-1.0)}, level=0.95, draws=10, seed=1)


@given(st.lists(st.floats(0.1, 40), min_size=1, max_size=6))
def test_the_best_has_all_and_shares_keep_the_order(values):
    found = to_best(
        {f"t{i}": exact(value) for i, value in enumerate(values)}, level=0.95, draws=2, seed=1
    )

    shares = [found[f"t{i}"].value for i in range(len(values))]
    assert max(shares) == 1.0
    assert sorted(range(len(values)), key=lambda i: values[i]) == sorted(
        range(len(values)), key=lambda i: (shares[i], values[i])
    )
    assert all(math.isfinite(share) for share in shares)
