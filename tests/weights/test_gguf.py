"""A GGUF file is a source like any other: its names, its order and its values are a folder's."""

import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokja.errors import WeightsError
from dokja.models.weights import open_source

F32, F16, Q8_0 = 0, 1, 8
FACTS = {
    "general.architecture": "llama",
    "llama.block_count": 1,
    "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.tokens": ["<s>", "가", "a"],
    "tokenizer.ggml.scores": [1, 2, 3],
}


def plain(values):
    values = np.asarray(values, dtype="<f4")
    return values.shape, F32, values.tobytes()


def permuted(values, heads):
    """Lay rows in rotating pairs, as the converter does."""
    rows = values.shape[0]
    paired = values.reshape(heads, 2, rows // heads // 2, *values.shape[1:])
    return paired.swapaxes(1, 2).reshape(values.shape)


@pytest.fixture
def opened(tmp_path, gguf_file):
    def opened(facts, tensors, **options):
        path = tmp_path / "model.gguf"
        path.write_bytes(gguf_file(facts, tensors, **options))
        return open_source(path)

    return opened


@pytest.fixture
def mistakes(opened):
    def mistakes(facts, tensors, **options):
        with pytest.raises(WeightsError) as caught:
            opened(facts, tensors, **options)
        return [(one.place, one.read) for one in caught.value.mistakes]

    return mistakes


def test_names_configuration_and_tokens_are_those_of_a_folder(opened):
    tensors = {
        "token_embd.weight": plain(np.ones((3, 4))),
        "blk.0.attn_norm.weight": plain([1, 2, 3, 4]),
        "blk.0.ffn_gate.weight": plain(np.ones((2, 4))),
        "strange.tensor": plain([1]),
    }

    source = opened(FACTS, tensors)

    assert source.names == (
        "model.embed_tokens.weight",
        "model.layers.0.input_layernorm.weight",
        "model.layers.0.mlp.gate_proj.weight",
        "strange.tensor",
    )
    assert source.config == {
        "model_type": "llama",
        "tie_word_embeddings": True,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_theta": 10000.0,
        "vocab_size": 3,
    }
    assert source.token_rows() == {"<s>": 0, "가": 1, "a": 2}
    assert source.stored.names == tuple(sorted(tensors))


@pytest.mark.parametrize(("start", "stop"), [(0, 8), (0, 2), (1, 3), (3, 7), (5, 5)])
def test_rows_of_q_stand_in_the_folder_s_order(opened, start, stop):
    query = np.arange(8 * 6, dtype=np.float32).reshape(8, 6)
    source = opened(FACTS, {"blk.0.attn_q.weight": plain(permuted(query, 2))})

    rows = source.read_rows("model.layers.0.self_attn.q_proj.weight", start, stop)

    assert np.array_equal(rows, query[start:stop])
    assert np.array_equal(source.read("model.layers.0.self_attn.q_proj.weight"), query)


def test_biases_of_k_are_put_back_and_other_architectures_are_left(opened):
    bias = np.arange(8, dtype=np.float32)

    llama = opened(FACTS, {"blk.0.attn_k.bias": plain(permuted(bias, 1))})
    got = llama.read("model.layers.0.self_attn.k_proj.bias")
    qwen = opened({"general.architecture": "qwen2"}, {"blk.0.attn_k.bias": plain(bias)})

    assert np.array_equal(got, bias)
    assert np.array_equal(qwen.read("model.layers.0.self_attn.k_proj.bias"), bias)


def test_heads_that_do_not_fit_the_rows_are_a_mistake(mistakes):
    found = mistakes(
        FACTS | {"llama.attention.head_count": 3},
        {"blk.0.attn_q.weight": plain(np.ones((8, 2)))},
    )

    assert found == [("llama.attention.head_count", "3")]


def test_gains_of_gemma_are_handed_out_less_one(opened):
    source = opened(
        {"general.architecture": "gemma2"}, {"blk.0.ffn_norm.weight": plain([1.5, 0.5])}
    )

    gains = source.read("model.layers.0.pre_feedforward_layernorm.weight")

    assert gains.tolist() == [0.5, -0.5]


def test_experts_of_a_stack_are_tensors_of_their_own(opened):
    stack = np.arange(3 * 2 * 4, dtype=np.float32).reshape(3, 2, 4)
    source = opened(FACTS, {"blk.0.ffn_up_exps.weight": plain(stack)})

    second = source.read_rows("model.layers.0.mlp.experts.1.up_proj.weight", 1, 2)

    assert len(source.names) == 3
    assert np.array_equal(second, stack[1, 1:])
    assert source.bytes_read == 16
    assert source.parameters == stack.size


def test_rows_of_blocks_are_read_alone(opened):
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 100, (5, 2, 34), dtype=np.uint8)
    source = opened(FACTS, {"blk.0.ffn_up.weight": ((5, 64), Q8_0, raw.tobytes())})
    name = "model.layers.0.mlp.up_proj.weight"

    whole, rows = source.read(name), source.gather(name, [1, 2, 4])

    assert np.array_equal(rows, whole[[1, 2, 4]])
    assert source.bytes_read == (5 + 3) * 2 * 34
    assert source.info(name).dtype == "Q8_0"
    assert b"".join(map(bytes, source.chunks(name, 100))) == raw.tobytes()


