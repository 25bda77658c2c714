"""How few items or clusters a point verdict rests on.

The smallest share whose removal turns the point verdict around is exact for a linear contrast:
what is furthest on the deciding side goes first. It is counted in integers, for the required
ratio 19/20 with 20 · right - 19 · right, because sums of binary numbers miscount near 0
(design/measurement 5.9). The three-way verdict is no sum: there the order of influence gives a
number that is enough, and what was removed is judged anew.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts.cells import Values
from dokja.evidence.statistics.contrasts.contrast import Ratio, Scale, ratio_of
from dokja.evidence.statistics.contrasts.layouts import Floats, Grouping, Layout, layout_of
from dokja.evidence.statistics.contrasts.readings import reading
from dokja.evidence.statistics.contrasts.terms import Clearance, ReachTerms
from dokja.values import Missing, MissingReason

__all__ = ["Fragility", "VerdictFragility", "fragility", "right_counts", "verdict_fragility"]

_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragility:
    """How few units decide on which side of the required ratio a point estimate lies.

    Attributes:
        reaches: Whether the ratio is at least what is required.
        units: How many units there are.
        removed: The fewest whose removal turns that around; `Missing` where no removal does.
        which: Their places, the most telling first.
    """

    reaches: bool
    units: int
    removed: int | Missing
    which: tuple[int, ...]

    @property
    def share(self) -> float | Missing:
        """Those that must go, as a share of all."""
        return self.removed if isinstance(self.removed, Missing) else self.removed / self.units


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictFragility:
    """A number of items whose removal changes the three-way verdict.

    Attributes:
        verdict: Before.
        removed: So many are enough, and one fewer in the same order is not; `Missing` where none
            up to the limit is enough.
        becomes: The verdict after.
        items: How many there are.
    """

    verdict: Clearance
    removed: int | Missing
    becomes: Clearance | None
    items: int


def fragility(
    candidate: NDArray[np.int64],
    reference: NDArray[np.int64],
    *,
    ratio: Ratio,
    groups: Grouping | None = None,
) -> Fragility:
    """Return the fewest items, or groups of items, that turn the point verdict around.

    Args:
        candidate: How often it was right on each item (`right_counts`), shape `(items,)`.
        reference: The same of the reference, out of as many epochs.
        ratio: What is required.
        groups: Whole clusters are removed instead of items.

    Raises:
        ValueError: Shapes differ or there is nothing.

    Example:
        >>> right = np.array([0, 1, 1, 1, 1]), np.array([1, 1, 1, 1, 0])
        >>> found = fragility(*right, ratio=".95")
        >>> found.reaches, found.removed, found.which
        (True, 1, (4,))
    """
    if candidate.shape != reference.shape or candidate.ndim != 1 or not candidate.size:
        raise ValueError(f"counts of shapes {candidate.shape} and {reference.shape} do not pair")
    required = ratio_of(ratio)
    pulls = required.denominator * candidate.astype(object) - required.numerator * (
        reference.astype(object)
    )
    if groups is not None:
        pulls = _group_sums(pulls, groups)
    total = sum(pulls)
    reaches = total >= 0
    order = sorted(range(len(pulls)), key=lambda one: (-pulls[one] if reaches else pulls[one], one))
    for removed, one in enumerate(order[:-1], start=1):
        total -= pulls[one]
        if (total >= 0) != reaches:
            return Fragility(
                reaches=reaches, units=len(pulls), removed=removed, which=tuple(order[:removed])
            )
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("removal",))
    return Fragility(reaches=reaches, units=len(pulls), removed=nothing, which=())


def right_counts(values: Floats, *, epochs: int) -> NDArray[np.int64] | Missing:
    """Return how often each item was right, from its mean over epochs.

    Returns:
        int64, the same shape; `Missing` where a graded score or a dropped epoch makes the mean no
        whole number of epochs.

    Example:
        >>> right_counts(np.array([0.5, 1.0]), epochs=2).tolist()
        [1, 2]
    """
    scaled = values * epochs
    whole = np.rint(scaled)
    if not (np.abs(scaled - whole) <= _CLOSE).all():
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("graded",))
    return whole.astype(np.int64)


def verdict_fragility(
    values: Values,
    layout: Layout,
    *,
    terms: ReachTerms,
    limit: int | None = None,
    scale: Scale = (0.0, 1.0),
) -> VerdictFragility:
    """Return how many items, in the order of their influence, change the three-way verdict.

    Influence is that on the margin to the hardest reference. Both orders are tried, for and
    against the candidate, and each number is found by doubling and halving on verdicts that are
    made anew from the items that are left. It is an upper bound of the smallest number.

    Args:
        values: Of the candidate and each reference.
        layout: Of the items.
        terms: What was registered.
        limit: Not more than so many are removed; None for half of the items.
        scale: Least and greatest value of an item.
    """
    before = reading(values, layout, terms=terms, scale=scale).verdict
    most = min(layout.items // 2 if limit is None else limit, layout.items - 1)
    margins = values.candidate[:, None] - float(terms.ratio) * values.references
    hardest = int(np.argmin(layout.weights @ margins))
    pulls = layout.weights * margins[:, hardest]
    found: list[tuple[int, Clearance]] = []
    for order in (np.argsort(pulls, kind="stable"), np.argsort(-pulls, kind="stable")):

        def after(count: int, order: NDArray[np.int64] = order) -> Clearance:
            left = np.sort(order[count:])
            rest = Values(candidate=values.candidate[left], references=values.references[left])
            return reading(rest, _rest(layout, left), terms=terms, scale=scale).verdict

        count = _first_change(after, before, most=most)
        if count is not None:
            found.append((count, after(count)))
    if not found:
        nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("removal",))
        return VerdictFragility(verdict=before, removed=nothing, becomes=None, items=layout.items)
    removed, becomes = min(found, key=lambda one: one[0])
    return VerdictFragility(verdict=before, removed=removed, becomes=becomes, items=layout.items)


def _first_change(after: Callable[[int], Clearance], before: Clearance, *, most: int) -> int | None:
    """Return a count at which the verdict has changed and one fewer at which it has not."""
    same, changed = 0, 1
    while changed <= most and after(changed) is before:
        same, changed = changed, 2 * changed
    if changed > most:
        if same == most or after(most) is before:
            return None
        changed = most
    while changed - same > 1:
        middle = (same + changed) // 2
        same, changed = (middle, changed) if after(middle) is before else (same, middle)
    return changed


def _rest(layout: Layout, left: NDArray[np.int64]) -> Layout:
    def kept(groups: Grouping | None) -> NDArray[np.int64] | None:
        return None if groups is None else groups.codes[left]

    return layout_of(
        len(left),
        weights=layout.weights[left],
        strata=kept(layout.strata),
        clusters=kept(layout.clusters),
        crossed=kept(layout.crossed),
    )


def _group_sums(pulls: NDArray[np.object_], groups: Grouping) -> NDArray[np.object_]:
    sums = np.zeros(groups.count, dtype=object)
    for group, pull in zip(groups.codes, pulls, strict=True):
        sums[group] += pull
    return sums
