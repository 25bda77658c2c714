"""Trimmed and elected changes taken apart, beside a slow twin, rounding, and wrong references."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import NotComparableError
from dokja.models.comparison import (
    MixtureBlock,
    affine_weights,
    elected_change,
    elected_fit,
    untouched_share,
)
from dokja.models.forge.transforms.merge import dare, linear, slerp, ties, trimmed

WITHIN = 0.02

weights_of = st.lists(st.floats(0.1, 1.0), min_size=2, max_size=3)
shares = st.floats(0.1, 1.0)


def rounded(values):
    """Return values as bfloat16 stores them."""
    return values.astype(ml_dtypes.bfloat16).astype(np.float32)


def relatives(rng, *, count, change=0.3, shape=(48, 48)):
    """Return a base and models that were tuned from it and share a part of what they learned."""
    base = rng.standard_normal(shape)
    common = 0.4 * rng.standard_normal(shape)
    tuned = [base + change * (rng.standard_normal(shape) + common) for _ in range(count)]
    return base.astype(np.float32), [one.astype(np.float32) for one in tuned]


def block_of(child, *parents):
    return MixtureBlock(child=child, parents=parents)


def merge(base, tuned, weights, *, density=0.5, scale=1.0):
    return ties(base, tuned, weights=weights, density=density, scale=scale)


def left_of_nearest(fit, block):
    """Return what a fit leaves as a share of what the nearest single model leaves."""
    nearest = min(affine_weights(block, (one,))[1] for one in range(len(block.parents)))
    return 1.0 if fit is None else fit.left_of_child / nearest


def slow_twin(kept, coefficients, form):
    """Elect and average value by value, as one would on paper."""
    found = np.zeros(kept.shape[1:])
    for at in np.ndindex(found.shape):
        values = [float(one[at]) for one in kept]
        weighed = sum(c * v for c, v in zip(coefficients, values, strict=True))
        agree = [(c, v) for c, v in zip(coefficients, values, strict=True) if v * weighed > 0]
        if agree:
            total = sum(c * v for c, v in agree)
            shared = sum(c for c, _ in agree)
            found[at] = total if form == "sum" else sum(coefficients) * total / shared
    return found


@given(st.integers(0, 2**32 - 1), weights_of, st.sampled_from(["mean", "sum"]))
def test_elected_changes_are_those_of_the_slow_twin(seed, weights, form):
    rng = np.random.default_rng(seed)
    shape = (len(weights), 5, 4)
    kept = np.where(rng.random(shape) < 0.7, rng.standard_normal(shape), 0)

    found = elected_change(kept, coefficients=weights, form=form)

    assert found == pytest.approx(slow_twin(kept, weights, form))


def test_elected_changes_are_those_of_the_forge():
    base, tuned = relatives(np.random.default_rng(1), count=3)
    kept = np.stack([trimmed(one.astype(np.float64) - base, density=0.4) for one in tuned])

    found = base + elected_change(kept, coefficients=(0.5, 0.3, 0.2), form="mean")

    assert found.astype(np.float32) == pytest.approx(
        merge(base, tuned, (0.5, 0.3, 0.2), density=0.4), abs=1e-6
    )


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), weights_of, shares, st.floats(0.5, 2.0))
def test_weights_density_and_scale_come_back(seed, weights, density, scale):
    base, tuned = relatives(np.random.default_rng(seed), count=len(weights))
    child = merge(base, tuned, weights, density=density, scale=scale)

    fit = elected_fit([block_of(child, base, *tuned)], 0, tuned=range(1, len(weights) + 1))

    assert fit.form == "mean"
    assert fit.weights == pytest.approx(np.divide(weights, sum(weights)), abs=1e-3)
    assert fit.densities == pytest.approx([density] * len(weights), abs=0.03)
    assert fit.scale == pytest.approx(scale, rel=1e-3)
    assert fit.left < 0.005


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), weights_of, st.floats(0.2, 1.0), st.sampled_from([0.3, 0.03]))
def test_weights_come_back_from_rounded_models(seed, weights, density, change):
    base, tuned = relatives(np.random.default_rng(seed), count=len(weights), change=change)
    base, *tuned = (rounded(one) for one in (base, *tuned))
    child = rounded(merge(base, tuned, weights, density=density))

    fit = elected_fit([block_of(child, base, *tuned)], 0, tuned=range(1, len(weights) + 1), bits=7)

    assert fit.weights == pytest.approx(np.divide(weights, sum(weights)), abs=WITHIN)
    assert fit.left < 0.01 + 2 * fit.rounding


def test_changes_that_were_added_up_are_told_from_their_mean():
    base, tuned = relatives(np.random.default_rng(2), count=2)
    kept = np.stack([trimmed(one.astype(np.float64) - base, density=0.5) for one in tuned])
    child = base + elected_change(kept, coefficients=(0.7, 0.5), form="sum")

    fit = elected_fit([block_of(child.astype(np.float32), base, *tuned)], 0, tuned=(1, 2))

    assert fit.form == "sum"
    assert fit.weights == pytest.approx([7 / 12, 5 / 12], abs=1e-4)
    assert fit.scale == pytest.approx(1.2, abs=1e-4)


def test_each_parent_may_be_trimmed_in_its_own_way():
    base, tuned = relatives(np.random.default_rng(3), count=2)
    kept = np.stack(
        [
            trimmed(one.astype(np.float64) - base, density=density)
            for one, density in zip(tuned, (0.3, 0.7), strict=True)
        ]
    )
    child = base + elected_change(kept, coefficients=(0.6, 0.4), form="mean")

    fit = elected_fit([block_of(child.astype(np.float32), base, *tuned)], 0, tuned=(1, 2))

    assert fit.densities == pytest.approx([0.3, 0.7], abs=0.01)
    assert fit.weights == pytest.approx([0.6, 0.4], abs=1e-3)


def test_tensors_are_trimmed_apart_and_weighed_together():
    rng = np.random.default_rng(4)
    blocks = []
    for density in (0.2, 0.6):
        base, tuned = relatives(rng, count=2)
        blocks.append(block_of(merge(base, tuned, (0.8, 0.2), density=density), base, *tuned))

    fit = elected_fit(blocks, 0, tuned=(1, 2))

    assert fit.weights == pytest.approx([0.8, 0.2], abs=1e-4)
    assert fit.densities == pytest.approx([0.4, 0.4], abs=0.01)


WAYS = {
    "linear": lambda base, a, b, _: linear([base, a, b], weights=[0.2, 0.5, 0.3]),
    "slerp": lambda _, a, b, __: slerp(a, b, share=0.4),
    "dare": lambda base, a, b, rng: dare(
        base, [a, b], weights=[0.6, 0.4], keeps=rng.random((2, *base.shape)) < 0.5, density=0.5
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_other_merges_are_not_explained(way):
    rng = np.random.default_rng(5)
    base, tuned = relatives(rng, count=2)

    block = block_of(WAYS[way](base, *tuned, rng), base, *tuned)
    fit = elected_fit([block], 0, tuned=(1, 2))

    assert left_of_nearest(fit, block) > 0.05


@pytest.mark.parametrize("wrong", ["base", "parent", "sibling base"])
def test_wrong_reference_explains_nothing(wrong):
    rng = np.random.default_rng(6)
    base, tuned = relatives(rng, count=3)
    child = merge(base, tuned[:2], (0.6, 0.4))
    stranger = rng.standard_normal(base.shape).astype(np.float32)
    laid = {
        "base": (stranger, *tuned[:2]),
        "parent": (base, tuned[0], stranger),
        "sibling base": (tuned[2], *tuned[:2]),
    }[wrong]

    block = block_of(child, *laid)
    fit = elected_fit([block], 0, tuned=(1, 2))

    assert left_of_nearest(fit, block) > 0.1


def test_weighted_sum_misses_what_elections_make():
    base, tuned = relatives(np.random.default_rng(7), count=2)
    block = block_of(merge(base, tuned, (0.6, 0.4)), base, *tuned)

    plain, left = affine_weights(block, (0, 1, 2))
    fit = elected_fit([block], 0, tuned=(1, 2))

    assert max(abs(plain[1:] - [0.6, 0.4])) > WITHIN
    assert fit.left_of_child < 0.01 * left


def test_change_that_rounding_swallowed_has_no_weights():
    rng = np.random.default_rng(8)
    base = rounded(rng.uniform(1, 2, (48, 48)))
    tuned = [(base + rng.normal(0, 1e-3, base.shape)).astype(np.float32) for _ in range(2)]
    child = rounded(merge(base, tuned, (0.6, 0.4)))

    assert elected_fit([block_of(child, base, *tuned)], 0, tuned=(1, 2), bits=7) is None


def test_child_that_is_its_base_has_no_weights():
    base, tuned = relatives(np.random.default_rng(9), count=2)

    assert elected_fit([block_of(base, base, *tuned)], 0, tuned=(1, 2)) is None


def test_values_that_were_left_as_they_are_show_the_base():
    base, tuned = relatives(np.random.default_rng(10), count=2)
    stranger, _ = relatives(np.random.default_rng(11), count=0)
    block = block_of(merge(base, tuned, (0.6, 0.4), density=0.3), base, *tuned, stranger)

    found = [untouched_share(block, one) for one in range(4)]

    assert found[0] == pytest.approx(0.7**2, abs=0.1)
    assert found[1:3] == pytest.approx([0.3 * 0.7] * 2, abs=0.1)  # where its change stands alone
    assert found[3] == 0.0


def test_half_precision_has_no_steps_below_its_smallest():
    tiny = np.full((1, 2), 2.0**-24, dtype=np.float32)
    block = block_of(tiny, tiny + np.float32(2.0**-26))

    assert untouched_share(block, 0, bits=10) == 1.0
    assert untouched_share(block, 0, bits=23) == 0.0


@pytest.mark.parametrize(
    ("spoil", "told"), [(np.nan, "not finite"), (None, "every value of the child")]
)
def test_what_cannot_be_compared_is_refused(spoil, told):
    base, tuned = relatives(np.random.default_rng(11), count=2)
    child = np.ones_like(base)
    if spoil is not None:
        child[0, 0] = spoil

    with pytest.raises(NotComparableError, match=told):
        elected_fit([block_of(child, base, *tuned)], 0, tuned=(1, 2))
