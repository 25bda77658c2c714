"""Many forms out of one: the means of all systems on items, or clusters, drawn with replacement.

What is drawn is drawn for all systems at once, so that what they have in common stays. A draw is
not a list of rows but how often each row came up, and many draws are one product of matrices:
a bootstrap of thirty systems on tens of thousands of items takes seconds (design/measurement 8).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts.layouts import Floats, Grouping, Layout, joined
from dokja.evidence.statistics.contrasts.spreads import Basis
from dokja.evidence.statistics.streams import uniforms

__all__ = ["resampled_means", "subsampled_means"]

_BLOCK = 2_000_000  # drawn rows that are held at once: some tens of megabytes
_SPARE = 32  # so that a draw of very few has enough to choose from
_BLUEPRINT = {Basis.STRATA, Basis.CLUSTERS_IN_STRATA}


def resampled_means(
    values: Floats, layout: Layout, *, basis: Basis, draws: int, seed: int
) -> Floats:
    """Return the weighted means of all systems in each draw.

    Args:
        values: float64, shape `(items, systems)`.
        layout: Of the items.
        basis: What is drawn: items, items of the same strata, clusters, or clusters of the same
            strata. Strata of one unit are joined, as in `spread`.
        draws: How many.
        seed: Names the stream.

    Returns:
        float64, shape `(draws, systems)`.

    Raises:
        ValueError: The layout lacks what is to be drawn, two crossed clusterings are asked for,
            or shapes do not fit.

    Example:
        >>> from dokja.evidence.statistics.contrasts.layouts import layout_of
        >>> same = np.ones((5, 2))
        >>> resampled_means(same, layout_of(5), basis=Basis.ITEMS, draws=2, seed=1).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    if values.ndim != 2 or len(values) != layout.items:  # noqa: PLR2004  # items and systems
        raise ValueError(f"values of shape {values.shape} do not fit {layout.items} items")
    units = _units(layout, basis=basis)
    weighted = np.column_stack([layout.weights[:, None] * values, layout.weights])
    if units is None:
        sums = weighted
    else:
        sums = np.column_stack([units.sums(column) for column in weighted.T])
    strata = _strata_of(units, layout) if basis in _BLUEPRINT else None
    means = np.empty((draws, values.shape[1]))
    done = 0
    for counts in _counts(len(sums), strata, draws=draws, seed=seed):
        drawn = counts @ sums
        means[done : done + len(counts)] = drawn[:, :-1] / drawn[:, -1:]
        done += len(counts)
    return means


def subsampled_means(values: Floats, *, size: int, draws: int, seed: int) -> Floats:
    """Return the means of all systems on so many items drawn without replacement.

    It answers "what would a suite of this size have said?" where the items at hand are taken for
    all there are.

    Args:
        values: float64, shape `(items, systems)`.
        size: How many items each draw has, from 1 to all.
        draws: How many.
        seed: Names the stream.

    Raises:
        ValueError: A size that cannot be drawn.
    """
    items = len(values)
    if not 1 <= size <= items:
        raise ValueError(f"{size} of {items} items cannot be drawn")
    means = np.empty((draws, values.shape[1]))
    for draw in range(draws):
        chosen = _chosen(items, size=size, seed=seed, label=f"subsample/{size}/{draw}")
        means[draw] = values[chosen].mean(axis=0)
    return means


def _chosen(items: int, *, size: int, seed: int, label: str) -> NDArray[np.int64]:
    """Return the places of so many different items, drawn without replacement."""
    if size * 4 <= items:
        # Few of many: a place that comes up again is passed over, which is the same draw.
        spare = _SPARE + 2 * size * size // items  # about four times as many as come up again
        drawn = (uniforms(seed, label, count=size + spare) * items).astype(np.int64)
        places = np.arange(len(drawn))
        earliest = np.empty(items, dtype=np.int64)
        earliest[drawn[::-1]] = places[::-1]
        new: NDArray[np.int64] = drawn[earliest[drawn] == places]
        if len(new) >= size:
            return new[:size]
    order = uniforms(seed, f"{label}/order", count=items)
    return np.argpartition(order, size - 1)[:size].astype(np.int64)


def _units(layout: Layout, *, basis: Basis) -> Grouping | None:
    """Return the clusters that are drawn, or None where items are."""
    match basis:
        case Basis.ITEMS | Basis.STRATA:
            return None
        case Basis.CLUSTERS | Basis.CLUSTERS_IN_STRATA:
            if layout.clusters is None:
                raise ValueError("clusters are to be drawn and there are none")
            if basis is Basis.CLUSTERS or layout.strata is None:
                return layout.clusters
            return layout.clusters.within(layout.strata)
        case Basis.TWO_WAY:
            raise ValueError("two crossed clusterings cannot be drawn at once")


def _strata_of(units: Grouping | None, layout: Layout) -> NDArray[np.int64]:
    if layout.strata is None:
        raise ValueError("the blueprint is to stay, and there are no strata")
    return joined(units or layout.each_item, layout.strata)[0]


def _counts(
    units: int, strata: NDArray[np.int64] | None, *, draws: int, seed: int
) -> Iterator[Floats]:
    """Yield how often each unit came up in each draw, in blocks of draws."""
    order, start, size = _places(units, strata)
    block = max(1, _BLOCK // units)
    for number, first in enumerate(range(0, draws, block)):
        count = min(block, draws - first)
        drawn = uniforms(seed, f"bootstrap/{number}", count=count * units).reshape(count, units)
        drawn *= size
        rows = drawn.astype(np.int64)
        rows += start
        if order is not None:
            rows = order[rows]
        rows += (np.arange(count) * units)[:, None]
        found = np.bincount(rows.ravel(), minlength=count * units)
        yield found.reshape(count, units).astype(np.float64)


def _places(
    units: int, strata: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | int, Floats | float]:
    """Return where the stratum of each unit starts in an order by strata, and its size."""
    if strata is None:
        return None, 0, float(units)
    order = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of_place = strata[order]
    return order.astype(np.int64), starts[of_place].astype(np.int64), sizes[of_place].astype(float)
