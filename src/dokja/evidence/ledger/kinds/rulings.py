"""Entries about disputes, rulings of the authority, published outcomes, corrections, unsealing."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dokja.evidence.ledger.kinds.bodies import (
    Body,
    Identifier,
    LocalText,
    Number,
    Sourced,
    Words,
)

__all__ = [
    "Correction",
    "Dispute",
    "Eliminated",
    "Figure",
    "Outcome",
    "ReviewVote",
    "Ruling",
    "Unseal",
]

Count = Annotated[int, Field(ge=0)]


class Ruling(Sourced):
    """An authority rules on a gate."""

    stage: Identifier
    gate: Identifier
    team: Identifier
    model: Identifier | None = None
    component: Identifier | None = None
    verdict: Literal["holds", "fails"]
    authority: Identifier
    """Who ruled; the rulebook says whose rulings a gate rests on."""
    grounds: LocalText


class Figure(Body):
    """A named number of a dispute."""

    name: Words
    value: Number
    unit: Words | None = None


class Dispute(Sourced):
    """A step of a public dispute about where a model comes from."""

    dispute: Identifier
    step: Literal["raised", "answered", "withdrawn", "settled", "remaining"]
    team: Identifier
    model: Identifier | None = None
    component: Identifier | None = None
    reference: Words | None = None
    by: Words
    """The organisation or community that took the step; never a private person."""
    statement: LocalText
    figures: tuple[Figure, ...] = ()


class Eliminated(Body):
    """A team that does not go on, and why, as it was published."""

    team: Identifier
    ground: Literal["points", "gate"]
    gate: Identifier | None = None


class Outcome(Sourced):
    """A stage's result as the organiser published it; compared with, never judged from."""

    stage: Identifier
    from_count: Count
    to_count: Count
    planned: Count | None = None
    advance: tuple[Identifier, ...] = ()
    eliminated: tuple[Eliminated, ...] = ()
    withheld: tuple[Identifier, ...] = ()
    """What was not published: `ranks`, `scores`, `reviewers`."""


class ReviewVote(Sourced):
    """How the reviewers voted on an applicant's entry."""

    stage: Identifier
    team: Identifier
    question: Identifier
    """Which question of the rulebook they answered."""
    reviewers: Annotated[int, Field(ge=1)] | None = None
    """Missing when it was not published."""
    in_favour: Count | None = None
    statement: LocalText | None = None


class Correction(Body):
    """Corrects an earlier entry; that entry stays where it is."""

    corrects: Words
    """Id of the entry."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """Its leaf digest."""
    reason: LocalText
    body: dict[str, Any] | None = None
    """What it should have said; null takes it back."""


class Unseal(Body):
    """Opens a sealed field."""

    entry: Words
    """Id of the entry that holds the commitment."""
    field: Words
    value: Any
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32,128}$")]
