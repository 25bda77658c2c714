"""How results reach people and programs.

With `--json` a command prints one JSON document on standard output and everything else on
standard error; without it, text for people on standard output.
"""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

__all__ = ["as_json", "emit", "now", "say", "table"]

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def emit(document: Mapping[str, Any]) -> None:
    """Print a command's JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def say(text: str = "", *, error: bool = False) -> None:
    """Print a line for people."""
    click.echo(text, err=error)


def now() -> datetime:
    """Return the time in UTC, in whole seconds. The only clock of Dokja."""
    return datetime.now(UTC).replace(microsecond=0)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in columns, counting Hangul as two cells wide.

    Example:
        >>> print(table(["team", "points"], [["가람", "90"], ["maru", "7"]]))
        team  points
        가람  90
        maru  7
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(_cells(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _cells(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
