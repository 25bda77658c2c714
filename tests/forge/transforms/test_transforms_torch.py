# ruff: noqa: PLC0415  # the plain environment, which collects this file too, has no torch
"""Held against peft and transformers: merged adapters, up-cycled experts, FP8, our slow twins."""

import json

import numpy as np
import pytest

from dokja.models.forge.laundering import launder
from dokja.models.forge.transforms import (
    AdapterTerms,
    ArrayTensors,
    Model,
    adapter_terms,
    apply,
    items,
    make_adapter,
    merge_adapter,
    write_adapter,
    write_folder,
)

pytestmark = [
    pytest.mark.torch,
    # Libraries of others warn of their own future on import and on loading.
    pytest.mark.filterwarnings("ignore"),
]


def opened(folder):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def theirs(folder, ids):
    import torch

    with torch.no_grad():
        return opened(folder)(torch.tensor(ids)).logits.numpy()


@pytest.mark.parametrize("label", ["llama", "llama, tied", "mixtral", "gpt2", "gpt2, tied"])
def test_slow_twins_compute_what_transformers_computes(label, networks, ids, tmp_path):
    parent = networks[label]
    write_folder(parent.tensors, tmp_path / "model", config=parent.structure.config())

    logits = theirs(tmp_path / "model", ids)

    assert np.abs(logits - parent.logits(ids)).max() < 1e-4


def test_upcycled_folder_computes_what_the_dense_one_did(networks, ids, tmp_path):
    parent = networks["llama"]
    step = {"do": "upcycle", "experts": 4, "experts_per_token": 2, "seed": "01"}
    sparse = apply(step, [parent.model])
    write_folder(parent.tensors, tmp_path / "dense", config=parent.structure.config())
    write_folder(sparse.tensors, tmp_path / "sparse", config=sparse.config())

    dense_logits, sparse_logits = theirs(tmp_path / "dense", ids), theirs(tmp_path / "sparse", ids)

    # As a share of the logits, which are large in this fixture.
    assert np.abs(sparse_logits - dense_logits).max() <= 1e-5 * np.abs(dense_logits).max()


@pytest.mark.parametrize("label", ["llama", "gpt2"])
def test_merge_equals_merge_and_unload_of_peft(label, networks, tmp_path):
    from peft import PeftModel

    parent = networks[label]
    targets = ("q_proj", "down_proj") if label == "llama" else ("c_attn", "c_fc")
    terms = AdapterTerms(rank=4, alpha=12.0, targets=targets)
    rng = np.random.default_rng(3)
    adapter = ArrayTensors(
        {
            name: (rng.standard_normal(values.shape) * 0.1).astype(np.float32)
            for name, values in items(make_adapter(parent.structure, terms, seed=b"1"))
        }
    )
    write_folder(parent.tensors, tmp_path / "base", config=parent.structure.config())
    write_adapter(adapter, tmp_path / "adapter", terms=terms, structure=parent.structure)

    ours = dict(merge_adapter(parent.model, adapter, terms=terms))
    merged = PeftModel.from_pretrained(opened(tmp_path / "base"), tmp_path / "adapter")
    state = merged.merge_and_unload().state_dict()

    assert max(np.abs(state[name].numpy() - values).max() for name, values in ours.items()) < 1e-6
    assert any(not np.array_equal(values, parent.weights[name]) for name, values in ours.items())


def test_adapter_that_peft_wrote_is_merged(networks, tmp_path):
    from peft import LoraConfig, get_peft_model
    from safetensors.numpy import load_file

    parent = networks["llama"]
    write_folder(parent.tensors, tmp_path / "base", config=parent.structure.config())
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"
    )
    with_adapter = get_peft_model(opened(tmp_path / "base"), config)
    for name, values in with_adapter.named_parameters():
        if "lora_B" in name:
            values.data.fill_(0.01)
    with_adapter.save_pretrained(tmp_path / "adapter")

    terms = adapter_terms(json.loads((tmp_path / "adapter/adapter_config.json").read_text()))
    adapter = ArrayTensors(load_file(tmp_path / "adapter/adapter_model.safetensors"))
    ours = dict(merge_adapter(parent.model, adapter, terms=terms))
    state = with_adapter.merge_and_unload().state_dict()

    assert terms == AdapterTerms(rank=4, alpha=8.0, targets=("q_proj", "v_proj"))
    assert max(np.abs(state[name].numpy() - values).max() for name, values in ours.items()) < 1e-6


@pytest.mark.parametrize("label", ["llama", "llama, tied", "mixtral", "gpt2"])
def test_laundered_folder_computes_the_same_in_transformers(label, networks, ids, tmp_path):
    parent = networks[label]
    washed = launder(parent.tensors, parent.structure, seed=b"torch")
    config = {**parent.structure.config(), **washed.config_changes}
    write_folder(parent.tensors, tmp_path / "parent", config=parent.structure.config())
    write_folder(washed.tensors, tmp_path / "child", config=config)

    difference = theirs(tmp_path / "child", ids) - theirs(tmp_path / "parent", ids)

    assert np.abs(difference).max() <= 1e-4


@pytest.mark.parametrize(
    "step",
    [
        {"do": "dus", "map": {"kind": "overlap", "drop": 1}},
        {"do": "prune-neurons", "share": 0.25},
        {"do": "prune-heads", "groups": [1], "heads": [0]},
        {"do": "grow", "width_times": 2, "heads_times": 2, "ffn": 60, "seed": "01"},
        {"do": "vocabulary", "kind": "extend", "add": 7},
    ],
    ids=lambda step: step["do"],
)
def test_changed_structures_open_in_transformers(step, networks, net, ids, tmp_path):
    changed = apply(step, [networks["llama"].model])
    write_folder(changed.tensors, tmp_path / "model", config=changed.config())

    logits = theirs(tmp_path / "model", ids)

    ours = net(changed.tensors, changed.structure).logits(ids)
    assert np.abs(logits - ours).max() < 1e-4


def test_fp8_codes_are_those_of_torch(networks):
    import torch

    parent = networks["llama"]
    stored = apply({"do": "quantise", "scheme": "fp8-block", "form": "stored"}, [parent.model])
    name = "model.layers.1.mlp.up_proj.weight"

    scale = np.abs(parent.weights[name]).max() / np.float32(448)
    expected = torch.tensor(parent.weights[name] / scale).to(torch.float8_e4m3fn)

    codes = stored.tensors.read(name).view(np.uint8)
    assert np.array_equal(codes, expected.view(torch.uint8).numpy())
    assert stored.tensors.read(f"{name}_scale_inv").tolist() == [[scale]]


def test_slerp_of_models_matches_torch(networks, stranger):
    import torch

    one, other = networks["llama"], stranger
    models = [one.model, Model(tensors=other.tensors, structure=other.structure, name="other")]
    merged = apply({"do": "merge", "method": "slerp", "with": ["other"], "share": 0.3}, models)
    name = "model.layers.0.self_attn.q_proj.weight"

    left, right = (torch.tensor(net.weights[name]).double() for net in (one, other))
    angle = torch.arccos((left * right).sum() / left.norm() / right.norm())
    expected = (torch.sin(0.7 * angle) * left + torch.sin(0.3 * angle) * right) / torch.sin(angle)

    assert np.abs(merged.tensors.read(name) - expected.numpy()).max() < 1e-6
