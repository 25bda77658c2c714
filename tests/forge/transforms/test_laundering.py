"""Every laundering keeps the network, changes the weights, and is undone where it can be."""

import numpy as np
import pytest

from dokja.errors import TransformError
from dokja.models.forge.laundering import (
    KINDS,
    LaunderingRecord,
    kinds_for,
    launder,
    maps_of,
    unlaunder,
)
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import ArrayTensors, items
from dokja.values import canonical_bytes

LABELS = ("llama", "llama, tied", "peri", "peri, tied", "mixtral", "gpt2", "gpt2, tied")
FAMILY_KINDS = [
    (label, kind)
    for label in LABELS
    for kind in KINDS
    if label.split(",")[0] in KINDS[kind].families
]
LOGITS, LOSS = 1e-4, 1e-6

# What a kind moves, in `llama` and its kin: the centred correlation with the parent is near zero.
STRANGE = {
    "ffn-permutation": ("gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"),
    "head-permutation": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "expert-permutation": ("w1", "w2", "w3", "block_sparse_moe.gate"),
    "value-basis": ("v_proj",),
    "rope-phase": ("q_proj", "k_proj"),
    "swiglu-scale": ("up_proj", "down_proj", "w2", "w3"),
    "rotation": ("embed_tokens", "q_proj", "o_proj", "up_proj", "lm_head"),
    "residual-permutation": ("embed_tokens", "q_proj", "o_proj", "up_proj", "down_proj", "lm_head"),
}


