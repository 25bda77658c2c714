"""Entries that observe: runs, ballots, sheets, scores, published figures, findings."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dokja.evidence.ledger.kinds.bodies import (
    Body,
    Day,
    Dimensionless,
    Identifier,
    Number,
    Sealed,
    Sourced,
    Words,
)

__all__ = [
    "Aggregate",
    "Ballots",
    "Claim",
    "Control",
    "Finding",
    "Interval",
    "PublishedOrder",
    "Run",
    "Score",
    "Sheet",
]

DigestText = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class Interval(Body):
    """A number with its interval."""

    value: Number
    low: Number
    high: Number
    level: Annotated[float, Field(gt=0, le=1)]
    kind: Literal["sampling", "rounding", "exact"]
    standard_error: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Interval":
        if not self.low <= self.value <= self.high:
            message = f"low ≤ value ≤ high; read {self.low}, {self.value}, {self.high}"
            raise ValueError(message)
        return self


class Score(Sourced):
    """A team's score in one part of a stage, in the part's points."""

    stage: Identifier
    team: Identifier
    part: Identifier
    rulebook: Words
    """Version of the rulebook under which it was scored."""
    score: Interval
    rests_on: dict[Words, Count] = Field(default_factory=dict)
    """How many items, clusters, votes or raters it rests on."""
    method: Words
    basis: Literal["measured", "published"]
    evidence: tuple[Words, ...] = ()
    """Ids of the entries that it was computed from."""
    invented: bool = False
    """True when what it rests on was made by a seeded script, as in the sample."""


class Aggregate(Sourced):
    """A figure over several teams that was published without naming each."""

    stage: Identifier
    part: Identifier
    statistic: Literal["mean", "best"]
    score: Interval
    teams: Count
    """Over how many teams."""
    held_by: tuple[Identifier, ...] = ()
    """For `best`: the teams that were named as holding it."""


class PublishedOrder(Sourced):
    """Groups of teams in order of points, as the organiser stated it, best first."""

    stage: Identifier
    groups: tuple[tuple[Identifier, ...], ...]
    """Order inside a group was not published."""


class Claim(Sourced):
    """A figure that a team states of itself; stored, never scored."""

    team: Identifier
    name: Words
    value: Number
    unit: Words | None = None
    reference: Words | None = None
    reference_value: Number | None = None


class Run(Sourced):
    """One model answered one benchmark."""

    stage: Identifier
    model: Identifier
    benchmark: Identifier
    items: Count
    outcomes: dict[Words, Count]
    """How many of each outcome: correct, wrong, no_answer, truncated, ..."""
    items_digest: DigestText
    """Digest of the items as they were asked."""
    records: DigestText
    """Blob of the answers, one JSON record a line."""
    records_root: DigestText
    """RFC 6962 tree over the record lines."""
    responder: Words
    """What answered: `embedded`, `recorded`, or an endpoint's address."""
    plan: DigestText | None = None
    """Digest of the plan that was frozen before the first request."""
    journal_head: DigestText | None = None
    """Head of the journal in which everything that happened is chained."""
    charges: dict[Words, Count] | None = None
    """Whose doing the outcomes are: nobody, model, host, operator, unknown."""
    epochs: Annotated[int, Field(ge=1)] | None = None
    """How often each item was asked."""


class Ballots(Sourced):
    """A batch of blind votes."""

    stage: Identifier
    count: Count
    voters: Count
    records: DigestText
    """Blob of the votes, one JSON record a line: voter, prompt, left, right, choice."""
    invented: bool = False
    maker: Words | None = None
    """Script and seed, when they were invented."""


class Sheet(Sourced):
    """One reviewer's score sheet for one team."""

    stage: Identifier
    team: Identifier
    rulebook: Words
    reviewer: Sealed | Identifier
    """Sealed until the rulebook lets reviewers' names be published."""
    scores: dict[Identifier, Number]
    """Points for each of the part's criteria."""
    invented: bool = False


class Control(Body):
    """What the same method says of a pair whose truth is known."""

    kind: Literal["derived", "independent"]
    name: Words
    value: Number
    """The effect, in the finding's own measure."""
    found: bool
    """Whether the method called it related."""


class Finding(Sourced):
    """What a component's weights are statistically consistent with, against one reference."""

    model: Identifier
    component: Identifier
    reference: Words
    """A model of the ledger by its id, or a named model outside."""
    relations: tuple[
        Literal[
            "identical",
            "requantised",
            "adapter_merged",
            "fine_tuned",
            "continually_pretrained",
            "merged",
            "depth_edited",
            "width_edited",
            "upcycled",
            "shared_initialisation",
            "no_evidence",
            "not_testable",
        ],
        ...,
    ] = Field(min_length=1)
    """Every relation that the evidence leaves open."""
    derivation: Literal["yes", "no", "cannot_tell"]
    direction: Literal["model_from_reference", "reference_from_model"] | None = None
    """Only from one-way operations, such as repeated layers, or from dated evidence."""
    measure: Words
    """Name of the effect, such as `centred_r`."""
    effect: Interval | None = None
    """Missing when nothing could be compared."""
    layer_map: tuple[tuple[int, int], ...] | None = None
    """Pairs (layer of the model, layer of the reference); missing when none was found."""
    layers_compared: Count = 0
    controls: tuple[Control, ...] = ()
    minimum_detectable: Number | None = None
    """Smallest effect that this comparison would have seen in 9 of 10 cases."""
    parameter_share: Dimensionless | None = None
    """The component's share of the model's parameters."""
    read_share: Dimensionless | None = None
    """The share of the component that was read."""
    bytes_read: Count | None = None
    facts: dict[Words, Number] = Field(default_factory=dict)
    """Facts that are no lineage, such as `tokenizer_overlap`; never part of the effect."""
    method: Words
    basis: Literal["measured", "published"]
    by: Words | None = None
    """Who published it, when it was not measured here."""
    observed: Day | None = None
