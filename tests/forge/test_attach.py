import json
import os
import shlex
import struct
import subprocess
import sys
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dokja.errors import LogError, RecipeError, WeightsError
from dokja.models.forge.engines import Job, parse_job
from dokja.models.forge.engines.jobs import AdamW, Adapter, Batch, Keep
from dokja.models.forge.importers.checksums import crc32c, masked
from dokja.models.forge.launch import Determinism, LaunchRequest
from dokja.models.forge.launch.megatron import differences, megatron_files, write_megatron
from dokja.models.forge.launch.parallelism import Parallelism
from dokja.models.forge.launch.titan import titan_files, write_titan
from dokja.models.forge.launch.watching import Engine, open_attached, watch
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure
from dokja.values import Digest

TINY = Structure(
    family="llama", vocabulary=256, width=64, layers=4, heads=4, kv_heads=2, head_width=16, ffn=176
)


def job(**changes):
    said = {
        "plan": str(Digest.of(b"plan")),
        "structure": TINY,
        "start": "start",
        "steps": 100,
        "batch": Batch(sequences=16, length=64, micro=2),
        "optimizer": AdamW(lr=1e-3),
        "schedule": Schedule(kind="warmup-linear", total_steps=100, warmup_steps=20, final=0.1),
        "data": {
            "seed": "00ff",
            "sources": [{"name": "ko", "corpus": "ko", "weight": 1.0, "max_repeats": 4}],
        },
        "keep": Keep(checkpoint_every=50),
        "precision": "bf16",
    }
    return Job(**(said | changes))


def request(**changes):
    said = {
        "plan": Digest.of(b"plan"),
        "folder": PurePosixPath("/scratch/run"),
        "command": ("pretrain_gpt.py",),
        "job": PurePosixPath("job.json"),
        "python": "python3",
        "gpus_per_node": 8,
        "gpu_type": "b200",
    }
    return LaunchRequest(**(said | changes))


EIGHT = Parallelism(data=4, tensor=2)


def test_torchtitan_is_told_the_whole_job_and_started_by_the_same_scripts(tmp_path):
    paths = write_titan(job(), tmp_path, parallelism=EIGHT, request=request())

    said = json.loads((tmp_path / "titan.json").read_text())
    assert [path.name for path in paths] == [
        "titan.json",
        "dokja_titan.py",
        "convert_titan.py",
        "job.sbatch",
        "ray_job.py",
        "run.sh",
        "torchrun.sh",
    ]
    assert parse_job(json.dumps(said["job"]), file="titan.json") == job()
    assert said["parallelism"] == {
        "data_parallel_replicate_degree": 1,
        "data_parallel_shard_degree": 4,
        "tensor_parallel_degree": 2,
        "pipeline_parallel_degree": 1,
        "pipeline_parallel_microbatch_size": 2,
        "context_parallel_degree": 1,
    }
    script = (tmp_path / "torchrun.sh").read_text()
    assert "    -m torchtitan.train --module dokja_titan --config plan\n" in script
    compile((tmp_path / "dokja_titan.py").read_text(), "dokja_titan.py", "exec")


def test_a_pipeline_takes_all_sequences_of_its_replica_at_once():
    files = titan_files(job(), parallelism=Parallelism(data=2, pipeline=4), request=request())

    assert json.loads(files["titan.json"])["local_batch"] == 8


def test_everything_that_torchtitan_cannot_train_is_told_at_once():
    other = job(
        structure=Structure(
            family="peri",
            vocabulary=256,
            width=64,
            layers=4,
            heads=4,
            kv_heads=2,
            head_width=16,
            ffn=176,
            window=32,
        ),
        trainable="adapters",
        adapter=Adapter(rank=2, alpha=4.0, targets=("q_proj",), seed="00"),
        first_step=5,
        optimizer=AdamW(lr=1e-3, clip=None),
    )

    with pytest.raises(RecipeError) as caught:
        titan_files(other, parallelism=Parallelism(data=3, tensor=3), request=request())

    assert [(mistake.file, mistake.place) for mistake in caught.value.mistakes] == [
        ("job", "structure.family"),
        ("job", "structure.window"),
        ("job", "trainable"),
        ("job", "first_step"),
        ("job", "optimizer.clip"),
        ("parallelism", ""),
        ("parallelism", "data"),
        ("parallelism", "tensor"),
    ]


degrees = st.integers(-1, 8)


