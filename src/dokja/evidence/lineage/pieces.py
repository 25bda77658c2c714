"""A comparison cut into pieces that any process can do: one component beside one reference.

A piece names its models by where they lie. Whoever does it opens them again, and refuses files
whose headers say something else than those that were opened before. With a budget of bytes a
piece is a whole reference: a budget that is cut by components would be too small for the large
ones. The suspect and the controls are read in every piece, and share their budget among them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dokja.evidence.lineage.adapted import Model, bare
from dokja.evidence.lineage.components import ComponentSpec, inventory
from dokja.evidence.lineage.engines import Engine, Told
from dokja.evidence.lineage.findings import TraceReport
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.tracing import trace
from dokja.models.weights import Laid, Origin, RangeAccount, RangeRead, Source, origin_of

__all__ = ["Piece", "Worked", "done", "joined", "traced_apart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one process does by itself.

    Attributes:
        number: The reference's.
        suspect: The model in question.
        reference: The candidate ancestor.
        controls: Models that are known to be strangers.
        components: The suspect's components as declared; by tensor names where none are.
        plan: With the one component that the piece is about, or with all that were asked for.
        seed: Of the whole comparison.
    """

    number: int
    suspect: Origin
    reference: Origin
    controls: tuple[Origin, ...]
    components: Mapping[str, ComponentSpec] | None
    plan: Plan
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What came of a piece.

    Attributes:
        report: What was found.
        ranges: What was read of addresses.
    """

    report: TraceReport
    ranges: tuple[RangeRead, ...]


def done(piece: Piece) -> Worked:
    """Open the models, compare them and say what was read.

    Raises:
        WeightsError: A model cannot be opened here, or is another one.
    """
    account = RangeAccount()
    suspect, reference = (one.open(account=account) for one in (piece.suspect, piece.reference))
    controls = [bare(one.open(account=account)) for one in piece.controls]
    report = trace(
        suspect,
        reference,
        rng=np.random.default_rng(piece.seed),
        components=piece.components,
        plan=piece.plan,
        controls=controls,
    )
    return Worked(report=report, ranges=account.ranges())


def traced_apart(
    suspect: Model,
    references: Sequence[Model],
    *,
    seed: int,
    components: Mapping[str, ComponentSpec] | None,
    plan: Plan,
    controls: Sequence[Source],
    engine: Engine,
    told: Told,
) -> list[TraceReport]:
    """Return the report of every reference, all pieces done by the engine.

    What the engine's workers read of addresses is noted in the suspect's account.

    Raises:
        DokjaError: A piece was refused.
    """
    names: list[str | None] = [None]
    if plan.budget_bytes is None:
        names = [
            one.component
            for one in inventory(bare(suspect), components=components).components
            if plan.only is None or one.component in plan.only
        ] or [None]
    pieces = [
        Piece(
            number=number,
            suspect=_lent(suspect, among=len(references)),
            reference=_lent(reference, among=1),
            controls=tuple(_lent(one, among=len(references)) for one in controls),
            components=components,
            plan=plan if name is None else replace(plan, only=frozenset({name})),
            seed=seed,
        )
        for number, reference in enumerate(references)
        for name in names
    ]
    worked = engine.map(done, pieces, told=told)
    if (account := bare(suspect).account) is not None:
        for one in worked:
            account.take(one.ranges)
    return [
        joined([one.report for one, p in zip(worked, pieces, strict=True) if p.number == number])
        for number in range(len(references))
    ]


def _lent(model: Model, *, among: int) -> Origin:
    """Return where a model lies, with its share of what is left of its budget."""
    if isinstance(model, Laid):
        onto = _lent(model.base, among=among)
        return replace(_lent(model.adapter.source, among=among), onto=onto)
    origin, account = origin_of(model), model.account
    budget = origin.access.budget_bytes
    if budget is None or account is None:
        return origin
    return origin.lent(max(0, budget - account.bytes) // among)


def joined(reports: Sequence[TraceReport]) -> TraceReport:
    """Return the reports of one model's components beside one reference as one.

    Raises:
        ValueError: There is none.
    """
    if not reports:
        raise ValueError("no report to join")
    return replace(
        reports[0],
        findings=tuple(finding for report in reports for finding in report.findings),
        absent=tuple(component for report in reports for component in report.absent),
        bytes_read=sum(report.bytes_read for report in reports),
        tests=sum(report.tests for report in reports),
    )
