"""Compares two models component by component and says what their weights are consistent with.

Each component of the suspect is compared with every component of the reference that has tensors
of the same roles and shapes, whatever either is declared to be; the pair that is most alike makes
the finding. Controls run on the same values and the same rule. What cannot be compared is *not
testable*, with its reason, and never taken for unrelated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dokja.evidence.lineage.adapted import Model, bare, with_adapter
from dokja.evidence.lineage.beside import gain_reading, token_rows
from dokja.evidence.lineage.budgets import fitted
from dokja.evidence.lineage.combining import combined, look
from dokja.evidence.lineage.components import ComponentSpec, ComponentTensors, inventory
from dokja.evidence.lineage.controls import smallest_detected
from dokja.evidence.lineage.effects import effect_of, effect_of_rows, layer_readings, optional_rows
from dokja.evidence.lineage.findings import (
    ComponentFinding,
    GainReading,
    TokenRows,
    TraceReport,
)
from dokja.evidence.lineage.interpreting import interpreted
from dokja.evidence.lineage.opening import Bodies, Declared
from dokja.evidence.lineage.pairs import (
    Pair,
    Run,
    best_related,
    compare_components,
    controls_of,
    direction_shown,
    what_is_left_open,
)
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import MOST_LAYERS
from dokja.evidence.lineage.relations import Derivation, Relation, derivation_of
from dokja.evidence.lineage.third_parties import beside_strangers, held_to
from dokja.models.comparison import TokenOverlap, chance_of_map, token_overlap
from dokja.models.weights import Source
from dokja.values import Reason

__all__ = ["trace"]

_LEAST_SHARE = 0.01
"""Of a budget, for a component however small."""

Progress = Callable[[str], None]


def trace(
    suspect: Model,
    reference: Model,
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
        suspect: The model in question; a base with an adapter laid onto it is one too.
        reference: The candidate ancestor, likewise.
        rng: Draws rows, row orders and controls; the same state gives the same report.
        components: The suspect's components as declared; by tensor names where none are.
        reference_components: Likewise, of the reference.
        plan: What is read and from when on a likeness counts.
        controls: Models that are known to be strangers to the suspect.
        progress: Told each component's name before it is compared.

    Raises:
        WeightsError: A file changed since it was checked, or a tokenizer is damaged.
    """
    models = suspect, reference
    suspect, reference = bare(suspect), bare(reference)
    before = suspect.bytes_read + reference.bytes_read
    run = _run(
        (suspect, components),
        (reference, reference_components),
        models=models,
        plan=plan if plan is not None else Plan(),
        controls=controls,
        rng=rng,
    )
    theirs = inventory(reference, components=reference_components).components
    found: dict[str, ComponentFinding | None] = {}
    for component in run.whole.components:
        if run.plan.only is not None and component.component not in run.plan.only:
            continue
        if progress is not None:
            progress(component.component)
        found[component.component] = _finding(_alone(run, component), component, theirs)
    findings = tuple(finding for finding in found.values() if finding is not None)
    return TraceReport(
        suspect=suspect.name,
        reference=reference.name,
        findings=findings,
        absent=tuple(component for component, finding in found.items() if finding is None),
        unclaimed=run.whole.unclaimed,
        tokenizers=_tokenizers(suspect, reference),
        bytes_read=suspect.bytes_read + reference.bytes_read - before,
        tests=sum(finding.tests for finding in findings),
    )


def _run(
    suspect: Declared,
    reference: Declared,
    *,
    models: tuple[Model, Model],
    plan: Plan,
    controls: Sequence[Source],
    rng: np.random.Generator,
) -> Run:
    """Return what every comparison of a trace shares."""
    seed = int(rng.integers(2**62))
    return Run(
        suspect=suspect[0],
        reference=reference[0],
        models=models,
        whole=inventory(suspect[0], components=suspect[1]),
        strangers=tuple((source, inventory(source)) for source in controls),
        plan=plan,
        seed=seed,
        rng=rng,
        bodies=Bodies(suspect, reference, plan=plan, seed=seed),
    )


def _alone(run: Run, component: ComponentTensors) -> Run:
    """Return the run for one component, whose draws do not depend on what else is looked at."""
    words = [run.seed, *component.component.encode()]
    return replace(run, rng=np.random.default_rng(words), bodies=run.bodies.anew())


def _tokenizers(suspect: Source, reference: Source) -> TokenOverlap | None:
    ours, theirs = suspect.tokenizer_vocabulary(), reference.tokenizer_vocabulary()
    return None if ours is None or theirs is None else token_overlap(ours, theirs)


