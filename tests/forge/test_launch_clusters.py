"""The launch files with the launchers that they are written for: torch's, and a local Ray."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import PurePosixPath

import pytest

from dokja.models.forge.launch import LaunchRequest, write_launch
from dokja.values import Digest

pytestmark = [pytest.mark.torch, pytest.mark.loopback]

# The workers meet, add up their ranks, and wait to be told to stop; rank 0 keeps what it saw.
WORKER = """\
import json, os, signal, sys, time
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append(1))
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
total = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(total)
rank = dist.get_rank()
said = {"ranks": total.item(), "world": dist.get_world_size(), "plan": os.environ["DOKJA_PLAN"],
        "arguments": sys.argv[1:]}
open(f"said-{rank}.part", "w").write(json.dumps(said))
os.rename(f"said-{rank}.part", f"said-{rank}.json")
for _ in range(1000):
    if told:
        open(f"checkpoint-{rank}", "w").write("whole")
        sys.exit(130)
    time.sleep(0.01)
"""

# Ray has made the process group already.
RAY_WORKER = """\
import json, os, sys
import torch
import torch.distributed as dist
total = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(total)
said = {"ranks": total.item(), "world": dist.get_world_size(), "plan": os.environ["DOKJA_PLAN"],
        "arguments": sys.argv[1:]}
with open(f"said-{dist.get_rank()}.json", "w") as stream:
    json.dump(said, stream)
"""


def asked(folder, **changes):
    said = {
        "plan": Digest.of(b"plan"),
        "folder": PurePosixPath(folder),
        "command": ("worker.py",),
        "job": PurePosixPath("job.json"),
        "python": sys.executable,
    }
    return LaunchRequest(**(said | changes))


def test_torchs_own_launcher_lets_its_workers_write_their_checkpoints(tmp_path):
    folder = tmp_path / "a run's 실행"
    folder.mkdir()
    (folder / "worker.py").write_text(WORKER)
    write_launch(asked(folder, gpus_per_node=2, gpu_type="b200"), folder)

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["bash", folder / "torchrun.sh"], stdout=log, stderr=log)
        said = [folder / f"said-{rank}.json" for rank in (0, 1)]
        end = time.monotonic() + 45
        while not all(path.exists() for path in said) and time.monotonic() < end:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGUSR1)
        code = process.wait(timeout=30)

    assert code == 1
    assert [(folder / f"checkpoint-{rank}").read_text() for rank in (0, 1)] == ["whole"] * 2
    assert json.loads(said[0].read_text()) == {
        "ranks": 3.0,
        "world": 2,
        "plan": str(Digest.of(b"plan")),
        "arguments": ["job.json"],
    }


@pytest.fixture
def short():
    """A folder whose name is short enough for the sockets that Ray makes in it."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as place:
        yield place


@pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="ray.train needs pyarrow: ray[train]"
)
def test_a_local_ray_runs_the_workers_of_the_plan(tmp_path, short):
    folder = tmp_path / "run's 실행"
    folder.mkdir()
    (folder / "worker.py").write_text(RAY_WORKER)
    write_launch(asked(folder, nodes=2), folder)
    environment = os.environ | {
        "RAY_ADDRESS": "local",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_TMPDIR": short,
        # Ray gives up on its own helpers after 30 seconds, which a busy machine may need.
        "RAY_raylet_start_wait_time_s": "100",
        "RAY_agent_register_timeout_ms": "100000",
    }

    done = subprocess.run(
        [sys.executable, folder / "ray_job.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert json.loads((folder / "said-0.json").read_text()) == {
        "ranks": 3.0,
        "world": 2,
        "plan": str(Digest.of(b"plan")),
        "arguments": ["job.json"],
    }
