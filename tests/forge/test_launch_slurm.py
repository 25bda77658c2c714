"""The written job under a real Slurm: one machine, eight GPUs that exist only for the scheduler."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import PurePosixPath

import pytest

from dokja.models.forge.launch import Determinism, LaunchRequest, write_launch
from dokja.values import Digest

DAEMONS = ("slurmctld", "slurmd")
CLIENTS = ("sbatch", "scontrol", "squeue", "scancel")

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.loopback,
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in (*DAEMONS, *CLIENTS)),
        reason="Slurm is not installed (Debian: slurmctld slurmd slurm-client)",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd starts its jobs as root"),
]

# It stands where the interpreter with the engine would: it is started with torch's launcher's
# arguments, starts the workers as the launcher does, in sessions of their own, and ends with 1
# when one of them failed. The worker trains until it is told to stop, and the second time ends.
LAUNCHER = """\
import os, subprocess, sys
arguments = sys.argv[1:]
count = next(int(a.split("=")[1]) for a in arguments if a.startswith("--nproc-per-node"))
ranks = [
    subprocess.Popen(
        [sys.executable, {worker!r}],
        env=dict(os.environ, LOCAL_RANK=str(rank), STARTED_WITH="\\n".join(arguments)),
        start_new_session=True,
    )
    for rank in range(count)
]
sys.exit(1 if any([rank.wait() for rank in ranks]) else 0)
"""
WORKER = """\
import json, os, signal, sys, time
from pathlib import Path
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append(1))
rank, folder = os.environ["LOCAL_RANK"], Path.cwd()
checkpoint = folder / f"checkpoint-{{rank}}"
kept = ("DOKJA_PLAN", "NCCL_ALGO", "CUBLAS_WORKSPACE_CONFIG", "SLURM_JOB_ID", "SLURM_RESTART_COUNT",
        "SLURM_GPUS_ON_NODE", "OMP_NUM_THREADS")
said = {{name: os.environ.get(name) for name in kept}}
said["arguments"] = os.environ["STARTED_WITH"].split("\\n")
said["resumed"] = checkpoint.exists()
run = folder / f"run-{{'2' if checkpoint.exists() else '1'}}-{{rank}}.json"
run.with_suffix(".part").write_text(json.dumps(said))
run.with_suffix(".part").rename(run)
if checkpoint.exists():
    sys.exit(0)
for _ in range(6000):
    if told:
        checkpoint.write_text("step 41")
        sys.exit(130)
    time.sleep(0.01)
sys.exit(9)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A controller and one node of our own, with own folders, ports and settings."""
    home = tmp_path / "slurm"
    for name in ("state", "spool"):
        (home / name).mkdir(parents=True)
    host = socket.gethostname().split(".")[0]
    me = getpass.getuser()
    (home / "slurm.conf").write_text(f"""\
ClusterName=dokja
SlurmctldHost={host}(127.0.0.1)
SlurmUser={me}
SlurmdUser={me}
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,sched_min_interval=100000,batch_sched_delay=0
ReturnToService=2
KillWait=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} Gres=gpu:b200:8 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
""")
    for number in range(8):  # the scheduler only counts them
        (home / f"gpu{number}").touch()
    (home / "gres.conf").write_text(f"Name=gpu Type=b200 File={home}/gpu[0-7]\n")
    monkeypatch.setenv("SLURM_CONF", str(home / "slurm.conf"))
    running = []
    try:
        for name in DAEMONS:
            with (home / f"{name}.out").open("wb") as log:
                running.append(subprocess.Popen([name, "-D"], stdout=log, stderr=log))
        wait_for(lambda: "idle" in ask("sinfo", "-h", "-o", "%t"), home, seconds=15)
        yield home
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(timeout=10)


def ask(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def wait_for(condition, home, *, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            logs = "\n".join(
                f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
                for path in sorted([*home.glob("*.log"), *home.glob("*.out")])
            )
            pytest.fail(f"not within {seconds} s\n{ask('squeue')}\n{logs}")
        time.sleep(0.1)


def test_a_job_is_told_before_its_limit_writes_a_checkpoint_and_goes_on(slurm, tmp_path):
    folder = tmp_path / "the run's 실행"
    folder.mkdir()
    (folder / "worker.py").write_text(WORKER.format())
    (folder / "launcher.py").write_text(LAUNCHER.format(worker=str(folder / "worker.py")))
    interpreter = folder / "python"
    interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/launcher.py" "$@"\n')
    interpreter.chmod(0o755)
    request = LaunchRequest(
        plan=Digest.of(b"plan"),
        folder=PurePosixPath(folder),
        command=("-m", "dokja.models.forge.workers.hf"),
        job=PurePosixPath("job.json"),
        python=str(interpreter),
        gpus_per_node=2,
        gpu_type="b200",
        hours=3 / 60,  # less than the notice: it is told as soon as the scheduler looks
        determinism=Determinism.STRICT,
    )
    write_launch(request, folder)

    job = ask("sbatch", "--parsable", f"--chdir={folder}", str(folder / "job.sbatch"))
    wait_for((folder / "run-1-1.json").exists, slurm, seconds=10)
    described = ask("scontrol", "show", "job", job)
    # The scheduler looks at limits every 30 seconds.
    wait_for((folder / "checkpoint-1").exists, slurm, seconds=35)
    wait_for(lambda: "Restarts=1" in ask("scontrol", "show", "job", job), slurm, seconds=10)
    time.sleep(2.5)  # a node takes no job back within the second in which it ended it
    ask("scontrol", "update", f"JobId={job}", "StartTime=now")  # else two minutes later
    wait_for((folder / "run-2-1.json").exists, slurm, seconds=10)
    wait_for(lambda: "JobState=COMPLETED" in ask("scontrol", "show", "job", job), slurm, seconds=10)
    first, second = (json.loads((folder / f"run-{n}-1.json").read_text()) for n in (1, 2))

    assert "TresPerNode=gres:gpu:b200:2" in described
    assert f"Comment=dokja:{request.plan}" in described
    assert "Requeue=1" in described
    assert first == {
        "DOKJA_PLAN": str(request.plan),
        "NCCL_ALGO": "Ring",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "OMP_NUM_THREADS": "1",
        "SLURM_JOB_ID": job,
        "SLURM_RESTART_COUNT": None,
        "SLURM_GPUS_ON_NODE": "2",
        "resumed": False,
        "arguments": [
            "-m",
            "torch.distributed.run",
            "--nnodes=1",
            "--rdzv-backend=c10d",
            f"--rdzv-id={job}",
            f"--rdzv-endpoint={socket.gethostname().split('.')[0]}:{20000 + int(job) % 10000}",
            "--nproc-per-node=2",
            "--max-restarts=0",
            "-m",
            "dokja.models.forge.workers.hf",
            "job.json",
        ],
    }
    assert second == first | {"resumed": True, "SLURM_RESTART_COUNT": "1"}
    assert sorted(path.name for path in folder.glob("checkpoint-*")) == [
        "checkpoint-0",
        "checkpoint-1",
    ]
