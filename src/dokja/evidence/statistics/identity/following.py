"""Whose earlier answers an endpoint follows, on sentinels where two systems used to differ.

If A and B gave different answers to an item before, whoever is asked now sides with one of them.
Under the declared identity most sides are its own; a binomial test says when that cannot be
chance. Two endpoints that answer with each other's identity are found from both sides, each for
itself. Nothing is said of why: a misrouted address and a renamed model look the same.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.counts import binomial_at_least
from dokja.evidence.statistics.multiplicity import holm

__all__ = [
    "Followed",
    "Following",
    "IdentityFindings",
    "Likeness",
    "followed",
    "following_power",
    "identities",
]


class Followed(Enum):
    """Whose answers are followed."""

    OWN = "own"
    OTHER = "other"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How the answers of an endpoint side between what it and another answered before.

    Attributes:
        own: On how many of the differing items it follows its own answers.
        other: On how many it follows the other's.
        neither: On how many it gives a third answer, or none.
        p_own: One-sided exact p-value that it does not follow its own more often.
        p_other: Likewise that it does not follow the other's more often.
        follows: Whose answers are followed at the level that was asked for.
    """

    own: int
    other: int
    neither: int
    p_own: float
    p_other: float
    follows: Followed

    @property
    def differing(self) -> int:
        """On how many items the two used to differ."""
        return self.own + self.other + self.neither


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """An endpoint whose answers side with another's.

    Attributes:
        declared: What it is called.
        like: Whose answers it follows.
        following: How.
        adjusted: p-value over all pairs (Holm 1979).
    """

    declared: str
    like: str
    following: Following
    adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFindings:
    """What the sentinels say of all endpoints.

    Attributes:
        unlike: Endpoints that side with another one's earlier answers, each with the one that it
            follows most; by label.
        swapped: Pairs that follow each other, seen from both sides.
        power: The least chance, over all ordered pairs, that such an exchange would be seen.
        weakest: The pair with that chance: declared, and the one it might be.
        level: Of the tests over all pairs together.
    """

    unlike: tuple[Likeness, ...]
    swapped: tuple[tuple[str, str], ...]
    power: float
    weakest: tuple[str, str]
    level: float


def followed(
    now: NDArray[np.int64],
    own: NDArray[np.int64],
    other: NDArray[np.int64],
    *,
    level: float = 0.05,
) -> Following:
    """Return whose earlier answers the answers of now follow.

    Args:
        now: Codes of the answers, -1 for none; shape `(items,)`.
        own: What the declared system answered before.
        other: What the other one answered before.
        level: Of the test, in (0, 1).

    Raises:
        ValueError: Shapes differ.

    Example:
        >>> own, other = np.zeros(20, dtype=np.int64), np.ones(20, dtype=np.int64)
        >>> followed(other, own, other).follows.value
        'other'
    """
    if not now.shape == own.shape == other.shape:
        raise ValueError(f"answers of shapes {now.shape}, {own.shape} and {other.shape}")
    differ = (own >= 0) & (other >= 0) & (own != other)
    mine = int((differ & (now == own)).sum())
    theirs = int((differ & (now == other)).sum())
    p_own = binomial_at_least(mine, trials=mine + theirs, chance=0.5)
    p_other = binomial_at_least(theirs, trials=mine + theirs, chance=0.5)
    follows = Followed.UNDECIDED
    if p_own <= level:
        follows = Followed.OWN
    elif p_other <= level:
        follows = Followed.OTHER
    return Following(
        own=mine,
        other=theirs,
        neither=int(differ.sum()) - mine - theirs,
        p_own=p_own,
        p_other=p_other,
        follows=follows,
    )


def following_power(differing: int, *, repeats: float, level: float) -> float:
    """Return how probably an exchange would be seen on so many differing items.

    The other system is taken to repeat its answer with this chance, and else to give the declared
    one's: the worst that it can do.

    Args:
        differing: On how many items the two used to differ, at least 0.
        repeats: How often a system gives the same answer again, in [0, 1].
        level: Of the test, in (0, 1).

    Example:
        >>> round(following_power(20, repeats=0.9, level=0.01), 3)
        0.957
    """
    needed = next(
        (
            count
            for count in range(differing + 1)
            if binomial_at_least(count, trials=differing, chance=0.5) <= level
        ),
        None,
    )
    if needed is None:
        return 0.0
    return binomial_at_least(needed, trials=differing, chance=repeats)


def identities(
    now: Mapping[str, NDArray[np.int64]],
    before: Mapping[str, NDArray[np.int64]],
    *,
    repeats: float,
    level: float = 0.01,
) -> IdentityFindings:
    """Return which endpoints answer like another one, and which have changed places.

    Args:
        now: Codes of the answers of each endpoint, by its declared label; -1 for none.
        before: What each answered before, the same labels and items; at least two.
        repeats: How often a system gives the same answer again, in [0, 1]; measured on sentinels
            that recur within a run.
        level: Over all ordered pairs together, in (0, 1).

    Raises:
        ValueError: Labels differ, or there are fewer than two.
    """
    if now.keys() != before.keys() or len(now) < 2:  # noqa: PLR2004  # one and another
        raise ValueError("the same two systems or more are needed, then and now")
    pairs = list(permutations(sorted(now), 2))
    found = {(i, j): followed(now[i], before[i], before[j], level=level) for i, j in pairs}
    logs = holm([math.log10(max(found[pair].p_other, 1e-300)) for pair in pairs])
    adjusted = dict(zip(pairs, (10.0**log for log in logs), strict=True))
    unlike = [
        each
        for label in sorted(now)
        if (each := _most_like(label, now, before, found=found, adjusted=adjusted, level=level))
    ]
    to = {each.declared: each.like for each in unlike}
    powers = {
        pair: following_power(found[pair].differing, repeats=repeats, level=level / len(pairs))
        for pair in pairs
    }
    weakest = min(pairs, key=lambda pair: (powers[pair], pair))
    return IdentityFindings(
        unlike=tuple(unlike),
        swapped=tuple(
            (one, two) for one, two in sorted(to.items()) if one < two and to.get(two) == one
        ),
        power=powers[weakest],
        weakest=weakest,
        level=level,
    )


def _most_like(
    label: str,
    now: Mapping[str, NDArray[np.int64]],
    before: Mapping[str, NDArray[np.int64]],
    *,
    found: Mapping[tuple[str, str], Following],
    adjusted: Mapping[tuple[str, str], float],
    level: float,
) -> Likeness | None:
    """Return whom this endpoint follows instead of itself, of several the one it follows most."""
    like = [pair for pair, p in adjusted.items() if pair[0] == label and p <= level]
    if not like:
        return None
    best = max(like, key=lambda pair: (int((now[label] == before[pair[1]]).sum()), pair[1]))
    return Likeness(declared=label, like=best[1], following=found[best], adjusted=adjusted[best])
