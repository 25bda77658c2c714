"""What a stage will observe, as far as it can be planned before it opens.

A rulebook says how many points a part has and who goes on. How many questions there are, from how
many subjects, who reads and who votes, it often leaves open, and how far teams lie apart nobody
knows. All of that stands here as a value, so that an answer can name what it assumed. Shares are
in [0, 1] of what a part can give; standard deviations of responses are on the log-odds scale.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

__all__ = [
    "Ballots",
    "Benchmarks",
    "GeneraliseTo",
    "Observation",
    "Panel",
    "PartDesign",
    "PartScale",
    "StageDesign",
    "TieRule",
]

PartScale: TypeAlias = Literal["absolute", "to-best", "to-target"]
TieRule: TypeAlias = Literal["undecided", "all-advance", "part"]
GeneraliseTo: TypeAlias = Literal["blueprint", "new-clusters", "new-benchmarks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmarks:
    """Several benchmarks of equal weight, each of items that come in subjects of unequal size.

    The log-odds of team m on item i of subject g is θ_m - b_i + c_g + d_mg + e_mi: the team's
    ability, the item's difficulty, what the subject does to all, what it does to this team, and
    what the item does to this team. Epochs are independent answers to the same item.

    The spreads that stand here by default are those of 34 runs of models on three Korean
    benchmarks of 6, 11 and 45 subjects, pair by pair; a test holds them to these data.

    Attributes:
        benchmarks: How many.
        items: In each.
        subjects: In each; items of a subject hang together.
        size_cv: Coefficient of variation of the subjects' sizes.
        epochs: Answers to each item.
        difficulty_sd: Of b.
        subject_sd: Of c.
        team_subject_sd: Of d.
        team_item_sd: Of e.
        team_benchmark_sd: How far a team's share of a benchmark lies from its share of all that
            could have been chosen; read where another stage would choose other benchmarks.
        faults: Share of responses that are lost and count as wrong.
        fault_batch: How many responses a fault takes at once.
        references: Reference models on the same items; read where the scale is `to-target`.
        reference_level: True share of the best of them.
        reference_step: How far each reference lies below the next better one.
    """

    benchmarks: int = 1
    items: int = 500
    subjects: int = 10
    size_cv: float = 0.5
    epochs: int = 1
    difficulty_sd: float = 3.0
    subject_sd: float = 1.2
    team_subject_sd: float = 0.35
    team_item_sd: float = 1.0
    team_benchmark_sd: float = 0.04
    faults: float = 0.0
    fault_batch: int = 20
    references: int = 3
    reference_level: float = 0.8
    reference_step: float = 0.01

    def __post_init__(self) -> None:
        whole = (self.benchmarks, self.items, self.subjects, self.epochs, self.fault_batch)
        spreads = (
            self.size_cv,
            self.difficulty_sd,
            self.subject_sd,
            self.team_subject_sd,
            self.team_item_sd,
            self.team_benchmark_sd,
            self.reference_step,
        )
        _refuse_below(1, (*whole, self.references))
        _refuse_below(0, spreads)
        if self.subjects > self.items:
            raise ValueError(f"{self.items} items cannot come from {self.subjects} subjects")
        if not (0 <= self.faults < 1 and 0 < self.reference_level < 1):
            raise ValueError("shares of faults and of a reference lie between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """People who mark teams on a sheet.

    A mark is the team's worth plus the rater's severity plus what neither explains, all as shares
    of the sheet. Severity cancels between teams that the same people read.

    Attributes:
        raters: How many.
        severity_sd: Between raters.
        residual_sd: Of one rater about one team.
        teams_each: How many teams each rater reads; none when each reads all.
    """

    raters: int = 10
    severity_sd: float = 0.08
    residual_sd: float = 0.1
    teams_each: int | None = None

    def __post_init__(self) -> None:
        _refuse_below(1, (self.raters, self.teams_each or 1))
        _refuse_below(0, (self.severity_sd, self.residual_sd))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballots:
    """People who choose between the answers of two teams whose names they do not see.

    Attributes:
        voters: How many.
        votes_each: Votes of each, spread evenly over all pairs.
        taste_sd: How far a voter's own liking of a team lies from everybody's, in log-odds.
    """

    voters: int = 50
    votes_each: int = 10
    taste_sd: float = 0.5

    def __post_init__(self) -> None:
        _refuse_below(1, (self.voters, self.votes_each))
        _refuse_below(0, (self.taste_sd,))


Observation: TypeAlias = Benchmarks | Panel | Ballots


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDesign:
    """A part of the points, and how it will be observed.

    Attributes:
        part: The part's id.
        points: What can be had.
        scale: What earns all of them.
        seen_by: How it is observed.
        level: True share of a middling team; for ballots it is one half whatever stands here.
        spread: Standard deviation of the true share between teams; for ballots that of the true
            strength, in log-odds.
    """

    part: str
    points: float
    scale: PartScale
    seen_by: Observation
    level: float = 0.75
    spread: float = 0.07

    def __post_init__(self) -> None:
        if self.points <= 0:
            raise ValueError(f"{self.part} has {self.points} points")
        if not 0 < self.level < 1 or self.spread <= 0:
            raise ValueError(f"{self.part} needs a level in (0, 1) and a spread above 0")
        if self.scale == "to-target" and not isinstance(self.seen_by, Benchmarks):
            raise ValueError(f"{self.part}: only benchmarks have a target on the same items")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDesign:
    """A stage: who enters, how many go on, and what the points come from.

    Attributes:
        teams: How many enter.
        places: How many go on.
        parts: The smallest parts; their points add up to the total.
        ties: What happens to teams that are level at the cut.
        tie_parts: The parts whose points break ties, where the rule is `part`.
        level_within: Teams this close to the cut count as level, in points; 0 for equal points.
        decimals: To how many the total is rounded before the cut; none for as it is.
        agreement: Correlation of a team's true standing between parts, in [0, 1].
        generalise_to: What another stage would draw anew: items of the same subjects
            (`blueprint`), other subjects (`new-clusters`), or other benchmarks too.
    """

    teams: int
    places: int
    parts: tuple[PartDesign, ...]
    ties: TieRule = "undecided"
    tie_parts: tuple[str, ...] = ()
    level_within: float = 0.0
    decimals: int | None = None
    agreement: float = 0.5
    generalise_to: GeneraliseTo = "new-clusters"

    def __post_init__(self) -> None:
        named = [part.part for part in self.parts]
        if not 1 <= self.places < self.teams:
            raise ValueError(f"{self.places} of {self.teams} teams go on: there is nothing to cut")
        if not named or len(set(named)) < len(named):
            raise ValueError("a stage needs parts, each once")
        if (self.ties == "part") != bool(self.tie_parts) or set(self.tie_parts) - set(named):
            raise ValueError(f"ties ({self.ties}) cannot be broken by {self.tie_parts}")
        if self.generalise_to not in get_args(GeneraliseTo):
            known = ", ".join(get_args(GeneraliseTo))
            raise ValueError(f"generalise_to is {self.generalise_to!r}, not one of {known}")
        if not 0 <= self.agreement <= 1 or self.level_within < 0:
            raise ValueError("agreement lies in [0, 1], and a margin is at least 0")

    @property
    def points(self) -> float:
        """Points in all."""
        return sum(part.points for part in self.parts)


def _refuse_below(least: int, numbers: Iterable[float]) -> None:
    if any(number < least for number in numbers):
        raise ValueError(f"each of {tuple(numbers)} must be at least {least}")
