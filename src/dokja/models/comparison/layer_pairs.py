"""How alike every layer of one model is to every layer of another.

One table for each role (query, gate, …), then their mean. A pair of layers that cannot be
compared has no entry: the tables say which of their cells are filled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["LayerTable", "layer_correlations", "mean_table"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerTable:
    """A number for each pair of layers, where there is one.

    Attributes:
        values: Shape `(layers of the child, layers of the parent)`; zero where not filled.
        filled: Same shape; where a number could be made.
        roles: Same shape; over how many roles each number was averaged.
    """

    values: NDArray[np.float64]
    filled: NDArray[np.bool_]
    roles: NDArray[np.int64]


def layer_correlations(
    child: Sequence[NDArray[np.float32] | None], parent: Sequence[NDArray[np.float32] | None]
) -> LayerTable:
    """Return the centred correlation of every pair of layers in one role.

    Args:
        child: Each layer's direction (see `coordinates.direction`); None where it has none.
        parent: Likewise, of the candidate ancestor. Directions of unequal length cannot be
            compared.

    Example:
        >>> one, other = np.eye(2, dtype=np.float32)
        >>> layer_correlations([one, None], [other, one]).values
        array([[0., 1.],
               [0., 0.]])
    """
    values = np.zeros((len(child), len(parent)))
    filled = np.zeros(values.shape, dtype=np.bool_)
    for length in {len(layer) for layer in child if layer is not None}:
        ours = [i for i, layer in enumerate(child) if layer is not None and len(layer) == length]
        theirs = [j for j, layer in enumerate(parent) if layer is not None and len(layer) == length]
        if not theirs:
            continue
        left = np.stack([layer for i in ours if (layer := child[i]) is not None])
        right = np.stack([layer for j in theirs if (layer := parent[j]) is not None])
        cells = np.ix_(ours, theirs)
        values[cells] = np.clip((left @ right.T).astype(np.float64), -1.0, 1.0)
        filled[cells] = True
    return LayerTable(values=values, filled=filled, roles=filled.astype(np.int64))


def mean_table(tables: Sequence[LayerTable]) -> LayerTable:
    """Return the mean over roles, each pair of layers over the roles that it has.

    Raises:
        NotComparableError: There is no table, or no pair of layers has any role.
    """
    if not tables:
        raise NotComparableError("no role can be compared")
    total = np.sum([np.where(table.filled, table.values, 0.0) for table in tables], axis=0)
    roles = np.sum([table.roles for table in tables], axis=0)
    filled = roles > 0
    if not filled.any():
        raise NotComparableError("no pair of layers has a role that can be compared")
    values = np.divide(total, roles, out=np.zeros_like(total), where=filled)
    return LayerTable(values=values, filled=filled, roles=roles)
