import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.launch import Determinism, LaunchRequest, launch_files, write_launch
from dokja.values import Digest

PLAN = Digest.of(b"plan")

# What is started in the engine's place: it writes what it was started with, then waits to be
# told to stop.
WORKER = """\
import json, os, signal, sys, time
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append(1))
said = {"arguments": sys.argv[1:], "folder": os.getcwd(), "plan": os.environ["DOKJA_PLAN"],
        "threads": os.environ["OMP_NUM_THREADS"], "nccl": os.environ.get("NCCL_ALGO"),
        "cublas": os.environ.get("CUBLAS_WORKSPACE_CONFIG")}
open("said.part", "w").write(json.dumps(said))
os.rename("said.part", "said.json")
for _ in range(1000):
    if told:
        time.sleep(0.2)  # a checkpoint takes its time
        open("checkpoint", "w").write("whole")
        sys.exit(130)
    time.sleep(0.01)
"""


def request(**changes):
    said = {
        "plan": PLAN,
        "folder": PurePosixPath("/scratch/run"),
        "command": ("-m", "dokja.models.forge.workers.hf"),
        "job": PurePosixPath("job.json"),
        "python": "python3",
        "nodes": 2,
        "gpus_per_node": 8,
        "gpu_type": "b200",
        "hours": 12.0,
    }
    return LaunchRequest(**(said | changes))


def test_a_job_asks_for_typed_gpus_for_requeue_and_for_a_signal():
    script = launch_files(request(partition="gpu", account="team-1", cpus_per_node=96))[
        "job.sbatch"
    ]

    assert [line for line in script.splitlines() if line.startswith("#SBATCH")] == [
        f"#SBATCH --job-name=dokja-{PLAN.short}",
        f"#SBATCH --comment=dokja:{PLAN}",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --time=0-12:00:00",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@180",
        "#SBATCH --open-mode=append",
        f"#SBATCH --output=dokja-{PLAN.short}-%j.out",
        "#SBATCH --gres=gpu:b200:8",
        "#SBATCH --cpus-per-task=96",
        "#SBATCH --partition=gpu",
        "#SBATCH --account=team-1",
    ]
    assert script.count("--gres=gpu:b200:8") == 2


def test_strict_determinism_adds_its_environment_and_calibrated_does_not():
    strict, calibrated = (
        launch_files(request(determinism=one)) for one in ("strict", Determinism.CALIBRATED)
    )

    for name in ("run.sh", "torchrun.sh", "job.sbatch"):
        assert "export CUBLAS_WORKSPACE_CONFIG=:4096:8\nexport NCCL_ALGO=Ring\n" in strict[name]
        assert "NCCL_ALGO" not in calibrated[name]
        assert f"export DOKJA_PLAN={PLAN}\n" in strict[name]


def test_the_same_request_writes_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in write_launch(request(), tmp_path)]

    assert [path.read_bytes() for path in write_launch(request(), tmp_path)] == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "job.sbatch",
        "ray_job.py",
        "run.sh",
        "torchrun.sh",
    ]


def test_every_mistake_of_a_request_is_told_at_once():
    with pytest.raises(RecipeError) as caught:
        request(
            folder=PurePosixPath("run\nrm -rf"),
            gpu_type="",
            partition="a b",
            nodes=0,
            hours=0.0,
            determinism="loose",
            command=(),
        )

    assert [mistake.place for mistake in caught.value.mistakes] == [
        "folder",
        "partition",
        "nodes",
        "hours",
        "folder",
        "determinism",
        "command",
        "gpu_type",
    ]


@pytest.mark.parametrize("sign", ["\n", "\r", "\0", "\x1b", "\u2028"])
def test_a_path_that_no_line_can_hold_is_refused(sign):
    with pytest.raises(RecipeError, match="printable"):
        request(job=PurePosixPath(f"a{sign}b"))


printable = st.text(min_size=1, max_size=20).filter(str.isprintable)


@given(printable, printable)
def test_any_printable_path_stands_in_the_scripts_as_one_word(folder, job):
    asked = request(folder=PurePosixPath("/", folder), job=PurePosixPath(job))

    script = launch_files(asked)["run.sh"]
    cd, start = (
        next(line for line in script.splitlines() if line.startswith(begin))
        for begin in ("cd ", "  exec ")
    )

    assert shlex.split(cd) == ["cd", "--", str(asked.folder)]
    assert shlex.split(start)[-1] == str(asked.job)


