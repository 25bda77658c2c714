"""Reads a mapping from TOML, whole, with every mistake in it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.importers.mappings import Clustering, Letter, Lookup, TableMapping
from dokja.evidence.benchmarks.outcomes import CAUSES, Charge, Outcome, default_charge
from dokja.values import Digest, shown

__all__ = ["BUILT_IN", "built_in_mapping", "parse_mapping", "read_mapping"]

_VERSION = 1
_COLUMNS = (
    "system",
    "item",
    "order",
    "category",
    "key",
    "answer",
    "outcome",
    "score",
    "content",
    "epoch",
    "cost",
    "reply",
)
_TOP = (
    "v",
    "suite",
    "shape",
    "columns",
    "wide",
    "systems",
    "categories",
    "clusters",
    "outcomes",
    "answers",
    "options",
    "chance",
    "align",
    "duplicates",
)
BUILT_IN = ("hsr87-kmmlu", "hsr87-click", "hsr87-haerae")
"""Mappings that come with Dokja, by name."""


def built_in_mapping(name: str) -> TableMapping:
    """Return a mapping that comes with Dokja.

    Raises:
        KeyError: There is none of that name.

    Example:
        >>> built_in_mapping("hsr87-click").by
        'id'
    """
    return parse_mapping(_built_in_bytes(name), file=f"{name}.toml")


def read_mapping(said: str) -> tuple[TableMapping, Digest]:
    """Return a mapping and the digest of its bytes.

    Args:
        said: The name of one that comes with Dokja, or a path.

    Raises:
        TableError: It cannot be read or is wrong; every mistake at once.
    """
    if said in BUILT_IN:
        data = _built_in_bytes(said)
    else:
        try:
            data = Path(said).read_bytes()
        except OSError as error:
            read = shown(str(error.strerror))
            expected = "a mapping in TOML, or one of " + ", ".join(BUILT_IN)
            wrong = Mistake(file=said, place="", read=read, expected=expected)
            raise TableError([wrong]) from None
    return parse_mapping(data, file=said), Digest.of(data)


def _built_in_bytes(name: str) -> bytes:
    if name not in BUILT_IN:
        raise KeyError(name)
    return resources.files(__package__).joinpath("mappings", f"{name}.toml").read_bytes()


def parse_mapping(data: bytes, *, file: str) -> TableMapping:
    """Return the mapping that these bytes are.

    Raises:
        TableError: They are no mapping; every mistake at once.
    """
    try:
        said = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        read = shown(str(error))
        wrong = Mistake(file=file, place="", read=read, expected="a mapping in TOML")
        raise TableError([wrong]) from None
    reader = _Reader(file=file, mistakes=[])
    mapping = reader.mapping(said)
    if reader.mistakes:
        raise TableError(reader.mistakes)
    return mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads a mapping and keeps every mistake; what is wrong is read as if it were not there."""

    file: str
    mistakes: list[Mistake]

    def mapping(self, said: Mapping[str, Any]) -> TableMapping:
        self.only(said, known=_TOP, place="")
        if said.get("v") != _VERSION:
            self.wrong("v", said.get("v"), expected=f"{_VERSION}")
        shape = self.choice(said, "shape", allowed=("long", "wide"), default="long")
        columns = self.texts(said.get("columns"), place="columns", known=_COLUMNS)
        align = self.table(said.get("align", {}), place="align")
        self.only(align, known=("by", "reference", "batch"), place="align")
        by = self.choice(align, "by", allowed=("id", "order"), default="id", place="align.by")
        found = TableMapping(
            suite=self.text(said, "suite"),
            shape="wide" if shape == "wide" else "long",
            columns=columns,
            wide=self.list(said, "wide"),
            systems=self.lookup(said.get("systems"), place="systems"),
            categories=self.lookup(said.get("categories"), place="categories"),
            clusters=self.clusterings(said.get("clusters", {})),
            outcomes=self.letters(said.get("outcomes", {}), place="outcomes"),
            answers=self.letters(said.get("answers", {}), place="answers"),
            options=self.list(said, "options"),
            chance=self.chance(said.get("chance")),
            by="order" if by == "order" else "id",
            reference=self.text(align, "reference", place="align.reference", needed=False),
            batch=self.count(align.get("batch", 0), place="align.batch"),
            duplicates="all"
            if self.choice(said, "duplicates", allowed=("first", "all"), default="first") == "all"
            else "first",
        )
        self.whole(found)
        return found

    def whole(self, mapping: TableMapping) -> None:
        """Ask for what a mapping of its kind cannot do without."""
        columns = mapping.columns
        if mapping.shape == "long" and "system" not in columns:
            self.wrong("columns.system", None, expected="the column that names the system")
        if mapping.by == "id" and "item" not in columns:
            expected = "the column that identifies the item, or align.by = 'order'"
            self.wrong("columns.item", None, expected=expected)
        if mapping.by == "order" and "key" not in columns:
            expected = "the column of right answers: they alone tell whether orders agree"
            self.wrong("columns.key", None, expected=expected)
        if mapping.shape == "wide" and mapping.outcomes and mapping.answers:
            self.wrong(
                "answers", "a table", expected="outcomes or answers in a wide table, not both"
            )
        told = {"outcome", "score"} & columns.keys() or {"answer", "key"} <= columns.keys()
        if mapping.shape == "long" and not told:
            expected = "a column outcome, or score, or both answer and key"
            self.wrong("columns", ", ".join(columns) or None, expected=expected)
        if ("outcome" in columns) != bool(mapping.outcomes) and mapping.shape == "long":
            expected = "both a column outcome and what its letters stand for, or neither"
            self.wrong("outcomes", None, expected=expected)

    def wrong(self, place: str, read: object, *, expected: str) -> None:
        said = "nothing" if read is None else shown(repr(read))
        self.mistakes.append(Mistake(file=self.file, place=place, read=said, expected=expected))

    def only(self, said: Mapping[str, Any], *, known: Sequence[str], place: str) -> None:
        for key in sorted(said.keys() - set(known)):
            where = f"{place}.{key}" if place else key
            self.wrong(where, key, expected="one of " + ", ".join(known))

    def table(self, said: object, *, place: str) -> Mapping[str, Any]:
        if isinstance(said, dict):
            return said
        self.wrong(place, said, expected="a table")
        return {}

    def text(
        self, said: Mapping[str, Any], key: str, *, place: str = "", needed: bool = True
    ) -> str:
        value = said.get(key)
        if isinstance(value, str) and (value or not needed):
            return value
        if needed or value is not None:
            self.wrong(place or key, value, expected="text")
        return ""

    def texts(
        self, said: object, *, place: str, known: Sequence[str] | None = None
    ) -> Mapping[str, str]:
        table = self.table(said if said is not None else {}, place=place)
        if known is not None:
            self.only(table, known=known, place=place)
        for key, value in table.items():
            if not isinstance(value, str):
                self.wrong(f"{place}.{key}", value, expected="text")
        return MappingProxyType({k: v for k, v in table.items() if isinstance(v, str)})

    def list(self, said: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = said.get(key, [])
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.wrong(key, value, expected="a list of texts")
        return ()

    def choice(
        self,
        said: Mapping[str, Any],
        key: str,
        *,
        allowed: Sequence[str],
        default: str,
        place: str = "",
    ) -> str:
        value = said.get(key, default)
        if value in allowed:
            return str(value)
        self.wrong(place or key, value, expected="one of " + ", ".join(allowed))
        return default

    def count(self, value: object, *, place: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.wrong(place, value, expected="a count")
        return 0

    def chance(self, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
            return float(value)
        self.wrong("chance", value, expected="a number in [0, 1)")
        return None

    def lookup(self, said: object, *, place: str, extra: Sequence[str] = ()) -> Lookup | None:
        if said is None:
            return None
        table = self.table(said, place=place)
        self.only(table, known=("file", "key", "value", "match", *extra), place=place)
        texts = {
            key: self.text(table, key, place=f"{place}.{key}") for key in ("file", "key", "value")
        }
        if any(mark in texts["file"] for mark in ("/", "\\")) or texts["file"].startswith("."):
            expected = "a name beside the table, without folders"
            self.wrong(f"{place}.file", texts["file"], expected=expected)
        match = self.texts(table.get("match"), place=f"{place}.match")
        return Lookup(**texts, match=match)

    def clusterings(self, said: object) -> Mapping[str, Clustering]:
        found: dict[str, Clustering] = {}
        for name, each in self.table(said, place="clusters").items():
            place = f"clusters.{name}"
            table = self.table(each, place=place)
            of = self.text(table, "of", place=f"{place}.of")
            lookup = None
            if "file" in table:
                lookup = self.lookup(table, place=place, extra=("of", "pattern"))
            else:
                self.only(table, known=("of", "pattern", "file"), place=place)
            pattern = self.pattern(table.get("pattern"), place=f"{place}.pattern")
            found[name] = Clustering(of=of, pattern=pattern, lookup=lookup)
        return MappingProxyType(found)

    def pattern(self, said: object, *, place: str) -> re.Pattern[str] | None:
        if said is None:
            return None
        try:
            compiled = re.compile(said if isinstance(said, str) else "")
        except re.error:
            compiled = re.compile("")
        if compiled.groups != 1:
            self.wrong(place, said, expected="a regular expression with one group")
            return None
        return compiled

    def letters(self, said: object, *, place: str) -> Mapping[str, Letter]:
        found = {}
        for letter, each in self.table(said, place=place).items():
            where = f"{place}.{letter or '(empty)'}"
            table = self.table(each, place=where)
            self.only(table, known=("outcome", "cause", "charge"), place=where)
            told = self.letter(table, place=where)
            if told is not None:
                found[letter] = told
        return MappingProxyType(found)

    def letter(self, said: Mapping[str, Any], *, place: str) -> Letter | None:
        outcomes = {each.value: each for each in Outcome}
        outcome = outcomes.get(str(said.get("outcome")))
        if outcome is None:
            self.wrong(f"{place}.outcome", said.get("outcome"), expected=_one_of(outcomes))
            return None
        causes = {each.value: each for each in sorted(CAUSES[outcome], key=lambda one: one.value)}
        cause = causes.get(str(said.get("cause")))
        if "cause" in said and cause is None:
            expected = _one_of(causes) if causes else f"no cause: {outcome.value} has none"
            self.wrong(f"{place}.cause", said["cause"], expected=expected)
        charges = {each.value: each for each in Charge}
        charge = charges.get(str(said.get("charge")), default_charge(outcome, cause))
        if "charge" in said and said["charge"] not in charges:
            self.wrong(f"{place}.charge", said["charge"], expected=_one_of(charges))
        return Letter(outcome=outcome, charge=charge, cause=cause)


def _one_of(names: Mapping[str, object]) -> str:
    return "one of " + ", ".join(names)
