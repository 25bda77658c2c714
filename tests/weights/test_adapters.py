"""An adapter says what it adds, and one that does more than add is refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from dokja.errors import WeightsError
from dokja.models.weights import Access, open_adapter

MODULE = "base_model.model.model.layers.0.self_attn.q_proj"
TARGET = "model.layers.0.self_attn.q_proj.weight"
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 8}


def factors(rank=2, *, inputs=3, outputs=5):
    rng = np.random.default_rng(1)
    return {
        f"{MODULE}.lora_A.weight": rng.standard_normal((rank, inputs)).astype("f4"),
        f"{MODULE}.lora_B.weight": rng.standard_normal((outputs, rank)).astype("f4"),
    }


@pytest.fixture
def opened(tmp_path):
    def opened(tensors, **changes):
        save_file(tensors, tmp_path / "adapter_model.safetensors")
        (tmp_path / "adapter_config.json").write_text(json.dumps(CONFIG | changes))
        return open_adapter(tmp_path)

    return opened


def slow_change(first, second, scale):
    out = np.zeros((second.shape[0], first.shape[1]))
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = scale * sum(
                float(second[row, k]) * float(first[k, column]) for k in range(first.shape[0])
            )
    return out


@pytest.mark.parametrize(
    ("changes", "scale"),
    [
        ({}, 4.0),
        ({"use_rslora": True}, 8 / 2**0.5),
        ({"alpha_pattern": {"self_attn.q_proj": 2}}, 1.0),
        ({"alpha_pattern": {"k_proj": 2}}, 4.0),
    ],
)
def test_change_is_the_scaled_product_of_the_factors(opened, changes, scale):
    tensors = factors()
    adapter = opened(tensors, **changes)

    change = adapter.change(TARGET)

    first, second = tensors.values()
    assert adapter.targets == (TARGET,)
    assert adapter.scale(TARGET) == scale
    assert change.shape == adapter.shape(TARGET) == (5, 3)
    assert np.allclose(change, slow_change(first, second, scale), atol=1e-6)


def test_rank_is_that_of_the_factors_and_not_that_of_the_claim(opened):
    adapter = opened(factors(rank=4))

    assert adapter.scale(TARGET) == 2.0


def test_embeddings_and_turned_matrices_are_turned_back(opened):
    rng = np.random.default_rng(2)
    first, second = rng.standard_normal((2, 7)), rng.standard_normal((4, 2))
    embedding = {
        "base_model.model.model.embed_tokens.lora_embedding_A": first.astype("f4"),
        "base_model.model.model.embed_tokens.lora_embedding_B": second.astype("f4"),
    }

    looked_up = opened(embedding)
    change = looked_up.change("model.embed_tokens.weight")
    turned = opened(factors(), fan_in_fan_out=True)

    assert looked_up.shape("model.embed_tokens.weight") == change.shape == (7, 4)
    assert np.allclose(change, slow_change(first, second, 4.0).T, atol=1e-5)
    assert turned.change(TARGET).shape == turned.shape(TARGET) == (3, 5)


def test_whole_modules_are_named_apart(opened):
    adapter = opened(factors() | {"base_model.model.lm_head.weight": np.ones((2, 2), "f4")})

    assert adapter.others == ("base_model.model.lm_head.weight",)


@pytest.mark.parametrize(
    ("tensors", "changes", "places"),
    [
        (factors(), {"use_dora": True}, ["adapter_config.json, use_dora"]),
        (factors(), {"peft_type": "LOHA"}, ["adapter_config.json, peft_type"]),
        (factors(), {"lora_alpha": True}, ["adapter_config.json, lora_alpha"]),
        (factors(), {"alpha_pattern": {"(a+)+": 1}}, ["adapter_config.json, alpha_pattern"]),
        ({"w": np.ones(2, "f4")}, {}, [""]),
        (
            {f"{MODULE}.lora_A.weight": np.ones((2, 3), "f4")},
            {},
            ["module 'model.layers.0.self_attn.q_proj'"],
        ),
        (
            factors() | {f"{MODULE}.lora_B.weight": np.ones((5, 3), "f4")},
            {},
            ["module 'model.layers.0.self_attn.q_proj'"],
        ),
    ],
)
def test_adapter_that_is_no_plain_sum_is_refused(opened, tensors, changes, places):
    with pytest.raises(WeightsError) as caught:
        opened(tensors, **changes)

    assert [mistake.place for mistake in caught.value.mistakes] == places


@pytest.mark.loopback
def test_adapter_far_away_is_read_by_its_file(server):
    server.files |= {
        "/a/adapter_model.safetensors": save(factors()),
        "/a/adapter_config.json": json.dumps(CONFIG).encode(),
    }

    adapter = open_adapter(
        f"{server.address}/a/adapter_model.safetensors", access=Access(allow_private=True)
    )

    assert adapter.targets == (TARGET,)
    assert adapter.change(TARGET).shape == (5, 3)
