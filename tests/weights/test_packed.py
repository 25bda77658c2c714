"""Codes and scales are shown as the matrices that they stand for; each format has a slow twin."""

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from dokja.errors import WeightsError
from dokja.models.forge.transforms.quantise import SCHEMES, decode, encode
from dokja.models.weights import open_source
from dokja.models.weights.grids import PLAIN_GRIDS
from dokja.models.weights.roots import source_digests

ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
NAMES = {
    np.dtype(kind): name
    for name, kind in {
        "F32": "<f4",
        "F16": "<f2",
        "BF16": ml_dtypes.bfloat16,
        "F8_E4M3": ml_dtypes.float8_e4m3fn,
        "F8_E5M2": ml_dtypes.float8_e5m2,
        "F8_E8M0": ml_dtypes.float8_e8m0fnu,
        "I32": "<i4",
        "I64": "<i8",
        "I8": "i1",
        "U8": "u1",
    }.items()
}


@pytest.fixture
def opened(tmp_path, write_file):
    def opened(tensors, config=None):
        header, data = {}, b""
        for name, values in tensors.items():
            raw = np.ascontiguousarray(values).tobytes()
            header[name] = {
                "dtype": NAMES[values.dtype],
                "shape": list(values.shape),
                "data_offsets": [len(data), len(data) + len(raw)],
            }
            data += raw
        write_file(tmp_path / "model.safetensors", header, data)
        (tmp_path / "config.json").write_text(
            json.dumps({"quantization_config": config} if config else {})
        )
        return open_source(tmp_path)

    return opened


def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("name", ["F8_E4M3", "F8_E5M2"])
@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 771])
def test_table_of_eight_bit_floats_gives_what_ml_dtypes_gives(name, count):
    raw = np.arange(count).astype(np.uint8)
    out = np.empty(count, dtype=np.float32)

    PLAIN_GRIDS[name].decode(raw, out)

    kind = {v: k for k, v in NAMES.items()}[name]
    assert np.array_equal(out, raw.view(kind).astype(np.float32), equal_nan=True)


def test_table_reads_codes_that_do_not_begin_on_an_even_byte():
    raw = np.arange(256, dtype=np.uint8)[1:]
    out = np.empty(256, dtype=np.float32)[1:]

    PLAIN_GRIDS["F8_E4M3"].decode(raw, out)

    assert np.array_equal(out, raw.view(ml_dtypes.float8_e4m3fn).astype("f4"), equal_nan=True)


