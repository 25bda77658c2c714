"""One finding of two ways of looking: the same coordinates, and agreement once these are undone.

A relation in the same coordinates stands as it is; agreement names edits of the width that it
cannot see, and separates a shared start from training. Where nothing is seen in the same
coordinates, agreement decides. "No evidence" may be said where either way could have seen
something, and says how much.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from dokja.evidence.lineage.agreements import (
    BranchReading,
    Side,
    interior,
    read_branches,
    smallest_agreeing,
)
from dokja.evidence.lineage.alignments import Alignment, align, edits
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.effects import optional_rows
from dokja.evidence.lineage.findings import (
    BranchSummary,
    ComponentFinding,
    LayerAgreement,
    NeuronMap,
)
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.relations import Derivation, Relation, derivation_of, relations_of
from dokja.evidence.statistics import clustered_mean
from dokja.values import Estimate, Missing, Reason

__all__ = ["Looked", "combined", "look", "summary"]

_UNSEEN = frozenset({Relation.NO_EVIDENCE, Relation.NOT_TESTABLE})
_STANDS = frozenset({"lineage-control-failed", "lineage-strangers-too-near"})
"""A finding with one of these reasons stays as it is: its own controls left it open."""

_LITTLE_MOVED = 0.8
"""Neurons of the zoo's fast fine-tunings keep 0.85 of their directions, of its shortest continued
trainings 0.87: from here on either is left open."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """What agreement says of a pair of components.

    Attributes:
        ours: The suspect's side.
        theirs: The reference's.
        readings: Branch by branch.
        alignment: How the two lie on each other; none where no branch found a relation.
    """

    ours: Side
    theirs: Side
    readings: tuple[BranchReading, ...]
    alignment: Alignment | None

    @property
    def found(self) -> BranchReading | None:
        """The branch that found a relation, the one with the largest share; none where none did."""
        found = [one for one in self.readings if one.found]
        return max(found, key=lambda one: one.share or 0.0, default=None)

    @property
    def ran(self) -> tuple[BranchReading, ...]:
        """Branches that could run."""
        return tuple(one for one in self.readings if not one.missing)


def look(ours: Side, theirs: Side, *, plan: Plan, rng: np.random.Generator) -> Looked:
    """Return what agreement says of a pair of components.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    readings = read_branches(ours, theirs, plan=plan, rng=rng, thorough=plan.thorough)
    looked = Looked(ours=ours, theirs=theirs, readings=readings, alignment=None)
    return (
        looked
        if looked.found is None
        else replace(looked, alignment=align(looked.found, ours, theirs))
    )


def summary(reading: BranchReading) -> BranchSummary:
    """Return a branch's reading as findings hold it, without arrays."""
    table = reading.table
    shares, agreements = [], []
    if table is not None:
        for i, row in enumerate(table.shares):
            if np.isfinite(row).any():
                j = int(np.nanargmax(row))
                shares.append((i, j, float(row[j])))
                held = table.best[i, j][2]
                agreements.append(
                    LayerAgreement(
                        suspect=i, reference=j, two=held.two, three=held.three, of=held.of
                    )
                )
    return BranchSummary(
        branch=reading.branch,
        missing=reading.missing,
        share=reading.share,
        log10_p=reading.log10_p,
        null=reading.null,
        basis=None if table is None else table.basis,
        found=reading.found,
        shares=tuple(shares),
        tests=0 if table is None else table.tests,
        agreements=tuple(agreements),
        pairs=() if table is None else optional_rows(table.shares),
    )


def combined(finding: ComponentFinding, looked: Looked, *, plan: Plan) -> ComponentFinding:
    """Return the finding with what agreement adds to it.

    Args:
        finding: What the same coordinates say.
        looked: What agreement says of the same two components.
        plan: From when on something counts.
    """
    beside = replace(
        finding,
        branches=tuple(summary(one) for one in looked.readings),
        tests=finding.tests + sum(one.table.tests for one in looked.readings if one.table),
        read_share=max(finding.read_share, _read_share(looked)),
        unmapped_share=1 - looked.ours.body.mapped / max(looked.ours.body.parameters, 1),
    )
    found = _decided(beside, looked, plan=plan)
    return replace(found, neuron_map=_neurons(found, looked, plan))


