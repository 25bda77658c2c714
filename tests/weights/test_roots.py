"""One tensor, one digest: whatever file, shard, order or memory layout it comes in."""

import hashlib
import json
import os
import threading
import tracemalloc
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import save, save_file

from dokja.errors import WeightsError
from dokja.models.weights import open_source
from dokja.models.weights.inclusion import TensorProof, chunk_proof, tensor_proof
from dokja.models.weights.roots import (
    CHUNK_BYTES,
    TensorDigest,
    array_digest,
    dtype_name,
    root,
    root_text,
    source_digests,
    tensor_digest,
    tensor_root,
)
from dokja.values import Digest
from dokja.values.trees import EMPTY_ROOT

F4 = np.float32


def slow_tree(items):
    """MTH of RFC 6962, 2.1, word for word."""
    if not items:
        return hashlib.sha256(b"").digest()
    if len(items) == 1:
        return hashlib.sha256(b"\x00" + items[0]).digest()
    k = 1
    while 2 * k < len(items):
        k *= 2
    return hashlib.sha256(b"\x01" + slow_tree(items[:k]) + slow_tree(items[k:])).digest()


def slow_digest(name, dtype, shape, raw):
    """The note's sentence on a tensor, word for word."""
    chunks = [raw[at : at + CHUNK_BYTES] for at in range(0, len(raw), CHUNK_BYTES)]
    # RFC 8785 of three plain ASCII keys is json without spaces and with sorted keys.
    said = json.dumps(
        {"name": name, "dtype": dtype, "shape": list(shape)}, separators=(",", ":"), sort_keys=True
    )
    return hashlib.sha256(b"\x02" + said.encode() + slow_tree(chunks)).hexdigest()


def slow_root(digests):
    ordered = sorted(digests, key=lambda tensor: tensor.name)
    return slow_tree([bytes.fromhex(tensor.digest.hex) for tensor in ordered]).hex()


def model(tensors, folder):
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    return open_source(folder)


@pytest.mark.parametrize(
    "length",
    [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 5 * CHUNK_BYTES + 7],
)
def test_digest_is_the_slow_one(length):
    raw = np.random.default_rng(0).bytes(length)

    found = tensor_digest("w", "U8", shape=(length,), chunks=[raw])

    assert found.digest.hex == slow_digest("w", "U8", (length,), raw)


def test_digest_of_one_tensor_stays_what_it_is():
    """Golden: whoever changes the scheme breaks every record that was written."""
    found = array_digest("w", np.arange(6, dtype=F4).reshape(2, 3))

    assert str(found.digest) == (
        "sha256:1e26db8ec0e3e9e4d193c0cfb662eff290ffc72a9cbb692054418c4e6dcd4fb3"
    )
    assert root_text(root([found])) == (
        "dokja-tensors-v1:0d897b868099a04a3bef7f44479022c256bae66f72302d9fc52c909d2eb29dd0"
    )


@settings(max_examples=40)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_digest_does_not_depend_on_where_pieces_are_cut(raw, cuts):
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(edges)]

    whole = tensor_digest("w", "U8", shape=(len(raw),), chunks=[raw])

    assert tensor_digest("w", "U8", shape=(len(raw),), chunks=pieces) == whole


def test_digest_does_not_depend_on_cuts_around_chunks():
    raw = np.random.default_rng(1).bytes(2 * CHUNK_BYTES + 100)
    whole = tensor_digest("w", "U8", shape=(len(raw),), chunks=[raw])

    for size in (CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1_000_003):
        pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        assert tensor_digest("w", "U8", shape=(len(raw),), chunks=pieces) == whole


@settings(max_examples=50)
@given(
    arrays(
        st.sampled_from(["<f4", ">f4", "<f2", ">i8", "u1", "?"]),
        array_shapes(min_dims=0, min_side=0),
    )
)
def test_layout_and_byte_order_of_an_array_do_not_count(values):
    raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
    expected = slow_digest("w", dtype_name(values.dtype), values.shape, raw)

    assert array_digest("w", values).digest.hex == expected
    assert array_digest("w", values.copy(order="F")).digest.hex == expected


def test_large_arrays_are_digested_in_any_layout():
    values = np.random.default_rng(2).standard_normal((1500, 1700), dtype=F4)
    expected = slow_digest("w", "F32", values.shape, values.tobytes())

    assert array_digest("w", values).digest.hex == expected
    assert array_digest("w", np.asfortranarray(values)).digest.hex == expected
    assert array_digest("w", np.repeat(values, 2, axis=1)[:, ::2]).digest.hex == expected
    assert array_digest("w", values.astype(">f4")).digest.hex == expected


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("f8", "F64"),
        ("f4", "F32"),
        ("f2", "F16"),
        (ml_dtypes.bfloat16, "BF16"),
        ("i8", "I64"),
        ("i4", "I32"),
        ("i2", "I16"),
        ("i1", "I8"),
        ("u8", "U64"),
        ("u4", "U32"),
        ("u2", "U16"),
        ("u1", "U8"),
        ("?", "BOOL"),
    ],
)
def test_types_are_named_as_in_safetensors(tmp_path, dtype, name):
    values = np.array([[0, 1, 2], [3, 100, 1]]).astype(dtype)

    (found,) = source_digests(model({"w": values}, tmp_path / "m"))

    assert (found.dtype, found.shape, found.parameters, found.bytes) == (
        name,
        (2, 3),
        6,
        values.nbytes,
    )
    assert found == array_digest("w", values)


