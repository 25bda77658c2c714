"""Lays one suspect beside every entry of a library; the suspect is read once.

The rule is that of every screen in the same coordinates, with its chance of an error shared out
among all comparisons (Bonferroni): the more entries, the more is asked of each. What the rule
finds is held to controls made of the entry's own values. Entries without a tensor of the same
role and shape are named as not compared, and damaged ones as damaged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dokja.errors import LibraryError, Mistake
from dokja.evidence.lineage.beside import gains_agree
from dokja.evidence.lineage.components import ComponentSpec, ComponentTensors, inventory
from dokja.evidence.lineage.controls import ControlReading, derived_control, scrambled_control
from dokja.evidence.lineage.effects import effect_of, effect_of_rows
from dokja.evidence.lineage.library.agreeing import with_neurons
from dokja.evidence.lineage.library.beside_entries import SuspectBodies
from dokja.evidence.lineage.library.comparing import (
    Compared,
    comparable,
    compare,
    gains_beside,
    held_to,
    kept_layers,
)
from dokja.evidence.lineage.library.entries import EntryFacts
from dokja.evidence.lineage.library.kept import shapes_of
from dokja.evidence.lineage.library.making import ROWS
from dokja.evidence.lineage.library.results import EntryFinding, LibraryScan, NotCompared
from dokja.evidence.lineage.library.shelves import Entry, Kept, Library
from dokja.evidence.lineage.library.suspects import SuspectValues
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.relations import (
    Derivation,
    Kinship,
    Relation,
    derivation_of,
    is_depth_edit,
    relations_of,
)
from dokja.evidence.lineage.screening import Screen
from dokja.models.comparison import critical_z, minimum_detectable
from dokja.models.weights import Source
from dokja.values import Estimate

__all__ = ["scan"]

_FOUND_OF_CASES = 0.9
_NEARLY_EQUAL = 0.99
_MAY_BE_EQUAL = (Relation.IDENTICAL, Relation.REQUANTISED, Relation.ADAPTER_MERGED)
"""What eight bits and few rows cannot tell from a little training."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scan:
    """What every comparison of one scan shares."""

    values: SuspectValues
    bodies: SuspectBodies
    plan: Plan
    rng: np.random.Generator


def scan(
    suspect: Source,
    library: Library,
    *,
    plan: Plan | None = None,
    rng: np.random.Generator,
    components: Mapping[str, ComponentSpec] | None = None,
    progress: Callable[[str], None] | None = None,
) -> LibraryScan:
    """Return what the suspect's components are consistent with, beside every entry.

    Args:
        suspect: The model in question.
        library: As it was opened.
        plan: From when on a likeness counts, over the whole scan.
        rng: Draws controls.
        components: The suspect's components as declared; by tensor names where none are.
        progress: Told each entry's name before it is compared.

    Raises:
        WeightsError: A file of the suspect changed since it was checked.
    """
    before = suspect.bytes_read
    plan = plan or Plan()
    held = inventory(suspect, components=components)
    parts = [one for one in held.components if plan.only is None or one.component in plan.only]
    pairs = {entry.folder: _pairs(parts, entry.facts) for entry in library.entries}
    with_like = [one for one in library.entries if pairs[one.folder] or _has_body(one, parts)]
    values = SuspectValues(source=suspect, held=replace(held, components=tuple(parts)))
    values.read_for(entry.facts for entry in with_like)
    comparisons = sum(len(found) for found in pairs.values())
    run = _Scan(
        values=values,
        bodies=SuspectBodies(
            suspect, [one.facts for one in with_like], plan=plan, components=components
        ),
        plan=held_to(plan, comparisons),
        rng=rng,
    )
    found, damaged = _beside_all(run, with_like, parts, pairs, progress=progress)
    findings = _with_controls(run, found, with_like)
    return LibraryScan(
        suspect=suspect.name,
        findings=tuple(sorted(findings, key=lambda one: (not one.related, -one.value, one.entry))),
        absent=_absent(parts, findings),
        not_compared=tuple(
            _not_compared(parts, entry) for entry in library.entries if entry not in with_like
        ),
        damaged=(*library.damaged, *damaged),
        entries=len(library.entries) + len({mistake.file for mistake in library.damaged}),
        comparisons=comparisons,
        tests=sum(one.tests for one in findings),
        error_rate=plan.error_rate,
        bytes_read=suspect.bytes_read - before,
        library_bytes=sum(entry.bytes for entry in with_like),
    )