def _decided(beside: ComponentFinding, looked: Looked, *, plan: Plan) -> ComponentFinding:
    """Return what both ways of looking come to."""
    if any(reason.code in _STANDS for reason in beside.reasons):
        return beside
    if not _UNSEEN & set(beside.relations):
        return _named_anew(beside, looked)
    if looked.found is not None and looked.alignment is not None:
        return _found(beside, looked.found, looked.alignment, looked=looked, plan=plan)
    return _unseen(beside, looked, plan=plan)


def _neurons(finding: ComponentFinding, looked: Looked, plan: Plan) -> tuple[NeuronMap, ...]:
    """Return which neurons go together in mapped layers."""
    wanted = plan.neuron_maps or Relation.WIDTH_EDITED in finding.relations
    table = None if looked.found is None else looked.found.table
    if table is None or looked.alignment is None or not wanted:
        return ()
    return tuple(
        NeuronMap(
            suspect=pair[0],
            block=ours.name,
            reference=pair[1],
            reference_block=theirs.name,
            pairs=tuple((int(one), int(other)) for one, other in held.pairs),
            of=held.of,
            among=held.among,
        )
        for pair in looked.alignment.layers
        if pair in table.best
        for ours, theirs, held in [table.best[pair]]
    )


def _read_share(looked: Looked) -> float:
    total = looked.ours.body.parameters
    values = sum(
        block.space.units.up.size * (3 if block.space.units.gated else 2)
        for block in looked.ours.folded.blocks
    )
    return min(1.0, values / max(total, 1))


def _named_anew(finding: ComponentFinding, looked: Looked) -> ComponentFinding:
    """Name what the same coordinates do not see of a relation that they found."""
    alignment = looked.alignment
    relations = finding.relations
    if alignment is not None and alignment.upcycled:
        relations = (Relation.UPCYCLED,)
    elif Relation.DEPTH_EDITED in relations:
        pass
    elif _descends(finding, looked) and edits(looked.ours.body, looked.theirs.body):
        relations = (Relation.WIDTH_EDITED,)
    elif alignment is not None and alignment.kinship.equal:
        # The same neurons and the same attention: what differed was only how they are written.
        relations = (Relation.IDENTICAL,) if Relation.REQUANTISED not in relations else relations
    elif alignment is not None and Relation.SHARED_INITIALISATION in relations:
        # Neurons agree throughout: what they share, training made and no random start.
        relations = tuple(one for one in relations if one is not Relation.SHARED_INITIALISATION)
    return replace(
        finding,
        relations=relations,
        derivation=derivation_of(relations),
        likeness=None if alignment is None else alignment.likeness,
        head_map=() if alignment is None else alignment.heads,
        expert_map=() if alignment is None else _experts(alignment),
        re_expressed=() if alignment is None else alignment.undone,
    )


def _descends(finding: ComponentFinding, looked: Looked) -> bool:
    """Tell whether the blocks are related by training: only then is another width an edit.

    A shared random start, or rows of tokens that were taken over, say nothing about blocks.
    """
    rows_only = any(reason.code == "lineage-token-rows-only" for reason in finding.reasons)
    open_start = Relation.SHARED_INITIALISATION in finding.relations
    return looked.found is not None or not (rows_only or open_start)


def _experts(alignment: Alignment) -> tuple[tuple[int, str, int, str], ...]:
    return tuple(
        (pair[0], ours, pair[1], theirs)
        for pair, held in alignment.experts.items()
        for ours, theirs in held
    )


