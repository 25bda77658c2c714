"""Chance that comes from a seed and a label alone, the same on every platform.

Only raw words of numpy's Philox generator are used, whose stream numpy keeps stable; its
distributions it may change. Each label has a stream of its own, so that tensors can be drawn in
any order, and drawing one more changes no other. Streams of a start (`initialisation`) carry
another name in their key, and are never met here.
"""

import math
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.initialisation import quantiles

__all__ = ["kept", "normals", "permutation", "signs", "uniforms", "words"]

_VERSION = b"dokja.draws/1"


def words(seed: bytes, label: str, *, count: int) -> NDArray[np.uint64]:
    """Return raw 64-bit words of the stream that belongs to a seed and a label.

    Args:
        seed: Any bytes.
        label: What the words are for.
        count: How many.

    Example:
        >>> words(b"seed", "a", count=2)[0] == words(b"seed", "a", count=1)[0]
        np.True_
    """
    # The seed's length stands before it, so that no seed and label run into another pair.
    stated = _VERSION + b"\x00" + len(seed).to_bytes(8, "little") + seed + label.encode()
    key = int.from_bytes(sha256(stated).digest()[:16], "little")
    raw: NDArray[np.uint64] = np.random.Philox(key=key).random_raw(count)
    return raw


def uniforms(seed: bytes, label: str, *, count: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1) on a grid of 2**-53."""
    whole = (words(seed, label, count=count) >> np.uint64(11)).astype(np.float64)
    drawn: NDArray[np.float64] = whole * np.float64(2.0**-53)
    return drawn


def normals(seed: bytes, label: str, *, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return standard normal numbers: 16-bit words looked up in a table of quantiles."""
    count = math.prod(shape)
    raw = words(seed, label, count=-(-count // 4)).astype("<u8").view("<u2")[:count]
    drawn: NDArray[np.float32] = quantiles()[raw].reshape(shape)
    return drawn


def signs(seed: bytes, label: str, *, count: int) -> NDArray[np.float32]:
    """Return ones and minus ones."""
    top = words(seed, label, count=count) >> np.uint64(63)
    drawn: NDArray[np.float32] = np.where(top == 0, np.float32(1), np.float32(-1))
    return drawn


def permutation(seed: bytes, label: str, *, count: int) -> NDArray[np.int64]:
    """Return a permutation of `range(count)`: the order of as many words.

    Example:
        >>> sorted(permutation(b"seed", "a", count=4).tolist())
        [0, 1, 2, 3]
    """
    order: NDArray[np.int64] = np.argsort(words(seed, label, count=count), kind="stable")
    return order


def kept(seed: bytes, label: str, *, count: int, share: float) -> NDArray[np.bool_]:
    """Return which of `count` values are kept, each with the same chance.

    Args:
        seed: Any bytes.
        label: What is drawn.
        count: How many values there are.
        share: Chance of each, in [0, 1], rounded to 2**-16.
    """
    raw = words(seed, label, count=-(-count // 4)).astype("<u8").view("<u2")[:count]
    chosen: NDArray[np.bool_] = raw < np.uint32(round(share * 2**16))
    return chosen
