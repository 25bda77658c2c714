"""What a branch that found a relation shows of it: which layers go together, and how nearly.

The likeness is the mean cosine, in the branch's basis, of the vectors of neurons that all
matchings agree on: of gates, and of up and down without their sign. It is what is left of the
reference's values; that neurons agree at all is the branch's own figure. Attention is laid
beside it by Σ W_qᵀW_k and Σ W_oᵀW_v over heads, which no order or basis of heads changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.lineage.agreements import BranchReading, Side
from dokja.evidence.lineage.bodies import Body
from dokja.evidence.lineage.branches import AgreementTable
from dokja.evidence.lineage.folding import Block, fold_heads
from dokja.evidence.lineage.relations import Kinship, is_depth_edit
from dokja.models.comparison import (
    Agreement,
    MapPrices,
    Units,
    head_pairs,
    layer_map,
    polar,
    reordering_share,
)

__all__ = ["Alignment", "align", "edits"]

_MATCHED = 0.05
_PRICES = MapPrices(unmatched=_MATCHED, step=_MATCHED / 2, back=_MATCHED / 2)
_SAME_VALUES = 1 - 1e-6
_SAME_ATTENTION = 1 - 1e-4
_MAYBE_ROUNDED = 0.99
_ONLY_REORDERED = 0.98
_IN_PLACE = 0.98
_LEAST_VECTORS = 4
"""So many agreeing vectors for each dimension before a turn is fitted to them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """How two components lie on each other.

    Attributes:
        layers: (suspect's layer, reference's) of those that go together.
        likeness: Mean cosine of agreeing neurons' vectors, the median over mapped layers.
        attention: Smallest cosine of what attention makes of mapped layers; none where a side
            has no attention that is known.
        experts: For each mapped pair of layers with experts, (suspect's block, reference's) by
            name; empty where there are none.
        heads: (suspect's layer, its query head, reference's layer, its query head) of heads that
            go together by what they write and by what they attend to; empty where they are not
            known, or the components were sketched.
        upcycled: Whether several experts of the suspect go with one block of the reference.
        undone: Symmetries that had to be undone to see it.
        kinship: What relations are made of it.
    """

    layers: tuple[tuple[int, int], ...]
    likeness: float
    attention: float | None
    experts: Mapping[tuple[int, int], tuple[tuple[str, str], ...]]
    heads: tuple[tuple[int, int, int, int], ...]
    upcycled: bool
    undone: tuple[str, ...]
    kinship: Kinship


def align(reading: BranchReading, ours: Side, theirs: Side) -> Alignment:
    """Return how two components lie on each other, by a branch that found a relation.

    Args:
        reading: Of the branch.
        ours: The suspect's component.
        theirs: The reference's.

    Raises:
        ValueError: The branch did not run.
    """
    table = reading.table
    if table is None:
        raise ValueError(f"the branch {reading.branch} did not run: {reading.missing}")
    layers = layer_map(table.layer_table(), prices=_PRICES)
    turn, bettered = _bettered(table, theirs, layers=layers)
    likenesses = [
        _likeness(table.best[pair], bettered.get(pair)) for pair in layers if pair in table.best
    ]
    likeness = float(np.median(likenesses)) if likenesses else 0.0
    attention = _attention(table, ours, theirs, layers=layers, turn=turn)
    experts = _experts(table, layers)
    upcycled = _is_upcycled(ours, theirs, layers)
    depth = (len(ours.body.layers), len(theirs.body.layers))
    width = edits(ours.body, theirs.body)
    return Alignment(
        layers=layers,
        likeness=likeness,
        attention=attention,
        experts=experts,
        heads=_heads(table, ours, theirs, layers=layers, turn=turn),
        upcycled=upcycled,
        undone=_undone(table, layers),
        kinship=Kinship(
            correlation=likeness,
            equal=likeness >= _SAME_VALUES
            and len(layers) == depth[0]
            and (attention is None or attention >= _SAME_ATTENTION),
            rounded=_SAME_VALUES > likeness >= _MAYBE_ROUNDED,
            depth_edit=is_depth_edit(layers, layers=depth),
            width_edit=bool(width),
            upcycled=upcycled,
            gains_agree=True,  # neurons that agree throughout were trained together
        ),
    )


def edits(ours: Body, theirs: Body) -> tuple[str, ...]:
    """Return what of the width differs: `residual`, `neurons` or `heads`."""
    found = [] if ours.width == theirs.width else ["residual"]
    neurons = [
        {layer.ffn.up.units for layer in body.layers if layer.ffn is not None}
        for body in (ours, theirs)
    ]
    if all(neurons) and neurons[0] != neurons[1]:
        found.append("neurons")
    heads = [
        {
            (layer.attention.heads, layer.attention.kv_heads)
            for layer in body.layers
            if layer.attention is not None
        }
        for body in (ours, theirs)
    ]
    if all(heads) and heads[0] != heads[1]:
        found.append("heads")
    return tuple(found)


