"""Items as they come in, one object each, from JSON Lines or a Parquet table; checked whole."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

from dokja.errors import ExtraMissingError, Mistake
from dokja.evidence.benchmarks.scorers import Choice, CodeTest
from dokja.evidence.benchmarks.suites.items import SuiteItem
from dokja.evidence.benchmarks.suites.templates import KEY_PLACES
from dokja.values import Json, parse_json, shown, text_fault

__all__ = ["LABELS", "Layout", "Row", "item_of", "json_rows", "parquet_rows"]

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "latin": "ABCDEFGHIJ",
        "digit": "123456789",
        "circle": "①②③④⑤⑥⑦⑧⑨⑩",
        "korean": "가나다라마바사아자차",
        "jamo": "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊ",
    }
)
"""Rows of signs by which options can be labelled."""

_KEYS = frozenset(
    {
        "id",
        "question",
        "choices",
        "key",
        "clusters",
        "language",
        "chance",
        "fields",
        "tests",
        "dated",
        "form",
    }
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")
_FIELD = re.compile(r"[a-z][a-z0-9_]*")
_LEAST_OPTIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a suite's declaration says about every item.

    Attributes:
        kind: Of the scorer: `choice` asks for options, `code` for tests, others for a key.
        labels: Signs for the options, in order.
        clusters: The clusterings that every item must name.
        strata: Which of them is the category; empty if none.
        language: Of items that name none.
        chance: `options` for one over the number of options, a number, or None.
        forms: The forms that the suite declares.
        private: Whether these items stay secret; nothing of them is then quoted.
    """

    kind: str
    labels: str
    clusters: tuple[str, ...]
    strata: str
    language: str
    chance: float | str | None
    forms: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An object that was read: where it stands, and what it says."""

    place: str
    said: Mapping[str, Json]


def json_rows(data: bytes, *, file: str, private: bool) -> tuple[list[Row], list[Mistake]]:
    """Return the objects of a JSON Lines file, and what is wrong with the other lines.

    Empty lines are passed over.
    """
    rows: list[Row] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            said = parse_json(line.decode())
        except (ValueError, RecursionError) as error:
            what = "something else" if private else shown(line.decode(errors="replace"))
            why = "" if private else f" ({error})"
            expected = f"one JSON object in UTF-8{why}"
            mistakes.append(Mistake(file=file, place=place, read=what, expected=expected))
            continue
        if isinstance(said, Mapping):
            rows.append(Row(place=place, said=said))
        else:
            mistakes.append(
                Mistake(file=file, place=place, read="another value", expected="a JSON object")
            )
    if not rows and not mistakes:
        mistakes.append(Mistake(file=file, place="", read="no item", expected="one item a line"))
    return rows, mistakes


def parquet_rows(path: Path) -> tuple[list[Row], list[Mistake]]:
    """Return the rows of a Parquet file; an absent value is an absent key.

    Raises:
        ExtraMissingError: The extra `import` is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  # an optional extra
    except ImportError as error:
        message = f"{path} is a Parquet table; install dokja[import] to read it."
        raise ExtraMissingError(message) from error
    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        read = shown(str(error))
        return [], [Mistake(file=str(path), place="", read=read, expected="a Parquet table")]
    rows = [
        Row(
            place=f"row {number}",
            said={key: _unpacked(value) for key, value in row.items() if value is not None},
        )
        for number, row in enumerate(table.to_pylist(), start=1)
    ]
    if not rows:
        return [], [Mistake(file=str(path), place="", read="no row", expected="one item a row")]
    return rows, []


