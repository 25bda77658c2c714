"""Clears, does not clear, or undecided: a verdict that errs only as often as it says.

What the registered view says is read off its p-values (`readings`). What is not known must not be
able to change the answer: if it can, the verdict is undecided, however clear the registered view
is, and so it is where the caller has a doubt of its own (design/measurement 5.5). Ties are never
broken here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from dokja.evidence.statistics.contrasts.cells import Cells, Values
from dokja.evidence.statistics.contrasts.contrast import Scale, needs_signs
from dokja.evidence.statistics.contrasts.layouts import Floats, Layout
from dokja.evidence.statistics.contrasts.readings import Reading, composite, reading, verdict_of
from dokja.evidence.statistics.contrasts.spreads import Basis, clusters_of
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
)
from dokja.evidence.statistics.contrasts.wild import wild_p_values
from dokja.values import Missing

__all__ = ["COMPLETIONS", "Reach", "reach", "unmeasured"]

COMPLETIONS = 200
"""How many completions between the worst and the best are tried."""

_SHRUNK = 0.01  # of the weight: a domain that lost more is another domain


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
    ends = _ends(cells, layout, terms=terms, scale=scale, first=first)
    found = {*doubts, *first.doubts}
    if dropped_weight > _SHRUNK:
        found.add(Doubt.DOMAIN_SHRUNK)
    if ends.differ:
        found.add(Doubt.FAULTS)
    return Reach(
        verdict=Clearance.UNDECIDED if found else first.verdict,
        doubts=_ordered(found),
        terms=terms,
        basis=basis,
        names=cells.names,
        registered=first,
        worst=ends.worst,
        best=ends.best,
        open_candidate=cells.open_candidate,
        open_references=cells.open_references,
        completions=ends.tried,
        changed=ends.changed,
        dropped_weight=dropped_weight,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """What open outcomes do to a verdict; nothing where none is open."""

    worst: Reading | None = None
    best: Reading | None = None
    tried: int = 0
    changed: int = 0
    differ: bool = False


def _ends(
    cells: Cells, layout: Layout, *, terms: ReachTerms, scale: Scale, first: Reading
) -> _Ends:
    """Return both ends, and the completions between where the ends agree."""
    if not (cells.open_candidate or cells.open_references):
        return _Ends()
    worst = reading(cells.worst, layout, terms=terms, scale=scale)
    best = reading(cells.best, layout, terms=terms, scale=scale)
    if not worst.verdict is best.verdict is first.verdict:
        return _Ends(worst=worst, best=best, differ=True)
    changed = _changed(cells, layout, terms=terms, scale=scale, verdict=first.verdict)
    return _Ends(worst=worst, best=best, tried=COMPLETIONS, changed=changed, differ=changed > 0)


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
    if terms.generalise_to is GeneraliseTo.BLUEPRINT and terms.mode is not ReferenceMode.CROSSFIT:
        return replace(layout, clusters=None, crossed=None)
    return layout


def _ordered(doubts: set[Doubt]) -> tuple[Doubt, ...]:
    return tuple(doubt for doubt in Doubt if doubt in doubts)
