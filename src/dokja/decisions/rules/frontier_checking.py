"""Whether a stage's frontier fits itself: dates, releases, names, and the number of systems."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

from dokja.decisions.rules.frontier import CONVENTION_NAMES, OUTCOMES, window

__all__ = ["BUILT_IN_DROPS", "frontier_faults"]

_FEWEST = 3  # one of two near-equal systems is overstated for certain; measurement, 0 and 6.1

BUILT_IN_DROPS: Mapping[str, Mapping[str, str]] = {
    "strict": {"missing": "drop"},
    "valid_only": dict.fromkeys(OUTCOMES[2:], "drop"),
    "as_published_hsr87": {"infrastructure_error": "drop", "missing": "drop"},
}
"""What the built-in conventions drop; a test compares with `evidence.benchmarks`."""

Table: TypeAlias = Mapping[str, Any]
Fault: TypeAlias = tuple[str, str, str, str]  # place, read, expected, remedy


def frontier_faults(stage: Table, *, at: str, raw: Table) -> Iterator[Fault]:
    """Yield every way in which a stage's frontier contradicts itself or its rulebook.

    Args:
        stage: The stage's table as TOML gives it; of any shape.
        at: Where it stands.
        raw: The rulebook's tables.
    """
    frontier = stage.get("frontier")
    if not isinstance(frontier, Mapping):
        return
    at = f"{at}.frontier"
    systems = [
        (f"{at}.systems[{number}]", system)
        for number, system in enumerate(_listed(frontier.get("systems")))
        if isinstance(system, Mapping)
    ]
    gates = raw.get("gates")
    if isinstance(gates, Mapping) and "frontier" in gates:
        yield ("gates.frontier", "this name", "another: a stage's frontier is told under it", "")
    yield from _dates(frontier, at=at)
    yield from _releases(frontier, systems=systems)
    yield from _count(frontier, at=at, count=len(systems))
    yield from _convention(frontier, at=at, raw=raw)
    first: dict[str, str] = {}
    for place, system in systems:
        name = system.get("name")
        if isinstance(name, str):
            if name in first:
                yield (f"{place}.name", repr(name), f"each system once; {first[name]} is it", "")
            first.setdefault(name, place)


def _dates(frontier: Table, *, at: str) -> Iterator[Fault]:
    freeze = _day(frontier.get("freeze_on"))
    between = [_day(day) for day in _listed(frontier.get("measure_between"))]
    if len(between) != 2:  # noqa: PLR2004  # told by the schema
        return
    first, last = between
    if first is not None and last is not None and last < first:
        yield (f"{at}.measure_between[1]", str(last), f"a day not before {first}", "")
    if freeze is not None and first is not None and first < freeze:
        yield (
            f"{at}.measure_between[0]",
            str(first),
            f"a day not before freeze_on, {freeze}",
            "Freeze the list first: whoever sees answers must not choose the references.",
        )


def _releases(frontier: Table, *, systems: list[tuple[str, Table]]) -> Iterator[Fault]:
    freeze, months = _day(frontier.get("freeze_on")), frontier.get("window_months")
    if freeze is None:
        return
    earliest: date | None = None
    if isinstance(months, int) and not isinstance(months, bool) and 1 <= months <= 60:  # noqa: PLR2004  # as the schema
        earliest, _ = window(freeze, months=months)
    for place, system in systems:
        released = _day(system.get("released"))
        if released is None:
            continue
        if released > freeze or (earliest is not None and released < earliest):
            since = f"from {earliest} " if earliest is not None else ""
            yield (
                f"{place}.released",
                str(released),
                f"a day {since}until freeze_on, {freeze}",
                "Eligibility goes by the day of release; take the system off the list.",
            )


def _count(frontier: Table, *, at: str, count: int) -> Iterator[Fault]:
    rule, mode = frontier.get("rule"), None
    verdict = frontier.get("verdict")
    if isinstance(verdict, Mapping):
        mode = verdict.get("mode", "all")
    if rule == "named":
        if count != 1:
            yield (f"{at}.systems", f"{count} systems", "one, because rule is 'named'", "")
        if mode == "crossfit":
            yield (f"{at}.verdict.mode", "'crossfit'", "'all' or 'named' for one system", "")
    elif rule == "best-of-listed":
        if count < _FEWEST:
            yield (
                f"{at}.systems",
                f"{count} systems",
                f"{_FEWEST} or more, because rule is 'best-of-listed'",
                "",
            )
        if mode == "named":
            yield (f"{at}.verdict.mode", "'named'", "'all' or 'crossfit' for several systems", "")


def _convention(frontier: Table, *, at: str, raw: Table) -> Iterator[Fault]:
    view, declared = frontier.get("view"), raw.get("conventions")
    name = view.get("convention") if isinstance(view, Mapping) else None
    own = list(declared) if isinstance(declared, Mapping) else []
    for taken in sorted(set(own) & set(CONVENTION_NAMES)):
        yield (f"conventions.{taken}", "a built-in name", "a name of your own", "")
    worth = declared.get(name) if isinstance(declared, Mapping) else BUILT_IN_DROPS.get(str(name))
    for number, outcome in enumerate(_listed(frontier.get("open"))):
        if isinstance(worth, Mapping) and worth.get(outcome) == "drop":
            yield (
                f"{at}.open[{number}]",
                repr(outcome),
                f"an outcome that the convention {name!r} does not drop",
                "What is dropped cannot change a verdict, and what is open can: choose one.",
            )
    if isinstance(name, str) and name not in {*CONVENTION_NAMES, *own}:
        known = ", ".join([*CONVENTION_NAMES, *own])
        yield (f"{at}.view.convention", repr(name), f"one of {known}", "")


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _day(value: object) -> date | None:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None
