"""Several benchmarks as one domain: what is combined, and what the frontier then is.

A rulebook says how: the ratio of weighted means, the mean of ratios, or each benchmark for itself;
and whether one system must be reached over all of them, or the best of each, which is stricter.
Benchmarks are strata whose parts were measured apart; or they are themselves a sample of tasks,
and then few of them give a wide and honest interval (design/measurement 5.4).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Cells, Values
from dokja.evidence.statistics.contrasts.combined_readings import (
    Combine,
    CombinedReading,
    FrontierOf,
    Question,
)
from dokja.evidence.statistics.contrasts.contrast import Scale
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
)
from dokja.evidence.statistics.contrasts.three_way import COMPLETIONS

__all__ = ["Benchmark", "CombinedReach", "combined_reach", "leave_one_out"]

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
    each, the candidate must clear every way to take one reference per benchmark, and the hardest
    way is searched for; it does not clear if it misses one of the systems taken everywhere or the
    cross-fitted best of each, corrected for their number. Tests of sums are t tests, whatever the
    number of clusters; their degrees of freedom are Satterthwaite's.

    Args:
        benchmarks: At least one, the same references everywhere.
        combine: How the benchmarks become one question.
        frontier: What must be reached. Where each benchmark stands for itself the two are one.
        terms: What was registered; `generalise_to` may be new benchmarks.
        doubts: Of the caller.
        scale: Least and greatest value of an item, the same on every benchmark.

    Raises:
        ValueError: No benchmark, a name twice, a weight not above 0, other references somewhere,
            one named reference asked for and several given, or each benchmark for itself asked
            to speak of new ones.

    Example:
        >>> from dokja.evidence.statistics.contrasts import cells_of, layout_of, reach_terms
        >>> right = np.tile([1.0, 1.0, 1.0, 0.0], 200)
        >>> cells = cells_of(right, np.roll(right, 1)[:, None], names=("a",))
        >>> layout = layout_of(800, clusters=np.arange(800) // 4)
        >>> parts = [Benchmark(name=n, weight=1, cells=cells, layout=layout) for n in ("p", "q")]
        >>> found = combined_reach(parts, combine=Combine.EACH, terms=reach_terms(".9", seed=1),
        ...                        frontier=FrontierOf.ONE_SYSTEM)
        >>> found.verdict.value, found.registered.ratio
        ('clears', 1.0)
    """
    weights = _checked(benchmarks, combine=combine, terms=terms)
    question = Question(
        layouts=tuple(each.layout for each in benchmarks),
        weights=weights,
        combine=combine,
        frontier=frontier,
        terms=terms,
        scale=scale,
    )
    first = question.read([each.cells.registered for each in benchmarks])
    found = {*doubts, *first.doubts}
    worst = best = None
    tried = changed = 0
    if any(each.cells.open_candidate or each.cells.open_references for each in benchmarks):
        worst = question.read([each.cells.worst for each in benchmarks])
        best = question.read([each.cells.best for each in benchmarks])
        differ = len({worst.verdict, best.verdict, first.verdict}) > 1
        if not differ:
            tried = COMPLETIONS
            changed = _changed(benchmarks, question.read, seed=terms.seed, verdict=first.verdict)
        if differ or changed:
            found.add(Doubt.FAULTS)
    return CombinedReach(
        verdict=Clearance.UNDECIDED if found else first.verdict,
        doubts=tuple(doubt for doubt in Doubt if doubt in found),
        terms=terms,
        combine=combine,
        frontier=frontier,
        benchmarks=tuple(each.name for each in benchmarks),
        weights=tuple(float(weight) for weight in weights),
        registered=first,
        worst=worst,
        best=best,
        completions=tried,
        changed=changed,
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


def _checked(benchmarks: Sequence[Benchmark], *, combine: Combine, terms: ReachTerms) -> Floats:
    """Return the weights, scaled to 1 in all."""
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
    scaled: Floats = weights / weights.sum()
    return scaled


def _changed(
    benchmarks: Sequence[Benchmark],
    read: Callable[[Sequence[Values]], CombinedReading],
    *,
    seed: int,
    verdict: Clearance,
) -> int:
    """Return how many random completions of all benchmarks give another verdict."""
    streams = [each.cells.completions(count=COMPLETIONS, seed=seed) for each in benchmarks]
    return sum(read(values).verdict is not verdict for values in zip(*streams, strict=True))
