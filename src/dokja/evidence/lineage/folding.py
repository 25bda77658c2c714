"""A component in canonical form: what can be re-expressed without changing it is taken out.

Gains of a normalisation are folded into everything that reads through it, so that a residual
stream that was turned is the same stream in other coordinates. Where a normalisation takes the
mean away as well (LayerNorm), the mean's direction is taken out of all that reads or writes: no
network notices it. Gains behind a block (post-norms) stay where they are; such a network can only
be re-ordered, not turned. Biases are left out: they hold too little to tell anything.

A component that is too large to be held is *sketched*: some layers, seen through few axes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.bodies import Attention, Body, Cell, Ffn, Layer, Norm
from dokja.evidence.lineage.cells import read_cell
from dokja.evidence.lineage.projecting import project_cell
from dokja.models.comparison import Heads, LayerSpace, residual_forms, units_of
from dokja.models.weights import Source

__all__ = ["Block", "Folded", "fold", "fold_heads", "fold_rows", "sketch"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """A feed-forward block of a component.

    Attributes:
        layer: Which layer it stands in.
        name: `dense`, `expert 3` or `shared 0`.
        space: Its neurons, and the matrices of its layer.
    """

    layer: int
    name: str
    space: LayerSpace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folded:
    """A component's blocks in canonical form.

    Attributes:
        width: Dimensions of the residual stream.
        depth: How many layers the component has.
        blocks: In the order of the layers.
        values: How many bytes of values were read for them.
        sketched: Whether they are seen through few axes only; then a layer's own matrices are
            not known.
        left_out: Blocks that could not be used, each with its reason.
    """

    width: int
    depth: int
    blocks: tuple[Block, ...]
    values: int
    sketched: bool = False
    left_out: tuple[tuple[str, str], ...] = ()

    def of_layer(self, layer: int) -> tuple[Block, ...]:
        """Return the blocks of a layer."""
        return tuple(block for block in self.blocks if block.layer == layer)

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers that have a block, rising."""
        return tuple(sorted({block.layer for block in self.blocks}))


def fold(
    source: Source,
    body: Body,
    *,
    layers: Sequence[int] | None = None,
    experts: int = 4,
    progress: Callable[[int], None] | None = None,
) -> Folded:
    """Read a component's feed-forward blocks in canonical form.

    Args:
        source: The opened weights.
        body: The component.
        layers: Which of its layers; all of them by default.
        experts: At most so many experts of a layer are read, evenly spaced.
        progress: Told each layer before it is read.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    blocks: list[Block] = []
    left_out: list[tuple[str, str]] = []
    before = source.bytes_read
    for index in range(len(body.layers)) if layers is None else layers:
        if progress is not None:
            progress(index)
        layer = body.layers[index]
        others = _attention_forms(source, body, layer)
        for name, ffn in _chosen(layer, experts):
            try:
                space = _space(source, body, layer, ffn=ffn, others=others)
            except NotComparableError as error:
                left_out.append((f"layer {index}, {name}", str(error)))
            else:
                blocks.append(Block(layer=index, name=name, space=space))
    return Folded(
        width=body.width,
        depth=len(body.layers),
        blocks=tuple(blocks),
        values=source.bytes_read - before,
        left_out=tuple(left_out),
    )


def sketch(
    source: Source,
    body: Body,
    *,
    layers: Sequence[int],
    onto: NDArray[np.floating],
    neurons: int | None = None,
    experts: int = 4,
    seed: int = 0,
) -> Folded:
    """Read some layers' blocks through few axes, never holding a matrix whole.

    Args:
        source: The opened weights.
        body: The component.
        layers: Which of its layers.
        onto: Shape `(width, axes)`; where the residual stream was turned, the turn is in it.
        neurons: At most so many of each block, drawn by the seed; all of them by default.
        experts: At most so many experts of a layer, evenly spaced.
        seed: Draws neurons.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    seen = np.asarray(onto, dtype=np.float32)
    if body.layer_norm:  # the mean is taken out of the axes instead of every row
        seen = seen - seen.mean(axis=0)
    blocks: list[Block] = []
    left_out: list[tuple[str, str]] = []
    before = source.bytes_read
    for index in layers:
        layer = body.layers[index]
        reading = seen if layer.norm_ffn is None else _gain(source, layer.norm_ffn)[:, None] * seen
        for name, ffn in _chosen(layer, experts):
            units = _some(ffn.up.units, neurons, seed=seed)
            gate, up = (
                None if cell is None else project_cell(source, cell, reading, units=units)
                for cell in (ffn.gate, ffn.up)
            )
            try:
                found = units_of(gate, up, project_cell(source, ffn.down, seen, units=units))  # type: ignore[arg-type]  # up is always there
            except NotComparableError as error:
                left_out.append((f"layer {index}, {name}", str(error)))
                continue
            if units is not None:
                found = replace(found, kept=units[found.kept])
            space = LayerSpace(units=found, forms={})
            blocks.append(Block(layer=index, name=name, space=space))
    return Folded(
        width=int(seen.shape[1]),
        depth=len(body.layers),
        blocks=tuple(blocks),
        values=source.bytes_read - before,
        sketched=True,
        left_out=tuple(left_out),
    )


def _some(count: int, most: int | None, *, seed: int) -> NDArray[np.int64] | None:
    if most is None or most >= count:
        return None
    drawn = np.random.default_rng([seed, count]).choice(count, size=most, replace=False)
    return np.sort(drawn)


