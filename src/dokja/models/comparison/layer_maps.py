"""Which layer of the one model goes with which layer of the other.

The map is the path through the table of layer pairs that scores best, found by dynamic
programming (Viterbi). Walking on to the next layer is free; staying, leaving out, or leaving
and re-entering the other model has a price; stepping back has its own, since a model whose
depth was scaled up repeats a run of layers and its map is therefore not monotone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.models.comparison.layer_pairs import LayerTable

__all__ = ["MapPrices", "alignment_score", "chance_of_map", "layer_map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPrices:
    """What a map pays, in units of correlation.

    Attributes:
        unmatched: What a layer scores that goes with none; a worse match is not made.
        step: For any step but the free one from layer j to layer j + 1.
        back: For a step back, on top of `step`.
    """

    unmatched: float
    step: float
    back: float


def layer_map(table: LayerTable, *, prices: MapPrices) -> tuple[tuple[int, int], ...]:
    """Return pairs (layer of the child, layer of the parent) of the best path.

    A layer of the parent may be repeated or left out; a layer of the child that goes with none
    has no pair.

    Example:
        >>> values = np.array([[0.9, 0.0], [0.0, 0.8], [0.7, 0.0], [0.0, 0.9]])
        >>> full = np.ones(values.shape, dtype=np.bool_)
        >>> table = LayerTable(values=values, filled=full, roles=full.astype(np.int64))
        >>> layer_map(table, prices=MapPrices(unmatched=0.1, step=0.05, back=0.05))
        ((0, 0), (1, 1), (2, 0), (3, 1))
    """
    scores = _scores(table, unmatched=prices.unmatched)
    path, _ = _best_path(scores, _step_prices(scores.shape[1], prices))
    none = scores.shape[1] - 1
    return tuple((i, j) for i, j in enumerate(path) if j != none)


def alignment_score(table: LayerTable, *, prices: MapPrices) -> float:
    """Return what the best path scores in all."""
    scores = _scores(table, unmatched=prices.unmatched)
    return _best_path(scores, _step_prices(scores.shape[1], prices))[1]


def chance_of_map(
    table: LayerTable, *, prices: MapPrices, draws: int, rng: np.random.Generator
) -> float:
    """Return how often a table with the same numbers in random places aligns as well.

    Args:
        table: The layer pairs.
        prices: As for `layer_map`.
        draws: How many random tables; the answer is at least 1 / (draws + 1).
        rng: Where the chance comes from.

    Returns:
        The permutation p-value (1 + as good) / (1 + draws), in (0, 1].
    """
    seen = alignment_score(table, prices=prices)
    cells = np.flatnonzero(table.filled)
    as_good = 0
    for _ in range(draws):
        values = table.values.copy()
        values.flat[cells] = rng.permutation(values.flat[cells])
        shuffled = LayerTable(values=values, filled=table.filled, roles=table.roles)
        as_good += alignment_score(shuffled, prices=prices) >= seen
    return (1 + as_good) / (1 + draws)


def _scores(table: LayerTable, *, unmatched: float) -> NDArray[np.float64]:
    """Return the table with one more column: going with none."""
    scores = np.where(table.filled, table.values, -1.0)
    none = np.full((scores.shape[0], 1), unmatched)
    return np.concatenate([scores, none], axis=1)


def _step_prices(states: int, prices: MapPrices) -> NDArray[np.float64]:
    """Return the price of going from each state to each other; the last state is none."""
    before, after = np.indices((states, states))
    none = states - 1
    cost = np.full((states, states), prices.step)
    cost[after < before] += prices.back
    cost[after == before + 1] = 0.0
    # Entering or leaving the parent is a step like another; staying outside is free, and so is
    # beginning anywhere.
    cost[none, :] = cost[:, none] = prices.step
    cost[none, none] = 0.0
    return cost


def _best_path(
    scores: NDArray[np.float64], cost: NDArray[np.float64]
) -> tuple[tuple[int, ...], float]:
    if not len(scores):
        return (), 0.0
    best = scores[0].copy()
    came_from: list[NDArray[np.int64]] = []
    for row in scores[1:]:
        reached = best[:, None] - cost
        came_from.append(reached.argmax(axis=0))
        best = reached.max(axis=0) + row
    path = [int(best.argmax())]
    for step in reversed(came_from):
        path.append(int(step[path[-1]]))
    return tuple(reversed(path)), float(best.max())
