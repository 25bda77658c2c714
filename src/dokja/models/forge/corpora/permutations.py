"""Permutations of 0..n-1 that are computed place by place, without holding them.

A Feistel network of six rounds over the smallest power of two that holds n; a place that leaves
0..n-1 walks on until it is inside again (Black and Rogaway, "Ciphers with arbitrary finite
domains", 2002). The halves may differ by one bit: rounds change one half and the other in turn.
The round function is the mixer of splitmix64 (Steele et al. 2014, constants of Stafford's
variant 13) on the half with the round's key above it. The keys come from SHA-256; this is a
shuffle that anybody can repeat, and no cipher.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDS", "permuted"]

ROUNDS = 6

# Places whose intermediate values stay in a core's cache.
_STEP = 1 << 15

_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def permuted(
    places: NDArray[np.uint64], n: int, *, keys: Sequence[bytes], which: NDArray[np.intp] | None
) -> NDArray[np.uint64]:
    """Return where each place goes, under one permutation of 0..n-1 or one of several.

    Args:
        places: In 0..n-1, shape `(k,)`.
        n: How many places the permutation has, at most 2**62.
        keys: One or more 32-byte keys; each is another permutation.
        which: For each place the key that holds for it, shape `(k,)`; None where there is one
            key.

    Example:
        >>> found = permuted(np.arange(5, dtype=np.uint64), 5, keys=[bytes(32)], which=None)
        >>> sorted(found.tolist())
        [0, 1, 2, 3, 4]
    """
    rounds = np.array([np.frombuffer(key, dtype="<u4")[:ROUNDS] for key in keys], dtype=np.uint64)
    rounds <<= np.uint64(32)
    out = np.empty_like(places)
    for start in range(0, len(places), _STEP):
        part = slice(start, start + _STEP)
        chosen = rounds[0][:, None] if which is None else rounds.T[:, which[part]]
        out[part] = _walked(places[part], n, chosen)
    return out


def _walked(places: NDArray[np.uint64], n: int, rounds: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (n - 1).bit_length()
    moved = _network(places, bits, rounds)
    outside = np.flatnonzero(moved >= n)
    while len(outside):
        own = rounds if rounds.shape[1] == 1 else rounds[:, outside]
        again = _network(moved[outside], bits, own)
        moved[outside] = again
        outside = outside[again >= n]
    return moved


def _network(
    places: NDArray[np.uint64], bits: int, rounds: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    low_bits = np.uint64(bits - bits // 2)
    low_mask = np.uint64((1 << int(low_bits)) - 1)
    high_mask = np.uint64((1 << (bits // 2)) - 1)
    low, high = places & low_mask, places >> low_bits
    for number in range(0, ROUNDS, 2):
        low ^= _mixed(high, rounds[number]) & low_mask
        high ^= _mixed(low, rounds[number + 1]) & high_mask
    return (high << low_bits) | low


def _mixed(half: NDArray[np.uint64], key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = half ^ key
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed
