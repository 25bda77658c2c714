"""Writes all launch files of one request, the same bytes for the same request."""

from pathlib import Path

from dokja.errors import RecipeError
from dokja.models.forge.importers.whole import write_whole
from dokja.models.forge.launch.clusters import ray_script
from dokja.models.forge.launch.request import LaunchRequest
from dokja.models.forge.launch.scripts import run_script, sbatch_script, torchrun_script

__all__ = ["launch_files", "write_launch"]

_EXECUTABLE = 0o755


def launch_files(request: LaunchRequest) -> dict[str, str]:
    """Return each launch file's content by its name.

    Example:
        >>> from pathlib import PurePosixPath
        >>> from dokja.values import Digest
        >>> request = LaunchRequest(
        ...     plan=Digest.of(b""), folder=PurePosixPath("/scratch/run"),
        ...     command=("-m", "dokja.models.forge.workers.hf"), job=PurePosixPath("job.json"),
        ...     python="python3", nodes=2, gpus_per_node=8, gpu_type="b200", hours=12)
        >>> files = launch_files(request)
        >>> sorted(files)
        ['job.sbatch', 'ray_job.py', 'run.sh', 'torchrun.sh']
        >>> [line for line in files["job.sbatch"].splitlines() if "--gres" in line][0]
        '#SBATCH --gres=gpu:b200:8'
    """
    return {
        "job.sbatch": sbatch_script(request),
        "ray_job.py": ray_script(request),
        "run.sh": run_script(request),
        "torchrun.sh": torchrun_script(request),
    }


def write_launch(request: LaunchRequest, folder: Path) -> tuple[Path, ...]:
    """Write the launch files, each whole or not at all, and return where they are.

    Args:
        request: What is to run.
        folder: Where to write; it need not be `request.folder`, which is the machine's.

    Raises:
        RecipeError: The folder cannot be written to.
    """
    paths = []
    for name, content in launch_files(request).items():
        write_whole(folder / name, content.encode(), mode=_EXECUTABLE, refusal=RecipeError)
        paths.append(folder / name)
    return tuple(paths)
