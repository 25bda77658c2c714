"""Every block type against a slow twin that reads one code at a time, and against ggml's own."""

import math
import struct

import numpy as np
import pytest

from dokja.models.weights.gguf_grids import GGUF_GRIDS

BLOCKS = sorted(name for name, grid in GGUF_GRIDS.items() if grid.values > 1)


def half(raw, at):
    return np.float32(struct.unpack_from("<e", raw, at)[0])


def nibble(raw, at, index):
    """Code `index` of 32: the low halves of sixteen bytes, then the high ones."""
    return raw[at + index % 16] >> (4 * (index // 16)) & 15


def signed(value):
    return value - 256 if value > 127 else value


def legacy(raw, index, *, codes, bits_at=None):
    code = nibble(raw, codes, index)
    if bits_at is not None:
        code |= (int.from_bytes(raw[bits_at : bits_at + 4], "little") >> index & 1) << 4
    return code


def q4_0(raw, i):
    return np.float32(legacy(raw, i, codes=2) - 8) * half(raw, 0)


def q4_1(raw, i):
    return np.float32(legacy(raw, i, codes=4)) * half(raw, 0) + half(raw, 2)


def q5_0(raw, i):
    return np.float32(legacy(raw, i, codes=6, bits_at=2) - 16) * half(raw, 0)


def q5_1(raw, i):
    return np.float32(legacy(raw, i, codes=8, bits_at=4)) * half(raw, 0) + half(raw, 2)


def q8_0(raw, i):
    return np.float32(signed(raw[2 + i])) * half(raw, 0)


def mxfp4(raw, i):
    code = nibble(raw, 1, i)
    size = [0, 0.5, 1, 1.5, 2, 3, 4, 6][code & 7]
    return np.float32(math.ldexp(-size if code & 8 else size, raw[0] - 127))


def two_bits(raw, at, i):
    return raw[at + i // 128 * 32 + i % 32] >> (2 * (i % 128 // 32)) & 3


def q2_k(raw, i):
    both = raw[i // 16]
    return half(raw, 80) * np.float32(both & 15) * np.float32(two_bits(raw, 16, i)) - half(
        raw, 82
    ) * np.float32(both >> 4)


def q3_k(raw, i):
    code = two_bits(raw, 32, i) - (0 if raw[i % 32] >> (i // 32) & 1 else 4)
    group = i // 16
    low = raw[96 + group % 8] >> (4 * (group // 8)) & 15
    high = raw[104 + group % 4] >> (2 * (group // 4)) & 3
    return half(raw, 108) * np.float32((low | high << 4) - 32) * np.float32(code)


def six_bits(raw, group):
    if group < 4:
        return raw[4 + group] & 63, raw[8 + group] & 63
    scale = raw[8 + group] & 15 | raw[group] >> 6 << 4
    minimum = raw[8 + group] >> 4 | raw[4 + group] >> 6 << 4
    return scale, minimum


def four_bit_k(raw, i, code):
    scale, minimum = six_bits(raw, i // 32)
    return half(raw, 0) * np.float32(scale) * np.float32(code) - half(raw, 2) * np.float32(minimum)


def q4_k(raw, i):
    return four_bit_k(raw, i, raw[16 + i // 64 * 32 + i % 32] >> (4 * (i // 32 % 2)) & 15)


def q5_k(raw, i):
    low = raw[48 + i // 64 * 32 + i % 32] >> (4 * (i // 32 % 2)) & 15
    return four_bit_k(raw, i, low | (raw[16 + i % 32] >> (i // 32) & 1) << 4)


def q6_k(raw, i):
    low = raw[i // 128 * 64 + i % 64] >> (4 * (i % 128 // 64)) & 15
    code = low | two_bits(raw, 128, i) << 4
    scale = np.float32(signed(raw[192 + i // 16]))
    return half(raw, 208) * scale * np.float32(code - 32)


TWINS = {
    "Q4_0": q4_0,
    "Q4_1": q4_1,
    "Q5_0": q5_0,
    "Q5_1": q5_1,
    "Q8_0": q8_0,
    "MXFP4": mxfp4,
    "Q2_K": q2_k,
    "Q3_K": q3_k,
    "Q4_K": q4_k,
    "Q5_K": q5_k,
    "Q6_K": q6_k,
}


def drawn(name, *, blocks=3):
    """Draw blocks whose half-precision scales are numbers."""
    rng = np.random.default_rng(BLOCKS.index(name))
    grid = GGUF_GRIDS[name]
    raw = rng.integers(0, 256, (blocks, grid.bytes), dtype=np.uint8)
    if name == "MXFP4":
        raw[:, 0] = rng.integers(100, 150, blocks)
    for at in {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,)}.get(name, (0, 2)):
        if name != "MXFP4" and not (at == 2 and name in {"Q4_0", "Q5_0", "Q8_0"}):
            scales = rng.standard_normal(blocks).astype("<f2").view(np.uint8).reshape(-1, 2)
            raw[:, at : at + 2] = scales
    return raw


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_decoded_as_the_slow_twin_decodes_them(name):
    grid, raw = GGUF_GRIDS[name], drawn(name)
    out = np.empty(len(raw) * grid.values, dtype=np.float32)

    grid.decode(raw.reshape(-1), out)

    slow = [TWINS[name](bytes(block), i) for block in raw for i in range(grid.values)]
    assert out.tolist() == np.array(slow, dtype=np.float32).tolist()


def test_every_block_type_has_a_twin():
    assert sorted(TWINS) == BLOCKS


@pytest.mark.parametrize("name", BLOCKS)
def test_scale_that_is_no_number_shows_in_the_values(name):
    grid = GGUF_GRIDS[name]
    raw = np.full((1, grid.bytes), 255, dtype=np.uint8)  # every half of ones is no number
    out = np.zeros(grid.values, dtype=np.float32)

    grid.decode(raw.reshape(-1), out)

    assert name == "MXFP4" or np.isnan(out).all()


@pytest.mark.torch
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_decoded_as_ggml_decodes_them(name):
    gguf = pytest.importorskip("gguf", reason="the extra export is not installed")
    grid, raw = GGUF_GRIDS[name], drawn(name, blocks=64)
    out = np.empty(len(raw) * grid.values, dtype=np.float32)

    grid.decode(raw.reshape(-1), out)

    theirs = gguf.quants.dequantize(raw.reshape(-1), gguf.GGMLQuantizationType[name])
    assert np.array_equal(out, theirs.reshape(-1))
