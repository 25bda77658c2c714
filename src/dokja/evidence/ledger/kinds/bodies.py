"""What every kind of entry shares: strictness, names, dates, sources, numbers that can be judged.

A body says facts about organisations, models and numbers, never about private persons; a field
that must stay secret until it is published is written as a `Sealed` commitment.
"""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from dokja.values import is_identifier, normal_form

__all__ = [
    "Body",
    "Day",
    "Dimensionless",
    "GradeName",
    "Identifier",
    "LocalText",
    "Number",
    "RootText",
    "Sealed",
    "Sourced",
    "Words",
]


class Body(BaseModel):
    """A body: frozen, strict, and closed to keys that it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _identifier(text: str) -> str:
    if text != normal_form(text):
        message = (
            "an identifier in composed Hangul (NFC); this one is decomposed (NFD) and would not "
            "equal the same name typed elsewhere"
        )
        raise ValueError(message)
    if not is_identifier(text):
        message = "an identifier of lower-case letters, digits, Hangul syllables and . _ - inside"
        raise ValueError(message)
    return text


def _day(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    return value


Identifier = Annotated[str, AfterValidator(_identifier)]
"""Names a team, model, component, part, stage, gate or benchmark."""

Day = Annotated[date, BeforeValidator(_day)]
"""A calendar day, written YYYY-MM-DD."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number."""

Dimensionless = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A share or probability in [0, 1]."""

Words = Annotated[str, Field(min_length=1)]
"""Text that is not empty."""

RootText = Annotated[str, Field(pattern=r"^(dokja-tensors-v1|sha256):[0-9a-f]{64}$")]
"""Names weights by their tensors, or a component without tensors by the bytes of its file."""

GradeName = Literal["T0", "T1", "T2", "T3", "T4", "T5", "T6"]
"""A grade of the t-scale."""


class LocalText(Body):
    """The same words in Korean and in English."""

    ko: Words
    en: Words


class Sealed(Body):
    """A commitment that stands where a value stays secret."""

    sealed: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """The salted commitment; opened by an `unseal` entry."""


class Sourced(Body):
    """A body that states a fact of a day, with where it was read."""

    on: Day
    """The day of the fact, which may lie before the day of the entry."""
    sources: tuple[Words, ...] = ()
    """Addresses or titles where the fact was read. Empty: the programme's own act."""
    note: LocalText | None = None
    """What a reader should know besides."""
