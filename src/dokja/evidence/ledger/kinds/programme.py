"""Entries about who takes part, with which models, under which rules."""

from typing import Annotated, Literal

from pydantic import Field

from dokja.evidence.ledger.kinds.bodies import (
    Body,
    Day,
    Dimensionless,
    GradeName,
    Identifier,
    LocalText,
    RootText,
    Sealed,
    Sourced,
    Words,
)

__all__ = [
    "Applications",
    "Award",
    "Component",
    "DecisionAdopted",
    "Model",
    "Note",
    "Objection",
    "Programme",
    "RulebookAdopted",
    "Team",
]

Origin = Literal[
    "closed-api",
    "closed-adapted",
    "open-adapted",
    "open-frozen",
    "open-continued",
    "open-extended",
    "own-initialisation",
]
Role = Literal[
    "language-body",
    "tokenizer",
    "vision-encoder",
    "audio-encoder",
    "projector",
    "adapter",
    "retrieval",
]


class Programme(Body):
    """Opens a programme's ledger."""

    programme: Identifier
    title: LocalText
    invented: bool
    """True when teams and figures are made up, as in the sample."""
    note: LocalText | None = None


class RulebookAdopted(Body):
    """A version of the rulebook comes into force; pins its bytes."""

    rulebook: Identifier
    version: Words
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    in_force: Day


class Team(Sourced):
    """A team takes part."""

    team: Identifier
    name: LocalText
    organisations: tuple[Words, ...] = ()


class Component(Body):
    """One part of a model, as its team declares it."""

    component: Identifier
    role: Role
    origin: Origin | None = None
    """Where its values come from, as declared; missing when the team did not say."""
    base: Words | None = None
    """What it was derived from, as declared."""
    structure: Literal["own", "known", "extended"] | None = None
    """Whether its architecture is the team's own, a known one, or an extended one."""
    parameters: Annotated[int, Field(ge=0)] | None = None
    parameter_share: Dimensionless | None = None
    tensors: tuple[Words, ...] = ()
    """Prefixes of the names of its tensors in the submitted files."""
    root: RootText | None = None
    """Root of its weights as they were handed in, `dokja-tensors-v1:…`, or `sha256:…` of a file
    without tensors; a build record is about these weights only if it names the same."""


class Model(Sourced):
    """A model is declared, component by component."""

    model: Identifier
    team: Identifier
    name: Words
    stages: tuple[Identifier, ...] = ()
    """Stages for which it was submitted."""
    declared_grade: GradeName | None = None
    licence: Words | None = None
    parameters: Annotated[int, Field(ge=0)] | None = None
    folder: Words | None = None
    """Folder below `models/` that holds its files; missing when they were not handed in."""
    role: Literal["candidate", "reference"] = "candidate"
    components: tuple[Component, ...] = ()


class Applications(Sourced):
    """How many applied to a stage, and which of the programme's teams were among them."""

    stage: Identifier
    count: Annotated[int, Field(ge=0)]
    teams: tuple[Identifier, ...] = ()
    organisations: tuple[Words, ...] = ()


class Award(Sourced):
    """Resources are awarded."""

    to: tuple[Words, ...]
    """Teams or organisations."""
    resource: Words
    amount: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    unit: Words
    period: Words | None = None


class Objection(Sourced):
    """A team objects to a stage's decision."""

    stage: Identifier
    team: Identifier
    ground: Identifier
    """One of the grounds that the rulebook admits, or another."""
    statement: LocalText | Sealed


class DecisionAdopted(Body):
    """The authority adopts a decision that `dokja judge` computed."""

    stage: Identifier
    decision: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    authority: Words
    on: Day


class Note(Sourced):
    """A fact of the programme's history that no rule reads."""

    text: LocalText
