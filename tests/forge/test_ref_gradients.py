"""The reference engine's gradients, held against differences of its losses in float64."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import EngineError
from dokja.models.forge.engines.ref.forward import gradient, logits, mean_loss, sequence_losses
from dokja.models.forge.engines.ref.network import Network
from dokja.models.forge.engines.ref.parts import attend, attend_back, lookup_back, mask
from dokja.models.forge.structures import Structure

SIZES = {
    "vocabulary": 13,
    "width": 12,
    "layers": 5,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 6,
    "ffn": 10,
    "positions": 16,
}
STRUCTURES = {
    "llama": Structure(family="llama", **SIZES),
    "llama, tied": Structure(family="llama", **SIZES, tied=True),
    "peri": Structure(family="peri", **SIZES, window=3),
    "peri, tied": Structure(family="peri", **{**SIZES, "kv_heads": 4}, window=4, tied=True),
}
every_structure = pytest.mark.parametrize("name", STRUCTURES)


def drawn(structure, *, seed=3, dtype=np.float64):
    """Weights far from their start: every gain, every norm and every angle counts."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(shape).astype(dtype) * dtype(0.4)
        + dtype(1.0 if len(shape) == 1 else 0.0)
        for name, shape in structure.shapes().items()
    }


def batch(structure, *, sequences=3, length=9, seed=4):
    return np.random.default_rng(seed).integers(0, structure.vocabulary, (sequences, length))


def gradients(structure, weights, tokens, *, micro=8):
    into = {name: np.zeros_like(tensor) for name, tensor in weights.items()}
    loss = gradient(Network(structure), weights, tokens, into=into, micro=micro)
    return loss, into


@every_structure
def test_gradient_of_every_tensor_equals_finite_differences(name):
    structure = STRUCTURES[name]
    weights, tokens = drawn(structure), batch(structure)
    rng = np.random.default_rng(5)

    loss, found = gradients(structure, weights, tokens)

    assert loss == pytest.approx(mean_loss(weights, structure, tokens), rel=1e-14)
    for tensor, weight in weights.items():
        # Along a random direction every coordinate of the tensor's gradient counts.
        direction = rng.standard_normal(weight.shape)
        direction /= np.linalg.norm(direction)
        slope = _slope(structure, weights, tensor, direction, tokens)
        size = float(np.linalg.norm(found[tensor]))
        assert size > 0
        assert abs(float((found[tensor] * direction).sum()) - slope) <= 1e-7 * size, tensor


def _slope(structure, weights, tensor, direction, tokens):
    """A central difference of sixth order: its own error lies far below what is asked for."""
    step = 2e-3
    total = 0.0
    for times, share in ((1, 45.0), (2, -9.0), (3, 1.0)):
        for sign in (1.0, -1.0):
            moved = weights | {tensor: weights[tensor] + sign * times * step * direction}
            total += sign * share * mean_loss(moved, structure, tokens)
    return total / (60.0 * step)


@every_structure
def test_micro_batches_make_the_same_loss_and_gradient(name):
    structure = STRUCTURES[name]
    weights, tokens = drawn(structure), batch(structure)

    whole, at_once = gradients(structure, weights, tokens, micro=3)
    parts, one_by_one = gradients(structure, weights, tokens, micro=1)

    assert parts == pytest.approx(whole, rel=1e-14)
    for tensor in weights:
        np.testing.assert_allclose(one_by_one[tensor], at_once[tensor], rtol=1e-10, atol=1e-14)


def slow_losses(structure, weights, tokens):
    """The network token by token and head by head, in plain loops from the definitions."""
    return np.array([_slow_loss(structure, weights, row) for row in tokens])


def _slow_norm(row, gain, epsilon):
    return row / math.sqrt(float((row**2).mean()) + epsilon) * gain


def _slow_turn(head, place, theta):
    turned, half = head.copy(), len(head) // 2
    for pair in range(half):
        angle = place * theta ** (-2 * pair / len(head))
        x, y = head[pair], head[pair + half]
        turned[pair] = x * math.cos(angle) - y * math.sin(angle)
        turned[pair + half] = y * math.cos(angle) + x * math.sin(angle)
    return turned


def _slow_attention(structure, weights, place, rows, *, window):
    peri, wide, epsilon = structure.family == "peri", structure.head_width, structure.epsilon
    share = structure.heads // structure.kv_heads
    made = []
    for at in range(len(rows)):
        heads = []
        for head in range(structure.heads):
            mine, theirs = slice(head * wide, head * wide + wide), head // share
            group = slice(theirs * wide, theirs * wide + wide)
            query = weights[f"{place}.q_proj.weight"][mine] @ rows[at]
            if peri:
                query = _slow_norm(query, weights[f"{place}.q_norm.weight"], epsilon)
            query = _slow_turn(query, at, structure.rope_theta)
            first = 0 if window is None else max(0, at - window + 1)
            scores, values = [], []
            for other in range(first, at + 1):
                key = weights[f"{place}.k_proj.weight"][group] @ rows[other]
                if peri:
                    key = _slow_norm(key, weights[f"{place}.k_norm.weight"], epsilon)
                key = _slow_turn(key, other, structure.rope_theta)
                scores.append(math.exp(float(query @ key) / math.sqrt(wide)))
                values.append(weights[f"{place}.v_proj.weight"][group] @ rows[other])
            heads.append(sum(s * v for s, v in zip(scores, values, strict=True)) / sum(scores))
        made.append(weights[f"{place}.o_proj.weight"] @ np.concatenate(heads))
    return made


