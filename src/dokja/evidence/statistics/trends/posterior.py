"""The arithmetic beneath `rasch`: the most probable abilities and difficulties, and their errors.

Given spreads, the logarithm of the posterior is concave, and Newton's steps reach its one summit.
Passages are eliminated first and takers next, so that only a matrix of the items that are not fixed
has to be solved, however many passages there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Answers", "Given", "Posterior", "posterior"]

_STEPS = 100
_CLOSE = 1e-9
_LONGEST = 2.0  # logits: a longer step overshoots the logistic curve
_LEAST_SPREAD = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Who answered what, and what is known of the items.

    Attributes:
        right: 1 where right, else 0; shape `(takers, items)`.
        mask: 1 where answered, else 0; the same shape.
        known: Difficulty of the items that are fixed, 0 for the others; shape `(items,)`.
        free: Which items are not fixed.
        members: 1 where an item belongs to a passage; shape `(items, passages)`.
    """

    right: NDArray[np.float64]
    mask: NDArray[np.float64]
    known: NDArray[np.float64]
    free: NDArray[np.bool_]
    members: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        answers: NDArray[np.int8],
        *,
        known: NDArray[np.float64],
        passages: Sequence[str] | None,
    ) -> "Answers":
        """Return the answers as arrays; `known` is NaN where an item is not fixed."""
        labels = [""] * answers.shape[1] if passages is None else list(passages)
        names = sorted(set(labels) - {""})
        members = np.array([[float(label == name) for name in names] for label in labels])
        free = np.isnan(known)
        return cls(
            right=(answers == 1).astype(np.float64),
            mask=(answers >= 0).astype(np.float64),
            known=np.where(free, 0.0, known),
            free=free,
            members=members.reshape(len(labels), len(names)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """Where the posterior is highest, and how it bends there.

    Attributes:
        abilities: Shape `(takers,)`.
        difficulties: Shape `(items,)`, fixed ones as they were.
        passages: u, shape `(takers, passages)`.
        covariance: Of the abilities, shape `(takers, takers)`.
        difficulty_errors: Shape `(items,)`, 0 where fixed.
        passage_squares: Mean of u² with its own error, over takers and passages; 0 without.
    """

    abilities: NDArray[np.float64]
    difficulties: NDArray[np.float64]
    passages: NDArray[np.float64]
    covariance: NDArray[np.float64]
    difficulty_errors: NDArray[np.float64]
    passage_squares: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """The normal distributions that abilities, difficulties and passages come from.

    Attributes:
        means: Of the abilities, by stage.
        spreads: Likewise, above 0.
        item_mean: Of the difficulties that are not fixed.
        item_spread: Above 0.
        passage_spread: Above 0.
        anchored: Whether anchors hold the scale; else `item_mean` stays 0.
    """

    means: NDArray[np.float64]
    spreads: NDArray[np.float64]
    item_mean: float
    item_spread: float
    passage_spread: float
    anchored: bool

    @classmethod
    def start(cls, stages: int, *, anchored: bool) -> "Given":
        """Return standard normals, passages half as wide."""
        return cls(
            means=np.zeros(stages),
            spreads=np.ones(stages),
            item_mean=0.0,
            item_spread=1.0,
            passage_spread=0.5,
            anchored=anchored,
        )

    def expected(self, found: Posterior, *, group: NDArray[np.int64]) -> "Given":
        """Return the distributions that a posterior makes likeliest (one EM step).

        One taker of spread 1 is counted with every stage: a stage of one taker shows no spread.
        """
        count = np.bincount(group, minlength=len(self.means))
        means = np.bincount(group, found.abilities, minlength=len(count)) / count
        own = (found.abilities - means[group]) ** 2 + np.diag(found.covariance)
        squares = (np.bincount(group, own, minlength=len(count)) + 1) / (count + 1)
        errors = found.difficulty_errors
        free = errors > 0
        mean = float(found.difficulties[free].mean()) if self.anchored and free.any() else 0.0
        item = float(((found.difficulties - mean)[free] ** 2 + errors[free] ** 2).sum() + 1)
        return Given(
            means=means,
            spreads=np.sqrt(squares),
            item_mean=mean,
            item_spread=math.sqrt(item / (free.sum() + 1)),
            passage_spread=max(math.sqrt(found.passage_squares), _LEAST_SPREAD),
            anchored=self.anchored,
        )

    def distance(self, other: "Given") -> float:
        """Return the greatest difference of any mean or spread."""
        single = (
            self.item_mean - other.item_mean,
            self.item_spread - other.item_spread,
            self.passage_spread - other.passage_spread,
        )
        gaps = np.concatenate([self.means - other.means, self.spreads - other.spreads, single])
        return float(np.abs(gaps).max())


@dataclass(frozen=True, slots=True)
class _Bend:
    """The second derivatives at a place, passages and takers eliminated."""

    weights: NDArray[np.float64]  # p(1 − p), shape (takers, items)
    by_passage: NDArray[np.float64]  # their sums, shape (takers, passages)
    passage: NDArray[np.float64]  # of u with itself, the same shape
    taker: NDArray[np.float64]  # of θ with itself, passages eliminated
    cross: NDArray[np.float64]  # of θ with the free b, passages eliminated
    items: NDArray[np.float64]  # of the free b, takers and passages eliminated

    @classmethod
    def at(
        cls, chance: NDArray[np.float64], data: Answers, given: Given, *, group: NDArray[np.int64]
    ) -> "_Bend":
        """Return the bend where takers are right with these chances."""
        weights = chance * (1 - chance) * data.mask
        by_passage = weights @ data.members
        passage = by_passage + given.passage_spread**-2
        taker = weights.sum(axis=1) + given.spreads[group] ** -2
        taker -= (by_passage**2 / passage).sum(axis=1)
        left = weights * (1 - (by_passage / passage) @ data.members.T)
        cross = -left[:, data.free]
        own = weights[:, data.free]
        items = np.diag(own.sum(axis=0) + given.item_spread**-2)
        for number in range(data.members.shape[1]):
            inside = np.flatnonzero(data.members[data.free, number])
            part = own[:, inside]
            items[np.ix_(inside, inside)] -= part.T @ (part / passage[:, [number]])
        items -= cross.T @ (cross / taker[:, None])
        return cls(weights, by_passage, passage, taker, cross, items)


def posterior(
    data: Answers, given: Given, *, group: NDArray[np.int64], start: Posterior | None = None
) -> Posterior:
    """Return the summit of the posterior under these distributions.

    Args:
        data: The answers.
        given: The distributions.
        group: Each taker's stage, shape `(takers,)`.
        start: Where to begin; None for the means.
    """
    takers, passages = len(data.right), data.members.shape[1]
    abilities = given.means[group] if start is None else start.abilities
    free = np.full(int(data.free.sum()), given.item_mean)
    free = free if start is None else start.difficulties[data.free]
    extra = np.zeros((takers, passages)) if start is None else start.passages
    for _ in range(_STEPS):
        chance = _chance(data, abilities, free, extra)
        bend = _Bend.at(chance, data, given, group=group)
        missed = (data.right - chance) * data.mask
        pull_extra = missed @ data.members - extra / given.passage_spread**2
        pull = missed.sum(axis=1) - (abilities - given.means[group]) / given.spreads[group] ** 2
        pull -= (bend.by_passage * pull_extra / bend.passage).sum(axis=1)
        shared = (pull_extra / bend.passage) @ data.members.T
        pull_items = (bend.weights * shared - missed).sum(axis=0)[data.free]
        pull_items -= (free - given.item_mean) / given.item_spread**2
        pull_items -= bend.cross.T @ (pull / bend.taker)
        step_items = np.linalg.solve(bend.items, pull_items)
        step = (pull - bend.cross @ step_items) / bend.taker
        spread_items = bend.weights[:, data.free] * step_items
        of_items = spread_items @ data.members[data.free]
        step_extra = (pull_extra - bend.by_passage * step[:, None] + of_items) / bend.passage
        longest = max(
            float(np.abs(part).max(initial=0.0)) for part in (step, step_items, step_extra)
        )
        short = min(1.0, _LONGEST / longest) if longest > 0 else 1.0
        abilities = abilities + short * step
        free = free + short * step_items
        extra = extra + short * step_extra
        if longest < _CLOSE:
            break
    return _told(data, given, group=group, at=(abilities, free, extra))


def _chance(
    data: Answers,
    abilities: NDArray[np.float64],
    free: NDArray[np.float64],
    extra: NDArray[np.float64],
) -> NDArray[np.float64]:
    difficulties = data.known.copy()
    difficulties[data.free] = free
    gap = abilities[:, None] - difficulties[None, :] + extra @ data.members.T
    chance: NDArray[np.float64] = 0.5 * (1 + np.tanh(gap / 2))
    return chance


def _told(
    data: Answers,
    given: Given,
    *,
    group: NDArray[np.int64],
    at: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> Posterior:
    abilities, free, extra = at
    bend = _Bend.at(_chance(data, abilities, free, extra), data, given, group=group)
    inner = np.linalg.inv(bend.items)
    spread = bend.cross / bend.taker[:, None]
    covariance = np.diag(1 / bend.taker) + spread @ inner @ spread.T
    errors = np.zeros(len(data.free))
    errors[data.free] = np.sqrt(np.diag(inner))
    difficulties = data.known.copy()
    difficulties[data.free] = free
    # What the items' own errors add to those of u is left out: it is small beside the rest.
    own = 1 / bend.passage + (bend.by_passage / bend.passage) ** 2 * np.diag(covariance)[:, None]
    squares = float((extra**2 + own).mean()) if extra.size else 0.0
    return Posterior(
        abilities=abilities,
        difficulties=difficulties,
        passages=extra,
        covariance=covariance,
        difficulty_errors=errors,
        passage_squares=squares,
    )