def _beside_all(
    run: _Scan,
    entries: Sequence[Entry],
    parts: Sequence[ComponentTensors],
    pairs: Mapping[Path, Sequence[tuple[ComponentTensors, int]]],
    *,
    progress: Callable[[str], None] | None,
) -> tuple[list[EntryFinding], list[Mistake]]:
    """Return the findings of all entries, and what is wrong with those that are damaged."""
    findings: list[EntryFinding] = []
    damaged: list[Mistake] = []
    for entry in entries:
        if progress is not None:
            progress(entry.facts.name)
        try:
            findings += _beside(run, entry, parts, pairs[entry.folder])
        except LibraryError as error:
            damaged += error.mistakes
    return findings, damaged


def _pairs(
    parts: Sequence[ComponentTensors], page: EntryFacts
) -> list[tuple[ComponentTensors, int]]:
    return [
        (ours, number)
        for ours in parts
        for number, theirs in enumerate(page.components)
        if comparable(ours, theirs)
    ]


def _absent(parts: Sequence[ComponentTensors], findings: Sequence[EntryFinding]) -> tuple[str, ...]:
    compared = {finding.component for finding in findings}
    return tuple(one.component for one in parts if one.component not in compared)


def _not_compared(parts: Sequence[ComponentTensors], entry: Entry) -> NotCompared:
    return NotCompared(
        entry=entry.facts.name, folder=entry.folder.name, why=_difference(parts, entry.facts)
    )


def _has_body(entry: Entry, parts: Sequence[ComponentTensors]) -> bool:
    roles = {one.role for one in parts}
    return any(body.role in roles for body in entry.facts.bodies)


def _difference(parts: Sequence[ComponentTensors], page: EntryFacts) -> str:
    """Return what keeps an entry from being compared, by the first role that both have."""
    if not any(component.tables for component in page.components):
        return "nothing of its matrices is kept"
    ours = {shape.role: shape.shape for part in parts for shape in shapes_of(part)}
    for component in page.components:
        for table in component.tables:
            if table.role in ours:
                here, there = ("×".join(map(str, one)) for one in (ours[table.role], table.shape))
                return f"no tensor of the same role and shape: {table.role} is {there}, not {here}"
    return "no role in common"


def _beside(
    run: _Scan,
    entry: Entry,
    parts: Sequence[ComponentTensors],
    pairs: Sequence[tuple[ComponentTensors, int]],
) -> list[EntryFinding]:
    """Return the findings of one entry: for each component the pair that is most alike."""
    kept = entry.opened(ROWS) if pairs else None
    findings = []
    for ours in parts:
        numbers = [number for part, number in pairs if part is ours]
        found = [
            one
            for number in numbers
            if kept is not None
            and (one := compare(run.values, ours, (entry.facts, kept), number, plan=run.plan))
        ]
        related = [one for one in found if one.found]
        of_role = [one for one in found if one.theirs.role == ours.role]
        chosen = max(related or of_role, key=lambda one: one.effect, default=None)
        finding = None
        if chosen is not None and kept is not None:
            finding = _judged(run, entry, chosen, kept)
            finding = replace(finding, tests=sum(_tests(one) for one in found))
        finding = with_neurons(run.bodies, entry, ours, finding, plan=run.plan, rng=run.rng)
        if finding is not None:
            findings.append(finding)
    return findings


def _tests(one: Compared) -> int:
    return len(one.token_rows) + (0 if one.screen is None else one.screen.tests)


