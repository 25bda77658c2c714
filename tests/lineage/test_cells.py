"""Cells are read as slices of whole tensors would be, and no more than they need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dokja.evidence.lineage.bodies import Cell
from dokja.evidence.lineage.cells import read_cell
from dokja.models.weights import open_source

RNG = np.random.default_rng(3)
TENSORS = {
    "rows": RNG.standard_normal((12, 5)).astype(np.float32),
    "columns": RNG.standard_normal((5, 12)).astype(np.float32),
    "experts": RNG.standard_normal((3, 12, 5)).astype(np.float32),
    "turned experts": RNG.standard_normal((3, 5, 12)).astype(np.float32),
    "patches": RNG.standard_normal((5, 3, 2, 2)).astype(np.float32),
    "positions": RNG.standard_normal((1, 12, 5)).astype(np.float32),
}
PLAIN = {
    "rows": TENSORS["rows"],
    "columns": TENSORS["columns"].T,
    "experts": TENSORS["experts"][1],
    "turned experts": TENSORS["turned experts"][1].T,
    "patches": TENSORS["patches"].reshape(5, 12).T,
    "positions": TENSORS["positions"][0],
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "w.safetensors"
    save_file(TENSORS, path)
    return path


@pytest.fixture(scope="module")
def source(file):
    return open_source(file)


def cell(name, *, units=12, picks=()):
    return Cell(
        tensor=name,
        units=units,
        residual=5,
        turned=name in {"columns", "turned experts", "patches"},
        picks=picks,
        expert=1 if "experts" in name else None,
    )


@pytest.mark.parametrize("name", TENSORS)
def test_whole_cell_is_the_tensor_as_units_by_residual(source, name):
    values = read_cell(source, cell(name))

    assert (values.dtype, values.shape) == (np.float32, (12, 5))
    assert np.array_equal(values, PLAIN[name])


@given(data=st.data(), name=st.sampled_from(sorted(TENSORS)))
def test_units_are_read_in_the_order_asked_for(source, data, name):
    bounds = sorted(data.draw(st.sets(st.integers(0, 12), min_size=2, max_size=6)))
    ranges = data.draw(st.permutations(list(zip(bounds[:-1:2], bounds[1::2], strict=False))))
    picked = np.concatenate([PLAIN[name][start:stop] for start, stop in ranges])
    wanted = cell(name, units=len(picked), picks=tuple(ranges))
    units = data.draw(st.lists(st.integers(0, len(picked) - 1), max_size=8))

    values = read_cell(source, wanted, np.array(units, dtype=np.int64))

    assert np.array_equal(values, picked[units].reshape(-1, 5))
    assert np.array_equal(read_cell(source, wanted), picked)


def test_rows_that_were_not_asked_for_are_not_read(file):
    source = open_source(file)

    read_cell(source, cell("rows"), np.array([7, 2, 3, 2]))

    assert source.bytes_read == 3 * 5 * 4


def test_one_expert_is_read_of_a_stack(file):
    source = open_source(file)

    read_cell(source, cell("experts"), np.array([0]))

    assert source.bytes_read == 12 * 5 * 4


@pytest.mark.parametrize("unit", [-1, 4])
def test_unit_that_is_not_there_is_an_error(source, unit):
    part = cell("rows", units=4, picks=((0, 2), (6, 8)))

    with pytest.raises(IndexError, match="rows has 4 units here"):
        read_cell(source, part, np.array([0, unit]))
