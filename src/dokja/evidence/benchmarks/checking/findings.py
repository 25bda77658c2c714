"""What was asked of runs, and what each question came to: found, nothing found, or cannot tell.

A finding says what is seen, how often it would be seen by chance, and what would have been seen.
It never says why: a misrouted address, a renamed model and a new version look the same from here,
and nobody is accused of any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from dokja.values import Json, Measured

__all__ = ["ENOUGH", "Check", "CheckReport", "Question", "Says", "Topic"]

ENOUGH = 0.8
"""The chance of being seen from which on "nothing found" is said instead of "cannot tell"."""


class Topic(Enum):
    """What can be asked of runs."""

    IDENTITY = "identity"
    """Whether endpoints answer as themselves: needs earlier runs."""
    DRIFT = "drift"
    """What moved since earlier runs."""
    ROUNDS = "rounds"
    """Whether an endpoint changed within its run."""
    KEYS = "keys"
    """Whether the items' keys fit the answers."""


class Question(Enum):
    """One question of a topic."""

    LIKE_ANOTHER = "like-another"
    """Whether an endpoint answers as another did before."""
    TOKENS = "tokens"
    """Whether it counts the tokens of the same prompts as before."""
    NAME = "name"
    """Whether it gives its model the name that it gave before."""
    FRONTIER = "frontier-moved"
    RULER = "ruler-moved"
    ENDPOINT = "endpoint-changed"
    WITHIN = "changed-within-run"
    KEYS = "key-errors"

    @property
    def topic(self) -> Topic:
        """The topic that it belongs to."""
        match self:
            case Question.LIKE_ANOTHER | Question.TOKENS | Question.NAME:
                return Topic.IDENTITY
            case Question.FRONTIER | Question.RULER | Question.ENDPOINT:
                return Topic.DRIFT
            case Question.WITHIN:
                return Topic.ROUNDS
            case Question.KEYS:
                return Topic.KEYS


class Says(Enum):
    """What a question came to."""

    FOUND = "found"
    NOTHING = "nothing"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about some systems or items, and what it came to.

    Attributes:
        question: What was asked.
        about: Which systems; for keys which items.
        says: What it came to.
        words: The same in a sentence, with its counts.
        adjusted: p-value, held over all tests of its kind; None where there is no test.
        level: At which it was held; None where there is no test.
        change: How much changed, with its interval; None where the question has no amount.
        power: Chance that what was asked for would have been seen, in [0, 1]; None if unknown.
        smallest: The smallest change that would have been seen with power .8; None if unknown.
        facts: Counts and names that the words rest on.
    """

    question: Question
    about: tuple[str, ...]
    says: Says
    words: str
    adjusted: float | None = None
    level: float | None = None
    change: Measured | None = None
    power: float | None = None
    smallest: float | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """All that was asked.

    Attributes:
        suite: Names the items.
        systems: Whose answers were looked at.
        before: Which of them were looked at in earlier runs too, and those only there.
        items: How many items were looked at.
        checks: Every question with what it came to.
        repeats: How often a system gives the same answer again within a run.
        not_asked: Topics that were not asked, and what they need.
        notes: What whoever reads the findings must know besides.
        evidence: Digests of everything that was read.
    """

    suite: str
    systems: tuple[str, ...]
    before: tuple[str, ...]
    items: int
    checks: tuple[Check, ...]
    repeats: Measured | None = None
    not_asked: Mapping[Topic, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def says(self) -> Says:
        """Found if anything was; else cannot tell if anything cannot be told."""
        said = {check.says for check in self.checks}
        for each in (Says.FOUND, Says.CANNOT_TELL):
            if each in said:
                return each
        return Says.NOTHING if said else Says.CANNOT_TELL

    def found(self, question: Question) -> tuple[Check, ...]:
        """Return what was found to a question."""
        return tuple(
            each for each in self.checks if each.question is question and each.says is Says.FOUND
        )
