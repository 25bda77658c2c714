"""Signatures that no change of coordinates touches, and turns found from them; grids."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.models.comparison import (
    LayerSpace,
    agreement,
    free_basis,
    grid_of,
    mean_forms,
    polar,
    residual_forms,
    signatures,
    units_of,
)

WIDTH, NEURONS = 24, 60


def orthogonal(seed):
    return polar(np.random.default_rng(seed).standard_normal((WIDTH, WIDTH)))


def layer(seed, *, gated=True):
    """Make a layer whose neurons differ in length and lie unevenly in space, as trained ones do."""
    rng = np.random.default_rng(seed)
    axes = rng.lognormal(0, 0.7, WIDTH)
    parts = [
        rng.standard_normal((NEURONS, WIDTH)) * axes * rng.lognormal(0, 0.4, (NEURONS, 1))
        for _ in range(3)
    ]
    heads = rng.standard_normal((2, WIDTH, WIDTH))
    return (parts if gated else [None, *parts[1:]]), {"qk": heads[0] * axes, "ov": heads[1]}


def space(parts, forms):
    units = units_of(*parts)
    return LayerSpace(units=units, forms=residual_forms(units, others=forms))


def rewritten(made, *, seed, noise=0.0):
    """Turn the residual stream, re-order neurons, change scales and signs, add noise."""
    (gate, up, down), forms = made
    rng = np.random.default_rng(seed)
    turn, order = orthogonal(1), rng.permutation(NEURONS)
    scale = rng.choice([-2.0, 0.5], (NEURONS, 1)) if gate is not None else np.ones((NEURONS, 1))
    parts = [gate, scale * up, down / scale]
    turned = [
        None
        if part is None
        else (part + noise * part.std() * rng.standard_normal(part.shape))[order] @ turn
        for part in parts
    ]
    return space(turned, {k: turn.T @ form @ turn for k, form in forms.items()}), order


@pytest.mark.parametrize("gated", [True, False])
def test_signature_stays_when_stream_order_and_scales_change(gated):
    made = layer(5, gated=gated)
    plain = space(*made)
    other, order = rewritten(made, seed=3)

    ours = signatures(plain, mean_forms([plain]))
    theirs = signatures(other, mean_forms([other]))

    assert np.abs(theirs - ours[order]).max() < 0.05
    assert np.abs(ours).max() <= 6.0
    assert ours.std(axis=0).min() > 0.3  # it does tell neurons apart


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_turn_is_found_without_any_known_rows_and_shows_a_layer_it_never_saw(gated, noise):
    model = [layer(seed, gated=gated) for seed in (1, 2, 3)]
    parent = [space(*made) for made in model]
    child = [rewritten(made, seed=9, noise=noise)[0] for made in model]

    found = free_basis(child[:2], parent)

    assert found is not None
    unseen = agreement(child[2].units, parent[2].units.turned(found.turn))
    assert unseen.share > 0.9
    assert agreement(child[2].units, parent[1].units.turned(found.turn)).share < 0.1


def test_strangers_agree_on_nothing_in_a_layer_that_the_turn_never_saw():
    ours = [space(*layer(seed)) for seed in (1, 2, 3)]
    theirs = [space(*layer(seed)) for seed in (11, 12, 13)]

    found = free_basis(ours[:2], theirs)

    shares = [agreement(ours[2].units, other.units.turned(found.turn)).share for other in theirs]
    assert max(shares) <= 0.05


def test_turning_a_layer_turns_neurons_and_forms():
    plain = space(*layer(4))
    turn = orthogonal(6)

    turned = plain.turned(turn)

    assert np.allclose(turned.units.up, plain.units.up @ turn, atol=1e-5)
    made_anew = residual_forms(turned.units)
    assert np.allclose(turned.forms["up-down"], made_anew["up-down"], atol=1e-4)


def weights(seed, shape=(8, 128)):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@given(st.integers(0, 2**32 - 1))
def test_weights_that_were_not_rounded_stand_on_no_grid(seed):
    assert grid_of(weights(seed)) is None


@pytest.mark.parametrize(("group", "most", "name"), [(128, 127, "int8"), (32, 7, "int4")])
def test_whole_steps_of_a_group_are_a_grid(group, most, name):
    values = weights(1).reshape(-1, group)
    step = np.abs(values).max(axis=1, keepdims=True) / most

    rounded = (np.rint(values / step) * step).astype(np.float32).reshape(8, 128)

    assert grid_of(rounded) == name


def test_numbers_of_four_bits_times_a_scale_are_a_grid():
    values = weights(1)
    scale = np.abs(values).max() / 448

    rounded = (values / scale).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) * scale

    assert grid_of(rounded) == "float8"


def test_bfloat16_is_no_grid_and_too_few_values_say_nothing():
    assert grid_of(weights(1).astype(ml_dtypes.bfloat16).astype(np.float32)) is None
    assert grid_of(np.ones((2, 5))) is None
    assert grid_of(np.zeros((2, 64))) is None