def _unpacked(value: object) -> Json:
    """Return a table's value as JSON: maps come as lists of pairs, days as days."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        if value and all(isinstance(each, tuple) and len(each) == 2 for each in value):  # noqa: PLR2004  # key and value
            return {str(key): _unpacked(each) for key, each in value}
        return [_unpacked(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _unpacked(each) for key, each in value.items() if each is not None}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return repr(value)


def item_of(row: Row, layout: Layout, *, file: str, salt: bytes) -> SuiteItem | list[Mistake]:
    """Return the item of a row, or everything that is wrong with it."""
    told = [
        Mistake(
            file=file,
            place=f"{row.place}, {key}" if key else row.place,
            read="a value that stays secret" if layout.private and read != "nothing" else read,
            expected=expected,
            remedy=remedy,
        )
        for key, read, expected, remedy in _faults(row.said, layout)
    ]
    return told or _made(row.said, layout, salt=salt)


_Fault = tuple[str, str, str, str]


def _faults(said: Mapping[str, Json], layout: Layout) -> Iterator[_Fault]:
    for key in sorted(said.keys() - _KEYS):
        remedy = "Texts that the template shows stand below fields."
        yield key, "this key", "one of " + ", ".join(sorted(_KEYS)), remedy
    for key, name in (("id", True), ("question", False)):
        yield from _text(key, said.get(key), name=name, there=key in said)
    if "language" in said and not _matches(_LANGUAGE, said["language"]):
        yield "language", shown(repr(said["language"])), "a language such as ko or en", ""
    if "dated" in said and not _is_day(said["dated"]):
        yield "dated", shown(repr(said["dated"])), "a day such as 2026-08-03", ""
    if "chance" in said and not _is_chance(said["chance"]):
        yield "chance", shown(repr(said["chance"])), "a number in [0, 1)", ""
    if layout.forms and said.get("form") not in layout.forms:
        read = shown(repr(said["form"])) if "form" in said else "nothing"
        yield "form", read, "one of the forms in suite.toml: " + ", ".join(layout.forms), ""
    elif "form" in said and not layout.forms:
        yield "form", shown(repr(said["form"])), "none, or [forms] in suite.toml", ""
    yield from _cluster_faults(said.get("clusters", {}), layout)
    yield from _field_faults(said.get("fields", {}))
    yield from _answer_faults(said, layout)


def _text(key: str, value: Json, *, name: bool, there: bool) -> Iterator[_Fault]:
    if not there:
        yield key, "nothing", "text", ""
        return
    fault = text_fault(value, name=name)
    if fault:
        yield key, fault[0], fault[1], ""


def _cluster_faults(said: Json, layout: Layout) -> Iterator[_Fault]:
    if not isinstance(said, Mapping):
        yield "clusters", shown(repr(said)), "an object, such as {'source': 'exam-2024'}", ""
        return
    for name in layout.clusters:
        yield from _text(f"clusters.{name}", said.get(name), name=True, there=name in said)
    for name in sorted(said.keys() - set(layout.clusters)):
        remedy = f"Add {name!r} to clusters in suite.toml, or take it out here."
        yield f"clusters.{name}", "this clustering", "one that suite.toml names", remedy


def _field_faults(said: Json) -> Iterator[_Fault]:
    if not isinstance(said, Mapping):
        yield "fields", shown(repr(said)), "an object of texts", ""
        return
    for name, value in said.items():
        if not _FIELD.fullmatch(name) or name in {"question", "choices", "labels"}:
            yield f"fields.{name}", "this name", "small letters, digits and _, not taken", ""
        elif name in KEY_PLACES:
            remedy = "The key stands in key, where no template can show it."
            yield f"fields.{name}", "a field of this name", "another name", remedy
        else:
            yield from _text(f"fields.{name}", value, name=False, there=True)


def _answer_faults(said: Mapping[str, Json], layout: Layout) -> Iterator[_Fault]:
    if layout.kind == "code":
        yield from _test_faults(said.get("tests"))
        if "key" in said:
            yield "key", "a key", "none: tests tell what is right", ""
        return
    if "tests" in said:
        yield "tests", "tests", "none: only the scorer `code` runs programs", ""
    keys = _listed(said.get("key"))
    if not keys or not all(isinstance(key, str) and key.strip() for key in keys):
        read = shown(repr(said["key"])) if "key" in said else "nothing"
        yield "key", read, "the right answer as text, or a list of right answers", ""
        return
    if layout.kind == "choice":
        yield from _choice_faults(said.get("choices"), keys, layout)
    elif "choices" in said:
        yield "choices", "options", f"none: the scorer `{layout.kind}` reads free answers", ""


def _choice_faults(choices: Json, keys: Sequence[Json], layout: Layout) -> Iterator[_Fault]:
    texts = choices if isinstance(choices, Sequence) and not isinstance(choices, str) else []
    if not _LEAST_OPTIONS <= len(texts) <= len(layout.labels):
        read = f"{len(texts)} options" if texts else "no options"
        yield "choices", read, f"a list of {_LEAST_OPTIONS} to {len(layout.labels)} texts", ""
        return
    first: dict[str, int] = {}
    for number, text in enumerate(texts, start=1):
        yield from _text(f"choices.{number}", text, name=False, there=True)
        if str(text) in first:
            read = f"the text of option {first[str(text)]} again"
            yield f"choices.{number}", read, "each option once", ""
        first.setdefault(str(text), number)
    allowed = layout.labels[: len(texts)]
    for key in keys:
        if key not in list(allowed):
            remedy = "The key is the label of the right option, not its text."
            yield "key", shown(repr(key)), "one of " + ", ".join(allowed), remedy


def _test_faults(said: Json) -> Iterator[_Fault]:
    tests = said if isinstance(said, Sequence) and not isinstance(said, str) else []
    if not tests:
        yield "tests", "no tests", "a list of objects with stdin and stdout", ""
    for number, test in enumerate(tests, start=1):
        right = isinstance(test, Mapping) and test.keys() == {"stdin", "stdout"}
        if not right or not all(isinstance(each, str) for each in test.values()):  # type: ignore[union-attr]  # `right` says that it is a mapping
            yield f"tests.{number}", "something else", "an object of texts: stdin, stdout", ""


def _made(said: Mapping[str, Json], layout: Layout, *, salt: bytes) -> SuiteItem:
    clusters, fields = said.get("clusters", {}), said.get("fields", {})
    named = {str(key): str(value) for key, value in _pairs(clusters)}
    texts = _listed(said.get("choices"))
    choices = tuple(
        Choice(label=label, text=str(text))
        for label, text in zip(layout.labels, texts, strict=False)
    )
    chance = said.get("chance", layout.chance)
    if chance == "options":
        chance = 1 / len(choices) if choices else None
    return SuiteItem(
        id=str(said["id"]),
        question=str(said["question"]),
        keys=tuple(str(key) for key in _listed(said.get("key"))),
        choices=choices,
        clusters=MappingProxyType(named),
        stratum=named.get(layout.strata, ""),
        language=str(said.get("language", layout.language)),
        chance=float(chance) if isinstance(chance, int | float) else None,
        fields=MappingProxyType({str(key): str(value) for key, value in _pairs(fields)}),
        tests=tuple(
            CodeTest(stdin=str(each["stdin"]), stdout=str(each["stdout"]))
            for each in _listed(said.get("tests"))
            if isinstance(each, Mapping)
        ),
        form=str(said.get("form", "")),
        dated=str(said.get("dated", "")),
        private=layout.private,
        salt=salt,
    )


def _pairs(said: Json) -> list[tuple[str, Json]]:
    return list(said.items()) if isinstance(said, Mapping) else []


def _listed(said: Json) -> list[Json]:
    if said is None:
        return []
    if isinstance(said, Sequence) and not isinstance(said, str):
        return list(said)
    return [said]


def _matches(pattern: re.Pattern[str], value: Json) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_day(value: Json) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_chance(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1
