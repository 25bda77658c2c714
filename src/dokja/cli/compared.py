"""Which outcomes `dokja compare` reads: imported tables and run folders, a benchmark each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from dokja.errors import SanityError
from dokja.evidence.benchmarks.running import read_plan, run_table
from dokja.evidence.benchmarks.sanity import refuse_unproven
from dokja.evidence.benchmarks.storing import read_import
from dokja.evidence.benchmarks.tables import OutcomeTable
from dokja.evidence.ledger import Programme
from dokja.evidence.statistics.contrasts import Doubt
from dokja.values import Digest

__all__ = ["Outcomes", "is_run", "outcomes_at", "unproven"]

_PLAN, _SUMMARY, _TABLE = "plan.json", "summary.json", "table.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What was read.

    Attributes:
        tables: One for each benchmark, systems under the names that the question uses.
        evidence: Digests of everything that was read.
        doubts: What the runs themselves say against a verdict.
        scorers: The scorer of every run, by its folder.
        suites: The suite of every run, by its folder.
    """

    tables: tuple[OutcomeTable, ...]
    evidence: tuple[str, ...]
    doubts: frozenset[Doubt]
    scorers: Mapping[str, Digest]
    suites: Mapping[str, str]


def is_run(place: Path) -> bool:
    """Tell whether a folder is that of a run."""
    return (place / _PLAN).is_file()


def outcomes_at(places: Sequence[Path], *, candidate: str, names: Mapping[str, str]) -> Outcomes:
    """Return the outcomes of tables and runs.

    Runs on one suite make one table, since they were asked the same items.

    Args:
        places: Folders of imported tables and of runs.
        candidate: Who is asked about, as the question calls it.
        names: What the places call systems, by what the question calls them.

    Raises:
        UsageError: Nothing is named.
        InputError: A folder holds neither, was changed, or runs were asked different items.
    """
    if not places:
        raise click.UsageError("nothing to read: --in FOLDER, of imported outcomes or of a run")
    runs = [place for place in places if is_run(place)]
    by_suite: dict[str, list[Path]] = {}
    scorers: dict[str, Digest] = {}
    suites: dict[str, str] = {}
    for place in runs:
        asked = read_plan(place).asked
        by_suite.setdefault(asked.suite, []).append(place)
        scorers[str(place)] = Digest.parse(asked.scorer_digest)
        suites[str(place)] = asked.suite
    label = names.get(candidate, candidate)
    tables = [run_table(folders) for folders in by_suite.values()]
    tables += [_imported(place, label=label) for place in places if place not in runs]
    evidence = [f"run:{Digest.of((place / _SUMMARY).read_bytes())}" for place in runs]
    evidence += [
        f"table:{Digest.of((place / _TABLE).read_bytes())}" for place in places if place not in runs
    ]
    back = {label: name for name, label in names.items()}
    return Outcomes(
        tables=tuple(
            replace(table, systems=tuple(back.get(each, each) for each in table.systems))
            for table in tables
        ),
        evidence=tuple(sorted(evidence)),
        doubts=frozenset({Doubt.IDENTITY} if any(_strangers(place) for place in runs) else ()),
        scorers=scorers,
        suites=suites,
    )


def unproven(programme: Programme, outcomes: Outcomes) -> frozenset[Doubt]:
    """Return the doubt that a scorer has not passed, by what the programme's ledger says of it."""
    try:
        refuse_unproven(outcomes.scorers, programme.ledger.entries(), suites=outcomes.suites)
    except SanityError:
        return frozenset({Doubt.SCORER_UNPROVEN})
    return frozenset()


def _imported(place: Path, *, label: str) -> OutcomeTable:
    imported, _ = read_import(place)
    alone = (one for one in imported.alone if label in one.systems)
    return imported.table if label in imported.table.systems else next(alone, imported.table)


def _strangers(place: Path) -> bool:
    """Tell whether a run was stopped because another model answered."""
    return bool(json.loads((place / _SUMMARY).read_text()).get("ended") == "identity")
