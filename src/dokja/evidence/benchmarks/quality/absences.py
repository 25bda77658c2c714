"""Rows that are not there, and whether they are absent by chance.

Systems that have every row say how hard the absent items are; where absences lie together in a
stratum, the score over the present rows is one of another test.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.quality.presence import Presence
from dokja.evidence.benchmarks.tables import Flag
from dokja.evidence.statistics import student_share_below

__all__ = [
    "Concentration",
    "Difficulty",
    "concentration",
    "difficulty_of",
    "missing_flags",
]

_NOTABLE = 0.02
_UNLIKELY = 0.01
_TOGETHER = 0.001
_FEWEST = 2
_MANY = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """How hard some items are for systems that answered all of them.

    Attributes:
        peers: How many systems.
        there: Their mean score on these items.
        elsewhere: On all other items.
        expected: What `there` would be if each stratum's items were as hard as its others; None
            where a stratum has no others.
        z: The difference over its standard error (Welch), items taken as independent.
        p: Two-sided, by Student's t.
        within: The difference inside strata, weighted by these items; None where no stratum has
            both.
        p_within: Two-sided.
    """

    peers: int
    there: float
    elsewhere: float
    expected: float | None
    z: float
    p: float
    within: float | None
    p_within: float | None

    @property
    def is_other(self) -> bool:
        """Whether these items are harder or easier than could be by chance."""
        plain = abs(self.there - self.elsewhere) > _NOTABLE and self.p < _UNLIKELY
        if self.within is None or self.p_within is None:
            return plain
        return plain or (abs(self.within) > _NOTABLE and self.p_within < _UNLIKELY)


def difficulty_of(
    items: NDArray[np.bool_], presence: Presence, *, peers: NDArray[np.intp]
) -> Difficulty | None:
    """Return how hard items are; those that have several rows are left out as ambiguous.

    Args:
        items: Which; shape `(items,)`.
        presence: Rows counted.
        peers: Systems that have every row.

    Returns:
        None if there are no peers, or fewer than two items on either side.
    """
    single = presence.expected == 1
    inside, outside = np.flatnonzero(items & single), np.flatnonzero(~items & single)
    if not len(peers) or min(len(inside), len(outside)) < _FEWEST:
        return None
    means = presence.means(peers)
    there, elsewhere = means[inside], means[outside]
    gap, error, df = _welch(there, elsewhere)
    strata = presence.strata_codes
    pairs = [
        (there[strata[inside] == stratum], elsewhere[strata[outside] == stratum])
        for stratum in np.unique(strata[inside]).tolist()
    ]
    expected = None
    if all(len(others) for _, others in pairs):
        expected = sum(len(here) * float(others.mean()) for here, others in pairs) / len(inside)
    within, within_error = _within(pairs)
    return Difficulty(
        peers=len(peers),
        there=float(there.mean()),
        elsewhere=float(elsewhere.mean()),
        expected=expected,
        z=gap / error if error else 0.0,
        p=_two_sided(gap, error, df=df),
        within=within,
        p_within=None if within is None else _two_sided(within, within_error, df=_MANY),
    )


def _welch(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the difference of two means, its standard error and the degrees of freedom."""
    first, second = one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)
    error = float(first + second)
    spread = first**2 / (len(one) - 1) + second**2 / (len(other) - 1)
    df = error**2 / float(spread) if spread else _MANY
    return float(one.mean() - other.mean()), math.sqrt(error), df


