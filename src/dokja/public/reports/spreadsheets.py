"""A table as a CSV file that spreadsheet programs open without being told anything.

UTF-8 with a byte-order mark, because Korean Excel takes a file without one for CP949; lines end
in CR LF after RFC 4180. Text that a spreadsheet would read as a formula is preceded by an
apostrophe; numbers stay numbers. A cell that is empty is a value that is missing, never zero.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dokja.public.reports.words import visible

__all__ = ["Cell", "Table", "spreadsheet"]

Cell: TypeAlias = str | int | float | bool | None
"""What may stand in a cell; none is an empty one."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the dossier.

    Attributes:
        name: Name of its file, without `.csv`.
        columns: Names of its columns; they are the same in every language.
        rows: Its rows, each as long as `columns`.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def spreadsheet(table: Table) -> bytes:
    """Return the bytes of the CSV file.

    Example:
        >>> rows = (("=1+1", None), ("가람", -1.5))
        >>> table = Table(name="a", columns=("team", "total"), rows=rows)
        >>> spreadsheet(table).decode("utf-8-sig").splitlines()
        ['team,total', "'=1+1,", '가람,-1.5']
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows(_written(row) for row in table.rows)
    return text.getvalue().encode("utf-8-sig")


def _written(row: Sequence[Cell]) -> list[str]:
    return [_cell(cell) for cell in row]


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return repr(cell)
    text = visible(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
