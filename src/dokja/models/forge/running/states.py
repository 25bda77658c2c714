"""From the states that a worker leaves to entries of the chain, and what stays on the disk.

The full state at both ends of every probe is named by its digests; whether it stays is drawn from
the receipt of the entry that names it. What is kept in any case stands in the plan. States that
were not kept are removed once nobody goes on from them.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from dokja.models.forge.engines import Checkpoint, open_checkpoint
from dokja.models.forge.engines.checkpoints import checkpoint_name
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.records import ChainWriter, Probe, Stage, StateDigest, keeps_probe
from dokja.models.forge.records import Checkpoint as CheckpointEntry
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.running.recorder import StepRecorder
from dokja.models.weights.roots import TensorDigest, root, root_text, source_digests
from dokja.values import Digest

__all__ = ["PROBE_GAP", "Recorder"]

PROBE_GAP = 10
"""Steps between the two states of a probe: what an examiner replays."""


class Recorder(StepRecorder):
    """Watches one training, its states too.

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
        progress: Callable[[str, int, float], None],
    ) -> None:
        super().__init__(
            chain, places, component=component, events=folder / job.events, progress=progress
        )
        self._folder, self._job, self._ends = folder, job, probe_ends
        self._stage = places.relative(folder)
        self._archive = archive | {job.first_step, job.last_step}
        self._states: dict[int, StateDigest] = {}
        self._done = self._said_already()

    def _said_already(self) -> set[tuple[str, int]]:
        """Return the checkpoints and probes of this training that the chain names."""
        found: set[tuple[str, int]] = set()
        for _, entry in self._chain.chain.of(CheckpointEntry):
            if entry.folder.startswith(f"{self._stage}/"):
                found.add(("checkpoint", entry.state.step))
                self._states[entry.state.step] = entry.state
        begun = [
            link.entry.n
            for link, stage in self._chain.chain.of(Stage)
            if stage.component == self._component
        ]
        for link, probe in self._chain.chain.of(Probe):
            # A component may be trained more than once: probes name no stage, their place does.
            if probe.component == self._component and link.entry.n > max(begun, default=-1):
                self._states.setdefault(probe.before.step, probe.before)
                self._states.setdefault(probe.after.step, probe.after)
                found.add(("probe", probe.after.step))
        return found

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
        self._places.write_digests(self._stage, step, said)

    def _probe(self, start: int, step: int) -> None:
        commit = self._chain.chain.commit
        if commit is None:
            message = "a training was recorded before its commit"
            raise RuntimeError(message)
        probe = Probe(
            component=self._component, before=self._states[start], after=self._states[step]
        )
        link = self._chain.append(probe, at=self.when())
        self._done.add(("probe", step))
        if keeps_probe(probe, link.receipt, commit=commit):
            for kept in (start, step):
                if ("checkpoint", kept) not in self._done:
                    self._keep(kept, archived=True)

    def _keep(self, step: int, *, archived: bool) -> None:
        folder = self._folder / self._job.checkpoints / checkpoint_name(step)
        digests = self._places.digests(self._stage, step)
        self._chain.append(
            CheckpointEntry(
                component=self._component,
                state=self._states[step],
                folder=self._places.relative(folder),
                digests=Digest.of(digests.read_bytes()) if digests.exists() else None,
                archived=archived,
            ),
            at=self.when(),
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
