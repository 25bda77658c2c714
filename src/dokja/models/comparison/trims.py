"""Where a model left its base, and which values of other models' changes were kept for it.

A value that is the base's own, up to rounding, is one at which every change was trimmed. What was
kept is the larger part of each change, so that one edge for each is all there is to find.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["kept_counts", "places_by_size", "rounding_floor"]

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

_HALF_BITS, _HALF_LEAST = 10, 2.0**-25
"""float16 has no finer step than 2**-24 however small the value is."""

_ROUNDS = 3


def rounding_floor(sizes: Doubles, *, bits: int) -> Doubles:
    """Return half a step between neighbouring stored values, and a hair for the arithmetic.

    Args:
        sizes: Of the values, not negative.
        bits: Of the mantissa that they are stored with.

    Example:
        >>> rounding_floor(np.array([1.0]), bits=7).round(6).tolist()
        [0.003906]
    """
    _, exponents = np.frexp(sizes)
    floor: Doubles = np.ldexp(1.0 + 2.0**-20, exponents - 2 - bits)
    return np.maximum(floor, _HALF_LEAST) if bits == _HALF_BITS else floor


def places_by_size(sizes: Doubles) -> Places:
    """Return the place of each value, the largest first; of equal ones the earlier first.

    Example:
        >>> places_by_size(np.array([1.0, 3.0, 2.0])).tolist()
        [2, 0, 1]
    """
    ranks = np.empty(sizes.size, dtype=np.int64)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(sizes.size)
    return ranks


def kept_counts(touched: Flags, ranks: Places, *, shows: Flags) -> Places:
    """Return how many values of each change were kept.

    A value is left as it was only if every change is trimmed there. So the largest place that it
    has in any change says whether it was touched, as long as all keep the same share; after that
    each edge is set by the values at which all other changes are trimmed.

    Args:
        touched: Where the child is not its base, shape `(values,)`.
        ranks: Place of each value by its size in each change, shape `(tuned, values)`.
        shows: Where a change is so large that rounding cannot hide it, same shape.

    Returns:
        Shape `(tuned,)`.
    """
    first = ranks.argmin(axis=0)
    at = np.arange(touched.size)
    cut = _cut(ranks[first, at], touched, counts=touched | shows[first, at])
    counts = np.full(len(ranks), cut, dtype=np.int64)
    for _ in range(_ROUNDS if len(ranks) > 1 else 0):
        for place in range(len(ranks)):
            trimmed = ranks >= counts[:, np.newaxis]
            trimmed[place] = True
            alone = trimmed.all(axis=0)
            known = alone & (touched | shows[place])
            if (known & touched).any() and (known & ~touched).any():
                counts[place] = _cut(ranks[place], touched, counts=known, held=int(counts[place]))
    return counts


def _cut(places: Places, touched: Flags, *, counts: Flags, held: int | None = None) -> int:
    """Return before which place values are touched and from which on not, with fewest mistakes.

    Of cuts that are as good as each other the one that is held, or the middle one: the true one
    is as likely on its left as on its right.
    """
    size = touched.size
    inside = np.bincount(places[counts & ~touched], minlength=size)
    outside = np.bincount(places[counts & touched], minlength=size)
    mistakes = np.concatenate([[0], np.cumsum(inside)]) + (
        outside.sum() - np.concatenate([[0], np.cumsum(outside)])
    )
    best = np.flatnonzero(mistakes == mistakes.min())
    if held is not None and mistakes[held] == mistakes.min():
        return held
    return size if best[-1] == size else int(best[len(best) // 2])
