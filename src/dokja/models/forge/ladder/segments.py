"""Which segments of a run can be replayed: pairs of archived states that the chain names.

A segment is a pair of states of one training, at most 50 steps apart: a probe that the receipts'
draw kept, or two neighbouring states that the plan archives in any case. Some must always be
replayed: the first of every training, and those around interruptions. What was not archived is
said to be missing, by name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from dokja.models.forge.records import (
    Chain,
    Checkpoint,
    Interruption,
    Probe,
    Stage,
    StateDigest,
    kept_probes,
)

__all__ = ["MOST_STEPS", "Absent", "Archive", "Segment", "archive_of"]

MOST_STEPS = 50
"""Longest replay: noise and cost grow with the steps (design note, section 7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Two archived states of one training.

    Attributes:
        component: Whose.
        stage: Folder of the training, relative to the run's.
        before: The earlier state.
        after: The later one.
        entry: Number of the probe that names the pair; none where two checkpoints do.
    """

    component: str
    stage: str
    before: StateDigest
    after: StateDigest
    entry: int | None

    @property
    def steps(self) -> int:
        """How many steps lie between the states."""
        return self.after.step - self.before.step

    @property
    def name(self) -> str:
        """Its steps, as findings write them: `30-40`."""
        return f"{self.before.step}-{self.after.step}"

    def covers(self, step: int) -> bool:
        """Tell whether the step after this one is one of its steps."""
        return self.before.step <= step < self.after.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A segment that should have been replayed and cannot be.

    Attributes:
        component: Whose.
        step: The step that it would begin with or contain.
        why: What is missing.
    """

    component: str
    step: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What a run kept to be replayed.

    Attributes:
        first: The first segment of each component's first training.
        stages: The first segments of later trainings.
        interruptions: Segments in which the run was interrupted.
        drawn_from: Kept probes, in the chain's order: what a challenge may draw.
        absent: What should be there and is not.
    """

    first: tuple[Segment, ...]
    stages: tuple[Segment, ...]
    interruptions: tuple[Segment, ...]
    drawn_from: tuple[Segment, ...]
    absent: tuple[Absent, ...]


def archive_of(chain: Chain) -> Archive:
    """Return what a chain says can be replayed; nothing on the disk is looked at.

    Raises:
        ValueError: The chain does not begin with a commit.
    """
    absent: list[Absent] = []
    states = _archived(chain)
    probes = tuple(_probes(chain, states, absent))
    pairs = [*probes, *_neighbours(states)]
    first: list[Segment] = []
    later: list[Segment] = []
    trained: set[str] = set()
    for _, stage in chain.of(Stage):
        if stage.do != "train":
            continue
        folder = f"{stage.component}/{stage.index + 1:02d}-train"
        found = _beginning(folder, pairs)
        if found is None:
            why = f"no two archived states at most {MOST_STEPS} steps apart begin {folder}"
            absent.append(Absent(component=stage.component, step=0, why=why))
        else:
            (later if stage.component in trained else first).append(found)
        trained.add(stage.component)
    broken = tuple(_interrupted(chain, pairs, absent))
    return Archive(
        first=tuple(first),
        stages=tuple(later),
        interruptions=broken,
        drawn_from=probes,
        absent=tuple(absent),
    )


Archived = Mapping[tuple[str, str], Mapping[int, StateDigest]]
"""Archived states by step, by component and folder of the training."""


def _archived(chain: Chain) -> Archived:
    found: dict[tuple[str, str], dict[int, StateDigest]] = {}
    for _, said in chain.of(Checkpoint):
        if said.archived:
            folder = said.folder.rsplit("/", 2)[0]  # …/checkpoints/step-…
            found.setdefault((said.component, folder), {})[said.state.step] = said.state
    return found


def _probes(chain: Chain, states: Archived, absent: list[Absent]) -> Iterator[Segment]:
    """Yield kept probes whose states were archived; the others are told of."""
    for link, probe in kept_probes(chain):
        folder = _folder_of(probe, states)
        if folder is None:
            why = f"the draw kept the probe of entry {link.entry.n}, and its states are not there"
            absent.append(Absent(component=probe.component, step=probe.before.step, why=why))
        elif probe.after.step - probe.before.step > MOST_STEPS:
            why = f"the probe of entry {link.entry.n} is longer than {MOST_STEPS} steps"
            absent.append(Absent(component=probe.component, step=probe.before.step, why=why))
        else:
            yield Segment(
                component=probe.component,
                stage=folder,
                before=probe.before,
                after=probe.after,
                entry=link.entry.n,
            )


def _folder_of(probe: Probe, states: Archived) -> str | None:
    for (component, folder), known in states.items():
        if component == probe.component and all(
            known.get(state.step) == state for state in (probe.before, probe.after)
        ):
            return folder
    return None


def _neighbours(states: Archived) -> Iterator[Segment]:
    """Yield pairs of neighbouring archived states, whether or not a probe names them."""
    for (component, folder), known in states.items():
        for before, after in pairwise(sorted(known)):
            if after - before <= MOST_STEPS:
                yield Segment(
                    component=component,
                    stage=folder,
                    before=known[before],
                    after=known[after],
                    entry=None,
                )


def _beginning(folder: str, pairs: list[Segment]) -> Segment | None:
    """Return the segment that a training begins with: from its first state, the shortest."""
    inside = [one for one in pairs if one.stage == folder]
    first = min((one.before.step for one in inside), default=None)
    return _shortest([one for one in inside if one.before.step == first and first == 0])


def _shortest(pairs: list[Segment]) -> Segment | None:
    # Of two that are alike, the probe: it comes first.
    return min(pairs, key=lambda one: one.steps, default=None)


def _interrupted(chain: Chain, pairs: list[Segment], absent: list[Absent]) -> Iterator[Segment]:
    for link, said in chain.of(Interruption):
        step = said.step if said.resumed_at is None else said.resumed_at
        inside = [one for one in pairs if one.component == said.component and one.covers(step)]
        found = _shortest(inside)
        if found is not None:
            yield found
        elif said.resumed_at is not None:  # otherwise nothing came after it
            why = (
                f"entry {link.entry.n} tells of an interruption after step {step}, and no archived "
                f"pair of states at most {MOST_STEPS} steps apart lies around it"
            )
            absent.append(Absent(component=said.component, step=step, why=why))
