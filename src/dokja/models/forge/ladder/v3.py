"""V3: segments of a training are run again, and end where the builder says, or do not.

What is replayed was drawn after the seal. What this level cannot show: segments that were not
drawn; whether the data were lawful; data made so that they lead to a state (arXiv 2108.09454),
against which data, order and settings are committed to first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dokja.errors import DokjaError, InputError, LogError
from dokja.models.forge.engines.catalogue import WORKERS, worker_engine
from dokja.models.forge.engines.ref import keep_freed_memory
from dokja.models.forge.ladder.artefacts import Artefacts, Training, reason_of
from dokja.models.forge.ladder.challenge import Challenge, Chosen, self_challenge
from dokja.models.forge.ladder.distances import Distance
from dokja.models.forge.ladder.drawing_checks import draw_finding, missed_findings, nothing_drawn
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.logs import StepLog
from dokja.models.forge.ladder.noise import LEAST_SEGMENTS, NoiseFloor, noise_floor
from dokja.models.forge.ladder.replay import (
    RefReplayer,
    Replayed,
    Replayer,
    ReplayRequest,
    WorkerReplayer,
)
from dokja.models.forge.ladder.replaying import (
    Verdict,
    archive_faults,
    data_faults,
    distance_to_claim,
    found_teacher,
    loss_difference,
    other_kernels,
    replay_request,
    run_environment,
    verdict,
)
from dokja.models.forge.ladder.segments import Segment
from dokja.models.forge.records import Checkpoint, StateDigest

__all__ = ["Place", "ReplaySettings", "check"]

DEFAULT_SEGMENTS = 30

_OUTCOMES: Mapping[Verdict, Outcome] = {
    Verdict.BIT_EQUAL: Outcome.PASS,
    Verdict.WITHIN_NOISE: Outcome.PASS,
    Verdict.NOT_COMPARABLE: Outcome.UNDECIDED,
    Verdict.DIFFERS: Outcome.FAIL,
}

_REMEDIES: Mapping[Outcome, str] = {
    Outcome.FAIL: "A difference needs a second replay, elsewhere: let others run the same "
    "challenge with another engine or machine before anybody is accused.",
    Outcome.UNDECIDED: "Replay in the run's own precision, with its kernels.",
}


class Place(Enum):
    """Who replays."""

    EXAMINER = "examiner"
    BUILDER = "builder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """How segments are replayed.

    Attributes:
        scratch: A folder for replays, which may become large.
        segments: How many are drawn where no challenge was given.
        engine: `ref`, `hf` or another worker; none for the run's own.
        python: The interpreter that workers run under.
        environment: All of the environment that workers get.
        place: Who replays; stands in every finding.
        corpora: Whether corpora are read whole first, and compared with their digests: who
            trains on other data than it names passes every replay on those data.
        progress: Told each segment before it is replayed.
    """

    scratch: Path
    segments: int = DEFAULT_SEGMENTS
    engine: str | None = None
    python: str = "python3"
    environment: Mapping[str, str]
    place: Place = Place.EXAMINER
    corpora: bool = True
    progress: Callable[[str], None] = lambda _segment: None


def check(
    artefacts: Artefacts, challenge: Challenge | None, *, settings: ReplaySettings
) -> tuple[Finding, ...]:
    """Replay the segments of a challenge and say what each came to.

    Args:
        artefacts: The run, with its states and data.
        challenge: What was drawn; none for a draw that the builder could foresee.
        settings: How.

    Raises:
        RecipeError: There is no engine of the name that was asked for.
    """
    chain = artefacts.chain
    if chain is None or chain.seal is None or chain.commit is None:
        why = artefacts.absent.get("chain", "the chain is not sealed")
        return (nothing_drawn(f"{why}, so that nobody is bound to any state"),)
    plan = artefacts.plan
    if plan is None or not artefacts.trainings:
        return (nothing_drawn("the plan is not at hand, or trains nothing"),)
    if plan.digest != chain.commit.plan:
        return (nothing_drawn("the plan at hand is not the one that the commit entry names"),)
    drawn = challenge or self_challenge(chain, segments=settings.segments)
    found = [draw_finding(drawn), *missed_findings(drawn)]
    for training in artefacts.trainings:
        chosen = [one for one in drawn.chosen if one.stage == training.folder]
        if chosen:
            found += _Replays(artefacts, training, settings=settings).findings(chosen)
    return tuple(found)


class _Replays:
    """Replays segments of one training."""

    def __init__(
        self, artefacts: Artefacts, training: Training, *, settings: ReplaySettings
    ) -> None:
        self._artefacts, self._training, self._settings = artefacts, training, settings
        plan = artefacts.plan
        self._engine = "" if plan is None else str(plan.engine["name"])
        self._replays: list[tuple[Segment, ReplayRequest, Replayed]] = []
        self._early: dict[str, Finding] = {}

    def findings(self, chosen: Sequence[Chosen]) -> Iterator[Finding]:
        """Yield the noise floor and every segment's finding, in order."""
        replayer = self._replayer()
        if replayer is None:
            yield self._no_engine()
            return
        faults = data_faults(self._artefacts, self._training, whole=self._settings.corpora)
        if faults:
            yield self._other_data(faults)
            return
        try:
            teacher = found_teacher(self._artefacts, self._training)
        except InputError as error:
            yield self._no_teacher(reason_of(error))
            return
        segments = [self._segment(one) for one in chosen]
        for segment in segments:
            self._replay(segment, replayer, teacher=teacher)
        floor = self._floor(replayer)
        yield self._floor_finding(floor)
        replayed = {segment.name: done for segment, _, done in self._replays}
        for segment in segments:
            early = self._early.get(segment.name)
            yield early or self._compared(segment, replayed[segment.name], floor=floor)

    def _replayer(self) -> Replayer | None:
        name = self._settings.engine or self._engine
        if name == "ref":
            keep_freed_memory()  # it trains in this process
            return RefReplayer()
        if name not in WORKERS and self._settings.engine is None:
            return None
        return WorkerReplayer(
            worker_engine(name, python=self._settings.python),
            scratch=self._settings.scratch / self._training.folder.replace("/", "-"),
            environment=self._settings.environment,
        )

    def _no_engine(self) -> Finding:
        return Finding(
            check="V3.3",
            title="replay",
            outcome=Outcome.NOT_AVAILABLE,
            component=self._training.component.id,
            why=f"the run was made with {self._engine}, which cannot replay here",
            remedy=f"Name an engine that can, with --engine: {', '.join(WORKERS)}.",
        )

    def _other_data(self, faults: Sequence[str]) -> Finding:
        return Finding(
            check="V3.3",
            title="replay",
            outcome=Outcome.UNDECIDED,
            component=self._training.component.id,
            why=f"the data at hand are not those that were committed to: {'; '.join(faults)}",
            remedy="Bring the corpora that the commit entry names.",
        )

    def _no_teacher(self, why: str) -> Finding:
        return Finding(
            check="V3.3",
            title="replay",
            outcome=Outcome.UNDECIDED,
            component=self._training.component.id,
            why=f"the teacher that was followed is not at hand: {why}",
            remedy="Bring its weights, and name the folder above them with --bases.",
        )

    def _segment(self, chosen: Chosen) -> Segment:
        """Return a segment with the digests that the chain names."""
        states = self._states()
        return Segment(
            component=chosen.component,
            stage=chosen.stage,
            before=states[chosen.before],
            after=states[chosen.after],
            entry=chosen.entry,
        )

    def _states(self) -> dict[int, StateDigest]:
        chain = self._artefacts.chain
        said = () if chain is None else chain.of(Checkpoint)
        prefix = f"{self._training.folder}/"
        return {one.state.step: one.state for _, one in said if one.folder.startswith(prefix)}

    def _replay(self, segment: Segment, replayer: Replayer, *, teacher: Path | None) -> None:
        """Replay a segment, or keep the finding that says why that cannot be."""
        self._settings.progress(f"{self._training.component.id} {segment.name}")
        try:
            faults = list(archive_faults(self._artefacts, segment))
            if faults:
                self._early[segment.name] = self._found(
                    segment,
                    Outcome.FAIL,
                    why="; ".join(faults) + ". The states were changed after they were named.",
                    remedy="Ask the builder for the states that the chain names.",
                )
                return
            request = replay_request(self._artefacts, self._training, segment, teacher=teacher)
            self._replays.append((segment, request, replayer.replay(request)))
        except DokjaError as error:
            self._early[segment.name] = self._found(
                segment,
                Outcome.UNDECIDED,
                why=f"not replayed by {replayer.name}: {reason_of(error)}",
                remedy="Bring the states and data, or an engine that can do this training.",
            )

    def _floor(self, replayer: Replayer) -> NoiseFloor | str:
        if not self._replays:
            return "no segment was replayed"
        names = sorted(self._replays[0][1].job.structure.shapes())
        try:
            return noise_floor(self._replays, replayer=replayer, engine=self._engine, names=names)
        except DokjaError as error:
            return reason_of(error)

    def _floor_finding(self, floor: NoiseFloor | str) -> Finding:
        component, title = self._training.component.id, "noise floor"
        if isinstance(floor, str):
            return Finding(
                check="V3.2",
                title=title,
                outcome=Outcome.UNDECIDED,
                component=component,
                why=f"not measured: {floor}",
            )
        enough = floor.segments >= LEAST_SEGMENTS
        rests = f"{floor.segments} segments replayed twice, with {floor.changes}"
        return Finding(
            check="V3.2",
            title=title,
            outcome=Outcome.PASS if enough else Outcome.UNDECIDED,
            component=component,
            value=floor.total,
            threshold=floor.threshold,
            power=f"e above {floor.threshold:.1e} in all, {floor.tensor_threshold:.1e} in a tensor",
            why=f"{rests}: e {floor.total:.1e} in all, {floor.worst:.1e} in the worst tensor",
            remedy="" if enough else f"Replay at least {LEAST_SEGMENTS} segments of the training.",
        )

    def _compared(
        self, segment: Segment, replayed: Replayed, *, floor: NoiseFloor | str
    ) -> Finding:
        known = NoiseFloor(samples=()) if isinstance(floor, str) else floor
        try:
            apart = distance_to_claim(self._artefacts, segment, replayed)
        except (DokjaError, ValueError) as error:
            why = reason_of(error) if isinstance(error, DokjaError) else str(error)
            return self._found(segment, Outcome.UNDECIDED, why=why)
        job = self._training.job
        precision = "fp32" if job is None else job.precision
        run = run_environment(self._folder, step=segment.before.step)
        shown = verdict(
            apart,
            known,
            precision=precision,
            same_precision=replayed.environment.get("precision", "fp32") == precision,
            kernels=not other_kernels(run, replayed.environment),
        )
        loss = loss_difference(self._log(), segment, replayed)
        why = f"{_told(apart, shown, loss)}, replayed with {replayed.engine} by the "
        outcome = _OUTCOMES[shown]
        # The total may be quiet where one tensor is not: the value is what broke its threshold.
        hidden = apart.total <= known.threshold and outcome is Outcome.FAIL
        return self._found(
            segment,
            outcome,
            value=apart.worst if hidden else apart.total,
            threshold=known.tensor_threshold if hidden else known.threshold,
            power=f"weights off by {known.threshold:.1e} of the segment's way, as by a learning "
            f"rate off by as much of itself; {known.tensor_threshold:.1e} in a tensor's own",
            why=why + self._settings.place.value,
            remedy=_REMEDIES.get(outcome, ""),
        )

    def _found(
        self,
        segment: Segment,
        outcome: Outcome,
        *,
        why: str,
        remedy: str = "",
        value: float | None = None,
        threshold: float | None = None,
        power: str = "",
    ) -> Finding:
        return Finding(
            check=f"V3.3.{segment.name}",
            title=f"replay of steps {segment.name}",
            outcome=outcome,
            component=segment.component,
            value=value,
            threshold=threshold,
            power=power,
            why=why,
            remedy=remedy,
        )

    @property
    def _folder(self) -> Path:
        return (self._artefacts.folder or Path()) / self._training.folder

    def _log(self) -> StepLog | None:
        try:
            return self._artefacts.log(self._training)
        except LogError:
            return None


def _told(apart: Distance, shown: Verdict, loss: float | None) -> str:
    """Return what a replay came to, in words."""
    said = [f"{shown.value}: {apart.equal} of {apart.tensors} tensors equal, e {apart.total:.1e}"]
    if apart.worst_tensor:
        said.append(f"worst in {apart.worst_tensor} with {apart.worst:.1e}")
    if loss is not None:
        said.append(f"losses differ by at most {loss:.1e} nats")
    return ", ".join(said)
