"""Entries that say what was measured of a model beside the frontier.

A `reach` is frozen values: whatever a comparison of outcomes came to, with its intervals under
every convention, so that a judge who has the rulebook and the ledger needs no arrays. The runs
that it was computed from are named by their entries, and can be compared again.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dokja.evidence.ledger.kinds.bodies import Body, Dimensionless, Identifier, Sourced, Words

__all__ = ["Bounds", "DataFlag", "Fragility", "Multiverse", "Reach", "Standard", "Under"]

DigestText = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Decimal = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
"""A decimal of fixed precision as text: the same bytes everywhere."""

Reasons = Literal[
    "interval",
    "faults",
    "few_clusters",
    "domain_shrunk",
    "not_paired",
    "identity",
    "scorer_unproven",
    "frontier_incomplete",
    "no_items",
    "not_declared",
]


class Bounds(Body):
    """The least and the greatest that a figure can be."""

    low: Decimal
    high: Decimal

    @model_validator(mode="after")
    def _ordered(self) -> "Bounds":
        if float(self.low) > float(self.high):
            message = f"low ≤ high; read {self.low}, {self.high}"
            raise ValueError(message)
        return self


class Standard(Body):
    """The same contrast by one error: of items, of items inside strata, or of clusters."""

    by: Literal["items", "strata", "clusters"]
    delta: Decimal
    """Candidate less the required share of the reference, as a share of right answers."""
    error: Decimal
    units: Count
    """How many items or clusters the error rests on."""
    p_reaches: Decimal
    """Confidence that the ratio is at least the required one."""
    ratio: Bounds | None = None
    """Fieller's 95 % interval; missing where it has no ends."""


class Under(Body):
    """The ratio by another convention."""

    convention: Identifier
    ratio: Decimal


class Fragility(Body):
    """The fewest items whose removal turns the point verdict."""

    items: Count
    share: Decimal


class Multiverse(Body):
    """How many of all readings of the same record come to each verdict. It decides nothing."""

    clears: Count
    does_not_clear: Count
    undecided: Count


class DataFlag(Body):
    """Something about the data that whoever reads the verdict must know."""

    flag: Identifier
    count: Count


class Reach(Sourced):
    """Whether a model reaches the required share of the frontier on a declared domain."""

    stage: Identifier
    team: Identifier
    model: Identifier
    rulebook: Words
    """Version of the rulebook that registered target, convention and error rates."""
    references: tuple[Identifier, ...] = Field(min_length=1)
    strictest: Identifier | None = None
    """The reference that the verdict turned on."""
    required: Decimal
    benchmarks: tuple[Identifier, ...] = Field(min_length=1)
    items: Count
    open: Count = 0
    """Cells that are open and could move the verdict."""
    dropped: Dimensionless = 0.0
    """The share of the domain's weight that the convention dropped."""
    convention: Identifier
    generalise_to: Literal["blueprint", "new-clusters", "blueprint-new-clusters", "new-benchmarks"]
    decisive: Words
    """The test that decides, such as `cluster-t`."""
    ratio: Decimal | None = None
    """Missing where no ratio could be formed."""
    standards: tuple[Standard, ...] = ()
    bounds: Bounds | None = None
    """The ratio when all open cells go against the model, and when all go for it."""
    conventions: tuple[Under, ...] = ()
    fragility: Fragility | None = None
    multiverse: Multiverse | None = None
    flags: tuple[DataFlag, ...] = ()
    verdict: Literal["clears", "does_not_clear", "undecided"]
    reasons: tuple[Reasons, ...] = ()
    """Why it is undecided; none otherwise."""
    settles_items: Count | None = None
    """How many items in all would settle it at the estimate."""
    settles_reask: Count | None = None
    """How many open samples must be asked again."""
    document: DigestText
    """Blob: the whole comparison, `dokja.compare/1`."""
    evidence: tuple[Words, ...] = ()
    """Ids of the runs' entries that it was computed from."""
    invented: bool = False
    """True when what it rests on was made by a seeded script, as in the sample."""

    @model_validator(mode="after")
    def _says_why(self) -> "Reach":
        if (self.verdict == "undecided") != bool(self.reasons):
            message = "reasons where the verdict is undecided, and only there"
            raise ValueError(message)
        if self.verdict != "undecided" and not self.standards:
            message = "the contrasts that the verdict rests on"
            raise ValueError(message)
        return self