def _chosen(layer: Layer, experts: int) -> list[tuple[str, Ffn]]:
    found = [] if layer.ffn is None else [("dense", layer.ffn)]
    found += [(f"shared {i}", ffn) for i, ffn in enumerate(layer.shared)]
    count = min(experts, len(layer.experts))
    picked = np.unique(np.linspace(0, len(layer.experts) - 1, count).round().astype(int))
    return found + [(f"expert {i}", layer.experts[i]) for i in picked] if count else found


def fold_rows(
    source: Source,
    body: Body,
    cell: Cell,
    *,
    norm: Norm | None = None,
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Return rows of a matrix that reads or writes the residual, in canonical form.

    Args:
        source: The opened weights.
        body: The component.
        cell: The matrix, such as the embedding or the head.
        norm: What normalises what it reads; none for a matrix that writes.
        rows: Which rows; all of them by default.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    values = read_cell(source, cell, rows)
    if norm is not None:
        values = values * _gain(source, norm)
    return _without_mean(values) if body.layer_norm else values


def _space(
    source: Source,
    body: Body,
    layer: Layer,
    *,
    ffn: Ffn,
    others: dict[str, NDArray[np.float32]],
) -> LayerSpace:
    norm = layer.norm_ffn
    gate = None if ffn.gate is None else fold_rows(source, body, ffn.gate, norm=norm)
    up = fold_rows(source, body, ffn.up, norm=norm)
    units = units_of(gate, up, fold_rows(source, body, ffn.down))
    return LayerSpace(units=units, forms=residual_forms(units, others=others))


def _attention_forms(source: Source, body: Body, layer: Layer) -> dict[str, NDArray[np.float32]]:
    """Return Σ W_qᵀW_k and Σ W_oᵀW_v over heads, whatever basis a head has inside."""
    attention = layer.attention
    if attention is not None and attention.latent is not None:
        return _latent_forms(source, body, layer, attention)
    heads = fold_heads(source, body, layer)
    if heads is None:
        return {}
    found = {"ov": _summed(heads.o, heads.v)}
    if heads.q.shape[1] == heads.k.shape[1]:
        found["qk"] = _summed(heads.q, heads.k)
    return found


def fold_heads(source: Source, body: Body, layer: Layer) -> Heads | None:
    """Return a layer's query heads in canonical form; none where they are not known.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    attention, norm = layer.attention, layer.norm_attention
    if attention is None or attention.q is None or attention.k is None or attention.v is None:
        return None
    q = _heads(fold_rows(source, body, attention.q, norm=norm), attention.heads)
    k = _heads(fold_rows(source, body, attention.k, norm=norm), attention.kv_heads)
    v = _heads(fold_rows(source, body, attention.v, norm=norm), attention.kv_heads)
    o = _heads(fold_rows(source, body, attention.o), attention.heads)
    if q is None or k is None or v is None or o is None or attention.heads % attention.kv_heads:
        return None
    if attention.q_norm is not None:
        q = q * _gain(source, attention.q_norm, width=q.shape[1])[:, None]
    if attention.k_norm is not None:
        k = k * _gain(source, attention.k_norm, width=k.shape[1])[:, None]
    group = attention.heads // attention.kv_heads
    return Heads(q=q, k=np.repeat(k, group, axis=0), v=np.repeat(v, group, axis=0), o=o)


def _latent_forms(
    source: Source, body: Body, layer: Layer, attention: Attention
) -> dict[str, NDArray[np.float32]]:
    """Return the same under latent attention, by each head's effective matrices."""
    latent = attention.latent
    if latent is None:
        return {}
    down = fold_rows(source, body, latent.kv_down, norm=layer.norm_attention)[: latent.latent]
    if latent.kv_norm is not None:
        down = down * _gain(source, latent.kv_norm)[:, None]
    up = read_cell(source, latent.kv_up)
    up = up.reshape(attention.heads, latent.plain + latent.value, -1)
    o = _heads(fold_rows(source, body, attention.o), attention.heads)
    if o is None or up.shape[2] != len(down):
        return {}
    found = {"ov": _summed(o, up[:, latent.plain :] @ down)}
    if latent.q_down is None:
        q = fold_rows(source, body, latent.q_up, norm=layer.norm_attention)
    else:
        inner = fold_rows(source, body, latent.q_down, norm=layer.norm_attention)
        if latent.q_norm is not None:
            inner = inner * _gain(source, latent.q_norm)[:, None]
        q = read_cell(source, latent.q_up) @ inner
    q = q.reshape(attention.heads, latent.plain + latent.rotated, -1)
    return {**found, "qk": _summed(q[:, : latent.plain], up[:, : latent.plain] @ down)}


def _heads(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32] | None:
    """Return rows head by head, shape `(heads, dimensions, width)`; none where they do not fit."""
    return None if len(rows) % heads else rows.reshape(heads, -1, rows.shape[1])


def _summed(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = (left.reshape(-1, left.shape[-1]), right.reshape(-1, right.shape[-1]))
    return np.asarray(flat[0].T @ flat[1])


def _gain(source: Source, norm: Norm, *, width: int | None = None) -> NDArray[np.float32]:
    """Return gains; those of each head's dimensions where all heads have their own."""
    gain = source.read(norm.gain).ravel() + np.float32(norm.offset)
    if width is not None and len(gain) != width:
        return np.ones(width, dtype=np.float32)
    return gain


def _without_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(values - values.mean(axis=1, keepdims=True))
