"""What a structure says, held against what transformers writes to disk."""

import importlib
import json
import math

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from dokja.models.forge.structures import FAMILIES, Structure

pytestmark = pytest.mark.torch

SIZES = {
    "vocabulary": 64,
    "width": 32,
    "layers": 3,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 8,
    "ffn": 48,
    "positions": 128,
}
LATENT = {
    "kv_heads": 4,
    "experts": 4,
    "experts_per_token": 2,
    "expert_ffn": 16,
    "shared_experts": 2,
    "dense_layers": 1,
    "latent": 16,
    "rope_width": 4,
}
STRUCTURES = {
    "llama": Structure(family="llama", **SIZES),
    "llama, tied": Structure(family="llama", **SIZES, tied=True),
    "llama, wide heads": Structure(family="llama", **{**SIZES, "head_width": 16}, rope_theta=5e5),
    "gpt2": Structure(family="gpt2", **{**SIZES, "kv_heads": 4}, tied=True),
    "gpt2, untied": Structure(family="gpt2", **{**SIZES, "kv_heads": 4}),
    "mixtral": Structure(family="mixtral", **SIZES, experts=3, experts_per_token=2),
    "latent-moe": Structure(family="latent-moe", **{**SIZES, **LATENT}),
    "latent-moe, compressed queries": Structure(
        family="latent-moe", **{**SIZES, **LATENT}, query_latent=12, value_width=6
    ),
}


@pytest.fixture(scope="module")
def transformers():
    return importlib.import_module("transformers")


def saved_by_transformers(transformers, structure, folder):
    """Return model and folder after transformers made, from our config, a model and saved it."""
    (folder / "config.json").write_text(json.dumps(structure.config()), encoding="utf-8")
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, structure.config()["architectures"][0])(config)
    model.save_pretrained(folder / "saved")
    return model, folder / "saved"


def stored_shapes(folder):
    with safe_open(folder / "model.safetensors", "np") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.offset_keys()}


@pytest.mark.parametrize("name", STRUCTURES)
def test_shapes_are_those_that_transformers_writes(name, tmp_path, transformers):
    structure = STRUCTURES[name]

    model, folder = saved_by_transformers(transformers, structure, tmp_path)

    assert stored_shapes(folder) == structure.shapes()
    assert sum(tensor.numel() for tensor in model.parameters()) == structure.parameters()


@pytest.mark.parametrize("name", STRUCTURES)
def test_config_that_transformers_writes_is_read_back(name, tmp_path, transformers):
    _, folder = saved_by_transformers(transformers, STRUCTURES[name], tmp_path)

    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))

    assert Structure.from_config(written) == STRUCTURES[name]


@pytest.mark.parametrize("name", STRUCTURES)
def test_weights_of_these_shapes_load_into_transformers_whole(name, tmp_path, transformers):
    structure, rng = STRUCTURES[name], np.random.default_rng(5)
    weights = {
        tensor: rng.standard_normal(shape, dtype=np.float32)
        for tensor, shape in structure.shapes().items()
    }
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(structure.config()), encoding="utf-8")

    model, told = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, output_loading_info=True
    )
    model.save_pretrained(tmp_path / "again")

    assert {kind: list(names) for kind, names in told.items() if names} == {}
    with safe_open(tmp_path / "again" / "model.safetensors", "np") as file:
        assert all(np.array_equal(file.get_tensor(tensor), weights[tensor]) for tensor in weights)


def test_every_family_but_our_own_is_tested_here():
    tested = {structure.family for structure in STRUCTURES.values()}

    assert tested | {"peri"} == set(FAMILIES)


def test_peri_is_llama_with_four_norms_more_in_a_layer():
    peri = Structure(family="peri", **SIZES, window=8)
    more = peri.shapes().keys() - STRUCTURES["llama"].shapes().keys()

    assert sorted(more)[:4] == [
        "model.layers.0.post_mlp_norm.weight",
        "model.layers.0.post_self_attn_norm.weight",
        "model.layers.0.self_attn.k_norm.weight",
        "model.layers.0.self_attn.q_norm.weight",
    ]
    assert sum(math.prod(peri.shapes()[name]) for name in more) == 3 * (2 * 32 + 2 * 8)
