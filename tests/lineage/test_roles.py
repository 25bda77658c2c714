"""Names propose roles: the common ways to name tensors, and names that nobody knows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.lineage import ComponentSpec, inventory
from dokja.evidence.lineage.roles import Sort, component_role, tensor_role


@pytest.mark.parametrize(
    ("name", "layer", "role"),
    [
        ("model.layers.7.self_attn.q_proj.weight", 7, "q"),
        ("language_model.model.layers.0.self_attn.k_proj.weight", 0, "k"),
        ("transformer.h.11.attn.c_attn.weight", 11, "qkv"),
        ("transformer.h.11.attn.c_proj.weight", 11, "o"),
        ("transformer.h.11.mlp.c_proj.weight", 11, "down"),
        ("transformer.h.11.mlp.c_fc.weight", 11, "up"),
        ("gpt_neox.layers.3.attention.query_key_value.weight", 3, "qkv"),
        ("gpt_neox.layers.3.attention.dense.weight", 3, "o"),
        ("gpt_neox.layers.3.mlp.dense_4h_to_h.weight", 3, "down"),
        ("layers.5.attention.wo.weight", 5, "o"),
        ("layers.5.feed_forward.w1.weight", 5, "gate"),
        ("visual.blocks.2.attn.qkv.weight", 2, "qkv"),
        ("visual.blocks.2.mlp.fc1.weight", 2, "up"),
        ("model.layers.4.mlp.gate.weight", 4, "router"),
        ("model.layers.4.mlp.gate_up_proj.weight", 4, "gate_up"),
        ("encoder.layer.1.output.dense.weight", 1, "down"),
        ("encoder.layer.1.attention.output.dense.weight", 1, "o"),
    ],
)
def test_matrix_of_a_common_name_has_its_role(name, layer, role):
    place = tensor_role(name, axes=2)

    assert (place.layer, place.role, place.sort) == (layer, role, Sort.MATRIX)


@pytest.mark.parametrize(
    ("name", "axes", "role", "sort"),
    [
        ("model.embed_tokens.weight", 2, "embedding", Sort.EMBEDDING),
        ("transformer.wte.weight", 2, "embedding", Sort.EMBEDDING),
        ("lm_head.weight", 2, "head", Sort.EMBEDDING),
        ("model.layers.0.input_layernorm.weight", 1, "norm_attention", Sort.GAIN),
        ("transformer.h.0.ln_2.weight", 1, "norm_ffn", Sort.GAIN),
        ("transformer.h.0.ln_2.bias", 1, "ln_2.bias", Sort.LEVEL),
        ("model.norm.weight", 1, "norm", Sort.GAIN),
        ("model.layers.0.self_attn.q_proj.bias", 1, "self_attn.q_proj.bias", Sort.LEVEL),
        ("transformer.wpe.weight", 2, "transformer.wpe", Sort.FORMULA),
        (
            "vision_tower.position_embedding.weight",
            2,
            "vision_tower.position_embedding",
            Sort.FORMULA,
        ),
        (
            "model.layers.0.self_attn.rotary_emb.inv_freq",
            1,
            "self_attn.rotary_emb.inv_freq",
            Sort.FORMULA,
        ),
        ("multi_modal_projector.linear_1.weight", 2, "linear_1", Sort.MATRIX),
        ("mm_projector.0.weight", 2, "mm_projector.0", Sort.MATRIX),
    ],
)
def test_tensor_of_another_sort_is_told_apart(name, axes, role, sort):
    place = tensor_role(name, axes=axes)

    assert (place.role, place.sort) == (role, sort)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("model.layers.0.mlp.up_proj.weight", "language-body"),
        ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight", "vision-encoder"),
        ("visual.blocks.0.attn.qkv.weight", "vision-encoder"),
        ("visual.merger.mlp.0.weight", "projector"),
        ("model.mm_projector.0.weight", "projector"),
        ("audio_tower.layers.0.fc1.weight", "audio-encoder"),
        ("base_model.model.layers.0.self_attn.q_proj.lora_A.weight", "adapter"),
    ],
)
def test_component_is_told_by_the_name(name, role):
    assert component_role(name) == role


@given(st.text(max_size=40), st.integers(0, 4))
def test_any_name_has_a_place(name, axes):
    place = tensor_role(name, axes=axes)

    assert (place.layer is None) == (place.stack == "")


def test_number_with_more_digits_than_any_depth_is_no_layer():
    assert tensor_role("layers." + "9" * 5000 + ".w", axes=2).layer is None


def test_experts_of_one_layer_keep_their_own_names(toys):
    model = {
        f"model.layers.0.mlp.experts.{number}.up_proj.weight": np.ones((4, 4), dtype=np.float32)
        for number in range(3)
    }

    (body,) = inventory(toys.store(model)).components

    assert sorted(body.layers[0]) == [f"mlp.experts.{n}.up_proj.weight" for n in range(3)]


def test_longer_of_two_declared_prefixes_counts(toys):
    declared = {
        "body": ComponentSpec(role="language-body", tensors=("",)),
        "eyes": ComponentSpec(role="vision-encoder", tensors=("vision_tower.",)),
        "words": ComponentSpec(role="tokenizer", tensors=()),
    }

    found = inventory(toys.store(toys.model(1) | toys.encoder(2)), components=declared)

    assert [(held.component, len(held.layers)) for held in found.components] == [
        ("body", 3),
        ("eyes", 2),
    ]
    assert found.unclaimed == ()
