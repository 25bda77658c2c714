"""The noise floor of a run: how far two replays end apart that should be the same.

At least three segments are replayed twice, the second time with a change that alters no number on
paper: threads, the attention kernel, the size of micro-batches, another implementation. What such
a change moves is noise, and only what lies ten times above it is held against a builder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dokja.errors import EngineError
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.ref.training import refuse
from dokja.models.forge.ladder.distances import Distance, Reader, distance
from dokja.models.forge.ladder.replay import RefReplayer, Replayed, Replayer, ReplayRequest
from dokja.models.forge.ladder.segments import Segment
from dokja.models.weights import open_source

__all__ = [
    "LEAST_SEGMENTS",
    "Change",
    "NoiseFloor",
    "NoiseSample",
    "benign_changes",
    "noise_floor",
    "noise_sample",
]

LEAST_SEGMENTS = 3
"""Segments that a floor must rest on."""

LEAST_THRESHOLD = 1e-6
"""Below this nothing is held against anybody, however quiet the floor is."""

OTHER_IMPLEMENTATION = 1e-5
"""As above, where two implementations are compared and no floor between them was measured.

Measured 5.3e-7 to 2.9e-6 between numpy and torch in fp32 (design note, section 7).
"""

OTHER_IN_A_TENSOR = 1e-4
"""As above, for the worst tensor: measured up to 1.6e-5, in a gain that hardly moved."""

FACTOR = 10.0
"""How far above the floor something must lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that alters no number on paper.

    Attributes:
        name: Such as `2 threads`.
        settings: Fields of the job that are otherwise.
        replayer: Who replays instead; none for the same engine.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    replayer: Replayer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSample:
    """One segment, replayed twice.

    Attributes:
        segment: Its steps, such as `30-40`.
        change: What was changed the second time.
        apart: How far the two ended apart.
    """

    segment: str
    change: str
    apart: Distance


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFloor:
    """What a run's replays scatter by.

    Attributes:
        samples: What was measured; may be empty, and then only the least threshold counts.
        crosses: Whether run and replay are of two implementations and no sample crosses them.
    """

    samples: tuple[NoiseSample, ...]
    crosses: bool = False

    @property
    def segments(self) -> int:
        """How many segments it rests on."""
        return len({one.segment for one in self.samples})

    @property
    def total(self) -> float:
        """Largest e over all tensors."""
        return max((one.apart.total for one in self.samples), default=0.0)

    @property
    def worst(self) -> float:
        """Largest e of any one tensor."""
        return max((one.apart.worst for one in self.samples), default=0.0)

    @property
    def threshold(self) -> float:
        """The e over all tensors that a replay may reach."""
        least = OTHER_IMPLEMENTATION if self.crosses else LEAST_THRESHOLD
        return max(least, FACTOR * self.total)

    @property
    def tensor_threshold(self) -> float:
        """The e of any one tensor that a replay may reach."""
        least = OTHER_IN_A_TENSOR if self.crosses else LEAST_THRESHOLD
        return max(least, FACTOR * self.worst)

    @property
    def changes(self) -> str:
        """What was changed, in words."""
        return ", ".join(sorted({one.change for one in self.samples})) or "nothing"


def benign_changes(job: Job, *, engine: str) -> tuple[Change, ...]:
    """Return the changes that a job's noise can be measured by, the most telling first.

    Args:
        job: Of the training.
        engine: Which engine replays.

    Example:
        >>> from dokja.models.forge.engines.jobs import AdamW, Batch, Keep
        >>> from dokja.models.forge.schedules import Schedule
        >>> from dokja.models.forge.structures import Structure
        >>> sizes = dict(vocabulary=8, width=8, layers=1, heads=2, kv_heads=1, head_width=4, ffn=8)
        >>> job = Job(
        ...     plan="", structure=Structure(family="llama", **sizes), start="start", steps=1,
        ...     batch=Batch(sequences=4, length=8, micro=4), optimizer=AdamW(lr=1e-3), data={},
        ...     schedule=Schedule(kind="constant", total_steps=1), keep=Keep(checkpoint_every=1),
        ... )
        >>> [change.name for change in benign_changes(job, engine="hf")]
        ['eager attention', 'numpy', '2 threads', 'micro-batches of 2', 'micro-batches of 1']
    """
    found: list[Change] = []
    if engine != "ref":
        kernel = "math" if job.attention == "eager" else "eager"
        found.append(Change(name=f"{kernel} attention", settings={"attention": kernel}))
        if _suits_numpy(job):
            found.append(Change(name="numpy", replayer=RefReplayer()))
        if job.device == "cpu":
            threads = 1 if job.threads > 1 else 2
            found.append(Change(name=f"{threads} threads", settings={"threads": threads}))
    sizes = {job.batch.sequences // 2, 1} - {job.batch.micro, 0}
    found += [
        Change(name=f"micro-batches of {size}", settings={"micro": size})
        for size in sorted(sizes, reverse=True)
        if job.batch.sequences % size == 0
    ]
    return tuple(found)


def _suits_numpy(job: Job) -> bool:
    try:
        refuse(job)
    except EngineError:
        return False
    return True


def noise_sample(
    first: Replayed,
    request: ReplayRequest,
    *,
    change: Change,
    replayer: Replayer,
    segment: str,
    names: Sequence[str],
) -> NoiseSample:
    """Replay a segment a second time, and return how far the two ended apart.

    Args:
        first: The replay without the change.
        request: What was replayed.
        change: What is otherwise now.
        replayer: Who replayed it.
        segment: Its steps.
        names: Every tensor.

    Raises:
        EngineError: The engine cannot do the changed job, or stopped.
        InputError: As the replayer says.
    """
    second = (change.replayer or replayer).replay(request.changed(change.settings))
    before: Reader = open_source(request.state / "weights").read
    apart = distance(second.weights, first.weights, before=before, names=names)
    return NoiseSample(segment=segment, change=change.name, apart=apart)


def noise_floor(
    replays: Sequence[tuple[Segment, ReplayRequest, Replayed]],
    *,
    replayer: Replayer,
    engine: str,
    names: Sequence[str],
) -> NoiseFloor:
    """Measure the floor of a training on its first segments, each with another change in turn.

    Args:
        replays: Segments that were replayed, as the run would have done it.
        replayer: Who replayed them.
        engine: The run's own engine.
        names: Every tensor.

    Raises:
        EngineError: A worker stopped.
        InputError: As the replayer says.
    """
    if not replays:
        return NoiseFloor(samples=())
    changes = benign_changes(replays[0][1].job, engine=replayer.name)
    # Fewer segments than wanted are each changed in more ways.
    pairs = [
        (replay, changes[(place + turn) % len(changes)])
        for turn in range(len(changes))
        for place, replay in enumerate(replays)
    ]
    return NoiseFloor(
        samples=tuple(
            noise_sample(
                first,
                request,
                change=change,
                replayer=replayer,
                segment=segment.name,
                names=names,
            )
            for (segment, request, first), change in pairs[:LEAST_SEGMENTS]
        ),
        crosses=replayer.name != engine,
    )
