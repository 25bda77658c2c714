"""Whether the values of a rulebook fit each other.

Every check reads the raw tables and steps over whatever has the wrong shape, which `schema` tells
of: so one misspelt key does not hide a sum that is off. Weights that do not sum, dates out of
order, stages that wait for themselves, names that point nowhere, sources unused or undeclared,
settings that contradict each other: each mistake once, with where it stands.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, TypeAlias

from dokja.decisions.rules.frontier_checking import frontier_faults
from dokja.errors import Mistake

__all__ = ["CLOSE_TO", "TOTAL", "contradictions", "shown"]

TOTAL = 100.0
"""What the parts of a stage sum to."""

CLOSE_TO = 1e-9
"""Weights are written in decimals; sums of them are compared this closely."""

_LONGEST_SHOWN = 80
_ABSURD = 1e300  # sums beyond it can leave the range of numbers

Table: TypeAlias = Mapping[str, Any]
Fault: TypeAlias = tuple[str, str, str, str]  # place, read, expected, remedy


def contradictions(raw: Table, *, file: str) -> list[Mistake]:
    """Return every way in which the values of a rulebook contradict each other.

    Args:
        raw: The tables as TOML gives them; of any shape.
        file: What it is called, for the mistakes.
    """
    faults: list[Fault] = []
    faults += _sources(raw)
    faults += _scheme(_table(raw, "scheme"))
    stages = _table(raw, "stages")
    for name, gate in _tables(raw, "gates"):
        faults += _gate(gate, at=f"gates.{name}", graded="scheme" in raw)
    for name, stage in _tables(raw, "stages"):
        faults += _stage(stage, name=name, raw=raw)
        faults += _parts(stage, at=f"stages.{name}")
        faults += _dates(stage, at=f"stages.{name}", stages=stages)
        faults += frontier_faults(stage, at=f"stages.{name}", raw=raw)
    faults += _cycles(stages)
    if raw.get("supersedes") is not None and raw.get("supersedes") == raw.get("version"):
        faults.append(("supersedes", shown(raw["version"]), "another version than this", ""))
    return [
        Mistake(file=file, place=place, read=read, expected=expected, remedy=remedy)
        for place, read, expected, remedy in faults
    ]


def shown(value: object) -> str:
    """Return a value as a mistake shows it."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = "a number of thousands of digits"
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _table(value: object, key: str) -> Table:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _tables(value: object, key: str) -> Iterator[tuple[str, Table]]:
    for name, inner in _table(value, key).items():
        if isinstance(inner, Mapping):
            yield name, inner


def _rows(value: object, key: str) -> list[Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, list) else []


def _names(value: object, key: str) -> list[str]:
    return [row for row in _rows(value, key) if isinstance(row, str)]