def _slow_loss(structure, weights, tokens):
    peri, epsilon = structure.family == "peri", structure.epsilon

    def norm(name, row):
        return _slow_norm(row, weights[f"{name}.weight"], epsilon)

    rows = [weights["model.embed_tokens.weight"][token] for token in tokens[:-1]]
    for layer in range(structure.layers):
        place = f"model.layers.{layer}"
        window = structure.window if peri and layer % 4 != 3 else None
        inner = [norm(f"{place}.input_layernorm", row) for row in rows]
        halves = _slow_attention(structure, weights, f"{place}.self_attn", inner, window=window)
        if peri:
            halves = [norm(f"{place}.post_self_attn_norm", half) for half in halves]
        rows = [row + half for row, half in zip(rows, halves, strict=True)]
        for at, row in enumerate(rows):
            inner = norm(f"{place}.post_attention_layernorm", row)
            gate = weights[f"{place}.mlp.gate_proj.weight"] @ inner
            up = weights[f"{place}.mlp.up_proj.weight"] @ inner
            half = weights[f"{place}.mlp.down_proj.weight"] @ (gate / (1 + np.exp(-gate)) * up)
            rows[at] = row + (norm(f"{place}.post_mlp_norm", half) if peri else half)
    head = "model.embed_tokens.weight" if structure.tied else "lm_head.weight"
    losses = []
    for row, label in zip(rows, tokens[1:], strict=True):
        scores = weights[head] @ norm("model.norm", row)
        losses.append(math.log(float(np.exp(scores).sum())) - float(scores[label]))
    return sum(losses) / len(losses)


@every_structure
def test_losses_equal_the_slow_twin_s(name):
    structure = STRUCTURES[name]
    weights, tokens = drawn(structure), batch(structure)

    found = sequence_losses(weights, structure, tokens, micro=2)

    np.testing.assert_allclose(found, slow_losses(structure, weights, tokens), rtol=1e-12)


@every_structure
def test_logits_give_the_losses(name):
    structure = STRUCTURES[name]
    weights, tokens = drawn(structure), batch(structure)

    scores = logits(weights, structure, tokens)[:, :-1]

    chosen = np.take_along_axis(scores, tokens[:, 1:, None], axis=2)[..., 0]
    losses = np.log(np.exp(scores).sum(axis=2)) - chosen
    np.testing.assert_allclose(
        losses.mean(axis=1), sequence_losses(weights, structure, tokens), rtol=1e-12
    )


@every_structure
def test_float32_stays_float32_and_near_float64(name):
    structure = STRUCTURES[name]
    tokens = batch(structure)

    _, fine = gradients(structure, drawn(structure), tokens)
    _, coarse = gradients(structure, drawn(structure, dtype=np.float32), tokens)

    assert {gradient.dtype for gradient in coarse.values()} == {np.dtype(np.float32)}
    for tensor in fine:
        size = np.linalg.norm(fine[tensor])
        assert np.linalg.norm(coarse[tensor] - fine[tensor]) <= 1e-4 * size


@settings(max_examples=25)
@given(
    positions=st.integers(1, 150),
    window=st.none() | st.integers(1, 160),
    group=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_attention_equals_softmax_over_what_is_seen(positions, window, group, seed):
    rng = np.random.default_rng(seed)
    query = rng.standard_normal((2, positions, 2 * group, 4))
    key, value, other = (rng.standard_normal((2, positions, 2, 4)) for _ in range(3))

    output, kept = attend(query, key, value, seen=mask(positions, window, dtype=np.float64))
    above = rng.standard_normal(output.shape)
    _, _, of_value = attend_back(above, kept)

    keys, values = np.repeat(key, group, axis=2), np.repeat(value, group, axis=2)
    scores = np.einsum("bihd,bjhd->bhij", query, keys) / 2.0
    place = np.arange(positions)
    ahead = place[None, :] > place[:, None]
    passed = place[:, None] - place[None, :] >= (window or positions)
    scores[:, :, ahead | passed] = -np.inf
    shares = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    expected = np.einsum("bhij,bjhd->bihd", shares, values)
    np.testing.assert_allclose(output.reshape(expected.shape), expected, rtol=1e-9, atol=1e-12)
    # Attention is linear in its values, so that their gradient is known exactly.
    np.testing.assert_allclose(
        (of_value * other).sum(),
        (np.einsum("bhij,bjhd->bihd", shares, np.repeat(other, group, axis=2)).ravel()
         * above.ravel()).sum(),
        rtol=1e-8, atol=1e-10,
    )  # fmt: skip  # one product on each side


@given(tokens=st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_lookup_gradient_adds_every_row_once(tokens):
    above = np.arange(2.0 * len(tokens)).reshape(-1, 2)
    table, expected = np.ones((6, 2)), np.ones((6, 2))
    np.add.at(expected, tokens, above)

    lookup_back(table, np.array(tokens), above)

    np.testing.assert_array_equal(table, expected)


def test_what_cannot_be_computed_is_refused_with_all_reasons():
    structure = STRUCTURES["llama"]
    weights = drawn(structure)
    del weights["model.norm.weight"]

    with pytest.raises(EngineError) as error:
        mean_loss(weights, structure, np.array([[1, 13]]))

    assert str(error.value) == (
        "ref cannot compute this: model.norm.weight has the shape None and should have (12,); "
        "ids go from 1 to 13, of 13."
    )


@pytest.mark.parametrize("tokens", [np.zeros((2, 1), np.int64), np.zeros(3, np.int64)])
def test_batch_without_a_next_token_is_refused(tokens):
    structure = STRUCTURES["llama"]

    with pytest.raises(EngineError, match="no list of windows"):
        mean_loss(drawn(structure), structure, tokens)


def test_family_of_another_engine_is_refused():
    structure = Structure(family="gpt2", **{**SIZES, "kv_heads": 4, "head_width": 3})

    with pytest.raises(EngineError, match="the family 'gpt2' is none of llama, peri"):
        logits({}, structure, batch(structure))
