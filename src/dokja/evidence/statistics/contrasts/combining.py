"""Several benchmarks as one domain: what is combined, and what the frontier then is.

A rulebook says how: the ratio of weighted means, the mean of ratios, or each benchmark for itself;
and whether one system must be reached over all of them, or the best of each, which is stricter.
Benchmarks are strata whose parts were measured apart; or they are themselves a sample of tasks,
and then few of them give a wide and honest interval (design/measurement 5.4).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Cells
from dokja.evidence.statistics.contrasts.combined_readings import (
    Combine,
    CombinedReading,
    FrontierOf,
    Question,
)
from dokja.evidence.statistics.contrasts.contrast import Scale
from dokja.evidence.statistics.contrasts.layouts import Layout
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
)
from dokja.evidence.statistics.contrasts.three_way import COMPLETIONS

__all__ = ["Benchmark", "CombinedReach", "combined_reach", "leave_one_out", "question_of"]

_LEAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One of several benchmarks.

    Attributes:
        name: Of the benchmark.
        weight: Above 0; weights are scaled to add up to 1.
        cells: What everybody got, with the same references in the same order everywhere.
        layout: Of its items.
    """

    name: str
    weight: float
    cells: Cells
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedReach:
    """Whether a candidate reaches the required share of the frontier over several benchmarks.

    Attributes:
        verdict: The answer.
        doubts: Why it is undecided.
        terms: What was registered.
        combine: How the benchmarks become one question.
        frontier: What must be reached.
        benchmarks: Their names.
        weights: Theirs, 1 in all.
        registered: What the registered views say.
        worst: With everything open against the candidate; None where nothing is open.
        best: With everything open for it; likewise.
        completions: How many random completions were tried.
        changed: How many of them gave another verdict.
    """

    verdict: Clearance
    doubts: tuple[Doubt, ...]
    terms: ReachTerms
    combine: Combine
    frontier: FrontierOf
    benchmarks: tuple[str, ...]
    weights: tuple[float, ...]
    registered: CombinedReading
    worst: CombinedReading | None
    best: CombinedReading | None
    completions: int
    changed: int


def combined_reach(
    benchmarks: Sequence[Benchmark],
    *,
    combine: Combine,
    frontier: FrontierOf,
    terms: ReachTerms,
    doubts: Iterable[Doubt] = (),
    scale: Scale = (0.0, 1.0),
) -> CombinedReach:
    """Return whether the candidate reaches the required share over several benchmarks.

    With one system as the frontier each reference is one margin, as in `reach`. With the best of
    each, it must clear every way to take one reference per benchmark; it does not clear if it
    misses one of the systems taken everywhere or the cross-fitted best of each. Tests of sums are
    t tests, whatever the number of clusters.

    Args:
        benchmarks: At least one, the same references everywhere.
        combine: How the benchmarks become one question.
        frontier: What must be reached. Where each benchmark stands for itself the two are one.
        terms: What was registered; `generalise_to` may be new benchmarks.
        doubts: Of the caller.
        scale: Least and greatest value of an item, the same on every benchmark.

    Raises:
        ValueError: Benchmarks or terms that do not fit together.

    Example:
        >>> from dokja.evidence.statistics.contrasts import cells_of, layout_of, reach_terms
        >>> cells = cells_of(np.tile([1.0, 1.0, 0.0], 200), np.full((600, 1), 0.6), names=("a",))
        >>> layout = layout_of(600, strata=[0] * 600)
        >>> one = Benchmark(name="one", weight=1, cells=cells, layout=layout)
        >>> terms = reach_terms(".9", seed=1, generalise_to=GeneraliseTo.BLUEPRINT)
        >>> combined_reach([one], combine=Combine.EACH, frontier=FrontierOf.ONE_SYSTEM,
        ...                terms=terms).verdict.value
        'clears'
    """
    question = question_of(benchmarks, combine=combine, frontier=frontier, terms=terms, scale=scale)
    first = question.read([each.cells.registered for each in benchmarks])
    ends = _ends(benchmarks, question, first=first)
    found = {*doubts, *first.doubts}
    if ends.differ:
        found.add(Doubt.FAULTS)
    return CombinedReach(
        verdict=Clearance.UNDECIDED if found else first.verdict,
        doubts=tuple(doubt for doubt in Doubt if doubt in found),
        terms=terms,
        combine=combine,
        frontier=frontier,
        benchmarks=tuple(each.name for each in benchmarks),
        weights=tuple(float(weight) for weight in question.weights),
        registered=first,
        worst=ends.worst,
        best=ends.best,
        completions=ends.tried,
        changed=ends.changed,
    )


def leave_one_out(
    benchmarks: Sequence[Benchmark], *, combine: Combine, frontier: FrontierOf, terms: ReachTerms
) -> tuple[tuple[str, CombinedReach], ...]:
    """Return what would be said without each benchmark in turn, the others' weights scaled.

    Raises:
        ValueError: Fewer than two benchmarks, or as `combined_reach`.
    """
    if len(benchmarks) < _LEAST:
        raise ValueError("one benchmark cannot be left out of itself")
    return tuple(
        (
            left.name,
            combined_reach(
                [each for each in benchmarks if each is not left],
                combine=combine,
                frontier=frontier,
                terms=terms,
            ),
        )
        for left in benchmarks
    )


def question_of(
    benchmarks: Sequence[Benchmark],
    *,
    combine: Combine,
    frontier: FrontierOf,
    terms: ReachTerms,
    scale: Scale,
) -> Question:
    """Return the question, its benchmarks and terms checked."""
    if not benchmarks:
        raise ValueError("nothing is to be combined")
    if len({each.name for each in benchmarks}) < len(benchmarks):
        raise ValueError("a benchmark stands twice")
    if len({each.cells.names for each in benchmarks}) > 1:
        raise ValueError("every benchmark needs the same references in the same order")
    if terms.mode is ReferenceMode.NAMED and len(benchmarks[0].cells.names) != 1:
        raise ValueError("one named reference is asked for, and several are given")
    if combine is Combine.EACH and terms.generalise_to is GeneraliseTo.NEW_BENCHMARKS:
        raise ValueError("benchmarks that each stand for themselves say nothing about new ones")
    weights = np.array([each.weight for each in benchmarks], dtype=np.float64)
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("the weight of a benchmark must be above 0")
    return Question(
        layouts=tuple(each.layout for each in benchmarks),
        weights=weights / weights.sum(),
        combine=combine,
        frontier=frontier,
        terms=terms,
        scale=scale,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """What open outcomes do to a verdict; nothing where none is open."""

    worst: CombinedReading | None = None
    best: CombinedReading | None = None
    tried: int = 0
    changed: int = 0
    differ: bool = False


def _ends(benchmarks: Sequence[Benchmark], question: Question, *, first: CombinedReading) -> _Ends:
    """Return both ends, and the completions of all benchmarks between where the ends agree."""
    cells = [each.cells for each in benchmarks]
    if not any(each.open_candidate or each.open_references for each in cells):
        return _Ends()
    worst = question.read([each.worst for each in cells])
    best = question.read([each.best for each in cells])
    if not worst.verdict is best.verdict is first.verdict:
        return _Ends(worst=worst, best=best, differ=True)
    streams = [each.completions(count=COMPLETIONS, seed=question.terms.seed) for each in cells]
    verdicts = [question.read(values).verdict for values in zip(*streams, strict=True)]
    changed = sum(verdict is not first.verdict for verdict in verdicts)
    return _Ends(worst=worst, best=best, tried=COMPLETIONS, changed=changed, differ=changed > 0)