def likeness(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_fixture_was_trained_and_its_gains_are_spread(networks, ids):
    parent = networks["llama"]
    gains = np.concatenate([one for one in parent.weights.values() if one.ndim == 1])

    assert parent.loss(ids) < np.log(61) - 1
    assert 0.4 < np.log(gains).std() < 0.6


@pytest.mark.parametrize(("label", "kind"), FAMILY_KINDS)
def test_network_is_kept_and_weights_are_not(label, kind, networks, net, ids):
    parent = networks[label]

    washed = launder(parent.tensors, parent.structure, kinds=[kind], seed=b"1")

    child = net(washed.tensors, washed.structure)
    changed = [
        name
        for name in parent.weights
        if not np.array_equal(parent.weights[name], child.weights[name])
    ]
    assert np.abs(child.logits(ids) - parent.logits(ids)).max() <= LOGITS
    assert abs(child.loss(ids) - parent.loss(ids)) <= LOSS
    assert len(changed) >= parent.structure.layers * 2
    assert {name: values.shape for name, values in child.weights.items()} == (
        washed.structure.shapes()
    )


@pytest.mark.parametrize("label", LABELS)
def test_network_is_kept_by_all_kinds_together(label, networks, net, ids):
    parent = networks[label]

    washed = launder(parent.tensors, parent.structure, seed=b"all")

    child = net(washed.tensors, washed.structure)
    assert washed.record.kinds == kinds_for(parent.structure)
    assert np.abs(child.logits(ids) - parent.logits(ids)).max() <= LOGITS
    assert abs(child.loss(ids) - parent.loss(ids)) <= LOSS


@pytest.mark.parametrize(
    ("label", "kind"),
    [pair for pair in FAMILY_KINDS if pair[0] in {"llama", "mixtral"} and pair[1] in STRANGE],
)
def test_moved_tensors_no_longer_look_like_their_parent(label, kind, networks):
    parent = networks[label]
    washed = dict(launder(parent.tensors, parent.structure, kinds=[kind], seed=b"2"))

    by_kind = {
        part: [
            likeness(values, washed[name])
            for name, values in parent.weights.items()
            if f"{part}.weight" in name
        ]
        for part in STRANGE[kind]
    }

    # Averaged over layers: tensors of a small network are short, and single ones scatter.
    means = {part: abs(np.mean(found)) for part, found in by_kind.items() if found}
    assert means
    assert max(means.values()) < 0.2


def test_a_rotation_without_its_gains_passes_the_loss_and_not_the_logits(networks, net, ids):
    parent = networks["llama"]
    right = launder(parent.tensors, parent.structure, kinds=["rotation"], seed=b"3")
    turn = right.maps["rotation"]["rotation"]

    # The mistake: readers are rotated, their gains stay where they were.
    wrong = dict(parent.weights)
    for name, values in parent.weights.items():
        if values.ndim == 1:
            continue
        writes = name.endswith(("o_proj.weight", "down_proj.weight"))
        rotated = turn @ values if writes else values @ turn.T
        wrong[name] = rotated.astype(np.float32)

    child = net(ArrayTensors(wrong), parent.structure)
    assert np.abs(child.logits(ids) - parent.logits(ids)).max() > 1000 * LOGITS
    assert abs(child.loss(ids) - parent.loss(ids)) > 1000 * LOSS


def test_a_scale_without_its_epsilon_is_seen(networks, net, ids):
    parent = networks["llama"]
    # Epsilon counts where the residual is small: embeddings as at a start.
    small = {
        name: values * np.float32(0.02) if "embed" in name else values
        for name, values in parent.weights.items()
    }
    before = net(ArrayTensors(small), parent.structure)

    washed = launder(before.tensors, before.structure, kinds=["residual-scale"], seed=b"4")

    right = net(washed.tensors, washed.structure)
    wrong = net(washed.tensors, before.structure)
    assert np.array_equal(right.logits(ids), before.logits(ids))
    assert np.abs(wrong.logits(ids) - before.logits(ids)).max() > LOGITS
    assert set(washed.config_changes) == {"rms_norm_eps"}


@pytest.mark.parametrize(("label", "kind"), FAMILY_KINDS)
def test_what_can_be_undone_is_undone(label, kind, networks):
    parent = networks[label]
    washed = launder(parent.tensors, parent.structure, kinds=[kind], seed=b"5", parent="root")
    record = LaunderingRecord.from_json(washed.record.to_json())
    if not record.invertible:
        with pytest.raises(TransformError, match="kinds that can be undone"):
            unlaunder(washed.tensors, record)
        return

    back = dict(items(unlaunder(washed.tensors, record)))

    largest = max(np.abs(back[name] - values).max() for name, values in parent.weights.items())
    assert back.keys() == parent.weights.keys()
    assert largest == 0 if record.exact else largest < 1e-5


def test_everything_but_rotation_together_is_undone(networks):
    parent = networks["llama"]
    kinds = [kind for kind in kinds_for(parent.structure) if kind != "rotation"]
    washed = launder(parent.tensors, parent.structure, kinds=kinds, seed=b"6")

    back = dict(items(unlaunder(washed.tensors, washed.record)))

    assert max(np.abs(back[name] - one).max() for name, one in parent.weights.items()) < 1e-5


def test_record_stands_for_the_exact_maps_and_the_same_bytes(networks):
    parent = networks["llama"]
    washed = launder(parent.tensors, parent.structure, seed=b"7")
    record = LaunderingRecord.from_json(washed.record.to_json())

    again = launder(parent.tensors, record.structure, kinds=record.kinds, seed=record.seed)
    maps = maps_of(record)

    assert record == washed.record
    assert canonical_bytes(record.to_json())
    assert all(np.array_equal(one, dict(washed)[name]) for name, one in again)
    assert {kind: set(one) for kind, one in maps.items()} == {
        kind: set(one) for kind, one in washed.maps.items()
    }
    assert all(
        np.array_equal(values, washed.maps[kind][name])
        for kind, one in maps.items()
        for name, values in one.items()
    )


def test_the_map_says_where_each_neuron_came_from(networks):
    parent = networks["llama"]
    washed = launder(parent.tensors, parent.structure, kinds=["ffn-permutation"], seed=b"8")
    order = washed.maps["ffn-permutation"]["layer 2"]

    child = dict(washed)

    name = "model.layers.2.mlp.gate_proj.weight"
    assert [child[name][new].tolist() for new in range(48)] == [
        parent.weights[name][old].tolist() for old in order
    ]


def test_leaving_a_kind_out_changes_no_other(networks):
    parent = networks["llama"]
    both = launder(
        parent.tensors, parent.structure, kinds=["ffn-permutation", "residual-scale"], seed=b"9"
    )
    one = launder(parent.tensors, parent.structure, kinds=["ffn-permutation"], seed=b"9")

    assert all(
        np.array_equal(values, both.maps["ffn-permutation"][group])
        for group, values in one.maps["ffn-permutation"].items()
    )


def test_rotation_unties_the_head(networks):
    parent = networks["llama, tied"]

    washed = launder(parent.tensors, parent.structure, kinds=["rotation"], seed=b"10")

    assert washed.config_changes == {"tie_word_embeddings": False}
    assert "lm_head.weight" in washed.tensors.names


def test_mistakes_are_told_at_once(networks):
    parent = networks["peri"]
    short = dict(parent.weights)
    del short["model.norm.weight"]

    with pytest.raises(TransformError) as caught:
        launder(
            ArrayTensors(short),
            parent.structure,
            kinds=["rope-phase", "bleach", "ffn-permutation", "ffn-permutation"],
            seed=b"11",
        )

    assert [(one.place, one.read) for one in caught.value.mistakes] == [
        ("kinds", "'bleach'"),
        ("kinds", "rope-phase for a peri of 4 heads"),
        ("kinds", "rope-phase, bleach, ffn-permutation, ffn-permutation"),
        ("tensor model.norm.weight", "nothing"),
    ]


def test_a_record_that_states_nothing_is_refused(networks):
    said = launder(networks["llama"].tensors, networks["llama"].structure, seed=b"12").record

    for wrong, places in (
        ({"kinds": "all", "seed": 3}, ["kinds", "seed"]),
        ({"kinds": ["bleach", []], "seed": "xy"}, ["kinds", "kinds", "seed"]),
    ):
        with pytest.raises(TransformError) as caught:
            LaunderingRecord.from_json({**said.to_json(), **wrong})
        assert [one.place for one in caught.value.mistakes] == places


def test_a_family_without_axes_is_refused():
    latent = Structure(
        family="latent-moe",
        vocabulary=61,
        width=32,
        layers=2,
        heads=4,
        kv_heads=4,
        head_width=8,
        ffn=48,
        experts=4,
        experts_per_token=2,
        expert_ffn=16,
        shared_experts=1,
        dense_layers=1,
        latent=16,
        rope_width=4,
    )

    assert kinds_for(latent) == ()
