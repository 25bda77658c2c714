"""What comes out of sound weights is what went in."""

import hashlib
import json
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import save, save_file

from dokja.models.weights import RangeAccount, open_source

TYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]


@pytest.mark.parametrize("dtype", [*TYPES, ml_dtypes.bfloat16], ids=str)
def test_tensor_of_each_type_is_read_as_float32(tmp_path, dtype):
    values = np.array([[0, 1, 2], [3, 100, 1]]).astype(dtype)
    save_file({"w": values}, tmp_path / "model.safetensors")

    read = open_source(tmp_path).read("w")

    assert read.dtype == np.float32
    assert np.array_equal(read, values.astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), arrays("f4", array_shapes(max_dims=4)), max_size=4)
)
def test_file_of_another_writer_is_read_as_it_was_written(tmp_path_factory, tensors):
    path = tmp_path_factory.mktemp("w") / "model.safetensors"
    path.write_bytes(save(tensors))

    source = open_source(path)

    assert source.names == tuple(sorted(tensors))
    assert all(np.array_equal(source.read(n), tensors[n], equal_nan=True) for n in tensors)
    assert source.parameters == sum(values.size for values in tensors.values())
    assert source.bytes_read == sum(values.nbytes for values in tensors.values())


def test_rows_are_those_of_the_whole_tensor(tmp_path):
    values = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
    save_file({"w": values}, tmp_path / "model.safetensors")
    source = open_source(tmp_path)

    rows = [source.read_rows("w", start, stop) for start, stop in ((0, 5), (2, 3), (4, 4))]

    assert [
        np.array_equal(got, values[a:b])
        for got, (a, b) in zip(rows, ((0, 5), (2, 3), (4, 4)), strict=True)
    ] == [True, True, True]
    assert source.bytes_read == (5 + 1) * 4 * 3 * 4


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 1), (0, 6)])
def test_rows_that_are_not_there_are_an_error(tmp_path, start, stop):
    save_file({"w": np.ones((5, 2), dtype=np.float32)}, tmp_path / "model.safetensors")

    with pytest.raises(IndexError, match="has no rows"):
        open_source(tmp_path).read_rows("w", start, stop)


def test_values_beyond_float32_show_as_infinite(tmp_path):
    save_file({"w": np.array([1e300, np.nan])}, tmp_path / "model.safetensors")

    read = open_source(tmp_path).read("w")

    assert np.isinf(read[0])
    assert np.isnan(read[1])


def test_shards_are_one_source(sharded):
    source = open_source(sharded)

    assert (source.names, source.parameters, source.name) == (("a", "b"), 8, "sharded")
    assert np.array_equal(source.read("b"), np.ones((2, 2)))


def test_digest_names_the_weights_and_not_the_folder(folder):
    before = open_source(folder).digest
    moved = folder.rename(folder.parent / "elsewhere")
    after_moving = open_source(moved).digest
    path = moved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")

    assert after_moving == before
    assert open_source(moved).digest != before


def test_configuration_and_tokens_stand_beside_the_weights(folder):
    source = open_source(folder)

    assert source.config == {"model_type": "llama"}
    assert source.tokenizer_vocabulary() == ("a", "가")
    assert source.token_rows() == {"a": 0, "가": 1}


def test_configuration_and_tokenizer_may_be_missing(folder):
    (folder / "config.json").unlink()
    (folder / "tokenizer.json").unlink()

    source = open_source(folder / "model.safetensors")

    assert source.config is None
    assert source.tokenizer_vocabulary() is None
    assert source.name == "model"


def test_added_and_unigram_tokens_have_their_rows(folder):
    tokenizer = {
        "model": {"vocab": [["<s>", 0.0], ["나", -1.0]]},
        "added_tokens": [{"content": "<s>", "id": 0}, {"content": "<pad>", "id": 7}],
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))

    assert open_source(folder).token_rows() == {"<s>": 0, "나": 1, "<pad>": 7}


def test_rows_come_in_blocks_and_in_memory_that_does_not_grow(tmp_path, write_file):
    rows, columns = 65_536, 2048  # 256 MiB, of which the disk holds next to nothing
    size = rows * columns * 2
    said = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [0, size]}
    path = write_file(tmp_path / "model.safetensors", {"w": said})
    with path.open("ab") as file:
        file.truncate(path.stat().st_size + size)
    source = open_source(path)

    tracemalloc.start()
    read = sum(len(block) for block in source.row_blocks("w"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert read == rows
    assert source.bytes_read == size
    assert peak < 8_000_000


def test_blocks_of_rows_are_the_tensor(tmp_path):
    values = np.arange(7 * 6, dtype=np.float32).reshape(7, 3, 2)
    save_file({"w": values, "one": np.array(3, dtype=np.float32)}, tmp_path / "model.safetensors")
    source = open_source(tmp_path)

    blocks = [block.copy() for block in source.row_blocks("w", 12)]

    assert [len(block) for block in blocks] == [2, 2, 2, 1]
    assert np.array_equal(np.concatenate(blocks), values)
    assert [block.tolist() for block in source.row_blocks("one")] == [[3.0]]


def test_values_are_written_into_memory_that_is_given(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    save_file({"w": values}, tmp_path / "model.safetensors")
    source = open_source(tmp_path)
    kept = np.zeros((3, 4), dtype=np.float32)

    read = source.read("w", out=kept)

    assert np.shares_memory(read, kept)
    assert np.array_equal(kept, values)
    with pytest.raises(ValueError, match="does not fit into"):
        source.read("w", out=np.zeros((4, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="does not fit into"):
        source.read("w", out=np.zeros((4, 3), dtype=np.float32).T)


def test_single_rows_are_gathered_in_rising_order_only(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    save_file({"w": values}, tmp_path / "model.safetensors")
    source = open_source(tmp_path)

    rows = source.gather("w", [0, 1, 4])

    assert np.array_equal(rows, values[[0, 1, 4]])
    assert source.gather("w", []).shape == (0, 2)
    with pytest.raises(ValueError, match="rows must rise"):
        source.gather("w", [4, 1])


def test_local_readings_are_noted_where_an_account_is_given(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    save_file({"w": values}, tmp_path / "model.safetensors")
    account = RangeAccount()

    source = open_source(tmp_path, account=account)
    source.read_rows("w", 1, 3)

    (only,) = account.ranges()
    assert source.account is account
    assert (only.file, only.last - only.first + 1) == ("model.safetensors", 16)
    assert only.sha256 == hashlib.sha256(values[1:3].tobytes()).hexdigest()
    assert open_source(tmp_path).account is None
