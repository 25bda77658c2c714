"""The suspect's neurons beside those that forensic entries keep, branch by branch.

An entry keeps few layers, so that the median of a branch goes over the entry's layers: each is
held to the layer of the suspect that it agrees with most. A basis that is free of embeddings
needs whole layers, which an entry does not keep; `trace` against the weights has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.agreements import BranchReading, interior, turned_control
from dokja.evidence.lineage.bodies import Body, Cell
from dokja.evidence.lineage.branches import AgreementTable, agree_in_basis
from dokja.evidence.lineage.components import ComponentSpec
from dokja.evidence.lineage.folding import Folded, fold_rows, sketch
from dokja.evidence.lineage.library.entries import EntryFacts
from dokja.evidence.lineage.library.forensics import LIBRARY_SEED
from dokja.evidence.lineage.library.reopening import KeptBody, seen_through
from dokja.evidence.lineage.mapping import map_bodies
from dokja.evidence.lineage.opening import block_values, evenly
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.projecting import axes
from dokja.models.comparison import Basis, basis_of_rows
from dokja.models.weights import Source

__all__ = ["SuspectBodies", "SuspectBody", "branches_beside"]

_LEAST_LAYERS = 3
_LAYERS = 6
_ROWS = (2, 8)
"""Shared tokens that a turn takes, in widths: at least, and at most."""
_UNTRAINED = 0.1


@dataclass(slots=True, kw_only=True, eq=False)
class SuspectBody:
    """A component of the suspect, folded once for all entries.

    Attributes:
        source: The opened weights.
        body: The component.
        folded: Its blocks in canonical form.
        onto: The axes that it was seen through, where it is too large to be held; else none.
        rows: Rows that were read so far, by matrix and row.
    """

    source: Source
    body: Body
    folded: Folded
    onto: NDArray[np.float32] | None
    rows: dict[tuple[str, int], NDArray[np.float32]]

    def token_rows(self, role: str, which: Sequence[int]) -> NDArray[np.float32]:
        """Return rows of embedding or head in canonical form, each read once.

        Raises:
            NotComparableError: There is no such matrix.
            WeightsError: The file changed since it was checked.
        """
        cell = self.cell(role)
        missing = sorted({row for row in which if (role, row) not in self.rows})
        if missing:
            norm = self.body.final_norm if role == "head" else None
            wanted = np.array(missing, dtype=np.int64)
            read = fold_rows(self.source, self.body, cell, norm=norm, rows=wanted)
            self.rows |= {(role, row): values for row, values in zip(missing, read, strict=True)}
        return np.stack([self.rows[role, row] for row in which])

    def cell(self, role: str) -> Cell:
        """Return where embedding or head lies.

        Raises:
            NotComparableError: There is none.
        """
        cell = self.body.embedding if role == "embedding" else self.body.head
        if cell is None:
            raise NotComparableError(f"the suspect has no {role}")
        return cell


class SuspectBodies:
    """The suspect's components, each folded when the first forensic entry asks for it.

    Args:
        source: The opened weights.
        pages: Of the entries that will be compared.
        plan: What is held, and how a sketch is made.
        components: The suspect's components as declared.
    """

    def __init__(
        self,
        source: Source,
        pages: Sequence[EntryFacts],
        *,
        plan: Plan,
        components: Mapping[str, ComponentSpec] | None,
    ) -> None:
        self._source = source
        self._plan = plan
        self._theirs = [body for page in pages for body in page.bodies]
        bodies = map_bodies(source, components=components) if self._theirs else ()
        self._bodies = {body.component: body for body in bodies}
        self._made: dict[str, SuspectBody | None] = {}

    def of(self, component: str) -> SuspectBody | None:
        """Return a component folded; none where its blocks are not known.

        Raises:
            WeightsError: A file changed since it was checked.
        """
        if component not in self._made:
            body = self._bodies.get(component)
            has_blocks = body is not None and block_values(body) > 0
            self._made[component] = self._folded(body) if body and has_blocks else None
        return self._made[component]

    def _folded(self, body: Body) -> SuspectBody:
        large = block_values(body) > self._plan.held_values
        onto = (
            axes(body.width, self._plan.sketch_axes, seed=LIBRARY_SEED)
            if large
            else np.eye(body.width, dtype=np.float32)
        )
        # Entries of a model as deep keep the same layers; of others any layer may be the like.
        depths = {one.depth for one in self._theirs if one.role == body.role}
        inner = interior(len(body.layers))
        layers = evenly(inner, _LAYERS) if depths == {len(body.layers)} else list(inner)
        return SuspectBody(
            source=self._source,
            body=body,
            folded=sketch(self._source, body, layers=layers, onto=onto, seed=LIBRARY_SEED),
            onto=onto if large else None,
            rows={},
        )


def branches_beside(
    ours: SuspectBody, theirs: KeptBody, *, plan: Plan, rng: np.random.Generator
) -> tuple[BranchReading, ...]:
    """Return what every branch says that an entry can run, the cheapest first.

    Args:
        ours: The suspect's component.
        theirs: The entry's.
        plan: From when on an agreement counts.
        rng: Draws halves of rows, and the turned control.

    Raises:
        LibraryError: The entry is damaged.
        WeightsError: A file of the suspect changed since it was checked.
    """
    found: list[BranchReading] = []
    null: float | None = None
    for branch in ("coordinates", "embeddings", "head"):
        try:
            table, seen = _table(ours, theirs, branch=branch, plan=plan, rng=rng)
            reading = _reading(table)
        except NotComparableError as error:
            found.append(BranchReading(branch=branch, missing=str(error)))
            continue
        if null is None:
            null = turned_control(seen, rng=rng)
        share = reading.share or 0.0
        enough = share >= plan.agreement_floor and share >= plan.agreement_factor * null
        found.append(replace(reading, null=null, found=enough))
        if enough and not plan.thorough:
            break
    return tuple(found)


def _table(
    ours: SuspectBody, theirs: KeptBody, *, branch: str, plan: Plan, rng: np.random.Generator
) -> tuple[AgreementTable, Folded]:
    """Return how far layers agree under a branch's basis, and the entry as it was seen."""
    if branch == "coordinates":
        if ours.body.width != theirs.facts.width:
            widths = f"{ours.body.width} and {theirs.facts.width}"
            raise NotComparableError(f"the widths {widths} differ")
        seen = theirs.folded if ours.onto is None else seen_through(theirs.folded, ours.onto)
        return agree_in_basis(ours.folded, seen, branch=branch), seen
    role = "embedding" if branch == "embeddings" else "head"
    basis = _basis(ours, theirs, role=role, plan=plan, rng=rng)
    turn = basis.turn if ours.onto is None else basis.turn @ ours.onto
    seen = seen_through(theirs.folded, turn)
    return agree_in_basis(ours.folded, seen, branch=branch, basis=basis.likeness), seen


