"""The grade of one component: what its team declares, and what the findings leave of that.

The found grade is a range. Its high end is what nothing contradicts so far: the declared grade,
lowered by every relation found and by what the builder's own record admits. Its low end is what
could still come out: it meets the high end only when the component was compared with all that the
rules ask for, or a build record stands in for that, and nothing is left open. Weights show where
they come from, not whose idea a structure was, so a declared own structure stands as declared.
Nothing here knows a minimum.
"""

from dataclasses import dataclass
from enum import Enum

from dokja.decisions.grades.builds import Builds, builds
from dokja.decisions.grades.comparisons import Comparison, Says, comparisons, others, standard_for
from dokja.decisions.grades.scale import (
    GRADES,
    HIGHEST_FOUND,
    OWN_WEIGHTS,
    GradeName,
    GradeRange,
    declared_grade,
)
from dokja.decisions.rules import Record, Rulebook, Said, because, reason_json
from dokja.evidence.ledger.kinds import Component, Finding, Model
from dokja.values import Json, Reason

__all__ = ["ComponentGrade", "Status", "grade_component"]


class Status(Enum):
    """How the declaration stands beside the findings."""

    NOT_CONTRADICTED = "not-contradicted"
    CONTRADICTED = "contradicted"
    ADMITTED = "admitted"  # the team itself says so: in its declaration, or in its build record
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentGrade:
    """A component's grade.

    Attributes:
        component: Its id within the model.
        role: What it does in the model.
        parameter_share: Its share of the model's parameters, in [0, 1]; none where not known.
        weight_bearing: Whether its grade counts towards the model's.
        declared: Its grade by the team's own words; none where the team did not say.
        origin: Where its values come from, as declared.
        base: What it was derived from, as declared.
        found: What the findings leave open; none where the rulebook grades nothing.
        status: How the declaration stands beside the findings.
        reasons: Why, most telling first.
        findings: Numbers of the entries that were read for it.
        uncompared: Models that it should have been compared with and was not, or not well enough.
        asked_record: To which level a build record would have to be verified to stand in for
            the comparisons that are missing; none where none would.
        failed_checks: Checks of its build records that did not hold.
    """

    component: str
    role: str
    parameter_share: float | None
    weight_bearing: bool
    declared: GradeName | None
    origin: str | None
    base: str | None
    found: GradeRange | None
    status: Status
    reasons: tuple[Reason, ...]
    findings: tuple[int, ...]
    uncompared: tuple[str, ...] = ()
    asked_record: str | None = None
    failed_checks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "component": self.component,
            "role": self.role,
            "parameter_share": self.parameter_share,
            "weight_bearing": self.weight_bearing,
            "declared": self.declared,
            "origin": self.origin,
            "base": self.base,
            "found": None if self.found is None else self.found.to_json(),
            "status": self.status.value,
            "reasons": [reason_json(reason) for reason in self.reasons],
            "findings": list(self.findings),
        }


