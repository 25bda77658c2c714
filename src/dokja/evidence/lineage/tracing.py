"""Compares two models component by component and says what their weights are consistent with.

Each component of the suspect is compared with every component of the reference that has tensors
of the same roles and shapes, whatever either is declared to be; the pair that is most alike makes
the finding. Controls run on the same values and the same rule. What cannot be compared is *not
testable*, with its reason, and never taken for unrelated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dokja.errors import NotComparableError
from dokja.evidence.lineage.beside import (
    all_equal,
    gain_reading,
    gains_agree,
    only_low_rank,
    token_rows,
)
from dokja.evidence.lineage.components import (
    ComponentSpec,
    ComponentTensors,
    Inventory,
    inventory,
)
from dokja.evidence.lineage.controls import (
    ControlReading,
    derived_control,
    scrambled_control,
    smallest_detected,
    stands_out,
)
from dokja.evidence.lineage.effects import effect_of, effect_of_rows, layer_readings
from dokja.evidence.lineage.findings import ComponentFinding, TokenRows, TraceReport
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import Reading, comparable_share, read_pair
from dokja.evidence.lineage.relations import (
    Derivation,
    Direction,
    Kinship,
    Relation,
    derivation_of,
    direction_of,
    is_depth_edit,
    relations_of,
)
from dokja.evidence.lineage.screening import Screen, chance_errors, judge, role_tables
from dokja.models.comparison import TokenOverlap, token_overlap
from dokja.models.weights import Source
from dokja.values import Reason

__all__ = ["trace"]

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """What every comparison of one trace shares."""

    suspect: Source
    reference: Source
    whole: Inventory
    strangers: Sequence[tuple[Source, Inventory]]
    plan: Plan
    seed: int
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """One component of each side, read and screened."""

    ours: ComponentTensors
    theirs: ComponentTensors
    reading: Reading
    errors: Mapping[str, float]
    screen: Screen
    share: float


def trace(
    suspect: Source,
    reference: Source,
    *,
    rng: np.random.Generator,
    components: Mapping[str, ComponentSpec] | None = None,
    reference_components: Mapping[str, ComponentSpec] | None = None,
    plan: Plan | None = None,
    controls: Sequence[Source] = (),
    progress: Progress | None = None,
) -> TraceReport:
    """Return what the suspect's components are consistent with, against the reference.

    *Suspect* and *reference* are the caller's words: the statistics are symmetric, and direction
    is reported only where repeated layers show it.

    Args:
        suspect: The model in question.
        reference: The candidate ancestor.
        rng: Draws rows, row orders and controls; the same state gives the same report.
        components: The suspect's components as declared; by tensor names where none are.
        reference_components: Likewise, of the reference.
        plan: What is read and from when on a likeness counts.
        controls: Models that are known to be strangers to the suspect.
        progress: Told each component's name before it is compared.

    Raises:
        WeightsError: A file changed since it was checked, or a tokenizer is damaged.
    """
    before = suspect.bytes_read + reference.bytes_read
    run = _Run(
        suspect=suspect,
        reference=reference,
        whole=inventory(suspect, components=components),
        strangers=tuple((source, inventory(source)) for source in controls),
        plan=plan if plan is not None else Plan(),
        seed=int(rng.integers(2**62)),
        rng=rng,
    )
    theirs = inventory(reference, components=reference_components).components
    findings: list[ComponentFinding] = []
    absent: list[str] = []
    for component in run.whole.components:
        if progress is not None:
            progress(component.component)
        finding = _finding(run, component, theirs)
        if finding is None:
            absent.append(component.component)
        else:
            findings.append(finding)
    return TraceReport(
        suspect=suspect.name,
        reference=reference.name,
        findings=tuple(findings),
        absent=tuple(absent),
        unclaimed=run.whole.unclaimed,
        tokenizers=_tokenizers(suspect, reference),
        bytes_read=suspect.bytes_read + reference.bytes_read - before,
        tests=sum(finding.tests for finding in findings),
    )


def _tokenizers(suspect: Source, reference: Source) -> TokenOverlap | None:
    ours, theirs = suspect.tokenizer_vocabulary(), reference.tokenizer_vocabulary()
    return None if ours is None or theirs is None else token_overlap(ours, theirs)


def _finding(
    run: _Run, ours: ComponentTensors, candidates: Sequence[ComponentTensors]
) -> ComponentFinding | None:
    """Return the finding of one component; None when the reference has nothing of its role."""
    start = run.suspect.bytes_read + run.reference.bytes_read
    start_suspect = run.suspect.bytes_read
    alike = [theirs for theirs in candidates if theirs.role == ours.role]
    pairs = [pair for theirs in candidates if (pair := _compare(run, ours, theirs)) is not None]
    related = [pair for pair in pairs if pair.screen.found]
    of_role = [pair for pair in pairs if pair.theirs.role == ours.role]
    chosen = max(related or of_role, key=lambda pair: pair.screen.effect, default=None)
    if chosen is None and not alike:
        return None
    if chosen is None:
        finding = _not_testable(run, ours, alike[0], code="lineage-shapes-differ")
    else:
        finding = _judged(run, chosen)
    read_bytes = run.suspect.bytes_read - start_suspect
    return replace(
        finding,
        tests=sum(pair.screen.tests for pair in pairs) + len(finding.token_rows),
        bytes_read=run.suspect.bytes_read + run.reference.bytes_read - start,
        read_share=min(1.0, read_bytes / max(_stored_bytes(run.suspect, ours), 1)),
    )


def _stored_bytes(source: Source, component: ComponentTensors) -> int:
    return sum(source.info(name).bytes for name in component.names)


def _compare(run: _Run, ours: ComponentTensors, theirs: ComponentTensors) -> _Pair | None:
    share = comparable_share(ours, theirs)
    if share == 0.0:
        return None
    reading = read_pair((run.suspect, ours), (run.reference, theirs), plan=run.plan, seed=run.seed)
    errors = chance_errors(reading.child, reading.parent, plan=run.plan, rng=run.rng)
    try:
        screen = judge(role_tables(reading.child, reading.parent), errors, plan=run.plan)
    except NotComparableError:
        return None
    return _Pair(
        ours=ours, theirs=theirs, reading=reading, errors=errors, screen=screen, share=share
    )


def _not_testable(
    run: _Run, ours: ComponentTensors, theirs: ComponentTensors, *, code: str
) -> ComponentFinding:
    return ComponentFinding(
        component=ours.component,
        role=ours.role,
        reference_component=theirs.component,
        relations=(Relation.NOT_TESTABLE,),
        derivation=Derivation.CANNOT_TELL,
        parameter_share=ours.parameters / max(run.whole.parameters, 1),
        read_share=0.0,
        bytes_read=0,
        reasons=(Reason(code=code),),
    )


def _judged(run: _Run, pair: _Pair) -> ComponentFinding:
    """Return the finding of a pair that was screened: controls first, then relations."""
    controls, strangers = _controls(run, pair)
    screen = pair.screen
    rows = token_rows(
        (run.suspect, pair.ours),
        (run.reference, pair.theirs),
        plan=run.plan,
        tests=screen.tests,
        rng=run.rng,
    )
    relations, reasons = _relations(run, pair, rows=rows, controls=controls, strangers=strangers)
    related = screen.found and Relation.NOT_TESTABLE not in relations
    by_rows = None if screen.found else _best_related(rows)
    return ComponentFinding(
        component=pair.ours.component,
        role=pair.ours.role,
        reference_component=pair.theirs.component,
        relations=relations,
        derivation=derivation_of(relations),
        direction=_direction(run, pair) if related else None,
        effect=(
            effect_of(screen, plan=run.plan)
            if by_rows is None
            else effect_of_rows(by_rows, plan=run.plan)
        ),
        layer_map=screen.pairs if related and pair.ours.layers else None,
        layers=layer_readings(screen),
        layers_compared=int(screen.table.filled.any(axis=1).sum()),
        gains=gain_reading(
            (run.suspect, pair.ours), (run.reference, pair.theirs), pairs=screen.path
        ),
        token_rows=rows,
        controls=(*controls, *strangers),
        minimum_detectable=smallest_detected(
            pair.reading.parent, errors=pair.errors, plan=run.plan, rng=run.rng
        ),
        parameter_share=pair.ours.parameters / max(run.whole.parameters, 1),
        read_share=0.0,
        bytes_read=0,
        reasons=(
            *reasons,
            *(
                Reason(code="lineage-tensor-left-out", params={"tensor": tensor, "why": why})
                for tensor, why in pair.reading.left_out
            ),
        ),
    )


def _controls(
    run: _Run, pair: _Pair
) -> tuple[tuple[ControlReading, ...], tuple[ControlReading, ...]]:
    """Return the controls made from the reference, and those by third parties."""
    made = [
        derived_control(
            pair.reading.parent,
            correlation=correlation,
            errors=pair.errors,
            plan=run.plan,
            rng=run.rng,
        )
        for correlation in run.plan.derived_controls
    ]
    made.append(
        scrambled_control(pair.reading.parent, errors=pair.errors, plan=run.plan, rng=run.rng)
    )
    strangers = []
    for source, held in run.strangers:
        third = replace(run, reference=source)
        for theirs in held.components:
            other = _compare(third, pair.ours, theirs) if theirs.role == pair.ours.role else None
            if other is not None:
                strangers.append(
                    ControlReading(
                        kind="independent",
                        name=source.name,
                        value=other.screen.effect,
                        found=other.screen.found,
                    )
                )
    return tuple(made), tuple(strangers)


def _relations(
    run: _Run,
    pair: _Pair,
    *,
    rows: Sequence[TokenRows],
    controls: Sequence[ControlReading],
    strangers: Sequence[ControlReading],
) -> tuple[tuple[Relation, ...], tuple[Reason, ...]]:
    """Return the relations that the evidence leaves open, and why it may leave more."""
    screen = pair.screen
    failing = [control.name for control in (*controls, *strangers) if not control.behaves]
    if failing:
        reason = Reason(code="lineage-control-failed", params={"controls": failing})
        return (Relation.NOT_TESTABLE,), (reason,)
    if screen.found and not stands_out(screen, strangers, plan=run.plan):
        reason = Reason(code="lineage-strangers-too-near")
        return (*relations_of(_kinship(run, pair)), Relation.NO_EVIDENCE), (reason,)
    if screen.found:
        return relations_of(_kinship(run, pair)), ()
    if (reused := _best_related(rows)) is not None:
        reason = Reason(code="lineage-token-rows-only", params={"role": reused.role})
        return relations_of(Kinship(correlation=reused.value)), (reason,)
    if pair.share < run.plan.least_compared:
        reason = Reason(code="lineage-shapes-differ-mostly", params={"share": pair.share})
        return (Relation.NOT_TESTABLE,), (reason,)
    return (Relation.NO_EVIDENCE,), ()


def _best_related(rows: Sequence[TokenRows]) -> TokenRows | None:
    related = [reading for reading in rows if reading.related]
    return max(related, key=lambda reading: reading.value, default=None)


def _kinship(run: _Run, pair: _Pair) -> Kinship:
    pairs = pair.screen.pairs
    gains = gain_reading((run.suspect, pair.ours), (run.reference, pair.theirs), pairs=pairs)
    complete = len(pairs) == len(pair.reading.child)
    return Kinship(
        correlation=pair.screen.effect,
        equal=complete and all_equal(pair.reading, pairs),
        depth_edit=is_depth_edit(pairs, layers=(len(pair.reading.child), len(pair.reading.parent))),
        gains_agree=gains_agree(gains),
        low_rank=complete and only_low_rank(pair.reading, pairs),
    )


def _direction(run: _Run, pair: _Pair) -> Direction | None:
    turned = judge(role_tables(pair.reading.parent, pair.reading.child), pair.errors, plan=run.plan)
    return direction_of(pair.screen.pairs, turned.pairs, table=pair.screen.table)
