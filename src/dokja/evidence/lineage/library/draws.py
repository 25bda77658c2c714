"""Which rows, columns and tokens a library keeps of a model: the same ones of every model.

They follow from role, shape and text by a digest, with no random numbers, so that entries made
on different machines and by different versions of anything fit each other. Draws are nested:
whoever keeps fewer rows, columns or tokens keeps some of those that others keep.

Who knows them can edit a model around them. A library finds what nobody hid from it; `trace`
draws afresh.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_ROWS", "Window", "sampled_tokens", "window"]

_SEED = b"dokja.library/1"
MOST_ROWS = 64
"""No more rows of a tensor are ever kept in a screen, so that they lie in one run."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A part of a tensor.

    Attributes:
        first: Its first row; the others follow.
        columns: Which columns, in the order in which they are kept; none for all as they stand.
    """

    first: int
    columns: NDArray[np.int64] | None

    def of(self, rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """Return the window's values.

        Args:
            rows: Rows of the tensor from `first` on, whole.
            count: How many of them.
        """
        return rows[:count] if self.columns is None else rows[:count, self.columns]


def window(role: str, shape: tuple[int, int], *, columns: int) -> Window:
    """Return where the kept part of a tensor lies.

    Args:
        role: The tensor's role.
        shape: Its rows and columns.
        columns: How many columns are kept.

    Example:
        >>> window("q", (4096, 8), columns=8).columns is None
        True
        >>> few, more = (window("q", (4096, 100), columns=n).columns for n in (3, 5))
        >>> few.tolist() == more[:3].tolist(), len(set(more.tolist()))
        (True, 5)
    """
    number = int.from_bytes(_digest(f"{role} {shape[0]}x{shape[1]}".encode()), "big")
    first = number % max(1, shape[0] - MOST_ROWS + 1)
    if columns >= shape[1]:
        return Window(first=first, columns=None)
    # Steps of about the golden ratio spread any count evenly; coprime ones visit every column.
    step = max(1, round(shape[1] * (math.sqrt(5) - 1) / 2))
    while math.gcd(step, shape[1]) > 1:
        step += 1
    start = (number >> 32) % shape[1]
    return Window(
        first=first, columns=(start + step * np.arange(columns, dtype=np.int64)) % shape[1]
    )


def sampled_tokens(tokens: Iterable[str], count: int) -> tuple[str, ...]:
    """Return the tokens that are kept: those whose digests are the smallest.

    Two vocabularies share about as large a part of their samples as of themselves.

    Args:
        tokens: A vocabulary.
        count: How many are kept at most.

    Example:
        >>> sampled_tokens(["a", "b", "c"], 2) == sampled_tokens(["c", "b", "a"], 2)
        True
    """
    written = {token: token.encode(errors="surrogatepass") for token in tokens}
    sound = [token for token, raw in written.items() if _is_text(raw)]
    return tuple(sorted(sound, key=lambda token: (_digest(written[token]), token))[:count])


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:  # half of a sign, which no JSON can hold
        return False
    return True


def _digest(what: bytes) -> bytes:
    return hashlib.blake2b(what, key=_SEED, digest_size=12).digest()
