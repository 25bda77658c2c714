"""The numpy body against a slow, obvious twin, and against itself in other orders."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ids = st.lists(st.integers(0, 31), min_size=1, max_size=20)
relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def slow_logits(config, weights, tokens):
    """Return logits one token, one head and one neuron at a time, in float64 and plain loops."""
    width, half = config["head_dim"], config["head_dim"] // 2
    each = config["num_attention_heads"] // config["num_key_value_heads"]
    w = {name: values.astype(np.float64) for name, values in weights.items()}

    def normed(vector, gain):
        size = math.sqrt(sum(x * x for x in vector) / len(vector) + config["rms_norm_eps"])
        return np.array([x / size * g for x, g in zip(vector, gain, strict=True)])

    def turned(vector, place):
        found = vector.copy()
        for pair in range(half):
            angle = place * config["rope_theta"] ** (-pair / half)
            a, b = vector[pair], vector[pair + half]
            found[pair] = a * math.cos(angle) - b * math.sin(angle)
            found[pair + half] = b * math.cos(angle) + a * math.sin(angle)
        return found

    residual = [w["model.embed_tokens.weight"][token] for token in tokens]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        read = [normed(vector, w[f"{at}.input_layernorm.weight"]) for vector in residual]
        queries, keys, values = (
            [w[f"{at}.self_attn.{part}_proj.weight"] @ vector for vector in read] for part in "qkv"
        )
        for place in range(len(tokens)):
            gathered = []
            for head in range(config["num_attention_heads"]):
                group = head // each
                own = slice(head * width, head * width + width)
                shared = slice(group * width, group * width + width)
                query = turned(queries[place][own], place)
                scores = [
                    query @ turned(keys[seen][shared], seen) / math.sqrt(width)
                    for seen in range(place + 1)
                ]
                shares = [math.exp(score - max(scores)) for score in scores]
                mixed = sum(
                    share / sum(shares) * values[seen][shared] for seen, share in enumerate(shares)
                )
                gathered.extend(mixed)
            added = w[f"{at}.self_attn.o_proj.weight"] @ np.array(gathered)
            residual[place] = residual[place] + added
        for place in range(len(tokens)):
            read = normed(residual[place], w[f"{at}.post_attention_layernorm.weight"])
            gate = w[f"{at}.mlp.gate_proj.weight"] @ read
            up = w[f"{at}.mlp.up_proj.weight"] @ read
            inner = np.array([g / (1 + math.exp(-g)) * u for g, u in zip(gate, up, strict=True)])
            residual[place] = residual[place] + w[f"{at}.mlp.down_proj.weight"] @ inner
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return np.array([head @ normed(vector, w["model.norm.weight"]) for vector in residual])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_logits_equal_the_slow_twin(folder, tied, kv_heads):
    folder.reshape(tie_word_embeddings=tied, num_key_value_heads=kv_heads)
    tokens = [1, 5, 9, 30, 5, 5, 3]

    found = folder.open().logits(tokens)

    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, slow_logits(folder.config, folder.weights, tokens), rtol=1e-4, atol=1e-5
    )


def test_rope_base_is_read_from_either_place(folder):
    folder.reshape(rope_theta=500.0)
    old = folder.open().logits([1, 7, 8, 9])
    del folder.config["rope_theta"]
    folder.config["rope_parameters"] = {"rope_theta": 500.0, "rope_type": "default"}

    new = folder.open().logits([1, 7, 8, 9])

    assert np.array_equal(old, new)


@relaxed
@given(tokens=ids, cut=st.integers(1, 20))
def test_kept_keys_equal_reading_anew(model, tokens, cut):
    cut = min(cut, len(tokens))
    network = model._network
    memory = network.memory(padding=np.zeros(1, dtype=np.int64), columns=len(tokens))

    parts = [network.read(np.array([tokens[:cut]]), memory)]
    parts += [network.read(np.array([[token]]), memory) for token in tokens[cut:]]
    found = network.logits(np.concatenate(parts, axis=1))[0]

    np.testing.assert_allclose(found, model.logits(tokens), rtol=1e-4, atol=1e-5)


@relaxed
@given(batch=st.lists(ids, min_size=1, max_size=6), filler=st.integers(0, 31))
def test_padding_changes_nothing(model, batch, filler):
    network = model._network
    longest = max(map(len, batch))
    padding = np.array([longest - len(tokens) for tokens in batch])
    padded = np.array([[filler] * (longest - len(tokens)) + tokens for tokens in batch])
    memory = network.memory(padding=padding, columns=longest)

    found = network.logits(network.read(padded, memory))

    for row, tokens in enumerate(batch):
        np.testing.assert_allclose(
            found[row, longest - len(tokens) :], model.logits(tokens), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("tokens", [[], [32], [-1], [0] * 41])
def test_logits_of_ids_that_cannot_be_are_refused(model, tokens):
    with pytest.raises(ValueError, match="expected 1 to 40 token ids below 32"):
        model.logits(tokens)
