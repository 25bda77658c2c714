"""Outcomes of several systems on the same items, as arrays, and what a convention makes of them.

An `OutcomeTable` is the one thing that importers and runs hand to comparisons: one cell for each
item, system and epoch, held as the code of its outcome. A `View` is an array lookup over it, so
that all conventions cost milliseconds and can always be shown side by side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.conventions import Convention
from dokja.evidence.benchmarks.outcomes import Charge, Outcome

__all__ = ["Flag", "OutcomeTable", "View", "view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something about the data that whoever reads a result must know.

    Attributes:
        name: Of the closed list in `docs/reference/flags.md`, such as `id_collision`.
        count: How many items, cells or rows it is about.
        systems: Which systems it is about; empty for all.
        blocks: What it forbids until it is settled, such as `pairing`; empty when nothing.
        facts: Figures and names that tell more, for people and for JSON.
    """

    name: str
    count: int
    systems: tuple[str, ...] = ()
    blocks: frozenset[str] = frozenset()
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """What became of every answer.

    Attributes:
        suite: Names the items, such as `kmmlu`.
        form: Which items of the suite; empty for all there are.
        items: Keys, each once, in a fixed order.
        systems: Labels, each once.
        outcomes: Codes of `Outcome`; dtype uint8, shape `(items, systems, epochs)`.
        charges: Codes of `Charge`; the same shape.
        scores: In [0, 1] where the outcome is `scored`; float32, the same shape. None if none is.
        strata: Each item's category, by which a blueprint is drawn up.
        clusters: Each item's cluster, by the name of the clustering, such as `source`.
        chance: What guessing gets on each item, in [0, 1), shape `(items,)`; None if undeclared.
        paired: Whether an item is known to be the same item for every system.
        flags: What was noticed on the way in.

    Raises:
        ValueError: Shapes or lengths do not fit, or a name stands twice.
    """

    suite: str
    items: tuple[str, ...]
    systems: tuple[str, ...]
    outcomes: NDArray[np.uint8]
    charges: NDArray[np.uint8]
    strata: tuple[str, ...]
    form: str = ""
    scores: NDArray[np.float32] | None = None
    clusters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    chance: NDArray[np.float64] | None = None
    paired: bool = True
    flags: tuple[Flag, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.items)
        if self.outcomes.ndim != 3 or self.outcomes.shape[:2] != (count, len(self.systems)):  # noqa: PLR2004  # items, systems, epochs
            raise ValueError(f"outcomes of shape {self.outcomes.shape} do not fit the names")
        if self.charges.shape != self.outcomes.shape:
            raise ValueError("outcomes and charges differ in shape")
        if self.scores is not None and self.scores.shape != self.outcomes.shape:
            raise ValueError("outcomes and scores differ in shape")
        lengths = {len(self.strata), *(len(each) for each in self.clusters.values())}
        if lengths != {count}:
            raise ValueError("strata and clusters must name something for every item")
        if len(set(self.items)) != count or len(set(self.systems)) != len(self.systems):
            raise ValueError("an item or a system stands twice")

    def system(self, label: str) -> int:
        """Return the place of a system.

        Raises:
            KeyError: It is not there.
        """
        try:
            return self.systems.index(label)
        except ValueError:
            raise KeyError(label) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a convention makes of a table.

    A cell is the mean over those epochs that count. Where an epoch is open, `low` takes it as 0
    and `high` as 1; elsewhere they are equal. A dropped cell holds 0 in both and counts for
    nothing, as `counted` says: nobody may read it.

    Attributes:
        convention: Its name.
        low: float64, shape `(items, systems)`, in [0, 1].
        high: The same.
        counted: Where there is a value, bool, the same shape.
        opened: Where an epoch is open, bool, the same shape.
    """

    convention: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    counted: NDArray[np.bool_]
    opened: NDArray[np.bool_]


def view(table: OutcomeTable, convention: Convention) -> View:
    """Return what the convention makes of the table.

    Example:
        >>> from dokja.evidence.benchmarks.conventions import CONVENTIONS
        >>> codes = np.array([[[Outcome.CORRECT.code]], [[Outcome.MISSING.code]]], dtype=np.uint8)
        >>> table = OutcomeTable(suite="s", items=("1", "2"), systems=("m",), outcomes=codes,
        ...                      charges=np.zeros_like(codes), strata=("a", "a"))
        >>> found = view(table, CONVENTIONS["strict"])
        >>> found.low[:, 0].tolist(), found.counted[:, 0].tolist()
        ([1.0, 0.0], [True, False])
    """
    worth = convention.worth
    values = np.zeros(len(Outcome))
    kinds: dict[str, NDArray[np.bool_]] = {
        kind: np.zeros(len(Outcome), dtype=np.bool_) for kind in ("drop", "open", "by-charge")
    }
    for outcome, value in worth.items():
        if isinstance(value, str):
            kinds[value][outcome.code] = True
        else:
            values[outcome.code] = value
    codes = table.outcomes
    single = values[codes]
    if table.scores is not None:
        single = np.where(codes == Outcome.SCORED.code, table.scores.astype(np.float64), single)
    counted = ~kinds["drop"][codes]
    opened = kinds["open"][codes] | (
        kinds["by-charge"][codes] & (table.charges != Charge.MODEL.code)
    )
    epochs = counted.sum(axis=2)
    share = np.maximum(epochs, 1)
    low = np.where(counted & ~opened, single, 0.0).sum(axis=2) / share
    high = low + (counted & opened).sum(axis=2) / share
    return View(
        convention=convention.name,
        low=low,
        high=np.minimum(high, 1.0),
        counted=epochs > 0,
        opened=(counted & opened).any(axis=2),
    )
