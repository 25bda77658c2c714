"""What each outcome is worth: declared data, never code.

A convention gives every outcome a value in [0, 1], or says that the cell is dropped, or open (not
known, and not the model's doing), or by charge (0 where the model is charged with it, else open).
One record has many views; the one that a rulebook registered decides, the others stand beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from dokja.errors import Mistake
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.values import Json, shown

__all__ = ["CONVENTIONS", "Convention", "Worth", "read_convention"]

Keyword: TypeAlias = Literal["drop", "open", "by-charge"]
Worth: TypeAlias = float | Keyword

_FIXED: Mapping[Outcome, Worth] = MappingProxyType({Outcome.VOID: "drop", Outcome.NOT_RUN: "open"})
_DECLARED = tuple(each for each in Outcome if each not in _FIXED and each is not Outcome.SCORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """A convention.

    Attributes:
        name: As results name it.
        worth: What every outcome but `scored` is worth; `scored` takes its score, `void` is always
            dropped and `not_run` is always open.
    """

    name: str
    worth: Mapping[Outcome, Worth]

    def with_open(self, outcomes: frozenset[Outcome]) -> "Convention":
        """Return the same convention with these outcomes open, as a rulebook lists them."""
        worth: dict[Outcome, Worth] = {
            each: "open" if each in outcomes and each is not Outcome.VOID else value
            for each, value in self.worth.items()
        }
        return Convention(name=self.name, worth=MappingProxyType(worth))


def read_convention(
    name: str, said: Mapping[str, Json], *, file: str
) -> tuple[Convention | None, tuple[Mistake, ...]]:
    """Return the convention of a table, or every mistake in it.

    Args:
        name: Names it.
        said: Outcome to a number in [0, 1], `drop`, `open` or `by-charge`; every outcome that has
            no fixed meaning must be there.
        file: Where it was read, for the mistakes.

    Example:
        >>> convention, _ = read_convention("mine", {"correct": 1}, file="rulebook.toml")
        >>> convention is None
        True
    """
    mistakes: list[Mistake] = []
    known = {each.value: each for each in _DECLARED}
    for key in sorted(said.keys() - known.keys()):
        expected = "one of " + ", ".join(known)
        mistakes.append(
            Mistake(file=file, place=f"convention.{name}.{key}", read="this key", expected=expected)
        )
    worth: dict[Outcome, Worth] = dict(_FIXED)
    for key, outcome in known.items():
        value = said.get(key)
        found = _worth(value)
        if found is None:
            read = "nothing" if key not in said else shown(repr(value))
            expected = "a number in [0, 1], 'drop', 'open' or 'by-charge'"
            place = f"convention.{name}.{key}"
            mistakes.append(Mistake(file=file, place=place, read=read, expected=expected))
        else:
            worth[outcome] = found
    if mistakes:
        return None, tuple(mistakes)
    return Convention(name=name, worth=MappingProxyType(worth)), ()


def _worth(value: Json) -> Worth | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float) and 0 <= value <= 1:
        return float(value)
    return next((each for each in get_args(Keyword) if each == value), None)


def _built_in(name: str, **worth: Worth) -> Convention:
    named = {Outcome(key): value for key, value in worth.items()}
    return Convention(name=name, worth=MappingProxyType({**_FIXED, **named}))


CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        each.name: each
        for each in (
            _built_in(
                "strict",
                correct=1.0,
                wrong=0.0,
                no_answer=0.0,
                truncated=0.0,
                refused=0.0,
                filtered=0.0,
                infrastructure_error=0.0,
                missing="drop",
            ),
            _built_in(
                "valid_only",
                correct=1.0,
                wrong=0.0,
                no_answer="drop",
                truncated="drop",
                refused="drop",
                filtered="drop",
                infrastructure_error="drop",
                missing="drop",
            ),
            _built_in(
                "as_published_hsr87",  # found by replay: design/measurement 7.1
                correct=1.0,
                wrong=0.0,
                no_answer=0.0,
                truncated=0.0,
                refused=0.0,
                filtered=0.0,
                infrastructure_error="drop",
                missing="drop",
            ),
            _built_in(
                "bounds",
                correct=1.0,
                wrong=0.0,
                no_answer="by-charge",
                truncated="by-charge",
                refused=0.0,
                filtered="open",
                infrastructure_error="open",
                missing="open",
            ),
        )
    }
)
"""The conventions that need no declaring; `strict` is a stage's default."""
