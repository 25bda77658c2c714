"""What `suite.toml` says: name, version, licence, budget, chance, clusters, blueprint, scorer."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake
from dokja.evidence.benchmarks.scorers import Scorer, read_scorer
from dokja.evidence.benchmarks.suites.rows import LABELS
from dokja.values import is_identifier, shown

__all__ = ["ROLES", "Declared", "read_declared"]

ROLES = ("moving", "anchor", "retired")
"""What a form is for: to decide a stage, to follow trends, or to be published."""

_FORMAT = 1
_BLUEPRINT_SLACK = 1e-9
_VERSION = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z._+-]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A suite's declaration.

    Attributes:
        name: The suite's id.
        version: Of items, template and scorer together.
        licence: Under which the items may be used; an SPDX expression where there is one.
        language: Of items that name none.
        budget_tokens: The longest answer that the suite grants.
        chance: What guessing gets: `options`, a number in [0, 1), or None.
        labels: Signs by which options are labelled.
        choice_line: How an option is shown.
        system: The system's message; empty if there is none.
        clusters: Names of the clusterings.
        strata: Which of them is the category; empty if none.
        blueprint: What share of the form each category has; empty if undeclared.
        scorer: Tells what becomes of replies.
        items: File of the public items, below the folder; it may be absent if there are private
            ones.
        private_items: File of the private items; empty if there are none.
        title: For people; empty if undeclared.
        forms: The role of each form: `moving` decides a stage, `anchor` is for trends, `retired`
            may be published; empty if the suite has no forms.
    """

    name: str
    version: str
    licence: str
    language: str
    budget_tokens: int
    chance: float | str | None
    labels: str
    choice_line: str
    system: str
    clusters: tuple[str, ...]
    strata: str
    blueprint: Mapping[str, float]
    scorer: Scorer
    items: str
    private_items: str
    title: str
    forms: Mapping[str, str]


_Check = tuple[Callable[[Any], bool], str]
_NEEDED = ("format", "name", "version", "licence", "language", "budget_tokens", "scorer")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_chance(value: object) -> bool:
    if value in {"options", "none"}:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


def _is_names(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(each, str) and is_identifier(each) for each in value)
        and len(set(value)) == len(value)
    )


def _is_blueprint(value: object) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    shares = list(value.values())
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in shares)
    return numbers and min(shares) > 0 and abs(sum(shares) - 1) < _BLUEPRINT_SLACK


def _is_file(value: object, *, suffixes: tuple[str, ...] = (".jsonl", ".parquet")) -> bool:
    return (
        isinstance(value, str)
        and "/" not in value
        and "\\" not in value
        and not value.startswith(".")
        and value.endswith(suffixes)
    )


_CHECKS: Mapping[str, _Check] = MappingProxyType(
    {
        "format": (lambda value: value == _FORMAT and value is not True, "1, or a newer Dokja"),
        "name": (lambda value: isinstance(value, str) and is_identifier(value), "an identifier"),
        "version": (
            lambda value: isinstance(value, str) and bool(_VERSION.fullmatch(value)),
            "text such as '2026.1'",
        ),
        "licence": (_is_text, "text such as 'CC-BY-4.0'"),
        "title": (_is_text, "text"),
        "language": (
            lambda value: isinstance(value, str) and bool(_LANGUAGE.fullmatch(value)),
            "a language such as 'ko'",
        ),
        "budget_tokens": (
            lambda value: isinstance(value, int) and value is not True and value > 0,
            "a whole number of tokens above 0",
        ),
        "chance": (_is_chance, "'options', 'none' or a number in [0, 1)"),
        "labels": (lambda value: value in LABELS, "one of " + ", ".join(LABELS)),
        "choice_line": (
            lambda value: isinstance(value, str) and "{{label}}" in value and "{{text}}" in value,
            "text with {{label}} and {{text}}",
        ),
        "system": (_is_text, "text"),
        "clusters": (_is_names, "a list of identifiers, each once"),
        "strata": (lambda value: isinstance(value, str), "one of clusters"),
        "blueprint": (_is_blueprint, "shares above 0 that make up 1, by category"),
        "items": (_is_file, "a .jsonl or .parquet file in this folder"),
        "private": (
            lambda value: (
                isinstance(value, dict) and value.keys() == {"items"} and _is_file(value["items"])
            ),
            "items = a .jsonl or .parquet file in this folder",
        ),
        "forms": (
            lambda value: (
                isinstance(value, dict)
                and bool(value)
                and all(is_identifier(name) and role in ROLES for name, role in value.items())
            ),
            "a table of forms, each with its role: " + ", ".join(ROLES),
        ),
        "scorer": (lambda value: isinstance(value, dict), "a table [scorer] with its kind"),
    }
)


