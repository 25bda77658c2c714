"""Layer tables and maps beside their slow twins."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dokja.errors import NotComparableError
from dokja.models.comparison import (
    LayerTable,
    MapPrices,
    alignment_score,
    chance_of_map,
    direction,
    layer_correlations,
    layer_map,
    mean_table,
)

PRICES = MapPrices(unmatched=0.1, step=0.05, back=0.03)
SMALL = arrays(
    "f8", st.tuples(st.integers(1, 4), st.integers(1, 3)), elements=st.floats(-1, 1, width=16)
)


def full(values):
    values = np.asarray(values, dtype=np.float64)
    filled = np.ones(values.shape, dtype=np.bool_)
    return LayerTable(values=values, filled=filled, roles=filled.astype(np.int64))


def best_by_trying_all(values, prices):
    """Score every path there is; the last state is going with none."""
    layers, none = values.shape

    def score(path):
        total = sum(prices.unmatched if j == none else values[i, j] for i, j in enumerate(path))
        for before, after in pairwise(path):
            if before == after == none or (after == before + 1 and after != none):
                continue
            total -= prices.step
            if after < before and before != none:
                total -= prices.back
        return total

    return max(map(score, product(range(none + 1), repeat=layers)))


@given(SMALL)
def test_map_scores_as_well_as_the_best_of_all_paths(values):
    assert alignment_score(full(values), prices=PRICES) == pytest.approx(
        best_by_trying_all(values, PRICES), abs=1e-9
    )


@pytest.mark.parametrize(
    "path",
    [
        (0, 1, 2, 3),
        (0, 1, 2, 1, 2, 3),
        (0, 0, 1, 1, 2, 2, 3, 3),
        (0, 1, 2, 3, 0, 1, 2, 3),
        (1, 3),
        (3, 2, 1, 0),
    ],
)
@pytest.mark.parametrize("likeness", [0.3, 0.9])
def test_map_of_a_known_edit_is_that_edit(path, likeness):
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.01, (len(path), 4))
    for layer, source in enumerate(path):
        values[layer, source] += likeness

    assert layer_map(full(values), prices=PRICES) == tuple(enumerate(path))


def test_layer_that_goes_with_none_has_no_pair():
    values = [[0.9, 0.0], [0.0, 0.0], [0.0, 0.9]]

    assert layer_map(full(values), prices=PRICES) == ((0, 0), (2, 1))


def test_map_of_strangers_is_empty():
    values = np.random.default_rng(3).normal(0, 0.01, (12, 12))

    assert layer_map(full(values), prices=PRICES) == ()


def test_cells_that_are_not_filled_are_never_mapped():
    table = full(np.full((2, 2), 0.9))
    filled = np.array([[True, False], [False, False]])

    found = layer_map(
        LayerTable(values=table.values, filled=filled, roles=table.roles), prices=PRICES
    )

    assert found == ((0, 0),)


def test_map_of_a_real_edit_is_rare_among_shuffled_tables():
    rng = np.random.default_rng(3)
    values = 0.5 * np.eye(6) + rng.normal(0, 0.01, (6, 6))

    by_chance = chance_of_map(full(values), prices=PRICES, draws=199, rng=rng)

    assert by_chance == 1 / 200


def test_table_is_the_same_pair_by_pair():
    rng = np.random.default_rng(5)
    ours = [direction(rng.standard_normal((6, 7))) for _ in range(3)]
    theirs = [direction(rng.standard_normal((6, 7))) for _ in range(2)]

    table = layer_correlations(ours, theirs)

    slow = [[float(np.corrcoef(a, b)[0, 1]) for b in theirs] for a in ours]
    assert np.allclose(table.values, slow, atol=1e-6)
    assert table.filled.all()


def test_layers_of_unequal_shape_have_no_number():
    rng = np.random.default_rng(5)
    short, long = direction(rng.standard_normal((3, 4))), direction(rng.standard_normal((4, 4)))

    table = layer_correlations([short, None, long], [long, short])

    assert table.filled.tolist() == [[False, True], [False, False], [True, False]]
    assert (table.values[~table.filled] == 0).all()


def test_mean_over_roles_is_over_the_roles_that_a_pair_has():
    first = full([[0.5, 0.1]])
    filled = np.array([[True, False]])
    second = LayerTable(values=np.array([[0.7, 0.0]]), filled=filled, roles=filled.astype(np.int64))

    mean = mean_table([first, second])

    assert np.allclose(mean.values, [[0.6, 0.1]])
    assert mean.roles.tolist() == [[2, 1]]


@settings(deadline=None)
@given(SMALL, SMALL)
def test_mean_table_lies_between_its_roles(first, second):
    if first.shape != second.shape:
        second = np.zeros(first.shape)

    mean = mean_table([full(first), full(second)]).values

    assert (mean >= np.minimum(first, second) - 1e-12).all()
    assert (mean <= np.maximum(first, second) + 1e-12).all()


@pytest.mark.parametrize("tables", [[], [layer_correlations([None], [None])]])
def test_mean_of_nothing_is_an_error(tables):
    with pytest.raises(NotComparableError):
        mean_table(tables)
