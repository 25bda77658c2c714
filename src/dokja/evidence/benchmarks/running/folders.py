"""A run's folder: its plan, its journal, its bodies, and one writer at a time.

plan.json            frozen before the first request
journal.jsonl        what happened, line by line, each sealed to those before it
blobs/bodies.pack    what came over the wire
lock                 held while a process writes
records.jsonl, outcomes.npz, summary.json    follow from the others, and can be made again
"""

import fcntl
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from dokja.errors import Mistake, RunError, RunWriteError
from dokja.evidence.benchmarks.running import bodies as packs
from dokja.evidence.benchmarks.running import journal as journals
from dokja.evidence.benchmarks.running.bodies import Bodies, Stored, unwritten
from dokja.evidence.benchmarks.running.journal import Journal, Line, read_lines
from dokja.evidence.benchmarks.running.order import Order
from dokja.evidence.benchmarks.running.plans import FILE as PLAN
from dokja.evidence.benchmarks.running.plans import Plan, read_plan
from dokja.evidence.benchmarks.running.states import ANSWERED, States

__all__ = ["BLOBS", "RunFolder", "begin_run", "write_whole"]

BLOBS = "blobs"
LOCK = "lock"
_LOOKED_AFTER = 1024  # bodies of so many last answers are read back when a run is resumed


def begin_run(folder: Path, plan: Plan, *, beside: Mapping[str, bytes] | None = None) -> None:
    """Make the folder of a run and freeze its plan in it.

    Args:
        folder: Not there yet, or empty, or one in which this was cut off before the plan stood.
        plan: The plan.
        beside: Further files, by name, that are there once the plan is; no part of the evidence.

    Raises:
        RunError: Something is in the folder.
        RunWriteError: It cannot be written.
    """
    further = dict(beside or {})
    leftovers = {BLOBS, *(f".{name}.part" for name in (PLAN, *further)), *further}
    try:
        if folder.exists() and {path.name for path in folder.iterdir()} - leftovers:
            there = (folder / PLAN).exists()
            remedy = f"Go on with it: dokja measure --resume {folder}" if there else ""
            read = "a run" if there else "a folder that is not empty"
            raise RunError(
                [
                    Mistake(
                        file=str(folder),
                        place="",
                        read=read,
                        expected="a folder that is not there yet",
                        remedy=remedy,
                    )
                ]
            )
        (folder / BLOBS).mkdir(parents=True, exist_ok=True)
        for name, data in further.items():
            write_whole(folder / name, data)
        write_whole(folder / PLAN, plan.bytes)
    except OSError as error:
        raise RunWriteError(
            f"{folder}: the run's folder cannot be made ({error.strerror}). Nothing was asked."
        ) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        RunWriteError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise unwritten(path, error) from error


class RunFolder:
    """A run that is being written.

    Attributes:
        path: The folder.
        plan: Its plan.
        order: In which it asks.
        states: What has become of every sample.
        journal: Where lines go.
        bodies: Where bodies go.
        torn: What was cut off the journal's end and kept beside it; None where nothing was.
    """

    def __init__(self, path: Path, *, order: Order) -> None:
        """Take the lock and read what is there.

        Raises:
            RunError: Another process writes it, or the journal is damaged.
            RunWriteError: It cannot be written.
        """
        self.path = path
        self.plan = read_plan(path)
        self.order = order
        self._numbers: list[int] = []
        try:
            self._lock()
            self._journal_path = path / journals.FILE
            self._bodies_path = path / BLOBS / packs.FILE
            journal = self._opened(self._journal_path)
            pack = self._opened(self._bodies_path)
            self._recover(journal, pack)
        except OSError as error:
            self.close()
            raise unwritten(path / journals.FILE, error) from error
        except (RunError, RunWriteError):
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the folder."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all files and let the next writer in."""
        self.close()

    def sync(self) -> None:
        """Have the disk hold everything: bodies first, then the lines that name them.

        Raises:
            RunWriteError: It does not.
        """
        try:
            os.fdatasync(self._pack)
        except OSError as error:
            raise unwritten(self._bodies_path, error) from error
        self.journal.sync()

    def forget(self) -> None:
        """Let go of the states, which a reader makes anew; the lock stays."""
        self.states = States(0, prices=self.plan.table)

    def close(self) -> None:
        """Close all files."""
        while self._numbers:
            os.close(self._numbers.pop())

    def _opened(self, path: Path) -> int:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._numbers.append(number)
        return number

    def _lock(self) -> None:
        number = self._opened(self.path / LOCK)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            wrong = Mistake(
                file=str(self.path),
                place="",
                read="a run that another process is writing",
                expected="one runner at a time",
                remedy="Wait for it, or stop it; a run that was stopped can be resumed.",
            )
            raise RunError([wrong]) from error

    def _recover(self, journal: int, pack: int) -> None:
        """Cut off half a line, read the rest, and open again what lost its body."""
        self.torn: Path | None = None
        self._pack = pack
        self.states = States(self.order.samples, prices=self.plan.table)
        head, lines, stop = self.plan.digest.raw, 0, 0
        last: deque[Line] = deque(maxlen=_LOOKED_AFTER)
        needed = 0
        for line in read_lines(self._journal_path, start=head):
            self.states.take(line.said, offset=line.offset)
            head, lines, stop = bytes.fromhex(line.said["h"]), line.number, line.stop
            if "body" in line.said:
                last.append(line)
                needed = max(needed, sum(line.said["body"]))
        if os.fstat(journal).st_size > stop:
            self._cut_off(journal, stop)
        if not needed:
            os.ftruncate(pack, 0)
        self.bodies = Bodies(self._bodies_path, number=pack)
        self.journal = Journal(self._journal_path, number=journal, head=head, lines=lines)
        for line in last:
            said = line.said
            if said["did"] == "answer" and self.states.done[said["s"]] == ANSWERED:
                self._look_after(said)

    def _look_after(self, said: dict[str, object]) -> None:
        """Open a sample again whose body was lost with the machine's last half second."""
        body, sha256, sample = said["body"], said["sha256"], said["s"]
        if not (isinstance(body, list) and isinstance(sha256, str) and isinstance(sample, int)):
            return
        if self.bodies.holds(Stored(body[0], body[1], sha256)):
            return
        offset = self.journal.tell({"did": "lost", "s": sample})
        self.states.take({"did": "lost", "s": sample}, offset=offset)

    def _cut_off(self, journal: int, stop: int) -> None:
        torn = os.pread(journal, os.fstat(journal).st_size - stop, stop)
        number = 1
        while (beside := self.path / f"{journals.FILE}.torn-{number}").exists():
            number += 1
        write_whole(beside, torn)
        os.ftruncate(journal, stop)
        self.torn = beside
