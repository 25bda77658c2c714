"""Small networks of every family, and what computes them.

`llama` and `peri` go through the reference engine. `gpt2` and `mixtral` go through the slow twins
here, which are held against transformers in the tests that have torch. Gains are spread over a
wide range first: with gains near one, a wrong re-parameterisation passes for a right one.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from dokja.models.forge.engines.ref.forward import gradient
from dokja.models.forge.engines.ref.forward import logits as ref_logits
from dokja.models.forge.engines.ref.network import Network as RefNetwork
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import ArrayTensors, Model, items

SIZES = {
    "vocabulary": 61,
    "width": 32,
    "layers": 4,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 8,
    "ffn": 48,
    "positions": 64,
}
STRUCTURES = {
    "llama": Structure(family="llama", **SIZES),
    "llama, tied": Structure(family="llama", **SIZES, tied=True),
    "peri": Structure(family="peri", **SIZES, window=6),
    "peri, tied": Structure(family="peri", **SIZES, window=6, tied=True),
    "mixtral": Structure(family="mixtral", **SIZES, experts=4, experts_per_token=2),
    "gpt2": Structure(family="gpt2", **{**SIZES, "kv_heads": 4}),
    "gpt2, tied": Structure(family="gpt2", **{**SIZES, "kv_heads": 4}, tied=True),
}


@dataclass(frozen=True, kw_only=True)
class Net:
    """Weights and their structure, and what they say of tokens."""

    structure: Structure
    weights: dict

    @property
    def tensors(self):
        return ArrayTensors(self.weights)

    @property
    def model(self):
        return Model(tensors=self.tensors, structure=self.structure, name="parent")

    def logits(self, ids):
        return {"gpt2": gpt2, "mixtral": mixtral}.get(self.structure.family, ref_logits)(
            self.weights, self.structure, ids
        )

    def loss(self, ids):
        return cross_entropy(self.logits(ids), ids)


@pytest.fixture(scope="session")
def net():
    """Make a network of tensors that are read now."""

    def make(tensors, structure):
        return Net(structure=structure, weights=dict(items(tensors)))

    return make


@pytest.fixture(scope="session")
def networks():
    """One network of each structure; `llama` is trained, the others are drawn wide."""
    found = {label: drawn(structure) for label, structure in STRUCTURES.items()}
    found["llama"] = spread_gains(trained(STRUCTURES["llama"]))
    return found


@pytest.fixture(scope="session")
def stranger():
    """A `llama` of the same sizes that was drawn from another seed."""
    return drawn(STRUCTURES["llama"], seed=99)


@pytest.fixture(scope="session")
def ids():
    """Tokens to compute on: eight sequences from the chain that the fixture was trained on."""
    return chain(8, 24, seed=5)


def chain(sequences, length, *, seed):
    """Sequences in which each token mostly decides the next one."""
    follows = np.random.default_rng(0).integers(0, 61, size=(61, 2))
    rng = np.random.default_rng(seed)
    rows = np.empty((sequences, length), dtype=np.int64)
    rows[:, 0] = rng.integers(0, 61, size=sequences)
    for at in range(1, length):
        rows[:, at] = follows[rows[:, at - 1], rng.integers(0, 2, size=sequences)]
    return rows


def trained(structure):
    """Weights after a few dozen steps of Adam on the chain."""
    rng = np.random.default_rng(1)
    weights = {
        name: (rng.standard_normal(shape) * 0.08 if len(shape) > 1 else np.ones(shape)).astype(
            np.float32
        )
        for name, shape in structure.shapes().items()
    }
    first = {name: np.zeros_like(values) for name, values in weights.items()}
    second = {name: np.zeros_like(values) for name, values in weights.items()}
    for step in range(1, 61):
        into = {name: np.zeros_like(values) for name, values in weights.items()}
        batch = chain(16, 24, seed=1000 + step)
        gradient(RefNetwork(structure), weights, batch, into=into, micro=16)
        for name, slope in into.items():
            first[name] = 0.9 * first[name] + 0.1 * slope
            second[name] = 0.95 * second[name] + 0.05 * slope**2
            size = np.sqrt(second[name] / (1 - 0.95**step)) + 1e-8
            weights[name] = weights[name] - np.float32(5e-3 / (1 - 0.9**step)) * first[name] / size
    return Net(structure=structure, weights=weights)


def spread_gains(network):
    """Multiply every gain by log-normal factors and divide its readers by them: the same net."""
    rng = np.random.default_rng(2)
    weights = dict(network.weights)
    readers = {
        "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
    }
    pairs = [("model.norm.weight", ["lm_head.weight"])]
    for layer in range(network.structure.layers):
        for gain, names in readers.items():
            stem = f"model.layers.{layer}."
            pairs.append((f"{stem}{gain}.weight", [f"{stem}{name}.weight" for name in names]))
    for gain, names in pairs:
        factors = np.exp(0.5 * rng.standard_normal(network.structure.width)).astype(np.float32)
        weights[gain] = weights[gain] * factors
        for name in names:
            weights[name] = weights[name] / factors
    return Net(structure=network.structure, weights=weights)


def drawn(structure, *, seed=7):
    """Weights far from their start: every gain, bias and matrix counts."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in structure.shapes().items():
        noise = rng.standard_normal(shape)
        if len(shape) > 1:
            values = noise * 0.15
        elif name.endswith("bias"):
            values = noise * 0.1
        else:
            values = np.exp(0.5 * noise)
        weights[name] = values.astype(np.float32)
    return Net(structure=structure, weights=weights)


