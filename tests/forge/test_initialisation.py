"""First weights against Philox in Python's own integers, in any order, and their moments."""

import hashlib
import statistics
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.initialisation import (
    QUANTILES_DIGEST,
    deviation,
    initial_chunks,
    initial_digests,
    initial_tensor,
    initial_values,
    initialise,
    quantiles,
)
from dokja.models.forge.structures import Structure
from dokja.models.weights.roots import array_digest, root, tensor_digest
from dokja.values import Digest

F4 = np.float32
M64 = (1 << 64) - 1
SEED = bytes(range(32))


def slow_philox(counter, key):
    """Philox4x64-10 of Salmon et al. 2011: one block of four 64-bit words."""
    c = [(counter >> (64 * number)) & M64 for number in range(4)]
    k = [key & M64, key >> 64]
    for _ in range(10):
        high0, low0 = divmod(c[0] * 0xD2E7470EE14C6C93, 1 << 64)
        high1, low1 = divmod(c[2] * 0xCA5A826395121157, 1 << 64)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & M64, (k[1] + 0xBB67AE8584CAA73B) & M64]
    return c


def slow_values(name, seed, std, count):
    """One value at a time, as the module's docstring tells it."""
    stated = b"dokja.init/1\x00" + len(seed).to_bytes(8, "little") + seed + name.encode()
    key = int.from_bytes(hashlib.sha256(stated).digest()[:16], "little")
    values = []
    for number in range(count):
        word = slow_philox(1 + number // 16, key)[number % 16 // 4]
        place = (word >> (16 * (number % 4))) & 0xFFFF
        quantile = F4(statistics.NormalDist().inv_cdf((place + 0.5) / 65536))
        values.append(F4(std) * quantile)
    return np.array(values, dtype=F4)


@dataclass(frozen=True)
class Plain:
    """The least that initialisation has to know of a structure."""

    tensors: tuple
    layers: int = 2

    def shapes(self):
        return dict(self.tensors)


SMALL = Structure(
    family="llama",
    vocabulary=96,
    width=32,
    layers=2,
    heads=4,
    kv_heads=2,
    head_width=8,
    ffn=64,
)


def test_philox_is_that_of_its_paper():
    """Known answers of Random123: key and counter all zeros, and all ones."""
    assert [f"{word:016x}" for word in slow_philox(0, 0)] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]
    assert [f"{word:016x}" for word in slow_philox((1 << 256) - 1, (1 << 128) - 1)] == [
        "87b092c3013fe90b",
        "438c3c67be8d0224",
        "9cc7d7c69cd777b6",
        "a09caebf594f0ba0",
    ]


@settings(max_examples=30)
@given(st.text(max_size=20), st.binary(max_size=40), st.integers(0, 70))
def test_values_are_the_slow_ones(name, seed, count):
    found = initial_values(name, seed, std=0.02, start=0, stop=count)

    assert found.dtype == F4
    assert found.tobytes() == slow_values(name, seed, 0.02, count).tobytes()


@settings(max_examples=60)
@given(st.integers(0, 5000), st.integers(0, 200))
def test_any_part_is_the_part_of_the_whole(start, length):
    whole = initial_values("w", SEED, std=0.02, start=0, stop=start + length)

    part = initial_values("w", SEED, std=0.02, start=start, stop=start + length)

    assert part.tobytes() == whole[start:].tobytes()


def test_part_far_out_needs_nothing_before_it():
    start = 10**12

    whole = initial_values("w", SEED, std=0.02, start=start, stop=start + 40)

    assert (
        whole[7:].tobytes()
        == initial_values("w", SEED, std=0.02, start=start + 7, stop=start + 40).tobytes()
    )


def test_table_is_pinned_exact_and_symmetric():
    table = quantiles()
    normal = statistics.NormalDist()

    assert Digest.of(table.astype("<f4").tobytes()) == QUANTILES_DIGEST
    assert table.tolist() == [
        float(F4(normal.inv_cdf((place + 0.5) / 65536))) for place in range(65536)
    ]
    assert np.array_equal(table, -table[::-1])
    assert np.all(np.diff(table) > 0)
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 0


def test_table_has_the_moments_of_a_normal_distribution():
    table = quantiles().astype(np.float64)

    assert abs(table.mean()) < 1e-12
    assert abs(table.var() - 1) < 1e-4
    assert abs((table**4).mean() - 3) < 5e-3


def test_moments_of_a_drawn_tensor():
    """Over 4M values: four standard errors about 0, 1 and 3."""
    values = initial_values("w", SEED, std=1.0, start=0, stop=1 << 22).astype(np.float64)
    error = len(values) ** -0.5

    assert abs(values.mean()) < 4 * error
    assert abs(values.var() - 1) < 1e-4 + 4 * 2**0.5 * error
    assert abs((values**3).mean()) < 4 * 15**0.5 * error
    assert abs((values**4).mean() - 3) < 5e-3 + 4 * 96**0.5 * error
    assert abs((values[1:] * values[:-1]).mean()) < 4 * error


def test_start_stays_what_it_is():
    """Golden: whoever changes the start breaks every record that names a seed."""
    digests = [array_digest(name, values) for name, values in initialise(SMALL, SEED)]

    assert root(digests).hex == ("0e4d1b3a85a668a066467f0ca454100740e3fa115c327e9ee2b8d1d9aedd45bc")


def test_every_order_gives_equal_bytes():
    whole = dict(initialise(SMALL, SEED))
    names = sorted(whole, key=lambda name: hashlib.sha256(name.encode()).digest())

    alone = {name: initial_tensor(SMALL, name, SEED) for name in names}

    assert names != sorted(whole)
    assert list(whole) == sorted(SMALL.shapes())
    assert {name: values.shape for name, values in whole.items()} == SMALL.shapes()
    assert all(alone[name].tobytes() == whole[name].tobytes() for name in whole)


