"""The grade of a model: its weakest weight-bearing component, and what it may be used for.

Declared and found are kept apart, and the difference is shown. A use floor holds when even the
low end of the found range reaches it, fails when even the high end does not, and is undecided
between the two.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from dokja.decisions.grades.components import ComponentGrade, grade_component
from dokja.decisions.grades.scale import HIGHEST_FOUND, GradeName, GradeRange, weakest
from dokja.decisions.rules import Record, Rulebook, Said, Verdict, read_record
from dokja.evidence.ledger import Entry
from dokja.evidence.ledger.kinds import Model
from dokja.values import Json, Text

__all__ = ["Difference", "ModelGrade", "UseVerdict", "grade_model", "grade_models"]


class Difference(Enum):
    """How the found grade stands beside the declared one."""

    SAME = "same"
    LOWER = "lower"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseVerdict:
    """Whether a model reaches the floor of a use.

    Attributes:
        use: The use, as the rulebook names it.
        title: What it is called.
        minimum: The least grade that it asks for.
        verdict: Whether the found grade reaches it.
    """

    use: str
    title: Text
    minimum: GradeName
    verdict: Verdict

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "use": self.use,
            "title": {"ko": self.title.ko, "en": self.title.en},
            "minimum": self.minimum,
            "verdict": self.verdict.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGrade:
    """A model's grade, component by component.

    Attributes:
        model: The model's id.
        team: Its team.
        declared: The grade that the team claims for the whole, else the weakest of those that
            it declares for the weight-bearing components; none where it did not say.
        found: What the evidence leaves open; none where no weight-bearing component is declared.
        difference: How the two stand.
        components: Every declared component, in declared order.
        uses: The scheme's use floors.
        entries: Numbers of the entries that it rests on.
    """

    model: str
    team: str
    declared: GradeName | None
    found: GradeRange | None
    difference: Difference
    components: tuple[ComponentGrade, ...]
    uses: tuple[UseVerdict, ...]
    entries: tuple[int, ...]

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "model": self.model,
            "declared": self.declared,
            "found": None if self.found is None else self.found.to_json(),
            "difference": self.difference.value,
            "components": [component.to_json() for component in self.components],
            "uses": [use.to_json() for use in self.uses],
        }


def grade_model(rulebook: Rulebook, entries: Iterable[Entry], *, model: str) -> ModelGrade:
    """Return the grade of a model by what the ledger says of it.

    Args:
        rulebook: The scheme and the standard that comparisons must meet.
        entries: All entries of the ledger.
        model: Id of the model.

    Raises:
        EntryError: The evidence has mistakes; every one.
        KeyError: The ledger declares no such model.
    """
    record = read_record(entries)
    return _graded(rulebook, record, said=record.models()[model])


def grade_models(
    rulebook: Rulebook, record: Record, *, models: Iterable[Said[Model]]
) -> tuple[ModelGrade, ...]:
    """Return the grades of several models of one record."""
    return tuple(_graded(rulebook, record, said=said) for said in models)


def _graded(rulebook: Rulebook, record: Record, *, said: Said[Model]) -> ModelGrade:
    components = tuple(
        grade_component(rulebook, record, said=said, component=component)
        for component in said.body.components
    )
    bearing = [component for component in components if component.weight_bearing]
    found = weakest([component.found for component in bearing if component.found is not None])
    declared = said.body.declared_grade
    if declared is None and bearing:
        grades = [component.declared for component in bearing if component.declared is not None]
        declared = min(grades) if len(grades) == len(bearing) else None
    return ModelGrade(
        model=said.body.model,
        team=said.body.team,
        declared=declared,
        found=found,
        difference=_difference(declared, found=found),
        components=components,
        uses=_uses(rulebook, found=found),
        entries=tuple(sorted({*said.seqs, *(seq for c in components for seq in c.findings)})),
    )


def _difference(declared: GradeName | None, *, found: GradeRange | None) -> Difference:
    if declared is None or found is None:
        return Difference.UNDECIDED
    if found.high < min(declared, HIGHEST_FOUND):
        return Difference.LOWER
    # T6 adds a supply chain that no entry shows: not contradicted, and not found either.
    settled = found.is_settled and declared <= found.high
    return Difference.SAME if settled else Difference.UNDECIDED


def _uses(rulebook: Rulebook, *, found: GradeRange | None) -> tuple[UseVerdict, ...]:
    if rulebook.scheme is None:
        return ()
    return tuple(
        UseVerdict(
            use=floor.use,
            title=Text(ko=floor.title.ko, en=floor.title.en),
            minimum=floor.minimum,
            verdict=_reaches(floor.minimum, found=found),
        )
        for floor in rulebook.scheme.floors
    )


def _reaches(minimum: GradeName, *, found: GradeRange | None) -> Verdict:
    low, high = ("T0", HIGHEST_FOUND) if found is None else (found.low, found.high)
    if low >= minimum:
        return Verdict.HOLDS
    return Verdict.FAILS if high < minimum else Verdict.UNDECIDED
