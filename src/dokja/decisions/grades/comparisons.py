"""What was compared with a component, and what each comparison says of *it*.

A finding names a model and a reference, and is evidence about both: when the reference is a model
of the ledger, its component of the same role is seen from the other side. Which way a relation
runs is taken from the finding or from the teams' own declared bases, never from the day of an
entry: that day tells when a model was handed in, not when it was trained.

Whether a comparison can carry a verdict depends on its controls and its power. A relation counts
only if the same method did not call an independent pair related; an absence counts only if it
did call a derived pair related and would have seen a small effect.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from dokja.decisions.grades.scale import GradeName
from dokja.decisions.rules import Record, Rulebook, Said, because
from dokja.evidence.ledger.kinds import Component, Finding, Model
from dokja.values import Reason

__all__ = ["Comparison", "Says", "Standard", "comparisons", "others", "standard_for"]

_NO_DERIVATION = frozenset({"shared_initialisation", "no_evidence", "not_testable"})


class Says(Enum):
    """What a comparison says of the component that it is read for."""

    DERIVED = "derived"  # its weights come from the other's
    INDEPENDENT = "independent"  # they do not, as far as this comparison could have seen
    SOURCE = "source"  # the other's come from its; says nothing against it
    OPEN = "open"  # it cannot carry a verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """What a comparison must show before it carries a verdict.

    Attributes:
        controls: Whether controls must be there and behave.
        detectable_at_most: The greatest smallest-visible effect with which an absence counts.
        against_all: Whether every other model must have been compared with.
    """

    controls: bool = True
    detectable_at_most: float | None = None
    against_all: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One finding, read for one component.

    Attributes:
        other: What the component was compared with.
        says: What it says of the component.
        low: Weakest grade that it leaves, where it leaves less than was declared.
        high: Strongest grade that it leaves, likewise.
        reason: Why it says so.
        seqs: The entries that it stands in.
    """

    other: str
    says: Says
    low: GradeName | None
    high: GradeName | None
    reason: Reason
    seqs: tuple[int, ...]


def standard_for(rulebook: Rulebook, role: str) -> Standard:
    """Return the strictest standard among the gates that look at components of this role."""
    gates = [gate for gate in rulebook.gates.values() if role in gate.roles]
    if not gates:
        return Standard()
    limits = [gate.detectable_at_most for gate in gates if gate.detectable_at_most is not None]
    return Standard(
        controls=any(gate.controls == "required" for gate in gates),
        detectable_at_most=min(limits, default=None),
        against_all=any(gate.against == "all-submitted-and-references" for gate in gates),
    )


def others(record: Record, *, model: Model, role: str) -> tuple[str, ...]:
    """Return the models of others that have, or may have, a component of this role.

    A model of the same team is no stranger: a team may build on its own work.
    """
    return tuple(
        name
        for name, said in sorted(record.models().items())
        if said.body.team != model.team
        and (
            not said.body.components
            or any(component.role == role for component in said.body.components)
        )
    )


