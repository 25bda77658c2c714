"""What every table of a rulebook shares: strictness, names, words, dates, tags of sources."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict

from dokja.values import is_identifier

__all__ = ["Identifier", "Tags", "Terms", "Titles", "Words"]


def _identifier(text: str) -> str:
    if not is_identifier(text):
        raise ValueError("lower-case letters, digits, Hangul syllables, and . _ - inside")
    return text


def _words(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("one line of text that is not empty")
    return text


Identifier: TypeAlias = Annotated[str, AfterValidator(_identifier)]
Words: TypeAlias = Annotated[str, AfterValidator(_words)]
Tags: TypeAlias = tuple[Identifier, ...]


class Terms(BaseModel):
    """A table: frozen, strict, and closed to keys that it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Titles(Terms):
    """The same words in Korean and in English."""

    ko: Words
    en: Words
