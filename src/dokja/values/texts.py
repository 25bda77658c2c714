"""What is said to people: text in Korean and English, and reasons that are worded later."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dokja.values.canonical import Json

__all__ = ["Reason", "Text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The same words in Korean and in English."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something was ruled as it was, before it is put into words.

    Attributes:
        code: A key of the wording tables of `public.reports`, such as `part-missing`.
        params: What the words are filled with; JSON values only.
        entries: Sequence numbers of the ledger entries that it rests on.
    """

    code: str
    params: Mapping[str, Json] = field(default_factory=dict)
    entries: tuple[int, ...] = ()
