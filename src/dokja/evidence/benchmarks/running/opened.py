"""A run's folder, open for reading: nothing is written, and a writer may be at work."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.running import bodies as packs
from dokja.evidence.benchmarks.running import journal as journals
from dokja.evidence.benchmarks.running.bodies import Bodies
from dokja.evidence.benchmarks.running.folders import BLOBS
from dokja.evidence.benchmarks.running.journal import read_lines
from dokja.evidence.benchmarks.running.order import Order
from dokja.evidence.benchmarks.running.plans import read_plan
from dokja.evidence.benchmarks.running.states import States

__all__ = ["OpenRun"]


class OpenRun:
    """A run that is read.

    Attributes:
        path: The folder.
        plan: Its plan.
        order: In which it asked.
        states: What has become of every sample.
        journal: The open journal.
        bodies: What came over the wire.
        head: h of the journal's last line.
        lines: How many lines the journal has.
        ended_by_budget: Whether the last session ended because the budget was used up.
        why: Why the last session ended; empty where it was cut off.
        opened: Milliseconds of UTC at which the first session began; None where none did.
        closed: The same for the end of the last one; None where it was cut off.
    """

    def __init__(self, path: Path, *, order: Order) -> None:
        """Read the journal whole.

        Args:
            path: The run's folder.
            order: That follows from the plan.

        Raises:
            RunError: There is no run, or it is damaged; the first damaged line is named.
        """
        self.path = path
        self.plan = read_plan(path)
        self.order = order
        self._numbers: list[int] = []
        self.why = ""
        self.opened: int | None = None
        self.closed: int | None = None
        self.looks = 0
        self.ended_by_budget = False
        try:
            self.journal = self._opened(path / journals.FILE)
            self._read()
            pack = self._opened(path / BLOBS / packs.FILE)
            self.bodies = Bodies(path / BLOBS / packs.FILE, number=pack)
        except OSError as error:
            self.close()
            read = f"nothing: {error.strerror}"
            wrong = Mistake(file=str(path), place="", read=read, expected="a run that was begun")
            raise RunError([wrong]) from error
        except RunError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all files."""
        self.close()

    def close(self) -> None:
        """Close all files."""
        while self._numbers:
            os.close(self._numbers.pop())

    def _opened(self, path: Path) -> int:
        number = os.open(path, os.O_RDONLY)
        self._numbers.append(number)
        return number

    def _read(self) -> None:
        self.states = States(self.order.samples, prices=self.plan.table)
        self.head, self.lines = self.plan.digest.raw, 0
        for line in read_lines(self.path / journals.FILE, start=self.head):
            said = line.said
            self.states.take(said, offset=line.offset)
            self.head, self.lines = bytes.fromhex(said["h"]), line.number
            match said["did"]:
                case "open":
                    self.opened = said["t"] if self.opened is None else self.opened
                    self.why, self.closed = "", None
                case "close":
                    self.why, self.closed = said["why"], said["t"]
                case "look":
                    self.looks += 1
                case _:
                    pass
        self.ended_by_budget = self.why == "budget"
