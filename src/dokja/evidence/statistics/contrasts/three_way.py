"""Clears, does not clear, or undecided: a verdict that errs only as often as it says.

A candidate clears if the p-value against "it does not reach the ratio" is small enough for every
reference (an intersection-union test: Berger 1982; no correction, no bias from picking the best),
and does not clear if that against "it reaches the ratio" is small enough for some reference, after
Bonferroni or jointly. Else it is undecided. What is not known must not be able to change the
answer: if it can, the verdict is undecided, however clear the registered view is (5.4, 5.5 of the
design note on measurement). Ties are never broken here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Cells, Values
from dokja.evidence.statistics.contrasts.contrast import (
    Contrast,
    MarginTest,
    Scale,
    contrast,
    needs_signs,
)
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.spreads import Basis, clusters_of
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
)
from dokja.evidence.statistics.contrasts.wild import joint_lower_tail, wild_p_values
from dokja.values import Missing, MissingReason

__all__ = [
    "COMPLETIONS",
    "Reach",
    "Reading",
    "composite",
    "reach",
    "reading",
    "unmade",
    "unmeasured",
    "verdict_of",
]

COMPLETIONS = 200
"""How many completions between the worst and the best are tried."""

_SHRUNK = 0.01  # of the weight: a domain that lost more is another domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one set of values says.

    Attributes:
        verdict: By the p-values alone.
        doubts: Why it is undecided, if it is.
        ratio: Of the candidate to the best reference on these values; `Missing` if that is 0.
        p_clear: The greatest of the references' p-values against "does not reach".
        p_fail: The smallest against "reaches", corrected for their number.
        contrasts: With each reference, in their order; one with the composite when crossfit.
    """

    verdict: Clearance
    doubts: tuple[Doubt, ...]
    ratio: float | Missing
    p_clear: float | Missing
    p_fail: float | Missing
    contrasts: tuple[Contrast, ...]

    def p_at_least(self, basis: Basis) -> float | Missing:
        """Return P(ratio ≥ x) against the hardest reference, by a basis.

        With several references it is an upper bound of reaching all of them.
        """
        found = [each.by(basis) for each in self.contrasts]
        tests = [test for test in found if isinstance(test, MarginTest)]
        if len(tests) < len(found) or not tests:
            return Missing(reason=MissingReason.NOT_MEASURED, what=(basis.value,))
        return min(test.p_at_least for test in tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whether a candidate reaches the required share of the frontier.

    Attributes:
        verdict: The answer.
        doubts: Why it is undecided, in the order of the list; empty where it is decided.
        terms: What was registered.
        basis: Which error decides.
        names: Of the references.
        registered: What the registered view says; None where there is nothing to read.
        worst: What it says with everything open against the candidate; None where nothing is open.
        best: With everything open for the candidate; likewise.
        open_candidate: How many of the candidate's cells are open.
        open_references: How many of the references' are.
        completions: How many random completions were tried; 0 where the ends differ already.
        changed: How many of them gave another verdict than the ends.
        dropped_weight: Share of the domain's weight that does not count.
    """

    verdict: Clearance
    doubts: tuple[Doubt, ...]
    terms: ReachTerms
    basis: Basis | None
    names: tuple[str, ...]
    registered: Reading | None
    worst: Reading | None
    best: Reading | None
    open_candidate: int
    open_references: int
    completions: int
    changed: int
    dropped_weight: float

    @property
    def bounds(self) -> tuple[float | Missing, float | Missing] | None:
        """The ratios at the worst and the best end; None where nothing is open."""
        if self.worst is None or self.best is None:
            return None
        return self.worst.ratio, self.best.ratio


def reach(
    cells: Cells,
    layout: Layout,
    *,
    terms: ReachTerms,
    doubts: Iterable[Doubt] = (),
    dropped_weight: float = 0.0,
    scale: Scale = (0.0, 1.0),
) -> Reach:
    """Return whether the candidate reaches the required share of the references.

    Args:
        cells: What everybody got on the items that count for all.
        layout: Of these items.
        terms: What was registered.
        doubts: Of the caller, each of which makes the verdict undecided: what it knows of
            pairing, identity, the scorer, and the completeness of the frontier.
        dropped_weight: Share of the domain's weight that the convention dropped, in [0, 1].
        scale: Least and greatest value of an item.

    Raises:
        ValueError: Cells and layout differ in length, a value lies outside the scale, new
            benchmarks are asked about (`combined_reach` does that), or one named reference is
            asked for and several are given.

    Example:
        >>> from dokja.evidence.statistics.contrasts import cells_of, layout_of, reach_terms
        >>> right = np.tile([1.0, 1.0, 1.0, 0.0], 200)
        >>> cells = cells_of(right, np.roll(right, 1)[:, None], names=("a",))
        >>> layout = layout_of(800, clusters=np.arange(800) // 4)
        >>> reach(cells, layout, terms=reach_terms(".9", seed=1)).verdict.value
        'clears'
    """
    if terms.mode is ReferenceMode.NAMED and len(cells.names) != 1:
        raise ValueError(f"one named reference is asked for, and {len(cells.names)} are given")
    basis = terms.generalise_to.basis(crossed=layout.crossed is not None)
    first = reading(cells.registered, layout, terms=terms, scale=scale)
    found = {*doubts, *first.doubts}
    if dropped_weight > _SHRUNK:
        found.add(Doubt.DOMAIN_SHRUNK)
    worst = best = None
    tried = changed = 0
    if cells.open_candidate or cells.open_references:
        worst = reading(cells.worst, layout, terms=terms, scale=scale)
        best = reading(cells.best, layout, terms=terms, scale=scale)
        differ = len({worst.verdict, best.verdict, first.verdict}) > 1
        if not differ:
            tried = COMPLETIONS
            changed = _changed(cells, layout, terms=terms, scale=scale, verdict=first.verdict)
        if differ or changed:
            found.add(Doubt.FAULTS)
    return Reach(
        verdict=Clearance.UNDECIDED if found else first.verdict,
        doubts=_ordered(found),
        terms=terms,
        basis=basis,
        names=cells.names,
        registered=first,
        worst=worst,
        best=best,
        open_candidate=cells.open_candidate,
        open_references=cells.open_references,
        completions=tried,
        changed=changed,
        dropped_weight=dropped_weight,
    )


def unmeasured(terms: ReachTerms, *, doubts: Iterable[Doubt], names: tuple[str, ...] = ()) -> Reach:
    """Return the verdict where there is nothing to compute with: undecided, for these reasons.

    Raises:
        ValueError: No reason is given.

    Example:
        >>> from dokja.evidence.statistics.contrasts import reach_terms
        >>> unmeasured(reach_terms(".95", seed=1), doubts=[Doubt.NO_ITEMS]).verdict.value
        'undecided'
    """
    found = _ordered(set(doubts))
    if not found:
        raise ValueError("a verdict without evidence is undecided for some reason; name it")
    return Reach(
        verdict=Clearance.UNDECIDED,
        doubts=found,
        terms=terms,
        basis=None,
        names=names,
        registered=None,
        worst=None,
        best=None,
        open_candidate=0,
        open_references=0,
        completions=0,
        changed=0,
        dropped_weight=0.0,
    )


def reading(
    values: Values, layout: Layout, *, terms: ReachTerms, scale: Scale = (0.0, 1.0)
) -> Reading:
    """Return what one set of values says, every basis with it.

    Args:
        values: Of the candidate and each reference.
        layout: Of the items.
        terms: What was registered.
        scale: Least and greatest value of an item.
    """
    references = values.references
    if terms.mode is ReferenceMode.CROSSFIT:
        references = composite(references, layout)[:, None]
    contrasts = tuple(
        contrast(
            values.candidate, column, ratio=terms.ratio, layout=layout, seed=terms.seed, scale=scale
        )
        for column in references.T
    )
    basis = terms.generalise_to.basis(crossed=layout.crossed is not None)
    found = [each.by(basis) for each in contrasts]
    tests = [test for test in found if isinstance(test, MarginTest)]
    ratio = min(
        (each.ratio for each in contrasts if isinstance(each.ratio, float)),
        default=Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",)),
    )
    if len(tests) < len(found):
        nothing = next(each for each in found if isinstance(each, Missing))
        return Reading(
            verdict=Clearance.UNDECIDED,
            doubts=(unmade(nothing, terms=terms),),
            ratio=ratio,
            p_clear=nothing,
            p_fail=nothing,
            contrasts=contrasts,
        )
    p_clear = max(test.p_clear for test in tests)
    p_fail = min(1.0, len(tests) * min(test.p_fail for test in tests))
    if terms.max_t and len(tests) > 1 and layout.clusters is not None:
        p_fail = _joint(values.candidate, references, layout=layout, terms=terms)
    verdict = verdict_of(p_clear, p_fail, terms=terms)
    return Reading(
        verdict=verdict,
        doubts=_why(tests, terms=terms) if verdict is Clearance.UNDECIDED else (),
        ratio=ratio,
        p_clear=p_clear,
        p_fail=p_fail,
        contrasts=contrasts,
    )


def verdict_of(p_clear: float, p_fail: float, *, terms: ReachTerms) -> Clearance:
    """Return what two one-sided p-values say at the registered error rates."""
    if p_clear <= terms.alpha_clear:
        return Clearance.CLEARS
    if p_fail <= terms.alpha_fail:
        return Clearance.DOES_NOT_CLEAR
    return Clearance.UNDECIDED


def _why(tests: Sequence[MarginTest], *, terms: ReachTerms) -> tuple[Doubt, ...]:
    """Return why p-values decide nothing: the interval, or too few clusters to decide ever."""
    smallest = max((test.wild.smallest_p for test in tests if test.wild is not None), default=0.0)
    if smallest > max(terms.alpha_clear, terms.alpha_fail):
        return (Doubt.FEW_CLUSTERS,)
    if smallest > min(terms.alpha_clear, terms.alpha_fail):
        return (Doubt.INTERVAL, Doubt.FEW_CLUSTERS)
    return (Doubt.INTERVAL,)


def unmade(nothing: Missing, *, terms: ReachTerms) -> Doubt:
    """Return why the test that should decide could not be made."""
    if nothing.reason is MissingReason.NOT_MEASURED:
        return Doubt.NOT_DECLARED
    return Doubt.INTERVAL if terms.generalise_to is GeneraliseTo.BLUEPRINT else Doubt.FEW_CLUSTERS


def _joint(candidate: Floats, references: Floats, *, layout: Layout, terms: ReachTerms) -> float:
    if layout.clusters is None:
        raise ValueError("a joint test needs clusters")
    margins = candidate[:, None] - float(terms.ratio) * references
    weighted = layout.weights[:, None] * margins
    sums = np.column_stack([layout.clusters.sums(column) for column in weighted.T])
    return joint_lower_tail(sums, layout.clusters.sums(layout.weights), seed=terms.seed)


def composite(
    references: Floats, layout: Layout, *, weight: float = 1.0, elsewhere: Floats | float = 0.0
) -> Floats:
    """Return, for each item, what the reference got that is best on all the other clusters.

    Args:
        references: Of each reference, shape `(items, references)`.
        layout: Of the items; without clusters each item is left out by itself.
        weight: Of these items among those of other benchmarks.
        elsewhere: What the references got on other benchmarks, weighted; shape `(references,)`.
    """
    groups = layout.clusters or layout.each_item
    weighted = layout.weights[:, None] * references
    inside = np.column_stack([groups.sums(column) for column in weighted.T])
    others = elsewhere + weight * (weighted.sum(axis=0) - inside)
    best = np.argmax(others, axis=1)
    chosen: Floats = references[np.arange(layout.items), best[groups.codes]]
    return chosen


def _changed(
    cells: Cells, layout: Layout, *, terms: ReachTerms, scale: Scale, verdict: Clearance
) -> int:
    """Return how many random completions give another verdict."""
    drawn = cells.completions(count=COMPLETIONS, seed=terms.seed)
    clusters = clusters_of(layout)
    by_clusters = terms.generalise_to is GeneraliseTo.NEW_CLUSTERS and layout.crossed is None
    if by_clusters and clusters is not None and needs_signs(clusters) and not terms.max_t:
        return _changed_by_signs(drawn, layout, terms=terms, verdict=verdict)
    lean = _lean(layout, terms=terms)
    found = (reading(values, lean, terms=terms, scale=scale) for values in drawn)
    return sum(each.verdict is not verdict for each in found)


def _changed_by_signs(
    drawn: Iterable[Values], layout: Layout, *, terms: ReachTerms, verdict: Clearance
) -> int:
    """Return the same where the wild bootstrap decides, all completions in one go."""
    clusters = layout.clusters or layout.each_item
    columns: list[Floats] = []
    for values in drawn:
        references = values.references
        if terms.mode is ReferenceMode.CROSSFIT:
            references = composite(references, layout)[:, None]
        margins = values.candidate[:, None] - float(terms.ratio) * references
        columns += [clusters.sums(layout.weights * column) for column in margins.T]
    p_clear, p_fail = wild_p_values(
        np.column_stack(columns), clusters.sums(layout.weights), seed=terms.seed
    )
    each = len(columns) // COMPLETIONS
    hardest = p_clear.reshape(COMPLETIONS, each).max(axis=1)
    surest = np.minimum(p_fail.reshape(COMPLETIONS, each).min(axis=1) * each, 1.0)
    return sum(
        verdict_of(float(one), float(other), terms=terms) is not verdict
        for one, other in zip(hardest, surest, strict=True)
    )


def _lean(layout: Layout, *, terms: ReachTerms) -> Layout:
    """Return the layout without what this verdict does not look at."""
    if terms.generalise_to is GeneraliseTo.NEW_CLUSTERS:
        return replace(layout, strata=None)
    if terms.generalise_to is not GeneraliseTo.BLUEPRINT or terms.max_t:
        return layout
    if terms.mode is ReferenceMode.CROSSFIT:
        return replace(layout, crossed=None)
    return replace(layout, clusters=None, crossed=None)


def _ordered(doubts: set[Doubt]) -> tuple[Doubt, ...]:
    return tuple(doubt for doubt in Doubt if doubt in doubts)
