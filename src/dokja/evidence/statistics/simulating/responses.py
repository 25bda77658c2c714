"""Single responses of a benchmark, drawn by the same model whose moments `moments` computes.

The moments serve questions about whole stages, which ask for tens of thousands of draws; the
responses serve questions about statistics, which are functions of responses. Both are one model,
and the tests hold them to each other. Here also stand what moments leave out: faults that take
batches of one system's responses, and the truth of the very subjects that were drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.simulating.designs import Benchmarks
from dokja.evidence.statistics.simulating.moments import abilities_of, logit_means

__all__ = ["ResponseModel", "Responses", "response_model", "subject_sizes"]

Floats: TypeAlias = NDArray[np.float64]

_GRID = np.linspace(-14.0, 14.0, 4_001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """What the systems answered on one form of a benchmark.

    Attributes:
        values: Share right of each item over epochs; float64, shape `(items, systems)`.
        lost: Whether a fault took the response, the same shape; its value is then 0.
        within: True share of each system on items of these very subjects, shape `(systems,)`.
    """

    values: Floats
    lost: NDArray[np.bool_]
    within: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseModel:
    """A benchmark from which forms are drawn. Made by `response_model`.

    Attributes:
        seen: Its design.
        truth: True share of each system over all subjects, shape `(systems,)`.
        abilities: Their log-odds, shape `(systems,)`.
        subjects: The subject of each item, int64, shape `(items,)`.
        table: Mean chance of items of one subject at each log-odds of the grid.
    """

    seen: Benchmarks
    truth: Floats
    abilities: Floats
    subjects: NDArray[np.int64]
    table: Floats

    def drawn(self, rng: np.random.Generator) -> Responses:
        """Return the responses on one form: new subjects, items, answers and faults."""
        seen, systems, items = self.seen, len(self.abilities), len(self.subjects)
        common = rng.normal(0.0, seen.subject_sd, seen.subjects)
        liking = rng.normal(0.0, seen.team_subject_sd, (seen.subjects, systems))
        at = self.abilities + common[:, None] + liking
        logits = at[self.subjects] - rng.normal(0.0, seen.difficulty_sd, items)[:, None]
        logits += rng.normal(0.0, seen.team_item_sd, (items, systems))
        chances = 0.5 * (1 + np.tanh(logits / 2))
        right = rng.random((seen.epochs, items, systems)) < chances
        lost = self._lost(rng)
        values = right.mean(axis=0)
        values[lost] = 0.0
        weights = np.bincount(self.subjects) / items
        within = weights @ np.interp(at, _GRID, self.table)
        return Responses(values=values, lost=lost, within=within)

    def _lost(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        items, systems = len(self.subjects), len(self.abilities)
        batches = -(-items // self.seen.fault_batch)
        struck = rng.random((batches, systems)) < self.seen.faults
        lost: NDArray[np.bool_] = np.repeat(struck, self.seen.fault_batch, axis=0)[:items]
        return lost


def response_model(seen: Benchmarks, truth: Sequence[float]) -> ResponseModel:
    """Return the model of one benchmark.

    Args:
        seen: Its design.
        truth: True share of each system over all subjects that could have been drawn, in (0, 1).

    Example:
        >>> model = response_model(Benchmarks(items=50, subjects=5), [0.8, 0.7])
        >>> model.drawn(np.random.default_rng(1)).values.shape
        (50, 2)
    """
    shares = np.asarray(truth, dtype=np.float64)
    of_subject = seen.subject_sd**2 + seen.team_subject_sd**2
    of_item = seen.difficulty_sd**2 + seen.team_item_sd**2
    sizes = subject_sizes(seen.items, seen.subjects, cv=seen.size_cv)
    return ResponseModel(
        seen=seen,
        truth=shares,
        abilities=abilities_of(shares, sd=float(np.sqrt(of_subject + of_item))),
        subjects=np.repeat(np.arange(seen.subjects, dtype=np.int64), sizes),
        table=logit_means(_GRID, sd=float(np.sqrt(of_item))),
    )


def subject_sizes(items: int, subjects: int, *, cv: float) -> NDArray[np.int64]:
    """Return sizes that add up to the items and vary as asked, largest first.

    Sizes fall off geometrically, the factor being sought by bisection. No subject is empty, so
    that a variation which would ask for it is met as nearly as can be.

    Args:
        items: In all, at least as many as subjects.
        subjects: How many.
        cv: Coefficient of variation.

    Example:
        >>> subject_sizes(100, 4, cv=0.6).tolist()
        [47, 27, 16, 10]
    """
    low, high = 1e-3, 1.0
    place = np.arange(subjects)
    for _ in range(60):
        middle = (low + high) / 2
        falling = middle**place
        over = falling.std() / falling.mean() > cv
        low, high = (middle, high) if over else (low, middle)
    wanted = high**place / (high**place).sum() * (items - subjects)
    sizes = np.floor(wanted).astype(np.int64)
    rest = items - subjects - int(sizes.sum())
    sizes[np.argsort(sizes - wanted, kind="stable")[:rest]] += 1
    found: NDArray[np.int64] = sizes + 1
    return found