def comparisons(
    rulebook: Rulebook, record: Record, *, model: Model, component: Component
) -> tuple[Comparison, ...]:
    """Return what every finding that touches a component says of it, in the ledger's order."""
    standard = standard_for(rulebook, component.role)
    return tuple(
        _read(rulebook, said, side=side, standard=standard)
        for said in record.every(Finding)
        for side in _sides(record, said.body, model=model, component=component)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A finding seen from one component."""

    component: str
    other: str
    direction: str | None  # "from-other", "to-other", or not known
    same_team: bool


def _sides(
    record: Record, finding: Finding, *, model: Model, component: Component
) -> Iterator[_Side]:
    """Yield the finding as seen from the component, from either end of it."""
    names = {"model_from_reference": "from-other", "reference_from_model": "to-other"}
    turned = {"model_from_reference": "to-other", "reference_from_model": "from-other"}
    direction = finding.direction or ""
    if finding.model == model.model and finding.component == component.component:
        stranger = record.models().get(finding.reference)
        yield _Side(
            component=component.component,
            other=finding.reference,
            direction=names.get(direction) or _declared(record, finding, turned=False),
            same_team=stranger is not None and stranger.body.team == model.team,
        )
    elif finding.reference == model.model and finding.model != model.model:
        seen = record.component(finding.model, finding.component)
        other = record.models().get(finding.model)
        if seen is not None and other is not None and seen.role == component.role:
            yield _Side(
                component=component.component,
                other=finding.model,
                direction=turned.get(direction) or _declared(record, finding, turned=True),
                same_team=other.body.team == model.team,
            )


def _declared(record: Record, finding: Finding, *, turned: bool) -> str | None:
    """Return which way a relation runs by what the teams and the record declare, if they do.

    A reference, or a model outside the ledger, is the origin; between two candidates, the one
    whose team names the other as its base comes from it.
    """
    reference = record.models().get(finding.reference)
    from_reference, to_reference = ("from-other", "to-other")
    if turned:
        from_reference, to_reference = to_reference, from_reference
    if reference is None or reference.body.role == "reference":
        return from_reference
    seen = record.component(finding.model, finding.component)
    own = record.models()[finding.model].body
    if own.role == "reference":
        return to_reference
    if seen is not None and seen.base in {reference.body.model, reference.body.name}:
        return from_reference
    role = seen.role if seen is not None else None
    bases = {part.base for part in reference.body.components if part.role == role}
    if bases & {own.model, own.name}:
        return to_reference
    return None


def _read(
    rulebook: Rulebook, said: Said[Finding], *, side: _Side, standard: Standard
) -> Comparison:
    finding = said.body
    low, high = _left(rulebook, finding.relations)
    says, reason = _says(said, side=side, standard=standard, low=low, high=high)
    if says is Says.OPEN and not _may_be_derived(finding):
        low = high = None
    if says in {Says.INDEPENDENT, Says.SOURCE}:
        low = high = None
    return Comparison(
        other=side.other, says=says, low=low, high=high, reason=reason, seqs=said.seqs
    )


def _left(
    rulebook: Rulebook, relations: Sequence[str]
) -> tuple[GradeName | None, GradeName | None]:
    """Return the weakest and the strongest grade that the relations leave to a derived one."""
    if rulebook.scheme is None:
        return None, None
    table = rulebook.scheme.derived.model_dump()
    named = [table[relation] for relation in relations if relation in table]
    left = named or list(table.values())
    return min(left), max(left)


def _may_be_derived(finding: Finding) -> bool:
    return finding.derivation == "yes" or not _NO_DERIVATION.issuperset(finding.relations)


def _says(
    said: Said[Finding],
    *,
    side: _Side,
    standard: Standard,
    low: GradeName | None,
    high: GradeName | None,
) -> tuple[Says, Reason]:
    finding = said.body
    about = {"component": side.component, "reference": side.other}
    relations = list(finding.relations)
    if finding.derivation == "yes":
        if side.same_team or side.direction == "to-other":
            code = "related-to-own-work" if side.same_team else "other-comes-from-it"
            return Says.SOURCE, because(code, entries=said.seqs, **about)
        lacking = _lacking(finding, for_relation=True) if standard.controls else []
        if lacking:
            reason = because("controls-missing", controls=lacking, entries=said.seqs, **about)
            return Says.OPEN, reason
        if side.direction is None:
            reason = because("direction-open", relations=relations, entries=said.seqs, **about)
            return Says.OPEN, reason
        reason = because(
            "weights-related",
            relations=relations,
            low=low,
            high=high,
            measure=finding.measure,
            entries=said.seqs,
            **about,
        )
        return Says.DERIVED, reason
    if finding.derivation == "cannot_tell" or "not_testable" in relations:
        reason = because("relation-open", relations=relations, entries=said.seqs, **about)
        return Says.OPEN, reason
    return _absence(said, side=side, standard=standard)


def _absence(said: Said[Finding], *, side: _Side, standard: Standard) -> tuple[Says, Reason]:
    """Return whether a comparison that found no derivation could have found one."""
    finding = said.body
    about = {"component": side.component, "reference": side.other}
    if _may_be_derived(finding):  # it says no and leaves a derivation open
        relations = list(finding.relations)
        return Says.OPEN, because("relation-open", relations=relations, entries=said.seqs, **about)
    lacking = _lacking(finding, for_relation=False) if standard.controls else []
    if lacking:
        return Says.OPEN, because("controls-missing", controls=lacking, entries=said.seqs, **about)
    limit, seen = standard.detectable_at_most, finding.minimum_detectable
    if limit is not None and (seen is None or seen > limit):
        return Says.OPEN, because(
            "power-too-weak", detectable=seen, at_most=limit, entries=said.seqs, **about
        )
    return Says.INDEPENDENT, because(
        "compared-without-relation",
        component=side.component,
        references=[side.other],
        entries=said.seqs,
    )


def _lacking(finding: Finding, *, for_relation: bool) -> list[str]:
    """Return the controls that are not there or did not behave.

    A relation needs the independent control to have stayed unrelated; an absence needs the
    derived one to have been found as well.
    """
    well: dict[str, bool] = {
        control.kind: control.found == (control.kind == "derived") for control in finding.controls
    }
    for control in finding.controls:  # one that misbehaves spoils its kind
        well[control.kind] = well[control.kind] and control.found == (control.kind == "derived")
    needed = ["independent"] if for_relation else ["derived", "independent"]
    return [kind for kind in needed if not well.get(kind, False)]
