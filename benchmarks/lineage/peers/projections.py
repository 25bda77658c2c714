"""An attention block's matrices, whatever the file makes of them, and their two products.

Fused projections were taken apart by the mapping. Under latent attention, which none of the
peers' papers treats, each head's effective matrices stand in: what a head computes from the
residual stream, through the latents.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dokja.errors import NotComparableError
from dokja.evidence.lineage.bodies import Attention, Latent, Norm

from .sides import Matrix, Side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projections:
    """Matrices of units by residual coordinates; units are the dimensions of head after head.

    Attributes:
        q: Queries.
        k: Keys; of fewer heads where several queries share one.
        v: Values, likewise.
        o: What each dimension of a value writes, for each query head.
        kv_heads: Heads of keys and values.
        group: How many query heads share a head of keys and values.
    """

    q: Matrix
    k: Matrix
    v: Matrix
    o: Matrix
    kv_heads: int
    group: int

    @property
    def qk(self) -> Matrix:
        """The sum over heads of queries' turned matrix times keys', `(width, width)`.

        Raises:
            NotComparableError: Queries and keys do not have as many dimensions.
        """
        return _product(self.q, self._grouped(self.k))

    @property
    def vo(self) -> Matrix:
        """The sum over heads of values' turned matrix times what they write, `(width, width)`.

        Raises:
            NotComparableError: Values and outputs do not have as many dimensions.
        """
        return _product(self._grouped(self.v), self.o)

    def _grouped(self, rows: Matrix) -> Matrix:
        """Return a head of keys or values once for each query head that reads it."""
        if self.group == 1:
            return rows
        heads = rows.reshape(self.kv_heads, -1, rows.shape[1])
        return np.repeat(heads, self.group, axis=0).reshape(-1, rows.shape[1])


def projections_of(side: Side) -> Iterator[Projections]:
    """Yield the projections of each layer that has attention.

    Raises:
        NotComparableError: A block's heads do not divide its rows, or a value is not finite.
    """
    for layer in side.body.layers:
        if layer.attention is not None:
            yield _of(side, layer.attention)


def _of(side: Side, attention: Attention) -> Projections:
    heads, kv_heads = attention.heads, attention.kv_heads
    if attention.latent is not None:
        q, k, v = _through_latents(side, attention, attention.latent)
        kv_heads = heads
    elif attention.q is None or attention.k is None or attention.v is None:
        raise NotComparableError(f"{attention.o.tensor} has no queries, keys and values beside it")
    else:
        q, k, v = (side.matrix(cell) for cell in (attention.q, attention.k, attention.v))
    if not kv_heads or heads % kv_heads or len(k) % kv_heads or len(v) % kv_heads:
        raise NotComparableError(
            f"{attention.o.tensor}: {heads} query heads do not fit {kv_heads} heads of keys"
        )
    o = side.matrix(attention.o)
    return Projections(q=q, k=k, v=v, o=o, kv_heads=kv_heads, group=heads // kv_heads)


def _through_latents(
    side: Side, attention: Attention, latent: Latent
) -> tuple[Matrix, Matrix, Matrix]:
    down = side.matrix(latent.kv_down)
    inner, rotated = down[: latent.latent], down[latent.latent :]
    up = side.matrix(latent.kv_up) * _gains(side, latent.kv_norm, width=latent.latent)
    if len(up) != attention.heads * (latent.plain + latent.value):
        raise NotComparableError(f"{latent.kv_up.tensor} does not hold {attention.heads} heads")
    heads = (up @ inner).reshape(attention.heads, latent.plain + latent.value, -1)
    shared = np.broadcast_to(rotated, (attention.heads, *rotated.shape))
    keys = np.concatenate([heads[:, : latent.plain], shared], axis=1)
    q = side.matrix(latent.q_up)
    if latent.q_down is not None:
        q_inner = side.matrix(latent.q_down)
        q = (q * _gains(side, latent.q_norm, width=len(q_inner))) @ q_inner
    width = inner.shape[1]
    return q, keys.reshape(-1, width), heads[:, latent.plain :].reshape(-1, width)


def _gains(side: Side, norm: Norm | None, *, width: int) -> Matrix:
    if norm is None:
        return np.ones(width)
    return side.source.read(norm.gain).astype(np.float64).ravel() + norm.offset


def _product(left: Matrix, right: Matrix) -> Matrix:
    if len(left) != len(right):
        raise NotComparableError(f"{len(left)} dimensions on one side, {len(right)} on the other")
    return left.T @ right
