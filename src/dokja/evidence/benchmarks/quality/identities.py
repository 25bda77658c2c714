"""Rows that may not be the item that they say they are."""

from collections import Counter

import numpy as np

from dokja.evidence.benchmarks.aligning import Alignment, colliding
from dokja.evidence.benchmarks.folding import folded
from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.rows import Rows
from dokja.evidence.benchmarks.tables import Flag

__all__ = [
    "alignment_flags",
    "appended_flags",
    "content_flags",
    "key_flags",
    "prompt_flags",
    "spelling_flags",
    "twice_flags",
]

_SHOWN = 3
_ENOUGH = 50
"""Right answers that are repeated: four options repeat fifty of them once in 10^30."""


def _first(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def twice_flags(rows: Rows) -> list[Flag]:
    """Return ids that a system has twice: as collisions, or as duplicates where all agrees."""
    if rows.items is None:
        return []
    collisions = colliding(rows)
    epochs = rows.epochs if rows.epochs is not None else np.zeros(len(rows), dtype=np.int32)
    keys = np.stack([rows.systems.codes, rows.items.codes, epochs])
    unique, counts = np.unique(keys, axis=1, return_counts=True)
    doubled = set(unique[1, counts > 1].tolist())
    flags = []
    for name, codes in (("id_collision", collisions), ("duplicate", doubled - collisions)):
        if codes:
            having = unique[0, (counts > 1) & np.isin(unique[1], sorted(codes))]
            flags.append(
                raised(
                    name,
                    len(codes),
                    systems=tuple(rows.systems.names[each] for each in np.unique(having).tolist()),
                    first=_first([rows.items.names[code] for code in sorted(codes)]),
                    ids=len(rows.items.names),
                )
            )
    return flags


def appended_flags(rows: Rows) -> list[Flag]:
    """Return systems whose rows are the same items again, in full."""
    if rows.epochs is not None:
        return []
    column = rows.items if rows.items is not None else rows.keys
    if column is None:
        return []
    flags = []
    for system, name in enumerate(rows.systems.names):
        codes = column.codes[rows.of_system(system)]
        times = _times(codes, by_id=rows.items is not None)
        if times > 1:
            count = len(codes) - len(codes) // times
            flags.append(raised("appended_run", count, systems=(name,), times=times))
    return flags


def _times(codes: "np.typing.NDArray[np.int32]", *, by_id: bool) -> int:
    """Return how many times the same rows follow each other; 1 for once.

    Ids may come in another order the second time. Where there are only right answers, they must
    come in the same order, and there must be enough of them that chance does not repeat them.
    """
    if by_id:
        counts = np.unique(codes, return_counts=True)[1]
        equal = len(counts) > 1 and int(counts.min()) == int(counts.max())
        return int(counts[0]) if equal else 1
    for times in range(len(codes) // _ENOUGH, 1, -1):
        length, rest = divmod(len(codes), times)
        if rest == 0 and (codes.reshape(times, length) == codes[:length]).all():
            return times
    return 1


def key_flags(rows: Rows) -> list[Flag]:
    """Return items whose right answer is not the same in all systems' rows."""
    if rows.items is None or rows.keys is None:
        return []
    told = np.flatnonzero(rows.keys.codes >= 0)
    pairs = np.stack([rows.items.codes[told], rows.keys.codes[told], rows.systems.codes[told]])
    unique = np.unique(pairs, axis=1)
    several = np.unique(unique[:2], axis=1)
    items, counts = np.unique(several[0], return_counts=True)
    changed = sorted(set(items[counts > 1].tolist()) - colliding(rows))
    if not changed:
        return []
    first = changed[0]
    having = Counter(rows.keys.names[key] for key in unique[1, unique[0] == first].tolist())
    said = ", ".join(f"{key} in {count}" for key, count in sorted(having.items()))
    return [
        raised(
            "key_changed",
            len(changed),
            first=_first([rows.items.names[code] for code in changed]),
            keys_of_first=said,
        )
    ]


def content_flags(rows: Rows) -> list[Flag]:
    """Return ids that do not ask the same in all systems' rows."""
    if rows.items is None or rows.contents is None:
        return []
    told = np.flatnonzero(rows.contents.codes >= 0)
    pairs = np.unique(np.stack([rows.items.codes[told], rows.contents.codes[told]]), axis=1)
    items, counts = np.unique(pairs[0], return_counts=True)
    changed = sorted(set(items[counts > 1].tolist()) - colliding(rows))
    if not changed:
        return []
    first = _first([rows.items.names[code] for code in changed])
    return [raised("content_changed", len(changed), first=first)]


def spelling_flags(rows: Rows) -> list[Flag]:
    """Return categories that are spelt in several ways."""
    if rows.categories is None:
        return []
    spellings: dict[str, list[str]] = {}
    for name in rows.categories.names:
        spellings.setdefault(folded(name), []).append(name)
    several = [names for names in spellings.values() if len(names) > 1]
    if not several:
        return []
    first = " = ".join(several[0])
    return [raised("spelling", len(several), first=first, of=len(spellings))]


def prompt_flags(rows: Rows) -> list[Flag]:
    """Return items that ask the same as another one."""
    if rows.items is None or rows.contents is None:
        return []
    told = np.flatnonzero(rows.contents.codes >= 0)
    pairs = np.unique(np.stack([rows.contents.codes[told], rows.items.codes[told]]), axis=1)
    contents, counts = np.unique(pairs[0], return_counts=True)
    shared = pairs[1, np.isin(pairs[0], contents[counts > 1])]
    if not len(shared):
        return []
    names = [rows.items.names[code] for code in shared.tolist()]
    return [raised("duplicate_prompt", len(names), first=_first(names))]


def alignment_flags(rows: Rows, alignment: Alignment) -> list[Flag]:
    """Return what the order of rows shows, and what it does not."""
    if all(how == "id" for how in alignment.how):
        return []
    counts = Counter(alignment.how)
    paired = tuple(
        name for name, how in zip(rows.systems.names, alignment.how, strict=True) if how != "none"
    )
    sorted_ones = counts["raw"] + counts["sorted"]
    flags = [
        raised(
            "order_only",
            len(paired),
            systems=paired,
            raw=counts["raw"],
            by_category=sorted_ones,
            with_gaps=counts["gaps"],
            of=len(rows.systems.names),
        )
    ]
    for system, (positions, more) in alignment.differing.items():
        name = rows.systems.names[system]
        flags.append(raised("misaligned", positions, systems=(name,), rows_more=more))
    return flags
