import json
import os
import shutil
import signal
import subprocess
import sys
import time

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file

from dokja.errors import RecordError
from dokja.models.forge.engines import (
    CheckpointState,
    find_checkpoints,
    open_checkpoint,
    write_checkpoint,
    write_weights,
)
from dokja.models.forge.engines.checkpoints import remove_unfinished
from dokja.models.forge.engines.tensors import write_tensors
from dokja.models.weights import open_source

CONFIG = {"model_type": "llama", "hidden_size": 4}
RNG = np.random.default_rng(7)
WEIGHTS = {
    "lm_head.weight": RNG.standard_normal((5, 4)).astype(np.float32),
    "model.norm.weight": np.ones(4, dtype=np.float32),
}
MOMENTS = {
    f"{which}/{name}": RNG.standard_normal(tensor.shape).astype(np.float32)
    for which in ("exp_avg", "exp_avg_sq")
    for name, tensor in WEIGHTS.items()
}


def state(step):
    return CheckpointState(
        step=step,
        tokens=step * 256,
        cursor=step * 8,
        optimizer="adamw",
        updates=step,
        engine="ref",
        precision="fp32",
    )


def write(folder, step, **more):
    said = {"weights": WEIGHTS, "config": CONFIG, "optimizer": MOMENTS, **more}
    return write_checkpoint(folder, state=state(step), **said)


def faults(path):
    with pytest.raises(RecordError) as caught:
        open_checkpoint(path)
    return [(mistake.file, mistake.place) for mistake in caught.value.mistakes]


def test_state_comes_back_bit_equal(tmp_path):
    noise = np.arange(16, dtype=np.uint8)
    path = write(tmp_path, 50, optimizer={**MOMENTS, "rng/torch": noise})

    opened = open_checkpoint(path)

    assert path.name == "step-00000050"
    assert opened.state == state(50)
    assert dict(opened.config) == CONFIG
    assert opened.trained == tuple(WEIGHTS)
    assert opened.adapter is None
    for name, tensor in WEIGHTS.items():
        assert opened.weights.read(name).tobytes() == tensor.tobytes()
        for which in ("exp_avg", "exp_avg_sq"):
            assert opened.moment(which, name).tobytes() == MOMENTS[f"{which}/{name}"].tobytes()
    assert opened.random_state().tolist() == noise.tolist()
    assert sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()) == [
        "state/optimizer.safetensors",
        "state/state.json",
        "weights/config.json",
        "weights/model.safetensors",
    ]


def test_state_file_is_what_the_contract_says(tmp_path):
    said = json.loads((write(tmp_path, 3) / "state/state.json").read_text())

    assert said == {
        "schema": "dokja.state/1",
        "step": 3,
        "tokens": 768,
        "cursor": 24,
        "optimizer": {"kind": "adamw", "t": 3},
        "engine": "ref",
        "precision": "fp32",
    }