def read_declared(text: str, *, file: str) -> tuple[Declared | None, tuple[Mistake, ...]]:
    """Return what a `suite.toml` says, or every mistake in it."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, (Mistake(file=file, place="", read=str(error), expected="TOML"),)
    mistakes = list(_mistakes(said, text=text, file=file))
    table = said.get("scorer", {})
    scorer, wrong = read_scorer(table, file=file) if isinstance(table, dict) else (None, ())
    mistakes += [_at_line(each, text) for each in wrong] if "scorer" in said else []
    if mistakes or scorer is None:
        return None, tuple(mistakes)
    private = said.get("private", {})
    chance = said.get("chance", "options" if scorer.kind == "choice" else "none")
    return (
        Declared(
            name=said["name"],
            version=said["version"],
            licence=said["licence"],
            language=said["language"],
            budget_tokens=said["budget_tokens"],
            chance=None if chance == "none" else chance,
            labels=LABELS[said.get("labels", "latin")],
            choice_line=said.get("choice_line", _line(said.get("labels", "latin"))),
            system=said.get("system", ""),
            clusters=tuple(said.get("clusters", ())),
            strata=said.get("strata", ""),
            blueprint=MappingProxyType(said.get("blueprint", {})),
            scorer=scorer,
            items=said.get("items", "items.jsonl"),
            private_items=private.get("items", ""),
            title=said.get("title", ""),
            forms=MappingProxyType(said.get("forms", {})),
        ),
        (),
    )


def _line(labels: str) -> str:
    return "{{label}} {{text}}" if labels == "circle" else "{{label}}. {{text}}"


def _mistakes(said: Mapping[str, Any], *, text: str, file: str) -> list[Mistake]:
    mistakes = []
    for key in _NEEDED:
        if key not in said:
            expected = f"{key} = {_CHECKS[key][1]}"
            mistakes.append(Mistake(file=file, place=key, read="nothing", expected=expected))
    for key, value in said.items():
        if key not in _CHECKS:
            expected = "one of " + ", ".join(_CHECKS)
            mistakes.append(
                Mistake(file=file, place=_place(key, text), read="this key", expected=expected)
            )
        elif not _CHECKS[key][0](value):
            read, expected = shown(repr(value)), _CHECKS[key][1]
            mistakes.append(
                Mistake(file=file, place=_place(key, text), read=read, expected=expected)
            )
    clusters = said.get("clusters")
    strata = said.get("strata", "")
    if strata and strata not in (clusters if isinstance(clusters, list) else []):
        place = _place("strata", text)
        expected = "the name of one of clusters"
        mistakes.append(Mistake(file=file, place=place, read=repr(strata), expected=expected))
    if "blueprint" in said and not strata:
        remedy = "Add strata, such as strata = 'subject'."
        place = _place("blueprint", text)
        expected = "strata beside it, which says what its categories are"
        mistakes.append(
            Mistake(file=file, place=place, read="no strata", expected=expected, remedy=remedy)
        )
    return mistakes


def _place(key: str, text: str) -> str:
    """Return where a key stands: its line and its name."""
    pattern = re.compile(rf"^\s*(?:\[\s*)?{re.escape(key)}\s*(?:=|\]|\.)")
    for number, line in enumerate(text.split("\n"), start=1):
        if pattern.match(line):
            return f"line {number}, {key}"
    return key


def _at_line(mistake: Mistake, text: str) -> Mistake:
    """Return a mistake of the scorer's table with its line."""
    key = mistake.place.rsplit(".", 1)[-1]
    line = _place(key, text)
    place = line.replace(f", {key}", f", {mistake.place}") if line != key else mistake.place
    return Mistake(
        file=mistake.file,
        place=place,
        read=mistake.read,
        expected=mistake.expected,
        remedy=mistake.remedy,
    )
