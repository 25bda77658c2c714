"""What the forge builds is mapped whole, and the places found are the right ones."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.evidence.lineage.cells import read_cell
from dokja.evidence.lineage.mapping import map_bodies
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.laundering import launder
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.tensors import ArrayTensors
from dokja.models.forge.zoo.encoders import sighted_config, sighted_start
from dokja.models.weights import open_source

SIZES = {
    "vocabulary": 64,
    "width": 32,
    "layers": 3,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 8,
    "ffn": 48,
}
STRUCTURES = {
    "llama": Structure(family="llama", **SIZES),
    "peri": Structure(family="peri", window=8, **SIZES),
    "gpt2": Structure(family="gpt2", **{**SIZES, "kv_heads": 4, "tied": True}),
    "mixtral": Structure(family="mixtral", experts=4, experts_per_token=2, **SIZES),
    "latent-moe": Structure(
        family="latent-moe",
        experts=8,
        experts_per_token=2,
        expert_ffn=24,
        shared_experts=2,
        dense_layers=1,
        latent=20,
        rope_width=4,
        query_latent=28,
        **{**SIZES, "kv_heads": 4},
    ),
}
SEED = bytes(32)


def stored(tensors, folder):
    folder.mkdir()
    save_file(
        {name: np.ascontiguousarray(v) for name, v in tensors.items()}, folder / "w.safetensors"
    )
    return open_source(folder / "w.safetensors")


def parent(family):
    """A family's weights with gains and biases that tell their places apart."""
    rng = np.random.default_rng(1)
    return {
        name: (values + rng.normal(0, 0.1, values.shape)).astype(np.float32)
        for name, values in initialise(STRUCTURES[family], SEED)
    }


def only_body(source):
    (body,) = map_bodies(source)
    return body


def halves(layer):
    return [half for half in (layer.ffn, *layer.experts) if half is not None]


@pytest.mark.parametrize("family", STRUCTURES)
def test_family_is_mapped_whole(family, tmp_path):
    structure = STRUCTURES[family]
    folder = tmp_path / family
    source = stored(parent(family), folder)
    source.config = structure.config()

    body = only_body(source)

    assert body.unmapped == ()
    assert body.doubts == ()
    assert body.mapped == body.parameters == source.parameters
    assert (body.width, len(body.layers)) == (structure.width, structure.layers)
    assert {(layer.attention.heads, layer.attention.kv_heads) for layer in body.layers} == {
        (structure.heads, structure.kv_heads)
    }
    assert body.tied == structure.tied
    assert body.layer_norm == (family == "gpt2")
    assert {layer.writes_are_normed for layer in body.layers} == {family == "peri"}


def test_encoder_and_projector_of_the_zoo_are_bodies_of_their_own(tmp_path):
    structure = STRUCTURES["llama"]
    source = stored(dict(sighted_start(structure, SEED)), tmp_path / "sighted")
    source.config = sighted_config(structure)

    bodies = map_bodies(source)

    assert [(body.component, body.width, len(body.layers)) for body in bodies] == [
        ("language-body", 32, 3),
        ("projector", 32, 0),
        ("vision-encoder", 32, 2),
    ]
    assert [(body.unmapped, body.doubts) for body in bodies] == [((), ())] * 3


@pytest.mark.parametrize("family", ["llama", "peri", "gpt2", "mixtral"])
def test_order_of_neurons_is_the_order_of_units(family, tmp_path):
    structure, tensors = STRUCTURES[family], parent(family)
    laundered = launder(ArrayTensors(tensors), structure, kinds=["ffn-permutation"], seed=b"1")
    order = laundered.maps["ffn-permutation"]
    before = stored(tensors, tmp_path / "before")
    after = stored(dict(laundered), tmp_path / "after")

    bodies = [only_body(before), only_body(after)]

    for number, layer in enumerate(bodies[0].layers):
        for expert, half in enumerate(halves(layer)):
            group = f"layer {number}" + (f", expert {expert}" if layer.experts else "")
            moved = halves(bodies[1].layers[number])[expert]
            for cell, other in (
                (half.gate, moved.gate),
                (half.up, moved.up),
                (half.down, moved.down),
            ):
                if cell is not None:
                    expected = read_cell(before, cell)[order[group]]
                    assert np.array_equal(read_cell(after, other), expected)


@pytest.mark.parametrize("family", ["llama", "peri", "gpt2", "mixtral"])
def test_order_of_heads_is_the_order_of_their_units(family, tmp_path):
    structure, tensors = STRUCTURES[family], parent(family)
    laundered = launder(ArrayTensors(tensors), structure, kinds=["head-permutation"], seed=b"1")
    order = laundered.maps["head-permutation"]
    before = stored(tensors, tmp_path / "before")
    after = stored(dict(laundered), tmp_path / "after")

    bodies = [only_body(before), only_body(after)]

    for number, (old, new) in enumerate(zip(*(body.layers for body in bodies), strict=True)):
        for role, maps in (("q", "heads"), ("o", "heads"), ("k", "groups"), ("v", "groups")):
            cell = getattr(old.attention, role)
            heads = read_cell(before, cell).reshape(-1, structure.head_width, structure.width)
            expected = heads[order[f"layer {number}, {maps}"]].reshape(-1, structure.width)
            assert np.array_equal(read_cell(after, getattr(new.attention, role)), expected)


def test_order_of_experts_is_the_order_of_the_router(tmp_path):
    structure, tensors = STRUCTURES["mixtral"], parent("mixtral")
    laundered = launder(ArrayTensors(tensors), structure, kinds=["expert-permutation"], seed=b"1")
    before, after = (
        stored(tensors, tmp_path / "before"),
        stored(dict(laundered), tmp_path / "after"),
    )

    old, new = only_body(before).layers[1], only_body(after).layers[1]

    order = laundered.maps["expert-permutation"]["layer 1"]
    assert np.array_equal(read_cell(after, new.router), read_cell(before, old.router)[order])
    for place, expert in enumerate(order):
        assert np.array_equal(
            read_cell(after, new.experts[place].up), read_cell(before, old.experts[expert].up)
        )
