"""Centred correlation beside its slow twin, and what it must not see."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dokja.errors import NotComparableError
from dokja.models.comparison import centred, centred_correlation, direction, gain_likeness

VALUES = st.floats(-1e3, 1e3, allow_nan=False, width=32)
TABLES = arrays("f4", st.tuples(st.integers(2, 6), st.integers(2, 6)), elements=VALUES)


def slowly(child, parent):
    """Pearson's correlation without row and column means, term by term."""

    def remainder(values):
        rows, columns = values.shape
        table = [[float(cell) for cell in row] for row in values]
        of_row = [math.fsum(row) / columns for row in table]
        of_column = [math.fsum(row[j] for row in table) / rows for j in range(columns)]
        of_all = math.fsum(of_row) / rows
        return [
            table[i][j] - of_row[i] - of_column[j] + of_all
            for i in range(rows)
            for j in range(columns)
        ]

    ours, theirs = remainder(child), remainder(parent)
    return math.fsum(a * b for a, b in zip(ours, theirs, strict=True)) / math.sqrt(
        math.fsum(a * a for a in ours) * math.fsum(b * b for b in theirs)
    )


def correlation(child, parent):
    try:
        return centred_correlation(child, parent)
    except NotComparableError:
        assume(False)  # noqa: FBT003 - hypothesis asks it like this
        raise


@given(st.data())
def test_centred_correlation_agrees_with_its_slow_twin(data):
    child = data.draw(TABLES)
    parent = data.draw(arrays("f4", child.shape, elements=VALUES))
    assume(min(np.ptp(centred(child)), np.ptp(centred(parent))) > 1e-2)

    assert correlation(child, parent) == pytest.approx(slowly(child, parent), abs=1e-4)


@given(st.data())
def test_centred_correlation_is_symmetric_and_bounded(data):
    child = data.draw(TABLES)
    parent = data.draw(arrays("f4", child.shape, elements=VALUES))

    there, back = correlation(child, parent), correlation(parent, child)

    assert there == back
    assert -1 <= there <= 1


@given(TABLES, st.floats(0.01, 100), st.data())
def test_centred_correlation_does_not_see_scale_or_levels(child, scale, data):
    assume(np.ptp(centred(child)) > 1)
    rows = data.draw(arrays("f8", (len(child), 1), elements=st.floats(-10, 10)))
    columns = data.draw(arrays("f8", (1, child.shape[1]), elements=st.floats(-10, 10)))

    assert correlation(child, scale * child + rows + columns) == pytest.approx(1, abs=1e-4)
    assert correlation(child, rows + columns - scale * child) == pytest.approx(-1, abs=1e-4)


@given(TABLES)
def test_centring_leaves_no_row_and_no_column_level(values):
    left = centred(values)

    assert np.abs(left.sum(axis=0)).max() < 1e-6
    assert np.abs(left.sum(axis=1)).max() < 1e-6
    assert np.allclose(centred(left), left, atol=1e-9)


def test_centred_correlation_of_copies_is_one_and_of_opposites_minus_one():
    values = np.random.default_rng(1).standard_normal((30, 40)).astype(np.float32)

    assert centred_correlation(values, values) == pytest.approx(1, abs=1e-6)
    assert centred_correlation(values, -values) == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_centred_correlation_of_huge_and_tiny_values_is_exact(scale):
    values = np.random.default_rng(1).standard_normal((30, 40)).astype(np.float32)

    assert centred_correlation(values * np.float32(scale), values) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (np.ones((2, 3)), np.ones((3, 2))),
        (np.zeros((2, 3)), np.eye(2, 3)),
        (np.full((3, 3), 1.25), np.eye(3)),
        (np.array([[np.nan, 1.0], [0.0, 2.0]]), np.eye(2)),
        (np.array([[np.inf, 1.0], [0.0, 2.0]]), np.eye(2)),
        (np.array([3.0]), np.array([4.0])),
        (np.zeros((0, 4)), np.zeros((0, 4))),
    ],
)
def test_tensors_that_cannot_be_compared_are_an_error_and_never_a_number(child, parent):
    with pytest.raises(NotComparableError):
        centred_correlation(child, parent)


def test_direction_is_of_length_one():
    values = np.random.default_rng(1).standard_normal((7, 11)).astype(np.float32)

    assert np.linalg.norm(direction(values)) == pytest.approx(1, abs=1e-6)


def test_gains_of_strangers_look_alike_only_when_they_are_not_centred():
    rng = np.random.default_rng(2026)
    ours, theirs = rng.normal(1, 0.01, (2, 1, 4096)).astype(np.float32)

    raw_cosine = float(ours[0] @ theirs[0] / np.linalg.norm(ours) / np.linalg.norm(theirs))

    assert raw_cosine == pytest.approx(0.9999, abs=1e-4)
    assert abs(gain_likeness(ours, theirs).value) < 4 / math.sqrt(4096)


def test_gains_are_averaged_over_layers_that_vary_in_both():
    child = np.array([[1, 2, 4], [1, 1, 1], [1, 2, 3], [0, 0, 9]], dtype=np.float32)
    parent = np.array([[2, 4, 8], [1, 2, 3], [3, 2, 1]], dtype=np.float32)

    likeness = gain_likeness(child, parent)

    assert likeness.layers == 2
    assert likeness.value == pytest.approx((1 - 1) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (np.ones((2, 3)), np.eye(2, 3)),
        (np.eye(2, 3), np.eye(2, 4)),
        (np.ones(3), np.ones(3)),
        (np.ones((0, 3)), np.ones((0, 3))),
    ],
)
def test_gains_that_cannot_be_compared_are_an_error(child, parent):
    with pytest.raises(NotComparableError):
        gain_likeness(child, parent)
