"""From what a worker says to entries of the chain, while it is still at work.

The recorder reads whole lines of the event stream and appends: metrics bound to the digest of the
lines that say them, the full state at both ends of every probe, checkpoints that are kept, and
every interruption. Whether the two states of a probe stay on the disk is drawn from the receipt
of the entry that names them. A recorder that is made anew goes on where the chain ends.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dokja.models.forge.engines import Checkpoint, open_checkpoint
from dokja.models.forge.engines.checkpoints import checkpoint_name
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.records import (
    ChainWriter,
    Interruption,
    LogSpan,
    Metrics,
    Probe,
    StateDigest,
    keeps_probe,
)
from dokja.models.forge.records import (
    Checkpoint as CheckpointEntry,
)
from dokja.models.forge.running.places import RunPlaces
from dokja.models.weights.roots import TensorDigest, root, root_text, source_digests
from dokja.values import Digest

__all__ = ["PROBE_GAP", "Recorder"]

PROBE_GAP = 10
"""Steps between the two states of a probe: what an examiner replays."""

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


class Recorder:
    """Watches one training.

    Args:
        chain: Where entries go.
        places: The run's places.
        component: Whose training it is.
        folder: The stage's folder.
        job: What the worker was told.
        probe_ends: Steps that end a probe.
        archive: Steps whose state is kept whatever is drawn.
        progress: Told the last step and its loss.
    """

    def __init__(
        self,
        chain: ChainWriter,
        places: RunPlaces,
        *,
        component: str,
        folder: Path,
        job: Job,
        probe_ends: frozenset[int],
        archive: frozenset[int],
        progress: Callable[[int, float], None],
    ) -> None:
        self._chain, self._places, self._component = chain, places, component
        self._folder, self._job, self._ends = folder, job, probe_ends
        self._archive = archive | {job.first_step, job.last_step}
        self._progress = progress
        self._events = folder / job.events
        self._file = places.relative(self._events)
        said = [m for _, m in chain.chain.of(Metrics) if m.log.file == self._file]
        read = max((m.log.stop for m in said), default=0)
        self._span = _Span(start=read, stop=read)
        self._read = read
        self._states: dict[int, StateDigest] = {}
        self._done = self._said_already()

    def _said_already(self) -> set[tuple[str, int]]:
        """Return the checkpoints and probes of this training that the chain names."""
        found: set[tuple[str, int]] = set()
        prefix = self._places.relative(self._folder)
        for _, entry in self._chain.chain.of(CheckpointEntry):
            if entry.folder.startswith(f"{prefix}/"):
                found.add(("checkpoint", entry.state.step))
                self._states[entry.state.step] = entry.state
        for _, probe in self._chain.chain.of(Probe):
            if probe.component == self._component:
                self._states.setdefault(probe.before.step, probe.before)
                self._states.setdefault(probe.after.step, probe.after)
                found.add(("probe", probe.after.step))
        return found

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
        match said["kind"]:
            case "steps":
                first, last = int(said["first"]), int(said["last"])
                span.first = span.first or first
                span.last, span.tokens = last, int(said["tokens"][-1])
                span.loss = float(said["loss"][-1])
                at = datetime.fromisoformat(said["at"])
                span.since = span.since or at
                self._progress(last, span.loss)
                minutes = (at - span.since).total_seconds() / 60
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
                )
            )
            self._span = _Span(start=span.stop, stop=span.stop)

    def _interruption(self, said: dict[str, Any]) -> None:
        step = int(said["step"])
        resumed = said["kind"] == "resume"
        reason = said.get("reason") or "the worker was stopped and started again"
        self._chain.append(
            Interruption(
                component=self._component,
                step=step,
                reason=str(reason),
                resumed_at=step if resumed else None,
                lost_bytes=int(said.get("lost_bytes", 0)),
                environment=said.get("environment", {}),
            )
        )

    def _checkpoint(self, step: int) -> None:
        if step not in self._states:
            path = self._folder / self._job.checkpoints / checkpoint_name(step)
            if not path.is_dir():
                return  # told again after a resume, and given up since
            self._states[step] = self._digested(open_checkpoint(path))
        start = step - PROBE_GAP
        if step in self._ends and ("probe", step) not in self._done and start in self._states:
            self._probe(start, step)
        if step in self._archive and ("checkpoint", step) not in self._done:
            self._keep(step, archived=True)
        self._forget(step)

    def _digested(self, checkpoint: Checkpoint) -> StateDigest:
        weights = source_digests(checkpoint.weights)
        moments = checkpoint.moments
        state = checkpoint.state
        optimizer = None if not moments.names else root_text(root(source_digests(moments)))
        self._write_digests(state.step, weights)
        return StateDigest(
            step=state.step,
            tokens=state.tokens,
            cursor=state.cursor,
            weights=root_text(root(weights)),
            optimizer=optimizer,
        )

    def _write_digests(self, step: int, digests: tuple[TensorDigest, ...]) -> None:
        said = [one.to_json() for one in digests]
        self._places.write_digests(self._component, step, said)

    def _probe(self, start: int, step: int) -> None:
        commit = self._chain.chain.commit
        if commit is None:
            message = "a training was recorded before its commit"
            raise RuntimeError(message)
        probe = Probe(
            component=self._component, before=self._states[start], after=self._states[step]
        )
        link = self._chain.append(probe)
        self._done.add(("probe", step))
        if keeps_probe(probe, link.receipt, commit=commit):
            for kept in (start, step):
                if ("checkpoint", kept) not in self._done:
                    self._keep(kept, archived=True)

    def _keep(self, step: int, *, archived: bool) -> None:
        folder = self._folder / self._job.checkpoints / checkpoint_name(step)
        digests = self._places.digests(self._component, step)
        self._chain.append(
            CheckpointEntry(
                component=self._component,
                state=self._states[step],
                folder=self._places.relative(folder),
                digests=Digest.of(digests.read_bytes()) if digests.exists() else None,
                archived=archived,
            )
        )
        self._done.add(("checkpoint", step))

    def _forget(self, newest: int) -> None:
        """Remove states that the draw did not keep and that nobody goes on from any more."""
        for step in sorted(self._states):
            kept = ("checkpoint", step) in self._done
            waits = any(step in {end - PROBE_GAP, end} and end >= newest for end in self._ends)
            if kept or waits or step == newest:
                continue
            path = self._folder / self._job.checkpoints / checkpoint_name(step)
            if path.is_dir():
                gone = path.with_name(f".{path.name}.gone")
                path.rename(gone)  # no reader ever meets half a checkpoint
                shutil.rmtree(gone)
