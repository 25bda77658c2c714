"""Build records as they are told: one line for each component of each, and one for each check.

What a record claims stands beside how far it was verified, and by whom. Nothing here says what a
grade makes of it; the decision's reasons do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dokja.evidence.ledger.kinds import Build, BuildCheck, BuildComponent
from dokja.public.reports.records import Records, Said
from dokja.public.reports.spreadsheets import Cell, Table

__all__ = ["BuildLine", "build_lines", "build_tables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLine:
    """What a build record says of one component.

    Attributes:
        build: The record and its verification.
        part: The component, as the record states it.
        said: The entries that say it.
    """

    build: Build
    part: BuildComponent
    said: Said

    @property
    def level(self) -> str:
        """The level to which the component is verified."""
        return self.build.level_of(self.part.component)

    @property
    def checks(self) -> Sequence[BuildCheck]:
        """The checks of the component and of the whole record."""
        return self.build.checks_of(self.part.component)

    @property
    def failed(self) -> Sequence[str]:
        """Checks that did not hold, each once."""
        return self._checks("fail")

    @property
    def left_open(self) -> Sequence[str]:
        """Checks that were tried without an answer, or could not be made, each once."""
        return self._checks("undecided", "not-available")

    def _checks(self, *outcomes: str) -> Sequence[str]:
        return sorted({one.check for one in self.checks if one.outcome in outcomes})


def build_lines(records: Records, model: str) -> Sequence[BuildLine]:
    """Return what the build records say of a model's components, in the ledger's order."""
    return [
        BuildLine(build=build, part=part, said=said)
        for build, said in records.builds
        if build.model == model
        for part in build.components
    ]


def build_tables(records: Records) -> tuple[Table, Table]:
    """Return one row for each component of each record, and one for each check."""
    models = dict.fromkeys(build.model for build, _ in records.builds)
    lines = [line for model in models for line in build_lines(records, model)]
    lines.sort(key=lambda line: line.said.seqs)
    columns = ["entry", "model", "component", "role", "builder", "claim", "model_claim", "table"]
    columns += ["level", "place", "live_share", "failed", "left_open", "root", "parameters"]
    columns += ["leaves", "steps", "record", "invented"]
    checks: list[tuple[Cell, ...]] = [
        (
            *(said.seqs[0], build.model, one.component, one.check, one.outcome),
            *(one.value, one.threshold, one.power),
        )
        for build, said in records.builds
        for one in build.findings
    ]
    return (
        Table(name="builds", columns=tuple(columns), rows=tuple(_row(line) for line in lines)),
        Table(
            name="checks",
            columns=(
                *("entry", "model", "component", "check", "outcome"),
                *("value", "threshold", "power"),
            ),
            rows=tuple(checks),
        ),
    )


def _row(line: BuildLine) -> tuple[Cell, ...]:
    build, part = line.build, line.part
    return (
        *(line.said.seqs[0], build.model, part.component, part.role, build.builder),
        *(part.claim, build.claim, build.table, line.level, build.place, build.live_share),
        *(" ".join(line.failed), " ".join(line.left_open), part.root, part.parameters),
        "; ".join(f"{leaf.kind} {leaf.name}" for leaf in part.leaves),
        *(" ".join(part.steps), build.record, build.invented),
    )