def cross_entropy(logits, ids):
    scores = logits[:, :-1].astype(np.float64)
    scores = scores - scores.max(axis=-1, keepdims=True)
    told = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return float(-np.take_along_axis(told, ids[:, 1:, None], axis=-1).mean())


def softmax(scores):
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def attend(query, key, value):
    """Causal attention: arrays of shape (sequences, heads, positions, head width)."""
    scores = query @ key.swapaxes(-1, -2) / np.float32(query.shape[-1] ** 0.5)
    hidden = np.triu(np.ones(scores.shape[-2:], dtype=bool), k=1)
    mixed = softmax(np.where(hidden, np.float32(-np.inf), scores)) @ value
    return mixed.swapaxes(1, 2).reshape(*mixed.shape[0:1], mixed.shape[2], -1)


def heads_of(rows, count):
    return rows.reshape(*rows.shape[:2], count, -1).swapaxes(1, 2)


def gpt2(weights, structure, ids):
    """Compute GPT-2 as its paper and Hugging Face's file layout describe it."""

    def norm(rows, place):
        centred = rows - rows.mean(axis=-1, keepdims=True)
        size = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(structure.epsilon))
        return affine_gain(centred / size, place)

    def affine_gain(rows, place):
        return rows * weights[f"{place}.weight"] + weights[f"{place}.bias"]

    def affine(rows, place):
        return rows @ weights[f"{place}.weight"] + weights[f"{place}.bias"]

    rows = (
        weights["transformer.wte.weight"][ids] + weights["transformer.wpe.weight"][: ids.shape[1]]
    )
    for layer in range(structure.layers):
        place = f"transformer.h.{layer}"
        joined = affine(norm(rows, f"{place}.ln_1"), f"{place}.attn.c_attn")
        parts = (heads_of(part, structure.heads) for part in np.split(joined, 3, axis=-1))
        rows = rows + affine(attend(*parts), f"{place}.attn.c_proj")
        inner = affine(norm(rows, f"{place}.ln_2"), f"{place}.mlp.c_fc")
        bent = np.tanh(np.float32(np.sqrt(2 / np.pi)) * (inner + np.float32(0.044715) * inner**3))
        rows = rows + affine(np.float32(0.5) * inner * (1 + bent), f"{place}.mlp.c_proj")
    head = weights.get("lm_head.weight", weights["transformer.wte.weight"])
    return norm(rows, "transformer.ln_f") @ head.T


def mixtral(weights, structure, ids):
    """Compute Mixtral as arXiv 2401.04088 and Hugging Face's file layout describe it."""

    def norm(rows, place):
        size = np.sqrt((rows**2).mean(axis=-1, keepdims=True) + np.float32(structure.epsilon))
        return rows / size * weights[f"{place}.weight"]

    half = structure.head_width // 2
    rates = structure.rope_theta ** (-np.arange(half) / half)
    angles = (np.arange(ids.shape[1])[:, None] * rates).astype(np.float32)
    cos, sin = np.cos(angles), np.sin(angles)

    def rotate(heads):
        one, other = np.split(heads, 2, axis=-1)
        return np.concatenate([one * cos - other * sin, other * cos + one * sin], axis=-1)

    def expert(rows, place):
        gate = rows @ weights[f"{place}.w1.weight"].T
        up = rows @ weights[f"{place}.w3.weight"].T
        return (gate / (1 + np.exp(-gate)) * up) @ weights[f"{place}.w2.weight"].T

    rows = weights["model.embed_tokens.weight"][ids]
    for layer in range(structure.layers):
        place = f"model.layers.{layer}"
        read = norm(rows, f"{place}.input_layernorm")
        query, key, value = (
            heads_of(read @ weights[f"{place}.self_attn.{name}_proj.weight"].T, count)
            for name, count in (
                ("q", structure.heads),
                ("k", structure.kv_heads),
                ("v", structure.kv_heads),
            )
        )
        each = structure.heads // structure.kv_heads
        mixed = attend(
            rotate(query), np.repeat(rotate(key), each, axis=1), np.repeat(value, each, axis=1)
        )
        rows = rows + mixed @ weights[f"{place}.self_attn.o_proj.weight"].T
        read = norm(rows, f"{place}.post_attention_layernorm")
        shares = softmax(read @ weights[f"{place}.block_sparse_moe.gate.weight"].T)
        least = np.sort(shares, axis=-1)[..., -structure.experts_per_token, None]
        shares = np.where(shares >= least, shares, 0)
        shares = shares / shares.sum(axis=-1, keepdims=True)
        for number in range(structure.experts):
            told = expert(read, f"{place}.block_sparse_moe.experts.{number}")
            rows = rows + shares[..., number, None] * told
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    return norm(rows, "model.norm") @ head.T
