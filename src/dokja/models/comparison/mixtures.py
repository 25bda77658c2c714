"""Whether a model is a weighted sum of others, and with which weights.

In every block of values the child is laid beside affine sums of the parents, y ≈ Σ w x with
Σ w = 1: a mixture of trained models keeps their size, and without that condition any multiple of
one parent would pass for a mixture. Parents are chosen one after the other, the one first that
leaves least; each must take away more than its scrambled twin, which has the same values in
another order and is no parent of anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["Choice", "MixtureBlock", "affine_weights", "choose_parents", "scrambled_twin"]

Doubles = NDArray[np.float64]

_NOTHING_LEFT = 1e-10
"""Share of a block's energy that rounding to float32 leaves of an exact fit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixtureBlock:
    """The same rows of the same tensor in the child and in every candidate.

    Attributes:
        child: Shape `(rows, columns)`.
        parents: One for each candidate, same shape.
    """

    child: NDArray[np.floating]
    parents: tuple[NDArray[np.floating], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which candidates make the child up.

    Attributes:
        parents: Their numbers, in the order in which they were chosen.
        left: Share of the child's energy that is left, after each of them.
        twins: The same with the scrambled twin in the last one's place; the first has none
            before it to be measured against, and no twin.
    """

    parents: tuple[int, ...]
    left: tuple[float, ...]
    twins: tuple[float, ...]


def affine_weights(block: MixtureBlock, parents: Sequence[int]) -> tuple[Doubles, float]:
    """Return the weights that leave least, and the share of the child's energy that is left.

    Args:
        block: Child and candidates.
        parents: Which candidates; at least one.

    Returns:
        Weights that add up to 1, shape `(len(parents),)`, and the energy left over that of the
        child about its mean.

    Raises:
        NotComparableError: A value is not finite, or the child does not vary.

    Example:
        >>> one, other = np.eye(3), np.ones((3, 3))
        >>> block = MixtureBlock(child=0.25 * one + 0.75 * other, parents=(one, other))
        >>> affine_weights(block, (0, 1))[0].round(6).tolist()
        [0.25, 0.75]
    """
    child, others, energy = _centred(block, parents)
    base, rest = others[0], others[1:]
    sides = np.stack([one - base for one in rest], axis=1) if rest else np.empty((len(child), 0))
    found, *_ = np.linalg.lstsq(sides, child - base, rcond=None)
    left = child - base - sides @ found
    weights = np.concatenate([[1.0 - float(found.sum())], found])
    return weights, float(left @ left) / energy


def _centred(block: MixtureBlock, parents: Sequence[int]) -> tuple[Doubles, list[Doubles], float]:
    """Return child and parents as vectors about the child's mean, and the child's energy."""
    values = [block.child, *(block.parents[number] for number in parents)]
    if not all(np.isfinite(one).all() for one in values):
        raise NotComparableError("a value is not finite")
    # One level is taken from all: weights that add up to 1 leave it out of the fit.
    level = float(np.mean(block.child, dtype=np.float64))
    child, *others = (one.astype(np.float64).ravel() - level for one in values)
    energy = float(child @ child)
    if energy == 0.0:
        raise NotComparableError("every value of the child is the same")
    return child, others, energy


def choose_parents(
    blocks: Sequence[MixtureBlock], *, least_fall: float, rng: np.random.Generator
) -> Choice:
    """Return the candidates that make the child up, chosen one after the other.

    Args:
        blocks: Every tensor that is compared; the same candidates in the same order in each.
        least_fall: Share of what is left that each further parent must take away, and by which
            it must beat its scrambled twin.
        rng: Orders of the twins.

    Raises:
        NotComparableError: There are no blocks, or a block cannot be compared.
    """
    if not blocks:
        raise NotComparableError("there is no tensor that child and candidates all have")
    candidates = range(len(blocks[0].parents))
    best = min(candidates, key=lambda number: _left(blocks, (number,)))
    chosen, left, twins = [best], [_left(blocks, (best,))], []
    while len(chosen) < len(candidates) and left[-1] > _NOTHING_LEFT:
        rest = [number for number in candidates if number not in chosen]
        best = min(rest, key=lambda number: _left(blocks, (*chosen, number)))
        now = _left(blocks, (*chosen, best))
        twin = _left([scrambled_twin(one, best, rng=rng) for one in blocks], (*chosen, best))
        if now > (1 - least_fall) * min(left[-1], twin):
            break
        chosen.append(best)
        left.append(now)
        twins.append(twin)
    return Choice(parents=tuple(chosen), left=tuple(left), twins=tuple(twins))


def _left(blocks: Sequence[MixtureBlock], parents: Sequence[int]) -> float:
    """Return the mean share that is left; every tensor counts alike, whatever its size."""
    return float(np.mean([affine_weights(block, parents)[1] for block in blocks]))


def scrambled_twin(block: MixtureBlock, parent: int, *, rng: np.random.Generator) -> MixtureBlock:
    """Return the block with one candidate's rows and columns in random order."""
    values = block.parents[parent]
    rows, columns = (rng.permutation(length) for length in values.shape)
    twin = values[np.ix_(rows, columns)]
    parents = (*block.parents[:parent], twin, *block.parents[parent + 1 :])
    return MixtureBlock(child=block.child, parents=parents)