def test_seeds_and_names_draw_apart():
    drawn = [
        initial_values(name, seed, std=1.0, start=0, stop=4096)
        for name, seed in (("a", b"1"), ("a", b"2"), ("b", b"1"), ("1a", b""), ("a", b"1\x00"))
    ]

    likeness = np.corrcoef(drawn) - np.eye(len(drawn))

    assert np.abs(likeness).max() < 0.08


def test_digest_is_made_without_the_tensor():
    structure = Plain(tensors=(("w.weight", (1100, 2000)),))
    whole = array_digest("w.weight", initial_tensor(structure, "w.weight", SEED))
    tracemalloc.start()

    chunks = (
        part.view(np.uint8).data
        for part in initial_chunks(structure, "w.weight", SEED, chunk=100_003)
    )
    found = tensor_digest("w.weight", "F32", shape=(1100, 2000), chunks=chunks)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == whole
    assert peak < 4 << 20


def test_digests_of_a_start_are_those_of_its_tensors():
    digests = initial_digests(SMALL, SEED)

    assert digests == tuple(array_digest(name, values) for name, values in initialise(SMALL, SEED))
    assert initial_digests(SMALL, SEED, ["model.norm.weight", "lm_head.weight"]) == (
        digests[0],
        digests[-1],
    )
    with pytest.raises(KeyError):
        initial_digests(SMALL, SEED, ["model.lm_head"])


SIZES = {
    "vocabulary": 96,
    "width": 32,
    "layers": 4,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 8,
    "ffn": 64,
}
FAMILIES = {
    "llama": {},
    "peri": {"window": 8},
    "gpt2": {"kv_heads": 4, "tied": True},
    "mixtral": {"experts": 4, "experts_per_token": 2},
    "latent-moe": {
        "kv_heads": 4,
        "experts": 4,
        "experts_per_token": 2,
        "expert_ffn": 16,
        "shared_experts": 1,
        "dense_layers": 1,
        "latent": 16,
        "rope_width": 4,
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_tensor_of_every_family_has_a_rule(family):
    structure = Structure(family=family, **{**SIZES, **FAMILIES[family]})

    drawn = dict(initialise(structure, SEED))

    assert list(drawn) == sorted(structure.shapes())
    for name, values in drawn.items():
        expected = deviation(name, values.shape, layers=4)
        if expected is None:
            assert set(values.tolist()) == {1.0}
        else:  # five standard errors of a mean and of a spread
            assert abs(values.mean()) <= 5 * expected / values.size**0.5
            assert abs(values.std() - expected) <= 5 * expected / (2 * values.size) ** 0.5


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("model.embed_tokens.weight", (8, 4), 0.02),
        ("model.layers.0.self_attn.q_proj.weight", (4, 4), 0.02),
        ("model.layers.0.self_attn.o_proj.weight", (4, 4), 0.01),
        ("model.layers.0.mlp.down_proj.weight", (4, 8), 0.01),
        ("transformer.h.0.attn.c_proj.weight", (4, 4), 0.01),
        ("transformer.h.0.attn.c_attn.weight", (4, 12), 0.02),
        ("model.layers.0.block_sparse_moe.experts.3.w2.weight", (4, 8), 0.01),
        ("model.layers.0.block_sparse_moe.experts.3.w1.weight", (8, 4), 0.02),
        ("model.layers.0.block_sparse_moe.gate.weight", (4, 4), 0.02),
        ("model.layers.0.mlp.experts.down_proj", (2, 4, 8), 0.01),
        ("transformer.h.0.attn.c_proj.bias", (4,), 0.0),
        ("model.layers.0.mlp.gate.e_score_correction_bias", (4,), 0.0),
        ("transformer.h.0.ln_1.weight", (4,), None),
        ("transformer.ln_f.weight", (4,), None),
        ("model.layers.0.self_attn.q_norm.weight", (4,), None),
        ("model.layers.0.self_attn.kv_a_layernorm.weight", (4,), None),
    ],
)
def test_deviation_follows_what_a_tensor_is_for(name, shape, expected):
    assert deviation(name, shape, layers=2) == expected


def test_gains_are_one_and_biases_zero():
    structure = Plain(tensors=(("norm.weight", (5,)), ("proj.bias", (3,)), ("proj.weight", (3, 5))))

    drawn = dict(initialise(structure, SEED))

    assert drawn["norm.weight"].tolist() == [1.0] * 5
    assert drawn["proj.bias"].tolist() == [0.0] * 3
    assert np.count_nonzero(drawn["proj.weight"]) == 15


def test_tensors_without_a_rule_are_all_named_before_any_is_drawn():
    structure = Plain(tensors=(("a.A_log", (4,)), ("b.weight", (2, 2)), ("c.scale", ())))

    with pytest.raises(RecipeError) as caught:
        initialise(structure, SEED)

    assert [mistake.place for mistake in caught.value.mistakes] == [
        "tensor 'a.A_log'",
        "tensor 'c.scale'",
    ]


def test_shapes_are_listed_once_however_many_tensors_are_drawn():
    listed = []

    class Counted(Plain):
        def shapes(self):
            listed.append(self)
            return super().shapes()

    structure = Counted(tensors=tuple((f"{n}.weight", (2, 2)) for n in range(50)))

    for name, _ in structure.tensors:
        initial_tensor(structure, name, SEED)

    assert len(listed) == 1


def test_tensor_that_a_structure_lacks_is_an_error():
    with pytest.raises(KeyError):
        initial_tensor(SMALL, "model.lm_head", SEED)
    with pytest.raises(ValueError, match="there are no values 3 to 2"):
        initial_values("w", SEED, std=1.0, start=3, stop=2)
