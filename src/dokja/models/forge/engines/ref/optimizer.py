"""AdamW and gradient clipping, written as torch computes them.

All trained tensors lie one after the other in one array, so that a step goes over them in pieces
that stay in a core's cache. The order of operations, and which of them are float32, follow
torch's `AdamW` and `clip_grad_norm_` (2.13): a replay must round alike wherever it can.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.engines.jobs import AdamW
from dokja.models.forge.engines.ref.parts import Array

__all__ = ["Flat", "Optimizer", "clip", "norm"]

_PIECE = 1 << 15
"""Values that are updated at a time: four arrays of them stay in a core's cache."""

_NORM_EPSILON = 1e-6


class Flat:
    """Named tensors that share one array, in the order in which they are given.

    Attributes:
        values: All of them, one after the other.
        named: Each as a view in its own shape.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        self.values = np.zeros(sum(sizes.values()), dtype=np.float32)
        self.named: dict[str, NDArray[np.float32]] = {}
        start = 0
        for name, shape in shapes.items():
            self.named[name] = self.values[start : start + sizes[name]].reshape(shape)
            start += sizes[name]


def norm(tensors: Iterable[NDArray[np.float32]]) -> np.float32:
    """Return the Euclidean norm over all tensors, as float32.

    Squares are summed in float32 over short pieces, and the pieces in float64.
    """
    total = 0.0
    for tensor in tensors:
        flat = tensor.reshape(-1)
        for start in range(0, len(flat), _PIECE):
            piece = flat[start : start + _PIECE]
            total += float(np.dot(piece, piece))
    return np.float32(math.sqrt(total))


def clip(gradient: NDArray[np.float32], length: np.float32, *, most: float) -> None:
    """Shorten a gradient to at most a norm, in place; a shorter one is left as it is.

    Args:
        gradient: Of all trained tensors.
        length: Its norm.
        most: The largest norm.
    """
    share = np.float32(most) / (length + np.float32(_NORM_EPSILON))
    if share < 1:
        gradient *= share


class Optimizer:
    """AdamW (arXiv 1711.05101) over trained tensors; weights are changed in place.

    Attributes:
        terms: Its constants.
        updates: Updates made so far; the t of bias correction.
        weights: The trained tensors.
        gradient: Of the same tensors; the caller fills it before each update.
        first: Mean of gradients, `exp_avg`.
        second: Mean of squares, `exp_avg_sq`.
    """

    def __init__(self, terms: AdamW, weights: Mapping[str, Array], *, updates: int = 0) -> None:
        # Matrices come first: they decay, vectors do not.
        names = sorted(weights, key=lambda name: (weights[name].ndim < 2, name))  # noqa: PLR2004  # matrices
        shapes = {name: weights[name].shape for name in names}
        self.terms = terms
        self.updates = updates
        self.weights, self.gradient = Flat(shapes), Flat(shapes)
        self.first, self.second = Flat(shapes), Flat(shapes)
        for name, view in self.weights.named.items():
            view[...] = weights[name]
        self._decaying = sum(weights[n].size for n in names if weights[n].ndim > 1)
        self._room = np.empty((2, _PIECE), dtype=np.float32)

    def update(self, *, lr: float) -> None:
        """Make one update with a learning rate; the gradient is left as it is."""
        self.updates += 1
        size = len(self.weights.values)
        for start, stop, decays in (
            (0, self._decaying, True),
            (self._decaying, size, False),
        ):
            for begin in range(start, stop, _PIECE):
                piece = slice(begin, min(stop, begin + _PIECE))
                self._update(piece, lr=lr, decay=self.terms.weight_decay if decays else 0.0)

    def _update(self, piece: slice, *, lr: float, decay: float) -> None:
        """Update some of the values that lie beside each other; scalars are rounded once."""
        one, two = self.terms.betas
        weights, gradient = self.weights.values[piece], self.gradient.values[piece]
        first, second = self.first.values[piece], self.second.values[piece]
        room, other = self._room[:, : len(weights)]
        weights *= np.float32(1.0 - lr * decay)
        np.subtract(gradient, first, out=room)
        room *= np.float32(1.0 - one)
        first += room
        second *= np.float32(two)
        np.multiply(gradient, np.float32(1.0 - two), out=room)
        room *= gradient
        second += room
        np.sqrt(second, out=room)
        room /= np.float32(math.sqrt(1.0 - two**self.updates))
        room += np.float32(self.terms.eps)
        np.multiply(first, np.float32(-lr / (1.0 - one**self.updates)), out=other)
        other /= room
        weights += other
