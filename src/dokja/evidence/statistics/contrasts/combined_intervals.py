"""The interval of a ratio over several benchmarks: all ratios that the test would not reject.

Over several benchmarks there is no closed form, since the degrees of freedom move with the ratio;
the test of the margin is turned around by halving instead (Fieller's argument, 1954, for one
benchmark; design/measurement 5.3 and 5.4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from dokja.evidence.statistics.contrasts.combined_readings import Combine, FrontierOf
from dokja.evidence.statistics.contrasts.combining import Benchmark, question_of
from dokja.evidence.statistics.contrasts.contrast import Scale
from dokja.evidence.statistics.contrasts.terms import GeneraliseTo, ReachTerms
from dokja.evidence.statistics.intervals import check_level
from dokja.values import Missing, MissingReason

__all__ = ["CombinedInterval", "combined_interval"]

_MOST = 16.0
_HALVINGS = 40
_FINEST = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedInterval:
    """The ratios to the frontier that are not rejected at a level.

    Attributes:
        low: The smallest; `Missing` where nothing is too small.
        high: The greatest; `Missing` where nothing is too great.
        level: In (0, 1).
        generalise_to: Which other form it speaks of.
    """

    low: float | Missing
    high: float | Missing
    level: float
    generalise_to: GeneraliseTo


def combined_interval(
    benchmarks: Sequence[Benchmark],
    *,
    combine: Combine,
    frontier: FrontierOf,
    terms: ReachTerms,
    level: float = 0.95,
    scale: Scale = (0.0, 1.0),
) -> CombinedInterval | Missing:
    """Return the ratios that the combined test does not reject, on both sides alike.

    Args:
        benchmarks: As `combined_reach` takes them.
        combine: How they become one question; each for itself has an interval of its own, and none
            together.
        frontier: What must be reached.
        terms: What was registered; its ratio is not used.
        level: In (0, 1).
        scale: Least and greatest value of an item.

    Returns:
        `Missing` where each benchmark stands for itself, or where the test cannot be made.

    Raises:
        ValueError: As `combined_reach`, or a level outside (0, 1).
    """
    check_level(level)
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("benchmarks",))
    if combine is Combine.EACH:
        return nothing

    def reaches(ratio: float) -> float | Missing:
        asked = replace(terms, ratio=Fraction(ratio).limit_denominator(_FINEST))
        question = question_of(
            benchmarks, combine=combine, frontier=frontier, terms=asked, scale=scale
        )
        return question.read([each.cells.registered for each in benchmarks]).p_at_least

    first = reaches(1.0)
    if isinstance(first, Missing):
        return first
    tail = (1 - level) / 2
    return CombinedInterval(
        low=_crossing(reaches, 1 - tail),
        high=_crossing(reaches, tail),
        level=level,
        generalise_to=terms.generalise_to,
    )


def _crossing(reaches: Callable[[float], float | Missing], share: float) -> float | Missing:
    """Return the ratio at which the confidence of reaching it falls to a share."""
    unbounded = Missing(reason=MissingReason.NOT_COMPARABLE, what=("end",))
    low, high = 1 / _FINEST, 1.0
    while _above(reaches, high, share):
        low, high = high, 2 * high
        if high > _MOST:
            return unbounded
    if not _above(reaches, low, share):
        return unbounded
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _above(reaches, middle, share) else (low, middle)
    return (low + high) / 2


def _above(reaches: Callable[[float], float | Missing], ratio: float, share: float) -> bool:
    found = reaches(ratio)
    return not isinstance(found, Missing) and found >= share
