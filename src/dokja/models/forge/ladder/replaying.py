"""One segment, replayed and held against what the builder claims.

What a replay says rests on what it was run with: with other kernels in bf16, or in another
precision, a difference up to a known size shows nothing, and is called not comparable.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from dokja.errors import CorpusError, LogError, Mistake, RecordError
from dokja.models.forge.engines import open_checkpoint
from dokja.models.forge.engines.checkpoints import checkpoint_name
from dokja.models.forge.engines.events import Resume, Start, read_events
from dokja.models.forge.ladder.artefacts import Artefacts, Training, reason_of
from dokja.models.forge.ladder.distances import Distance, distance
from dokja.models.forge.ladder.logs import StepLog
from dokja.models.forge.ladder.noise import NoiseFloor
from dokja.models.forge.ladder.replay import Replayed, ReplayRequest
from dokja.models.forge.ladder.segments import Segment
from dokja.models.forge.records import StateDigest
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.running.teaching import teacher_folder, with_teacher
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Json

__all__ = [
    "Verdict",
    "archive_faults",
    "data_faults",
    "distance_to_claim",
    "found_teacher",
    "loss_difference",
    "other_kernels",
    "replay_request",
    "run_environment",
    "verdict",
]

OTHER_KERNEL = 5e-2
"""Below this e says nothing where kernels differ in bf16, or the precision does.

Measured 4.0e-3 (10 steps) to 1.5e-2 (50) between kernels, and 6.5e-2 for two batches that were
swapped (design note, section 7).
"""

_KERNELS = ("engine", "torch_build", "devices", "attention", "optimizer_kernel", "compile")


class Verdict(Enum):
    """What a replay shows."""

    BIT_EQUAL = "bit-equal"
    WITHIN_NOISE = "within noise"
    NOT_COMPARABLE = "not-comparable"
    DIFFERS = "differs"


def found_teacher(artefacts: Artefacts, training: Training) -> Path | None:
    """Return where a training's teacher lies; none where it has none.

    Raises:
        RecipeError: It is not at hand, or what lies there is another.
        RecordError, WeightsError: What lies there cannot be read.
    """
    if artefacts.plan is None or artefacts.folder is None:
        return None
    return teacher_folder(
        training.stage,
        plan=artefacts.plan,
        places=RunPlaces(artefacts.folder),
        bases=artefacts.bases,
    )


def replay_request(
    artefacts: Artefacts, training: Training, segment: Segment, *, teacher: Path | None
) -> ReplayRequest:
    """Return what has to be replayed for a segment.

    Args:
        artefacts: The run.
        training: Which of its trainings.
        segment: Which of its steps.
        teacher: Where the training's teacher lies; none where it has none.

    Raises:
        RecordError: The training has no job, or the run's folder is not at hand.
    """
    job = training.job
    if job is None or artefacts.folder is None:
        why = training.why_no_job or "the run's folder is not at hand"
        wrong = Mistake(file=training.name, place="job", read=why, expected="plan, seed and data")
        raise RecordError([wrong])
    base = artefacts.folder / training.folder
    return ReplayRequest(
        job=with_teacher(job, teacher, base=base),
        base=base,
        state=_folder(artefacts, segment, segment.before),
        steps=segment.steps,
    )


def _folder(artefacts: Artefacts, segment: Segment, state: StateDigest) -> Path:
    run = artefacts.folder or Path()
    return run / segment.stage / "checkpoints" / checkpoint_name(state.step)


def archive_faults(artefacts: Artefacts, segment: Segment) -> Iterator[str]:
    """Yield in what the states on the disk differ from those that the chain names.

    Raises:
        RecordError: A state is not there, or is damaged.
        WeightsError: Likewise.
    """
    for state in (segment.before, segment.after):
        folder = _folder(artefacts, segment, state)
        checkpoint = open_checkpoint(folder)
        weights = root_text(root(artefacts.digests(folder / "weights")))
        if weights != state.weights:
            yield f"the weights of step {state.step} have the root {weights}, not {state.weights}"
        if state.optimizer is not None:
            moments = root_text(root(source_digests(checkpoint.moments)))
            if moments != state.optimizer:
                yield (
                    f"the moments of step {state.step} have the root {moments}, "
                    f"not {state.optimizer}"
                )
        for place, found, named in (
            ("cursor", checkpoint.state.cursor, state.cursor),
            ("tokens", checkpoint.state.tokens, state.tokens),
        ):
            if found != named:
                yield f"the state of step {state.step} says {place} {found}, not {named}"


def data_faults(artefacts: Artefacts, training: Training, *, whole: bool) -> tuple[str, ...]:
    """Return in what a training's data at hand differ from those that were committed to.

    Args:
        artefacts: The run.
        training: Which of its trainings.
        whole: Whether every byte is read and compared with its digest.
    """
    commit, mixture = artefacts.commit, str(training.stage["data"])
    named = {} if commit is None else commit.data
    faults: list[str] = []
    try:
        with artefacts.tokens(training) as data:
            for source, corpus in zip(data.order.sources, data.corpora, strict=True):
                promised = named.get(f"{mixture}/{source.name}")
                if corpus.digest != promised:
                    faults.append(f"source {source.name} is {corpus.digest}, not {promised}")
                if whole:
                    corpus.verify()
    except CorpusError as error:
        faults.append(reason_of(error))
    return tuple(faults)


def distance_to_claim(artefacts: Artefacts, segment: Segment, replayed: Replayed) -> Distance:
    """Return how far a replay ended from the archived state that the builder claims.

    Raises:
        WeightsError: Weights cannot be read.
        ValueError: Nothing moved in the segment.
    """
    before = artefacts.source(_folder(artefacts, segment, segment.before) / "weights")
    after = artefacts.source(_folder(artefacts, segment, segment.after) / "weights")
    return distance(replayed.weights, after.read, before=before.read, names=after.names)


def loss_difference(log: StepLog | None, segment: Segment, replayed: Replayed) -> float | None:
    """Return the largest difference of a step's loss from the logged one, nats; None if unknown."""
    column = None if log is None else log.column("loss")
    if column is None or column.averaged:
        return None
    steps = np.arange(segment.before.step + 1, segment.after.step + 1)
    places = np.searchsorted(column.step, steps)
    known = places < len(column.step)
    known[known] = column.step[places[known]] == steps[known]
    if not known.all() or len(replayed.losses) != len(steps):
        return None
    return float(np.abs(column.value[places] - np.array(replayed.losses)).max())


