"""Whether the frontier moved, the ruler moved, or an endpoint changed: three findings.

References are asked the same anchor items at every stage, and some anchors twice within a run.
When the same reference answers differently more often than it differs from itself within a run, its
endpoint changed. When all references shift the same way, whichever of them is left out, the ruler
moved: items leaked, a template or a scorer is another one. When a newcomer lies above every
returning reference on the same anchors in the same window, the frontier moved. Each is tested on
its own, each names the smallest change that it would have seen, and none is inferred from another.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.statistics.contrasts import Basis, Layout, Spread, spread, without
from dokja.evidence.statistics.counts import mcnemar, mcnemar_more
from dokja.evidence.statistics.identity.changes import smallest_change
from dokja.evidence.statistics.identity.stages import (
    DriftFinding,
    DriftKind,
    DriftReport,
    Newcomer,
    Revisit,
    Shift,
)
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.multiplicity import holm
from dokja.evidence.statistics.student import student_quantile, student_share_below
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["drift"]

_POWER = 0.8
_FEWEST_TO_TELL = 3  # of two that part, nobody knows which one moved


@dataclass(frozen=True, slots=True)
class _Test:
    change: Estimate
    p: float  # two-sided
    smallest: float
    df: int


def drift(
    revisits: Sequence[Revisit],
    newcomers: Sequence[Newcomer] = (),
    *,
    layout: Layout,
    level: float = 0.05,
) -> DriftReport:
    """Return what moved between two stages.

    Tests of one kind are held together by Holm's rule. With one returning reference the ruler and
    its endpoint cannot be told apart, and `holds` is None for the ruler. Where the ruler moved, an
    endpoint is held against the other references instead of against itself; that takes three.

    Args:
        revisits: The returning references, at least one.
        newcomers: Systems that are new on the list.
        layout: Of the anchors; with clusters these are what could have been others.
        level: Of each kind of finding, in (0, 1).

    Raises:
        NotComparableError: No anchor was answered by all references at both stages.
        ValueError: No reference, a label that stands twice, or shapes that do not fit.
    """
    check_level(level)
    _check(revisits, newcomers, layout=layout)
    shared = np.logical_and.reduce([each.met for each in revisits])
    if int(shared.sum()) < 2:  # noqa: PLR2004  # a spread needs a pair
        raise NotComparableError("fewer than two anchors were answered by all references twice")
    scored = np.array([np.where(shared, r.later_scores - r.earlier_scores, 0.0) for r in revisits])
    where = _Where(layout, shared)
    shifts = tuple(_shift(each) for each in revisits)
    ruler = _ruler(revisits, scored, where=where, level=level)
    relative = bool(ruler.holds) and len(revisits) >= _FEWEST_TO_TELL
    endpoints = (
        _against_others(revisits, scored, where=where, level=level)
        if relative
        else _against_themselves(shifts, level=level)
    )
    frontier = _frontier(revisits, newcomers, where=where, level=level)
    return DriftReport(findings=(ruler, *endpoints, *frontier), shifts=shifts, level=level)


@dataclass(frozen=True, slots=True)
class _Where:
    """The anchors that count, and how they hang together."""

    layout: Layout
    shared: NDArray[np.bool_]

    def tested(self, differences: NDArray[np.float64], *, level: float) -> _Test | None:
        """Return the t test of a mean difference over the shared anchors; None without spread."""
        basis = Basis.ITEMS if self.layout.clusters is None else Basis.CLUSTERS
        inner, _ = without(self.layout, self.shared)
        found = spread(differences[self.shared], inner, basis=basis)
        if not isinstance(found, Spread):
            return None
        value, error = float(inner.weights @ differences[self.shared]), found.standard_error
        if error > 0:
            p = 2 * student_share_below(-abs(value) / error, df=found.df)
        else:
            p = 1.0 if value == 0 else 0.0
        half = student_quantile(1 - level / 2, df=found.df) * error
        change = Estimate(
            value=value,
            low=value - half,
            high=value + half,
            level=1 - level,
            standard_error=error,
            rests_on=((basis.value, found.units), ("anchors", int(self.shared.sum()))),
            method="mean change, t",
        )
        smallest = half + NormalDist().inv_cdf(_POWER) * error
        return _Test(change, p, smallest, found.df)


def _check(revisits: Sequence[Revisit], newcomers: Sequence[Newcomer], *, layout: Layout) -> None:
    labels = [each.label for each in revisits] + [each.label for each in newcomers]
    if not revisits or len(set(labels)) < len(labels):
        raise ValueError("drift needs a returning reference, and every label once")
    shape = (layout.items,)
    for each in revisits:
        arrays = (each.earlier, each.later, each.again, each.earlier_scores, each.later_scores)
        if any(array.shape != shape for array in arrays):
            raise ValueError(f"{each.label}: answers do not fit {layout.items} anchors")
    if any(each.scores.shape != shape for each in newcomers):
        raise ValueError(f"a newcomer's scores do not fit {layout.items} anchors")


def _shift(revisit: Revisit) -> Shift:
    met, recurring = revisit.met, revisit.met & (revisit.again >= 0)
    change = revisit.later_scores - revisit.earlier_scores
    gained, lost = int((met & (change > 0)).sum()), int((met & (change < 0)).sum())
    changed = recurring & (revisit.later != revisit.earlier)
    wavered = recurring & (revisit.later != revisit.again)
    changed_only = int((changed & ~wavered).sum())
    wavered_only = int((wavered & ~changed).sum())
    return Shift(
        label=revisit.label,
        gained=gained,
        lost=lost,
        p_level=mcnemar(gained, lost),
        changed_only=changed_only,
        wavered_only=wavered_only,
        p_changed=mcnemar_more(changed_only, wavered_only) if recurring.any() else None,
        anchors=int(met.sum()),
        recurring=int(recurring.sum()),
    )


def _ruler(
    revisits: Sequence[Revisit], changes: NDArray[np.float64], *, where: _Where, level: float
) -> DriftFinding:
    """Return whether all shift together, whichever reference is left out."""
    about = tuple(each.label for each in revisits)
    whole = where.tested(changes.mean(axis=0), level=level)
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("references",))
    left_out = [
        where.tested(np.delete(changes, n, axis=0).mean(axis=0), level=level)
        for n in range(len(changes))
        if len(changes) > 1
    ]
    tests = [each for each in left_out if each is not None]
    if whole is None or not tests or len(tests) < len(left_out):
        return DriftFinding(
            kind=DriftKind.RULER_MOVED,
            about=about,
            holds=None,
            adjusted=None,
            change=nothing if whole is None else whole.change,
            smallest=None,
        )
    same_way = len({math.copysign(1, each.change.value) for each in tests}) == 1
    p = max(each.p for each in tests) if same_way else 1.0
    return DriftFinding(
        kind=DriftKind.RULER_MOVED,
        about=about,
        holds=p <= level,
        adjusted=p,
        change=whole.change,
        smallest=max(each.smallest for each in tests),
    )


def _against_themselves(shifts: Sequence[Shift], *, level: float) -> list[DriftFinding]:
    """Return which endpoints answer differently beyond what a run differs from itself."""
    told = [(each, each.p_changed) for each in shifts if each.p_changed is not None]
    adjusted = dict(zip((each.label for each, _ in told), _held([p for _, p in told]), strict=True))
    findings = []
    for each in shifts:
        p = adjusted.get(each.label)
        beyond: Measured = Missing(reason=MissingReason.NOT_MEASURED, what=("repeats",))
        if each.recurring:
            beyond = _beyond(each, level=level)
        findings.append(
            DriftFinding(
                kind=DriftKind.ENDPOINT_CHANGED,
                about=(each.label,),
                holds=None if p is None else p <= level,
                adjusted=p,
                change=beyond,
                smallest=smallest_change(
                    each.recurring, wavered=each.wavered_only, level=level / max(len(told), 1)
                ),
            )
        )
    return findings


def _beyond(shift: Shift, *, level: float) -> Estimate:
    """Return by how much more answers change between stages than within a run (paired shares)."""
    n, more, less = shift.recurring, shift.changed_only, shift.wavered_only
    value = (more - less) / n
    # Half a pair more on either side keeps a width where nothing at all changed (Agresti, Min 2005)
    padded_more, padded_less, padded = more + 0.5, less + 0.5, n + 2
    middle = (padded_more - padded_less) / padded
    error = math.sqrt((padded_more + padded_less) / padded - middle**2) / math.sqrt(padded)
    half = NormalDist().inv_cdf(1 - level / 2) * error
    return Estimate(
        value=value,
        low=min(middle - half, value),
        high=max(middle + half, value),
        level=1 - level,
        standard_error=error,
        rests_on=(("recurring anchors", n),),
        method="difference of paired shares, agresti-min",
    )


def _against_others(
    revisits: Sequence[Revisit], changes: NDArray[np.float64], *, where: _Where, level: float
) -> list[DriftFinding]:
    """Return which references shift otherwise than the rest, where all of them shift."""
    tests = [
        where.tested(changes[n] - np.delete(changes, n, axis=0).mean(axis=0), level=level)
        for n in range(len(changes))
    ]
    told = [each for each in tests if each is not None]
    adjusted = iter(_held([each.p for each in told]))
    findings = []
    for revisit, test in zip(revisits, tests, strict=True):
        p = None if test is None else next(adjusted)
        nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("anchors",))
        findings.append(
            DriftFinding(
                kind=DriftKind.ENDPOINT_CHANGED,
                about=(revisit.label,),
                holds=None if p is None else p <= level,
                adjusted=p,
                change=nothing if test is None else test.change,
                smallest=None if test is None else test.smallest,
            )
        )
    return findings


def _frontier(
    revisits: Sequence[Revisit], newcomers: Sequence[Newcomer], *, where: _Where, level: float
) -> list[DriftFinding]:
    """Return which newcomers lie above every returning reference on the same anchors, now."""
    best = max(revisits, key=lambda each: float(each.later_scores[where.shared].mean()))
    found: list[tuple[Newcomer, _Test, float]] = []
    for new in newcomers:
        tests = [where.tested(new.scores - each.later_scores, level=level) for each in revisits]
        beside = where.tested(new.scores - best.later_scores, level=level)
        if beside is None or any(test is None for test in tests):
            continue
        worst = max(_above(test) for test in tests if test is not None)
        found.append((new, beside, worst))
    adjusted = _held([worst for _, _, worst in found])
    return [
        DriftFinding(
            kind=DriftKind.FRONTIER_MOVED,
            about=(new.label, best.label),
            holds=p <= level,
            adjusted=p,
            change=beside.change,
            smallest=beside.smallest,
        )
        for (new, beside, _), p in zip(found, adjusted, strict=True)
    ]


def _above(test: _Test) -> float:
    """Return the one-sided p-value that the mean is not above 0."""
    return test.p / 2 if test.change.value > 0 else 1 - test.p / 2


def _held(p: Sequence[float]) -> list[float]:
    return [10.0**log for log in holm([math.log10(max(one, 1e-300)) for one in p])]
