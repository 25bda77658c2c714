"""Item × model tables, long or wide, read by a declared mapping."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.folding import folded
from dokja.evidence.benchmarks.importers.delimited import header_of, read_columns, read_lookup
from dokja.evidence.benchmarks.importers.mappings import Clustering, Letter, Lookup, TableMapping
from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.rows import Column, Rows
from dokja.values import shown

__all__ = ["read_plain"]

_NOT_THERE = Letter(outcome=Outcome.MISSING, charge=Charge.UNKNOWN)
_CORRECT = Letter(outcome=Outcome.CORRECT, charge=Charge.NOBODY)
_WRONG = Letter(outcome=Outcome.WRONG, charge=Charge.NOBODY)
_SCORED = Letter(outcome=Outcome.SCORED, charge=Charge.NOBODY)
_ILLEGAL = Letter(outcome=Outcome.NO_ANSWER, charge=Charge.UNKNOWN, cause=Cause.ILLEGAL_LABEL)
_SHOWN = 20
_MOST_EPOCHS = 10**9


def read_plain(path: Path, mapping: TableMapping) -> Rows:
    """Return the rows of a table, in the order column's order or the file's.

    A cell that a mapping calls `missing`, and an empty cell of a wide table for which it declares
    nothing, is no row.

    Args:
        path: The table; see `delimited.read_columns` for its forms.
        mapping: What its columns mean. Files that it names lie beside the table.

    Raises:
        TableError: Table and mapping do not fit, or a cell holds what the mapping does not
            declare; every mistake at once.
        ExtraMissingError: It is Parquet and the package for it is not installed.
    """
    said = _long(path, mapping) if mapping.shape == "long" else _wide(path, mapping)
    file = str(path)
    if "order" in said:
        numbers = _numbers(said["order"], file=file, place=mapping.columns["order"])
        ordered = np.argsort(numbers, kind="stable")
        said = {name: column.taken(ordered) for name, column in said.items()}
    letters, codes, scores = _outcomes(said, mapping=mapping, file=file)
    outcome = np.array([each.outcome.code for each in letters], dtype=np.uint8)
    charge = np.array([each.charge.code for each in letters], dtype=np.uint8)
    there = np.flatnonzero(outcome[codes] != Outcome.MISSING.code)
    said = {name: column.taken(there) for name, column in said.items()}
    codes = codes[there]
    causes = Column.of([each.cause.value if each.cause else None for each in letters])
    systems = _looked_up(said["system"], mapping.systems, folder=path.parent)
    categories = said.get("category")
    if mapping.categories is not None:
        categories = _looked_up(said["item"], mapping.categories, folder=path.parent)
    return Rows(
        file=file,
        suite=mapping.suite,
        systems=systems,
        outcomes=outcome[codes],
        charges=charge[codes],
        causes=Column(names=causes.names, codes=causes.codes[codes]),
        items=said.get("item"),
        categories=categories,
        keys=said.get("key"),
        answers=said.get("answer"),
        contents=said.get("content"),
        replies=said.get("reply"),
        scores=None if scores is None else scores[there],
        epochs=_epochs(said, mapping=mapping, file=file),
        costs=_numbers(said["cost"], file=file, place="cost", gaps=True)
        if "cost" in said
        else None,
        clusters={
            name: _cluster(each, said={**said, "category": categories}, folder=path.parent)
            for name, each in mapping.clusters.items()
        },
    )


def _long(path: Path, mapping: TableMapping) -> dict[str, Column]:
    plain = _meant(mapping)
    read = read_columns(path, list(dict.fromkeys(plain.values())))
    return {meant: read[name] for meant, name in plain.items()}


def _meant(mapping: TableMapping) -> dict[str, str]:
    """Return the columns by what they mean; those that only a clustering names, by their name."""
    named = {each.of: each.of for each in mapping.clusters.values()}
    named.pop("category", None)
    return {**named, **mapping.columns}


def _wide(path: Path, mapping: TableMapping) -> dict[str, Column]:
    """Lay the system columns one below the other."""
    plain = _meant(mapping)
    header = header_of(path)
    labels = mapping.wide or tuple(name for name in header if name not in plain.values())
    read = read_columns(path, list(dict.fromkeys((*plain.values(), *labels))))
    count = len(read[labels[0]].codes) if labels else 0
    names: dict[str, int] = {}
    cells = [
        np.array([names.setdefault(name, len(names)) for name in read[label].names] or [0])[
            read[label].codes
        ]
        for label in labels
    ]
    stacked = np.concatenate(cells).astype(np.int32) if cells else np.zeros(0, dtype=np.int32)
    meant = "answer" if not mapping.outcomes else "outcome"
    repeated = np.tile(np.arange(count, dtype=np.intp), len(labels))
    said = {name: read[column].taken(repeated) for name, column in plain.items()}
    systems = np.repeat(np.arange(len(labels), dtype=np.int32), count)
    said["system"] = Column(names=labels, codes=systems)
    said[meant] = Column(names=tuple(names), codes=stacked)
    return said


def _looked_up(column: Column, lookup: Lookup | None, *, folder: Path) -> Column:
    if lookup is None:
        return column
    names = read_lookup(folder, lookup)
    spellings = {folded(name): text for name, text in names.items()}
    found = {name: names.get(name, spellings.get(folded(name))) for name in column.names}
    file = str(folder / lookup.file)
    place = f"column {lookup.key}"
    lacking = [name for name, text in found.items() if text is None][:_SHOWN]
    if lacking:
        expected = "a row for every name that the table holds"
        raise TableError(
            [
                Mistake(file=file, place=place, read=f"no {shown(repr(name))}", expected=expected)
                for name in lacking
            ]
        )
    return column.renamed({name: text for name, text in found.items() if text is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """Pairs of codes that occur, each once, and which of them stands in each row."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, left: Column, right: Column) -> "_Pairs":
        width = len(right.names) + 1
        joined = (left.codes.astype(np.int64) + 1) * width + right.codes + 1
        unique, codes = np.unique(joined, return_inverse=True)
        return cls(left=unique // width - 1, right=unique % width - 1, codes=codes)


def _outcomes(
    said: Mapping[str, Column], *, mapping: TableMapping, file: str
) -> tuple[Sequence[Letter], NDArray[np.intp], NDArray[np.float32] | None]:
    """Return what rows can stand for, which of these each does, and the scores."""
    if "outcome" in said:
        letters = mapping.outcomes or mapping.answers
        column = said["outcome"]
        gaps = {"": _NOT_THERE} if mapping.shape == "wide" else {}
        declared = {**gaps, **letters}
        place = mapping.columns.get("outcome", "a system's column")
        _only_declared(column, declared, file=file, place=place)
        return [declared[name] for name in column.names], column.codes.astype(np.intp), None
    if "score" in said:
        return _scored(said["score"], mapping=mapping, file=file)
    pairs = _Pairs.of(said["answer"], said["key"])
    answers, keys = said["answer"].names, said["key"].names
    gaps = {"": _NOT_THERE} if mapping.shape == "wide" else {}
    declared = {**gaps, **mapping.answers}
    found = []
    for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
        answer = answers[left]
        legal = not mapping.options or answer in mapping.options
        settled = _CORRECT if answer == keys[right] else _WRONG if legal else _ILLEGAL
        found.append(declared.get(answer, settled))
    if "" in answers and "" not in declared:
        expected = "an answer, or answers.'' in the mapping, which says what a blank one is"
        place = mapping.columns["answer"]
        raise TableError([Mistake(file=file, place=place, read="a blank", expected=expected)])
    return found, pairs.codes, None


def _scored(
    column: Column, *, mapping: TableMapping, file: str
) -> tuple[Sequence[Letter], NDArray[np.intp], NDArray[np.float32]]:
    declared = {"": _NOT_THERE, **mapping.answers}
    letters, values, wrong = [], [], []
    for text in column.names:
        number = _number(text)
        if text in declared:
            letters.append(declared[text])
            values.append(np.nan)
        elif number is not None and 0 <= number <= 1:
            letters.append(_SCORED)
            values.append(number)
        else:
            wrong.append(text)
            letters.append(_NOT_THERE)
            values.append(np.nan)
    place = mapping.columns["score"]
    _none_wrong(wrong, file=file, place=place, expected="a score in [0, 1]")
    return letters, column.codes.astype(np.intp), np.array(values, dtype=np.float32)[column.codes]


def _only_declared(
    column: Column, declared: Mapping[str, Letter], *, file: str, place: str
) -> None:
    wrong = [name for name in column.names if name not in declared]
    expected = "an outcome that the mapping declares: " + ", ".join(filter(None, declared))
    _none_wrong(wrong, file=file, place=place, expected=expected)


def _none_wrong(wrong: Sequence[str], *, file: str, place: str, expected: str) -> None:
    if wrong:
        raise TableError(
            [
                Mistake(file=file, place=place, read=shown(repr(text)), expected=expected)
                for text in wrong[:_SHOWN]
            ]
        )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _numbers(column: Column, *, file: str, place: str, gaps: bool = False) -> NDArray[np.float64]:
    """Return the numbers that stand there; where nothing does and may, NaN."""
    values = [_number(text) for text in column.names]
    wrong = [
        text
        for text, value in zip(column.names, values, strict=True)
        if value is None and not (gaps and not text)
    ]
    _none_wrong(wrong, file=file, place=place, expected="a number")
    floats = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return floats[column.codes]


def _epochs(
    said: Mapping[str, Column], *, mapping: TableMapping, file: str
) -> NDArray[np.int32] | None:
    if "epoch" not in said:
        return None
    place = mapping.columns["epoch"]
    numbers = _numbers(said["epoch"], file=file, place=place)
    if len(numbers) and ((numbers % 1 != 0).any() or (numbers < 0).any()):
        _none_wrong(["a fraction"], file=file, place=place, expected="whole numbers from 0 or 1")
    if len(numbers) and numbers.max() - numbers.min() > _MOST_EPOCHS:
        expected = f"at most {_MOST_EPOCHS:,} epochs"
        _none_wrong([f"{numbers.max():.0f}"], file=file, place=place, expected=expected)
    shifted = numbers - (numbers.min() if len(numbers) else 0)
    return shifted.astype(np.int32)


def _cluster(clustering: Clustering, *, said: Mapping[str, Column | None], folder: Path) -> Column:
    column = said[clustering.of]
    if column is None:
        raise ValueError("a clustering of categories, and the mapping names none")
    if clustering.lookup is not None:
        column = _looked_up(column, clustering.lookup, folder=folder)
    if clustering.pattern is None:
        return column
    names = {}
    for name in column.names:
        found = clustering.pattern.match(name)
        names[name] = found.group(1) if found else name
    return column.renamed(names)
