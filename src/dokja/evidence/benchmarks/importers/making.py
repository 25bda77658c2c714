"""Rows that belong together become a table of outcomes; those that do not stay alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.aligning import Alignment, align_by_id, align_by_order
from dokja.evidence.benchmarks.folding import folded
from dokja.evidence.benchmarks.outcomes import Charge, Outcome
from dokja.evidence.benchmarks.rows import Column, Rows
from dokja.evidence.benchmarks.storing import Imported
from dokja.evidence.benchmarks.tables import Flag, OutcomeTable

__all__ = ["Pairing", "align", "import_rows"]

_MOST_CELLS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """By what rule rows of different systems are the same item.

    Attributes:
        by: Their id, or their place in the order of the rows.
        reference: The system that others are laid beside; empty for the first with most rows.
        batch: Rows come in batches of this many, of which whole ones may be absent; 0 if none may.
        duplicates: Whether the first or every row of a twice-told item counts.
    """

    by: Literal["id", "order"] = "id"
    reference: str = ""
    batch: int = 0
    duplicates: Literal["first", "all"] = "first"


def align(rows: Rows, pairing: Pairing) -> Alignment:
    """Return which item each row answers.

    Raises:
        TableError: There is no row, the reference is not among the systems, or rows lack what the
            rule goes by.
    """
    counts = np.bincount(rows.systems.codes, minlength=len(rows.systems.names))
    if not len(rows):
        wrong = Mistake(file=rows.file, place="", read="no row", expected="an answer at least")
        raise TableError([wrong])
    names = rows.systems.names
    if pairing.reference and pairing.reference not in names:
        read = f"no {pairing.reference}"
        expected = "the reference of the mapping among " + ", ".join(names)
        raise TableError([Mistake(file=rows.file, place="systems", read=read, expected=expected)])
    reference = names.index(pairing.reference) if pairing.reference else int(np.argmax(counts))
    lacking = rows.items if pairing.by == "id" else rows.keys
    if lacking is None:
        what = "ids" if pairing.by == "id" else "right answers"
        wrong = Mistake(
            file=rows.file, place="rows", read=f"no {what}", expected=f"{what}, to pair rows by"
        )
        raise TableError([wrong])
    if pairing.by == "id":
        return align_by_id(rows, reference=reference)
    return align_by_order(rows, reference=reference, batch=pairing.batch)


def import_rows(
    rows: Rows,
    alignment: Alignment,
    *,
    duplicates: Literal["first", "all"] = "first",
    chance: float | None = None,
    flags: Sequence[Flag] = (),
) -> Imported:
    """Return the tables that rows make.

    A cell that no row fills is `missing`. A flag goes with the tables of the systems that it names.

    Args:
        rows: What was read.
        alignment: Which item each row answers.
        duplicates: Whether only the first row of a system and item counts, or each is an item.
        chance: What guessing gets, in [0, 1); None if that is not declared.
        flags: What was noticed.

    Raises:
        TableError: There are more cells than a table may have.
    """
    paired = np.flatnonzero(alignment.places >= 0)
    if duplicates == "first":
        paired = paired[alignment.occurrences[paired] == 0]
    several = int(alignment.occurrences[paired].max(initial=0)) + 1
    joined = alignment.places[paired] * several + alignment.occurrences[paired]
    present, places = np.unique(joined, return_inverse=True)
    twice = set((present[present % several > 0] // several).tolist())
    labels = tuple(
        f"{alignment.items[item]}#{number + 1}" if item in twice else alignment.items[item]
        for item, number in (divmod(each, several) for each in present.tolist())
    )
    together = [n for n, how in enumerate(alignment.how) if how != "none"]
    table = _table(rows, paired, places=places, labels=labels, systems=together, chance=chance)
    alone = []
    for system in sorted(set(range(len(rows.systems.names))) - set(together)):
        here = rows.of_system(system)
        own = tuple(f"row {number:06d}" for number in range(len(here)))
        numbers = np.arange(len(here), dtype=np.intp)
        single = _table(rows, here, places=numbers, labels=own, systems=[system], chance=chance)
        alone.append(replace(single, paired=False, flags=_concerning(flags, single.systems)))
    return Imported(
        table=replace(table, flags=_concerning(flags, table.systems)), alone=tuple(alone)
    )


def _concerning(flags: Sequence[Flag], systems: Sequence[str]) -> tuple[Flag, ...]:
    return tuple(flag for flag in flags if not flag.systems or set(flag.systems) & set(systems))


def _table(
    rows: Rows,
    kept: NDArray[np.intp],
    *,
    places: NDArray[np.intp],
    labels: tuple[str, ...],
    systems: Sequence[int],
    chance: float | None,
) -> OutcomeTable:
    numbers = np.full(len(rows.systems.names), -1, dtype=np.intp)
    numbers[list(systems)] = np.arange(len(systems))
    column = numbers[rows.systems.codes[kept]]
    epoch = rows.epochs[kept] if rows.epochs is not None else np.zeros(len(kept), dtype=np.int32)
    shape = (len(labels), len(systems), int(epoch.max(initial=0)) + 1)
    if math.prod(shape) > _MOST_CELLS:
        read = " × ".join(f"{size:,}" for size in shape) + " cells"
        expected = f"at most {_MOST_CELLS:,} of items × systems × epochs"
        raise TableError([Mistake(file=rows.file, place="", read=read, expected=expected)])
    outcomes = np.full(shape, Outcome.MISSING.code, dtype=np.uint8)
    charges = np.full(shape, Charge.UNKNOWN.code, dtype=np.uint8)
    outcomes[places, column, epoch] = rows.outcomes[kept]
    charges[places, column, epoch] = rows.charges[kept]
    scores = None
    if rows.scores is not None:
        scores = np.zeros(shape, dtype=np.float32)
        scores[places, column, epoch] = np.nan_to_num(rows.scores[kept])
    first = np.zeros(len(labels), dtype=np.intp)
    first[places[::-1]] = kept[::-1]
    return OutcomeTable(
        suite=rows.suite,
        items=labels,
        systems=tuple(rows.systems.names[system] for system in systems),
        outcomes=outcomes,
        charges=charges,
        scores=scores,
        strata=_texts(_unified(rows.categories), first),
        clusters={name: _texts(each, first) for name, each in _sorted(rows.clusters)},
        chance=None if chance is None else np.full(len(labels), chance),
    )


def _unified(column: Column | None) -> Column | None:
    """Return categories in one spelling each: the commonest, and of equals the first."""
    if column is None:
        return None
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
    best: dict[str, str] = {}
    for place in np.argsort(-counts, kind="stable").tolist():
        best.setdefault(folded(column.names[place]), column.names[place])
    return column.renamed({name: best[folded(name)] for name in column.names})


def _sorted(clusters: Mapping[str, Column]) -> list[tuple[str, Column]]:
    return sorted(clusters.items())


def _texts(column: Column | None, rows: NDArray[np.intp]) -> tuple[str, ...]:
    if column is None:
        return ("",) * len(rows)
    names = [*column.names, ""]
    return tuple(names[code] for code in column.codes[rows].tolist())
