"""Attaches torchtitan 0.3: writes its settings and launch files from a plan's job.

torchtitan takes its settings from a Python module that it imports by name (`--module`,
`--config`); the one written here states the plan's structure, optimizer, schedule and data and
nothing else, and reads the numbers from `titan.json` beside it. Data come in the plan's own
order, since step t must see the batch that the plan names. It starts from the forge's weights:
one seed gives other weights under other degrees of parallelism (torchtitan,
docs/checkpoint.md).
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.engines import Job
from dokja.models.forge.importers.whole import write_whole
from dokja.models.forge.launch.files import write_launch
from dokja.models.forge.launch.parallelism import Parallelism
from dokja.models.forge.launch.request import Determinism, LaunchRequest
from dokja.models.forge.launch.titan_module import TITAN_CONVERT, TITAN_MODULE

__all__ = ["VERSION", "titan_files", "write_titan"]

VERSION = "0.3.0"
"""The release whose settings are written."""

_MODULE = "dokja_titan"


def titan_files(job: Job, *, parallelism: Parallelism, request: LaunchRequest) -> dict[str, str]:
    """Return the settings of torchtitan by their file names.

    Args:
        job: What is trained; its paths are relative to the request's folder.
        parallelism: How it is spread over the request's GPUs.
        request: What is asked of the cluster.

    Raises:
        RecipeError: torchtitan cannot train this; every reason is in it.
    """
    gpus = request.nodes * request.gpus_per_node
    mistakes = [*_mistakes(job), *parallelism.mistakes(job, gpus=gpus)]
    if mistakes:
        raise RecipeError(mistakes)
    settings = {
        "version": VERSION,
        "folder": str(request.folder),
        "job": job.to_json(),
        "parallelism": {
            "data_parallel_replicate_degree": 1 if parallelism.sharded else parallelism.data,
            "data_parallel_shard_degree": parallelism.data if parallelism.sharded else 1,
            "tensor_parallel_degree": parallelism.tensor,
            "pipeline_parallel_degree": parallelism.pipeline,
            "pipeline_parallel_microbatch_size": job.batch.micro,
            "context_parallel_degree": parallelism.context,
        },
        "local_batch": _local_batch(job, parallelism),
        "deterministic": request.determinism == Determinism.STRICT,
    }
    text = json.dumps(settings, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    return {
        "titan.json": text + "\n",
        f"{_MODULE}.py": TITAN_MODULE,
        "convert_titan.py": TITAN_CONVERT,
    }


def write_titan(
    job: Job, folder: Path, *, parallelism: Parallelism, request: LaunchRequest
) -> tuple[Path, ...]:
    """Write settings and launch files, and return where they are.

    Args:
        job: What is trained.
        folder: Where to write; it need not be the request's, which is the cluster's.
        parallelism: How it is spread over the GPUs.
        request: What is asked of the cluster; the command in it is put in torchtitan's place.

    Raises:
        RecipeError: torchtitan cannot train this; nothing was written. Or the
            folder cannot be written to.
    """
    files = titan_files(job, parallelism=parallelism, request=request)
    paths = []
    for name, content in files.items():
        write_whole(folder / name, content.encode(), refusal=RecipeError)
        paths.append(folder / name)
    # The module lies in the folder that the scripts go to, from which `-m` imports.
    started = replace(
        request,
        command=("-m", "torchtitan.train", "--module", _MODULE, "--config"),
        job=request.job.with_name("plan"),
    )
    return (*paths, *write_launch(started, folder))


def _local_batch(job: Job, parallelism: Parallelism) -> int:
    # A pipeline fills itself with all of a replica's sequences; without one they come in turns.
    if parallelism.pipeline > 1:
        return job.batch.sequences // parallelism.data
    return job.batch.micro


def _mistakes(job: Job) -> Iterator[Mistake]:
    structure = job.structure
    if structure.family != "llama":
        read, expected = structure.family, "llama, the one family that this adapter writes"
        yield _mistake("structure.family", read, expected)
    if structure.window is not None:
        yield _mistake("structure.window", str(structure.window), "full attention")
    if job.trainable != "all" or job.adapter is not None:
        yield _mistake("trainable", str(job.trainable), "all weights in training")
    if job.first_step:
        expected = "a training from its first step: torchtitan counts from the weights it loads"
        yield _mistake("first_step", str(job.first_step), expected)
    if job.teacher is not None:
        yield _mistake("teacher", "a teacher", "a training on data alone")
    if job.optimizer.clip is None:
        expected = "a bound on the norm; torchtitan logs the norm that it measured for it"
        yield _mistake("optimizer.clip", "none", expected)


def _mistake(place: str, read: str, expected: str) -> Mistake:
    return Mistake(file="job", place=place, read=read, expected=expected)
