"""How much two vocabularies have in common: a fact about tokenizers, and never about weights."""

from collections.abc import Collection
from dataclasses import dataclass

from dokja.errors import NotComparableError

__all__ = ["TokenOverlap", "token_overlap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOverlap:
    """How many tokens two vocabularies share.

    Attributes:
        shared: Tokens that stand in both, as the same text.
        child: Tokens of the model in question.
        parent: Tokens of the candidate ancestor.
    """

    shared: int
    child: int
    parent: int

    @property
    def share(self) -> float:
        """The shared tokens' part of all tokens of both (Jaccard), in [0, 1]."""
        return self.shared / (self.child + self.parent - self.shared)


def token_overlap(child: Collection[str], parent: Collection[str]) -> TokenOverlap:
    """Return how many tokens two vocabularies share.

    Raises:
        NotComparableError: One of them is empty.

    Example:
        >>> token_overlap(["가", "나", "a"], ["나", "a", "b"]).share
        0.5
    """
    ours, theirs = set(child), set(parent)
    if not ours or not theirs:
        raise NotComparableError("a vocabulary is empty")
    return TokenOverlap(shared=len(ours & theirs), child=len(ours), parent=len(theirs))
