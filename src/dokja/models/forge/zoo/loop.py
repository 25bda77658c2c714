"""Runs an engine's worker for one job after the other in one process.

    python -m dokja.models.forge.zoo.loop MODULE

Starting an engine can take longer than training a small network. The loop reads paths of job
files from standard input and answers each with the worker's exit code. It ends when its input
does, so that it outlives a core that was killed by one job at most; while it works on a job it
holds a lock in the job's folder, on which the next core's loop waits.
"""

import fcntl
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["main"]

LOCK = ".lock"


def main(words: list[str]) -> int:
    """Answer every line of standard input; return 0 when there are no more."""
    run = _worker(words[0])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        with (path.parent / LOCK).open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Another core's loop may have finished the job, and its core moved it away.
            code = run(path) if path.exists() else 0
        answers.write(f"{code}\n")
        answers.flush()
    return 0


def _worker(module: str) -> Callable[[Path], int]:
    """Return the worker's main function, taking the path of a job."""
    found = importlib.import_module(module)
    if module.endswith(".ref.worker"):
        run: Callable[[Path], int] = found.main
        return run
    return lambda path: int(found.main([os.fspath(path)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