def test_type_without_a_name_is_refused():
    with pytest.raises(WeightsError, match="read complex64; expected one of float64"):
        array_digest("w", np.zeros(2, dtype=np.complex64))


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "가", "Z", "a.b"]), arrays("f4", array_shapes()), min_size=1
    )
)
def test_source_is_digested_as_its_arrays(tmp_path_factory, tensors):
    path = tmp_path_factory.mktemp("w") / "model.safetensors"
    path.write_bytes(save(tensors))
    source = open_source(path)

    found = source_digests(source)

    assert found == tuple(array_digest(name, tensors[name]) for name in sorted(tensors))
    assert root(found).hex == slow_root(found)
    assert source.bytes_read == sum(values.nbytes for values in tensors.values())


def test_sharding_does_not_change_the_root(tmp_path):
    rng = np.random.default_rng(3)
    tensors = {f"t{n}": rng.standard_normal((40, n + 1)).astype(F4) for n in range(5)}
    whole = root(source_digests(model(tensors, tmp_path / "whole")))
    home = tmp_path / "sharded"
    home.mkdir()
    names = [f"model-{number:05d}-of-00003.safetensors" for number in (1, 2, 3)]
    places = {tensor: names[number % 3] for number, tensor in enumerate(tensors)}
    for file in names:
        held = {tensor: tensors[tensor] for tensor in tensors if places[tensor] == file}
        save_file(held, home / file)
    total = sum(values.nbytes for values in tensors.values())
    (home / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": places})
    )

    assert root(source_digests(open_source(home))) == whole


def test_name_type_shape_and_every_byte_count():
    values = np.arange(12, dtype=F4)
    others = [
        array_digest("v", values),
        array_digest("w", values.reshape(3, 4)),
        array_digest("w", values.view(np.int32)),
        array_digest("w", np.append(values[:-1], F4(11.0001))),
    ]

    digests = {tensor.digest for tensor in [array_digest("w", values), *others]}

    assert len(digests) == 5


def test_content_is_equal_under_another_name():
    values = np.arange(12, dtype=F4)

    assert array_digest("a", values).content == array_digest("b", values).content


def test_tensor_without_values_has_the_empty_content():
    found = array_digest("w", np.zeros((0, 4), dtype=F4))

    assert found.content.raw == EMPTY_ROOT
    assert found.shape == (0, 4)


@pytest.mark.parametrize(
    ("dtype", "shape", "said"),
    [
        ("F32", (3,), "expected the 12 bytes that this shape needs"),
        ("F33", (3,), "expected one of the types F64, F32"),
    ],
)
def test_bytes_that_do_not_fit_the_shape_are_refused(dtype, shape, said):
    with pytest.raises(WeightsError, match=said):
        tensor_digest("w", dtype, shape=shape, chunks=[b"four"])


def test_root_of_nothing_and_of_one_name_twice_is_refused():
    twice = [array_digest("w", np.zeros(1, dtype=F4)), array_digest("w", np.ones(1, dtype=F4))]

    with pytest.raises(ValueError, match="no tensor has no root"):
        root([])
    with pytest.raises(ValueError, match=r"\['w'\] stand twice"):
        root(twice)


def test_some_names_are_digested_alone(tmp_path):
    source = model({name: np.ones(3, dtype=F4) for name in "abc"}, tmp_path / "m")

    found = source_digests(source, ["c", "a"])

    assert [tensor.name for tensor in found] == ["a", "c"]
    assert source.bytes_read == 24
    with pytest.raises(KeyError):
        source_digests(source, ["a", "d"])


def test_tied_tensor_counts_once(tmp_path):
    table = np.arange(6, dtype=F4).reshape(3, 2)
    alias = {"head": "table"}
    once = source_digests(model({"table": table}, tmp_path / "once"), aliases=alias)
    twice = model({"head": table.copy(), "table": table}, tmp_path / "twice")

    assert source_digests(twice, aliases=alias) == once
    assert [tensor.name for tensor in source_digests(twice)] == ["head", "table"]


def test_tied_tensors_that_differ_are_refused(tmp_path):
    source = model({"head": np.zeros(2, dtype=F4), "table": np.ones(2, dtype=F4)}, tmp_path / "m")

    with pytest.raises(WeightsError, match="other values than those of 'table'"):
        source_digests(source, aliases={"head": "table"})
    with pytest.raises(ValueError, match="cannot be aliases"):
        source_digests(source, aliases={"head": "table", "table": "head"})