def _bettered(
    table: AgreementTable, theirs: Side, *, layers: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float64] | None, dict[tuple[int, int], Units]]:
    """Return a turn fitted anew to all agreeing neurons, and the reference's blocks under it.

    Embeddings of which many were replaced give a rough turn: enough to find who goes with whom,
    too little to say how nearly. None where nothing was turned, or too few neurons agree.
    """
    by_name = {(block.layer, block.name): block.space.units for block in theirs.folded.blocks}
    total: NDArray[np.float64] | None = None
    vectors = 0
    held = {}
    for i, j in layers:
        turn = table.turns.get(i)
        if (i, j) not in table.best or turn is None or theirs.folded.sketched:
            continue
        ours, turned, found = table.best[i, j]
        plain = by_name[turned.layer, turned.name]
        for mine, now, before, signed in _paired(ours, turned, plain, found):
            sign = 1.0 if signed else np.sign(np.einsum("nd,nd->n", mine, now))[:, None]
            product = before.astype(np.float64).T @ (mine * sign)
            total = product if total is None else total + product
            vectors += len(mine)
        held[i, j] = plain
    if total is None or vectors < _LEAST_VECTORS * max(total.shape):
        return None, {}
    better = polar(total)
    return better, {pair: units.turned(better) for pair, units in held.items()}


def _paired(
    ours: Block, turned: Block, plain: Units, found: Agreement
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], bool]]:
    """Yield agreeing neurons' vectors: ours, theirs turned, theirs as they lie, has a sign."""
    left, right = ours.space.units, turned.space.units
    rows = np.searchsorted(left.kept, found.pairs[:, 0])
    columns = np.searchsorted(right.kept, found.pairs[:, 1])
    for mine, now, before, signed in (
        (left.gate, right.gate, plain.gate, True),
        (left.up, right.up, plain.up, not left.gated),
        (left.down, right.down, plain.down, not left.gated),
    ):
        if mine is not None and now is not None and before is not None:
            yield mine[rows], now[columns], before[columns], signed


def _likeness(best: tuple[Block, Block, Agreement], bettered: Units | None) -> float:
    ours, theirs, found = best
    if not len(found.pairs):
        return 0.0
    after = theirs.space.units if bettered is None else bettered
    values = []
    for mine, _, other, signed in _paired(ours, theirs, after, found):
        cosines = np.einsum("nd,nd->n", mine, other)
        values.append(float(np.mean(cosines if signed else np.abs(cosines))))
    return float(np.mean(values))


def _attention(
    table: AgreementTable,
    ours: Side,
    theirs: Side,
    *,
    layers: Sequence[tuple[int, int]],
    turn: NDArray[np.float64] | None,
) -> float | None:
    left = {block.layer: block.space.forms for block in ours.folded.blocks}
    right = {block.layer: block.space.forms for block in theirs.folded.blocks}
    found = []
    for i, j in layers:
        used = table.turns.get(i) if turn is None else turn
        for name in ("qk", "ov"):
            if name in left.get(i, {}) and name in right.get(j, {}):
                other = right[j][name]
                turned = other if used is None else used.T @ other @ used
                found.append(_cosine(left[i][name], turned))
    return min(found, default=None)


def _heads(
    table: AgreementTable,
    ours: Side,
    theirs: Side,
    *,
    layers: Sequence[tuple[int, int]],
    turn: NDArray[np.float64] | None,
) -> tuple[tuple[int, int, int, int], ...]:
    if ours.folded.sketched or theirs.folded.sketched:
        return ()
    found: list[tuple[int, int, int, int]] = []
    for i, j in layers:
        child = fold_heads(ours.source, ours.body, ours.body.layers[i])
        parent = fold_heads(theirs.source, theirs.body, theirs.body.layers[j])
        used = table.turns.get(i) if turn is None else turn
        if child is None or parent is None:
            continue
        parent = parent if used is None else parent.turned(used)
        found += [(i, head, j, other) for head, other in head_pairs(child, parent)]
    return tuple(found)


def _cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.sum(one * other)) / lengths if lengths else 0.0


def _experts(
    table: AgreementTable, layers: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], tuple[tuple[str, str], ...]]:
    return {pair: found for pair in layers if len(found := table.blocks.get(pair, ())) > 1}


def _is_upcycled(ours: Side, theirs: Side, layers: Sequence[tuple[int, int]]) -> bool:
    """Tell whether mapped layers have experts on the suspect's side alone."""
    routed = [
        bool(ours.body.layers[i].experts) and not theirs.body.layers[j].experts for i, j in layers
    ]
    return bool(routed) and sum(routed) * 2 > len(routed)


def _undone(table: AgreementTable, layers: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return what had to be undone: the residual's basis, and the order of neurons."""
    undone = []
    turns = [turn for turn in table.turns.values() if turn is not None]
    if turns:
        turn = np.asarray(turns[0])
        square = turn.shape[0] == turn.shape[1]
        in_place = square and float(np.trace(turn)) / len(turn) >= _IN_PLACE
        if not in_place:
            near = square and reordering_share(turn)[0] >= _ONLY_REORDERED
            undone.append("residual_permutation" if near else "residual_rotation")
    moved = [
        pairs[:, 0] != pairs[:, 1]
        for pair in layers
        if pair in table.best and len(pairs := table.best[pair][2].pairs)
    ]
    if moved and float(np.mean(np.concatenate(moved))) > 1 - _IN_PLACE:
        undone.append("ffn_permutation")
    return tuple(undone)
