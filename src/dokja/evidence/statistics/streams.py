"""Chance that anyone can repeat: named streams of uniform and normal draws from one seed.

A stream is named by a seed and a label. It is the raw 64-bit words of the counter-based Philox
generator, whose output numpy promises never to change, turned into uniforms by our own
arithmetic; numpy's distributions, which it may change, are not used. A team's stream depends on
the seed and its own name alone, never on who else takes part. Nothing here is secret, and
nothing here is chosen by the clock.
"""

import hashlib
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = ["normals", "uniforms"]

_MANTISSA_BITS = 53


def uniforms(seed: int, label: str, *, count: int) -> NDArray[np.float64]:
    """Return the first draws of a stream, each in the open interval (0, 1).

    Args:
        seed: Of the rulebook.
        label: Names the stream, such as `team/garam`.
        count: How many, at least 0.

    Returns:
        Shape `(count,)`: midpoints of 2**53 equal cells, so that neither 0 nor 1 is drawn.

    Example:
        >>> first, again = (uniforms(7, "team/garam", count=2) for _ in range(2))
        >>> first.tolist() == again.tolist()
        True
    """
    key = int.from_bytes(hashlib.sha256(f"{seed}/{label}".encode()).digest()[:16], "big")
    words = np.random.Philox(key=key).random_raw(count)
    cells = (words >> np.uint64(64 - _MANTISSA_BITS)).astype(np.float64)
    return (cells + 0.5) * 2.0**-_MANTISSA_BITS


@lru_cache(maxsize=64)
def normals(seed: int, label: str, *, count: int) -> NDArray[np.float64]:
    """Return the first standard normal draws of a stream, by the inverse of their distribution.

    The inverse is the standard library's (Wichura, AS 241), one number at a time: scalar code
    rounds the same on every processor, which vectorised code does not promise.

    Returns:
        Shape `(count,)`, read-only, because it is kept for the next question of the same stream.
    """
    inverse = NormalDist().inv_cdf
    drawn = np.fromiter(map(inverse, uniforms(seed, label, count=count)), np.float64, count)
    drawn.setflags(write=False)
    return drawn
