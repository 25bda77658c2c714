"""What one set of values says over several benchmarks: the ways, and the hardest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Values
from dokja.evidence.statistics.contrasts.contrast import Scale
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.readings import composite, reading, unmade, verdict_of
from dokja.evidence.statistics.contrasts.spreads import Basis
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
)
from dokja.evidence.statistics.contrasts.ways import (
    Part,
    Way,
    added,
    among_benchmarks,
    hardest_way,
    part_of,
)
from dokja.values import Missing, MissingReason

__all__ = ["Combine", "CombinedReading", "FrontierOf", "Question"]


class Combine(Enum):
    """How several benchmarks become one question."""

    RATIO_OF_MEANS = "ratio-of-means"
    """The candidate's weighted mean against the reference's."""
    MEAN_OF_RATIOS = "mean-of-ratios"
    """The weighted mean of the ratios, its error by the delta method."""
    EACH = "each"
    """The ratio must be reached on every benchmark: an intersection-union test."""


class FrontierOf(Enum):
    """What must be reached where there are several benchmarks and several references."""

    ONE_SYSTEM = "one-system"
    """The best system over all benchmarks together."""
    BEST_PER_BENCHMARK = "best-per-benchmark"
    """The best on each benchmark, whoever that is: never easier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedReading:
    """What one set of values says over all benchmarks.

    Attributes:
        verdict: By the p-values alone.
        doubts: Why it is undecided, if it is.
        ratio: To the frontier as estimated; the smallest where each benchmark stands for itself;
            `Missing` where that would be a ratio to 0.
        hardest: The way that is least clear of 0; `Missing` where each benchmark stands for
            itself, and where none could be made.
        p_clear: The greatest p-value against "does not reach", over all that must be reached.
        p_fail: The smallest against "reaches", corrected for how many were tried.
        p_at_least: P(ratio ≥ x) on the hardest way or benchmark.
        per_benchmark: The ratio to the best reference on each benchmark, in order.
    """

    verdict: Clearance
    doubts: tuple[Doubt, ...]
    ratio: float | Missing
    hardest: Way | Missing
    p_clear: float | Missing
    p_fail: float | Missing
    p_at_least: float | Missing
    per_benchmark: tuple[float | Missing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything but the values.

    Attributes:
        layouts: Of the items of each benchmark.
        weights: Of the benchmarks, 1 in all, shape `(benchmarks,)`.
        combine: How the benchmarks become one question.
        frontier: What must be reached.
        terms: What was registered.
        scale: Least and greatest value of an item.
    """

    layouts: tuple[Layout, ...]
    weights: Floats
    combine: Combine
    frontier: FrontierOf
    terms: ReachTerms
    scale: Scale = (0.0, 1.0)

    def read(self, values: Sequence[Values]) -> CombinedReading:
        """Return what one set of values says.

        Args:
            values: Of each benchmark, in the order of the layouts.
        """
        if self.combine is Combine.EACH:
            return self._read_each(values)
        columns = self._columns(values)
        table: list[list[Part]] = []
        for value, references, layout in zip(values, columns, self.layouts, strict=True):
            found = [self._part(value.candidate, each, layout=layout) for each in references.T]
            parts = [part for part in found if isinstance(part, Part)]
            if len(parts) < len(found):
                nothing = next(part for part in found if isinstance(part, Missing))
                return self._unread(values, nothing)
            table.append(parts)
        return self._read_sums(values, table)

    def _read_each(self, values: Sequence[Values]) -> CombinedReading:
        """Return what the benchmarks say one by one, all of which must clear."""
        found = [
            reading(value, layout, terms=self.terms, scale=self.scale)
            for value, layout in zip(values, self.layouts, strict=True)
        ]
        clears = [one.p_clear for one in found if isinstance(one.p_clear, float)]
        fails = [one.p_fail for one in found if isinstance(one.p_fail, float)]
        basis = self.terms.generalise_to.basis(crossed=self.layouts[0].crossed is not None)
        p_clear: float | Missing = max(clears, default=1.0)
        if len(clears) < len(found):
            p_clear = Missing(reason=MissingReason.PARTS_MISSING, what=("benchmarks",))
        # One benchmark that certainly fails is enough, whatever the others lack.
        p_fail = min(1.0, len(found) * min(fails, default=1.0))
        confidences = [one.p_at_least(basis) for one in found]
        known = [one for one in confidences if isinstance(one, float)]
        verdict = verdict_of(
            1.0 if isinstance(p_clear, Missing) else p_clear, p_fail, terms=self.terms
        )
        doubts = {doubt for one in found for doubt in one.doubts} or {Doubt.INTERVAL}
        return CombinedReading(
            verdict=verdict,
            doubts=tuple(doubt for doubt in Doubt if doubt in doubts)
            if verdict is Clearance.UNDECIDED
            else (),
            ratio=_least([one.ratio for one in found]),
            hardest=Missing(reason=MissingReason.NOT_COMPARABLE, what=("each",)),
            p_clear=p_clear,
            p_fail=p_fail,
            p_at_least=min(known)
            if len(known) == len(found)
            else Missing(reason=MissingReason.PARTS_MISSING, what=("benchmarks",)),
            per_benchmark=tuple(one.ratio for one in found),
        )

    def _read_sums(
        self, values: Sequence[Values], table: Sequence[Sequence[Part]]
    ) -> CombinedReading:
        """Return what the sums over all benchmarks say, of which all must clear."""
        columns = list(zip(*table, strict=True))
        sampled = self.terms.generalise_to is GeneraliseTo.NEW_BENCHMARKS
        add = among_benchmarks if sampled else added
        tried = [add(parts, self.weights) for parts in columns]
        must = list(tried)
        named = values[0].references.shape[1]
        if len(columns) > named and not sampled:
            # The cross-fitted best is tried, and every way to choose must be cleared instead.
            rows = [row[:named] for row in table]
            must = [*tried[:named], hardest_way(rows, self.weights)]
        ways = [way for way in must if isinstance(way, Way)]
        ends = [way.p_fail for way in tried if isinstance(way, Way)]
        if len(ways) < len(must) or len(ends) < len(tried):
            return self._unread(values, next(w for w in [*must, *tried] if isinstance(w, Missing)))
        hardest = max(ways, key=lambda way: way.p_clear)
        p_fail = min(1.0, len(ends) * min(ends))
        verdict = verdict_of(hardest.p_clear, p_fail, terms=self.terms)
        return CombinedReading(
            verdict=verdict,
            doubts=(Doubt.INTERVAL,) if verdict is Clearance.UNDECIDED else (),
            ratio=self._ratio(values),
            hardest=hardest,
            p_clear=hardest.p_clear,
            p_fail=p_fail,
            p_at_least=hardest.p_fail,
            per_benchmark=self._ratios(values),
        )

    def _columns(self, values: Sequence[Values]) -> list[Floats]:
        """Return the references of each benchmark that sums are made of."""
        best_of_each = self.frontier is FrontierOf.BEST_PER_BENCHMARK
        if self.terms.mode is ReferenceMode.CROSSFIT:
            return [each[:, None] for each in self._fitted(values, everywhere=not best_of_each)]
        if best_of_each and values[0].references.shape[1] > 1:
            fitted = self._fitted(values, everywhere=False)
            pairs = zip(values, fitted, strict=True)
            return [np.column_stack([value.references, each]) for value, each in pairs]
        return [value.references for value in values]

    def _fitted(self, values: Sequence[Values], *, everywhere: bool) -> list[Floats]:
        """Return the cross-fitted best reference: of all benchmarks together, or of each."""
        sums = [
            weight * (layout.weights @ value.references)
            for weight, layout, value in zip(self.weights, self.layouts, values, strict=True)
        ]
        whole = np.sum(sums, axis=0)
        return [
            composite(
                value.references,
                layout,
                weight=float(weight),
                elsewhere=whole - own if everywhere else np.zeros_like(own),
            )
            for weight, layout, value, own in zip(
                self.weights, self.layouts, values, sums, strict=True
            )
        ]

    def _part(self, candidate: Floats, reference: Floats, *, layout: Layout) -> Part | Missing:
        if self.terms.generalise_to is GeneraliseTo.NEW_BENCHMARKS:
            basis = Basis.ITEMS  # only the margins count, and items always have an error
        else:
            basis = self.terms.generalise_to.basis(crossed=layout.crossed is not None)
        return part_of(
            candidate,
            reference,
            layout=layout,
            basis=basis,
            required=float(self.terms.ratio),
            of_ratio=self.combine is Combine.MEAN_OF_RATIOS,
        )

    def _unread(self, values: Sequence[Values], nothing: Missing) -> CombinedReading:
        """Return that nothing can be said, and why."""
        return CombinedReading(
            verdict=Clearance.UNDECIDED,
            doubts=(unmade(nothing, terms=self.terms),),
            ratio=self._ratio(values),
            hardest=nothing,
            p_clear=nothing,
            p_fail=nothing,
            p_at_least=nothing,
            per_benchmark=self._ratios(values),
        )

    def _means(self, values: Sequence[Values]) -> tuple[Floats, Floats]:
        """Return the candidate's means, `(benchmarks,)`, and the references', one more axis."""
        pairs = list(zip(values, self.layouts, strict=True))
        own = np.array([layout.weights @ value.candidate for value, layout in pairs])
        others = np.array([layout.weights @ value.references for value, layout in pairs])
        return own, others

    def _ratios(self, values: Sequence[Values]) -> tuple[float | Missing, ...]:
        own, others = self._means(values)
        return tuple(
            _quotient(top, bottom) for top, bottom in zip(own, others.max(axis=1), strict=True)
        )

    def _ratio(self, values: Sequence[Values]) -> float | Missing:
        """Return the ratio to the frontier, taken as it is estimated."""
        own, others = self._means(values)
        best_of_each = self.frontier is FrontierOf.BEST_PER_BENCHMARK
        if self.combine is Combine.RATIO_OF_MEANS:
            whole = self.weights @ others
            top = self.weights @ others.max(axis=1) if best_of_each else whole.max()
            return _quotient(float(self.weights @ own), float(top))
        if (others <= 0).any():
            return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
        ratios = own[:, None] / others
        if best_of_each:
            return float(self.weights @ ratios.min(axis=1))
        return float((self.weights @ ratios).min())


def _quotient(top: float, bottom: float) -> float | Missing:
    if bottom > 0:
        return float(top / bottom)
    return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))


def _least(ratios: Sequence[float | Missing]) -> float | Missing:
    known = [ratio for ratio in ratios if isinstance(ratio, float)]
    if known:
        return min(known)
    return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
