"""Gates: conditions on components that no points buy off.

A gate looks at every component of its roles, one ruling each, and holds for a team when all of
them hold. What it rests on is the rulebook's choice: on findings, through the component's found
grade; on rulings of the authority, read as they are; or on rulings where there are any, else on
findings. A ruling that the findings contradict stands, and the difference is said.
"""

from collections.abc import Sequence

from dokja.decisions.grades.components import ComponentGrade
from dokja.decisions.grades.models import ModelGrade
from dokja.decisions.rules import Gate, Record, Ruling, Said, Verdict, all_of, because
from dokja.evidence.ledger.kinds import Ruling as RulingEntry
from dokja.values import Reason

__all__ = ["gate_rulings"]


def gate_rulings(
    gates: Sequence[tuple[str, Gate]],
    record: Record,
    *,
    stage: str,
    team: str,
    grades: Sequence[ModelGrade],
) -> tuple[Ruling, ...]:
    """Return one ruling per gate, with a part for each component.

    Args:
        gates: The stage's gates, by id.
        record: What stands in the ledger.
        stage: The stage.
        team: The team.
        grades: Grades of the models that it submitted to the stage.
    """
    return tuple(
        _gate(
            name,
            gate,
            said=_ruled(record, stage=stage, gate=name, team=team),
            team=team,
            grades=grades,
        )
        for name, gate in gates
    )


def _ruled(record: Record, *, stage: str, gate: str, team: str) -> tuple[Said[RulingEntry], ...]:
    return tuple(
        said
        for said in record.every(RulingEntry)
        if (said.body.stage, said.body.gate, said.body.team) == (stage, gate, team)
    )


def _gate(
    name: str,
    gate: Gate,
    *,
    said: Sequence[Said[RulingEntry]],
    team: str,
    grades: Sequence[ModelGrade],
) -> Ruling:
    heard = [ruling for ruling in said if ruling.body.authority == gate.authority]
    unheard = [ruling for ruling in said if ruling.body.authority != gate.authority]
    strange = tuple(
        because(
            "ruling-of-other-authority",
            gate=name,
            authority=ruling.body.authority,
            expected=gate.authority,
            entries=ruling.seqs,
        )
        for ruling in unheard
    )
    if gate.rests_on == "findings":
        heard = []
    looked_at = [
        (grade.model, component)
        for grade in grades
        for component in grade.components
        if component.role in gate.roles
    ]
    parts = [
        _component(name, gate, model=model, component=component, heard=heard)
        for model, component in looked_at
    ]
    names = {(model, component.component) for model, component in looked_at}
    parts += _general(name, team=team, heard=heard, names=names)
    if parts:
        parts += _untold(name, gate, grades=grades, heard=heard)
    else:
        return _without_parts(
            name, gate, team=team, grades=grades, reasons=strange, roles=gate.roles
        )
    ruling = all_of(parts, rule=name, subject=team)
    return Ruling(
        rule=name,
        subject=team,
        verdict=ruling.verdict,
        reasons=ruling.reasons + (strange if gate.rests_on != "findings" else ()),
        parts=ruling.parts,
    )


def _without_parts(
    name: str,
    gate: Gate,
    *,
    team: str,
    grades: Sequence[ModelGrade],
    reasons: tuple[Reason, ...],
    roles: Sequence[str],
) -> Ruling:
    """Return the ruling on a team, or a model, with nothing there that could be looked at."""
    lacking: Reason
    if gate.rests_on == "rulings":
        lacking = because("not-ruled", gate=name, authority=gate.authority, component=None)
    elif not grades:
        lacking = because("model-not-declared", team=team)
    else:
        lacking = because("components-not-declared", subject=team, roles=list(roles))
    return Ruling(rule=name, subject=team, verdict=Verdict.UNDECIDED, reasons=(lacking, *reasons))