@given(degrees, degrees, degrees, degrees)
def test_degrees_that_fit_are_those_that_divide(data, tensor, pipeline, context):
    spread = Parallelism(data=data, tensor=tensor, pipeline=pipeline, context=context)
    whole = min(data, tensor, pipeline, context) >= 1
    fits = (
        whole
        and 16 % (2 * data) == 0
        and 4 % tensor == 0
        and 2 % tensor == 0
        and pipeline <= 4
        and (context == 1 or 64 % (2 * context) == 0)
    )

    found = list(spread.mistakes(job(), gpus=spread.gpus))

    assert (found == []) == fits


def test_megatron_gets_the_plans_numbers_as_arguments(tmp_path):
    files = megatron_files(
        job(),
        parallelism=EIGHT,
        request=request(determinism=Determinism.STRICT),
        data_path="/data/the corpus_text",
    )

    arguments = shlex.split(files["megatron.args"])
    pairs = dict(zip(arguments, [*arguments[1:], ""], strict=True))
    assert {name: pairs[name] for name in sorted(pairs) if name in EXPECTED} == EXPECTED
    assert {"--swiglu", "--group-query-attention", "--bf16", "--deterministic-mode"} <= {*arguments}
    assert "--untie-embeddings-and-output-weights" in arguments


EXPECTED = {
    "--num-layers": "4",
    "--hidden-size": "64",
    "--ffn-hidden-size": "176",
    "--num-query-groups": "2",
    "--kv-channels": "16",
    "--rotary-base": "10000",
    "--norm-epsilon": "1e-05",
    "--global-batch-size": "16",
    "--lr": "0.001",
    "--min-lr": "0.0001",
    "--lr-decay-style": "linear",
    "--lr-warmup-iters": "20",
    "--adam-beta2": "0.95",
    "--clip-grad": "1.0",
    "--tensor-model-parallel-size": "2",
    "--vocab-size": "256",
    "--data-path": "/data/the corpus_text",
}


def test_the_written_start_of_megatron_hands_every_argument_on(tmp_path):
    (tmp_path / "pretrain_gpt.py").write_text("import sys, json; print(json.dumps(sys.argv))")
    write_megatron(
        job(),
        tmp_path,
        parallelism=EIGHT,
        request=request(folder=PurePosixPath(tmp_path), python=sys.executable),
        data_path="a b/'c'",
    )

    done = subprocess.run(["bash", tmp_path / "run.sh"], capture_output=True, text=True, check=True)

    said = json.loads(done.stdout)
    assert said[0] == "pretrain_gpt.py"
    assert said[1:] == shlex.split((tmp_path / "megatron.args").read_text())
    assert said[said.index("--data-path") + 1] == "a b/'c'"


def test_what_megatron_does_otherwise_is_said_by_name():
    assert [name for name, _ in differences(job())] == ["instances", "batch", "schedule"]