def _within(
    pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> tuple[float | None, float]:
    """Return the difference inside strata, weighted by the first side, and its standard error."""
    both = [pair for pair in pairs if min(map(len, pair)) >= _FEWEST]
    if not both:
        return None, 0.0
    share = np.array([len(here) for here, _ in both], dtype=np.float64)
    share /= share.sum()
    found = [_welch(here, others) for here, others in both]
    gap = float(share @ np.array([each[0] for each in found]))
    return gap, float(np.sqrt(share**2 @ np.array([each[1] for each in found]) ** 2))


def _two_sided(gap: float, error: float, *, df: float) -> float:
    if not error:
        return 0.0 if gap else 1.0
    return 2 * student_share_below(-abs(gap) / error, df=df)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """How items lie together in the stratum in which that is least likely by chance.

    Attributes:
        stratum: Which.
        inside: How many of them lie there.
        size: How many items the stratum has.
        p: That so many or more lie in some stratum, at most; hypergeometric, times the strata.
    """

    stratum: str
    inside: int
    size: int
    p: float


def concentration(items: NDArray[np.bool_], presence: Presence) -> Concentration | None:
    """Return where items lie together; None if there is one stratum, or no item.

    Example of the formula: of 10 items, 2 in a stratum of 2: C(2,2)·C(8,0)/C(10,2) = 1/45.
    """
    strata, drawn = presence.strata_codes, int(items.sum())
    names = tuple(dict.fromkeys(presence.strata))
    if len(names) < _FEWEST or not drawn:
        return None
    found = []
    for code, name in enumerate(names):
        size = int((strata == code).sum())
        inside = int(items[strata == code].sum())
        tail = _tail(inside, drawn=drawn, size=size, total=len(items))
        found.append((min(1.0, tail * len(names)), -inside / size, name, inside, size))
    p, _, name, inside, size = min(found)
    return Concentration(stratum=name, inside=inside, size=size, p=p)


def _tail(inside: int, *, drawn: int, size: int, total: int) -> float:
    """Return how likely `inside` or more of the items drawn lie in a stratum of `size`."""

    def ways(of: int, taken: int) -> float:
        return math.lgamma(of + 1) - math.lgamma(taken + 1) - math.lgamma(of - taken + 1)

    all_ways = ways(total, drawn)
    least = max(inside, drawn - (total - size))
    return min(
        1.0,
        sum(
            math.exp(ways(size, here) + ways(total - size, drawn - here) - all_ways)
            for here in range(least, min(size, drawn) + 1)
        ),
    )


def missing_flags(presence: Presence) -> list[Flag]:
    """Return what is absent, once for all systems that lack the same items."""
    absent, expected = presence.absent, presence.expected
    groups: dict[bytes, list[int]] = {}
    for system in np.flatnonzero(absent.any(axis=0)).tolist():
        groups.setdefault(np.packbits(absent[:, system]).tobytes(), []).append(system)
    peers = presence.complete
    flags = []
    for systems in groups.values():
        items = absent[:, systems[0]]
        names = tuple(presence.systems[system] for system in systems)
        rows = int((expected - presence.rows[:, systems[0]]).sum())
        count = int(items.sum())
        first = presence.items[int(np.flatnonzero(items)[0])]
        scores: dict[str, float] = {}
        if len(systems) == 1:
            points = float(presence.points[:, systems[0]].sum())
            scores["present_only"] = points / int(presence.rows[:, systems[0]].sum())
            scores["over_all_items"] = points / len(items)
        flags.append(
            raised(
                "missing_items",
                count,
                systems=names,
                of=len(items),
                rows=rows,
                peers=len(peers),
                first=first,
                **scores,
            )
        )
        flags += _by_difficulty(items, presence, peers=peers, systems=names)
        flags += _by_stratum(items, presence, systems=names)
    return flags


def _by_difficulty(
    items: NDArray[np.bool_],
    presence: Presence,
    *,
    peers: NDArray[np.intp],
    systems: tuple[str, ...],
) -> list[Flag]:
    found = difficulty_of(items, presence, peers=peers)
    if found is None or not found.is_other:
        return []
    inner: dict[str, float] = {}
    if found.within is not None and found.p_within is not None:
        inner = {"within_strata": found.within, "p_within_strata": found.p_within}
    return [
        raised(
            "missing_by_difficulty",
            int(items.sum()),
            systems=systems,
            peers=found.peers,
            there=found.there,
            elsewhere=found.elsewhere,
            z=found.z,
            p=found.p,
            **inner,
        )
    ]


def _by_stratum(
    items: NDArray[np.bool_], presence: Presence, *, systems: tuple[str, ...]
) -> list[Flag]:
    found = concentration(items, presence)
    if found is None or found.p >= _TOGETHER:
        return []
    return [
        raised(
            "missing_by_stratum",
            int(items.sum()),
            systems=systems,
            stratum=found.stratum,
            inside=found.inside,
            size=found.size,
            p=found.p,
        )
    ]
