"""Which systems may stand for the frontier: by day of release, and by a source for that day.

The frontier moves, so that a rulebook freezes it: systems that came out in a window of calendar
months that ends on the day of freezing, both ends included (design/measurement 6.1). A day
without a source is somebody's word, and a day that nobody knows is not in any window: such a
system is not eligible, and is named with the reason. Nothing here looks at a score.
"""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Literal, TypeAlias

__all__ = [
    "Eligibility",
    "FrontierRule",
    "ListedSystem",
    "NotEligible",
    "Turned",
    "eligible_systems",
]

Rule: TypeAlias = Literal["best-of-listed", "named", "per-team-target"]

_LEAST_LISTED = 3  # a maximum of fewer is one laboratory's bad week


class NotEligible(Enum):
    """Why a system may not stand for the frontier."""

    UNDATED = "undated"
    """Nobody says when it came out."""
    UNSOURCED = "unsourced"
    """A day is said, and not by whom."""
    TOO_EARLY = "too-early"
    TOO_LATE = "too-late"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSystem:
    """A system that a rulebook lists.

    Attributes:
        name: Of the model, with its version.
        effort: Its effort setting; a system is a model at an effort. Empty where it has none.
        released: The day it came out; None if nobody knows.
        source: Where that day is said; empty if nowhere.
    """

    name: str
    effort: str = ""
    released: date | None = None
    source: str = ""

    @property
    def label(self) -> str:
        """The system in one word."""
        return f"{self.name} ({self.effort})" if self.effort else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierRule:
    """How a rulebook chooses the frontier.

    Attributes:
        rule: `best-of-listed` (the best of all that are eligible), `named` (one of them), or
            `per-team-target` (each team's declared target). They are different questions.
        window_months: How many calendar months before `freeze_on`, at least 1.
        freeze_on: The last day of the window.

    Raises:
        ValueError: The window has no month.
    """

    rule: Rule
    window_months: int
    freeze_on: date

    def __post_init__(self) -> None:
        if self.window_months < 1:
            raise ValueError(f"a window of {self.window_months} months holds nothing")

    @property
    def opens_on(self) -> date:
        """The first day of the window: the same day so many months earlier.

        Where that month is too short, its last day: six months before 31 August is 28 or 29
        February, as with contracts.

        Example:
            >>> rule = FrontierRule(rule="named", window_months=6, freeze_on=date(2026, 8, 31))
            >>> rule.opens_on.isoformat()
            '2026-02-28'
        """
        months = self.freeze_on.year * 12 + self.freeze_on.month - 1 - self.window_months
        year, month = divmod(months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        return date(year, month + 1, min(self.freeze_on.day, last))

    def turned(self, system: ListedSystem) -> NotEligible | None:
        """Return why the system may not stand for the frontier, or None if it may."""
        if system.released is None:
            return NotEligible.UNDATED
        if not system.source.strip():
            return NotEligible.UNSOURCED
        if system.released < self.opens_on:
            return NotEligible.TOO_EARLY
        return NotEligible.TOO_LATE if system.released > self.freeze_on else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A listed system that is not eligible, and why."""

    system: ListedSystem
    reason: NotEligible


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """What a list comes to.

    Attributes:
        rule: By which it was read.
        systems: Those that may stand for the frontier, by label.
        turned: Those that may not, by label, each with the reason.
    """

    rule: FrontierRule
    systems: tuple[ListedSystem, ...]
    turned: tuple[Turned, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the rule can be applied: three systems for a best, one for a name or target."""
        least = _LEAST_LISTED if self.rule.rule == "best-of-listed" else 1
        return len(self.systems) >= least


def eligible_systems(rule: FrontierRule, listed: Sequence[ListedSystem]) -> Eligibility:
    """Return which of the listed systems may stand for the frontier.

    Raises:
        ValueError: A system is listed twice.

    Example:
        >>> rule = FrontierRule(rule="named", window_months=6, freeze_on=date(2026, 8, 1))
        >>> found = eligible_systems(rule, [
        ...     ListedSystem(name="haneul-2", released=date(2026, 2, 1), source="its model card"),
        ...     ListedSystem(name="bada-1"),
        ... ])
        >>> [system.name for system in found.systems], found.turned[0].reason.value
        (['haneul-2'], 'undated')
    """
    labels = [system.label for system in listed]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"listed twice: {', '.join(twice)}")
    systems: list[ListedSystem] = []
    turned: list[Turned] = []
    for system in sorted(listed, key=lambda each: each.label):
        reason = rule.turned(system)
        if reason is None:
            systems.append(system)
        else:
            turned.append(Turned(system=system, reason=reason))
    return Eligibility(rule=rule, systems=tuple(systems), turned=tuple(turned))
