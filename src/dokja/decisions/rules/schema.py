"""The shape of a rulebook of format 1: which keys there are and what may stand in them.

These models stand at the border: they say of one value whether it has the right shape. Whether
the values fit each other (sums, dates, names that point somewhere) is told by `checking`. Every
key here is explained in `docs/reference/rulebook.md`, or a test fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Field

from dokja.decisions.rules.frontier import Frontier, Worths
from dokja.decisions.rules.terms import Identifier, Tags, Terms, Titles, Words

__all__ = [
    "FORMAT",
    "KEYS",
    "Derived",
    "Floor",
    "Frontier",
    "Gate",
    "GradeName",
    "Key",
    "Measure",
    "Objections",
    "Part",
    "Probability",
    "Records",
    "Role",
    "RulebookFile",
    "Scheme",
    "Source",
    "Stage",
    "Ties",
    "Titles",
    "Vacancy",
    "Vote",
    "Withheld",
    "Worths",
]

FORMAT = 1

GradeName: TypeAlias = Literal["T0", "T1", "T2", "T3", "T4", "T5", "T6"]
Role: TypeAlias = Literal[
    "language-body",
    "tokenizer",
    "vision-encoder",
    "audio-encoder",
    "projector",
    "adapter",
    "retrieval",
]


def _whole(number: object) -> object:
    if isinstance(number, bool | float):  # which would equal it
        raise ValueError(str(FORMAT))  # noqa: TRY004  # pydantic tells a ValueError as a mistake
    return number


Check: TypeAlias = Annotated[str, Field(pattern=r"^V[0-4]\.[1-9][0-9]?$")]


class Source(Terms):
    """Where a rule or a figure was read."""

    address: Words
    """Web address, or publisher and article number."""
    title: Words | None = None


class Probability(Terms):
    """How chance is computed: by seeded draws, so that it can be computed again."""

    draws: Annotated[int, Field(ge=1_000, le=1_000_000)]
    """How many joint draws of all totals are made."""
    seed: Annotated[int, Field(ge=0, lt=2**53)]
    """Names the draws."""
    level: Annotated[float, Field(gt=0.5, lt=1)]
    """Level of the rank sets."""


class Floor(Terms):
    """The least grade that a use asks for."""

    use: Identifier
    title: Titles
    minimum: GradeName
    better: GradeName | None = None
    sources: Tags = ()


class Derived(Terms):
    """The highest grade that a relation, once found, leaves to the component."""

    identical: GradeName
    requantised: GradeName
    adapter_merged: GradeName
    fine_tuned: GradeName
    continually_pretrained: GradeName
    merged: GradeName
    width_edited: GradeName
    upcycled: GradeName
    depth_edited: GradeName


class Records(Terms):
    """When a verified build record makes good comparisons that nobody made."""

    level: Literal["V2", "V3"]
    """To which level an examiner must have verified it; a log alone can be invented whole."""
    live_share: Annotated[float, Field(ge=0, le=1)]
    """The least share of its steps that must have been witnessed while it ran."""
    checks: Annotated[tuple[Check, ...], Field(min_length=1)] = ("V2.1", "V2.2", "V2.3")
    """Checks that must have passed, and not only not failed."""
    sources: Tags = ()


class Scheme(Terms):
    """A scheme of grades over components."""

    id: Literal["t-scale"]
    weight_bearing: Annotated[tuple[Role, ...], Field(min_length=1)]
    """Roles of which the weakest component gives the model's grade."""
    sources: Tags
    floors: tuple[Floor, ...] = ()
    derived: Derived
    records: Records | None = None
    """Without it no build record is read, and none counts."""


class Gate(Terms):
    """A condition that no points buy off."""

    title: Titles
    question: Titles
    per: Literal["component"] = "component"
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    """Components that it looks at."""
    requires: tuple[Role, ...] = ()
    """Components that every model must declare before it can pass."""
    minimum_grade: GradeName
    rests_on: Literal["findings", "rulings", "rulings-then-findings"]
    authority: Identifier | None = None
    """Whose rulings count."""
    controls: Literal["required", "shown"] = "required"
    detectable_at_most: Annotated[float, Field(gt=0)] | None = None
    against: Literal["all-submitted-and-references", "as-published"] = (
        "all-submitted-and-references"
    )
    sources: Tags


