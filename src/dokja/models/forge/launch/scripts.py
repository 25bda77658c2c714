"""The shell scripts that start a run: on one machine, on one machine's GPUs, under Slurm.

All of them stop in one way. SIGUSR1 means: write a checkpoint and end. Slurm sends it to the
batch shell three minutes before the limit and at preemption; the shell hands it to `srun`,
`srun` to the script on every node, and that script to the workers. torch's launcher would die of
it, so it is started with the signal ignored; a worker that installs a handler hears it all the
same. A run that ended with an error after such a signal is put back into the queue.
"""

import math
import shlex

from dokja.models.forge.launch.request import LaunchRequest

__all__ = ["SIGNAL_SECONDS", "run_script", "sbatch_script", "torchrun_script"]

SIGNAL_SECONDS = 180
"""How long before the limit a run is told to write its checkpoint."""

_HEAD = "#!/usr/bin/env bash"
_WARNING = "# Written by Dokja; change the plan, not this file."
_STRICT = "set -euo pipefail"

# The signal may come before the child is there: then the child hears of it as soon as it is.
_TRAP = """\
child=""
signalled=0
again=0
# shellcheck disable=SC2317  # the trap calls it
forward() {
  signalled=1
  again=1
  if [ -n "$child" ]; then
    tell
  fi
}
trap forward USR1
"""
_TELL = """\
# shellcheck disable=SC2317  # the trap calls it
tell() {
  kill -USR1 "$child" 2>/dev/null || true
}
"""
_TELL_WORKERS = """\
# shellcheck disable=SC2317  # the trap calls it
tell() {
  local workers=()
  read -r -a workers <"/proc/$child/task/$child/children" || true
  if [ "${#workers[@]}" -gt 0 ]; then
    kill -USR1 "${workers[@]}" 2>/dev/null || true
  fi
}
"""
# `wait` returns as soon as a trap has run; bash keeps a child's status for those who ask again.
_WAIT = """\
child=$!
if [ "$signalled" -eq 1 ]; then
  tell
fi
while :; do
  again=0
  status=0
  wait "$child" || status=$?
  if [ "$again" -eq 0 ]; then
    break
  fi
done
"""


def run_script(request: LaunchRequest) -> str:
    """Return `run.sh`: one process, without a launcher."""
    worker = shlex.join([request.python, *request.command, str(request.job)])
    return "\n".join(
        [
            _HEAD,
            f"# One process of plan {request.plan}.",
            _WARNING,
            _STRICT,
            _entry(request),
            _TELL + _TRAP,
            "# A worker that has no handler yet must not die of the signal.",
            f"(\n  trap '' USR1\n  exec {worker}\n) &",
            _WAIT,
            'exit "$status"\n',
        ]
    )


def torchrun_script(request: LaunchRequest) -> str:
    """Return `torchrun.sh`: one launcher on this machine, one worker for each GPU.

    Without arguments it stands alone; `job.sbatch` hands it the rendezvous of several nodes.
    """
    launcher = shlex.join([request.python, "-m", "torch.distributed.run"])
    worker = shlex.join([*request.command, str(request.job)])
    return "\n".join(
        [
            _HEAD,
            f"# The workers of one node of plan {request.plan}.",
            _WARNING,
            _STRICT,
            _entry(request),
            'rendezvous=("$@")\nif [ "$#" -eq 0 ]; then\n  rendezvous=(--standalone)\nfi\n',
            _TELL_WORKERS + _TRAP,
            "# The launcher itself must not die of the signal; its workers take it up again.",
            "(\n  trap '' USR1",
            f'  exec {launcher} "${{rendezvous[@]}}" \\',
            f"    --nproc-per-node={request.workers_per_node} --max-restarts=0 \\",
            f"    {worker}\n) &",
            _WAIT,
            'exit "$status"\n',
        ]
    )


def sbatch_script(request: LaunchRequest) -> str:
    """Return `job.sbatch`: one launcher on each node, met at the first host."""
    options = [
        f"--job-name={request.name}",
        f"--comment=dokja:{request.plan}",
        f"--nodes={request.nodes}",
        "--ntasks-per-node=1",
        f"--time={_limit(request.hours)}",
        "--requeue",
        f"--signal=B:USR1@{SIGNAL_SECONDS}",
        "--open-mode=append",
        f"--output={request.name}-%j.out",
    ]
    if request.gpus_per_node:
        options.append(f"--gres={_gres(request)}")
    if request.cpus_per_node is not None:
        options.append(f"--cpus-per-task={request.cpus_per_node}")
    if request.partition is not None:
        options.append(f"--partition={request.partition}")
    if request.account is not None:
        options.append(f"--account={request.account}")
    lines = [
        _HEAD,
        *(f"#SBATCH {option}" for option in options),
        f"\n# Plan {request.plan}.",
        _WARNING,
        _STRICT,
        _entry(request),
        _TELL + _TRAP,
        *_step(request),
        _WAIT,
        "# A run that the signal ended goes back into the queue, and on from its checkpoint.",
        'if [ "$signalled" -eq 1 ] && [ "$status" -ne 0 ]; then',
        '  scontrol requeue "$SLURM_JOB_ID"\nfi',
        'exit "$status"\n',
    ]
    return "\n".join(lines)


def _step(request: LaunchRequest) -> list[str]:
    resources = [f"--nodes={request.nodes}", f"--ntasks={request.nodes}", "--ntasks-per-node=1"]
    if request.gpus_per_node:
        resources.append(f"--gres={_gres(request)}")
    if request.cpus_per_node is not None:  # since Slurm 22.05 srun no longer takes it from sbatch
        resources.append(f"--cpus-per-task={request.cpus_per_node}")
    return [
        'first_host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        "# One port for each job, since several may share a host.",
        "port=$((20000 + SLURM_JOB_ID % 10000))\n",
        f"srun {' '.join(resources)} --kill-on-bad-exit=1 \\",
        "  bash torchrun.sh \\",
        f'  --nnodes={request.nodes} --rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID" \\',
        '  --rdzv-endpoint="$first_host:$port" &',
    ]


def _entry(request: LaunchRequest) -> str:
    """Return what every script does first: go to its folder, and export the environment."""
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in request.environment.items()
    )
    return f"cd -- {shlex.quote(str(request.folder))}\n{exports}"


def _gres(request: LaunchRequest) -> str:
    return f"gpu:{request.gpu_type}:{request.gpus_per_node}"


def _limit(hours: float) -> str:
    """Return the time limit as Slurm writes it, rounded up to the second.

    Example:
        >>> _limit(0.5), _limit(30.0)
        ('0-00:30:00', '1-06:00:00')
    """
    seconds = math.ceil(round(hours * 3600, 3))
    days, rest = divmod(seconds, 86_400)
    return f"{days}-{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