def _found(
    finding: ComponentFinding,
    reading: BranchReading,
    alignment: Alignment,
    *,
    looked: Looked,
    plan: Plan,
) -> ComponentFinding:
    smallest, controls = _power(looked.theirs, plan=plan)
    relations = _by_likeness(alignment)
    null = ControlReading(
        kind="independent",
        name="reference-turned-apart",
        value=reading.null or 0.0,
        found=(reading.null or 0.0) >= plan.agreement_floor,
        measure="agreement",
    )
    shown = [control for control in controls if control.found]
    return replace(
        finding,
        relations=relations,
        derivation=derivation_of(relations),
        measure="agreement",
        effect=_effect(reading, plan=plan),
        layer_map=alignment.layers,
        map_chance=None,
        controls=(*shown, null),
        minimum_detectable=smallest,
        detectable=_also(finding, smallest),
        re_expressed=alignment.undone,
        likeness=alignment.likeness,
        head_map=alignment.heads,
        expert_map=_experts(alignment),
        layers_compared=len(looked.ours.folded.layers),
        reasons=(Reason(code="lineage-by-agreement", params={"branch": reading.branch}),),
    )


def _by_likeness(alignment: Alignment) -> tuple[Relation, ...]:
    """Return what a likeness of neurons leaves open: a grid cannot be seen once it was turned."""
    relations = relations_of(replace(alignment.kinship, rounded=False))
    if alignment.kinship.rounded and Relation.FINE_TUNED in relations:
        return (Relation.REQUANTISED, *relations)
    little = alignment.likeness >= _LITTLE_MOVED
    if little and Relation.CONTINUALLY_PRETRAINED in relations:
        return tuple(dict.fromkeys((Relation.FINE_TUNED, *relations)))
    return relations


def _effect(reading: BranchReading, *, plan: Plan) -> Estimate:
    """Return the mean share over interior layers; layers are the clusters."""
    table = reading.table
    rows = [] if table is None else [table.shares[i] for i in interior(len(table.shares))]
    shares = [float(np.nanmax(row)) for row in rows if np.isfinite(row).any()]
    mean = math.fsum(shares) / len(shares)
    spread = clustered_mean(shares, list(range(len(shares))), level=plan.level, scale=(0.0, 1.0))
    low, high = (min(shares), max(shares))
    if not isinstance(spread, Missing):
        low, high = min(low, spread.low), max(high, spread.high)
    return Estimate(
        value=mean,
        low=max(0.0, low),
        high=min(1.0, high),
        level=plan.level,
        standard_error=None if isinstance(spread, Missing) else spread.standard_error,
        rests_on=(("layers", len(shares)),),
        method="agreement-of-matchings",
    )


def _power(theirs: Side, *, plan: Plan) -> tuple[float | None, tuple[ControlReading, ...]]:
    """Return how strong a relation to the reference has to be to be found, and its controls."""
    return theirs.keep(
        ("power", theirs.seed, plan.agreement_floor),
        lambda: smallest_agreeing(theirs.folded, plan=plan, rng=theirs.stream("power")),
    )


def _also(finding: ComponentFinding, smallest: float | None) -> tuple[tuple[str, float], ...]:
    """Return the power of the same coordinates and beside it that of agreement."""
    return (
        finding.detectable if smallest is None else (*finding.detectable, ("agreement", smallest))
    )


def _unseen(finding: ComponentFinding, looked: Looked, *, plan: Plan) -> ComponentFinding:
    """Say that nothing was seen, where something could have been."""
    if not looked.ran:
        return finding
    smallest, controls = _power(looked.theirs, plan=plan)
    shown = tuple(control for control in controls if control.found)
    finding = replace(finding, detectable=_also(finding, smallest))
    if Relation.NO_EVIDENCE in finding.relations:
        return replace(finding, controls=(*finding.controls, *shown))
    if smallest is None:
        return finding
    best = max(looked.ran, key=lambda one: one.share or 0.0)
    null = ControlReading(
        kind="independent",
        name="reference-turned-apart",
        value=best.null or 0.0,
        found=False,
        measure="agreement",
    )
    return replace(
        finding,
        relations=(Relation.NO_EVIDENCE,),
        derivation=Derivation.NO,
        measure="agreement",
        effect=_effect(best, plan=plan),
        controls=(*shown, null),
        minimum_detectable=smallest,
        layers_compared=len(looked.ours.folded.layers),
        reasons=(Reason(code="lineage-by-agreement", params={"branch": best.branch}),),
    )
