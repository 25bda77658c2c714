"""Gathers answers one by one, as a log is read, into rows that take few bytes each."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome, default_charge
from dokja.evidence.benchmarks.rows import ABSENT, Column, Rows
from dokja.evidence.benchmarks.tables import Flag

__all__ = ["Answer", "Gathering", "ReadLog"]

_TEXTS = ("item", "cause", "category", "key", "reply", "said", "content")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a log holds about one answer.

    Attributes:
        system: Who answered.
        item: What identifies the item.
        outcome: What became of it; `missing` makes no row.
        charge: Whose doing it is; None for the default.
        cause: Why there is no scored answer; None if that is not told.
        score: In [0, 1]; None if there is none.
        epoch: From 0.
        key: The right answer; None if it is not recorded.
        said: What was read out of the reply; None if it is not recorded.
        content: A digest of what was asked; None if it is not recorded.
        reply: A digest of the reply; None if it is not recorded.
        category: The item's category; None if there is none.
    """

    system: str
    item: str
    outcome: Outcome
    charge: Charge | None = None
    cause: Cause | None = None
    score: float | None = None
    epoch: int = 0
    key: str | None = None
    said: str | None = None
    content: str | None = None
    reply: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLog:
    """What was read from one or several logs.

    Attributes:
        rows: The answers.
        flags: What was noticed while reading.
        unfinished: Whether parts that were planned are not there.
    """

    rows: Rows
    flags: tuple[Flag, ...] = ()
    unfinished: bool = False


@dataclass(slots=True, kw_only=True)
class Gathering:
    """Rows in the making.

    Attributes:
        file: Where they are read.
        suite: Names the items.
    """

    file: str
    suite: str
    _systems: dict[str, int] = field(default_factory=dict)
    _names: dict[str, dict[str, int]] = field(default_factory=dict)
    _codes: dict[str, "array[int]"] = field(default_factory=dict)
    _numbers: dict[str, "array[int]"] = field(default_factory=dict)
    _scores: "array[float]" = field(default_factory=lambda: array("f"))

    def __post_init__(self) -> None:
        self._names = {name: {} for name in _TEXTS}
        self._codes = {name: array("i") for name in _TEXTS}
        self._numbers = {name: array("i") for name in ("system", "outcome", "charge", "epoch")}

    def add(self, answer: Answer) -> None:
        """Add an answer; one that is missing adds nothing but its system."""
        system = self._systems.setdefault(answer.system, len(self._systems))
        if answer.outcome is Outcome.MISSING:
            return
        charge = answer.charge or default_charge(answer.outcome, answer.cause)
        numbers = (system, answer.outcome.code, charge.code, answer.epoch)
        for column, number in zip(self._numbers.values(), numbers, strict=True):
            column.append(number)
        cause = None if answer.cause is None else answer.cause.value
        texts = (
            answer.item,
            cause,
            answer.category,
            answer.key,
            answer.reply,
            answer.said,
            answer.content,
        )
        for name, text in zip(_TEXTS, texts, strict=True):
            known = self._names[name]
            self._codes[name].append(ABSENT if text is None else known.setdefault(text, len(known)))
        self._scores.append(float("nan") if answer.score is None else answer.score)

    def rows(self) -> Rows:
        """Return what was gathered; columns in which nothing stands are left out.

        Graded scores that are all 0 or 1 are no grades: they become `correct` and `wrong`.
        """
        columns = {
            name: Column(
                names=tuple(self._names[name]), codes=np.array(self._codes[name], dtype=np.int32)
            )
            for name in _TEXTS
        }
        told: Mapping[str, Column | None] = {
            name: column if column.names else None for name, column in columns.items()
        }
        numbers = {name: np.array(each, dtype=np.int32) for name, each in self._numbers.items()}
        scores = np.array(self._scores, dtype=np.float32)
        outcomes = numbers["outcome"].astype(np.uint8)
        graded = outcomes == Outcome.SCORED.code
        if np.isin(scores[graded], (0.0, 1.0)).all():
            outcomes[graded & (scores == 1)] = Outcome.CORRECT.code
            outcomes[graded & (scores == 0)] = Outcome.WRONG.code
            graded[:] = False
        several = bool(numbers["epoch"].max(initial=0))
        return Rows(
            file=self.file,
            suite=self.suite,
            systems=Column(names=tuple(self._systems), codes=numbers["system"]),
            outcomes=outcomes,
            charges=numbers["charge"].astype(np.uint8),
            causes=told["cause"],
            items=told["item"],
            categories=told["category"],
            keys=told["key"],
            answers=told["said"],
            contents=told["content"],
            replies=told["reply"],
            scores=scores if graded.any() else None,
            epochs=numbers["epoch"] if several else None,
        )
