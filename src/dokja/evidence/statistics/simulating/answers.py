"""What a simulation answers, as values."""

from dataclasses import dataclass

from dokja.evidence.statistics.simulating.cuts import Outcome
from dokja.evidence.statistics.simulating.designs import StageDesign
from dokja.evidence.statistics.simulating.doubts import Doubt
from dokja.evidence.statistics.simulating.levers import Lever

__all__ = [
    "AtGap",
    "DoubtEffect",
    "Halving",
    "LeverEffect",
    "NoiseSource",
    "Simulation",
    "TeamFate",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtGap:
    """What comes of a stage in which two teams meet at the cut.

    Attributes:
        gap: How far they truly lie apart, in points.
        outcome: What came of it.
    """

    gap: float
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamFate:
    """What becomes of one team of a typical field.

    Attributes:
        place: Its true place, 1 for the best.
        points: Its true total.
        last: Probability of having the fewest points; equal points share it.
        on: Probability of going on.
        undecided: Probability of being left undecided.
        regret: Mean true points by which it is above the worst team that goes on in its place.
    """

    place: int
    points: float
    last: float
    on: float
    undecided: float
    regret: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSource:
    """How much a part adds to the error of the difference between two equal teams.

    Attributes:
        part: The part.
        sd: Standard deviation of the difference of their points in it.
        share: Of the variance of the difference of their totals, in [0, 1].
        subjects: Share of the part's variance that more items of the same subjects cannot take
            away; none where there are no subjects.
    """

    part: str
    sd: float
    share: float
    subjects: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverEffect:
    """What one lever does over random fields.

    Attributes:
        lever: The lever.
        outcome: With it alone.
        ratio: Its error over the error without it; none when that is 0.
    """

    lever: Lever
    outcome: Outcome
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtEffect:
    """What the answer would be under another assumption.

    Attributes:
        doubt: The assumption.
        outcome: Under it, over random fields.
    """

    doubt: Doubt
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving:
    """Levers that together halve the error.

    Attributes:
        levers: As few as do it.
        outcome: With all of them.
    """

    levers: tuple[Lever, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The answer.

    Attributes:
        stage: The design.
        overall: Over random fields.
        curve: By true gap, ascending.
        needed: For each asked share, the least true gap at which the error is no greater; none
            where no gap suffices.
        teams: Of a typical field, best first.
        noise: By part, in the stage's order.
        noise_sd: Of the difference between the totals of two equal teams, in points.
        levers: Of the evidence and then of the rule.
        halving: The smallest sets of evidence levers that halve the error; empty when not even
            all of them do.
        everything: With all levers of the evidence together.
        doubts: What the error over random fields would be under other assumptions.
        seed: Of the draws.
    """

    stage: StageDesign
    overall: Outcome
    curve: tuple[AtGap, ...]
    needed: tuple[tuple[float, float | None], ...]
    teams: tuple[TeamFate, ...]
    noise: tuple[NoiseSource, ...]
    noise_sd: float
    levers: tuple[LeverEffect, ...]
    halving: tuple[Halving, ...]
    everything: Outcome
    doubts: tuple[DoubtEffect, ...]
    seed: int
