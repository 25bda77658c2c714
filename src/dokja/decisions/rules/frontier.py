"""The moving target: against which systems, on what, and by which test a stage asks for a share.

The list of systems, the required share, the convention and the error rates are part of the
rulebook's version, so that none of them can move while a stage is open; another version moves
them for the stages that come after it. "The best in the world" and "each team's declared target"
are different rules, and a rulebook must choose.
"""

from datetime import date
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from dokja.decisions.rules.terms import Identifier, Tags, Terms, Words

__all__ = [
    "CONVENTION_NAMES",
    "OUTCOMES",
    "Frontier",
    "FrontierSystem",
    "FrontierVerdict",
    "FrontierView",
    "Worths",
    "window",
]

CONVENTION_NAMES = ("strict", "valid_only", "as_published_hsr87", "bounds")
"""Conventions that need no declaring; `evidence.benchmarks` has them, and a test compares."""

OpenOutcome: TypeAlias = Literal[
    "no_answer",
    "truncated",
    "refused",
    "filtered",
    "infrastructure_error",
    "not_run",
    "missing",
]
OUTCOMES = (
    "correct",
    "wrong",
    "no_answer",
    "truncated",
    "refused",
    "filtered",
    "infrastructure_error",
    "missing",
)
"""Outcomes that a declared convention must value."""

_MONTHS = 12


def _decimal(text: str) -> str:
    whole, point, rest = text.partition(".")
    if whole != "0" or not point or not rest.isdigit() or not any(sign != "0" for sign in rest):
        raise ValueError('a decimal above 0 and below 1 in quotation marks, such as "0.95"')
    return text


Decimal: TypeAlias = Annotated[str, AfterValidator(_decimal)]
"""A share in (0, 1), written as text so that it is the same number everywhere."""

Worth: TypeAlias = (
    Annotated[float, Field(ge=0, le=1)]
    | Annotated[int, Field(ge=0, le=1)]
    | Literal["drop", "open", "by-charge"]
)


class Worths(Terms):
    """A convention: what each outcome is worth, or `drop`, `open` or `by-charge`."""

    correct: Worth
    wrong: Worth
    no_answer: Worth
    truncated: Worth
    refused: Worth
    filtered: Worth
    infrastructure_error: Worth
    missing: Worth


class FrontierVerdict(Terms):
    """What must be reached, and how often the answer may be wrong."""

    ratio: Decimal
    """The required share of the frontier."""
    alpha_clear: Decimal = "0.05"
    """How often a model below the line may be said to clear it."""
    alpha_fail: Decimal = "0.05"
    """How often a model above the line may be said not to."""
    delta_min: Decimal = "0.01"
    """The smallest margin that matters, as a share of right answers."""
    mode: Literal["all", "named", "crossfit"] = "all"


class FrontierView(Terms):
    """What becomes of outcomes, items and benchmarks on the way to a number."""

    convention: Identifier = "strict"
    combine: Literal["ratio-of-means", "mean-of-ratios", "each"] = "ratio-of-means"
    frontier_of: Literal["one-system", "best-per-benchmark"] = "one-system"
    """Whether one system must be reached over all benchmarks, or the best of each."""
    weights: Literal["items", "category-macro"] = "items"
    chance: Literal["none", "item"] = "none"
    generalise_to: Literal["blueprint", "new-clusters", "blueprint-new-clusters"] = "new-clusters"
    clusters: Identifier = "category"
    """The clustering of the items over which the error is told."""


class FrontierSystem(Terms):
    """A system that stands for the frontier, and since when it could be had."""

    name: Identifier
    """Its model in the ledger, or its label in a table of outcomes."""
    version: Words
    effort: Words | None = None
    endpoint: Words | None = None
    released: date
    sources: Annotated[Tags, Field(min_length=1)]


class Frontier(Terms):
    """The target of a stage."""

    counts: Literal["gate", "shown"]
    """Whether a team must clear it to go on, or it is told beside the points."""
    rule: Literal["best-of-listed", "named"]
    window_months: Annotated[int, Field(ge=1, le=60)] | None = None
    """Systems must be released in so many calendar months before `freeze_on`."""
    freeze_on: date
    measure_between: Annotated[tuple[date, ...], Field(min_length=2, max_length=2)]
    benchmarks: Annotated[Tags, Field(min_length=1)]
    open: tuple[OpenOutcome, ...] = ("infrastructure_error", "not_run")
    """Outcomes that must not be able to change the verdict."""
    on_reference_lost: Literal["undecided", "without-it"] = "undecided"
    verdict: FrontierVerdict
    view: FrontierView = FrontierView()
    systems: Annotated[tuple[FrontierSystem, ...], Field(min_length=1)]
    sources: Annotated[Tags, Field(min_length=1)]


def window(freeze_on: date, *, months: int) -> tuple[date, date]:
    """Return the first and the last day on which an eligible system was released.

    Both ends count. A day that the earlier month does not have is its last day.

    Example:
        >>> window(date(2026, 8, 31), months=6)
        (datetime.date(2026, 2, 28), datetime.date(2026, 8, 31))
    """
    number = freeze_on.year * _MONTHS + freeze_on.month - 1 - months
    year, month = divmod(number, _MONTHS)
    day = freeze_on.day
    while True:
        try:
            return date(year, month + 1, day), freeze_on
        except ValueError:
            day -= 1