@pytest.mark.parametrize("gpus", [0, 8])
def test_the_scripts_are_sound_bash(tmp_path, gpus):
    asked = request(
        folder=PurePosixPath("/a b/'c'/$(d)/한글"), gpus_per_node=gpus, gpu_type="b200" * (gpus > 0)
    )
    for path in write_launch(asked, tmp_path):
        if path.suffix == ".py":
            compile(path.read_text(), path.name, "exec")
            continue
        assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
        if shutil.which("shellcheck"):
            said = subprocess.run(
                ["shellcheck", "-s", "bash", "-S", "warning", path],
                capture_output=True,
                text=True,
                check=False,
            )
            assert said.stdout == ""


def started(script, folder, *arguments, environment=None):
    return subprocess.Popen(
        ["bash", str(folder / script), *arguments], env=os.environ | (environment or {})
    )


def wait_for(path, process):
    for _ in range(1000):
        if path.exists():
            return
        assert process.poll() is None, f"it ended with {process.returncode}"
        time.sleep(0.01)
    pytest.fail(f"no {path.name}")


@pytest.fixture(params=["plain", "a b '$HOME' \"c\" `id` 한글 & ;*"])
def folder(tmp_path, request):
    place = tmp_path / request.param
    place.mkdir()
    (place / "worker.py").write_text(WORKER)
    return place


def test_run_sh_hands_the_signal_on_and_waits_for_the_checkpoint(folder):
    asked = request(
        folder=PurePosixPath(folder),
        python=sys.executable,
        command=("worker.py", "--of", "a plan's"),
        determinism=Determinism.STRICT,
    )
    write_launch(asked, folder)

    process = started("run.sh", folder)
    wait_for(folder / "said.json", process)
    process.send_signal(signal.SIGUSR1)
    code = process.wait(timeout=10)

    assert code == 130
    assert (folder / "checkpoint").read_text() == "whole"
    assert json.loads((folder / "said.json").read_text()) == {
        "arguments": ["--of", "a plan's", "job.json"],
        "folder": str(folder),
        "plan": str(PLAN),
        "threads": "1",
        "nccl": "Ring",
        "cublas": ":4096:8",
    }


# As torch's launcher does: workers in sessions of their own, and 1 when one of them failed.
LAUNCHER = """\
import os, subprocess, sys
open("launched.json", "w").write(repr(sys.argv[1:]))
worker = subprocess.Popen([{python!r}, "worker.py"], start_new_session=True)
sys.exit(1 if worker.wait() else 0)
"""


@pytest.mark.parametrize(
    ("given_words", "passed_on"),
    [((), ["--standalone"]), (("--nnodes=2", "--rdzv-id=7"), ["--nnodes=2", "--rdzv-id=7"])],
)
def test_torchrun_sh_hands_the_signal_to_the_workers_and_not_to_the_launcher(
    folder, given_words, passed_on
):
    (folder / "launcher.py").write_text(LAUNCHER.format(python=sys.executable))
    interpreter = folder / "python"
    interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" launcher.py "$@"\n')
    interpreter.chmod(0o755)
    write_launch(request(folder=PurePosixPath(folder), python="./python"), folder)

    process = started("torchrun.sh", folder, *given_words)
    wait_for(folder / "said.json", process)
    process.send_signal(signal.SIGUSR1)
    time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)  # a second one changes nothing
    code = process.wait(timeout=10)

    assert code == 1
    assert (folder / "checkpoint").read_text() == "whole"
    assert (folder / "launched.json").read_text() == repr(
        [
            "-m",
            "torch.distributed.run",
            *passed_on,
            "--nproc-per-node=8",
            "--max-restarts=0",
            "-m",
            "dokja.models.forge.workers.hf",
            "job.json",
        ]
    )


def test_a_script_ends_with_the_code_of_its_worker(tmp_path):
    asked = request(folder=PurePosixPath(tmp_path), python="sh", command=("-c", "exit 7"))
    write_launch(asked, tmp_path)

    assert started("run.sh", tmp_path).wait(timeout=10) == 7


def test_a_folder_that_cannot_be_written_to_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(RecipeError, match="a place that can be written to"):
        write_launch(request(), tmp_path / "none")

    assert list(tmp_path.iterdir()) == []
