"""What teams, parts, gates, stages and models are called, by their identifiers.

What has no name in the record keeps its identifier: nothing is guessed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from dokja.public.reports.document import Decision, Text

__all__ = ["Language", "Names", "language", "local"]

Language: TypeAlias = Literal["ko", "en"]


def language(written: str) -> Language:
    """Return the language of that code.

    Raises:
        ValueError: It is neither `ko` nor `en`.
    """
    if written == "ko":
        return "ko"
    if written == "en":
        return "en"
    message = f"no wording for the language {written!r}; there are ko and en"
    raise ValueError(message)


def local(text: Text, lang: Language) -> str:
    """Return the text in the language."""
    return text.ko if lang == "ko" else text.en


_TOTAL = Text(ko="총점", en="total")
"""The sum of all parts, where one is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names by identifier, one table for each sort of thing.

    Attributes:
        tables: Sort of thing (`team`, `part`, `gate`, `stage`, `model`, `use`) → identifier → name.
    """

    tables: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)

    @classmethod
    def of(cls, decision: Decision, *, models: Iterable[tuple[str, str]] = ()) -> "Names":
        """Return the names that a decision gives, and those of the models from the ledger.

        Args:
            decision: The decision.
            models: Identifier and name of each model.
        """
        uses = [use for team in decision.teams for grade in team.grades for use in grade.uses]
        return cls(
            tables={
                "team": {team.team: team.name for team in decision.teams},
                "part": {"total": _TOTAL} | {part.id: part.title for part in decision.parts},
                "gate": {gate.id: gate.title for gate in decision.gates},
                "stage": {decision.stage.id: decision.stage.title},
                "model": {model: Text(ko=name, en=name) for model, name in models},
                "use": {use.use: use.title for use in uses},
            }
        )

    def of_one(self, sort: str, identifier: str, *, lang: Language) -> str:
        """Return the name of one thing, or its identifier where it has none."""
        name = self.tables.get(sort, {}).get(identifier)
        return identifier if name is None else local(name, lang)