def _judged(run: _Scan, entry: Entry, one: Compared, kept: Kept) -> EntryFinding:
    screen = one.screen
    by_layers = screen is not None and screen.found
    gains = None
    if screen is not None and by_layers:
        gains = gains_beside(run.values, one, kept, pairs=screen.pairs)
        relations = _of_screen(one, screen, agree=gains_agree(gains))
    elif one.found:
        relations = relations_of(Kinship(correlation=one.effect))
    elif screen is None or one.share < run.plan.least_compared:
        relations = (Relation.NOT_TESTABLE,)
    else:
        relations = (Relation.NO_EVIDENCE,)
    return EntryFinding(
        entry=entry.facts.name,
        kind=entry.facts.kind,
        folder=entry.folder.name,
        origin=entry.facts.origin,
        licence=entry.facts.licence,
        component=one.ours.component,
        role=one.ours.role,
        entry_component=one.theirs.component,
        relations=relations,
        derivation=derivation_of(relations),
        effect=_effect(run, one),
        measure="token_rows" if one.found and not by_layers else "centred_r",
        layer_map=screen.pairs if screen is not None and by_layers else (),
        gains=gains,
        token_rows=one.token_rows,
        detectable=None if screen is None else _detectable(screen, run.plan),
        compared_share=one.share,
    )


def _of_screen(one: Compared, screen: Screen, *, agree: bool | None) -> tuple[Relation, ...]:
    sizes = screen.table.values.shape
    relations = relations_of(
        Kinship(
            correlation=screen.effect,
            depth_edit=is_depth_edit(screen.pairs, layers=(sizes[0], sizes[1])),
            gains_agree=agree,
        )
    )
    whole = len(screen.pairs) == one.theirs.depth
    if Relation.FINE_TUNED in relations and whole:
        return (
            (*_MAY_BE_EQUAL, *relations)
            if screen.effect >= _NEARLY_EQUAL
            else (
                *_MAY_BE_EQUAL[1:],
                *relations,
            )
        )
    return relations


def _effect(run: _Scan, one: Compared) -> Estimate | None:
    if one.screen is not None and (one.screen.found or not one.found):
        return effect_of(one.screen, plan=run.plan)
    rows = max(one.token_rows, key=lambda rows: (rows.related, rows.value), default=None)
    return None if rows is None else effect_of_rows(rows, plan=run.plan)


def _detectable(screen: Screen, plan: Plan) -> float:
    """Return the smallest likeness of two layers that the rule sees in nine of ten cases."""
    error = float(np.median(screen.errors[screen.table.filled]))
    return minimum_detectable(
        standard_error=error,
        critical=critical_z(error_rate=plan.error_rate, tests=screen.tests),
        floor=plan.effect_floor,
        found=_FOUND_OF_CASES,
    )


def _with_controls(
    run: _Scan, findings: Sequence[EntryFinding], entries: Sequence[Entry]
) -> list[EntryFinding]:
    """Hold relations, and of each component what came nearest, to controls of their own."""
    by_folder = {entry.folder.name: entry for entry in entries}
    nearest = {
        component: max(
            (one for one in findings if one.component == component), key=lambda one: one.value
        )
        for component in {one.component for one in findings}
    }
    return [
        _controlled(run, one, by_folder[one.folder])
        if one.measure == "centred_r" and (one.related or one is nearest[one.component])
        else one
        for one in findings
    ]


def _controlled(run: _Scan, finding: EntryFinding, entry: Entry) -> EntryFinding:
    controls = tuple(_controls(run, finding, entry))
    if all(control.behaves for control in controls):
        return replace(finding, controls=controls)
    relations = (Relation.NOT_TESTABLE,)
    return replace(
        finding, controls=controls, relations=relations, derivation=Derivation.CANNOT_TELL
    )


def _controls(run: _Scan, finding: EntryFinding, entry: Entry) -> Iterator[ControlReading]:
    kept = entry.opened(ROWS)
    names = [one.component for one in entry.facts.components]
    ours = next(one for one in run.values.held.components if one.component == finding.component)
    number = names.index(finding.entry_component)
    found = compare(run.values, ours, (entry.facts, kept), number, plan=run.plan)
    if found is None or found.screen is None:
        return
    reference = kept_layers(kept, found)
    for correlation in run.plan.derived_controls:
        yield derived_control(
            reference, correlation=correlation, errors=found.errors, plan=run.plan, rng=run.rng
        )
    yield scrambled_control(reference, errors=found.errors, plan=run.plan, rng=run.rng)
