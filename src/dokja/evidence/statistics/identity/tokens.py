"""Whether an endpoint counts the tokens of sentinel prompts as it, or another, used to.

Tokenizers cut text differently, so that the vector of prompt tokens over some fifty sentinel
prompts is nearly a fingerprint. The same number more in every prompt is another template or system
prompt; different numbers in different prompts are another tokenizer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["TokenFit", "TokenMatch", "fitting_systems", "token_match"]


class TokenFit(Enum):
    """How two vectors of token counts stand to each other."""

    SAME = "same"
    SHIFTED = "shifted"
    """The same number more or fewer in every prompt: another template, the tokenizer fits."""
    OTHER = "other"
    """Another tokenizer, or other prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMatch:
    """Two vectors of token counts, compared.

    Attributes:
        fit: How they stand to each other.
        shift: Tokens more in every prompt; None if that differs by prompt.
        differing: In how many prompts the counts differ beyond the commonest shift.
        prompts: In how many prompts both counts are known.
    """

    fit: TokenFit
    shift: int | None
    differing: int
    prompts: int


def token_match(now: NDArray[np.int64], before: NDArray[np.int64]) -> TokenMatch:
    """Return how the counts of now stand to those of before.

    Args:
        now: Tokens of each sentinel prompt, -1 where the endpoint did not say; shape `(prompts,)`.
        before: Of the same prompts.

    Raises:
        NotComparableError: No prompt has both counts.
        ValueError: Shapes differ.

    Example:
        >>> token_match(np.array([9, 12, 31]), np.array([7, 10, 29])).fit.value
        'shifted'
    """
    if now.shape != before.shape or now.ndim != 1:
        raise ValueError(f"token counts of shapes {now.shape} and {before.shape}")
    known = (now >= 0) & (before >= 0)
    if not known.any():
        raise NotComparableError("no sentinel prompt has a token count both then and now")
    shifts, counts = np.unique(now[known] - before[known], return_counts=True)
    commonest = int(shifts[counts.argmax()])
    if len(shifts) > 1:
        fit = TokenFit.OTHER
    else:
        fit = TokenFit.SAME if commonest == 0 else TokenFit.SHIFTED
    return TokenMatch(
        fit=fit,
        shift=None if fit is TokenFit.OTHER else commonest,
        differing=int(known.sum() - counts.max()),
        prompts=int(known.sum()),
    )


def fitting_systems(
    now: NDArray[np.int64], known: Mapping[str, NDArray[np.int64]]
) -> tuple[str, ...]:
    """Return which known systems count these prompts alike, but for a shift; by label.

    Several may: models of one family often share a tokenizer, and then this tells nothing.
    """
    return tuple(
        label
        for label, before in sorted(known.items())
        if token_match(now, before).fit is not TokenFit.OTHER
    )