def test_parts_of_a_split_file_are_one_source(tmp_path, gguf_file):
    for number, name in enumerate(("output.weight", "token_embd.weight")):
        facts = {"split.count": 2, "split.no": number} | (FACTS if number == 0 else {})
        path = tmp_path / f"m-0000{number + 1}-of-00002.gguf"
        path.write_bytes(gguf_file(facts, {name: plain(np.ones((2, 2)))}))

    whole = open_source(tmp_path)
    with pytest.raises(WeightsError, match=r"split\.count"):
        open_source(path)

    assert whole.names == ("lm_head.weight", "model.embed_tokens.weight")
    assert whole.config["tie_word_embeddings"] is False


def test_long_lists_of_numbers_are_stepped_over_and_not_fetched(tmp_path, gguf_file):
    scores = list(range(2_000_000))
    path = tmp_path / "m.gguf"
    path.write_bytes(
        gguf_file({"tokenizer.ggml.scores": scores, "general.name": "last"}, {"w": plain([1])})
    )

    tracemalloc.start()
    source = open_source(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert path.stat().st_size > 8_000_000
    assert peak < 4_000_000
    assert source.read("w").tolist() == [1]


GOOD = plain(np.ones((2, 32)))


@pytest.mark.parametrize(
    ("facts", "tensors", "expected"),
    [
        ({}, {"w": ((2, 31), Q8_0, bytes(68))}, ("tensor 'w'", "rows of 31 values")),
        ({}, {"w": ((2, 32), 4, bytes(68))}, ("tensor 'w'", "type 4")),
        ({}, {"w": ((0, 32), F32, b"")}, ("tensor 'w'", "the lengths [32, 0]")),
        ({}, {"w": ((1, 1, 1, 1, 1), F32, bytes(4))}, ("tensor 'w'", "5 axes")),
        ({}, {"a\n": GOOD}, ("tensor 'a\\n'", "a name that is empty or has control signs")),
        ({}, {b"\xff": GOOD}, ("tensor 0", "a byte that is not UTF-8 at 0")),
        ({"general.alignment": 24}, {"w": GOOD}, ("general.alignment", "24")),
        ({"general.alignment": "x"}, {"w": GOOD}, ("general.alignment", "'x'")),
        (
            {},
            {"a": GOOD, "b": ((2, 32), F32, bytes(9))},
            ("tensor 'b'", "bytes 256 to 512 of 265"),
        ),
        ({}, {"w": ((2, 32), F32, bytes(512))}, ("end", "256 bytes that no tensor claims")),
    ],
    ids=[
        *("half a block", "old type", "no row", "five axes", "line end", "no text"),
        *("crooked alignment", "alignment of text", "cut off", "hidden bytes"),
    ],
)
def test_header_that_lies_is_one_mistake(mistakes, facts, tensors, expected):
    assert mistakes(facts, tensors) == [expected]


@pytest.mark.parametrize(
    ("change", "read"),
    [
        (lambda raw: raw[:4] + struct.pack("<I", 1) + raw[8:], "version 1"),
        (lambda raw: raw[:4] + struct.pack(">I", 3) + raw[8:], "version 3 in big-endian order"),
        (lambda raw: raw[:8] + struct.pack("<Q", 2**60) + raw[16:], "1152921504606846976 tensors"),
        (lambda raw: raw[:24] + struct.pack("<Q", 2**60) + raw[32:], "a string of 11529215046068"),
        (lambda raw: raw[:30], "a header that goes on after byte 30"),
        (lambda raw: b"GGML" + raw[4:], "the first bytes b'GGML'"),
    ],
)
def test_header_that_is_no_header_is_one_mistake(tmp_path, gguf_file, change, read):
    path = tmp_path / "m.gguf"
    path.write_bytes(change(gguf_file(FACTS, {"w": GOOD})))

    with pytest.raises(WeightsError) as caught:
        open_source(path)

    assert len(caught.value.mistakes) == 1
    assert caught.value.mistakes[0].read.startswith(read)


def test_overlap_and_hole_are_named(tmp_path, gguf_file):
    raw = bytearray(gguf_file({}, {"a": GOOD, "b": GOOD}))
    place = raw.index(b"\1" + bytes(7) + b"b") + 9 + 4 + 16 + 4  # the second tensor's offset
    found = []
    for offset in (128, 512):
        raw[place : place + 8] = struct.pack("<Q", offset)
        (tmp_path / "m.gguf").write_bytes(raw + bytes(256))
        with pytest.raises(WeightsError) as caught:
            open_source(tmp_path / "m.gguf")
        found.append(caught.value.mistakes[0].read)

    assert found == [
        "a start at byte 128 after tensor 'a'",
        "a start at byte 512 after tensor 'a'",
    ]


BITS = st.lists(
    st.tuples(st.integers(0, 1500), st.sampled_from([0, 1, 8, 9, 127, 128, 255])), max_size=6
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=BITS, length=st.integers(0, 2500))
def test_any_bytes_are_a_source_or_a_clear_error(tmp_path, gguf_file, changes, length):
    blocks = ((2, 64), Q8_0, bytes(2 * 2 * 34))
    tensors = {"blk.0.attn_q.weight": plain(np.ones((8, 6))), "blk.0.ffn_up_exps.weight": blocks}
    raw = bytearray(gguf_file(FACTS, tensors)[: max(length, 40)])
    for at, value in changes:
        raw[at % len(raw)] = value
    path = tmp_path / "fuzzed.gguf"
    path.write_bytes(raw)

    tracemalloc.start()
    try:
        with suppress(WeightsError):
            source = open_source(path)
            for name in source.names:
                source.read(name)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert peak < 20_000_000


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q4_0", "Q5_1"])
def test_file_of_another_writer_is_read_as_its_own_package_reads_it(tmp_path, kind):
    gguf = pytest.importorskip("gguf", reason="the extra export is not installed")
    path = tmp_path / "theirs.gguf"
    values = np.random.default_rng(5).standard_normal((6, 64)).astype(np.float32)
    of = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_token_list(["a", "b"])
    writer.add_token_merges([f"x {number}" for number in range(30_000)])
    writer.add_tensor("blk.0.attn_q.weight", gguf.quants.quantize(values, of), raw_dtype=of)
    writer.add_tensor("output_norm.weight", np.ones(64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    source = open_source(path)

    theirs = {one.name: one for one in gguf.GGUFReader(path).tensors}["blk.0.attn_q.weight"]
    expected = gguf.quants.dequantize(np.asarray(theirs.data), theirs.tensor_type)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert source.info(name).dtype == kind
    assert np.array_equal(source.read(name), expected.reshape(6, 64))
    assert source.config["num_hidden_layers"] == 1
    assert source.tokenizer_vocabulary() == ("a", "b")
