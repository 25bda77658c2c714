"""Which items each system has rows for, and how many of these are right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.aligning import Alignment
from dokja.evidence.benchmarks.folding import folded
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.rows import Rows

__all__ = ["Presence", "presence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Rows counted by item and system.

    Attributes:
        items: Ids where rows have them, else the places in the order; each once.
        systems: Those that can be laid beside each other.
        strata: Each item's category, folded; shape `(items,)` of text.
        rows: How many rows; intp, shape `(items, systems)`.
        points: The sum of their scores; float64, the same.
        failed: How many are failed calls; intp, the same.
    """

    items: tuple[str, ...]
    systems: tuple[str, ...]
    strata: tuple[str, ...]
    rows: NDArray[np.intp]
    points: NDArray[np.float64]
    failed: NDArray[np.intp]

    @property
    def strata_codes(self) -> NDArray[np.intp]:
        """Return each item's stratum as a number; shape `(items,)`."""
        codes = {name: place for place, name in enumerate(dict.fromkeys(self.strata))}
        return np.array([codes[name] for name in self.strata], dtype=np.intp)

    @property
    def expected(self) -> NDArray[np.intp]:
        """How many rows an item has with the system that has most; shape `(items,)`."""
        most: NDArray[np.intp] = self.rows.max(axis=1, initial=0)
        return most

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Where a system has no row of an item; shape `(items, systems)`."""
        none: NDArray[np.bool_] = self.rows == 0
        return none

    @property
    def complete(self) -> NDArray[np.intp]:
        """The systems that have every row that any has."""
        return np.flatnonzero((self.rows == self.expected[:, None]).all(axis=0))

    def means(self, systems: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return each item's mean score over these systems, which all have rows of it."""
        shares = self.points[:, systems] / np.maximum(self.rows[:, systems], 1)
        means: NDArray[np.float64] = shares.mean(axis=1)
        return means


def presence(rows: Rows, alignment: Alignment) -> Presence:
    """Return the rows counted; everything that was not answered rightly scores 0."""
    together = [n for n, how in enumerate(alignment.how) if how != "none"]
    numbers = np.full(len(rows.systems.names), -1, dtype=np.intp)
    numbers[together] = np.arange(len(together))
    if rows.items is not None:
        items, names = rows.items.codes.astype(np.intp), rows.items.names
    else:
        items, names = alignment.places, alignment.items
    kept = np.flatnonzero((items >= 0) & (numbers[rows.systems.codes] >= 0))
    shape = (len(names), len(together))
    flat = items[kept] * len(together) + numbers[rows.systems.codes[kept]]
    points = (rows.outcomes[kept] == Outcome.CORRECT.code).astype(np.float64)
    if rows.scores is not None:
        points = np.where(rows.outcomes[kept] == Outcome.SCORED.code, rows.scores[kept], points)
    failed = rows.outcomes[kept] == Outcome.INFRASTRUCTURE_ERROR.code
    size = shape[0] * shape[1]
    strata = np.zeros(len(names), dtype=np.intp)
    texts = [""]
    if rows.categories is not None:
        texts = [folded(name) for name in rows.categories.names] + [""]
        strata[items[kept][::-1]] = rows.categories.codes[kept][::-1]
    return Presence(
        items=names,
        systems=tuple(rows.systems.names[system] for system in together),
        strata=tuple(texts[code] for code in strata.tolist()),
        rows=np.bincount(flat, minlength=size).reshape(shape),
        points=np.bincount(flat, weights=points, minlength=size).astype(np.float64).reshape(shape),
        failed=np.bincount(flat[failed], minlength=size).reshape(shape),
    )
