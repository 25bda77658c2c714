"""The units of a feed-forward block: neurons, each as the vectors it reads and writes.

A neuron of a gated block is (gate, up, down): two vectors that read the residual stream and one
that writes to it. Re-ordering neurons re-orders all three together; scaling `up` by s and `down`
by 1/s, also with a negative s, changes nothing. So directions are compared, `up` and `down` by
the absolute cosine, and of their lengths only the product means something.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["Units", "units_of"]

_DEAD = 1e-6
"""A vector this much shorter than the median has no direction worth the name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """Neurons of one block; rows of the arrays are vectors of length 1.

    Attributes:
        gate: Shape `(neurons, width)`; none where the block is not gated.
        up: Shape `(neurons, width)`: what reads the residual.
        down: Shape `(neurons, width)`: what writes to it.
        gate_length: Length that each gate vector had, shape `(neurons,)`; none likewise.
        through: Product of the lengths of up and down, shape `(neurons,)`.
        kept: Which neurons of the block these are, shape `(neurons,)`: dead ones are left out.
    """

    gate: NDArray[np.float32] | None
    up: NDArray[np.float32]
    down: NDArray[np.float32]
    gate_length: NDArray[np.float32] | None
    through: NDArray[np.float32]
    kept: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.up)

    @property
    def width(self) -> int:
        """Dimensions of the residual stream."""
        return int(self.up.shape[1])

    @property
    def gated(self) -> bool:
        """Whether there are gates."""
        return self.gate is not None

    def turned(self, basis: NDArray[np.floating]) -> "Units":
        """Return the same neurons in other coordinates.

        Args:
            basis: Shape `(width, new width)`; orthonormal rows or columns.
        """
        turn = basis.astype(np.float32)
        return Units(
            gate=None if self.gate is None else self.gate @ turn,
            up=self.up @ turn,
            down=self.down @ turn,
            gate_length=self.gate_length,
            through=self.through,
            kept=self.kept,
        )

    def chosen(self, which: NDArray[np.int64]) -> "Units":
        """Return some of the neurons, in the order given."""
        return Units(
            gate=None if self.gate is None else self.gate[which],
            up=self.up[which],
            down=self.down[which],
            gate_length=None if self.gate_length is None else self.gate_length[which],
            through=self.through[which],
            kept=self.kept[which],
        )


def units_of(
    gate: NDArray[np.floating] | None,
    up: NDArray[np.floating],
    down: NDArray[np.floating],
) -> Units:
    """Return a block's neurons.

    Args:
        gate: Shape `(neurons, width)`; none where the block is not gated.
        up: Shape `(neurons, width)`.
        down: Shape `(neurons, width)`: the matrix that writes, turned.

    Raises:
        NotComparableError: A value is not finite, shapes differ, or no neuron is alive.

    Example:
        >>> units_of(None, np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])).through
        array([10.], dtype=float32)
    """
    parts = [part for part in (gate, up, down) if part is not None]
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise NotComparableError(f"the vectors of a block's neurons have the shapes {shapes}")
    if not all(np.isfinite(part).all() for part in parts):
        raise NotComparableError("a value is not finite")
    lengths = [np.linalg.norm(part.astype(np.float64), axis=1) for part in parts]
    alive = np.ones(len(up), dtype=np.bool_)
    for length in lengths:
        alive &= length > _DEAD * max(float(np.median(length)), 1e-30)
    kept = np.flatnonzero(alive)
    if not len(kept):
        raise NotComparableError("no neuron of the block is alive")
    rows = [
        (part[kept] / length[kept, None]).astype(np.float32)
        for part, length in zip(parts, lengths, strict=True)
    ]
    return Units(
        gate=None if gate is None else rows[0],
        up=rows[-2],
        down=rows[-1],
        gate_length=None if gate is None else lengths[0][kept].astype(np.float32),
        through=(lengths[-2][kept] * lengths[-1][kept]).astype(np.float32),
        kept=kept,
    )
