"""One component of each side: read, screened, beside its controls, with what is left open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dokja.errors import NotComparableError
from dokja.evidence.lineage.adapted import Model
from dokja.evidence.lineage.beside import all_equal, gains_agree, only_low_rank, rounded
from dokja.evidence.lineage.components import ComponentTensors, Inventory
from dokja.evidence.lineage.controls import (
    ControlReading,
    derived_control,
    scrambled_control,
    stands_out,
)
from dokja.evidence.lineage.findings import GainReading, TokenRows
from dokja.evidence.lineage.opening import Bodies
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import (
    MOST_LAYERS,
    LayerValues,
    Reading,
    comparable_share,
    read_pair,
)
from dokja.evidence.lineage.relations import (
    Direction,
    Kinship,
    Relation,
    direction_of,
    is_depth_edit,
    relations_of,
)
from dokja.evidence.lineage.screening import Screen, chance_errors, judge, role_tables
from dokja.models.weights import Source
from dokja.values import Reason

__all__ = [
    "Pair",
    "Run",
    "best_related",
    "compare_components",
    "controls_of",
    "direction_shown",
    "what_is_left_open",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What every comparison of one trace shares."""

    suspect: Source
    reference: Source
    models: tuple[Model, Model]
    whole: Inventory
    strangers: Sequence[tuple[Source, Inventory]]
    plan: Plan
    seed: int
    rng: np.random.Generator
    bodies: Bodies


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """One component of each side, read and screened."""

    ours: ComponentTensors
    theirs: ComponentTensors
    reading: Reading
    errors: Mapping[str, float]
    screen: Screen
    share: float

    @property
    def compared_parent(self) -> tuple[LayerValues, ...]:
        """The reference's layers in the roles that were compared."""
        return tuple(
            {role: values for role, values in layer.items() if role in self.errors}
            for layer in self.reading.parent
        )


def compare_components(run: Run, ours: ComponentTensors, theirs: ComponentTensors) -> Pair | None:
    """Return two components read and screened; None when they cannot be."""
    if max(len(ours.layers), len(theirs.layers)) > MOST_LAYERS:
        return None
    share = comparable_share(ours, theirs)
    if share == 0.0:
        return None
    reading = read_pair((run.suspect, ours), (run.reference, theirs), plan=run.plan, seed=run.seed)
    errors = chance_errors(reading.child, reading.parent, plan=run.plan, rng=run.rng)
    try:
        screen = judge(role_tables(reading.child, reading.parent), errors, plan=run.plan)
    except NotComparableError:
        return None
    return Pair(
        ours=ours, theirs=theirs, reading=reading, errors=errors, screen=screen, share=share
    )


def controls_of(
    run: Run, pair: Pair
) -> tuple[tuple[ControlReading, ...], tuple[ControlReading, ...]]:
    """Return the controls made from the reference, and those by third parties."""
    reference = pair.compared_parent
    made = [
        derived_control(
            reference,
            correlation=correlation,
            errors=pair.errors,
            plan=run.plan,
            rng=run.rng,
        )
        for correlation in run.plan.derived_controls
    ]
    made.append(scrambled_control(reference, errors=pair.errors, plan=run.plan, rng=run.rng))
    strangers = []
    for source, held in run.strangers:
        third = replace(run, reference=source)
        for theirs in held.components:
            other = (
                compare_components(third, pair.ours, theirs)
                if theirs.role == pair.ours.role
                else None
            )
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


def what_is_left_open(
    run: Run,
    pair: Pair,
    *,
    rows: Sequence[TokenRows],
    gains: GainReading | None,
    controls: Sequence[ControlReading],
    strangers: Sequence[ControlReading],
) -> tuple[tuple[Relation, ...], tuple[Reason, ...]]:
    """Return the relations that the evidence leaves open, and why it may leave more."""
    screen = pair.screen
    failing = [control.name for control in controls if not control.behaves]
    if failing:
        reason = Reason(code="lineage-control-failed", params={"controls": failing})
        return (Relation.NOT_TESTABLE,), (reason,)
    if screen.found and not stands_out(screen, strangers, plan=run.plan):
        reason = Reason(code="lineage-strangers-too-near")
        return (*relations_of(_kinship(pair, gains=gains)), Relation.NO_EVIDENCE), (reason,)
    if screen.found:
        return relations_of(_kinship(pair, gains=gains)), ()
    if (reused := best_related(rows)) is not None:
        reason = Reason(code="lineage-token-rows-only", params={"role": reused.role})
        return relations_of(Kinship(correlation=reused.value)), (reason,)
    if pair.share < run.plan.least_compared:
        reason = Reason(code="lineage-shapes-differ-mostly", params={"share": pair.share})
        return (Relation.NOT_TESTABLE,), (reason,)
    return (Relation.NO_EVIDENCE,), ()


def best_related(rows: Sequence[TokenRows]) -> TokenRows | None:
    """Return the most alike of those token rows that are related; None when none are."""
    related = [reading for reading in rows if reading.related]
    return max(related, key=lambda reading: reading.value, default=None)


def _kinship(pair: Pair, *, gains: GainReading | None) -> Kinship:
    pairs = pair.screen.pairs
    complete = len(pairs) == len(pair.reading.child)
    return Kinship(
        correlation=pair.screen.effect,
        equal=complete and all_equal(pair.reading, pairs),
        depth_edit=is_depth_edit(pairs, layers=(len(pair.reading.child), len(pair.reading.parent))),
        gains_agree=gains_agree(gains),
        low_rank=complete and only_low_rank(pair.reading, pairs),
        rounded=rounded(pair.reading, pairs) is not None,
    )


def direction_shown(run: Run, pair: Pair) -> Direction | None:
    """Return which way a related pair runs, where repeated layers or a grid show it.

    Nobody trains onto a grid: of two alike models the one that stands on one was rounded.
    """
    if (side := rounded(pair.reading, pair.screen.pairs)) is not None:
        return side
    turned = judge(role_tables(pair.reading.parent, pair.reading.child), pair.errors, plan=run.plan)
    return direction_of(pair.screen.pairs, turned.pairs, table=pair.screen.table)
