"""From what a worker says of its steps to entries of the chain, while it is still at work.

A recorder reads whole lines of the event stream and appends metrics bound to the digest of the
lines that say them, and every interruption. One that is made anew goes on where the chain ends.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dokja.models.forge.records import ChainWriter, Interruption, LogSpan, Metrics
from dokja.models.forge.running.places import RunPlaces
from dokja.values import Digest

__all__ = ["StepRecorder"]

_MOST_STEPS = 200
_MOST_MINUTES = 15


@dataclass(slots=True, kw_only=True)
class _Span:
    """Lines that were read and not yet said in the chain."""

    start: int
    stop: int
    first: int = 0
    last: int = 0
    tokens: int = 0
    loss: float = 0.0
    since: datetime | None = None
    data: list[bytes] = field(default_factory=list)


class StepRecorder:
    """Watches what a training says of its steps.

    Args:
        chain: Where entries go.
        places: The run's places.
        component: Whose training it is.
        events: The event stream.
        progress: Told the last step and its loss.
    """

    def __init__(
        self,
        chain: ChainWriter,
        places: RunPlaces,
        *,
        component: str,
        events: Path,
        progress: Callable[[str, int, float], None],
    ) -> None:
        self._chain, self._places, self._component = chain, places, component
        self._events, self._progress = events, progress
        self._file = places.relative(events)
        said = [m for _, m in chain.chain.of(Metrics) if m.log.file == self._file]
        read = max((m.log.stop for m in said), default=0)
        self._span = _Span(start=read, stop=read)
        self._read = read
        self._at: datetime | None = None

    def when(self) -> datetime | None:
        """Return when the event that is being read happened, for the entries that follow from it.

        An entry that is made long after its event is late, whoever makes it: history cannot be
        written afterwards. Never before the last entry, since a chain's clock does not run back.
        """
        if self._at is None:
            return None
        last = self._chain.chain.links[-1].entry.at
        return max(self._at.replace(microsecond=0), last)

    def watch(self) -> None:
        """Read what is new and append what it asks for."""
        for line, stop in self._lines():
            said = json.loads(line)
            self._take(said, line, stop)
        self._chain.catch_up()

    def finish(self) -> None:
        """Append what was read and not yet said."""
        self.watch()
        self._flush()

    def _lines(self) -> Iterator[tuple[bytes, int]]:
        if not self._events.exists():
            return
        with self._events.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines(keepends=True):
            self._read += len(line)
            yield line, self._read

    def _take(self, said: dict[str, Any], line: bytes, stop: int) -> None:
        span = self._span
        span.data.append(line)
        span.stop = stop
        self._at = datetime.fromisoformat(said["at"])
        match said["kind"]:
            case "steps":
                first, last = int(said["first"]), int(said["last"])
                span.first = span.first or first
                span.last, span.tokens = last, int(said["tokens"][-1])
                span.loss = float(said["loss"][-1])
                span.since = span.since or self._at
                self._progress(self._events.parent.name, last, span.loss)
                minutes = (self._at - span.since).total_seconds() / 60
                if last - span.first + 1 >= _MOST_STEPS or minutes >= _MOST_MINUTES:
                    self._flush()
            case "checkpoint":
                self._flush()
                self._checkpoint(int(said["step"]))
            case "resume" | "interruption":
                self._flush()
                self._interruption(said)
            case _:
                pass

    def _checkpoint(self, step: int) -> None:
        """Take note of a state; what is said of states is nothing to a recorder of steps."""

    def _flush(self) -> None:
        """Append the metrics that were read, bound to the bytes that say them."""
        span = self._span
        if span.last:
            log = LogSpan(
                file=self._file,
                start=span.start,
                stop=span.stop,
                digest=Digest.of(b"".join(span.data)),
            )
            self._chain.append(
                Metrics(
                    component=self._component,
                    first=span.first,
                    last=span.last,
                    tokens=span.tokens,
                    loss=span.loss,
                    log=log,
                ),
                at=self.when(),
            )
            self._span = _Span(start=span.stop, stop=span.stop)

    def _interruption(self, said: dict[str, Any]) -> None:
        step = int(said["step"])
        resumed = said["kind"] == "resume"
        reason = said.get("reason") or "the worker was stopped and started again"
        entry = Interruption(
            component=self._component,
            step=step,
            reason=str(reason),
            resumed_at=step if resumed else None,
            lost_bytes=int(said.get("lost_bytes", 0)),
            environment=said.get("environment", {}),
        )
        last = self._chain.chain.links[-1].entry.body
        if entry != last:  # read again by a recorder that was made anew
            self._chain.append(entry, at=self.when())
