"""Places of systems on a latent scale, from right and wrong: a hierarchical Rasch model.

logit P(right) = θ − b + u: a taker's ability θ (a system at a stage), an item's difficulty b, and
what a taker finds easy or hard in a passage as a whole, u (Bradlow, Wainer and Wang 1999: items of
one passage are not independent). θ is normal about its stage's own mean with its stage's own
spread, so that a stage of better systems is not pulled to an older mean; difficulties of anchors
are fixed, those of other items normal about their mean. Maximum a posteriori by Newton's method,
standard errors from the bend there (Laplace), spreads by their expectation under it. What comes out
are `TrendScore`s: no verdict takes them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.statistics.domains import TrendScore
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.trends.posterior import Answers, Given, Posterior, posterior
from dokja.values import Estimate

__all__ = ["Rasch", "Stage", "Taker", "rasch"]

_ROUNDS = 200
_CLOSE = 1e-3
_MOST_FREE = 4_000  # items: the matrix of their errors is held whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """A system at a stage: the same system at two stages is two takers."""

    system: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The takers of one stage as a group.

    Attributes:
        stage: Its name.
        mean: Of their abilities, in logits.
        spread: Standard deviation of their abilities, one taker of spread 1 counted besides.
        takers: How many.
    """

    stage: str
    mean: float
    spread: float
    takers: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rasch:
    """A fitted model.

    Attributes:
        takers: In the order given.
        places: Of the takers, in logits, in that order.
        covariance: Of these places; shape `(takers, takers)`.
        difficulties: Of the items, in logits, shape `(items,)`.
        difficulty_errors: Their standard errors; 0 where they were fixed.
        stages: By name.
        item_spread: Standard deviation of the difficulties that were not fixed.
        passage_spread: Standard deviation of u; 0 without passages.
        level: Of the intervals.
    """

    takers: tuple[Taker, ...]
    places: tuple[TrendScore, ...]
    covariance: NDArray[np.float64]
    difficulties: NDArray[np.float64]
    difficulty_errors: NDArray[np.float64]
    stages: tuple[Stage, ...]
    item_spread: float
    passage_spread: float
    level: float

    def apart(self, one: Taker, other: Taker) -> Estimate:
        """Return how far one taker lies above another, with its interval: shared errors cancel.

        Raises:
            KeyError: One of them did not take part.
        """
        places = {taker: n for n, taker in enumerate(self.takers)}
        i, j = places[one], places[other]
        value = self.places[i].place.value - self.places[j].place.value
        covariance = self.covariance
        square = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
        error = math.sqrt(max(float(square), 0.0))
        half = NormalDist().inv_cdf((1 + self.level) / 2) * error
        return Estimate(
            value=value,
            low=value - half,
            high=value + half,
            level=self.level,
            standard_error=error,
            rests_on=self.places[i].place.rests_on,
            method="rasch, laplace",
        )


def rasch(
    answers: NDArray[np.int8],
    takers: Sequence[Taker],
    *,
    fixed: Mapping[int, float],
    passages: Sequence[str] | None = None,
    scale: str = "rasch",
    level: float = 0.95,
) -> Rasch:
    """Return where takers and items lie on one scale.

    Args:
        answers: 1 for right, 0 for wrong, -1 for none; shape `(takers, items)`.
        takers: One per row, each once.
        fixed: Difficulties of the anchors by column; where there are none, the mean difficulty of
            the items is at 0.
        passages: Which passage each item belongs to, "" for none; None for items that stand alone.
        scale: Names the scale in the places.
        level: Of the intervals, in (0, 1).

    Raises:
        NotComparableError: A taker answered nothing, or more than 4,000 items are not fixed.
        ValueError: Shapes do not fit, a taker stands twice, or an answer is none of 1, 0, -1.
    """
    check_level(level)
    _check(answers, takers, fixed=fixed, passages=passages)
    stages = sorted({taker.stage for taker in takers})
    group = np.array([stages.index(taker.stage) for taker in takers])
    known = np.full(answers.shape[1], np.nan)
    for column, difficulty in fixed.items():
        known[column] = difficulty
    data = Answers.of(answers, known=known, passages=passages)
    given = Given.start(len(stages), anchored=bool(fixed))
    found = posterior(data, given, group=group)
    for _ in range(_ROUNDS):
        again = given.expected(found, group=group)
        moved = again.distance(given)
        given = again
        found = posterior(data, given, group=group, start=found)
        if moved < _CLOSE:
            break
    return _told(data, found, given, names=(tuple(takers), stages, group), scale=scale, level=level)


def _check(
    answers: NDArray[np.int8],
    takers: Sequence[Taker],
    *,
    fixed: Mapping[int, float],
    passages: Sequence[str] | None,
) -> None:
    if answers.ndim != 2 or len(takers) != len(answers) or not answers.size:  # noqa: PLR2004  # takers and items
        raise ValueError(f"answers of shape {answers.shape} do not fit {len(takers)} takers")
    if passages is not None and len(passages) != answers.shape[1]:
        raise ValueError("every item needs a passage, or an empty name")
    if len(set(takers)) < len(takers):
        raise ValueError("a taker stands twice; epochs of one system are averaged before")
    if not np.isin(answers, [-1, 0, 1]).all():
        raise ValueError("an answer is 1 for right, 0 for wrong, or -1 for none")
    if not all(0 <= n < answers.shape[1] and math.isfinite(b) for n, b in fixed.items()):
        raise ValueError("a fixed difficulty belongs to no item or is not finite")
    silent = [taker.system for taker, row in zip(takers, answers, strict=True) if (row < 0).all()]
    if silent:
        raise NotComparableError(f"nothing was answered by {', '.join(silent)}")
    free = answers.shape[1] - len(fixed)
    if free > _MOST_FREE:
        raise NotComparableError(
            f"{free} items are not fixed; at most {_MOST_FREE} are placed at once. Place a form "
            "at a time and link the forms by their anchors"
        )


def _told(
    data: Answers,
    found: Posterior,
    given: Given,
    *,
    names: tuple[tuple[Taker, ...], list[str], NDArray[np.int64]],
    scale: str,
    level: float,
) -> Rasch:
    takers, stages, group = names
    quantile = NormalDist().inv_cdf((1 + level) / 2)
    origin = "fixed anchors" if given.anchored else "mean difficulty of the items"
    places = []
    for n, taker in enumerate(takers):
        value, error = float(found.abilities[n]), math.sqrt(float(found.covariance[n, n]))
        place = Estimate(
            value=value,
            low=value - quantile * error,
            high=value + quantile * error,
            level=level,
            standard_error=error,
            rests_on=(("items", int(data.mask[n].sum())), ("anchors", int((~data.free).sum()))),
            method="rasch, laplace",
        )
        places.append(TrendScore(system=taker.system, scale=scale, origin=origin, place=place))
    return Rasch(
        takers=takers,
        places=tuple(places),
        covariance=found.covariance,
        difficulties=found.difficulties,
        difficulty_errors=found.difficulty_errors,
        stages=tuple(
            Stage(
                stage=name,
                mean=float(given.means[n]),
                spread=float(given.spreads[n]),
                takers=int((group == n).sum()),
            )
            for n, name in enumerate(stages)
        ),
        item_spread=given.item_spread,
        passage_spread=given.passage_spread if data.members.shape[1] else 0.0,
        level=level,
    )
