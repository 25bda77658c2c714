"""Roles by shape alone, for tensors whose names say nothing.

Two matrices that read the residual and one that writes to it, alike in their other side and in
nobody else's, are a gated feed-forward block; one and one are an ungated block. Which of two
readers goes through the activation shows in no shape: one is taken, and a doubt says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dokja.evidence.lineage.bodies import Attention, Cell, Ffn
from dokja.evidence.lineage.head_counts import Rows, head_sizes
from dokja.evidence.lineage.shapes import Survey, Tensor, matrix_sides

__all__ = ["ByShape", "by_shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByShape:
    """What the shapes of a layer's nameless matrices make of them.

    Attributes:
        attention: None where no four matrices can be one.
        ffn: None where no two or three can be one.
    """

    attention: Attention | None = None
    ffn: Ffn | None = None


def by_shape(survey: Survey, tensors: Sequence[Tensor], *, attends: bool, feeds: bool) -> ByShape:
    """Return the blocks that nameless matrices of a layer make.

    Args:
        survey: Of the stack.
        tensors: Of one layer; any order.
        attends: Whether the layer has attention already.
        feeds: Likewise a feed-forward half.
    """
    readers: dict[int, list[Tensor]] = {}
    writers: dict[int, list[Tensor]] = {}
    for tensor in sorted(tensors, key=lambda tensor: tensor.name):
        sides = matrix_sides(tensor.shape)
        if sides is None or len(tensor.shape) != 2 or sides[0] == sides[1]:  # noqa: PLR2004  # a matrix
            continue
        if sides[1] == survey.width:
            readers.setdefault(sides[0], []).append(tensor)
        elif sides[0] == survey.width:
            writers.setdefault(sides[1], []).append(tensor)
    attention = None if attends else _attention(survey, readers, writers)
    ffn = None if feeds else _ffn(survey, readers, writers)
    return ByShape(attention=attention, ffn=ffn)


def _read(tensor: Tensor) -> Cell:
    return Cell(tensor=tensor.name, units=tensor.shape[0], residual=tensor.shape[1])


def _written(tensor: Tensor) -> Cell:
    return Cell(tensor=tensor.name, units=tensor.shape[1], residual=tensor.shape[0], turned=True)


def _attention(
    survey: Survey, readers: Mapping[int, list[Tensor]], writers: Mapping[int, list[Tensor]]
) -> Attention | None:
    """Find one reader and one writer of the same rows, and two readers of a part of them."""
    whole = [rows for rows, held in writers.items() if len(held) == len(readers.get(rows, [])) == 1]
    parts = [rows for rows, held in readers.items() if len(held) == 2 and rows not in writers]  # noqa: PLR2004  # keys and values
    fitting = [(q, kv) for q in whole for kv in parts if q % kv == 0]
    if len(fitting) != 1:
        return None
    (queries, keys), *_ = fitting
    (q,), (k, v), (o,) = readers[queries], readers[keys], writers[queries]
    where = ", ".join(tensor.shown for tensor in (q, k, v, o))
    sizes = head_sizes(
        survey, Rows(where=where, queries=queries, keys=keys, values=keys, mixed=queries)
    )
    if sizes is None:
        return None
    survey.doubt(
        f"{where}: attention by shape alone; which of two is keys and which values is open"
    )
    survey.put((q, k, v, o))
    return Attention(
        q=_read(q),
        k=_read(k),
        v=_read(v),
        o=_written(o),
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
    )


def _ffn(
    survey: Survey, readers: Mapping[int, list[Tensor]], writers: Mapping[int, list[Tensor]]
) -> Ffn | None:
    fitting = [
        rows
        for rows, held in writers.items()
        if len(held) == 1
        and len(readers.get(rows, [])) in {1, 2}
        and held[0].name not in survey.placed
    ]
    if not fitting:
        return None
    # A gated block says more than a pair, and a wide one more than a narrow one.
    rows = max(fitting, key=lambda rows: (len(readers[rows]), rows))
    found, (down,) = readers[rows], writers[rows]
    where = ", ".join(tensor.shown for tensor in (*found, down))
    gated = len(found) > 1
    which = f"; which of {found[0].name} and {found[1].name} is the gate is open" if gated else ""
    survey.doubt(f"{where}: a feed-forward block by shape alone{which}")
    survey.put((*found, down))
    return Ffn(gate=_read(found[0]) if gated else None, up=_read(found[-1]), down=_written(down))
