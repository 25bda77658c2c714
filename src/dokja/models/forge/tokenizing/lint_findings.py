"""What a check of the linter answers, and what it may look at."""

from dataclasses import dataclass
from enum import Enum

from dokja.models.forge.tokenizing.opened import Subject, TokenizerFile
from dokja.values import Json

__all__ = ["Facts", "LintFinding", "LintOutcome", "fails", "holds", "undecided"]


class LintOutcome(Enum):
    """What a check found."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"  # what the check needs is not here


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """What one check found.

    Attributes:
        check: Its name, such as `digits-split`.
        outcome: Whether it holds.
        place: Where in the file it looked.
        read: What stands there.
        expected: What should; empty where it holds.
        remedy: What to do now; empty where it holds.
        advice: Whether the tokenizer works all the same.
    """

    check: str
    outcome: LintOutcome
    place: str
    read: str
    expected: str = ""
    remedy: str = ""
    advice: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "check": self.check,
            "outcome": self.outcome.value,
            "place": self.place,
            "read": self.read,
            "expected": self.expected,
            "remedy": self.remedy,
            "advice": self.advice,
        }

    def __str__(self) -> str:
        told = f"{self.check}: {self.outcome.value}; {self.place}: read {self.read}"
        wanted = f"; expected {self.expected}" if self.expected else ""
        return f"{told}{wanted}.{' ' + self.remedy if self.remedy else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the checks look at.

    Attributes:
        file: The tokenizer's files.
        rows: Rows of the model's embedding; `None` where there is no model.
        subject: The tokenizer ready to encode, or why it cannot.
        cuts: The pieces of each text of the probe, or why they cannot be told.
    """

    file: TokenizerFile
    rows: int | None
    subject: Subject | str
    cuts: tuple[tuple[str, ...], ...] | str


def holds(check: str, place: str, read: str) -> LintFinding:
    """Return that a check holds."""
    return LintFinding(check=check, outcome=LintOutcome.HOLDS, place=place, read=read)


def fails(
    check: str, place: str, *, read: str, expected: str, remedy: str, advice: bool = False
) -> LintFinding:
    """Return that a check fails."""
    return LintFinding(
        check=check,
        outcome=LintOutcome.FAILS,
        place=place,
        read=read,
        expected=expected,
        remedy=remedy,
        advice=advice,
    )


def undecided(check: str, place: str, *, read: str, expected: str, remedy: str) -> LintFinding:
    """Return that a check could not be made."""
    return LintFinding(
        check=check,
        outcome=LintOutcome.UNDECIDED,
        place=place,
        read=read,
        expected=expected,
        remedy=remedy,
    )
