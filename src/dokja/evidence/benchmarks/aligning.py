"""Which rows of different systems are answers to the same item.

Where an id identifies the item, rows of one id are one item, unless a system has the id twice with
different keys: then they are two, told apart by the key, and never one. Where nothing identifies
it, only the sequence of right answers within each category can agree; agreement is evidence, not
proof, and a system whose sequence differs is not paired at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.folding import folded
from dokja.evidence.benchmarks.rows import Column, Rows

__all__ = ["Alignment", "align_by_id", "align_by_order", "colliding"]

_UNPAIRED = -1
_TWO_WAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Which item each row answers.

    Attributes:
        items: Keys, each once.
        places: The item of each row, or -1 for the rows of a system that is not paired; intp.
        occurrences: The how-manieth row of its system for this item and epoch it is, from 0; intp.
        how: By system, in the rows' numbering: `id`, `raw`, `sorted`, `gaps` or `none`.
        differing: By system that is not paired, at how many positions its right answers differ
            from the reference's, and how many more or fewer rows it has.
    """

    items: tuple[str, ...]
    places: NDArray[np.intp]
    occurrences: NDArray[np.intp]
    how: tuple[str, ...]
    differing: Mapping[int, tuple[int, int]]


def align_by_id(rows: Rows, *, reference: int) -> Alignment:
    """Return the items that ids tell apart.

    An id that some system has twice with different keys becomes `id#1`, `id#2`, by key, in the
    order in which the reference has them. Items stand in the reference's order, others after it.

    Args:
        rows: Rows with ids.
        reference: The system whose order of items is taken.

    Raises:
        ValueError: The rows have no ids.
    """
    if rows.items is None:
        raise ValueError("rows without ids cannot be aligned by them")
    first = np.concatenate(
        [rows.of_system(reference), np.flatnonzero(rows.systems.codes != reference)]
    )
    keys = _keys(rows)
    names: dict[tuple[int, int], str] = {}
    twice = colliding(rows)
    if twice:
        seen: dict[int, list[int]] = {}
        for row in first[np.isin(rows.items.codes[first], sorted(twice))].tolist():
            item, key = int(rows.items.codes[row]), int(keys[row])
            known = seen.setdefault(item, [])
            if key not in known:
                known.append(key)
                names[item, key] = f"{rows.items.names[item]}#{len(known)}"
    width = int(keys.max(initial=0)) + 2
    told_apart = np.zeros(len(rows.items.names) + 1, dtype=np.bool_)
    told_apart[sorted(twice)] = True
    joined = rows.items.codes.astype(np.int64) * width
    joined += np.where(told_apart[rows.items.codes], keys + 1, 0)
    places, order = _by_first(joined, first)
    labels = []
    for value in order.tolist():
        item, key = divmod(value, width)
        labels.append(names.get((item, key - 1), rows.items.names[item]))
    return Alignment(
        items=tuple(labels),
        places=places,
        occurrences=_occurrences(rows, places),
        how=("id",) * len(rows.systems.names),
        differing={},
    )


def colliding(rows: Rows) -> frozenset[int]:
    """Return the ids, by code, that some system has twice with different keys or contents."""
    if rows.items is None or (rows.keys is None and rows.contents is None):
        return frozenset()
    pairs = rows.systems.codes.astype(np.int64) * (len(rows.items.names) + 1) + rows.items.codes
    if rows.epochs is not None:
        pairs = pairs * (int(rows.epochs.max(initial=0)) + 1) + rows.epochs
    order = np.lexsort((_keys(rows), pairs))
    same = pairs[order][1:] == pairs[order][:-1]
    other = _keys(rows)[order][1:] != _keys(rows)[order][:-1]
    return frozenset(rows.items.codes[order][1:][same & other].tolist())


def _keys(rows: Rows) -> NDArray[np.int64]:
    """Return what tells two rows of one id apart: the key, and the content where it is known."""
    found = np.zeros(len(rows), dtype=np.int64)
    for column in (rows.keys, rows.contents):
        if column is not None:
            found = found * (len(column.names) + 1) + column.codes + 1
    return found