def test_same_state_is_the_same_bytes(tmp_path):
    first, second = write(tmp_path / "a", 1), write(tmp_path / "b", 1)

    for file in sorted(first.rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (second / file.relative_to(first)).read_bytes()


def test_adapter_has_the_moments_and_the_weights_are_merged(tmp_path):
    factor = {"q.lora_A.weight": np.ones((2, 4), dtype=np.float32)}
    moments = {f"{which}/q.lora_A.weight": np.zeros((2, 4), np.float32)
               for which in ("exp_avg", "exp_avg_sq")}  # fmt: skip  # one thought

    opened = open_checkpoint(write(tmp_path, 1, optimizer=moments, adapter=factor))

    assert opened.trained == ("q.lora_A.weight",)
    assert opened.adapter.read("q.lora_A.weight").tolist() == [[1.0] * 4] * 2


def test_newest_whole_checkpoint_is_found(tmp_path):
    for step in (0, 9, 10, 100_000_000):
        write(tmp_path, step)
    (tmp_path / ".step-00000011.unfinished").mkdir()
    (tmp_path / "notes.txt").touch()

    found = find_checkpoints(tmp_path)

    assert [one.state.step for one in found.whole] == [0, 9, 10, 100_000_000]
    assert found.newest.state.step == 100_000_000
    assert found.damaged == ()
    assert find_checkpoints(tmp_path / "nowhere").newest is None


def test_damaged_checkpoint_is_passed_over_and_told_of(tmp_path):
    write(tmp_path, 1)
    weights = write(tmp_path, 2) / "weights/model.safetensors"
    os.truncate(weights, weights.stat().st_size - 4)

    found = find_checkpoints(tmp_path)

    assert found.newest.state.step == 1
    assert {mistake.file for mistake in found.damaged} == {
        "step-00000002/weights/model.safetensors"
    }


def test_damaged_checkpoint_is_replaced_by_a_whole_one(tmp_path):
    (write(tmp_path, 2) / "state/state.json").write_text("{}")

    write(tmp_path, 2)
    remove_unfinished(tmp_path)

    assert find_checkpoints(tmp_path).newest.state.step == 2
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


def test_every_damage_is_told_at_once(tmp_path):
    path = write(tmp_path, 2)
    (path / "weights/model.safetensors").unlink()
    said = json.loads((path / "state/state.json").read_text())
    said |= {"step": 3, "tokens": -1, "precision": "fp8", "optimizer": {"kind": "", "t": "x"}}
    (path / "state/state.json").write_text(json.dumps(said))

    assert faults(path) == [
        ("step-00000002/weights", ""),
        ("step-00000002/state/state.json", "step"),
        ("step-00000002/state/state.json", "tokens"),
        ("step-00000002/state/state.json", "kind"),
        ("step-00000002/state/state.json", "t"),
        ("step-00000002/state/state.json", "precision"),
    ]


@pytest.mark.parametrize("text", ["[1]", "{", '{"step": 1, "step": 2}', '{"optimizer": 1}'])
def test_state_that_is_no_object_is_told(tmp_path, text):
    path = write(tmp_path, 2)
    (path / "state/state.json").write_text(text)

    assert faults(path) == [("step-00000002/state/state.json", "")]


def test_moments_of_no_tensor_are_told(tmp_path):
    strange = {**MOMENTS, "exp_avg/other": np.zeros(3, np.float32)}
    del strange["exp_avg_sq/model.norm.weight"]

    assert faults(write(tmp_path, 2, optimizer=strange)) == [
        ("step-00000002/state/optimizer.safetensors", "tensor exp_avg/model.norm.weight"),
        ("step-00000002/state/optimizer.safetensors", "tensor exp_avg/other"),
    ]


def test_large_weights_are_split_with_an_index(tmp_path):
    tensors = {f"t{n}": np.full((8,), n, dtype=np.float32) for n in range(7)}

    write_weights(tmp_path / "w", tensors, config=CONFIG, shard_bytes=64)

    source = open_source(tmp_path / "w")
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == [
        "config.json",
        *(f"model-{n:05d}-of-00004.safetensors" for n in range(1, 5)),
        "model.safetensors.index.json",
    ]
    assert {name: source.read(name)[0] for name in source.names} == {f"t{n}": n for n in range(7)}


@given(
    tensors=st.dictionaries(
        st.text("abc./_", min_size=1, max_size=6),
        arrays.arrays(
            dtype=st.sampled_from([np.float32, np.int64, np.uint8, np.float16]),
            shape=arrays.array_shapes(min_dims=0, max_dims=3, max_side=3),
        ),
        max_size=4,
    )
)
def test_the_reference_reader_reads_what_is_written(tmp_path_factory, tensors):
    path = tmp_path_factory.mktemp("t") / "a.safetensors"

    write_tensors(path, tensors)

    read = load_file(path)
    assert sorted(read) == sorted(tensors)
    for name, tensor in tensors.items():
        assert (read[name].dtype, read[name].shape) == (tensor.dtype, tensor.shape)
        assert read[name].tobytes() == tensor.tobytes()


def test_bfloat16_and_foreign_byte_order_are_written_rightly(tmp_path):
    narrow = np.array([1.5, -2.0], dtype=ml_dtypes.bfloat16)
    foreign = np.array([1.5, -2.0], dtype=">f4")

    write_tensors(tmp_path / "a.safetensors", {"narrow": narrow, "foreign": foreign})

    source = open_source(tmp_path / "a.safetensors")
    assert source.info("narrow").dtype == "BF16"
    assert source.read("narrow").tolist() == source.read("foreign").tolist() == [1.5, -2.0]


def test_type_that_the_format_does_not_know_is_refused(tmp_path):
    with pytest.raises(ValueError, match="complex64"):
        write_tensors(tmp_path / "a.safetensors", {"a": np.zeros(2, np.complex64)})

    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
import numpy as np
from dokja.models.forge.engines import CheckpointState, write_checkpoint
for step in range(1, 10_000):
    tensors = {f"t{n}": np.full(20_000, step, np.float32) for n in range(4)}
    write_checkpoint(
        Path(sys.argv[1]),
        state=CheckpointState(step=step, tokens=step, cursor=step, optimizer="adamw",
                              updates=step, engine="ref", precision="fp32"),
        weights=tensors,
        config={},
        optimizer={f"{w}/{n}": t for w in ("exp_avg", "exp_avg_sq") for n, t in tensors.items()},
    )
    print(step, flush=True)
"""


@pytest.mark.parametrize("delay", [0.003, 0.017, 0.031])
def test_writer_that_is_killed_leaves_only_whole_checkpoints(tmp_path, delay):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    writer.stdout.readline()
    time.sleep(delay)
    writer.send_signal(signal.SIGKILL)
    told = [1, *map(int, writer.stdout.read().split())]
    writer.wait()
    writer.stdout.close()

    found = find_checkpoints(tmp_path)

    assert found.damaged == ()
    assert [one.state.step for one in found.whole][: len(told)] == told
    newest = found.newest
    assert newest.weights.read("t3").tolist() == [newest.state.step] * 20_000
    shutil.rmtree(tmp_path)
