"""Reads tables of task means, such as those of LiveBench: one line a model, one column a task.

There are no items, so that nothing can be paired and no interval covers items: `no_items`. A cell
of exactly 0 whose peers and neighbours are all far from it is missing, not 0. Each task is taken as
one row of graded score, and its category as the stratum.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.importers.delimited import header_of, read_columns
from dokja.evidence.benchmarks.importers.gathering import Answer, Gathering, ReadLog
from dokja.evidence.benchmarks.outcomes import Charge, Outcome
from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.quality.zeros import cell_flags, zero_cells
from dokja.values import shown

__all__ = ["read_livebench"]

_PERCENT = 100.0
_MOST_CATEGORIES = 2**20


def read_livebench(path: Path, *, categories: Path, suite: str = "livebench") -> ReadLog:
    """Return the task means of a table.

    Args:
        path: CSV; the first column names the model, every other one is a task, in percent; a blank
            is a task that was not run.
        categories: JSON: category to a list of tasks. Every task must stand in one category.
        suite: Names the tasks.

    Raises:
        TableError: It cannot be read; a task stands in no category, or in two; a cell is no
            percentage; a model stands twice.
    """
    header = header_of(path)
    named = _categories(categories)
    _all_placed(header[1:], named, path=path, file=categories)
    columns = read_columns(path, list(header))
    models = columns[header[0]]
    scores = np.full((len(header) - 1, len(models.codes)), np.nan)
    mistakes = []
    for task, name in enumerate(header[1:]):
        for row in range(len(models.codes)):
            text = (columns[name].text(row) or "").strip()
            if not text:
                continue
            value = _percentage(text)
            if value is None:
                place = f"row {row + 2}, {name}"
                expected = "a figure from 0 to 100"
                read = shown(repr(text))
                wrong = Mistake(file=str(path), place=place, read=read, expected=expected)
                mistakes.append(wrong)
            else:
                scores[task, row] = value
    labels = [models.text(row) or "" for row in range(len(models.codes))]
    mistakes += [
        Mistake(file=str(path), place=header[0], read=shown(repr(label)), expected="a name once")
        for label in sorted({label for label in labels if labels.count(label) > 1})
    ]
    if mistakes:
        raise TableError(mistakes)
    zero = zero_cells(scores)
    gathering = Gathering(file=str(path), suite=suite)
    for row, label in enumerate(labels):
        for task, name in enumerate(header[1:]):
            absent = bool(np.isnan(scores[task, row]) or zero[task, row])
            gathering.add(
                Answer(
                    system=label,
                    item=name,
                    outcome=Outcome.MISSING if absent else Outcome.SCORED,
                    charge=Charge.UNKNOWN if absent else Charge.NOBODY,
                    score=None if absent else float(scores[task, row]),
                    category=named[name],
                )
            )
    flags = [raised("no_items", len(header) - 1, models=len(labels))]
    flags += cell_flags(scores, tasks=header[1:], systems=labels)
    return ReadLog(rows=gathering.rows(), flags=tuple(flags))


def _percentage(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value / _PERCENT if 0 <= value <= _PERCENT else None


def _categories(file: Path) -> Mapping[str, str]:
    try:
        if file.stat().st_size > _MOST_CATEGORIES:
            expected = f"at most {_MOST_CATEGORIES:,} bytes"
            raise TableError([Mistake(file=str(file), place="", read="more", expected=expected)])
        said = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        expected = "JSON: category to a list of tasks"
        wrong = Mistake(file=str(file), place="", read=shown(str(error)), expected=expected)
        raise TableError([wrong]) from None
    found: dict[str, str] = {}
    mistakes = []
    for category, tasks in said.items() if isinstance(said, dict) else [("", said)]:
        if not isinstance(tasks, list):
            read, expected = shown(repr(tasks)), "a list of tasks"
            mistakes.append(Mistake(file=str(file), place=category, read=read, expected=expected))
            continue
        for task in map(str, tasks):
            if found.setdefault(task, category) != category:
                read = f"{task}, which stands in {found[task]} as well"
                expected = "every task in one category"
                wrong = Mistake(file=str(file), place=category, read=read, expected=expected)
                mistakes.append(wrong)
    if mistakes:
        raise TableError(mistakes)
    return found


def _all_placed(
    tasks: tuple[str, ...], named: Mapping[str, str], *, path: Path, file: Path
) -> None:
    remedy = "Columns change between releases: take the categories of the same release."
    mistakes = [
        Mistake(
            file=str(path),
            place="header",
            read=shown(repr(task)),
            expected=f"a task that {file.name} places in a category",
            remedy=remedy,
        )
        for task in tasks
        if task not in named
    ]
    if mistakes:
        raise TableError(mistakes)
