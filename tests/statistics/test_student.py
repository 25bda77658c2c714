import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.statistics import student_quantile, student_share_below

# One-sided quantiles as printed in tables of Student's t (Fisher and Yates; Pearson and Hartley).
PUBLISHED = [
    (0.95, 1, 6.314),
    (0.975, 1, 12.706),
    (0.975, 2, 4.303),
    (0.975, 3, 3.182),
    (0.975, 4, 2.776),
    (0.975, 5, 2.571),
    (0.95, 6, 1.943),
    (0.975, 6, 2.447),
    (0.99, 9, 2.821),
    (0.975, 10, 2.228),
    (0.975, 13, 2.160),
    (0.995, 15, 2.947),
    (0.975, 20, 2.086),
    (0.975, 30, 2.042),
    (0.95, 44, 1.680),
    (0.975, 60, 2.000),
    (0.9995, 60, 3.460),
    (0.975, 120, 1.980),
]


@pytest.mark.parametrize(("share", "df", "printed"), PUBLISHED)
def test_quantile_equals_the_printed_table(share, df, printed):
    assert student_quantile(share, df=df) == pytest.approx(printed, abs=0.0005)


def slow_share_below(t, df):
    """Integrate the density from 0 by Simpson's rule."""
    steps = 2_000
    width = t / steps
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    heights = [(1 + (k * width) ** 2 / df) ** (-(df + 1) / 2) for k in range(steps + 1)]
    weights = [1, *([4, 2] * (steps // 2))[:-1], 1]
    return 0.5 + scale * width / 3 * math.fsum(h * w for h, w in zip(heights, weights, strict=True))


@pytest.mark.parametrize("df", [1, 2, 3.7, 5, 13, 44, 335.5, 5_000])
@pytest.mark.parametrize("t", [-6.0, -1.5, -0.2, 0.0, 0.7, 2.0, 4.5])
def test_share_below_equals_its_integral(t, df):
    assert student_share_below(t, df=df) == pytest.approx(slow_share_below(t, df), abs=1e-9)


def closed_share_below(t, df):
    """Sum the finite series for whole degrees of freedom (Abramowitz and Stegun 26.7.3, 26.7.4)."""
    angle = math.atan(t / math.sqrt(df))
    cosine, sine = math.cos(angle), math.sin(angle)
    if df % 2:
        term, total = cosine, cosine if df > 1 else 0.0
        for k in range(3, df - 1, 2):
            term *= cosine**2 * (k - 1) / k
            total += term
        return 0.5 + (angle + sine * total) / math.pi
    term = total = 1.0
    for k in range(2, df - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 0.5 + sine * total / 2


@given(st.floats(-30, 30), st.integers(1, 60))
def test_share_below_equals_its_closed_form(t, df):
    assert student_share_below(t, df=df) == pytest.approx(closed_share_below(t, df), abs=1e-12)


@given(st.floats(0.001, 0.999), st.floats(0.7, 1e5))
def test_quantile_is_the_inverse_of_the_share(share, df):
    assert student_share_below(student_quantile(share, df=df), df=df) == pytest.approx(share)


@given(st.floats(0.51, 0.999), st.integers(1, 200))
def test_quantile_lies_beyond_the_normal_one_and_nears_it(share, df):
    normal = NormalDist().inv_cdf(share)

    few, more = student_quantile(share, df=df), student_quantile(share, df=2 * df)

    assert few > more > normal


def test_quantile_of_many_degrees_is_normal():
    assert student_quantile(0.975, df=1e7) == pytest.approx(NormalDist().inv_cdf(0.975), abs=1e-6)


def test_share_below_has_its_limits():
    assert student_share_below(math.inf, df=3) == 1.0
    assert student_share_below(-math.inf, df=3) == 0.0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, math.nan])
def test_quantile_outside_the_shares_is_refused(share):
    with pytest.raises(ValueError, match="quantile"):
        student_quantile(share, df=3)


@pytest.mark.parametrize(("t", "df"), [(math.nan, 3), (1.0, 0), (1.0, -2), (1.0, math.nan)])
def test_share_below_without_sense_is_refused(t, df):
    with pytest.raises(ValueError, match="share below"):
        student_share_below(t, df=df)
