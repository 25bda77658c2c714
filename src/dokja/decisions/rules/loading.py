"""From the bytes of a rulebook to rules that can be asked, or to everything that is wrong.

A rulebook that loads has no contradiction that `checking` knows of; nobody behind this door has
to ask again. Its digest is that of its bytes, so that a changed comment is another file but one
rulebook version is one file.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import ValidationError

from dokja.decisions.rules.checking import contradictions, shown
from dokja.decisions.rules.schema import (
    KEYS,
    Gate,
    Part,
    Probability,
    RulebookFile,
    Scheme,
    Source,
    Stage,
    Titles,
    Worths,
)
from dokja.errors import Mistake, RulebookError
from dokja.values import Digest, normal_form

__all__ = ["Rulebook", "load_rulebook"]

_UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """One version of a programme's rules.

    Attributes:
        id: The rulebook, the same in every version.
        version: This version.
        digest: Of the file's bytes.
        title: What it is called.
        in_force: From when it holds.
        supersedes: The version before it.
        changes: What this version changed.
        sources: Where its figures were read, by tag.
        probability: How chance is computed.
        scheme: The scheme of grades; none where the rules grade nothing.
        gates: Conditions that no points buy off, by id.
        conventions: What outcomes are worth, by the names that this rulebook gives.
        stages: The stages, by id.
    """

    id: str
    version: str
    digest: Digest
    title: Titles
    in_force: date
    supersedes: str | None
    changes: Titles | None
    sources: Mapping[str, Source]
    probability: Probability
    scheme: Scheme | None
    gates: Mapping[str, Gate]
    conventions: Mapping[str, Worths]
    stages: Mapping[str, Stage]

    def parts(self, stage: str) -> Iterator[tuple[Part, str | None]]:
        """Yield every part of a stage with its parent's id, parents before children."""

        def below(part: Part, parent: str | None) -> Iterator[tuple[Part, str | None]]:
            yield part, parent
            for child in part.parts:
                yield from below(child, part.id)

        for part in self.stages[stage].parts:
            yield from below(part, None)


def load_rulebook(data: bytes, *, file: str) -> Rulebook:
    """Return the rulebook that these bytes say.

    Args:
        data: The bytes of the TOML file.
        file: What it is called, for the error.

    Raises:
        RulebookError: It is no rulebook of format 1; every mistake that can be told at once.

    Example:
        >>> load_rulebook(b"", file="rules.toml")
        Traceback (most recent call last):
        dokja.errors.RulebookError: rules.toml: read nothing; expected a rulebook: a TOML file ...
        Nothing was changed.
    """
    raw = _parsed(data, file=file)
    mistakes = [*_decomposed(raw, file=file, place="")]
    terms: RulebookFile | None = None
    try:
        terms = RulebookFile.model_validate(_frozen(raw))
    except ValidationError as error:
        mistakes += [_mistake(fault, file=file) for fault in error.errors(include_url=False)]
    mistakes += contradictions(raw, file=file)
    if mistakes or terms is None:
        raise RulebookError(mistakes, changed=_UNCHANGED)
    return Rulebook(
        id=terms.id,
        version=terms.version,
        digest=Digest.of(data),
        title=terms.title,
        in_force=terms.in_force,
        supersedes=terms.supersedes,
        changes=terms.changes,
        sources=terms.sources,
        probability=terms.probability,
        scheme=terms.scheme,
        gates=terms.gates,
        conventions=terms.conventions,
        stages=terms.stages,
    )


def _parsed(data: bytes, *, file: str) -> dict[str, Any]:
    """Return the tables of a TOML file, or say why it is none."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _unreadable(
            file,
            place=f"line {line}, byte {error.start}",
            read=f"the byte 0x{data[error.start]:02x}, which is not UTF-8 there",
            expected="text in UTF-8",
            remedy="Save the file as UTF-8 and load it again.",
        ) from error
    try:
        raw = tomllib.loads(text)
    except ValueError as error:
        place = re.search(r"\(at (.*)\)$", str(error))
        raise _unreadable(
            file,
            place=place.group(1) if place else "",
            read=re.sub(r" \(at .*\)$", "", str(error)),
            expected="TOML 1.0",
        ) from error
    except RecursionError as error:
        raise _unreadable(
            file, place="", read="values nested too deep", expected="a rulebook's few levels"
        ) from error
    if not raw:
        raise _unreadable(
            file,
            place="",
            read="nothing",
            expected="a rulebook: a TOML file that begins with format = 1",
            remedy="`dokja new DIR` writes one to begin with.",
        )
    return raw


def _unreadable(
    file: str, *, place: str, read: str, expected: str, remedy: str = ""
) -> RulebookError:
    mistake = Mistake(file=file, place=place, read=read, expected=expected, remedy=remedy)
    return RulebookError([mistake], changed=_UNCHANGED)


def _decomposed(value: object, *, file: str, place: str) -> Iterator[Mistake]:
    """Yield every key and text that is not in NFC, which would not equal the same text typed."""
    if isinstance(value, str) and normal_form(value) != value:
        yield Mistake(
            file=file,
            place=place,
            read=f"{shown(value)} in decomposed letters (NFD)",
            expected=f"the composed form (NFC), {shown(normal_form(value))}",
            remedy="The two look alike and compare unequal; type it again or convert the file.",
        )
    elif isinstance(value, dict):
        for key, inner in value.items():
            at = f"{place}.{key}" if place else key
            if normal_form(key) != key:
                yield from _decomposed(key, file=file, place=f"{at} (its name)")
            yield from _decomposed(inner, file=file, place=at)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _decomposed(inner, file=file, place=f"{place}[{number}]")


def _frozen(value: Any) -> Any:
    """Return the value with tuples for lists, as the strict models want it."""
    if isinstance(value, dict):
        return {key: _frozen(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_frozen(inner) for inner in value)
    return value


def _mistake(fault: Any, *, file: str) -> Mistake:
    """Return a fault of shape as a mistake."""
    steps = tuple(step for step in fault["loc"] if step != "[key]")
    place = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")
    if fault["type"] == "missing":
        return Mistake(file=file, place=place, read="nothing", expected="this key")
    if fault["type"] == "extra_forbidden":
        return Mistake(
            file=file,
            place=place,
            read=f"the key {str(steps[-1])!r}",
            expected="no such key",
            remedy=_meant(steps),
        )
    expected = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return Mistake(file=file, place=place, read=shown(fault["input"]), expected=expected)


def _meant(steps: tuple[str | int, ...]) -> str:
    """Return which key of the same table was probably meant."""
    siblings = _siblings(steps[:-1])
    close = difflib.get_close_matches(str(steps[-1]), siblings, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"This table knows: {', '.join(siblings)}." if siblings else ""


def _siblings(table: tuple[str | int, ...]) -> list[str]:
    """Return the keys that a table can hold."""
    at = ""
    for step in table:
        if isinstance(step, int):
            at = f"{at.removesuffix('.')}[]."
        elif f"{at}{step}" in KEYS:
            # A sub-part is a part once more.
            at = re.sub(r"(\.parts\[\])\.parts", r"\1", f"{at}{step}") + "."
            at = at.replace("[][]", "[]")
        else:
            at += "*."
    at = at.replace("[][]", "[]")
    return [path.removeprefix(at) for path in KEYS if re.fullmatch(re.escape(at) + r"[^.]+", path)]
