"""How many segments a challenge needs, and what chance it has to meet a forged one.

Segments are drawn without the builder's knowledge, so that each is a forged one with the chance
of the forged share. Archives are large against what is drawn; where they are not, drawing without
putting back meets a forgery more often than is said here, never more seldom.
"""

import math

__all__ = ["chance_to_meet", "segments_needed"]


def segments_needed(share: float, *, chance: float = 0.95) -> int:
    """Return how many drawn segments meet a forged share with a chance of at least `chance`.

    The least n with 1 - (1 - share)^n >= chance.

    Args:
        share: Forged share of all segments, above 0 and at most 1.
        chance: At least 0, below 1.

    Raises:
        ValueError: A number lies outside these bounds.

    Example:
        >>> [segments_needed(share) for share in (0.3, 0.1, 0.05, 0.01)]
        [9, 29, 59, 299]
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"a forged share lies above 0 and up to 1, not at {share}")
    if not 0.0 <= chance < 1.0:
        raise ValueError(f"a chance lies from 0 to below 1, not at {chance}")
    if share == 1.0:
        return 1 if chance else 0
    needed = math.ceil(math.log1p(-chance) / math.log1p(-share))
    # The quotient may be rounded over a whole number, in either way.
    while needed and chance_to_meet(share, needed - 1) >= chance:
        needed -= 1
    while chance_to_meet(share, needed) < chance:
        needed += 1
    return needed


def chance_to_meet(share: float, segments: int) -> float:
    """Return the chance that at least one of the drawn segments is a forged one.

    Args:
        share: Forged share of all segments, in [0, 1].
        segments: How many are drawn.

    Example:
        >>> round(chance_to_meet(0.1, 29), 3)
        0.953
    """
    return 1.0 - (1.0 - share) ** segments