def test_progress_and_threads_tell_all_bytes_and_change_nothing(tmp_path):
    rng = np.random.default_rng(4)
    source = model({str(n): rng.standard_normal(200_000).astype(F4) for n in range(5)}, tmp_path)
    told, lock = [], threading.Lock()

    def progress(count):
        with lock:
            told.append(count)

    alone = source_digests(source)
    together = source_digests(source, progress=progress, threads=4)

    assert together == alone
    assert sum(told) == 4_000_000
    assert source.bytes_read == 8_000_000


def test_memory_stays_at_a_piece(tmp_path):
    source = model({"w": np.zeros(8_000_000, dtype=F4)}, tmp_path / "m")
    source_digests(source, [])
    tracemalloc.start()

    source_digests(source)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_chunks_are_the_stored_bytes_in_one_buffer(tmp_path):
    values = np.arange(1000, dtype="<f2")
    source = model({"w": values}, tmp_path / "m")

    pieces = [(piece.obj, bytes(piece)) for piece in source.chunks("w", 300)]

    assert b"".join(raw for _, raw in pieces) == values.tobytes()
    assert [len(raw) for _, raw in pieces] == [300] * 6 + [200]
    assert len({id(buffer) for buffer, _ in pieces}) == 1
    assert source.bytes_read == 2000


def test_file_that_changes_while_it_is_read_is_no_digest(tmp_path):
    model({"w": np.zeros(300_000, dtype=F4)}, tmp_path / "m")
    # Clocks of file systems are coarse: the change must not fall into the tick of the making.
    os.utime(tmp_path / "m/model.safetensors", (0, 0))
    source = open_source(tmp_path / "m")
    reading = source.chunks("w", 1 << 18)
    next(reading)

    with (tmp_path / "m/model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")

    with pytest.raises(WeightsError, match="another file than the one that was checked"):
        list(reading)


def test_root_is_read_as_it_is_written():
    digest = Digest.of(b"root")

    assert tensor_root(root_text(digest)) == digest
    for wrong in (str(digest), digest.hex, "dokja-tensors-v2:" + digest.hex):
        with pytest.raises(ValueError, match="not a root of the form"):
            tensor_root(wrong)


def test_digest_list_is_read_as_it_is_written():
    found = array_digest("가.w", np.zeros((2, 0), dtype=F4))

    assert TensorDigest.from_json(found.to_json(), file="tensors.json") == found


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F33"},
        {"dtype": ["F32"]},
        {"shape": [-1]},
        {"shape": [True]},
        {"shape": "2"},
        {"content": "sha256:ab"},
        {"content": 1},
        {"name": 1},
        {"more": 1},
    ],
)
def test_digest_list_that_is_wrong_is_refused(change):
    said = {**array_digest("w", np.zeros(2, dtype=F4)).to_json(), **change}

    with pytest.raises(WeightsError, match="something else than a tensor's digest"):
        TensorDigest.from_json(said, file="tensors.json")


@settings(max_examples=30)
@given(st.integers(1, 20), st.data())
def test_every_tensor_is_proven_to_belong_and_no_other(count, data):
    body = [array_digest(f"t{number}", np.full(1, number, dtype=F4)) for number in range(count)]
    name = data.draw(st.sampled_from([tensor.name for tensor in body]))
    proof = tensor_proof(body, name)
    stranger = array_digest(name, np.full(1, -1, dtype=F4))
    swapped = TensorProof(tensor=stranger, place=proof.place, size=proof.size, path=proof.path)

    assert proof.holds(root(body)) is True
    assert swapped.holds(root(body)) is False
    assert proof.holds(root([*body, array_digest("more", np.zeros(1, dtype=F4))])) is False


def test_tensor_that_is_not_there_has_no_proof():
    with pytest.raises(KeyError):
        tensor_proof([array_digest("w", np.zeros(1, dtype=F4))], "v")


def test_every_chunk_is_proven_to_belong_in_its_place_only(tmp_path):
    raw = np.random.default_rng(5).bytes(2 * CHUNK_BYTES + 12)
    source = model({"w": np.frombuffer(raw, dtype=np.uint8)}, tmp_path / "m")
    (whole,) = source_digests(source)
    chunks = [raw[at : at + CHUNK_BYTES] for at in range(0, len(raw), CHUNK_BYTES)]

    proofs = [chunk_proof(source, "w", number=number) for number in range(3)]

    assert [proof.tensor for proof in proofs] == [whole] * 3
    holds = [[proof.holds(chunk) for chunk in chunks] for proof in proofs]
    assert holds == [[True, False, False], [False, True, False], [False, False, True]]
    assert proofs[2].holds(chunks[2] + b"\x00") is False
    assert proofs[0].holds(b"") is False
    with pytest.raises(ValueError, match="has no leaf 3"):
        chunk_proof(source, "w", number=3)
