"""What several benchmarks say together, by each error that could be told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dokja.evidence.benchmarks.comparing.questions import Question
from dokja.evidence.benchmarks.comparing.sheets import Sheet
from dokja.evidence.statistics.contrasts import (
    Benchmark,
    Combine,
    CombinedInterval,
    GeneraliseTo,
    combined_interval,
    question_of,
)
from dokja.values import Missing

__all__ = ["Together", "benchmarks_of", "together"]

_SHOWN = (GeneraliseTo.NEW_CLUSTERS, GeneraliseTo.BLUEPRINT)
"""Both questions are always answered; the rulebook says which one decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What one error says of the ratio over several benchmarks.

    Attributes:
        goal: Which other form it speaks of.
        margin: Over the line.
        standard_error: Of the margin.
        units: How many clusters, items or benchmarks another form would replace.
        p_at_least: P(ratio ≥ x).
        interval: Of the ratio, at 95 %; `Missing` where it could not be made.
        decides: Whether this is the error that the question speaks of.
    """

    goal: GeneraliseTo
    margin: float
    standard_error: float
    units: int
    p_at_least: float
    interval: CombinedInterval | Missing
    decides: bool


def benchmarks_of(
    sheets: Sequence[Sheet], question: Question
) -> tuple[list[Benchmark], tuple[float, float]]:
    """Return the benchmarks with their weights, and the scale that holds all of them."""
    weights = question.benchmark_weights or {}
    parts = [
        Benchmark(
            name=sheet.suite,
            weight=weights.get(sheet.suite, 1.0),
            cells=sheet.cells,
            layout=sheet.layout,
        )
        for sheet in sheets
        if sheet.cells is not None and sheet.layout is not None
    ]
    scales = [sheet.scale for sheet in sheets]
    return parts, (min(low for low, _ in scales), max(high for _, high in scales))


def together(sheets: Sequence[Sheet], question: Question) -> tuple[Together, ...]:
    """Return what each error says of all benchmarks, the one that decides first."""
    if question.combine is Combine.EACH:
        return ()
    parts, scale = benchmarks_of(sheets, question)
    found = []
    for goal in dict.fromkeys([question.terms.generalise_to, *_SHOWN]):
        terms = replace(question.terms, generalise_to=goal)
        asked = question_of(
            parts, combine=question.combine, frontier=question.frontier, terms=terms, scale=scale
        )
        read = asked.read([each.cells.registered for each in parts])
        if isinstance(read.hardest, Missing) or isinstance(read.p_at_least, Missing):
            continue
        interval = combined_interval(
            parts, combine=question.combine, frontier=question.frontier, terms=terms, scale=scale
        )
        found.append(
            Together(
                goal=goal,
                margin=read.hardest.margin,
                standard_error=read.hardest.standard_error,
                units=_units(parts, goal=goal),
                p_at_least=read.p_at_least,
                interval=interval,
                decides=goal is question.terms.generalise_to,
            )
        )
    return tuple(found)


def _units(parts: Sequence[Benchmark], *, goal: GeneraliseTo) -> int:
    """Return how many things another form would replace."""
    if goal is GeneraliseTo.NEW_BENCHMARKS:
        return len(parts)
    if goal is GeneraliseTo.BLUEPRINT:
        return sum(each.layout.items for each in parts)
    return sum(0 if each.layout.clusters is None else each.layout.clusters.count for each in parts)
