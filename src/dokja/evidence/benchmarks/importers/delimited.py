"""Reads tables of text, plain or gzipped or Parquet, column by column, each text held once.

A file of a million rows has few different texts; they are coded while they are read, so that
memory holds four bytes a cell.
"""

import csv
import gzip
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dokja.errors import ExtraMissingError, Mistake, TableError
from dokja.evidence.benchmarks.importers.mappings import Lookup
from dokja.evidence.benchmarks.rows import Column
from dokja.values import shown

__all__ = ["header_of", "read_columns", "read_lookup"]

_AT_ONCE = 20_000
_FAULTS = (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error)


def header_of(path: Path) -> tuple[str, ...]:
    """Return the names of a table's columns.

    Raises:
        TableError: It cannot be read, has no header, or a name stands twice.
    """
    with _lines(path) as lines:
        return next(lines)


def read_columns(path: Path, names: Sequence[str]) -> Mapping[str, Column]:
    """Return these columns of a table.

    Args:
        path: CSV with a header line, the same gzipped (`.gz`), or Parquet (`.parquet`).
        names: The columns that are wanted; each once.

    Raises:
        TableError: It cannot be read, a column is not there, or a line has more or fewer cells
            than the header; every mistake at once.
        ExtraMissingError: It is Parquet and the package for it is not installed.
    """
    with _lines(path) as lines:
        header = next(lines)
        places = _places(header, names, file=str(path))
        seen: list[dict[str, int]] = [{} for _ in names]
        codes: list[array[int]] = [array("i") for _ in names]
        start = 2
        while chunk := list(islice(lines, _AT_ONCE)):
            _even(chunk, width=len(header), start=start, file=str(path))
            columns = list(zip(*chunk, strict=True))
            for place, known, coded in zip(places, seen, codes, strict=True):
                coded.extend([known.setdefault(text, len(known)) for text in columns[place]])
            start += len(chunk)
    return MappingProxyType(
        {
            name: Column(names=tuple(known), codes=np.array(coded, dtype=np.int32))
            for name, known, coded in zip(names, seen, codes, strict=True)
        }
    )


def read_lookup(folder: Path, lookup: Lookup) -> Mapping[str, str]:
    """Return what a second file says about each name.

    Raises:
        TableError: It cannot be read, says two things about one name, or nothing at all.
    """
    path = folder / lookup.file
    wanted = list(dict.fromkeys((lookup.key, lookup.value, *lookup.match)))
    columns = read_columns(path, wanted)
    found: dict[str, str] = {}
    mistakes = []
    for row in range(len(columns[lookup.key].codes)):
        if any(columns[name].text(row) != text for name, text in lookup.match.items()):
            continue
        key, value = columns[lookup.key].text(row) or "", columns[lookup.value].text(row) or ""
        if found.setdefault(key, value) != value:
            read = f"{shown(repr(value))} for {shown(repr(key))}"
            expected = f"{shown(repr(found[key]))}, as above"
            place = f"row {row + 1}"
            mistakes.append(Mistake(file=str(path), place=place, read=read, expected=expected))
    if not found:
        read, expected = "no such row", "rows in which " + _told(lookup.match)
        mistakes.append(Mistake(file=str(path), place="", read=read, expected=expected))
    if mistakes:
        raise TableError(mistakes)
    return MappingProxyType(found)


def _told(match: Mapping[str, str]) -> str:
    return " and ".join(f"{name} is {text!r}" for name, text in match.items()) or "a name stands"


def _places(header: Sequence[str], names: Sequence[str], *, file: str) -> list[int]:
    lacking = [name for name in names if name not in header]
    if lacking:
        expected = "one of " + shown(", ".join(header))
        raise TableError(
            [
                Mistake(file=file, place="header", read=f"no column {name!r}", expected=expected)
                for name in lacking
            ]
        )
    return [header.index(name) for name in names]


def _even(chunk: Sequence[Sequence[str]], *, width: int, start: int, file: str) -> None:
    if all(len(line) == width for line in chunk):
        return
    raise TableError(
        [
            Mistake(
                file=file,
                place=f"row {number}",
                read=f"{len(line)} cells",
                expected=f"{width}, as the header has",
            )
            for number, line in enumerate(chunk, start=start)
            if len(line) != width
        ][:20]
    )


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[tuple[str, ...]]]:
    """Give the header and then the lines; whatever fails while reading names the file."""
    try:
        if path.suffix == ".parquet":
            yield _checked(_parquet(path), file=str(path))
            return
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            lines = (tuple(line) for line in csv.reader(stream, strict=True))
            yield _checked(lines, file=str(path))
    except _FAULTS as error:
        read = shown(str(error))
        expected = "a table in CSV (plain or gzipped) or Parquet, in UTF-8"
        wrong = Mistake(file=str(path), place="", read=read, expected=expected)
        raise TableError([wrong]) from None


def _checked(lines: Iterator[tuple[str, ...]], *, file: str) -> Iterator[tuple[str, ...]]:
    header = next(lines, ())
    if not header or len(set(header)) != len(header):
        read = "a name twice" if header else "no line at all"
        expected = "a header line that names every column once"
        raise TableError([Mistake(file=file, place="header", read=read, expected=expected)])
    yield header
    yield from lines


def _parquet(path: Path) -> Iterator[tuple[str, ...]]:
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra
        from pyarrow import parquet  # noqa: PLC0415  # an extra
    except ImportError:
        raise ExtraMissingError(
            f"{path} is Parquet; reading it needs an extra: pip install 'dokja[import]'"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            yield tuple(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_AT_ONCE):
                columns = [_texts(column) for column in batch.columns]
                yield from zip(*columns, strict=True)
    except pa.ArrowException as error:
        raise OSError(str(error)) from None


def _texts(column: Iterator[object]) -> list[str]:
    values = column.to_pylist()  # type: ignore[attr-defined]  # pyarrow carries no types
    return ["" if value is None else str(value) for value in values]
