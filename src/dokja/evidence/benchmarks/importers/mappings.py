"""A mapping: what the columns of somebody's table mean, declared by whoever imports it.

Nothing about a table is guessed. A TOML file says which column names the system, the item, the
key and the outcome, what each outcome letter stands for, from which file categories and labels
come, and by what rule rows of different systems are the same item.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome

__all__ = ["Clustering", "Letter", "Lookup", "TableMapping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a letter in somebody's table stands for.

    Attributes:
        outcome: What became of the answer.
        charge: Whose doing it is.
        cause: Why, where it is told; None otherwise.
    """

    outcome: Outcome
    charge: Charge
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A second file that says more about a name.

    Attributes:
        file: A name beside the table, without folders.
        key: The column in which the name stands.
        value: The column of what is said about it.
        match: Columns that must hold these texts, for the row to count.
    """

    file: str
    key: str
    value: str
    match: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """How items are gathered into clusters.

    Attributes:
        of: `item`, `category`, or the name of a column.
        pattern: A regular expression whose first group is the cluster; None for the whole text.
        lookup: A file that names the cluster; None if none does.
    """

    of: str
    pattern: re.Pattern[str] | None = None
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """A mapping that was read without a mistake.

    Attributes:
        suite: Names the items.
        shape: `long`: one row an item and system; `wide`: one column a system.
        columns: What is meant by which column.
        wide: The system columns of a wide table; empty for all that `columns` does not name.
        systems: Labels of what the system column holds; None if it holds labels.
        categories: Categories by item; None if they stand in a column, or there are none.
        clusters: Clusterings by name.
        outcomes: What the outcome column's letters stand for.
        answers: Answers that are none, such as a mark for a failed call.
        options: The labels that an item allows; empty if that is not declared.
        chance: What guessing gets; None if it is not declared.
        by: Whether an id or the order of the rows says which rows are the same item.
        reference: The system whose order the others are laid beside; empty for the longest.
        batch: Rows come in batches of this many, of which whole ones may be absent; 0 if none may.
        duplicates: Whether the first or every row of a twice-told item counts.
    """

    suite: str
    shape: Literal["long", "wide"]
    columns: Mapping[str, str]
    wide: tuple[str, ...] = ()
    systems: Lookup | None = None
    categories: Lookup | None = None
    clusters: Mapping[str, Clustering] = field(default_factory=dict)
    outcomes: Mapping[str, Letter] = field(default_factory=dict)
    answers: Mapping[str, Letter] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    chance: float | None = None
    by: Literal["id", "order"] = "id"
    reference: str = ""
    batch: int = 0
    duplicates: Literal["first", "all"] = "first"
