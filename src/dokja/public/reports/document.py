"""The decision document as the dossier reads it.

A decision may have been made elsewhere, by another release: keys that this release does not know
are passed over, keys that it needs are asked for all at once. Nothing here judges, and nothing
is filled in: what is `None` here was null there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError

from dokja.errors import DecisionFileError, Mistake
from dokja.public.reports.targets import Source, Target
from dokja.public.reports.terms import (
    CountRange,
    Measure,
    Measured,
    MissingMeasure,
    Range,
    Read,
    Reason,
    Ruling,
    Text,
    Verdict,
)
from dokja.values import Json, canonical_bytes

__all__ = [
    "Aggregate",
    "ComponentGrade",
    "Decision",
    "EntryLine",
    "Grade",
    "Loss",
    "Measure",
    "MissingMeasure",
    "MissingScore",
    "Part",
    "Published",
    "Reason",
    "Ruling",
    "Score",
    "Source",
    "Team",
    "Text",
    "Verdict",
    "read_decision",
    "sources_of",
]

SCHEMA = "dokja.decision/1"


class Software(Read):
    """What computed the decision."""

    name: str
    version: str


class Programme(Read):
    """The programme."""

    id: str
    title: Text
    invented: bool


class Rulebook(Read):
    """The version of the rulebook that made the decision."""

    id: str
    version: str
    digest: str
    title: Text
    supersedes: str | None = None
    in_force: str


class LedgerHead(Read):
    """The state of the ledger that was judged."""

    origin: str
    size: int
    root: str


class Stage(Read):
    """The stage that was judged."""

    id: str
    title: Text
    kind: str
    planned_advance: int | None = None
    cut_among: str | None = None
    after: str | None = None
    opens: str | None = None
    closes: str | None = None
    decided: str | None = None
    ties: Any = None
    vacancy: Any = None
    frontier: Target | None = None
    sources: tuple[Source, ...] = ()


class Part(Read):
    """A part of the stage's score sheet."""

    id: str
    title: Text
    points: float
    parent: str | None = None
    scale: str | None = None
    sources: tuple[Source, ...] = ()


class Gate(Read):
    """A gate of the stage."""

    id: str
    title: Text
    question: Text | None = None
    minimum_grade: str | None = None
    rests_on: str | None = None
    authority: str | None = None
    sources: tuple[Source, ...] = ()


class Score(Read):
    """A team's score in one part."""

    part: str
    points: float
    score: Measured
    rulebook: str | None = None
    entries: tuple[int, ...] = ()
    invented: bool = False
    method: str | None = None


class RankSet(Read):
    """The ranks that a team may hold."""

    best: int
    worst: int
    level: float | None = None
    basis: str


class Grades(Read):
    """The lowest and the highest grade that the evidence leaves open."""

    low: str
    high: str


class ComponentGrade(Read):
    """Declared and found of one component."""

    component: str
    role: str
    parameter_share: float | None = None
    weight_bearing: bool = True
    declared: str | None = None
    origin: str | None = None
    base: str | None = None
    found: Grades | None = None
    status: str
    reasons: tuple[Reason, ...] = ()
    findings: tuple[int, ...] = ()


class Use(Read):
    """Whether a model may be used for something."""

    use: str
    title: Text
    minimum: str
    better: str | None = None
    verdict: Verdict


class Grade(Read):
    """Declared and found of one model."""

    model: str
    declared: str | None = None
    found: Grades | None = None
    difference: str
    components: tuple[ComponentGrade, ...] = ()
    uses: tuple[Use, ...] = ()


class Probability(Read):
    """How probable it is that the team advances, and that it is lowest."""

    advance: Range
    lowest: Range | None = None
    monte_carlo_error: float | None = None
    basis: str


