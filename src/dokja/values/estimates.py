"""A number with its interval and what it rests on, or the reason why there is none.

Missing is not zero: a measurement that was not made is a `Missing`, which says what would
settle it. Both are values, and a `Measured` is one or the other.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

__all__ = ["Estimate", "IntervalKind", "Measured", "Missing", "MissingReason"]


class IntervalKind(Enum):
    """What an interval covers."""

    SAMPLING = "sampling"  # another sample of items, voters or raters could have given it
    ROUNDING = "rounding"  # the published figure was rounded; nothing is known beyond that
    EXACT = "exact"  # a count of all there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number, its interval, and what it rests on.

    Attributes:
        value: The point estimate.
        low: Lower end of the interval, at most `value`.
        high: Upper end of the interval, at least `value`.
        level: Share of samples in which such an interval covers the truth, in (0, 1];
            1 for rounding and exact intervals.
        kind: What the interval covers.
        standard_error: Standard error of `value`; missing where it was not published.
        rests_on: How many of what, such as `("items", 300)`, most telling first.
        method: Name of the method that made it, such as `cluster-mean`.

    Raises:
        ValueError: A number is not finite, or low ≤ value ≤ high does not hold.

    Example:
        >>> Estimate(value=0.5, low=0.4, high=0.6, level=0.95).value
        0.5
    """

    value: float
    low: float
    high: float
    level: float
    kind: IntervalKind = IntervalKind.SAMPLING
    standard_error: float | None = None
    rests_on: tuple[tuple[str, int], ...] = ()
    method: str = ""

    def __post_init__(self) -> None:
        numbers = [self.value, self.low, self.high, self.level]
        if self.standard_error is not None:
            numbers.append(self.standard_error)
        if not all(math.isfinite(number) for number in numbers):
            message = f"an estimate needs finite numbers, not {numbers}"
            raise ValueError(message)
        if not self.low <= self.value <= self.high:
            message = f"{self.value} lies outside its own interval [{self.low}, {self.high}]"
            raise ValueError(message)
        if not 0 < self.level <= 1:
            message = f"the level {self.level} is not in (0, 1]"
            raise ValueError(message)
        if self.standard_error is not None and self.standard_error < 0:
            message = f"the standard error {self.standard_error} is negative"
            raise ValueError(message)


class MissingReason(Enum):
    """Why a number is not there."""

    NOT_PUBLISHED = "not-published"  # somebody holds it and has not shown it
    NOT_MEASURED = "not-measured"  # nobody has made the observation
    SEALED = "sealed"  # it is in the ledger under a commitment
    NOT_COMPARABLE = "not-comparable"  # the observation cannot be made of this object
    WITHDRAWN = "withdrawn"  # a correction took it back and put nothing in its place
    OUTDATED = "outdated"  # it was made under a rulebook version that no longer holds
    PARTS_MISSING = "parts-missing"  # a sum whose parts are not all there


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A number that is not there.

    Attributes:
        reason: Why.
        what: What is missing, as keys that `public` words, such as `("score", "lg", "expert")`.
    """

    reason: MissingReason
    what: tuple[str, ...] = ()


Measured: TypeAlias = Estimate | Missing
