"""Starts a worker, watches what it says, and makes sure that never two work in one run's folder.

The run's lock is held by the core and handed to the worker: while either lives, nobody else can
go on with the run. A worker whose core was killed finishes or dies by itself; what it writes
stays whole, since checkpoints are made whole and its event stream is cut at a torn line.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dokja.errors import EngineError
from dokja.models.forge.engines.contract import INTERRUPTED

__all__ = ["RunLock", "work"]

_POLL_SECONDS = 0.2
_SHOWN_LINES = 20


class RunLock:
    """The right to work in a run's folder; a context.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            EngineError: Somebody else works in the folder.
        """
        file = self._path.open("a", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise EngineError(
                f"{self._path.parent}: another process works in this run, or a worker of an "
                "interrupted one has not ended yet. Wait for it, then resume. Nothing was changed."
            ) from error
        self._file = file
        return self

    def __exit__(
        self,
        sort: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def handle(self) -> int:
        """The number of the open file, for a worker to hold it too.

        Raises:
            ValueError: The lock is not held.
        """
        if self._file is None:
            message = "the lock is not held"
            raise ValueError(message)
        return self._file.fileno()


def work(
    command: Sequence[str],
    *,
    folder: Path,
    lock: RunLock,
    environment: Mapping[str, str],
    watch: Callable[[], None],
) -> int:
    """Run a worker to its end, looking at what it wrote meanwhile.

    Args:
        command: The words that start it.
        folder: Where it works; what it prints goes to `worker.log` there.
        lock: The run's lock, held.
        environment: All of its environment.
        watch: Called several times a second while it runs, and once after it ended.

    Returns:
        Its exit code: 0, or 130 when it was asked to stop and wrote a checkpoint.

    Raises:
        EngineError: It could not be started, or ended with another code.
    """
    log = folder / "worker.log"
    with log.open("ab") as out:
        try:
            worker = subprocess.Popen(  # noqa: S603  # the engine that the plan names
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=(lock.handle,),
            )
        except OSError as error:
            raise EngineError(
                f"{command[0]}: the worker could not be started ({error.strerror}). "
                "Nothing was trained."
            ) from error
        try:
            while worker.poll() is None:
                watch()
                time.sleep(_POLL_SECONDS)
        finally:
            if worker.poll() is None:  # we are leaving before it ended: interrupted, or a fault
                _stop(worker)
    watch()
    if worker.returncode not in {0, INTERRUPTED}:
        raise EngineError(_ended(worker.returncode, log=log))
    return worker.returncode


def _stop(worker: subprocess.Popen[bytes]) -> None:
    """Ask the worker to write a checkpoint and end; it has a minute for it."""
    worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(timeout=60)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _ended(code: int, *, log: Path) -> str:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
    try:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        said = []
    tail = os.linesep.join(said[-_SHOWN_LINES:])
    return (
        f"{log}: the worker ended with {how}. What it had written stands; mend the cause and "
        f"resume the run. It said last:\n{tail}"
    )