def _by_first(
    values: NDArray[np.int64], first: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return a number for each value, in the order of their first row, and the values so."""
    unique, starts, inverse = np.unique(values[first], return_index=True, return_inverse=True)
    order = np.argsort(starts)
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    places = np.empty(len(values), dtype=np.intp)
    places[first] = ranks[inverse]
    return places, unique[order]


def _occurrences(rows: Rows, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the how-manieth row of its system, item and epoch each row is."""
    epochs = rows.epochs if rows.epochs is not None else np.zeros(len(rows), dtype=np.int32)
    order = np.lexsort((np.arange(len(rows)), epochs, places, rows.systems.codes))
    keys = np.stack([rows.systems.codes[order], places[order], epochs[order]])
    starts = np.ones(len(rows), dtype=np.bool_)
    starts[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    numbers = np.arange(len(rows))
    found = np.empty(len(rows), dtype=np.intp)
    found[order] = numbers - np.maximum.accumulate(np.where(starts, numbers, 0))
    return found


def align_by_order(rows: Rows, *, reference: int, batch: int) -> Alignment:
    """Return the items that the reference's order makes, and who has the same order.

    A system is paired if in every category, folded, its right answers follow each other as the
    reference's do; either at once, or after a stable sorting by category, or after whole batches
    of the reference's rows are left out, if that can be done in one way only.

    Args:
        rows: Rows with keys.
        reference: The system that others are laid beside.
        batch: How many rows a batch has, counted from the start of each category; 0 for none.

    Raises:
        ValueError: The rows have no keys.
    """
    if rows.keys is None:
        raise ValueError("rows without keys cannot be aligned by their order")
    strata = (rows.categories or Column.of([""] * len(rows))).renamed({})
    spelt = strata
    strata = strata.renamed({name: folded(name) for name in strata.names})
    own = rows.of_system(reference)
    wanted, numbers = _by_stratum(rows, strata, own)
    items = _labels(spelt, strata, own, wanted)
    places = np.full(len(rows), _UNPAIRED, dtype=np.intp)
    how, differing = [], {}
    for system in range(len(rows.systems.names)):
        here = rows.of_system(system)
        sequences, positions = _by_stratum(rows, strata, here)
        fit = _fit(sequences, wanted, batch=batch)
        if fit is None:
            how.append("none")
            differing[system] = _differing(sequences, wanted)
            continue
        for stratum, kept in fit.items():
            places[here[positions[stratum]]] = numbers[stratum][kept]
        exact = len(here) == len(own) and np.array_equal(
            rows.keys.codes[here], rows.keys.codes[own]
        )
        gaps = len(here) != len(own)
        how.append("gaps" if gaps else "raw" if exact else "sorted")
    return Alignment(
        items=items,
        places=places,
        occurrences=np.zeros(len(rows), dtype=np.intp),
        how=tuple(how),
        differing=differing,
    )


def _by_stratum(
    rows: Rows, strata: Column, here: NDArray[np.intp]
) -> tuple[dict[int, NDArray[np.int32]], dict[int, NDArray[np.intp]]]:
    """Return each stratum's keys in order, and where among the system's rows they stand."""
    keys = rows.keys.codes[here] if rows.keys is not None else np.zeros(len(here), dtype=np.int32)
    codes = strata.codes[here]
    positions = {code: np.flatnonzero(codes == code) for code in dict.fromkeys(codes.tolist())}
    return {code: keys[place] for code, place in positions.items()}, positions


def _labels(
    spelt: Column, strata: Column, own: NDArray[np.intp], wanted: Mapping[int, NDArray[np.int32]]
) -> tuple[str, ...]:
    """Return `Category:0000` for each of the reference's rows, as the reference spells it."""
    names = {
        code: spelt.text(int(own[np.flatnonzero(strata.codes[own] == code)[0]])) or ""
        for code in wanted
    }
    width = max(4, len(str(max((len(each) for each in wanted.values()), default=0))))
    counts = dict.fromkeys(wanted, 0)
    labels = []
    for code in strata.codes[own].tolist():
        labels.append(f"{names[code]}:{counts[code]:0{width}d}")
        counts[code] += 1
    return tuple(labels)


def _fit(
    sequences: Mapping[int, NDArray[np.int32]],
    wanted: Mapping[int, NDArray[np.int32]],
    *,
    batch: int,
) -> dict[int, NDArray[np.intp]] | None:
    """Return which of the reference's rows each stratum's rows are; None if that is not told."""
    if not sequences.keys() <= wanted.keys():
        return None
    found = {}
    for stratum, keys in sequences.items():
        whole = wanted[stratum]
        if np.array_equal(keys, whole):
            found[stratum] = np.arange(len(whole))
            continue
        kept = _gapped(keys, whole, batch=batch) if batch and len(keys) < len(whole) else None
        if kept is None:
            return None
        found[stratum] = kept
    return found


def _gapped(
    keys: NDArray[np.int32], whole: NDArray[np.int32], *, batch: int
) -> NDArray[np.intp] | None:
    """Return the rows that stay when whole batches are left out; None if not in just one way.

    `ways[i][j]` counts, up to two, how the batches from `i` on can be left out so that what stays
    is the keys from `j` on; only places that can still be reached are looked at.
    """
    starts = list(range(0, len(whole), batch))
    blocks = [whole[start : start + batch] for start in starts]
    ways: dict[tuple[int, int], int] = {(len(blocks), len(keys)): 1}
    for place in range(len(blocks) - 1, -1, -1):
        block = blocks[place]
        slack = len(whole) - len(keys)
        for used in range(max(0, starts[place] - slack), min(starts[place], len(keys)) + 1):
            count = ways.get((place + 1, used), 0)
            if np.array_equal(keys[used : used + len(block)], block):
                count += ways.get((place + 1, used + len(block)), 0)
            if count:
                ways[place, used] = min(count, _TWO_WAYS)
    if ways.get((0, 0), 0) != 1:
        return None
    kept, used = [], 0
    for place, block in enumerate(blocks):
        if ways.get((place + 1, used), 0):
            continue
        kept.append(np.arange(starts[place], starts[place] + len(block)))
        used += len(block)
    return np.concatenate(kept) if kept else np.zeros(0, dtype=np.intp)


def _differing(
    sequences: Mapping[int, NDArray[np.int32]], wanted: Mapping[int, NDArray[np.int32]]
) -> tuple[int, int]:
    unequal, more = 0, 0
    none = np.zeros(0, dtype=np.int32)
    for stratum in sequences.keys() | wanted.keys():
        keys, whole = sequences.get(stratum, none), wanted.get(stratum, none)
        shared = min(len(keys), len(whole))
        unequal += int((keys[:shared] != whole[:shared]).sum())
        more += len(keys) - len(whole)
    return unequal, more
