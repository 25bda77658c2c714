"""Merges against slow, obvious twins; adapters; transplants; noise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dokja.errors import TransformError
from dokja.models.forge.transforms import (
    AdapterTerms,
    ArrayTensors,
    Model,
    adapter_config,
    adapter_terms,
    apply,
    items,
    make_adapter,
    merge_adapter,
)
from dokja.models.forge.transforms.merge import dare, slerp, ties, trimmed

VALUES = st.floats(-8, 8, width=16)
THREE = arrays(np.float32, (3, 11), elements=VALUES)


def slow_trimmed(change, density):
    """Keep the largest; of equals the first."""
    by_size = sorted(range(len(change)), key=lambda at: (-abs(change[at]), at))
    kept = by_size[: math.ceil(density * len(change))]
    return [value if at in kept else 0.0 for at, value in enumerate(change)]


def slow_ties(base, tuned, weights, density, scale):
    """Algorithm 1 of arXiv 2306.01708, value by value."""
    changes = [
        slow_trimmed([float(t) - float(b) for t, b in zip(one, base, strict=True)], density)
        for one in tuned
    ]
    merged = []
    for at, start in enumerate(base):
        votes = [(weight, change[at]) for weight, change in zip(weights, changes, strict=True)]
        mass = sum(weight * value for weight, value in votes)
        agreeing = [(w, v) for w, v in votes if v * mass > 0]
        mean = sum(w * v for w, v in agreeing) / sum(w for w, _ in agreeing) if agreeing else 0.0
        merged.append(float(start) + scale * mean)
    return merged


@given(arrays(np.float32, 13, elements=VALUES), st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_trimming_keeps_the_largest(change, density):
    found = trimmed(change, density=density)

    assert found.tolist() == slow_trimmed(change.tolist(), density)


@given(THREE, st.sampled_from([0.2, 0.5, 1.0]), st.sampled_from([0.7, 1.0]))
def test_ties_is_the_algorithm_of_its_paper(tensors, density, scale):
    base, *tuned = tensors

    found = ties(base, tuned, weights=[1.0, 2.0], density=density, scale=scale)

    expected = slow_ties(base, tuned, [1.0, 2.0], density, scale)
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)


@given(arrays(np.float32, (2, 7), elements=VALUES), st.sampled_from([0.0, 0.3, 1.0]))
def test_slerp_walks_the_arc(tensors, share):
    one, other = tensors.astype(float)
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    cosine = one @ other / norms if norms else 1.0

    found = slerp(*tensors, share=share)

    straight = (1 - share) * one + share * other
    expected = straight
    if abs(cosine) <= 0.9995:
        angle = np.arccos(cosine)
        expected = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(
            angle
        )
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_dare_drops_and_rescales():
    base = np.array([1.0, 1.0, 1.0], dtype=np.float32)
    tuned = np.array([2.0, 3.0, 4.0], dtype=np.float32)
    keeps = np.array([True, False, True])

    found = dare(base, [tuned], weights=[0.5], keeps=[keeps], density=0.5)

    assert found.tolist() == [2.0, 1.0, 4.0]


def near(network, *, seed):
    rng = np.random.default_rng(seed)
    weights = {
        name: values + (0.01 * rng.standard_normal(values.shape)).astype(np.float32)
        for name, values in network.weights.items()
    }
    return Model(tensors=ArrayTensors(weights), structure=network.structure, name=f"tuned {seed}")


def test_dare_keeps_the_share_it_says_and_the_mean(networks):
    parent = networks["llama"]
    tuned = near(parent, seed=1)
    step = {"do": "merge", "method": "dare", "with": ["a"], "density": 0.25, "seed": "05"}

    merged = apply(step, [parent.model, tuned])

    name = "model.embed_tokens.weight"
    change = merged.tensors.read(name).astype(float) - parent.weights[name]
    full = tuned.tensors.read(name).astype(float) - parent.weights[name]
    kept = np.abs(change) > 1e-6
    assert abs(kept.mean() - 0.25) < 0.03
    assert np.allclose(change[kept], 4 * full[kept], atol=1e-5)


def test_dare_of_two_models_drops_other_values_of_each(networks):
    parent = networks["llama"]
    zero = {name: values + 1 for name, values in parent.weights.items()}
    twice = [
        Model(tensors=ArrayTensors(zero), structure=parent.structure, name=name) for name in "ab"
    ]
    step = {"do": "merge", "method": "dare", "with": ["a", "b"], "density": 0.5, "seed": "05"}

    merged = apply(step, [parent.model, *twice])

    change = (
        merged.tensors.read("model.embed_tokens.weight")
        - parent.weights["model.embed_tokens.weight"]
    )
    assert sorted({round(float(one), 3) for one in change.ravel()}) == [0.0, 1.0, 2.0]


def test_linear_is_the_weighted_mean(networks, stranger):
    parent = networks["llama"]
    other = Model(tensors=stranger.tensors, structure=stranger.structure, name="stranger")
    step = {"do": "merge", "method": "linear", "with": {"base": "stranger"}, "weights": [7, 3]}

    merged = apply(step, [parent.model, other])

    for name, values in merged:
        expected = 0.7 * parent.weights[name].astype(float) + 0.3 * stranger.weights[name]
        assert np.allclose(values, expected, atol=1e-6)
    assert merged.record.parents == ("parent", "stranger")


def test_ties_of_one_model_at_full_density_is_that_model(networks):
    parent = networks["llama"]
    tuned = near(parent, seed=2)

    merged = apply(
        {"do": "merge", "method": "ties", "with": ["a"], "density": 1.0}, [parent.model, tuned]
    )

    assert max(np.abs(one - tuned.tensors.read(name)).max() for name, one in merged) < 1e-6


def test_unlike_parents_are_told_at_once(networks):
    parent, other = networks["llama"], networks["llama, tied"]
    wider = apply({"do": "vocabulary", "kind": "extend", "add": 1}, [other.model]).model

    with pytest.raises(TransformError) as caught:
        apply({"do": "merge", "method": "linear", "with": ["x"]}, [parent.model, wider])

    assert [one.place for one in caught.value.mistakes] == [
        "tensor lm_head.weight",
        "tensor model.embed_tokens.weight",
    ]


TERMS = AdapterTerms(rank=3, alpha=6.0, targets=("q_proj", "down_proj"))


def adapter_for(network, terms):
    rng = np.random.default_rng(4)
    empty = make_adapter(network.structure, terms, seed=b"adapter")
    return ArrayTensors(
        {name: rng.standard_normal(one.shape).astype(np.float32) for name, one in items(empty)}
    )


def test_a_new_adapter_changes_nothing(networks):
    parent = networks["llama"]
    adapter = make_adapter(parent.structure, AdapterTerms(rank=8, alpha=16.0), seed=b"1")
    first = adapter.read("base_model.model.model.layers.0.mlp.down_proj.lora_A.weight")

    merged = merge_adapter(parent.model, adapter, terms=AdapterTerms(rank=8, alpha=16.0))

    assert all(np.array_equal(one, parent.weights[name]) for name, one in merged)
    assert len(adapter.names) == 2 * 7 * 4
    assert np.abs(first).max() <= 1 / math.sqrt(48)
    assert abs(first.std() - 1 / math.sqrt(3 * 48)) < 0.01


def test_a_merge_adds_the_scaled_product(networks):
    parent = networks["llama"]
    adapter = adapter_for(parent, TERMS)

    merged = dict(merge_adapter(parent.model, adapter, terms=TERMS))

    for name, values in parent.weights.items():
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        expected = values.astype(float)
        if name.endswith(("q_proj.weight", "down_proj.weight")):
            left = adapter.read(f"{stem}.lora_B.weight").astype(float)
            expected = expected + 2.0 * left @ adapter.read(f"{stem}.lora_A.weight")
        assert np.allclose(merged[name], expected, atol=1e-5)


def test_an_adapter_step_takes_the_adapter_as_a_source(networks):
    parent = networks["llama"]
    adapter = adapter_for(parent, TERMS)
    source = Model(tensors=adapter, structure=parent.structure, name="adapter")
    step = {
        "do": "merge-adapter",
        "with": {"base": "adapter"},
        "rank": 3,
        "alpha": 6,
        "targets": ["q_proj", "down_proj"],
    }

    merged = apply(step, [parent.model, source])

    ours = dict(merge_adapter(parent.model, adapter, terms=TERMS))
    assert all(np.array_equal(one, ours[name]) for name, one in merged)
    assert merged.record.parents == ("parent", "adapter")


def test_an_adapter_that_does_not_fit_is_refused_whole(networks):
    parent = networks["llama"]
    arrays_of = dict(items(adapter_for(parent, TERMS)))
    stem = "base_model.model.model.layers"
    del arrays_of[f"{stem}.0.self_attn.q_proj.lora_B.weight"]
    arrays_of[f"{stem}.9.self_attn.q_proj.lora_A.weight"] = np.ones((3, 32), dtype=np.float32)
    arrays_of[f"{stem}.1.self_attn.q_proj.lora_A.weight"] = np.ones((4, 32), dtype=np.float32)

    with pytest.raises(TransformError) as caught:
        merge_adapter(parent.model, ArrayTensors(arrays_of), terms=TERMS)

    assert [one.place for one in caught.value.mistakes] == [
        "module model.layers.0.self_attn.q_proj",
        "module model.layers.1.self_attn.q_proj, lora_A",
        "module model.layers.9.self_attn.q_proj",
    ]


def test_terms_survive_the_config_and_others_are_refused(networks):
    config = adapter_config(TERMS, structure=networks["llama"].structure)

    assert adapter_terms(config) == AdapterTerms(rank=3, alpha=6.0, targets=("down_proj", "q_proj"))
    with pytest.raises(TransformError) as caught:
        adapter_terms({**config, "use_dora": True, "r": 0, "bias": "all"})
    assert [one.place for one in caught.value.mistakes] == ["r", "use_dora", "bias"]


def test_targets_that_are_not_there_are_refused(networks):
    terms = AdapterTerms(rank=0, alpha=1.0, targets=("q_proj", "c_attn"))

    with pytest.raises(TransformError) as caught:
        make_adapter(networks["llama"].structure, terms, seed=b"")

    assert [(one.place, one.read) for one in caught.value.mistakes] == [
        ("rank", "0"),
        ("targets", "c_attn"),
    ]


def test_a_component_is_taken_as_it_is(networks, stranger):
    parent = networks["llama"]
    tower = {
        "vision.a.weight": np.ones((2, 3), np.float32),
        "vision.b.bias": np.ones(3, np.float32),
    }
    own = Model(
        tensors=ArrayTensors({**parent.weights, **tower}), structure=parent.structure, name="vlm"
    )
    theirs = {f"encoder.{name.removeprefix('vision.')}": 2 * one for name, one in tower.items()}
    donor = Model(tensors=ArrayTensors(theirs), structure=stranger.structure, name="donor")
    step = {"do": "transplant", "with": "donor", "prefix": "vision.", "donor_prefix": "encoder."}

    done = apply(step, [own, donor])

    assert done.record.map == {
        "taken": {"vision.a.weight": "encoder.a.weight", "vision.b.bias": "encoder.b.bias"}
    }
    assert done.record.parents == ("vlm", "donor")
    assert all(
        np.array_equal(one, 2 * tower[name] if name in tower else parent.weights[name])
        for name, one in done
    )


def test_a_component_that_does_not_fit_is_refused(networks):
    parent = networks["llama"]
    donor = Model(
        tensors=ArrayTensors(
            {
                "model.layers.0.mlp.up_proj.weight": np.ones((3, 3), np.float32),
                "model.layers.0.more": np.ones(1, np.float32),
            }
        ),
        structure=parent.structure,
        name="donor",
    )

    with pytest.raises(TransformError) as caught:
        apply({"do": "transplant", "with": "d", "prefix": "model.layers.0."}, [parent.model, donor])

    assert len(caught.value.mistakes) == 8 + 2
    assert {one.file for one in caught.value.mistakes} == {"donor"}


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_noise_is_a_share_of_each_tensors_spread(share, networks):
    parent = networks["llama"]
    step = {"do": "noise", "share": share, "seed": "07", "tensors": ["*proj.weight"]}

    noisy = dict(apply(step, [parent.model]))

    name = "model.layers.2.mlp.up_proj.weight"
    change = noisy[name] - parent.weights[name]
    assert abs(change.std() / parent.weights[name].std() / share - 1) < 0.08
    assert np.array_equal(noisy["model.norm.weight"], parent.weights["model.norm.weight"])
    assert noisy["lm_head.weight"].tolist() == parent.weights["lm_head.weight"].tolist()
