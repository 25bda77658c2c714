"""Fused projections come apart as the networks that use them take them apart."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.evidence.lineage.cells import read_cell
from dokja.evidence.lineage.mapping import map_bodies
from dokja.models.weights import open_source

D, N, G, H, F, E = 24, 6, 2, 5, 32, 3
RNG = np.random.default_rng(5)


def drawn(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def opened(tensors, config, folder):
    save_file({n: np.ascontiguousarray(v) for n, v in tensors.items()}, folder / "w.safetensors")
    source = open_source(folder / "w.safetensors")
    source.config = {"hidden_size": D, "num_attention_heads": N, "head_dim": H, **config}
    (body,) = map_bodies(source)
    assert (body.unmapped, body.doubts) == ((), ())
    return source, body.layers[0]


def parts(groups):
    """Return queries, keys and values by head, shape (heads, head width, width)."""
    return drawn(N, H, D), drawn(groups, H, D), drawn(groups, H, D)


def rows(heads):
    return heads.reshape(-1, D)


def concatenated(q, k, v):
    return np.concatenate([rows(q), rows(k), rows(v)])


def woven(q, k, v):
    """Every head's query, key and value after each other, as views of (heads, 3, width) are."""
    return rows(np.stack([q, k, v], axis=1).reshape(-1, H, D))


def by_group(q, k, v):
    """Every group's queries, then its key and its value: views of (groups, queries + 2, width)."""
    grouped = q.reshape(len(k), -1, H, D)
    return rows(np.concatenate([grouped, k[:, None], v[:, None]], axis=1))


@pytest.mark.parametrize(
    ("place", "fused", "out", "groups", "lay"),
    [
        ("model.layers.0.self_attn", "qkv_proj", "o_proj", G, concatenated),
        ("model.layers.0.self_attn", "W_pack", "o_proj", N, concatenated),
        ("transformer.blocks.0.attn", "Wqkv", "out_proj", N, concatenated),
        ("visual.blocks.0.attn", "qkv", "proj", N, concatenated),
        (
            "transformer.encoder.layers.0.self_attention",
            "query_key_value",
            "dense",
            G,
            concatenated,
        ),
        ("gpt_neox.layers.0.attention", "query_key_value", "dense", N, woven),
        ("transformer.h.0.self_attention", "query_key_value", "dense", N, woven),
        ("transformer.h.0.self_attention", "query_key_value", "dense", G, by_group),
        ("transformer.h.0.self_attention", "query_key_value", "dense", 1, concatenated),
        ("model.layers.0.attention", "wqkv", "wo", G, by_group),
    ],
)
def test_fused_attention_comes_apart(place, fused, out, groups, lay, tmp_path):
    q, k, v = parts(groups)
    o = drawn(D, N * H)
    tensors = {f"{place}.{fused}.weight": lay(q, k, v), f"{place}.{out}.weight": o}

    source, layer = opened(tensors, {"num_key_value_heads": groups}, tmp_path)

    found = layer.attention
    assert (found.heads, found.kv_heads) == (N, groups)
    for cell, expected in ((found.q, q), (found.k, k), (found.v, v)):
        assert np.array_equal(read_cell(source, cell), rows(expected))
    assert np.array_equal(read_cell(source, found.o), o.T)


def test_transposed_attention_comes_apart(tmp_path):
    q, k, v = drawn(D, D), drawn(D, D), drawn(D, D)
    o, up, down = drawn(D, D), drawn(D, F), drawn(F, D)
    tensors = {
        "h.0.attn.c_attn.weight": np.concatenate([q, k, v], axis=1),
        "h.0.attn.c_proj.weight": o,
        "h.0.mlp.c_fc.weight": up,
        "h.0.mlp.c_proj.weight": down,
    }

    source, layer = opened(tensors, {"head_dim": None}, tmp_path)

    found = [layer.attention.q, layer.attention.k, layer.attention.v, layer.attention.o]
    cells = [*found, layer.ffn.up, layer.ffn.down]
    for cell, expected in zip(cells, (q.T, k.T, v.T, o, up.T, down), strict=True):
        assert np.array_equal(read_cell(source, cell), expected)


def test_query_and_its_gate_come_apart(tmp_path):
    q, gate, k = drawn(N, H, D), drawn(N, H, D), drawn(G * H, D)
    place = "model.layers.0.self_attn"
    tensors = {
        f"{place}.q_proj.weight": rows(np.concatenate([q, gate], axis=1)),
        f"{place}.k_proj.weight": k,
        f"{place}.v_proj.weight": drawn(G * H, D),
        f"{place}.o_proj.weight": drawn(D, N * H),
    }

    source, layer = opened(tensors, {}, tmp_path)

    assert np.array_equal(read_cell(source, layer.attention.q), rows(q))
    assert np.array_equal(read_cell(source, layer.mixers["attention_gate"]), rows(gate))


