"""What somebody recorded, row by row, before anything is said about which rows belong together.

A table of outcomes has one cell for each item and system; a file has rows, in an order, some of
them twice, some of them missing, with categories spelt in two ways. The tests of data quality are
made on rows, since all of that is gone from a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["ABSENT", "Column", "Rows"]

ABSENT = -1
"""The code of a cell in which nothing stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of texts, each different text held once.

    Attributes:
        names: The different texts, in the order in which they first came.
        codes: Which of them stands in each row, or `ABSENT`; dtype int32, shape `(rows,)`.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> "Column":
        """Return the column of these texts; None is an absent one.

        Example:
            >>> Column.of(["a", None, "a"]).codes.tolist()
            [0, -1, 0]
        """
        names: dict[str, int] = {}
        codes = [ABSENT if text is None else names.setdefault(text, len(names)) for text in texts]
        return cls(names=tuple(names), codes=np.array(codes, dtype=np.int32))

    def text(self, row: int) -> str | None:
        """Return what stands in a row; None if nothing does."""
        code = int(self.codes[row])
        return None if code == ABSENT else self.names[code]

    def taken(self, rows: NDArray[np.intp]) -> "Column":
        """Return the column of these rows, in this order."""
        return Column(names=self.names, codes=self.codes[rows])

    def renamed(self, names: Mapping[str, str]) -> "Column":
        """Return the column with other texts; those that become equal are one from then on."""
        places: dict[str, int] = {}
        codes = [places.setdefault(names.get(name, name), len(places)) for name in self.names]
        lookup = np.array([*codes, ABSENT], dtype=np.int32)
        return Column(names=tuple(places), codes=lookup[self.codes])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one suite, of one or more systems, each system's in its own order.

    Attributes:
        file: Where they were read, for what is said about them.
        suite: Names the items.
        systems: Which system answered; nothing is absent.
        outcomes: Codes of `Outcome`; dtype uint8, shape `(rows,)`.
        charges: Codes of `Charge`; the same.
        causes: Values of `Cause`, absent where none is told; None if none ever is.
        items: What identifies the item; None where nothing does.
        categories: The item's category as it is spelt there; None if there is none.
        keys: The right answer, or its digest; None if it is not recorded.
        answers: What was read out of the reply; None if it is not recorded.
        contents: A digest of what was asked; None if it is not recorded.
        scores: In [0, 1] where the outcome is `scored`, else NaN; float32. None if none is.
        epochs: From 0; int32. None if every item was asked once.
        clusters: Each row's cluster by the name of the clustering.
        costs: What the answer cost, NaN where it is not recorded; float64. None if it never is.
        replies: A digest of the reply's text; None if it is not recorded.
    """

    file: str
    suite: str
    systems: Column
    outcomes: NDArray[np.uint8]
    charges: NDArray[np.uint8]
    causes: Column | None = None
    items: Column | None = None
    categories: Column | None = None
    keys: Column | None = None
    answers: Column | None = None
    contents: Column | None = None
    scores: NDArray[np.float32] | None = None
    epochs: NDArray[np.int32] | None = None
    clusters: Mapping[str, Column] = field(default_factory=dict)
    costs: NDArray[np.float64] | None = None
    replies: Column | None = None

    def __post_init__(self) -> None:
        count = len(self.outcomes)
        columns = [self.systems, self.causes, self.items, self.categories, self.keys]
        columns += [self.answers, self.contents, self.replies, *self.clusters.values()]
        coded = [each.codes for each in columns if each is not None]
        arrays = [self.charges, self.scores, self.epochs, self.costs]
        lengths = {len(each) for each in (*coded, *arrays) if each is not None}
        if lengths != {count}:
            raise ValueError(f"{self.file}: columns of {sorted(lengths)} rows beside {count}")
        if (self.systems.codes < 0).any():
            raise ValueError(f"{self.file}: a row names no system")

    def __len__(self) -> int:
        return len(self.outcomes)

    def of_system(self, system: int) -> NDArray[np.intp]:
        """Return the rows of a system, in their order."""
        return np.flatnonzero(self.systems.codes == system)
