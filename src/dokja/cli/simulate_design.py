"""From a rulebook, a design file and `--set` to the design of a stage, with where all comes from.

The rulebook comes first: points, scales, places and ties are its own and nothing overrules them.
What it leaves open is read from the design file, or from the design that comes with Dokja for this
rulebook, then from `--set`; what stands nowhere is a default, and is told as an assumption.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from dokja.decisions.rules import Part, Rulebook, Stage
from dokja.errors import InputError, Mistake
from dokja.evidence.statistics.simulating import (
    Ballots,
    Benchmarks,
    Observation,
    Panel,
    PartDesign,
    StageDesign,
)
from dokja.public.reports import Assumption

__all__ = ["Given", "Planned", "planned"]

_KINDS: Mapping[str, type[Observation]] = {
    "benchmarks": Benchmarks,
    "panel": Panel,
    "ballots": Ballots,
}
_MEASURED = {"runs": "benchmarks", "sheets": "panel", "ballots": "ballots"}
_OF_STAGE = {"teams": 0, "decimals": None, "agreement": 0.5, "generalise_to": "new-clusters"}
_OF_PART = {"level": 0.75, "spread": 0.07}
_BALLOT_SPREAD = 0.4
_OF_TARGET = ("references", "reference_level", "reference_step")
_FITTED = ("size_cv", "difficulty_sd", "subject_sd", "team_subject_sd", "team_item_sd")
_FITTED_TO = "like 34 runs on KMMLU, CLIcK and HAE-RAE"
_SCALES = ("absolute", "to-best", "to-target")
_UNCHANGED = "Nothing was simulated and nothing was written."


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What will be simulated, and where every quantity comes from."""

    stage: StageDesign
    assumptions: tuple[Assumption, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Quantities of one place: of the stage (`None`) or of a part, by name, with their sources.

    Attributes:
        file: Where they were read.
        kind: `design`, or `option`.
        of: By stage or part: by quantity, its value.
        sources: Likewise, where each was read.
    """

    file: str
    kind: str
    of: Mapping[str | None, Mapping[str, Any]]
    sources: Mapping[str | None, Mapping[str, str]]


def planned(
    rulebook: Rulebook, stage: str, *, design: Path | None, settings: Sequence[str], file: str
) -> Planned:
    """Return the design of a stage.

    Args:
        rulebook: The rules.
        stage: The stage's id; one that is cut by points.
        design: A design file; none for the one that comes with Dokja, where there is one.
        settings: Words of `--set`, such as `expert.raters=20` or `teams=5`.
        file: What the rulebook is called.

    Raises:
        InputError: With every mistake of the design and the settings.
    """
    mistakes: list[Mistake] = []
    rules = rulebook.stages[stage]
    given = [
        *_designs(rulebook, design, stage=stage, mistakes=mistakes),
        _settings(settings, mistakes=mistakes),
    ]
    leaves = [part for part, _ in rulebook.parts(stage) if not part.parts]
    desk = _Desk(rulebook=rulebook, given=given, mistakes=mistakes, file=file)
    desk.refuse_strange({part.id for part in leaves}, packaged=design is None)
    parts = [made for part in leaves if (made := desk.part(part)) is not None]
    whole = desk.stage(stage, rules, parts) if not mistakes else None
    if whole is None:
        raise InputError(mistakes, changed=_UNCHANGED)
    return Planned(stage=whole, assumptions=tuple(desk.assumptions))


def _designs(
    rulebook: Rulebook, path: Path | None, *, stage: str, mistakes: list[Mistake]
) -> Iterator[Given]:
    """Yield the design file that was named, or the packaged one."""
    if path is None:
        packaged = files("dokja.cli") / "designs" / f"{rulebook.id}.toml"
        if not packaged.is_file():
            return
        name, data = f"designs/{rulebook.id}.toml", packaged.read_bytes()
    else:
        name = str(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            read = error.strerror or "nothing"
            mistakes.append(Mistake(file=name, place="", read=read, expected="a design file"))
            return
    try:
        raw = tomllib.loads(data.decode())
    except ValueError as error:
        mistakes.append(Mistake(file=name, place="", read=str(error), expected="TOML in UTF-8"))
        return
    yield _read(raw, file=name, stage=stage, mistakes=mistakes)


def _read(raw: dict[str, Any], *, file: str, stage: str, mistakes: list[Mistake]) -> Given:
    """Return what stands in a design file of this stage and of all parts."""
    if raw.pop("format", None) != 1:
        mistakes.append(
            Mistake(file=file, place="format", read="another format", expected="format = 1")
        )
    strange = sorted(set(raw) - {"stages", "parts"})
    for key in strange:
        expected = "the tables stages and parts"
        mistakes.append(Mistake(file=file, place=key, read=f"the key {key!r}", expected=expected))
    tables: dict[str | None, Any] = {None: raw.get("stages", {}).get(stage, {})}
    tables |= raw.get("parts", {})
    of, sources = {}, {}
    for owner, table in tables.items():
        if not isinstance(table, dict):
            place = "stages" if owner is None else f"parts.{owner}"
            mistakes.append(Mistake(file=file, place=place, read=str(table), expected="a table"))
            continue
        said = dict(table)
        told = said.pop("sources", {})
        sources[owner] = dict(told) if isinstance(told, dict) else {}
        of[owner] = said
    return Given(file=file, kind="design", of=of, sources=sources)


def _settings(words: Sequence[str], *, mistakes: list[Mistake]) -> Given:
    of: dict[str | None, dict[str, Any]] = {}
    for word in words:
        name, sign, written = word.partition("=")
        part, dot, quantity = name.rpartition(".")
        if not sign or not quantity or not written:
            expected = "PART.QUANTITY=VALUE, or QUANTITY=VALUE of the stage"
            mistakes.append(Mistake(file="--set", place="", read=word, expected=expected))
            continue
        try:
            value = tomllib.loads(f"value = {written}")["value"]
        except tomllib.TOMLDecodeError:
            value = written  # a word such as to-best
        of.setdefault(part if dot else None, {})[quantity] = value
    return Given(file="--set", kind="option", of=of, sources={})


class _Desk:
    """Puts a design together, and notes where everything comes from and what is wrong."""

    def __init__(
        self,
        *,
        rulebook: Rulebook,
        given: Sequence[Given],
        mistakes: list[Mistake],
        file: str,
    ) -> None:
        self.rulebook = rulebook
        self.given = given
        self.mistakes = mistakes
        self.file = file
        self.assumptions: list[Assumption] = []

    def refuse_strange(self, parts: set[str], *, packaged: bool) -> None:
        """Note every table about a part that the stage does not have."""
        for one in self.given:
            if packaged and one.kind == "design":
                continue  # it speaks of every stage's parts
            for owner in one.of:
                if owner is not None and owner not in parts:
                    self._wrong(one.file, owner, read=owner, expected=_one_of(sorted(parts)))

    def part(self, part: Part) -> PartDesign | None:
        """Return the design of a part; none if something is wrong with it."""
        kind = self._kind(part)
        scale = self._scale(part)
        if kind is None or scale is None:
            return None
        known = {field.name: field.default for field in fields(kind)}
        defaults = {**_OF_PART, **known}
        if kind is Ballots:
            del defaults["level"]
            defaults["spread"] = _BALLOT_SPREAD
        ruled: dict[str, Any] = {}
        if kind is Benchmarks and part.measure is not None and part.measure.benchmarks:
            ruled = {"benchmarks": len(part.measure.benchmarks)}
        if kind is Benchmarks and scale != "to-target":
            defaults = {name: v for name, v in defaults.items() if name not in _OF_TARGET}
        found = self._quantities(part.id, defaults | ruled, ruled=ruled, ignored={"by", "scale"})
        seen = {name: value for name, value in found.items() if name in known}
        own = {name: value for name, value in found.items() if name in _OF_PART}
        try:
            return PartDesign(
                part=part.id, points=part.points, scale=scale, seen_by=kind(**seen), **own
            )
        except (ValueError, TypeError) as error:
            self._wrong(self._last(part.id), part.id, read=str(found), expected=str(error))
            return None

    def stage(self, stage: str, rules: Stage, parts: Sequence[PartDesign]) -> StageDesign | None:
        """Return the design of the stage; none if something is wrong with it."""
        places = rules.planned_advance
        if places is None:
            expected = "a stage with planned_advance"
            self._wrong(self.file, f"stages.{stage}", read="no number of places", expected=expected)
            return None
        before = self.rulebook.stages[rules.after].planned_advance if rules.after else None
        entering = {"teams": before or places + 1}
        ruled = entering if before else {}
        found = self._quantities(None, _OF_STAGE | entering, ruled=ruled, ignored=())
        try:
            return StageDesign(
                places=places,
                parts=tuple(parts),
                ties=rules.ties.rule,
                tie_parts=self._tie_parts(rules, parts),
                **found,
            )
        except (ValueError, TypeError) as error:
            self._wrong(self._last(None), stage, read=str(found), expected=str(error))
            return None

    def _tie_parts(self, rules: Stage, parts: Sequence[PartDesign]) -> tuple[str, ...]:
        """Return the smallest parts of the part that breaks ties."""
        if rules.ties.rule != "part":
            return ()
        known = {part.part for part in parts}

        def leaves(part: Part) -> list[str]:
            return [leaf for child in part.parts for leaf in leaves(child)] or [part.id]

        def below(part: Part) -> Iterator[Part]:
            yield part
            for child in part.parts:
                yield from below(child)

        named = [part for top in rules.parts for part in below(top) if part.id == rules.ties.part]
        return tuple(leaf for part in named for leaf in leaves(part) if leaf in known)

    def _kind(self, part: Part) -> type[Observation] | None:
        """Return how a part is observed: as the rulebook says, or else as the design does."""
        if part.measure is not None:
            return _KINDS[_MEASURED[part.measure.by]]
        value = self._said(part.id, "by")
        if value is None:
            self._wrong(
                self.file,
                f"part {part.id}",
                read="nothing about how it is measured",
                expected=f"by = {_one_of(_KINDS)} in a design",
                remedy=f"Give --design FILE, or --set {part.id}.by=panel (or benchmarks, ballots).",
            )
            return None
        if value not in _KINDS:
            self._wrong(
                self._last(part.id), f"{part.id}.by", read=str(value), expected=_one_of(_KINDS)
            )
            return None
        return _KINDS[value]

    def _scale(self, part: Part) -> Any:
        """Return what earns a part's points: as the rulebook says; if it does not, as assumed."""
        if part.scale != "not-published":
            return part.scale
        value = self._said(part.id, "scale")
        if value is not None and value not in _SCALES:
            self._wrong(
                self._last(part.id), f"{part.id}.scale", read=str(value), expected=_one_of(_SCALES)
            )
            return None
        self._note(part.id, "scale", value or _SCALES[0])
        return value or _SCALES[0]

    def _quantities(
        self,
        owner: str | None,
        defaults: Mapping[str, Any],
        *,
        ruled: Mapping[str, Any],
        ignored: Collection[str],
    ) -> dict[str, Any]:
        """Return every quantity, as given last or by default, and note its source.

        Args:
            owner: The part; none for the stage.
            defaults: Every quantity that is known, with its default.
            ruled: Those of them that the rulebook says.
            ignored: What stands beside them and is read elsewhere.
        """
        values: dict[str, Any] = dict(defaults)
        for one in self.given:
            for name, value in one.of.get(owner, {}).items():
                if name in ignored:
                    continue
                place = name if owner is None else f"{owner}.{name}"
                if name not in defaults:
                    expected = f"one of {', '.join(defaults)}"
                    self._wrong(one.file, place, read=f"the quantity {name!r}", expected=expected)
                elif not _alike(value, defaults[name]):
                    expected = _wanted(defaults[name])
                    self._wrong(one.file, place, read=repr(value), expected=expected)
                else:
                    values[name] = value
        for name, value in values.items():
            self._note(owner, name, value, ruled=name in ruled)
        return values

    def _said(self, owner: str | None, name: str) -> Any:
        said = [one.of[owner][name] for one in self.given if name in one.of.get(owner, {})]
        return said[-1] if said else None

    def _note(self, owner: str | None, name: str, value: Any, *, ruled: bool = False) -> None:
        by = [one for one in self.given if name in one.of.get(owner, {})]
        kind = by[-1].kind if by else "assumed"
        source = by[-1].sources.get(owner, {}).get(name, by[-1].file) if by else ""
        if not by and name in _FITTED:
            source = _FITTED_TO
        if not by and ruled:
            kind, source = "rulebook", self.file
        self.assumptions.append(
            Assumption(part=owner, quantity=name, value=value, origin=kind, source=source)
        )

    def _last(self, owner: str | None) -> str:
        by = [one.file for one in self.given if one.of.get(owner)]
        return by[-1] if by else self.file

    def _wrong(self, file: str, place: str, *, read: str, expected: str, remedy: str = "") -> None:
        self.mistakes.append(
            Mistake(file=file, place=place, read=read, expected=expected, remedy=remedy)
        )


def _alike(value: object, default: object) -> bool:
    """Tell whether a value is of the kind of the default; a whole number may stand for a number."""
    if default is None or default is MISSING:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _wanted(default: object) -> str:
    if isinstance(default, float):
        return "a number"
    return "a word" if isinstance(default, str) else "a whole number"


def _one_of(words: Sequence[str] | Mapping[str, object]) -> str:
    return "one of " + ", ".join(words)