class Measure(Terms):
    """How a part is measured by the programme's own observers."""

    by: Literal["runs", "ballots", "sheets"]
    benchmarks: Tags = ()
    rule: Identifier | None = None
    criteria: dict[Identifier, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)


class Part(Terms):
    """A part of a stage's points."""

    id: Identifier
    title: Titles
    points: Annotated[float, Field(gt=0, le=100)]
    scale: Literal["absolute", "to-best", "to-target", "not-published"]
    sources: Tags = ()
    parts: tuple["Part", ...] = ()
    measure: Measure | None = None


class Ties(Terms):
    """What happens to teams that are level at the cut."""

    rule: Literal["undecided", "all-advance", "part"]
    part: Identifier | None = None


class Vacancy(Terms):
    """What happens to places that stay open."""

    rule: Literal["re-entry", "leave-open", "next-in-points"]
    stage: Identifier | None = None


class Objections(Terms):
    """Until when, and on what grounds, teams may object."""

    days: Annotated[int, Field(gt=0)]
    grounds: Annotated[Tags, Field(min_length=1)]


class Withheld(Terms):
    """What the organiser does not publish."""

    fields: Annotated[Tags, Field(min_length=1)]


class Vote(Terms):
    """How reviewers choose by vote."""

    questions: Annotated[Tags, Field(min_length=1)]
    more_than: Annotated[float, Field(ge=0, lt=1)]
    places: Annotated[int, Field(ge=1)]
    may_choose_none: bool


class Stage(Terms):
    """A stage of the programme."""

    title: Titles
    kind: Literal["points", "selection", "vote"]
    after: Identifier | None = None
    opens: date | None = None
    closes: date | None = None
    decided: date | None = None
    planned_advance: Annotated[int, Field(ge=1)] | None = None
    cut_among: Literal["entrants", "gate-passers"] = "entrants"
    gates: Tags = ()
    accepts: tuple[Words, ...] = ()
    sources: Tags
    parts: tuple[Part, ...] = ()
    ties: Ties = Ties(rule="undecided")
    vacancy: Vacancy | None = None
    objections: Objections | None = None
    withheld: Withheld | None = None
    vote: Vote | None = None
    frontier: Frontier | None = None


class RulebookFile(Terms):
    """A rulebook as it stands in its file."""

    format: Annotated[Literal[1], BeforeValidator(_whole)]
    id: Identifier
    version: Words
    title: Titles
    in_force: date
    supersedes: Words | None = None
    changes: Titles | None = None
    sources: dict[Identifier, Source]
    probability: Probability
    scheme: Scheme | None = None
    gates: dict[Identifier, Gate] = Field(default_factory=dict)
    conventions: dict[Identifier, Worths] = Field(default_factory=dict)
    stages: Annotated[dict[Identifier, Stage], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that a rulebook can hold.

    Attributes:
        path: Where it stands; `*` for a name of one's own, `[]` for each of a list.
        required: Whether it must be there wherever its table is.
    """

    path: str
    required: bool


def _keys(model: type[BaseModel], at: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = f"{at}{name}"
        yield Key(path=path, required=field.is_required())
        for inner, step in _models(field.annotation):
            if inner is not model:  # sub-parts are parts once more
                yield from _keys(inner, f"{path}{step}.")


def _models(kind: Any, step: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """Yield the tables that a type holds, with the step that leads into them."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind, step
    origin, inside = get_origin(kind), get_args(kind)
    if origin is tuple:
        step += "[]"
    if origin is dict:
        step, inside = f"{step}.*", inside[1:]
    for inner in inside:
        yield from _models(inner, step)


KEYS = MappingProxyType({key.path: key for key in _keys(RulebookFile, "")})
"""Every key of a rulebook, by its path."""