def _basis(
    ours: SuspectBody, theirs: KeptBody, *, role: str, plan: Plan, rng: np.random.Generator
) -> Basis:
    widest = max(ours.body.width, theirs.facts.width)
    if widest > plan.widest_turn:
        most = plan.widest_turn
        raise NotComparableError(f"a turn of width {widest} is not computed; the limit is {most}")
    texts = ours.source.token_rows()
    if texts is None or not theirs.facts.anchors:
        raise NotComparableError("a model has no tokenizer, so that rows cannot be paired by text")
    units = ours.cell(role).units
    shared = [
        (place, texts[token])
        for place, token in enumerate(theirs.anchors())
        if texts.get(token, units) < units
    ]
    fewest, most = (count * widest for count in _ROWS)
    if len(shared) < fewest:
        raise NotComparableError(f"{len(shared)} shared anchors; a turn needs {fewest}")
    shared = shared[:most]  # anchors stand in the order of digests, which is as good as any draw
    child = ours.token_rows(role, [row for _, row in shared])
    parent = theirs.rows(role, [place for place, _ in shared])
    known = _trained(child) & _trained(parent)
    return basis_of_rows(child[known], parent[known], rng=rng)


def _trained(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which rows are long enough to have been trained, and finite."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    return np.asarray(np.isfinite(lengths) & (lengths > _UNTRAINED * np.median(lengths)))


def _reading(table: AgreementTable) -> BranchReading:
    """Return the median over the entry's layers of the largest share, each with any of ours."""
    if min(table.shares.shape) < _LEAST_LAYERS:
        raise NotComparableError(
            f"{min(table.shares.shape)} layers have no interior, and the outermost carry no finding"
        )
    columns = [column for column in table.shares.T if np.isfinite(column).any()]
    if not columns:
        raise NotComparableError("no layer that the entry keeps has its like in the suspect")
    share = float(np.median([np.nanmax(column) for column in columns]))
    return BranchReading(branch=table.branch, table=table, share=share)
