"""Affine fits beside their slow twin, and parents that are chosen from a crowd."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import NotComparableError
from dokja.models.comparison import MixtureBlock, affine_weights, choose_parents


def crowd(rng, *, count=4, shape=(24, 16)):
    return tuple(rng.standard_normal(shape).astype(np.float32) for _ in range(count))


def slow_twin(child, parents):
    """Solve the same by Lagrange's multiplier on the normal equations."""
    sides = np.stack([one.astype(np.float64).ravel() for one in parents], axis=1)
    count = sides.shape[1]
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = sides.T @ sides
    system[count, :count] = system[:count, count] = 1
    wanted = np.append(sides.T @ child.astype(np.float64).ravel(), 1.0)
    return np.linalg.solve(system, wanted)[:count]


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_weights_are_those_of_the_slow_twin_and_add_up_to_one(seed, count):
    rng = np.random.default_rng(seed)
    parents = crowd(rng, count=count)
    (child,) = crowd(rng, count=1)

    weights, left = affine_weights(MixtureBlock(child=child, parents=parents), range(count))

    assert weights.sum() == pytest.approx(1)
    assert weights == pytest.approx(slow_twin(child, parents), abs=1e-6)
    fitted = sum(w * p.astype(np.float64) for w, p in zip(weights, parents, strict=True))
    assert left == pytest.approx(
        np.sum((child - fitted) ** 2) / np.sum((child - child.mean()) ** 2)
    )


def test_parents_are_chosen_from_a_crowd_of_strangers():
    rng = np.random.default_rng(3)
    blocks = []
    for _ in range(5):
        parents = crowd(rng)
        blocks.append(MixtureBlock(child=0.6 * parents[2] + 0.4 * parents[0], parents=parents))

    choice = choose_parents(blocks, least_fall=0.3, rng=rng)

    assert choice.parents == (2, 0)
    assert choice.left[1] < 1e-10 < choice.left[0]
    assert choice.twins[0] > 0.5 * choice.left[0]


def test_shrunk_parent_is_no_mixture_with_a_stranger():
    """A stranger can take the place of what was lost, and its scrambled twin can as well."""
    rng = np.random.default_rng(4)
    parents = crowd(rng, count=2)
    blocks = [MixtureBlock(child=0.5 * parents[0], parents=parents)]

    choice = choose_parents(blocks, least_fall=0.3, rng=rng)

    assert choice.parents == (0,)


def test_noise_of_its_own_makes_no_further_parent():
    rng = np.random.default_rng(5)
    parents = crowd(rng, count=3)
    noise = crowd(rng, count=1)[0]

    choice = choose_parents(
        [MixtureBlock(child=parents[1] + 0.2 * noise, parents=parents)], least_fall=0.3, rng=rng
    )

    assert choice.parents == (1,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_value_that_is_no_number_is_refused(value):
    parents = crowd(np.random.default_rng(1), count=2)
    child = parents[0].copy()
    child[0, 0] = value

    with pytest.raises(NotComparableError, match="not finite"):
        affine_weights(MixtureBlock(child=child, parents=parents), (0, 1))


def test_child_that_does_not_vary_is_refused():
    parents = crowd(np.random.default_rng(1), count=2)

    with pytest.raises(NotComparableError, match="every value of the child is the same"):
        affine_weights(MixtureBlock(child=np.ones((24, 16)), parents=parents), (0, 1))


def test_no_blocks_are_refused():
    with pytest.raises(NotComparableError, match="no tensor"):
        choose_parents([], least_fall=0.3, rng=np.random.default_rng(1))
