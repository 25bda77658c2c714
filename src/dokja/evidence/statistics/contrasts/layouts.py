"""How the items of a contrast hang together: their weights, their strata and their clusters.

A stratum is a part of the blueprint: another form would have the same strata with other items.
A cluster is a thing that was drawn: another form would have other clusters. Which of the two a
subject is, a rulebook says; here both can be laid over the same items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Grouping", "Labels", "Layout", "joined", "layout_of", "without"]

Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = Sequence[str] | Sequence[int] | NDArray[np.str_] | NDArray[np.int64]

_LEAST = 2  # units that can differ from each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Which group each item lies in.

    Attributes:
        codes: The group of each item, 0 to `count` - 1; int64, shape `(items,)`.
        names: Of the groups, sorted.
    """

    codes: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many groups there are."""
        return len(self.names)

    def sums(self, values: Floats) -> Floats:
        """Return the sum of the values of each group, shape `(count,)`."""
        found = np.bincount(self.codes, weights=values, minlength=self.count)
        return found.astype(np.float64, copy=False)

    def within(self, other: "Grouping") -> "Grouping":
        """Return these groups cut at the borders of others: a group for each pair that occurs."""
        keys, codes = np.unique(other.codes * self.count + self.codes, return_inverse=True)
        names = (f"{other.names[key // self.count]}/{self.names[key % self.count]}" for key in keys)
        return Grouping(codes=codes.astype(np.int64), names=tuple(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the items of a contrast weigh and where they lie. Made by `layout_of`.

    Attributes:
        weights: Of the items, at least 0 each, 1 in all; float64, shape `(items,)`.
        strata: The blueprint's parts; None where there is no blueprint.
        clusters: What was drawn together; None where nothing is known of it.
        crossed: A second clustering that lies across the first; None for most suites.
    """

    weights: Floats
    strata: Grouping | None = None
    clusters: Grouping | None = None
    crossed: Grouping | None = None

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.weights)

    @property
    def each_item(self) -> Grouping:
        """The grouping in which every item stands alone."""
        return Grouping(codes=np.arange(self.items, dtype=np.int64), names=("",) * self.items)


def layout_of(
    items: int,
    *,
    weights: Floats | None = None,
    strata: Labels | None = None,
    clusters: Labels | None = None,
    crossed: Labels | None = None,
) -> Layout:
    """Return the layout of so many items.

    Args:
        items: How many, at least 1.
        weights: At least 0 each, not all 0; scaled to add up to 1. None for equal weights.
        strata: A label for each item.
        clusters: A label for each item.
        crossed: A label for each item; only together with `clusters`.

    Raises:
        ValueError: No item, a length that does not fit, weights that are negative, not finite or
            all 0, or crossed clusters without clusters.

    Example:
        >>> found = layout_of(4, clusters=["sums", "sums", "jamo", "jamo"])
        >>> found.clusters.names, found.weights.tolist()
        (('jamo', 'sums'), [0.25, 0.25, 0.25, 0.25])
    """
    if items < 1:
        raise ValueError("a contrast needs at least one item")
    if crossed is not None and clusters is None:
        raise ValueError("crossed clusters need clusters that they lie across")
    raw = np.ones(items) if weights is None else np.asarray(weights, dtype=np.float64)
    if raw.shape != (items,):
        raise ValueError(f"weights of shape {raw.shape} do not fit {items} items")
    if not np.isfinite(raw).all() or (raw < 0).any() or not raw.any():
        raise ValueError("weights must be finite, at least 0, and not all 0")
    return Layout(
        weights=raw / raw.sum(),
        strata=_grouping(strata, items=items),
        clusters=_grouping(clusters, items=items),
        crossed=_grouping(crossed, items=items),
    )


def without(layout: Layout, kept: NDArray[np.bool_]) -> tuple[Layout, float]:
    """Return the layout of the items that are kept, and what share of the weight has no heir.

    What a dropped item weighed goes to the items of its own stratum, because drops are rarely at
    random across strata: the blueprint stays what it was. A stratum that is gone altogether has
    no heir, and its weight is lost. Without strata all items are one stratum.

    Args:
        layout: Of all items.
        kept: bool, shape `(items,)`.

    Raises:
        ValueError: Nothing that weighs anything is kept.

    Example:
        >>> whole = layout_of(4, strata=["a", "a", "b", "b"])
        >>> rest, lost = without(whole, np.array([True, False, True, True]))
        >>> rest.weights.tolist(), lost
        ([0.5, 0.25, 0.25], 0.0)
    """
    weights = layout.weights
    if not weights[kept].any():
        raise ValueError("nothing that weighs anything is kept")
    if layout.strata is None:
        scaled, lost = weights * kept, 0.0
    else:
        before = layout.strata.sums(weights)
        after = layout.strata.sums(weights * kept)
        factor = np.divide(before, after, out=np.zeros_like(before), where=after > 0)
        scaled = weights * kept * factor[layout.strata.codes]
        lost = float(before[after == 0].sum())
    groupings = [
        None if each is None else _grouping(np.array(each.names)[each.codes[kept]], items=None)
        for each in (layout.strata, layout.clusters, layout.crossed)
    ]
    rest = Layout(
        weights=scaled[kept] / scaled.sum(),
        strata=groupings[0],
        clusters=groupings[1],
        crossed=groupings[2],
    )
    return rest, lost


def joined(units: Grouping, strata: Grouping) -> tuple[NDArray[np.int64], int]:
    """Return the stratum of each unit with strata of one unit joined, and how many were joined.

    One unit shows no spread. Strata of one are put together; a single such stratum is put to the
    smallest of the others. That makes the error larger rather than smaller (Cochran, Sampling
    Techniques, 5A.12, "collapsed strata").

    Args:
        units: Items or clusters, each of which lies in one stratum.
        strata: Of the items.

    Returns:
        A stratum for each unit, int64, shape `(units,)`.
    """
    of_unit = np.zeros(units.count, dtype=np.int64)
    of_unit[units.codes] = strata.codes
    sizes = np.bincount(of_unit, minlength=strata.count)
    single = np.flatnonzero(sizes == 1)
    if not len(single):
        return of_unit, 0
    heir = single[0]
    others = np.flatnonzero(sizes >= _LEAST)
    if len(single) == 1 and len(others):
        heir = others[np.argmin(sizes[others])]
    of_unit[np.isin(of_unit, single)] = heir
    return of_unit, len(single)


def _grouping(labels: Labels | None, *, items: int | None) -> Grouping | None:
    if labels is None:
        return None
    array = np.asarray(labels)
    if items is not None and array.shape != (items,):
        raise ValueError(f"labels of shape {array.shape} do not fit {items} items")
    names, codes = np.unique(array, return_inverse=True)
    return Grouping(codes=codes.astype(np.int64), names=tuple(str(name) for name in names))