def _untold(
    name: str, gate: Gate, *, grades: Sequence[ModelGrade], heard: Sequence[Said[RulingEntry]]
) -> list[Ruling]:
    """Return a part for every model that leaves out what it must declare, and was not ruled on.

    A model must declare a component of every role that the gate requires, and one at all: what
    is left out is compared with nothing, and nothing seen is no pass.
    """
    ruled = {said.body.model for said in heard if said.body.component is None}
    untold = []
    for grade in grades:
        declared = {component.role for component in grade.components}
        left_out = [role for role in gate.requires if role not in declared]
        if (left_out or not declared) and ruled.isdisjoint({None, grade.model}):
            untold.append(
                _without_parts(
                    name,
                    gate,
                    team=grade.model,
                    grades=grades,
                    reasons=(),
                    roles=left_out or gate.roles,
                )
            )
    return untold


def _general(
    name: str, *, team: str, heard: Sequence[Said[RulingEntry]], names: set[tuple[str, str]]
) -> list[Ruling]:
    """Return the rulings that reach beyond the declared components, as parts of their own.

    They are about the team, about a whole model, or about a component that was not declared.
    """
    general = []
    for said in heard:
        body = said.body
        covered = any(
            component == body.component and body.model in {None, model}
            for model, component in names
        )
        if covered:
            continue
        subject = "/".join(step for step in (body.model or team, body.component) if step)
        general.append(
            Ruling(
                rule=name,
                subject=subject,
                verdict=Verdict(body.verdict),
                reasons=(_as_ruled(name, said),),
            )
        )
    return general


def _component(
    name: str,
    gate: Gate,
    *,
    model: str,
    component: ComponentGrade,
    heard: Sequence[Said[RulingEntry]],
) -> Ruling:
    subject = f"{model}/{component.component}"
    found = _by_findings(name, gate, subject=subject, component=component)
    on_it = [
        said
        for said in heard
        if said.body.component in {None, component.component} and said.body.model in {None, model}
    ]
    # A ruling on the component itself goes before one on the team, which says less about it.
    on_it = [said for said in on_it if said.body.component is not None] or on_it
    if not on_it and gate.rests_on != "rulings":
        return found
    if not on_it:
        lacking = because(
            "not-ruled", gate=name, authority=gate.authority, component=component.component
        )
        return Ruling(rule=name, subject=subject, verdict=Verdict.UNDECIDED, reasons=(lacking,))
    rulings = [
        Ruling(
            rule=name,
            subject=subject,
            verdict=Verdict(said.body.verdict),
            reasons=(_as_ruled(name, said),),
        )
        for said in on_it
    ]
    ruled = all_of(rulings, rule=name, subject=subject)
    reasons = ruled.reasons
    if found.verdict not in {Verdict.UNDECIDED, ruled.verdict}:
        reasons += (
            because(
                "findings-differ-from-ruling",
                component=component.component,
                ruling=ruled.verdict.value,
                findings=found.verdict.value,
                entries=component.findings,
            ),
        )
    return Ruling(rule=name, subject=subject, verdict=ruled.verdict, reasons=reasons)


def _as_ruled(name: str, said: Said[RulingEntry]) -> Reason:
    return because(
        "authority-ruled",
        gate=name,
        authority=said.body.authority,
        verdict=said.body.verdict,
        component=said.body.component,
        entries=said.seqs,
    )


def _by_findings(name: str, gate: Gate, *, subject: str, component: ComponentGrade) -> Ruling:
    found = component.found
    low, high = ("T0", "T6") if found is None else (found.low, found.high)
    if low >= gate.minimum_grade:
        verdict, code = Verdict.HOLDS, "grade-reaches-minimum"
    elif high < gate.minimum_grade:
        verdict, code = Verdict.FAILS, "grade-below-minimum"
    else:
        verdict, code = Verdict.UNDECIDED, "grade-spans-minimum"
    graded = because(
        code,
        component=component.component,
        low=low,
        high=high,
        minimum=gate.minimum_grade,
        entries=component.findings,
    )
    return Ruling(rule=name, subject=subject, verdict=verdict, reasons=(graded, *component.reasons))