class Team(Read):
    """Everything that was found about one team; no total and no ranks where a vote decides."""

    team: str
    name: Text
    models: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    total: Measured | None = None
    rank_set: RankSet | None = None
    gates: tuple[Ruling, ...] = ()
    grades: tuple[Grade, ...] = ()
    frontier: Ruling | None = None
    advances: Ruling
    probability: Probability | None = None
    probability_missing: Reason | None = None


class Aggregate(Read):
    """A figure over several teams, as it was published."""

    part: str
    statistic: str
    score: Measured
    teams: int | None = None
    held_by: tuple[str, ...] = ()
    agrees: Verdict
    entries: tuple[int, ...] = ()


class Loss(Read):
    """A team that does not go on, and on which ground."""

    team: str
    ground: str
    gate: str | None = None


class Next(Read):
    """What follows a vacancy."""

    rule: str
    stage: str | None = None


class Outcome(Read):
    """The decision."""

    verdict: Literal["decided", "undecided"]
    advance: tuple[str, ...] = ()
    out: tuple[Loss, ...] = ()
    undecided: tuple[str, ...] = ()
    planned: int | None = None
    vacancies: CountRange
    next: Next | None = None


class Published(Read):
    """What the organiser published as its outcome."""

    advance: tuple[str, ...] = ()
    eliminated: tuple[Loss, ...] = ()
    agrees: Verdict
    differences: tuple[Reason, ...] = ()
    entries: tuple[int, ...] = ()
    withheld: tuple[str, ...] = ()


class MissingScore(Read):
    """Something that is not there, and what would settle it."""

    team: str
    part: str | None = None
    reason: str
    entries: tuple[int, ...] = ()
    settles: Reason | None = None


class SealedField(Read):
    """A field that stands in the ledger under a commitment."""

    entry: int | str
    field: str
    commitment: str


class Reliability(Read):
    """How probable it is that the decision is wrong."""

    p_wrong: Range | None = None
    missing: Reason | None = None
    settles: tuple[Reason, ...] = ()


class EntryLine(Read):
    """A ledger entry that the decision rests on."""

    seq: int
    id: str
    kind: str
    digest: str


class Decision(Read):
    """A decision on a stage."""

    schema_: Literal["dokja.decision/1"] = Field(alias="schema")
    software: Software
    programme: Programme
    rulebook: Rulebook
    ledger: LedgerHead
    stage: Stage
    parts: tuple[Part, ...] = ()
    gates: tuple[Gate, ...] = ()
    teams: tuple[Team, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    outcome: Outcome
    published: Published | None = None
    missing: tuple[MissingScore, ...] = ()
    sealed: tuple[SealedField, ...] = ()
    reliability: Reliability
    entries: tuple[EntryLine, ...] = ()


def sources_of(decision: Decision) -> Sequence[Source]:
    """Return every source of the stage, its parts and its gates, each once, by its tag."""
    named = [
        *decision.stage.sources,
        *(source for part in decision.parts for source in part.sources),
        *(source for gate in decision.gates for source in gate.sources),
    ]
    by_tag = {source.tag: source for source in named}
    return [by_tag[tag] for tag in sorted(by_tag)]


def read_decision(decision: Mapping[str, Json], *, file: str = "the decision") -> Decision:
    """Return the decision as typed values.

    Raises:
        DecisionFileError: Keys are missing or hold something else; every mistake at once.
    """
    try:
        return Decision.model_validate_json(canonical_bytes(decision))
    except ValidationError as error:
        raise DecisionFileError(
            [
                Mistake(
                    file=file,
                    place=".".join(str(step) for step in fault["loc"]),
                    read="nothing" if fault["type"] == "missing" else _shown(fault["input"]),
                    expected="this key" if fault["type"] == "missing" else _said(fault["msg"]),
                )
                for fault in error.errors(include_url=False, include_context=False)
            ]
        ) from error
    except ValueError as error:
        mistake = Mistake(file=file, place="", read=str(error), expected="canonical JSON values")
        raise DecisionFileError([mistake]) from error


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def _shown(read: object) -> str:
    text = repr(read)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004  # one line of a terminal