def _finding(
    run: Run, ours: ComponentTensors, candidates: Sequence[ComponentTensors]
) -> ComponentFinding | None:
    """Return the finding of one component; None when the reference has nothing of its role."""
    start = run.suspect.bytes_read + run.reference.bytes_read
    share = ours.parameters / max(run.whole.parameters, 1)
    run = replace(run, plan=fitted(run.plan, ours, share=max(share, _LEAST_SHARE)))
    alike = [theirs for theirs in candidates if theirs.role == ours.role]
    pairs = [
        pair for theirs in candidates if (pair := compare_components(run, ours, theirs)) is not None
    ]
    related = [pair for pair in pairs if pair.screen.found]
    of_role = [pair for pair in pairs if pair.theirs.role == ours.role]
    chosen = max(related or of_role, key=lambda pair: pair.screen.effect, default=None)
    if chosen is None and not alike:
        return None
    finding = _not_testable(run, ours, alike[0]) if chosen is None else _judged(run, chosen)
    tests = sum(pair.screen.tests for pair in pairs) + len(finding.token_rows)
    finding = _with_agreement(run, replace(finding, tests=tests))
    named = {theirs.component: theirs for theirs in candidates}
    sides = ours, named.get(finding.reference_component)
    if run.strangers and run.plan.agreement:
        finding = held_to(finding, beside_strangers(run, finding), plan=run.plan)
    finding = with_adapter(finding, run.models, sides, plan=run.plan, rng=run.rng)
    return replace(
        finding,
        bytes_read=run.suspect.bytes_read + run.reference.bytes_read - start,
    )


def _with_agreement(run: Run, finding: ComponentFinding) -> ComponentFinding:
    """Return the finding with what the agreement of neurons says of the same two components."""
    if not run.plan.agreement:
        reason = Reason(code="lineage-budget", params={"bytes": run.plan.budget_bytes or 0})
        return replace(finding, reasons=(*finding.reasons, reason))
    looked = [
        look(ours, theirs, plan=run.plan, rng=run.rng)
        for ours, theirs in run.bodies.pairs(finding.component, finding.role)
    ]
    if not looked:
        return finding
    named = [one for one in looked if one.theirs.body.component == finding.reference_component]
    found = [one for one in looked if one.found is not None]
    chosen = (found or named or looked)[0]
    finding = combined(finding, chosen, plan=run.plan)
    if run.plan.calibration is not None:
        finding = interpreted(finding, chosen.ours.body, calibration=run.plan.calibration)
    if chosen.found is not None:
        return replace(finding, reference_component=chosen.theirs.body.component)
    return finding


def _read_share(pair: Pair, *, gains: GainReading | None, rows: Sequence[TokenRows]) -> float:
    """Return the share of the component's values that the finding rests on."""
    matrices = sum(values.raw.size for layer in pair.reading.child for values in layer.values())
    vectors = 0 if gains is None else gains.values
    paired = sum(reading.tokens * pair.ours.token_rows[reading.role].shape[1] for reading in rows)
    return (matrices + vectors + paired) / max(pair.ours.parameters, 1)


def _not_testable(run: Run, ours: ComponentTensors, theirs: ComponentTensors) -> ComponentFinding:
    too_deep = max(len(ours.layers), len(theirs.layers)) > MOST_LAYERS
    code = "lineage-too-many-layers" if too_deep else "lineage-shapes-differ"
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


def _judged(run: Run, pair: Pair) -> ComponentFinding:
    """Return the finding of a pair that was screened: controls first, then relations."""
    screen, plan = pair.screen, run.plan
    ours, theirs = (run.suspect, pair.ours), (run.reference, pair.theirs)
    controls, strangers = controls_of(run, pair)
    rows = token_rows(ours, theirs, plan=plan, tests=screen.tests, rng=run.rng)
    gains = gain_reading(ours, theirs, pairs=screen.path)
    relations, reasons = what_is_left_open(
        run, pair, rows=rows, gains=gains, controls=(*controls, *strangers), strangers=strangers
    )
    smallest = smallest_detected(pair.compared_parent, errors=pair.errors, plan=plan, rng=run.rng)
    related = screen.found and Relation.NOT_TESTABLE not in relations
    by_rows = None if screen.found else best_related(rows)
    return ComponentFinding(
        component=pair.ours.component,
        role=pair.ours.role,
        reference_component=pair.theirs.component,
        relations=relations,
        derivation=derivation_of(relations),
        direction=direction_shown(run, pair) if related else None,
        effect=effect_of(screen, plan=plan)
        if by_rows is None
        else effect_of_rows(by_rows, plan=plan),
        layer_map=screen.pairs if related and pair.ours.layers else None,
        map_chance=(
            chance_of_map(screen.table, prices=plan.prices, draws=plan.null_draws, rng=run.rng)
            if related and len(screen.pairs) > 1
            else None
        ),
        layers=layer_readings(screen),
        layers_compared=int(screen.table.filled.any(axis=1).sum()),
        pairs=optional_rows(np.where(screen.table.filled, screen.table.values, np.nan)),
        gains=gains,
        token_rows=rows,
        controls=(*controls, *strangers),
        minimum_detectable=smallest,
        detectable=() if smallest is None else (("coordinates", smallest),),
        parameter_share=pair.ours.parameters / max(run.whole.parameters, 1),
        read_share=_read_share(pair, gains=gains, rows=rows),
        bytes_read=0,
        reasons=(*reasons, *_left_out(pair)),
    )


def _left_out(pair: Pair) -> tuple[Reason, ...]:
    return tuple(
        Reason(code="lineage-tensor-left-out", params={"tensor": tensor, "why": why})
        for tensor, why in pair.reading.left_out
    )