def run_environment(folder: Path, *, step: int) -> Mapping[str, Json]:
    """Return where a training said that it ran when it did a step; empty where it does not tell.

    Args:
        folder: Of the training.
        step: The step that is asked about.
    """
    try:
        events = read_events(folder / "events.jsonl")
    except LogError:
        return {}
    begun = [one for one in events.events if isinstance(one, Start | Resume)]
    known = [one for one in begun if one.step <= step]
    return known[-1].environment if known else {}


def other_kernels(run: Mapping[str, Any], replay: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in what a replay's kernels differ from the run's; `unknown` where neither tells.

    Example:
        >>> other_kernels({"engine": "hf", "attention": "flash"}, {"engine": "hf"})
        ('attention',)
    """
    if not run or not replay:
        return ("unknown",)
    return tuple(key for key in _KERNELS if run.get(key) != replay.get(key))


def verdict(
    apart: Distance, floor: NoiseFloor, *, precision: str, same_precision: bool, kernels: bool
) -> Verdict:
    """Return what a replay shows.

    Args:
        apart: How far it ended from the claim.
        floor: Of the run.
        precision: Of the run.
        same_precision: Whether the replay computed in it too.
        kernels: Whether both used the same kernels.

    Example:
        >>> same = Distance(total=0, worst=0, worst_tensor="", equal=9, tensors=9, moved=1)
        >>> quiet = NoiseFloor(samples=())
        >>> verdict(same, quiet, precision="fp32", same_precision=True, kernels=False).value
        'bit-equal'
    """
    if apart.is_bit_equal:
        return Verdict.BIT_EQUAL
    if apart.total <= floor.threshold and apart.worst <= floor.tensor_threshold:
        return Verdict.WITHIN_NOISE
    comparable = same_precision and (kernels or precision == "fp32")
    if not comparable and apart.total <= max(OTHER_KERNEL, floor.threshold):
        return Verdict.NOT_COMPARABLE
    return Verdict.DIFFERS
