"""Linear maps along one axis of a tensor, and how a tensor's axes take them.

A re-parameterisation is one map for each kind of axis: what writes along it takes the map, what
reads along it takes the inverse transpose. Everything is done in float64 and rounded once, at the
end of the whole laundering.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import Axis, place
from dokja.models.forge.transforms.tensors import Derived, Plan, Tensors

__all__ = [
    "DOUBLE",
    "Maps",
    "Move",
    "Moves",
    "heads_taken",
    "moved",
    "scaled",
    "taken",
    "turned",
]

Array: TypeAlias = NDArray[Any]
Maps: TypeAlias = Mapping[str, Array]
"""A kind's random choices by what they belong to: permutations, signs, scales, matrices."""

Move: TypeAlias = Callable[[Array, int], Array]
"""From values and an axis to values whose axis was mapped."""

Moves: TypeAlias = Mapping[Axis, Move]

DOUBLE = np.dtype(np.float64)


def taken(indices: Array) -> Move:
    """Return the move after which place i holds what stood at `indices[i]`."""
    return lambda values, axis: np.take(values, indices, axis=axis)


def scaled(factors: Array) -> Move:
    """Return the move that multiplies each place by its factor."""

    def move(values: Array, axis: int) -> Array:
        shape = [1] * values.ndim
        shape[axis] = -1
        product: Array = values * factors.reshape(shape)
        return product

    return move


def turned(matrices: Array) -> Move:
    """Return the move that multiplies consecutive blocks by matrices.

    Args:
        matrices: Shape `(blocks, size, size)`; the axis has `blocks * size` places.

    Example:
        >>> quarter = np.array([[[0.0, -1.0], [1.0, 0.0]]])
        >>> turned(quarter)(np.array([1.0, 0.0]), 0).tolist()
        [0.0, 1.0]
    """

    def move(values: Array, axis: int) -> Array:
        first = np.moveaxis(values, axis, 0)
        blocks = first.reshape(len(matrices), matrices.shape[1], -1)
        return np.moveaxis((matrices @ blocks).reshape(first.shape), 0, axis)

    return move


def heads_taken(order: Array, *, width: int) -> Move:
    """Return the move that puts whole heads in another order."""
    return taken((order[:, None] * width + np.arange(width)).ravel())


def moved(
    tensors: Tensors,
    structure: Structure,
    moves: Callable[[str], Moves],
) -> Derived:
    """Return the tensors with every axis mapped, in float64.

    Args:
        tensors: In the structure's names and shapes.
        structure: Of them.
        moves: From a tensor's name to what its axes take; other axes stay as they are.
    """

    def make(name: str) -> Array:
        values: Array = tensors.read(name).astype(np.float64)
        chosen = moves(name)
        for at, axis in enumerate(place(structure, name).axes):
            if axis is Axis.JOINED:
                values = _joined(values, at, moves=chosen, structure=structure)
            elif axis in chosen:
                values = chosen[axis](values, at)
        return values

    return Derived(
        {
            name: Plan(shape=tensors.shape(name), dtype=DOUBLE, make=partial(make, name))
            for name in tensors.names
        }
    )


def _joined(values: Array, at: int, *, moves: Moves, structure: Structure) -> Array:
    """Map an axis on which queries, keys and values follow each other, each by its own move."""
    queries = structure.heads * structure.head_width
    parts = np.split(values, [queries, queries + structure.kv_heads * structure.head_width], at)
    kinds = (Axis.QUERY, Axis.KEY, Axis.VALUE)
    return np.concatenate(
        [
            moves[kind](part, at) if kind in moves else part
            for kind, part in zip(kinds, parts, strict=True)
        ],
        axis=at,
    )
