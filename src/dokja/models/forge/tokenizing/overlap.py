"""How much of its vocabulary one tokenizer shares with another, and which rows it could keep.

Tokens are compared by the bytes that they write. A shared id is a token that both write alike and
number alike: a vocabulary that was extended keeps its ids, one that was trained anew does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dokja.errors import NotComparableError

__all__ = ["Overlap", "overlap", "shared_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What two vocabularies share.

    Attributes:
        shared: How many tokens both have.
        same_id: How many of these have the same id in both.
        one: How many tokens the one has.
        other: How many tokens the other has.
    """

    shared: int
    same_id: int
    one: int
    other: int

    @property
    def of_one(self) -> float:
        """The share of the one's tokens that the other has, in [0, 1]."""
        return self.shared / self.one

    @property
    def of_other(self) -> float:
        """The share of the other's tokens that the one has, in [0, 1]."""
        return self.shared / self.other

    @property
    def jaccard(self) -> float:
        """Shared tokens over the tokens that either has, in [0, 1]."""
        return self.shared / (self.one + self.other - self.shared)


def overlap(one: Mapping[bytes, int], other: Mapping[bytes, int]) -> Overlap:
    """Return what two vocabularies share.

    Args:
        one: The id of each token, by the bytes that it writes.
        other: Likewise.

    Raises:
        NotComparableError: One of them is empty.

    Example:
        >>> overlap({b"a": 0, b"b": 1, b"ab": 2}, {b"a": 0, b"b": 2}).of_one
        0.6666666666666666
    """
    if not one or not other:
        raise NotComparableError("a vocabulary without tokens shares nothing that could be counted")
    shared = one.keys() & other.keys()
    same = sum(1 for token in shared if one[token] == other[token])
    return Overlap(shared=len(shared), same_id=same, one=len(one), other=len(other))


def shared_rows(old: Mapping[bytes, int], new: Mapping[bytes, int]) -> tuple[tuple[int, int], ...]:
    """Return which embedding rows a change of vocabulary can keep.

    Returns:
        Pairs of the old row and the new one, in the order of the new.

    Example:
        >>> shared_rows({b"a": 0, b"ab": 7}, {b"ab": 1, b"a": 3, b"c": 4})
        ((7, 1), (0, 3))
    """
    pairs = [(old[token], row) for token, row in new.items() if token in old]
    return tuple(sorted(pairs, key=lambda pair: pair[1]))