def _number(value: object) -> float | None:
    """Return a finite number, or nothing for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _sources(raw: Table) -> Iterator[Fault]:
    declared = _table(raw, "sources")
    used: set[str] = set()
    for place, tags in _tags(raw, at=""):
        for tag in tags:
            used.add(tag)
            if tag not in declared:
                yield (
                    place,
                    f"the source {tag!r}",
                    "a source that [sources] declares",
                    f"Add [sources.{tag}] with its address.",
                )
    for tag in declared:
        if tag not in used:
            yield (
                f"sources.{tag}",
                "a source that nothing names",
                "every declared source to be named by the rule or figure that it supports",
                "",
            )
    needing = [("scheme", raw.get("scheme"))]
    needing += [(f"gates.{name}", gate) for name, gate in _tables(raw, "gates")]
    needing += [(f"stages.{name}", stage) for name, stage in _tables(raw, "stages")]
    for place, table in needing:
        if isinstance(table, Mapping) and table.get("sources") == []:
            yield (f"{place}.sources", "an empty list", "at least one source", "")


def _tags(value: object, *, at: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every list of source tags with where it stands."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            place = f"{at}.{key}" if at else key
            if key == "sources" and isinstance(inner, list):
                yield place, [tag for tag in inner if isinstance(tag, str)]
            elif place != "sources":
                yield from _tags(inner, at=place)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _tags(inner, at=f"{at}[{number}]")


def _scheme(scheme: Table) -> Iterator[Fault]:
    floors = [row for row in _rows(scheme, "floors") if isinstance(row, Mapping)]
    yield from _twice([row.get("use") for row in floors], at="scheme.floors", what="use")
    yield from _twice(_names(scheme, "weight_bearing"), at="scheme.weight_bearing", what="role")
    checks = _names(_table(scheme, "records"), "checks")
    yield from _twice(checks, at="scheme.records.checks", what="check")
    for number, floor in enumerate(floors):
        least, better = floor.get("minimum"), floor.get("better")
        if isinstance(least, str) and isinstance(better, str) and better < least:
            yield (
                f"scheme.floors[{number}].better",
                shown(better),
                f"a grade at or above the minimum {least!r}",
                "",
            )


def _twice(names: Sequence[object], *, at: str, what: str) -> Iterator[Fault]:
    for name, count in Counter(name for name in names if isinstance(name, str)).items():
        if count > 1:
            yield (at, f"the {what} {name!r} {count} times", f"each {what} once", "")


def _gate(gate: Table, *, at: str, graded: bool) -> Iterator[Fault]:
    if not graded:
        yield (
            f"{at}.minimum_grade",
            shown(gate.get("minimum_grade")),
            "a [scheme] that says how components are graded",
            "",
        )
    ruled = gate.get("rests_on") in ("rulings", "rulings-then-findings")
    if ruled and gate.get("authority") is None:
        yield (
            f"{at}.authority",
            "nothing",
            f"whose rulings count, because rests_on is {gate['rests_on']!r}",
            "Name the authority, or let the gate rest on findings.",
        )
    yield from _twice(_names(gate, "roles"), at=f"{at}.roles", what="role")
    yield from _twice(_names(gate, "requires"), at=f"{at}.requires", what="role")
    for role in _names(gate, "requires"):
        if role not in _names(gate, "roles"):
            looked_at = ", ".join(_names(gate, "roles")) or "none"
            yield (f"{at}.requires", shown(role), f"one of the roles it looks at: {looked_at}", "")


def _stage(stage: Table, *, name: str, raw: Table) -> Iterator[Fault]:
    at = f"stages.{name}"
    stages = _table(raw, "stages")
    after = stage.get("after")
    if isinstance(after, str) and after not in stages:
        yield (f"{at}.after", shown(after), f"one of the stages {', '.join(stages)}", "")
    for gate in _names(stage, "gates"):
        if gate not in _table(raw, "gates"):
            known = ", ".join(_table(raw, "gates")) or "none is declared"
            yield (f"{at}.gates", shown(gate), f"one of the gates: {known}", "")
    yield from _twice(_names(stage, "gates"), at=f"{at}.gates", what="gate")
    if raw.get("version") in _names(stage, "accepts"):
        yield (f"{at}.accepts", "this version itself", "older versions only", "")
    if stage.get("cut_among") == "gate-passers" and not _names(stage, "gates"):
        yield (f"{at}.cut_among", "'gate-passers'", "a gate that could be passed", "")
    yield from _kind(stage, at=at)
    yield from _places(stage, at=at, before=_table(stages, str(after)))
    yield from _ties(stage, at=at)
    yield from _vacancy(stage, name=name, stages=stages)


def _kind(stage: Table, *, at: str) -> Iterator[Fault]:
    """Yield what a stage of its kind lacks, or has and cannot use."""
    kind = stage.get("kind")
    wants = {"vote": ["vote"], "points": ["parts", "planned_advance"]}
    wants["selection"] = wants["points"]
    if not isinstance(kind, str) or kind not in wants:
        return
    for key in wants[kind]:
        if not stage.get(key):
            yield (f"{at}.{key}", "nothing", f"this key, because kind is {kind!r}", "")
    for key in sorted({"vote", "parts", "planned_advance", "ties"} - {*wants[kind], "ties"}):
        if key in stage:
            yield (f"{at}.{key}", "this key", f"no such key, because kind is {kind!r}", "")
    if kind == "vote" and "ties" in stage:
        yield (f"{at}.ties", "this key", "no such key, because a vote has no points", "")


def _places(stage: Table, *, at: str, before: Table) -> Iterator[Fault]:
    entrants, places = _number(before.get("planned_advance")), _number(stage.get("planned_advance"))
    if entrants is not None and places is not None and places > entrants:
        yield (
            f"{at}.planned_advance",
            f"{places:g} places",
            f"at most {entrants:g}: no more enter from {stage.get('after')!r}",
            "",
        )


def _ties(stage: Table, *, at: str) -> Iterator[Fault]:
    ties = _table(stage, "ties")
    part = ties.get("part")
    if ties.get("rule") == "part":
        known = [name for name, _, _ in _every_part(stage, at=at) if isinstance(name, str)]
        if part not in known:
            yield (f"{at}.ties.part", shown(part), f"one of the parts {', '.join(known)}", "")
    elif part is not None:
        yield (f"{at}.ties.part", shown(part), "no part, because the rule is another", "")


def _vacancy(stage: Table, *, name: str, stages: Table) -> Iterator[Fault]:
    vacancy = _table(stage, "vacancy")
    target, at = vacancy.get("stage"), f"stages.{name}.vacancy.stage"
    if vacancy.get("rule") == "re-entry":
        others = [other for other in stages if other != name]
        if target not in others:
            known = ", ".join(others) or "there is none"
            yield (
                at,
                shown(target) if target is not None else "nothing",
                f"the stage that fills the place, one of: {known}",
                "",
            )
    elif target is not None:
        yield (at, shown(target), "no stage, because the rule is not 're-entry'", "")


def _every_part(value: Table, *, at: str) -> Iterator[tuple[object, Table, str]]:
    """Yield the id, the table and the place of every part, parents first."""
    for number, part in enumerate(_rows(value, "parts")):
        if isinstance(part, Mapping):
            place = f"{at}.parts[{number}]"
            yield part.get("id"), part, place
            yield from _every_part(part, at=place)


def _parts(stage: Table, *, at: str) -> Iterator[Fault]:
    every = [*_every_part(stage, at=at)]
    yield from _twice([name for name, _, _ in every], at=f"{at}.parts", what="part")
    for name, part, place in every:
        if name == "total":
            yield (f"{place}.id", "'total'", "another id: this one names the sum of the parts", "")
        yield from _sum(_rows(part, "parts"), expected=_number(part.get("points")), at=place)
        yield from _measure(part, at=f"{place}.measure")
    yield from _sum(_rows(stage, "parts"), expected=TOTAL, at=at)


def _sum(parts: Sequence[Any], *, expected: float | None, at: str) -> Iterator[Fault]:
    points = [_number(part.get("points")) for part in parts if isinstance(part, Mapping)]
    known = [number for number in points if number is not None]
    if not parts or expected is None or len(known) != len(parts):
        return
    total = math.fsum(known) if max(map(abs, known)) < _ABSURD else math.inf
    if abs(total - expected) > CLOSE_TO:
        terms = " + ".join(f"{number:g}" for number in known)
        yield (
            f"{at}.parts",
            f"points that sum to {total:g} ({terms})",
            f"points that sum to {expected:g}",
            "",
        )


def _measure(part: Table, *, at: str) -> Iterator[Fault]:
    measure = _table(part, "measure")
    by = measure.get("by")
    wants = {"runs": {"benchmarks", "rule"}, "ballots": set(), "sheets": {"criteria"}}
    if not isinstance(by, str) or by not in wants:
        return
    for key in sorted(wants[by]):
        if not measure.get(key):
            yield (f"{at}.{key}", "nothing", f"this key, because by is {by!r}", "")
    for key in sorted({"benchmarks", "rule", "criteria"} - wants[by]):
        if key in measure and not (by == "ballots" and key == "rule"):
            yield (f"{at}.{key}", "this key", f"no such key, because by is {by!r}", "")
    criteria = [{"points": points} for points in _table(measure, "criteria").values()]
    for place, read, expected, remedy in _sum(
        criteria, expected=_number(part.get("points")), at=at
    ):
        yield (f"{place.removesuffix('.parts')}.criteria", read, expected, remedy)


def _dates(stage: Table, *, at: str, stages: Table) -> Iterator[Fault]:
    order = [(key, _day(stage.get(key))) for key in ("opens", "closes", "decided")]
    known = [(key, day) for key, day in order if day is not None]
    for (earlier, first), (later, second) in pairwise(known):
        if second < first:
            yield (f"{at}.{later}", str(second), f"a day not before {earlier}, {first}", "")
    before = _table(stages, str(stage.get("after")))
    opens = _day(stage.get("opens"))
    ended = _day(before.get("decided")) or _day(before.get("closes")) or _day(before.get("opens"))
    if opens is not None and ended is not None and opens < ended and before is not stage:
        yield (
            f"{at}.opens",
            str(opens),
            f"a day not before {ended}, when {stage.get('after')!r} ended",
            "",
        )


def _day(value: object) -> date | None:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _cycles(stages: Table) -> Iterator[Fault]:
    """Yield every ring of stages that wait for each other, once; likewise of places they fill."""
    for ring in _rings({name: stage.get("after") for name, stage in _inside(stages)}):
        yield (
            f"stages.{ring[0]}.after",
            "a stage that waits for itself: " + " after ".join([*ring, ring[0]]),
            "stages in an order that has a beginning",
            "",
        )
    filled_by = {name: _table(stage, "vacancy").get("stage") for name, stage in _inside(stages)}
    for ring in _rings({name: by for name, by in filled_by.items() if by != name}):
        yield (
            f"stages.{ring[0]}.vacancy.stage",
            "places that wait for themselves: " + " filled by ".join([*ring, ring[0]]),
            "a re-entry that ends",
            "",
        )


def _inside(stages: Table) -> Iterator[tuple[str, Table]]:
    return _tables({"stages": stages}, "stages")


def _rings(following: Mapping[str, object]) -> Iterator[list[str]]:
    """Yield every ring of names in which each is followed by the next."""
    told: set[str] = set()
    for start in following:
        path = [start]
        while path[-1] not in path[:-1]:
            behind = following[path[-1]]
            if not isinstance(behind, str) or behind not in following:
                break
            path.append(behind)
        else:
            ring = path[path.index(path[-1]) : -1]
            if told.isdisjoint(ring):
                told.update(ring)
                yield ring
