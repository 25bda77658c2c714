"""Layers, neurons, heads, widths, experts: what is kept, what is copied, what still computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import TransformError
from dokja.models.forge.transforms import apply
from dokja.models.forge.transforms.layers import overlap_map
from dokja.models.forge.transforms.prune import neuron_sizes
from dokja.models.forge.transforms.sums import steady_sum

LABELS = ("llama", "llama, tied", "peri", "mixtral", "gpt2", "gpt2, tied")


def changed(step, network, net):
    done = apply(step, [network.model])
    child = net(done.tensors, done.structure)
    assert {name: one.shape for name, one in child.weights.items()} == done.structure.shapes()
    return done, child


@given(st.integers(1, 60), st.data())
def test_overlap_keeps_the_first_and_the_last_layers(layers, data):
    drop = data.draw(st.integers(0, layers - 1))

    found = overlap_map(layers, drop=drop)

    expected = [layer for layer in range(layers) if layer < layers - drop]
    expected += [layer for layer in range(layers) if layer >= drop]
    assert found == expected
    assert len(found) == 2 * (layers - drop)


@pytest.mark.parametrize("label", LABELS)
def test_depth_up_scaling_copies_layers_by_its_map(label, networks, net):
    parent = networks[label]

    done, child = changed({"do": "dus", "map": {"kind": "overlap", "drop": 1}}, parent, net)

    assert done.record.map == {"layers": [0, 1, 2, 1, 2, 3]}
    assert child.structure.layers == 6
    stem = "transformer.h" if "gpt2" in label else "model.layers"
    for new, old in enumerate([0, 1, 2, 1, 2, 3]):
        for name, values in parent.weights.items():
            if name.startswith(f"{stem}.{old}."):
                copy = name.replace(f"{stem}.{old}.", f"{stem}.{new}.")
                assert np.array_equal(child.weights[copy], values)


def test_a_list_is_a_map_too(networks, net):
    done, _ = changed({"do": "dus", "map": [0, 0, 3]}, networks["llama"], net)

    assert done.record.to_json()["map"] == {"layers": [0, 0, 3]}


@pytest.mark.parametrize("label", ["llama", "llama, tied", "mixtral", "gpt2"])
def test_zero_blocks_keep_every_bit(label, networks, net, ids):
    parent = networks[label]

    done, child = changed({"do": "zero-blocks", "after": [0, 2, 2]}, parent, net)

    assert done.record.map == {"layers": [0, 0, 1, 2, 2, 2, 3], "zero": [1, 4, 5]}
    assert np.array_equal(child.logits(ids), parent.logits(ids))


def test_zero_blocks_keep_a_peri_when_its_pattern_stays(networks, net, ids):
    parent = networks["peri"]

    _, child = changed({"do": "zero-blocks", "after": [3, 3, 3, 3]}, parent, net)

    assert np.array_equal(child.logits(ids), parent.logits(ids))


def test_zero_blocks_that_shift_the_pattern_are_refused(networks):
    with pytest.raises(TransformError, match="full_attention") as caught:
        apply({"do": "zero-blocks", "after": [0]}, [networks["peri"].model])

    assert [one.read for one in caught.value.mistakes] == [
        "old layer 2, sliding_attention, at the new place 3, full_attention",
        "old layer 3, full_attention, at the new place 4, sliding_attention",
    ]


def test_layers_are_left_out(networks, net, ids):
    parent = networks["llama"]

    done, child = changed({"do": "drop-layers", "layers": [2, 1]}, parent, net)

    name = "model.layers.1.mlp.up_proj.weight"
    assert done.record.map == {"layers": [0, 3]}
    assert np.array_equal(child.weights[name], parent.weights["model.layers.3.mlp.up_proj.weight"])
    assert np.isfinite(child.loss(ids))


@pytest.mark.parametrize("label", LABELS)
def test_largest_neurons_stay(label, networks, net):
    parent = networks[label]

    done, child = changed({"do": "prune-neurons", "share": 0.25}, parent, net)

    assert child.structure.ffn == 36
    for group, kept in done.record.map["neurons"].items():
        sizes = neuron_sizes(parent.tensors, parent.structure, group=group)
        assert kept == sorted(sorted(range(48), key=lambda one, by=sizes: -by[one])[:36])


def test_neuron_sizes_are_products_of_norms(networks):
    weights = networks["llama"].weights
    stem = "model.layers.1.mlp."

    found = neuron_sizes(networks["llama"].tensors, networks["llama"].structure, group="layer 1")

    expected = [
        np.linalg.norm(weights[f"{stem}gate_proj.weight"][one].astype(float))
        * np.linalg.norm(weights[f"{stem}up_proj.weight"][one].astype(float))
        * np.linalg.norm(weights[f"{stem}down_proj.weight"][:, one].astype(float))
        for one in range(48)
    ]
    assert np.allclose(found, expected, rtol=1e-12)


def test_pruned_neurons_are_as_if_they_wrote_zero(networks, net, ids):
    parent = networks["llama"]
    done, child = changed({"do": "prune-neurons", "share": 0.5}, parent, net)

    silent = {name: values.copy() for name, values in parent.weights.items()}
    for layer in range(4):
        gone = sorted(set(range(48)) - set(done.record.map["neurons"][f"layer {layer}"]))
        silent[f"model.layers.{layer}.mlp.down_proj.weight"][:, gone] = 0

    twin = type(parent)(structure=parent.structure, weights=silent)
    assert np.abs(child.logits(ids) - twin.logits(ids)).max() < 1e-4


def test_kept_lists_make_the_same_child(networks, net):
    parent = networks["mixtral"]
    done, child = changed(
        {"do": "prune-neurons", "keep": 5, "criterion": "random", "seed": "0a"}, parent, net
    )

    _, again = changed({"do": "prune-neurons", "kept": done.record.map["neurons"]}, parent, net)

    assert all(np.array_equal(one, again.weights[name]) for name, one in child.weights.items())


@pytest.mark.parametrize("label", ["llama", "peri", "mixtral"])
def test_pruned_heads_are_as_if_nobody_read_them(label, networks, net, ids):
    parent = networks[label]

    done, child = changed({"do": "prune-heads", "groups": [0, 1], "heads": [1]}, parent, net)

    silent = {name: values.copy() for name, values in parent.weights.items()}
    for layer in range(4):
        mixed = silent[f"model.layers.{layer}.self_attn.o_proj.weight"].reshape(32, 4, 8)
        mixed[:, [0, 2]] = 0
    twin = type(parent)(structure=parent.structure, weights=silent)
    assert done.record.map == {"query_heads": [1, 3], "kv_heads": [0, 1]}
    assert (child.structure.heads, child.structure.kv_heads) == (2, 2)
    assert np.abs(child.logits(ids) - twin.logits(ids)).max() < 1e-4


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "sizes",
    [
        {"ffn": 61, "seed": "01"},
        {"width_times": 2, "heads_times": 2},
        {"width_times": 3, "heads_times": 3, "ffn": 96, "seed": "02"},
    ],
    ids=str,
)
def test_a_wider_network_computes_the_same(label, sizes, networks, net, ids):
    parent = networks[label]

    done, child = changed({"do": "grow", **sizes}, parent, net)

    assert done.record.keeps_function
    assert child.structure.ffn == sizes.get("ffn", 48)
    assert np.abs(child.logits(ids) - parent.logits(ids)).max() <= 1e-4


def test_heads_of_gpt2_grow_with_its_width(networks):
    with pytest.raises(TransformError, match="the heads of gpt2 fill its width"):
        apply({"do": "grow", "width_times": 2}, [networks["gpt2"].model])


@pytest.mark.parametrize("label", ["llama", "llama, tied"])
def test_experts_that_are_copies_compute_the_same(label, networks, net, ids):
    parent = networks[label]

    done, child = changed(
        {"do": "upcycle", "experts": 4, "experts_per_token": 2, "seed": "01"}, parent, net
    )

    routers = [values for name, values in child.weights.items() if "moe.gate" in name]
    assert done.record.keeps_function
    assert np.abs(child.logits(ids) - parent.logits(ids)).max() <= 1e-4
    assert abs(np.std(routers) - 0.02) < 0.003
    assert not np.array_equal(routers[0], routers[1])


def test_perturbed_experts_differ_from_each_other(networks, net):
    step = {"do": "upcycle", "experts": 2, "experts_per_token": 1, "seed": "01", "perturb": 0.1}

    done, child = changed(step, networks["llama"], net)

    stem = "model.layers.0.block_sparse_moe.experts"
    dense = networks["llama"].weights["model.layers.0.mlp.gate_proj.weight"]
    noise = child.weights[f"{stem}.0.w1.weight"] - dense
    other = child.weights[f"{stem}.1.w1.weight"] - dense
    assert not done.record.keeps_function
    assert abs(noise.std() / dense.std() - 0.1) < 0.01
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=70))
def test_steady_sums_are_sums(values):
    assert abs(float(steady_sum(np.array(values))) - sum(values)) <= 1e-9 * sum(map(abs, values))


@pytest.mark.parametrize(
    ("step", "places"),
    [
        ({"do": "dus", "map": [0, 4, -1]}, ["map"]),
        ({"do": "dus", "map": [0, 4, 9]}, ["map", "map"]),
        ({"do": "dus", "map": {"kind": "overlap", "drop": 4}}, ["map.drop"]),
        ({"do": "drop-layers", "layers": [0, 1, 2, 3]}, ["layers"]),
        ({"do": "prune-neurons", "keep": 49}, ["keep"]),
        ({"do": "prune-neurons", "kept": {"layer 0": [0]}}, ["kept"]),
        ({"do": "prune-heads", "groups": [2], "heads": [0, 0]}, ["groups", "heads"]),
        ({"do": "grow", "ffn": 47}, ["ffn"]),
        (
            {"do": "upcycle", "experts": 2, "experts_per_token": 3, "seed": "01"},
            ["experts_per_token"],
        ),
    ],
    ids=str,
)
def test_mistakes_are_told_by_place(step, places, networks):
    with pytest.raises(TransformError) as caught:
        apply(step, [networks["llama"].model])

    assert [one.place for one in caught.value.mistakes] == places