def grade_component(
    rulebook: Rulebook, record: Record, *, said: Said[Model], component: Component
) -> ComponentGrade:
    """Return the grade of one component of a model."""
    declared = declared_grade(component)
    seen = comparisons(rulebook, record, model=said.body, component=component)
    built = builds(rulebook, record, model=said.body, component=component, declared=declared)
    left = _left_open(
        rulebook, record, model=said.body, component=component, seen=seen, built=built
    )
    derived = [comparison for comparison in seen if comparison.says is Says.DERIVED]
    found = _range(rulebook, declared=declared, derived=derived, left=left, built=built)
    reasons = [comparison.reason for comparison in derived]
    reasons += _declaration(component, declared=declared, seqs=said.seqs)
    reasons += [*left.reasons, *built.reasons, *left.made_good]
    reasons += [c.reason for c in seen if c.says in {Says.INDEPENDENT, Says.SOURCE}]
    scheme = rulebook.scheme
    read = {*(seq for comparison in seen for seq in comparison.seqs), *built.seqs}
    return ComponentGrade(
        component=component.component,
        role=component.role,
        parameter_share=_share(record, model=said.body, component=component),
        weight_bearing=scheme is not None and component.role in scheme.weight_bearing,
        declared=declared,
        origin=component.origin,
        base=component.base,
        found=found,
        status=_status(declared, found=found, admitted=built.admitted),
        reasons=tuple(reasons),
        findings=tuple(sorted(read)),
        uncompared=left.uncompared,
        asked_record=_asked_record(
            rulebook, declared=declared, derived=derived, left=left, built=built
        ),
        failed_checks=built.failed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeftOpen:
    """What the comparisons leave open.

    Attributes:
        reasons: Why the component is not settled; none when it is.
        uncompared: Models with which a better comparison is missing.
        lows: For each reason, the weakest grade that could come of it; none where any could.
        merely_missing: Whether nothing is left open but comparisons that nobody made.
        made_good: What a build record stands in for, or that it would; none without one.
    """

    reasons: tuple[Reason, ...]
    uncompared: tuple[str, ...]
    lows: tuple[GradeName | None, ...]
    merely_missing: bool
    made_good: tuple[Reason, ...]


def _left_open(
    rulebook: Rulebook,
    record: Record,
    *,
    model: Model,
    component: Component,
    seen: tuple[Comparison, ...],
    built: Builds,
) -> _LeftOpen:
    """Return what is left open.

    A comparison that could not carry a verdict is made good by one that could, with the same
    model. A relation whose direction is open is made good by nothing but its direction. What
    nobody compared is made good by a build record that shows how the weights began.
    """
    settled = {c.other for c in seen if c.says is not Says.OPEN}
    blocking = [
        c
        for c in seen
        if c.says is Says.OPEN and (c.other not in settled or c.reason.code == "direction-open")
    ]
    compared = settled | {comparison.other for comparison in blocking}
    asked = (
        others(record, model=model, role=component.role)
        if standard_for(rulebook, component.role).against_all
        else ()
    )
    lacking: list[str] = [other for other in asked if other not in compared]
    missing: list[Reason] = []
    if lacking:
        missing.append(
            because("not-compared", component=component.component, references=[*lacking])
        )
    elif not compared:
        missing.append(
            because("nothing-to-compare-with", component=component.component, role=component.role)
        )
    made_good = _made_good(built, component=component, missing=missing, lacking=lacking)
    if made_good:
        missing, lacking = [], []
    return _LeftOpen(
        reasons=(*(comparison.reason for comparison in blocking), *missing),
        uncompared=tuple(sorted({*lacking, *(comparison.other for comparison in blocking)})),
        lows=(*(comparison.low for comparison in blocking), *(None for _ in missing)),
        merely_missing=bool(missing) and not blocking,
        made_good=made_good,
    )


def _made_good(
    built: Builds, *, component: Component, missing: list[Reason], lacking: list[str]
) -> tuple[Reason, ...]:
    """Return what a build record shows, with the comparisons that it stands in for."""
    shown, name = built.shown, component.component
    if shown is None:
        return ()
    if not missing:
        reason = because(
            "build-verified",
            component=name,
            level=shown.level,
            live_share=shown.live_share,
            entries=shown.seqs,
        )
    else:
        reason = because(
            "build-makes-good",
            component=name,
            references=[*lacking] or None,
            level=shown.level,
            live_share=shown.live_share,
            entries=shown.seqs,
        )
    return (reason,)


def _asked_record(
    rulebook: Rulebook,
    *,
    declared: GradeName | None,
    derived: list[Comparison],
    left: _LeftOpen,
    built: Builds,
) -> str | None:
    """Return to which level a build record would have to be verified to settle a component."""
    records = None if rulebook.scheme is None else rulebook.scheme.records
    own = declared is not None and min(declared, built.admitted or declared) >= OWN_WEIGHTS
    if records is None or not own or derived or built.failed or not left.merely_missing:
        return None
    return records.level


def _range(
    rulebook: Rulebook,
    *,
    declared: GradeName | None,
    derived: list[Comparison],
    left: _LeftOpen,
    built: Builds,
) -> GradeRange | None:
    if rulebook.scheme is None:
        return None
    high = HIGHEST_FOUND if declared is None else min(declared, HIGHEST_FOUND)
    high = min([high, *(c.high for c in derived if c.high is not None)])
    high = high if built.admitted is None else min(high, built.admitted)
    # What is derived within a range of relations is at least as weak as the weakest of them.
    low = min([high, *(c.low for c in derived if c.low is not None)])
    weakest = min(rulebook.scheme.derived.model_dump().values())
    low = min([low, *(weakest if could_be is None else could_be for could_be in left.lows)])
    low = min(low, weakest) if built.failed else low
    if declared is None and not derived:
        low = GRADES[0]
    return GradeRange(low=low, high=high)


def _status(
    declared: GradeName | None, *, found: GradeRange | None, admitted: GradeName | None
) -> Status:
    if declared is None or found is None:
        return Status.UNDECIDED
    if found.high < min(declared, HIGHEST_FOUND):
        # The builder's own record says as little as anything that was found.
        return Status.ADMITTED if found.high == admitted else Status.CONTRADICTED
    if declared < OWN_WEIGHTS:
        return Status.ADMITTED
    return Status.NOT_CONTRADICTED if found.is_settled else Status.UNDECIDED


def _declaration(
    component: Component, *, declared: GradeName | None, seqs: tuple[int, ...]
) -> list[Reason]:
    name = component.component
    if declared is None:
        return [because("origin-not-declared", component=name, entries=seqs)]
    return [
        because(
            "declared-origin",
            component=name,
            origin=component.origin,
            base=component.base,
            grade=declared,
            entries=seqs,
        )
    ]


def _share(record: Record, *, model: Model, component: Component) -> float | None:
    """Return the component's share of the model's parameters, by the most direct source."""
    if component.parameter_share is not None:
        return component.parameter_share
    counts = [part.parameters for part in model.components]
    known = [count for count in counts if count is not None]
    total = model.parameters or (sum(known) if len(known) == len(counts) else None)
    if component.parameters is not None and total:
        return min(component.parameters / total, 1.0)
    shares = [
        said.body.parameter_share
        for said in record.every(Finding)
        if said.body.model == model.model
        and said.body.component == component.component
        and said.body.parameter_share is not None
    ]
    return shares[-1] if shares else None