def multiplied(codes, scales, high, wide):
    """Multiply every code by the scale of its block, one at a time."""
    out = np.empty(codes.shape, dtype=np.float32)
    for row in range(codes.shape[0]):
        for column in range(codes.shape[1]):
            out[row, column] = np.float32(codes[row, column]) * scales[row // high, column // wide]
    return out


@pytest.mark.parametrize(
    ("shape", "scales", "block"),
    [
        ((300, 260), (3, 3), (128, 128)),
        ((6, 8), (6, 1), (1, 8)),
        ((6, 8), (1, 1), (6, 8)),
        ((6, 8), (6, 2), (1, 4)),
        ((6, 8), (3, 2), (2, 4)),
    ],
)
@pytest.mark.parametrize("ending", ["_scale", "_scale_inv"])
def test_eight_bit_floats_are_multiplied_by_the_scale_of_their_block(
    opened, shape, scales, block, ending
):
    codes = rng().standard_normal(shape).astype(ml_dtypes.float8_e4m3fn)
    factors = rng().uniform(0.5, 2, scales).astype(np.float32)
    source = opened({"x.weight": codes, f"x.weight{ending}": factors})

    expected = multiplied(codes, factors, *block)
    middle = shape[0] // 2

    assert source.names == ("x.weight",)
    assert source.info("x.weight").dtype == "F8_E4M3"
    assert np.array_equal(source.read("x.weight"), expected)
    assert np.array_equal(source.read_rows("x.weight", middle, middle + 2), expected[middle:][:2])


@pytest.mark.parametrize("shape", [(), (1,), (6,)])
def test_scale_of_fewer_axes_is_one_or_one_for_each_row(opened, shape):
    codes = rng().integers(-128, 128, (6, 4)).astype(np.int8)
    scales = rng().uniform(1, 2, shape).astype(ml_dtypes.bfloat16)

    values = opened({"x.weight": codes, "x.weight_scale": np.asarray(scales)}).read("x.weight")

    spread = np.broadcast_to(np.asarray(scales, dtype=np.float32).reshape(-1, 1), (6, 1))
    assert np.array_equal(values, codes.astype(np.float32) * spread)


def test_stack_of_experts_has_scales_of_its_own(opened):
    codes = rng().standard_normal((3, 130, 140)).astype(ml_dtypes.float8_e4m3fn)
    scales = rng().uniform(1, 2, (3, 2, 2)).astype(np.float32)
    source = opened({"experts": codes, "experts_scale_inv": scales})

    second = source.read_rows("experts", 1, 2)[0]

    assert np.array_equal(second, multiplied(codes[1], scales[1], 128, 128))


def test_scales_of_powers_of_two_are_read(opened):
    codes = rng().standard_normal((4, 128)).astype(ml_dtypes.float8_e4m3fn)
    scales = np.array([[0.25]], dtype=ml_dtypes.float8_e8m0fnu)

    values = opened({"x.weight": codes, "x.weight_scale_inv": scales}).read("x.weight")

    assert np.array_equal(values, codes.astype(np.float32) / 4)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_what_the_forge_stores_is_read_back(opened, scheme):
    matrix = rng().standard_normal((200, 192)).astype(np.float32)
    kind = SCHEMES[scheme]
    codes = encode(matrix, kind)
    name = "x.weight_packed" if kind.bits == 4 else "x.weight"
    config = {"quant_method": f"dokja-{scheme}", "bits": kind.bits, "group_size": kind.columns}
    source = opened(
        {name: codes.codes, f"x.weight{kind.scale_name}": codes.scales, "plain": matrix}, config
    )

    values, some = source.read("x.weight"), source.read_rows("x.weight", 130, 140)

    assert np.array_equal(values, decode(codes, kind))
    assert np.array_equal(some, values[130:140])
    assert source.names == ("plain", "x.weight")
    assert source.parameters == 2 * matrix.size
    assert {one.name for one in source_digests(source)} == set(source.stored.names)


def packed_words(codes, bits):
    """Pack unsigned codes into int32 along the last axis, the first in the lowest bits."""
    parts = codes.reshape(*codes.shape[:-1], -1, 32 // bits).astype(np.uint32)
    words = np.zeros(parts.shape[:-1], dtype=np.uint32)
    for place in range(32 // bits):
        words |= parts[..., place] << np.uint32(place * bits)
    return words.view(np.int32)


@pytest.mark.parametrize("bits", [4, 8])
def test_compressed_tensors_are_read(opened, bits):
    codes = rng().integers(0, 1 << bits, (5, 64))
    scales = rng().uniform(1, 2, (5, 2)).astype(np.float16)
    source = opened(
        {
            "x.weight_packed": packed_words(codes, bits),
            "x.weight_scale": scales,
            "x.weight_shape": np.array([5, 64]),
        },
        {"config_groups": {"group_0": {"weights": {"num_bits": bits, "group_size": 32}}}},
    )

    expected = (codes - (1 << (bits - 1))).astype(np.float32) * np.repeat(scales, 32, 1)

    assert source.names == ("x.weight",)
    assert source.info("x.weight").dtype == f"I{bits}"
    assert np.array_equal(source.read("x.weight"), expected.astype(np.float32))


def slow_gptq(codes, zeros, scales, groups, bits):
    out = np.empty((codes.shape[1], codes.shape[0]), dtype=np.float32)
    for i in range(codes.shape[0]):
        for o in range(codes.shape[1]):
            zero = (int(zeros[groups[i], o]) + 1) % (1 << bits)
            out[o, i] = np.float32(int(codes[i, o]) - zero) * np.float32(scales[groups[i], o])
    return out


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("ordered", [True, False])
def test_gptq_is_read(opened, bits, ordered):
    inputs, outputs, size = 64, 32, 16
    codes = rng().integers(0, 1 << bits, (inputs, outputs))
    zeros = rng().integers(0, 1 << bits, (inputs // size, outputs))
    scales = rng().uniform(0.01, 0.02, (inputs // size, outputs)).astype(np.float16)
    groups = np.arange(inputs) // size
    tensors = {
        "x.qweight": np.ascontiguousarray(packed_words(codes.T, bits).T),
        "x.qzeros": packed_words(zeros, bits),
        "x.scales": scales,
    }
    if ordered:
        groups = rng().permutation(groups)
        tensors["x.g_idx"] = groups.astype(np.int32)
    source = opened(tensors, {"quant_method": "gptq", "bits": bits, "group_size": size})

    expected = slow_gptq(codes, zeros, scales, groups, bits)

    assert source.names == ("x.weight",)
    assert source.info("x.weight").shape == (outputs, inputs)
    assert source.info("x.weight").dtype == f"GPTQ{bits}"
    assert np.array_equal(source.read("x.weight"), expected)
    assert np.array_equal(source.read_rows("x.weight", 3, 9), expected[3:9])
    blocks = [block.copy() for block in source.row_blocks("x.weight", 4 * inputs)]
    assert np.array_equal(np.concatenate(blocks), expected)


def test_second_form_of_gptq_has_whole_zeros(opened):
    codes = rng().integers(0, 16, (8, 8))
    tensors = {
        "x.qweight": np.ascontiguousarray(packed_words(codes.T, 4).T),
        "x.qzeros": packed_words(np.full((1, 8), 8), 4),
        "x.scales": np.ones((1, 8), dtype=np.float16),
    }

    first = opened(tensors).read("x.weight")
    second = opened(tensors, {"checkpoint_format": "gptq_v2"}).read("x.weight")

    assert np.array_equal(second, codes.T - 8)
    assert np.array_equal(first, codes.T - 9)


def test_awq_is_read(opened):
    inputs, outputs, size = 64, 48, 32
    codes = rng().integers(0, 16, (inputs, outputs))
    zeros = rng().integers(0, 16, (inputs // size, outputs))
    scales = rng().uniform(0.01, 0.02, (inputs // size, outputs)).astype(np.float16)

    def interleaved(numbers):
        eights = numbers.reshape(len(numbers), -1, 8)[:, :, ORDER]
        return packed_words(eights.reshape(numbers.shape), 4)

    source = opened(
        {"x.qweight": interleaved(codes), "x.qzeros": interleaved(zeros), "x.scales": scales},
        {"quant_method": "awq"},
    )

    expected = np.empty((outputs, inputs), dtype=np.float32)
    for i in range(inputs):
        for o in range(outputs):
            group = i // size
            difference = np.float32(int(codes[i, o]) - int(zeros[group, o]))
            expected[o, i] = difference * np.float32(scales[group, o])
    assert source.info("x.weight").dtype == "AWQ4"
    assert np.array_equal(source.read("x.weight"), expected)
    assert np.array_equal(source.read_rows("x.weight", 5, 21), expected[5:21])


WORDS = np.zeros((8, 8), dtype=np.int32)
ONES = np.ones((1, 8), dtype=np.float16)


@pytest.mark.parametrize(
    "tensors",
    [
        {"x.weight": np.zeros((4, 4), np.int8), "x.weight_scale": np.ones((3, 1), np.float32)},
        {"x.weight": np.zeros((4, 4), np.int8), "x.weight_scale": np.ones((4, 1), np.int32)},
        {"x.weight": np.zeros((4, 4), np.uint8), "x.weight_scale": np.ones((4, 1), np.float32)},
        {"x.weight_packed": np.zeros((4, 4), np.uint8)},
        {"x_blocks": np.zeros((4, 1, 16), np.uint8), "x_scales": np.zeros((4, 1), np.uint8)},
        {"x.weight": np.zeros((32, 1), np.uint8), "x.weight.absmax": np.ones(1, np.float32)},
        {
            "x.weight_packed": np.zeros((4, 4), np.uint8),
            "x.weight_scale": np.ones((4, 1), np.float32),
            "x.weight_zero_point": np.zeros((4, 1), np.int8),
        },
        {"x.qweight": WORDS, "x.scales": ONES},
        {"x.qweight": WORDS, "x.scales": ONES, "x.qzeros": np.zeros((2, 1), np.int32)},
        {"x.qweight": WORDS, "x.scales": ONES, "x.qzeros": np.zeros((1, 3), np.int32)},
        {
            "x.qweight": WORDS,
            "x.scales": ONES,
            "x.qzeros": np.zeros((1, 1), np.int32),
            "x.weight": np.ones((8, 64), np.float32),
        },
    ],
)
def test_codes_that_do_not_fit_are_refused_and_never_shown_as_values(opened, tensors):
    with pytest.raises(WeightsError) as caught:
        opened(tensors)

    assert [one.expected[:24] for one in caught.value.mistakes] == ["codes, scales and zeros "]


def test_input_of_a_group_that_is_not_there_is_an_error(opened):
    source = opened(
        {
            "x.qweight": WORDS,
            "x.scales": ONES,
            "x.qzeros": np.zeros((1, 1), np.int32),
            "x.g_idx": np.full(64, 9, dtype=np.int32),
        }
    )

    with pytest.raises(WeightsError, match="groups from 9 to 9"):
        source.read("x.weight")


@given(
    st.lists(st.integers(0, 5), max_size=3),
    st.lists(st.integers(0, 5), max_size=3),
    st.sampled_from([np.int8, np.uint8, np.float32, np.int32]),
    st.sampled_from([("", "_scale"), ("_packed", "_scale"), ("", "_scale_inv")]),
)
def test_any_shapes_are_a_source_or_a_clear_error(tmp_path_factory, codes, scales, kind, endings):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    named = {f"x.weight{endings[0]}": np.ones(codes, kind)}
    path.write_bytes(save(named | {f"x.weight{endings[1]}": np.ones(scales, np.float32)}))

    try:
        source = open_source(path)
    except WeightsError:
        return

    for name in source.names:
        assert source.read(name).shape == source.info(name).shape
