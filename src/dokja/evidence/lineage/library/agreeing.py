"""What a scan's finding becomes once the neurons of a forensic entry were laid beside it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dokja.evidence.lineage.agreements import BranchReading, smallest_agreeing
from dokja.evidence.lineage.branches import AgreementTable
from dokja.evidence.lineage.combining import summary
from dokja.evidence.lineage.components import ComponentTensors
from dokja.evidence.lineage.library.beside_entries import SuspectBodies, branches_beside
from dokja.evidence.lineage.library.reopening import KeptBody, reopen
from dokja.evidence.lineage.library.results import EntryFinding
from dokja.evidence.lineage.library.shelves import Entry
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.relations import (
    Derivation,
    Kinship,
    Relation,
    derivation_of,
    relations_of,
)
from dokja.evidence.statistics import clustered_mean
from dokja.models.comparison import Agreement, Units
from dokja.values import Estimate, Missing

__all__ = ["with_neurons"]

_NEARLY_EQUAL = 0.99


def with_neurons(
    bodies: SuspectBodies,
    entry: Entry,
    ours: ComponentTensors,
    finding: EntryFinding | None,
    *,
    plan: Plan,
    rng: np.random.Generator,
) -> EntryFinding | None:
    """Return a component's finding with what neurons say, where the entry keeps any.

    Args:
        bodies: The suspect's components.
        entry: The entry.
        ours: The suspect's component.
        finding: What the screen says; none where nothing could be compared.
        plan: From when on something counts.
        rng: Draws halves of rows, and controls.

    Raises:
        LibraryError: The entry is damaged.
        WeightsError: A file of the suspect changed since it was checked.
    """
    numbers = [i for i, one in enumerate(entry.facts.bodies) if one.role == ours.role]
    folded = bodies.of(ours.component) if numbers else None
    if folded is None:
        return finding
    looked = []
    for number in numbers:
        theirs = reopen(entry, number)
        looked.append((theirs, branches_beside(folded, theirs, plan=plan, rng=rng)))
    theirs, readings = max(looked, key=lambda one: max(r.share or 0.0 for r in one[1]))
    finding = finding or _untested(entry, ours, theirs)
    tests = sum(one.table.tests for _, held in looked for one in held if one.table)
    finding = replace(
        finding,
        branches=tuple(summary(one) for one in readings),
        tests=finding.tests + tests,
    )
    found = next((one for one in readings if one.found), None)
    if finding.related:
        return finding
    if found is not None:
        return _found(finding, found, theirs, plan=plan, bodies=bodies)
    if Relation.NO_EVIDENCE in finding.relations:
        return finding
    return _with_power(finding, theirs, readings, plan=plan, rng=rng)


def _untested(entry: Entry, ours: ComponentTensors, theirs: KeptBody) -> EntryFinding:
    return EntryFinding(
        entry=entry.facts.name,
        kind=entry.facts.kind,
        folder=entry.folder.name,
        origin=entry.facts.origin,
        licence=entry.facts.licence,
        component=ours.component,
        role=ours.role,
        entry_component=theirs.facts.component,
        relations=(Relation.NOT_TESTABLE,),
        derivation=Derivation.CANNOT_TELL,
        effect=None,
    )


def _with_power(
    finding: EntryFinding,
    theirs: KeptBody,
    readings: Sequence[BranchReading],
    *,
    plan: Plan,
    rng: np.random.Generator,
) -> EntryFinding:
    """Say that nothing was seen where only neurons could be looked at, with how much would be."""
    if all(one.missing for one in readings):
        return finding
    smallest, controls = smallest_agreeing(theirs.folded, plan=plan, rng=rng)
    if smallest is None:
        return finding
    return replace(
        finding,
        relations=(Relation.NO_EVIDENCE,),
        derivation=Derivation.NO,
        measure="agreement",
        effect=_effect(max(readings, key=lambda one: one.share or 0.0), plan=plan),
        controls=tuple(control for control in controls if control.found),
        detectable=smallest,
    )


def _found(
    finding: EntryFinding,
    reading: BranchReading,
    theirs: KeptBody,
    *,
    plan: Plan,
    bodies: SuspectBodies,
) -> EntryFinding:
    ours = bodies.of(finding.component)
    depth, width = (theirs.facts.depth, theirs.facts.width)
    relations = relations_of(
        Kinship(
            correlation=_likeness(reading.table),
            depth_edit=ours is not None and len(ours.body.layers) != depth,
            width_edit=ours is not None and ours.body.width != width,
            gains_agree=True,  # neurons that agree throughout were trained together
        )
    )
    if relations == (Relation.FINE_TUNED,):
        relations = (Relation.IDENTICAL, Relation.REQUANTISED, Relation.ADAPTER_MERGED, *relations)
    return replace(
        finding,
        relations=relations,
        derivation=derivation_of(relations),
        measure="agreement",
        effect=_effect(reading, plan=plan),
        entry_component=theirs.facts.component,
    )


def _likeness(table: AgreementTable | None) -> float:
    """Return the mean cosine of agreeing neurons' vectors: the median over the entry's layers."""
    if table is None:
        return 0.0
    best: dict[int, tuple[float, float]] = {}
    for pair, (ours, theirs, found) in table.best.items():
        held = best.get(pair[1], (-1.0, 0.0))
        if found.share > held[0]:
            best[pair[1]] = (found.share, _cosine(ours.space.units, theirs.space.units, found))
    return float(np.median([likeness for _, likeness in best.values()])) if best else 0.0


def _cosine(ours: Units, theirs: Units, found: Agreement) -> float:
    if not len(found.pairs):
        return 0.0
    left = np.searchsorted(ours.kept, found.pairs[:, 0])
    right = np.searchsorted(theirs.kept, found.pairs[:, 1])
    parts = [(ours.up, theirs.up), (ours.down, theirs.down)]
    if ours.gate is not None and theirs.gate is not None:
        parts.append((ours.gate, theirs.gate))
    cosines = [np.abs(np.einsum("nd,nd->n", a[left], b[right])).mean() for a, b in parts]
    return float(np.mean(cosines))


def _effect(reading: BranchReading, *, plan: Plan) -> Estimate | None:
    """Return the mean share over the entry's layers; layers are the clusters."""
    if reading.table is None:
        return None
    columns = [column for column in reading.table.shares.T if np.isfinite(column).any()]
    shares = [float(np.nanmax(column)) for column in columns]
    spread = clustered_mean(shares, list(range(len(shares))), level=plan.level, scale=(0.0, 1.0))
    low, high = min(shares), max(shares)
    if not isinstance(spread, Missing):
        low, high = min(low, spread.low), max(high, spread.high)
    return Estimate(
        value=math.fsum(shares) / len(shares),
        low=max(0.0, low),
        high=min(1.0, high),
        level=plan.level,
        standard_error=None if isinstance(spread, Missing) else spread.standard_error,
        rests_on=(("layers", len(shares)),),
        method="agreement-of-matchings",
    )