@pytest.mark.parametrize(
    ("place", "fused", "out"),
    [
        ("model.layers.0.mlp", "gate_up_proj", "down_proj"),
        ("transformer.encoder.layers.0.mlp", "dense_h_to_4h", "dense_4h_to_h"),
    ],
)
def test_fused_gate_and_up_come_apart(place, fused, out, tmp_path):
    gate, up, down = drawn(F, D), drawn(F, D), drawn(D, F)
    tensors = {
        f"{place}.{fused}.weight": np.concatenate([gate, up]),
        f"{place}.{out}.weight": down,
    }

    source, layer = opened(tensors, {}, tmp_path)

    for cell, expected in zip(
        (layer.ffn.gate, layer.ffn.up, layer.ffn.down), (gate, up, down.T), strict=True
    ):
        assert np.array_equal(read_cell(source, cell), expected)


@pytest.mark.parametrize(
    ("family", "transposed", "alternates"),
    [("qwen3_moe", False, False), ("llama4_text", True, False), ("gpt_oss", True, True)],
)
def test_stack_of_experts_comes_apart(family, transposed, alternates, tmp_path):
    gate, up, down = drawn(E, F, D), drawn(E, F, D), drawn(E, D, F)
    fused = np.concatenate([gate, up], axis=1)
    if alternates:
        fused = np.stack([gate, up], axis=2).reshape(E, 2 * F, D)
    turn = (0, 2, 1) if transposed else (0, 1, 2)
    place = "model.layers.0.mlp"
    tensors = {
        f"{place}.gate.weight": drawn(E, D),
        f"{place}.experts.gate_up_proj": fused.transpose(turn),
        f"{place}.experts.down_proj": down.transpose(turn),
    }

    source, layer = opened(tensors, {"model_type": family}, tmp_path)

    assert len(layer.experts) == E
    for number, expert in enumerate(layer.experts):
        assert np.array_equal(read_cell(source, expert.gate), gate[number])
        assert np.array_equal(read_cell(source, expert.up), up[number])
        assert np.array_equal(read_cell(source, expert.down), down[number].T)


def test_experts_below_each_other_come_apart(tmp_path):
    gate, up, down = drawn(E, F, D), drawn(E, F, D), drawn(E, F, D)
    place = "transformer.blocks.0.ffn"
    tensors = {
        f"{place}.router.layer.weight": drawn(E, D),
        f"{place}.experts.mlp.w1": gate.reshape(-1, D),
        f"{place}.experts.mlp.v1": up.reshape(-1, D),
        f"{place}.experts.mlp.w2": down.reshape(-1, D),
    }

    source, layer = opened(tensors, {}, tmp_path)

    for number, expert in enumerate(layer.experts):
        assert np.array_equal(read_cell(source, expert.gate), gate[number])
        assert np.array_equal(read_cell(source, expert.up), up[number])
        assert np.array_equal(read_cell(source, expert.down), down[number])


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("feed_forward.w1", "feed_forward.w3", "feed_forward.w2"), id="Llama"),
        pytest.param(("mlp.c_fc_0", "mlp.c_fc_1", "mlp.c_proj"), id="EXAONE 3"),
        pytest.param(("mlp.w2", "mlp.w1", "mlp.c_proj"), id="Qwen"),
    ],
)
def test_names_of_gated_blocks_say_which_is_the_gate(names, tmp_path):
    gate, up, down = drawn(F, D), drawn(F, D), drawn(D, F)
    place = "transformer.h.0"
    tensors = {
        f"{place}.{name}.weight": values
        for name, values in zip(names, (gate, up, down), strict=True)
    }

    source, layer = opened(tensors, {}, tmp_path)

    assert np.array_equal(read_cell(source, layer.ffn.gate), gate)
    assert np.array_equal(read_cell(source, layer.ffn.up), up)
    assert np.array_equal(read_cell(source, layer.ffn.down), down.T)


def test_latent_attention_has_the_sizes_that_its_shapes_solve(tmp_path):
    latent, rotated, plain, value = 16, 4, 6, 7
    place = "model.layers.0.self_attn"
    tensors = {
        f"{place}.kv_a_proj_with_mqa.weight": drawn(latent + rotated, D),
        f"{place}.kv_a_layernorm.weight": drawn(latent),
        f"{place}.kv_b_proj.weight": drawn(N * (plain + value), latent),
        f"{place}.q_proj.weight": drawn(N * (plain + rotated), D),
        f"{place}.o_proj.weight": drawn(D, N * value),
    }

    source, layer = opened(tensors, {"head_dim": None, "num_attention_heads": None}, tmp_path)

    found = layer.attention.latent
    assert layer.attention.heads == N
    assert (found.latent, found.rotated, found.plain, found.value) == (
        latent,
        rotated,
        plain,
        value,
    )
    assert np.array_equal(read_cell(source, found.kv_up), tensors[f"{place}.kv_b_proj.weight"])
    assert found.kv_norm.gain == f"{place}.kv_a_layernorm.weight"
