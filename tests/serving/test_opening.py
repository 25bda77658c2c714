"""Folders that cannot be served are refused whole, with everything that stands against them."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokja.errors import DokjaError, NotServableError, WeightsError
from dokja.models.serving import open_model


def refusal(folder, **settings):
    with pytest.raises(NotServableError) as caught:
        folder.open(**settings)
    return str(caught.value)


def test_a_folder_that_can_be_served_says_what_it_is(folder):
    folder.weights["vision_tower.patch_embedding.weight"] = np.ones((4, 4), dtype=np.float32)

    model = folder.open()

    assert model.name == "model"
    assert model.unserved == ("vision_tower.patch_embedding.weight",)
    assert len(model.digest.hex) == 64
    assert model.architecture.layers == 2


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model_type", "gpt2", "model_type: read 'gpt2'; expected 'llama'"),
        ("hidden_act", "gelu", "hidden_act: read 'gelu'; expected 'silu' or 'swish'"),
        ("attention_bias", True, "attention_bias: read True; expected False"),
        ("rope_scaling", {"type": "yarn"}, "rope_scaling: read {'type': 'yarn'}; expected nothing"),
        ("sliding_window", 128, "sliding_window: read 128; expected nothing"),
        ("auto_map", {"AutoModel": "code.Model"}, "auto_map: read {'AutoModel': 'code.Model'}"),
        ("quantization_config", {}, "quantization_config: read {}; expected nothing"),
        ("num_hidden_layers", -1, "num_hidden_layers: read -1; expected a whole number"),
        ("num_hidden_layers", 10**9, "num_hidden_layers: read 1000000000; expected a whole"),
        ("hidden_size", True, "hidden_size: read True; expected a whole number"),
        ("vocab_size", "32", "vocab_size: read '32'; expected a whole number"),
        ("vocab_size", None, "vocab_size: read None; expected a whole number"),
        ("num_key_value_heads", 3, "num_key_value_heads: read 3; expected a divisor of the 4"),
        ("head_dim", 7, "head_dim: read 7; expected an even number"),
        ("rope_theta", 0, "rope_theta: read 0; expected a number above zero"),
        ("rms_norm_eps", "1e-5", "rms_norm_eps: read '1e-5'; expected a number above zero"),
        ("tie_word_embeddings", 1, "tie_word_embeddings: read 1; expected true or false"),
        ("rope_parameters", [1], "rope_parameters: read [1]; expected an object"),
        (
            "rope_parameters",
            {"rope_theta": 1e4, "rope_type": "llama3", "factor": 8.0},
            "rope_parameters.rope_type: read 'llama3'; expected 'default'",
        ),
    ],
)
def test_what_a_configuration_asks_for_in_vain_is_named(folder, key, value, said):
    folder.config[key] = value

    assert f"- config.json, {said}" in refusal(folder)


def test_everything_against_a_folder_is_said_at_once(folder):
    folder.config |= {"hidden_act": "gelu", "mlp_bias": True, "eos_token_id": "</s>"}
    folder.tokenizer["normalizer"] = {"type": "Lowercase"}

    said = refusal(folder)

    assert [line.split(":")[0] for line in said.splitlines()[1:]] == [
        "- config.json, mlp_bias",
        "- config.json, hidden_act",
        "- tokenizer.json, normalizer",
        "- generation_config.json, eos_token_id",
        "Nothing was changed.",
    ]


def test_tensors_that_contradict_the_configuration_are_named(folder):
    del folder.weights["model.layers.0.mlp.up_proj.weight"]
    folder.weights["model.norm.weight"] = np.ones(3, dtype=np.float32)
    folder.weights["model.layers.1.self_attn.q_proj.bias"] = np.ones(24, dtype=np.float32)

    said = refusal(folder)

    assert "1 tensors are missing, among them model.layers.0.mlp.up_proj.weight" in said
    assert "model.norm.weight: read the shape [3]; expected [16]" in said
    assert "model.layers.1.self_attn.q_proj.bias: read a tensor that a plain Llama body" in said


def test_broken_numbers_are_named(folder):
    folder.weights["model.layers.1.mlp.down_proj.weight"][2, 3] = np.nan
    folder.weights["model.norm.weight"][0] = np.inf

    said = refusal(folder)

    assert "model.layers.1.mlp.down_proj.weight: holds NaN or infinities" in said
    assert "model.norm.weight: holds NaN or infinities" in said


def test_weights_larger_than_allowed_are_refused_before_they_are_read(folder):
    assert "allowed are 1000" in refusal(folder, memory_bytes=1000)


def test_a_tokenizer_with_more_tokens_than_the_embedding_has_rows_is_refused(folder):
    folder.tokenizer["model"]["vocab"]["zzz"] = 32

    assert "read 1 ids from 32 on; expected ids below 32" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_missing_paper_is_named(folder, name):
    (folder.write() / name).unlink()

    with pytest.raises(WeightsError, match=f"{name}: read nothing; expected a file"):
        open_model(folder.path)


@pytest.mark.parametrize("name", ["tokenizer.json", "generation_config.json"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a": 1, "a": 2}', b"[" * 100_000]
)
def test_a_damaged_paper_is_named(folder, name, content):
    (folder.write() / name).write_bytes(content)

    with pytest.raises(WeightsError, match=f"{name}: read .*expected one JSON object"):
        open_model(folder.path)


def test_a_tokenizer_that_leads_out_of_the_folder_is_not_followed(folder, tmp_path):
    outside = tmp_path / "secret.json"
    outside.write_text(json.dumps(folder.tokenizer), encoding="utf-8")
    (folder.write() / "tokenizer.json").unlink()
    (folder.path / "tokenizer.json").symlink_to(outside)

    with pytest.raises(WeightsError, match=r"tokenizer\.json"):
        open_model(folder.path)


values = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.lists(st.integers(-1, 3), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_hostile_configuration_ends_in_our_own_error_or_an_answer(folder, data):
    kept = dict(folder.config)
    for key in data.draw(st.lists(st.sampled_from(sorted(kept)), min_size=1, max_size=3)):
        folder.config[key] = data.draw(values)
    try:
        model = folder.open()
    except DokjaError:
        return
    finally:
        folder.config = kept

    assert len(model.answer(["1 가나"], max_new_tokens=2)) == 1
