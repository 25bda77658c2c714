"""What a decision document says again and again: texts, reasons, rulings, numbers.

Keys that this release does not know are passed over, so that a document of the next release can
be read; what is `None` here was null there.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

__all__ = [
    "CountRange",
    "Measure",
    "Measured",
    "MissingMeasure",
    "Range",
    "Read",
    "Reason",
    "Ruling",
    "Text",
    "Verdict",
]

Verdict: TypeAlias = Literal["holds", "fails", "undecided"]
"""The three answers of a rule."""


class Read(BaseModel):
    """Something read from a document."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Text(Read):
    """The same words in both languages."""

    ko: str
    en: str


class Reason(Read):
    """A reason before it is put into words."""

    code: str
    params: dict[str, Any] = Field(default_factory=dict)
    entries: tuple[int, ...] = ()


class Ruling(Read):
    """What a rule answered, why, and what the answer is made of."""

    rule: str
    subject: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    parts: tuple["Ruling", ...] = ()


class Measure(Read):
    """A number with its interval and what it rests on."""

    value: float
    low: float
    high: float
    level: float
    kind: str
    standard_error: float | None = None
    rests_on: tuple[tuple[str, int], ...] = ()
    method: str = ""


class MissingMeasure(Read):
    """A number that is not there."""

    missing: str
    what: tuple[str, ...] = ()


def _measured_or_missing(read: object) -> str:
    return "missing" if isinstance(read, Mapping) and "missing" in read else "measured"


Measured: TypeAlias = Annotated[
    Annotated[Measure, Tag("measured")] | Annotated[MissingMeasure, Tag("missing")],
    Discriminator(_measured_or_missing),
]


class Range(Read):
    """A share of which only bounds are known, or a share (both ends alike)."""

    low: float
    high: float


class CountRange(Read):
    """A count of which only bounds are known, or a count."""

    low: int
    high: int
