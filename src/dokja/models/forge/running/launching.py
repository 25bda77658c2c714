"""Launch files for a training that runs elsewhere: the forge's own engines, or foreign ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.launch import Determinism, LaunchRequest, write_launch
from dokja.models.forge.launch.megatron import write_megatron
from dokja.models.forge.launch.parallelism import Parallelism
from dokja.models.forge.launch.titan import write_titan
from dokja.models.forge.plans import Plan

__all__ = ["Cluster", "write_launch_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the machine that trains is, beside what the plan says.

    Attributes:
        python: The interpreter there.
        partition: Of the scheduler; its default without one.
        account: Who pays; the default without one.
        data_path: For Megatron: the tokens in its own indexed form.
    """

    python: str = "python3"
    partition: str | None = None
    account: str | None = None
    data_path: str = "data/tokens"


def write_launch_files(
    plan: Plan, job: Job, folder: Path, *, module: str | None, cluster: Cluster
) -> tuple[Path, ...]:
    """Write what starts a training elsewhere; return where the files are.

    Args:
        plan: The plan.
        job: Its job, written beside the files.
        folder: The stage's folder.
        module: The engine's module; none for a foreign engine, whose settings are written too.
        cluster: What the machine is.

    Raises:
        RecipeError: The plan asks for what the engine or the scheduler cannot do.
    """
    request = _request(plan, folder, module=module, cluster=cluster)
    if module is not None:
        return write_launch(request, folder)
    place = plan.place
    parallelism = Parallelism(data=_whole(place, "nodes") * max(1, _whole(place, "gpus_per_node")))
    if plan.engine["name"] == "titan":
        return write_titan(job, folder, parallelism=parallelism, request=request)
    return write_megatron(
        job, folder, parallelism=parallelism, request=request, data_path=cluster.data_path
    )


def _request(plan: Plan, folder: Path, *, module: str | None, cluster: Cluster) -> LaunchRequest:
    place = plan.place
    gpus = _whole(place, "gpus_per_node")
    hours = place.get("hours")
    command = ("-m", module) if module is not None else ("pretrain_gpt.py",)
    return LaunchRequest(
        plan=plan.digest,
        folder=PurePosixPath(folder.resolve().as_posix()),
        command=command,
        job=PurePosixPath("job.json"),
        python=cluster.python,
        nodes=_whole(place, "nodes"),
        gpus_per_node=gpus,
        gpu_type=str(place.get("gpu") or "") if gpus else "",
        hours=float(hours) if isinstance(hours, int | float) else 24.0,
        partition=cluster.partition,
        account=cluster.account,
        determinism=Determinism(str(plan.engine["determinism"])),
    )


def _whole(place: Mapping[str, Any], key: str) -> int:
    value = place[key]
    return value if isinstance(value, int) else 0
