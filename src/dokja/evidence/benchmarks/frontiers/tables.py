"""Reads tables of benchmark scores gathered from many sources, with the dates of the models.

A folder holds one CSV per source and an `index.csv` that says, for each benchmark, which file and
column hold its scores and what they are divided by. Such tables are full of traps, and each is met
here: a byte order mark before the first heading, per cent with and without its sign, rows without
a model or a source, names that end in a space, models without a date, several scores for one model
on one benchmark. What cannot be used is counted by reason, never guessed; what cannot be read is
a mistake, all of them at once.
"""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dokja.errors import Mistake, SuiteError
from dokja.values import shown

__all__ = ["GatheredScore", "ScoreTables", "read_score_tables"]

_INDEX = ("benchmark", "file", "score_column", "divide_by")
_OWN_TASKS = re.compile(r"^(?P<file>[^()]+\.csv) \(task = benchmark\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredScore:
    """One score as somebody published it.

    Attributes:
        model: The model version, without spaces at its ends.
        benchmark: As the index names it.
        score: In [0, 1].
        source: Who says so.
        place: File and line.
    """

    model: str
    benchmark: str
    score: float
    source: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTables:
    """All scores of a folder that can be used.

    Attributes:
        scores: In the order of the index and of the files.
        released: Each model's day of release, for the models that have one.
        opened: Each benchmark's day of release, for those that have one.
        left_out: How many rows could not be used, by reason.
    """

    scores: tuple[GatheredScore, ...]
    released: Mapping[str, date]
    opened: Mapping[str, date]
    left_out: Mapping[str, int]

    @property
    def undated(self) -> tuple[str, ...]:
        """Models that have a score and no day of release."""
        return tuple(sorted({each.model for each in self.scores} - set(self.released)))


def read_score_tables(folder: Path) -> ScoreTables:
    """Return the scores of a folder.

    A row counts when model, score and source are not empty; the file of somebody's own runs needs
    no source, because it is one. A score is the number without its per cent sign over what the
    index divides by.

    Args:
        folder: Holds `index.csv` with the columns benchmark, file, score_column and divide_by,
            the files it names, `model_versions.csv` (id, `Version release date`) and
            `benchmark_optim.csv` (benchmark, benchmark_release_date). A file written as
            `runs.csv (task = benchmark)` holds the rows of several benchmarks.

    Raises:
        SuiteError: A file, a column or a number is not what it should be; every mistake at once.
    """
    mistakes: list[Mistake] = []
    left_out: dict[str, int] = {}
    scores: list[GatheredScore] = []
    for line, entry in _rows(folder / "index.csv", needs=_INDEX, mistakes=mistakes):
        scores += _scores(folder, entry, line=line, mistakes=mistakes, left_out=left_out)
    released = _dates(
        folder / "model_versions.csv", "id", day="Version release date", mistakes=mistakes
    )
    opened = _dates(
        folder / "benchmark_optim.csv",
        "benchmark",
        day="benchmark_release_date",
        mistakes=mistakes,
    )
    if mistakes:
        raise SuiteError(mistakes)
    return ScoreTables(
        scores=tuple(scores), released=released, opened=opened, left_out=dict(left_out)
    )


def _rows(
    path: Path, *, needs: Iterable[str], mistakes: list[Mistake]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with the number of its last line, or note why there is none."""
    try:
        # utf-8-sig: with a byte order mark left in, the first column would have another name.
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            heads = reader.fieldnames or ()
            lacking = [head for head in needs if head not in heads]
            for head in lacking:
                read = "columns " + ", ".join(heads) if heads else "no columns"
                mistakes.append(
                    Mistake(file=path.name, place="heading", read=shown(read), expected=repr(head))
                )
            if not lacking:
                for row in reader:
                    yield reader.line_num, {key: value for key, value in row.items() if key}
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(
            Mistake(
                file=path.name,
                place="",
                read=shown(str(error.strerror if isinstance(error, OSError) else error)),
                expected="a CSV file in UTF-8",
            )
        )


def _scores(
    folder: Path,
    entry: Mapping[str, str],
    *,
    line: int,
    mistakes: list[Mistake],
    left_out: dict[str, int],
) -> Iterator[GatheredScore]:
    own = _OWN_TASKS.match(entry["file"])
    file = own["file"] if own else entry["file"]
    divide_by = _number(entry["divide_by"])
    if divide_by is None or divide_by <= 0 or Path(file).name != file:
        read = shown(f"{entry['file']} over {entry['divide_by']}")
        expected = "a file beside the index, over a number above 0"
        mistakes.append(
            Mistake(file="index.csv", place=f"line {line}", read=read, expected=expected)
        )
        return
    column, model = entry["score_column"], "model" if own else "Model version"
    needs = [column, model, "task" if own else "Source"]
    for number, row in _rows(folder / file, needs=needs, mistakes=mistakes):
        if own and row["task"] != entry["benchmark"]:
            continue
        source = "own runs" if own else row["Source"].strip()
        said = {"model": row[model].strip(), "score": row[column].strip(), "source": source}
        lacks = next((what for what, value in said.items() if not value), None)
        if lacks:
            left_out[f"no {lacks}"] = left_out.get(f"no {lacks}", 0) + 1
            continue
        value = _number(said["score"].removesuffix("%"))
        if value is None or not 0 <= value / divide_by <= 1:
            read, expected = shown(said["score"]), f"a number from 0 to {divide_by:g}"
            place = f"line {number}, {column}"
            mistakes.append(Mistake(file=file, place=place, read=read, expected=expected))
            continue
        yield GatheredScore(
            model=said["model"],
            benchmark=entry["benchmark"],
            score=value / divide_by,
            source=source,
            place=f"{file}, line {number}",
        )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _dates(path: Path, name: str, *, day: str, mistakes: list[Mistake]) -> dict[str, date]:
    """Return the dates of a file; an empty one is no date, and any other form is a mistake."""
    found: dict[str, date] = {}
    for number, row in _rows(path, needs=(name, day), mistakes=mistakes):
        text = row[day].strip()
        if not text:
            continue
        try:
            found[row[name].strip()] = date.fromisoformat(text.replace("/", "-"))
        except ValueError:
            expected = "a day such as 2025-11-13 or 2025/11/13"
            mistakes.append(
                Mistake(
                    file=path.name,
                    place=f"line {number}, {day}",
                    read=shown(text),
                    expected=expected,
                )
            )
    return found
