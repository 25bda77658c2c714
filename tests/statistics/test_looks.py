import math
from random import Random
from statistics import NormalDist

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import NotComparableError
from dokja.evidence.statistics import planned_looks
from dokja.evidence.statistics.looks import (
    Stop,
    error_spent,
    information,
    look_boundaries,
    z_of_t,
)

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
THIRDS = (1 / 3, 2 / 3, 1.0)


# Constants printed for this spending function (design/measurement 5.6).
@pytest.mark.parametrize(
    ("fractions", "alpha", "printed"),
    [
        (FIFTHS, 0.025, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        (THIRDS, 0.05, [3.2001, 2.1408, 1.6948]),
        (FIFTHS, 0.05, [4.2292, 2.8881, 2.2981, 1.9618, 1.7397]),
    ],
)
def test_boundaries_are_the_printed_constants(fractions, alpha, printed):
    assert look_boundaries(fractions, alpha=alpha) == pytest.approx(printed, abs=1e-3)


def test_one_look_is_the_plain_quantile():
    assert look_boundaries((1.0,), alpha=0.05)[0] == pytest.approx(NormalDist().inv_cdf(0.95))


def slow_second_boundary(first, share, error):
    """Find the second of two boundaries on a fine lattice of first sums, by trial."""
    width = 1e-3
    places = np.arange(-9 * math.sqrt(share), first * math.sqrt(share), width) + width / 2
    masses = np.exp(-(places**2) / (2 * share)) / math.sqrt(2 * math.pi * share) * width
    low, high = 0.0, 9.0
    for _ in range(40):
        middle = (low + high) / 2
        beyond = [
            math.erfc((middle - at) / math.sqrt(2 * (1 - share))) / 2 for at in places.tolist()
        ]
        low, high = (middle, high) if float(masses @ beyond) > error else (low, middle)
    return high


@pytest.mark.parametrize(("share", "alpha"), [(0.5, 0.05), (0.7, 0.025)])
def test_the_second_boundary_equals_its_slow_twin(share, alpha):
    first, second = look_boundaries((share, 1.0), alpha=alpha)

    error = alpha - error_spent(share, alpha=alpha)
    assert second == pytest.approx(slow_second_boundary(first, share, error), abs=1e-4)


def test_a_contrast_of_nothing_stops_as_rarely_as_was_promised():
    rng, looks = np.random.default_rng(11), planned_looks(THIRDS, alpha_clear=0.05, alpha_fail=0.1)
    steps = rng.standard_normal((200_000, 3)) * math.sqrt(1 / 3)
    z = np.cumsum(steps, axis=1) / np.sqrt(THIRDS)

    clears = (z >= looks.clears_from).any(axis=1).mean()
    fails = (z <= looks.fails_from).any(axis=1).mean()

    assert clears == pytest.approx(0.05, abs=0.002)
    assert fails == pytest.approx(0.1, abs=0.003)


def test_looking_five_times_without_a_plan_would_err_nearly_three_times_as_often():
    rng = np.random.default_rng(12)
    z = np.cumsum(rng.standard_normal((100_000, 5)), axis=1) / np.sqrt(np.arange(1, 6))

    assert (z >= NormalDist().inv_cdf(0.95)).any(axis=1).mean() > 0.12


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4, unique=True).filter(
        lambda found: min(np.diff(sorted(found)), default=1) > 0.02
    ),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_more_looks_never_make_the_last_one_easier(fractions, alpha):
    bounds = look_boundaries((*sorted(fractions), 1.0), alpha=alpha)

    assert bounds[-1] >= look_boundaries((1.0,), alpha=alpha)[0] - 1e-9
    assert all(early > 0 for early in bounds)


def test_a_look_says_what_it_allows():
    looks = planned_looks([0.5, 1.0], alpha_clear=0.05, alpha_fail=0.05)

    early, sure, low = (looks.at(0.5, z=z) for z in (2.0, 2.6, -2.6))

    assert (early.says, sure.says, low.says) == (Stop.GO_ON, Stop.CLEARS, Stop.DOES_NOT_CLEAR)
    assert (early.may_stop, sure.may_stop, low.may_stop) == (False, True, True)
    assert (sure.number, sure.planned) == (1, 0.5)
    assert sure.spent_clear == pytest.approx(0.005575 / 0.05, abs=1e-4)
    assert looks.at(1.0, z=1.0).spent_clear == pytest.approx(1.0)


def test_a_look_that_nobody_planned_is_refused():
    looks = planned_looks([0.5, 1.0])

    with pytest.raises(NotComparableError, match=r"registered are 0\.5, 1"):
        looks.at(0.6, z=9.0)
    with pytest.raises(NotComparableError):
        looks.at(math.nan, z=9.0)
    with pytest.raises(ValueError, match="number"):
        looks.at(0.5, z=math.nan)


def test_a_t_statistic_enters_as_the_z_of_equal_p():
    for t, df in [(2.0, 5), (-3.1, 44), (12.0, 3), (0.0, 7)]:
        equal = float(scipy.stats.norm.isf(scipy.stats.t.sf(t, df)))
        assert z_of_t(t, df=df) == pytest.approx(equal, abs=1e-9)
    assert z_of_t(math.inf, df=5) == math.inf


def test_information_is_the_ratio_of_squared_errors():
    assert information(0.02, error_at_end=0.01) == pytest.approx(0.25)
    assert information(0.009, error_at_end=0.01) == 1.0
    with pytest.raises(ValueError, match="above 0"):
        information(0.0, error_at_end=0.01)


@pytest.mark.parametrize(
    "fractions", [(), (0.5,), (0.5, 0.4, 1.0), (0.0, 1.0), (0.5, 0.5, 1.0), (0.5, 1.1)]
)
def test_fractions_that_do_not_rise_to_one_are_refused(fractions):
    with pytest.raises(ValueError, match="rise"):
        look_boundaries(fractions, alpha=0.05)


@pytest.mark.parametrize(("fraction", "alpha"), [(0.0, 0.05), (1.1, 0.05), (0.5, 0.5), (0.5, 0.0)])
def test_error_outside_its_range_is_refused(fraction, alpha):
    with pytest.raises(ValueError, match="spent"):
        error_spent(fraction, alpha=alpha)


def test_the_error_spent_rises_to_the_whole():
    random = Random(3)  # noqa: S311 - any fractions
    fractions = sorted(random.random() for _ in range(20))

    spent = [error_spent(fraction, alpha=0.05) for fraction in fractions]

    assert spent == sorted(spent)
    assert error_spent(1.0, alpha=0.05) == pytest.approx(0.05)