TITAN_LINE = "[titan] 2026-01-02 03:04:{s:02d},000 - root - INFO - step: {s:2}  loss: {loss:8.5f}  \
grad_norm:  1.5000  memory:  1.50GiB(1.90%)  tps: 7,213  tflops: 3.21  mfu: 1.03%\n"


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def event_file(path, rows):
    """Write an event file: rows of step, time, tag, value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b""
    for step, wall, tag, value in rows:
        inside = b"\x0a" + varint(len(tag)) + tag.encode() + b"\x15" + struct.pack("<f", value)
        summary = b"\x0a" + varint(len(inside)) + inside
        event = b"\x09" + struct.pack("<d", wall) + b"\x10" + varint(step)
        event += b"\x2a" + varint(len(summary)) + summary
        head = struct.pack("<Q", len(event))
        data += head + struct.pack("<I", masked(crc32c(head)))
        data += event + struct.pack("<I", masked(crc32c(event)))
    path.write_bytes(data)


def scalars(steps, start):
    return [
        (step, start + step, tag, value)
        for step in steps
        for tag, value in (
            ("loss_metrics/global_avg_loss", 6.0 - step / 16),
            ("lr/AdamW/0", step / 1024),
            ("grad_norm", 1.0),
            ("n_tokens_seen", 1024.0 * step),
        )
    ]


def weights(folder, *, names=("a", "b")):
    folder.mkdir(parents=True)
    total = len(names)
    places = {}
    for number, name in enumerate(names, start=1):
        file = f"model-{number:05d}-of-{total:05d}.safetensors"
        save_file({name: np.ones((2, 3), dtype=np.float32)}, folder / file)
        places[name] = file
    index = {"metadata": {"total_size": 24 * total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def titan_run(tmp_path):
    """A run of torchtitan: started twice, four checkpoints, one of them distributed."""
    tensorboard = tmp_path / "titan" / "tb"
    event_file(
        tensorboard / "20260102-0304" / "events.out.tfevents.1700000000.a.1.0",
        scalars(range(1, 9), 1.7e9),
    )
    event_file(
        tensorboard / "20260102-0305" / "events.out.tfevents.1700000100.a.1.0",
        scalars(range(6, 13), 1.7e9 + 100),
    )
    (tmp_path / "job.out").write_text(
        "".join(TITAN_LINE.format(s=s, loss=6 - s / 16) for s in range(1, 9))
    )
    for step in (4, 12):
        folder = weights(tmp_path / "titan" / "checkpoint" / f"step-{step}")
        for path in folder.iterdir():
            os.utime(path, (1.7e9 + 200 + step, 1.7e9 + 200 + step))
    distributed = tmp_path / "titan" / "checkpoint" / "step-8"
    distributed.mkdir()
    (distributed / ".metadata").write_bytes(b"\x80\x04.")
    (distributed / "__0_0.distcp").write_bytes(b"PK")
    return tmp_path


def test_watching_torchtitan_reads_logs_and_checkpoints_and_names_what_is_missing(titan_run):
    found = watch(titan_run, engine=Engine.TITAN)

    assert found.metrics.series["loss"].step.tolist() == list(range(1, 13))
    assert found.metrics.series["lr"].value.tolist() == [s / 1024 for s in range(1, 13)]
    assert found.metrics.series["tokens"].value.tolist() == [1024.0 * s for s in range(1, 13)]
    assert [(one.step, one.parameters) for one in found.checkpoints] == [(4, 12), (12, 12)]
    assert [(type(one).__name__, one.step) for one in found.events] == [
        ("Interruption", 5),
        ("Checkpointed", 4),
        ("Checkpointed", 12),
    ]
    assert [one.name for one in found.missing] == [
        "instances",
        "device-seconds",
        "checkpoint-0",
        "optimizer-state",
    ]


def test_a_distributed_checkpoint_is_refused_with_how_it_is_converted(titan_run):
    found = watch(titan_run, engine=Engine.TITAN)

    assert [mistake.read for mistake in found.refused] == [
        "a checkpoint in torch's distributed form, which holds pickles"
    ]
    assert "convert_titan.py STEP_FOLDER HF_FOLDER" in found.refused[0].remedy


def test_a_checkpoint_with_a_missing_shard_is_refused(titan_run):
    folder = titan_run / "titan" / "checkpoint" / "step-12"
    (folder / "model-00002-of-00002.safetensors").unlink()

    found = watch(titan_run, engine=Engine.TITAN)

    assert [one.step for one in found.checkpoints] == [4]
    assert any("model-00002-of-00002" in mistake.read for mistake in found.refused)
    with pytest.raises(WeightsError, match="Fetch the missing file"):
        open_attached(folder, engine=Engine.TITAN)


def test_without_tensorboard_the_output_is_read_and_lacks_rate_and_tokens(titan_run):
    for path in (titan_run / "titan" / "tb").rglob("events*"):
        path.unlink()

    found = watch(titan_run, engine=Engine.TITAN)

    assert found.metrics.kind == "torchtitan"
    assert {one.name: one.checks for one in found.missing if one.name in {"lr", "tokens"}} == {
        "lr": ("V1.2", "V2.3"),
        "tokens": ("V1.1",),
    }


def test_a_folder_without_anything_names_all_that_is_missing(tmp_path):
    found = watch(tmp_path, engine=Engine.MEGATRON)

    assert found.metrics is None
    assert [one.name for one in found.missing] == [
        "instances",
        "device-seconds",
        "loss",
        "lr",
        "grad_norm",
        "tokens",
        "checkpoints",
        "optimizer-state",
    ]


def test_several_outputs_of_one_run_are_an_error_that_lists_them(tmp_path):
    for name in ("a.out", "b.out"):
        (tmp_path / name).write_text(TITAN_LINE.format(s=1, loss=6.0))

    with pytest.raises(LogError, match=r"a\.out, b\.out"):
        watch(tmp_path, engine=Engine.TITAN)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(LogError, match="No such file"):
        watch(tmp_path / "none", engine=Engine.TITAN)
