"""The worker of the reference engine: `python -m dokja.models.forge.engines.ref job.json`."""

import os
import sys
from pathlib import Path

from dokja.errors import RecipeError
from dokja.models.forge.engines.contract import BAD_INPUT
from dokja.models.forge.engines.job_files import read_job
from dokja.models.forge.engines.ref.environment import THREAD_VARIABLES
from dokja.models.forge.engines.ref.worker import main

_MODULE = "dokja.models.forge.engines.ref"


def _restart_with_threads(job: Path) -> None:
    """Start this program anew if its BLAS counts other threads than the job says.

    The library looks once, when numpy is imported, which is before a job can be read. The process
    keeps its number, so that whoever started it still holds it.
    """
    try:
        threads = str(read_job(job).threads)
    except RecipeError:
        return  # `main` tells of it
    wanted = dict.fromkeys(THREAD_VARIABLES, threads)
    if wanted.items() <= os.environ.items():
        return
    words = [sys.executable, "-m", _MODULE, os.fspath(job)]
    os.execve(sys.executable, words, {**os.environ, **wanted})  # noqa: S606  # our own program and a path


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  # the program and the job
        sys.stderr.write(f"usage: python -m {_MODULE} job.json\n")
        sys.exit(BAD_INPUT)
    _restart_with_threads(Path(sys.argv[1]))
    sys.exit(main(Path(sys.argv[1])))
