"""What one set of values says about a frontier: each reference, every basis, one verdict.

A candidate clears if the p-value against "it does not reach the ratio" is small enough for every
reference (an intersection-union test: Berger 1982; no correction, no bias from picking the best),
and does not clear if that against "it reaches the ratio" is small enough for some reference, after
Bonferroni or jointly. Else it is undecided (design/measurement 5.4, 5.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Values
from dokja.evidence.statistics.contrasts.contrast import Contrast, MarginTest, Scale, contrast
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.spreads import Basis
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
)
from dokja.evidence.statistics.contrasts.wild import joint_lower_tail
from dokja.values import Missing, MissingReason

__all__ = ["Reading", "composite", "reading", "unmade", "verdict_of"]


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
    if len(tests) < len(found):
        nothing = next(each for each in found if isinstance(each, Missing))
        return Reading(
            verdict=Clearance.UNDECIDED,
            doubts=(unmade(nothing, terms=terms),),
            ratio=_hardest_ratio(contrasts),
            p_clear=nothing,
            p_fail=nothing,
            contrasts=contrasts,
        )
    p_clear = max(test.p_clear for test in tests)
    p_fail = min(1.0, len(tests) * min(test.p_fail for test in tests))
    if terms.max_t and len(tests) > 1 and basis is Basis.CLUSTERS:
        p_fail = _joint(values.candidate, references, layout=layout, terms=terms)
    verdict = verdict_of(p_clear, p_fail, terms=terms)
    return Reading(
        verdict=verdict,
        doubts=_why(tests, terms=terms) if verdict is Clearance.UNDECIDED else (),
        ratio=_hardest_ratio(contrasts),
        p_clear=p_clear,
        p_fail=p_fail,
        contrasts=contrasts,
    )


def _hardest_ratio(contrasts: Sequence[Contrast]) -> float | Missing:
    """Return the ratio to the best reference."""
    known = [each.ratio for each in contrasts if isinstance(each.ratio, float)]
    if known:
        return min(known)
    return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))


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
    # *Does not clear* is asked of every reference in turn, and pays for it; a joint test does not.
    tried = 1 if terms.max_t else len(tests)
    never = (smallest > terms.alpha_clear, tried * smallest > terms.alpha_fail)
    if all(never):
        return (Doubt.FEW_CLUSTERS,)
    return (Doubt.INTERVAL, Doubt.FEW_CLUSTERS) if any(never) else (Doubt.INTERVAL,)


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
