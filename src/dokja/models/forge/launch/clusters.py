"""The file that runs a plan on a Ray cluster: Ray Train starts the workers, and they train.

Ray places one worker on each GPU and makes the process group; the worker's program is the same
as everywhere, run inside Ray's worker process. Ray is the extra `cluster`.
"""

import json

from dokja.models.forge.launch.request import LaunchRequest

__all__ = ["ray_script"]

_SCRIPT = '''\
"""Runs plan {plan} on a Ray cluster. Written by Dokja; change the plan, not this file."""

import json
import os
import runpy
import sys

import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

SETTINGS = json.loads({settings!r})


def train(settings):
    """Run the engine's worker inside this process, whose rank Ray has set."""
    os.chdir(settings["folder"])
    command = [*settings["command"], settings["job"]]
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


def main():
    """Start one worker for each GPU, or one for each node without GPUs, and wait for them."""
    environment = {{"env_vars": SETTINGS["environment"]}}
    ray.init(address=os.environ.get("RAY_ADDRESS", "auto"), runtime_env=environment)
    resources = {{"CPU": SETTINGS["threads"]}}
    if SETTINGS["gpu_type"]:
        resources["GPU"] = 1
    trainer = TorchTrainer(
        train,
        train_loop_config=SETTINGS,
        scaling_config=ScalingConfig(
            num_workers=SETTINGS["nodes"] * SETTINGS["workers_per_node"],
            use_gpu=bool(SETTINGS["gpu_type"]),
            resources_per_worker=resources,
        ),
        run_config=RunConfig(name=SETTINGS["name"], storage_path=SETTINGS["folder"] + "/ray"),
    )
    try:
        trainer.fit()
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
'''


def ray_script(request: LaunchRequest) -> str:
    """Return `ray_job.py`."""
    settings = json.dumps(
        {
            "name": request.name,
            "folder": str(request.folder),
            "command": list(request.command),
            "job": str(request.job),
            "environment": request.environment,
            "threads": request.threads,
            "nodes": request.nodes,
            "workers_per_node": request.workers_per_node,
            "gpu_type": request.gpu_type,
        },
        ensure_ascii=False,
        sort_keys=True,
    )
    return _SCRIPT.format(plan=request.plan, settings=settings)
