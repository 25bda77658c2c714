"""Processes that train: a few at a time, each with one engine, fed with jobs.

Nothing here knows what a job is about. A process that dies is an error with what it said last.
"""

import os
import selectors
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dokja.errors import EngineError

__all__ = ["ENGINES", "Nursery"]

ENGINES: Mapping[str, str] = {
    "ref": "dokja.models.forge.engines.ref.worker",
    "ref-adapter": "dokja.models.forge.zoo.adapting",
    "hf": "dokja.models.forge.workers.hf",
    "sighted": "dokja.models.forge.workers.sighted",
}
"""Engines that the zoo uses, as modules with a `main`."""

_LOOP = "dokja.models.forge.zoo.loop"
_PATIENCE_SECONDS = 60
_SHOWN_BYTES = 2000


@dataclass(slots=True, kw_only=True)
class _Process:
    engine: str
    process: subprocess.Popen[bytes]
    log: Path
    name: str | None = None


class Nursery:
    """A context in which processes train.

    Args:
        folder: Where their logs go.
        at_once: How many of them work at a time; idle ones wait for the next job of their engine.
        environment: All of their environment.
        python: The interpreter.
    """

    def __init__(
        self, folder: Path, *, at_once: int, environment: Mapping[str, str], python: str
    ) -> None:
        self._folder, self._at_once = folder, at_once
        self._environment, self._python = dict(environment), python
        self._processes: list[_Process] = []
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        sort: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every process; one that trains is asked to write a checkpoint first."""
        for one in self._processes:
            _input(one).close()
            if one.name is not None:
                one.process.send_signal(signal.SIGTERM)
        for one in self._processes:
            try:
                one.process.wait(timeout=_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            _output(one).close()

    @property
    def working(self) -> int:
        """How many processes have a job."""
        return sum(1 for one in self._processes if one.name is not None)

    @property
    def has_room(self) -> bool:
        """Whether another job can be taken."""
        return self.working < self._at_once

    def send(self, job: Path, *, name: str, engine: str) -> None:
        """Have a job done.

        Args:
            job: Its file.
            name: What `wait` calls it.
            engine: A key of `ENGINES`.

        Raises:
            EngineError: The process could not be started, or died.
        """
        one = self._idle(engine)
        one.name = name
        try:
            _input(one).write(os.fsencode(job.resolve()) + b"\n")
            _input(one).flush()
        except BrokenPipeError as error:
            raise EngineError(_last_words(one)) from error

    def wait(self, seconds: float | None) -> tuple[tuple[str, int], ...]:
        """Return the jobs that were answered, with exit codes; waits for the first of them.

        Args:
            seconds: How long at most; None as long as it takes.

        Raises:
            EngineError: A process died.
        """
        with selectors.DefaultSelector() as selector:
            for one in self._processes:
                if one.name is not None:
                    selector.register(_output(one), selectors.EVENT_READ, one)
            if not selector.get_map():
                return ()
            ready = [key.data for key, _ in selector.select(seconds)]
        return tuple(self._answer(one) for one in ready)

    def _answer(self, one: _Process) -> tuple[str, int]:
        line = _output(one).readline()
        if not line.strip():
            raise EngineError(_last_words(one))
        name, one.name = one.name or "", None
        return name, int(line)

    def _idle(self, engine: str) -> _Process:
        """Return a process of an engine that has no job; none is ended before everything is."""
        for one in self._processes:
            if one.engine == engine and one.name is None:
                return one
        return self._begin(engine)

    def _begin(self, engine: str) -> _Process:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._started += 1
        log = self._folder / f"{engine}-{self._started}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(  # noqa: S603  # our own program
                [self._python, "-m", _LOOP, ENGINES[engine]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=self._environment,
            )
        one = _Process(engine=engine, process=process, log=log)
        self._processes.append(one)
        return one


def _input(one: _Process) -> IO[bytes]:
    if one.process.stdin is None:
        raise ValueError("a process without an input")
    return one.process.stdin


def _output(one: _Process) -> IO[bytes]:
    if one.process.stdout is None:
        raise ValueError("a process without an output")
    return one.process.stdout


def _last_words(one: _Process) -> str:
    code = one.process.wait()
    said = one.log.read_text(encoding="utf-8", errors="replace")[-_SHOWN_BYTES:]
    return (
        f"{one.log}: the engine {one.engine} ended with code {code} while it trained {one.name}. "
        f"Finished models stand; mend the cause and grow the zoo again. It said last:\n{said}"
    )
