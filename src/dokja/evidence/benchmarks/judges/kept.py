"""What a judge replied, kept in one append-only file beside what it judged.

The first line says who the judge is; every further one is a reply that came, or a question that
was given up. Lines are sealed to those before them, as those of a run's journal are. A reply is
found by the digest of its request, so that scoring again by the same words asks nothing. Replies
may quote private items: nobody but the owner may read the file.
"""

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dokja.errors import Mistake, RunError, RunWriteError
from dokja.evidence.benchmarks.running.bodies import unwritten
from dokja.evidence.benchmarks.running.forms import asked_bytes
from dokja.evidence.benchmarks.running.journal import Journal, read_lines
from dokja.models.serving.endpoints import Family, FaultClass, read_reply, request_form
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["JudgeFile", "JudgeSystem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSystem:
    """All that decides what a judge replies.

    Attributes:
        model: As requests name it; a scorer declares the same name.
        kind: How it is asked.
        endpoint: What is posted to; empty for a judge that runs in this process.
        weights: Names the weights, where they are here.
        request: Every field of a request but the question.
    """

    model: str
    kind: Family
    endpoint: str = ""
    weights: str = ""
    request: Mapping[str, Json] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, Json]:
        """The judge as the file's first line tells of it."""
        return {
            "model": self.model,
            "kind": self.kind.value,
            "endpoint": self.endpoint,
            "weights": self.weights,
            "request": dict(self.request),
        }

    @property
    def digest(self) -> Digest:
        """Names the judge: another request or address is another one."""
        return Digest.of(canonical_bytes({"judge": self.said, "v": 1}))

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"judge-{self.digest.short}.jsonl"

    def bodies(self) -> Callable[[str], bytes]:
        """Return what makes a request of a question."""
        form = request_form(self.request, family=self.kind)
        return lambda question: form.body(asked_bytes(question, family=self.kind))


class JudgeFile:
    """The file, open for one writer.

    Attributes:
        path: Where it is.
        judge: Whose replies it holds.
        torn: Whether half a line stood at its end, which a lost machine leaves; it was cut off.
    """

    def __init__(self, folder: Path, judge: JudgeSystem, *, clock: Callable[[], int]) -> None:
        """Open the file in a folder, and read what is there.

        Args:
            folder: Made if it is not there.
            judge: Whose replies it holds.
            clock: Milliseconds since 1970, UTC.

        Raises:
            RunError: Another process writes it, or a line is not what was written there.
            RunWriteError: It cannot be written.
        """
        self.path = folder / judge.file
        self.judge = judge
        self._clock = clock
        self._places: dict[str, tuple[int, int]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise unwritten(self.path, error) from error
        try:
            self._read()
        except OSError as error:
            self.close()
            raise unwritten(self.path, error) from error
        except (RunError, RunWriteError):
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Have the disk hold everything, and close it."""
        try:
            if kind is None:
                self._journal.sync()
        finally:
            self.close()

    @property
    def head(self) -> Digest:
        """The seal of the last line: names all that the file says."""
        return Digest(self._journal.head.hex())

    @property
    def replies(self) -> int:
        """How many replies it holds."""
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a reply to a request."""
        return key in self._places

    def reply(self, key: str) -> str | None:
        """Return the text of the reply to a request; None where none came.

        Args:
            key: The request's digest, as hexadecimal digits.
        """
        place = self._places.get(key)
        if place is None:
            return None
        start, stop = place
        said = json.loads(os.pread(self._number, stop - start, start))
        return read_reply(str(said["body"]).encode()).text

    def keep(self, key: str, body: str) -> None:
        """Write a reply down; from then on it is found.

        Args:
            key: The request's digest.
            body: What came over the wire.

        Raises:
            RunWriteError: The disk is full or read-only.
        """
        start = self._journal.tell({"did": "reply", "k": key, "t": self._clock(), "body": body})
        self._places[key] = (start, self._journal.size)

    def give_up(self, key: str, kind: FaultClass, *, detail: str) -> None:
        """Write down that a question got no reply; it may be asked again another time.

        Raises:
            RunWriteError: The disk is full or read-only.
        """
        fault: dict[str, Json] = {"did": "gave_up", "k": key, "t": self._clock()}
        self._journal.tell({**fault, "class": kind.value, "detail": detail})

    def close(self) -> None:
        """Close the file and let the next writer in."""
        os.close(self._number)

    def _read(self) -> None:
        try:
            fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            read, expected = "a file that another process is writing", "one writer at a time"
            wrong = Mistake(file=str(self.path), place="", read=read, expected=expected)
            raise RunError([wrong]) from error
        head, lines, stop = self.judge.digest.raw, 0, 0
        for line in read_lines(self.path, start=head):
            head, lines, stop = bytes.fromhex(line.said["h"]), line.number, line.stop
            if line.said["did"] == "reply":
                self._places[str(line.said["k"])] = (line.offset, line.stop)
        self.torn = os.fstat(self._number).st_size > stop
        if self.torn:
            os.ftruncate(self._number, stop)
        self._journal = Journal(self.path, number=self._number, head=head, lines=lines)
        if not lines:
            self._journal.tell({"did": "judge", "t": self._clock(), "judge": self.judge.said})
