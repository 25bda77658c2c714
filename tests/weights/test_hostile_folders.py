"""Folders and files that are damaged, refused or out to harm: each ends in one clear error."""

import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import WeightsError
from dokja.models.weights import open_source


class Bomb:
    """A pickle that leaves a trace when it is opened."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def mistakes_in(path):
    with pytest.raises(WeightsError) as caught:
        open_source(path)
    return caught.value.mistakes


def test_file_shorter_than_its_length_is_refused(folder):
    for size in range(8):
        (folder / "model.safetensors").write_bytes(b"\0" * size)

        assert [mistake.read for mistake in mistakes_in(folder)] == [f"{size} bytes"]


def test_header_of_ten_gigabytes_allocates_nothing(folder, write_file):
    write_file(folder / "model.safetensors", b"{}", stated=10 * 2**30)
    tracemalloc.start()

    found = mistakes_in(folder)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [mistake.place for mistake in found] == ["header length"]
    assert peak < 1_000_000


def test_sparse_file_of_ten_gigabytes_opens_within_little_memory(tmp_path, describe, write_file):
    header, size = describe({"w": (50_000, 50_000)})
    path = write_file(tmp_path / "model.safetensors", header)
    os.truncate(path, path.stat().st_size + size)
    script = (
        "import resource, sys; from pathlib import Path; import dokja.models.weights as weights;"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        "source = weights.open_source(Path(sys.argv[1]));"
        "print(source.parameters, source.read_rows('w', 7, 8).shape)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )

    assert done.stdout == "2500000000 (1, 50000)\n"
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 2**30


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickle_in_disguise_is_refused_and_not_opened(tmp_path, folder, protocol):
    trace = tmp_path / "opened"
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb(trace), protocol=protocol))

    found = mistakes_in(folder)

    assert len(found) == 1
    assert "pickle" in found[0].read or protocol < 2
    assert not trace.exists()


def test_zip_of_pickles_in_disguise_is_refused(folder):
    with zipfile.ZipFile(folder / "model.safetensors", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1]))

    assert "zip archive" in mistakes_in(folder)[0].read


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "MODEL.PTH", "x.ckpt", "x.pkl", "x.npz"]
)
def test_file_of_a_refused_name_beside_the_weights_is_named(folder, name):
    (folder / name).write_bytes(b"anything")

    found = mistakes_in(folder)

    assert [mistake.file for mistake in found] == [str(folder / name)]
    assert "It was not opened" in found[0].remedy


def test_gguf_that_calls_itself_safetensors_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"GGUF" + bytes(100))

    found = mistakes_in(path)

    assert [mistake.read for mistake in found] == ["a GGUF file that is named safetensors"]


def test_gguf_beside_safetensors_is_a_second_set(folder):
    (folder / "m.gguf").write_bytes(b"GGUF" + bytes(100))

    found = mistakes_in(folder)

    assert [mistake.read for mistake in found] == ["'m.gguf', 'model.safetensors'"]


def test_header_length_that_looks_like_a_pickle_is_read(tmp_path, describe, write_file):
    header, size = describe({"w": (2,)})
    raw = json.dumps(header).encode().ljust(0x0280)  # its length is the bytes 80 02

    path = write_file(tmp_path / "model.safetensors", raw, bytes(size))

    assert open_source(path).names == ("w",)


def test_truncated_and_oversized_files_are_refused(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()

    path.write_bytes(whole[:-1])
    cut = mistakes_in(folder)
    path.write_bytes(whole + b"PK")
    long = mistakes_in(folder)

    assert [mistake.expected for mistake in cut] == ["a range inside the data"]
    assert [mistake.expected for mistake in long] == ["a file that ends with its last tensor"]


def test_every_cut_of_a_file_is_refused(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()

    for size in range(len(whole)):
        path.write_bytes(whole[:size])

        assert {mistake.file for mistake in mistakes_in(folder)} == {str(path)}


def test_link_out_of_the_folder_is_refused(tmp_path, folder):
    outside = tmp_path / "outside.safetensors"
    (folder / "model.safetensors").rename(outside)
    (folder / "model.safetensors").symlink_to(outside)

    found = mistakes_in(folder)

    assert [mistake.read for mistake in found] == ["a link that leads out of the folder"]


def test_link_inside_the_folder_is_followed(folder):
    (folder / "model.safetensors").rename(folder / "weights-of-today")
    (folder / "model.safetensors").symlink_to("weights-of-today")

    assert open_source(folder).names == ("a", "b")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_link_that_leads_nowhere_or_round_in_a_ring_is_a_mistake(folder, name):
    (folder / name).unlink()
    (folder / name).symlink_to(name)

    found = mistakes_in(folder)

    assert [mistake.file for mistake in found] == [str(folder / name)]


def test_pipe_in_the_place_of_weights_does_not_make_us_wait(folder):
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")

    found = mistakes_in(folder)

    assert [mistake.expected for mistake in found] == ["a regular file"]


def test_folder_without_weights_is_refused(tmp_path):
    assert [mistake.read for mistake in mistakes_in(tmp_path)] == ["no weights"]


def test_path_that_is_not_there_is_a_mistake(tmp_path):
    assert "No such file" in mistakes_in(tmp_path / "nothing")[0].read


def test_folder_without_permission_is_a_mistake_that_says_so(folder):
    home = Path(tempfile.mkdtemp())  # below a folder that everybody may enter
    locked = home / "model"
    folder.rename(locked)
    home.chmod(0o755)
    locked.chmod(0)
    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(65534)  # nobody: root may read everything

    try:
        found = mistakes_in(locked)
    finally:
        if as_root:
            os.seteuid(0)
        locked.chmod(0o755)

    assert [mistake.read for mistake in found] == ["nothing: Permission denied"]
    assert "chmod" in found[0].remedy


def test_file_that_changes_after_it_was_checked_is_not_read(folder):
    source = open_source(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])

    with pytest.raises(WeightsError) as caught:
        source.read("b")

    assert "another file than the one that was checked" in str(caught.value)


@pytest.mark.parametrize(
    "shard",
    ["../outside.safetensors", "/etc/passwd", "a/b.safetensors", ".safetensors", "x.bin", "a\0b"],
)
def test_index_that_names_files_elsewhere_is_refused(sharded, shard):
    index = sharded / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["a"] = shard
    index.write_text(json.dumps(content))

    found = mistakes_in(sharded)

    assert found[0].remedy == "Nothing outside the folder was looked at."


def test_index_that_names_missing_shards_is_refused(sharded):
    (sharded / "model-00002-of-00002.safetensors").unlink()

    found = mistakes_in(sharded)

    assert [mistake.expected for mistake in found] == ["all of them", "only shards that are there"]


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"weight_map": {}}, ["weight_map"]),
        ({"weight_map": ["a"]}, ["weight_map"]),
        ({"weight_map": {"a": 1, "b": "model-00002-of-00002.safetensors"}}, ["weight_map, 'a'"]),
        ({"metadata": {"total_size": 33}}, ["metadata.total_size"]),
        ({"metadata": {"total_size": "32"}}, ["metadata.total_size"]),
    ],
)
def test_index_that_contradicts_its_shards_is_refused(sharded, change, places):
    index = sharded / "model.safetensors.index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))

    assert [mistake.place for mistake in mistakes_in(sharded)] == places


def test_index_that_puts_a_tensor_into_the_wrong_shard_is_refused(sharded):
    index = sharded / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] = {
        tensor: f"model-0000{n}-of-00002.safetensors" for tensor, n in ("a2", "b1")
    }
    index.write_text(json.dumps(content))

    found = mistakes_in(sharded)

    assert [mistake.expected for mistake in found] == [
        "a shard that holds this tensor",
        "a shard that holds this tensor",
        "every tensor of every shard",
        "every tensor of every shard",
    ]


def test_two_indexes_are_refused(sharded):
    index = sharded / "model.safetensors.index.json"
    (sharded / "other.safetensors.index.json").write_text(index.read_text())

    assert "2 indexes" in mistakes_in(sharded)[0].read


def test_index_that_leads_out_of_the_folder_is_refused(sharded, tmp_path):
    index = sharded / "model.safetensors.index.json"
    index.rename(tmp_path / "index.json")
    index.symlink_to(tmp_path / "index.json")

    assert [mistake.read for mistake in mistakes_in(sharded)] == [
        "a link that leads out of the folder"
    ]


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_index_that_is_no_object_is_refused(sharded, text):
    (sharded / "model.safetensors.index.json").write_text(text)

    assert [mistake.expected for mistake in mistakes_in(sharded)] == ["one JSON object in UTF-8"]


def test_second_set_of_weights_beside_the_index_is_refused(sharded, describe, write_file):
    header, size = describe({"c": (1,)})
    write_file(sharded / "consolidated.safetensors", header, bytes(size))

    assert [mistake.read for mistake in mistakes_in(sharded)] == [
        "a file that the index does not name"
    ]


def test_tensor_in_two_files_is_refused(folder, describe, write_file):
    header, size = describe({"a": (1,)})
    write_file(folder / "second.safetensors", header, bytes(size))

    assert [mistake.place for mistake in mistakes_in(folder)] == ["tensor 'a'"]


def test_numbered_shards_that_are_missing_are_counted_without_an_index(sharded):
    (sharded / "model.safetensors.index.json").unlink()
    (sharded / "model-00001-of-00002.safetensors").unlink()

    assert mistakes_in(sharded)[0].read == "1 of the 2 shards of 'model'"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "null", '{"a":' + "[" * 10_000]
)
def test_configuration_that_is_no_object_is_a_mistake(folder, text):
    (folder / "config.json").write_text(text)

    assert [mistake.file for mistake in mistakes_in(folder)] == [str(folder / "config.json")]


def test_configuration_beyond_its_cap_is_not_read(folder):
    with (folder / "config.json").open("wb") as stream:
        stream.truncate(11_000_000)

    assert [mistake.read for mistake in mistakes_in(folder)] == ["11000000 bytes"]


@pytest.mark.parametrize(
    "tokenizer",
    [
        {},
        {"model": []},
        {"model": {"vocab": {"a": -1}}},
        {"model": {"vocab": {"a": True}}},
        {"model": {"vocab": {"a": 0, "b": 0}}},
        {"model": {"vocab": {"a": 0}}, "added_tokens": [{"content": "a", "id": 1}]},
        {"model": {"vocab": [[["a"], 0.0]]}},
        {"model": {"vocab": {"a": 2**40}}},
    ],
)
def test_tokenizer_whose_ids_are_not_one_to_one_is_a_mistake(folder, tokenizer):
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    source = open_source(folder)

    with pytest.raises(WeightsError):
        source.tokenizer_vocabulary()


def test_mistakes_of_several_files_come_together(folder):
    (folder / "config.json").write_text("[]")
    (folder / "pytorch_model.bin").write_bytes(b"")
    (folder / "model.safetensors").write_bytes(b"")

    found = mistakes_in(folder)

    assert {Path(mistake.file).name for mistake in found} == {
        "config.json",
        "pytorch_model.bin",
        "model.safetensors",
    }


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: b"\x28" + bytes(7) + tail))
def test_file_of_any_bytes_is_opened_or_refused_within_little_memory(data):
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "model.safetensors"
        path.write_bytes(data)
        tracemalloc.start()

        claimed = _claimed_bytes(path)

        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert claimed < max(len(data), 1)
    assert peak < 2_000_000


def _claimed_bytes(path):
    """Return how many bytes of values a file is believed to hold; none if it is refused."""
    try:
        source = open_source(path)
    except WeightsError:
        return 0
    return sum(source.info(name).bytes for name in source.names)
