"""A capability curve through benchmark scores: one place per model, one slope per benchmark.

Where models share few items, whole benchmark scores can still be lined up:
score = σ(a_b (C_m − D_b)), with a model's capability C, a benchmark's difficulty D and its slope
a. The data leave shift and stretch of the scale open; an anchor benchmark with slope 1 fixes the
stretch, putting its difficulty at 0 fixes the shift, and a ridge holds what little data cannot.
The ridge is no detail: it moves slopes by tens of per cent, so that results are printed over a
range of it (`curves_over`). Fit by damped Gauss–Newton steps inside a box (Levenberg 1944,
Marquardt 1963). What comes out are `TrendScore`s: no verdict takes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.statistics.domains import TrendScore
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Estimate

__all__ = ["BenchmarkCurve", "Cell", "Curves", "capability_curves", "curves_over"]

_FARTHEST = 10.0
_SLOPES = (0.1, 10.0)
_STEPS = 1_000
_CLOSE = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One score of one model on one benchmark, in [0, 1]."""

    model: str
    benchmark: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkCurve:
    """How a benchmark answers to capability.

    Attributes:
        benchmark: Its name.
        difficulty: Where half of it is solved; the anchor's is 0.
        slope: How fast it is solved about there; the anchor's is 1.
        at_the_end: Whether slope or difficulty lies at the end of what was allowed: then it is a
            bound, and its interval says nothing.
    """

    benchmark: str
    difficulty: Estimate
    slope: Estimate
    at_the_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """A fitted capability curve.

    Attributes:
        anchor: The benchmark at 0 with slope 1.
        ridge: What held the scale.
        models: By name.
        benchmarks: By name.
        half_squares: Half the sum of squares, that of the ridge included.
        rms: Root mean square of score less curve.
        cells: How many scores.
        steps: How many steps it took.
    """

    anchor: str
    ridge: float
    models: tuple[TrendScore, ...]
    benchmarks: tuple[BenchmarkCurve, ...]
    half_squares: float
    rms: float
    cells: int
    steps: int

    def model(self, name: str) -> TrendScore:
        """Return the place of a model.

        Raises:
            KeyError: It had no score.
        """
        for score in self.models:
            if score.system == name:
                return score
        raise KeyError(name)

    def benchmark(self, name: str) -> BenchmarkCurve:
        """Return the curve of a benchmark.

        Raises:
            KeyError: It had no score.
        """
        for curve in self.benchmarks:
            if curve.benchmark == name:
                return curve
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class _Design:
    """The cells as arrays: which model, which benchmark, what score; and what is free."""

    model: NDArray[np.int64]
    benchmark: NDArray[np.int64]
    score: NDArray[np.float64]
    models: int
    benchmarks: int
    anchor: int
    ridge: float

    @property
    def free(self) -> NDArray[np.int64]:
        """Places of the parameters that are fitted: all but the anchor's slope."""
        all_of_them = np.arange(self.models + 2 * self.benchmarks)
        return np.delete(all_of_them, self.models + self.benchmarks + self.anchor)

    @property
    def weight(self) -> float:
        """Of the squares of the parameters, in the sum of squares."""
        return self.ridge / len(self.free)

    def start(self) -> NDArray[np.float64]:
        """Return capabilities and difficulties of 0 and slopes of 1."""
        middle = np.zeros(self.models + self.benchmarks)
        return np.concatenate([middle, np.ones(self.benchmarks)])

    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the least and the greatest that each parameter may be."""
        places = self.models + self.benchmarks
        low = np.concatenate([np.full(places, -_FARTHEST), np.full(self.benchmarks, _SLOPES[0])])
        high = np.concatenate([np.full(places, _FARTHEST), np.full(self.benchmarks, _SLOPES[1])])
        return low, high

    def misses(self, at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return curve less score by cell, and its slope by parameter."""
        difficulty, slope = at[self.models :][: self.benchmarks], at[-self.benchmarks :]
        gap = at[self.model] - difficulty[self.benchmark]
        steep = slope[self.benchmark]
        curve = 0.5 * (1 + np.tanh(steep * gap / 2))
        bend = curve * (1 - curve)
        rows = np.arange(len(self.score))
        slopes = np.zeros((len(self.score), len(at)))
        slopes[rows, self.model] = bend * steep
        slopes[rows, self.models + self.benchmark] = -bend * steep
        slopes[rows, self.models + self.benchmarks + self.benchmark] = bend * gap
        return curve - self.score, slopes

    def half_squares(self, at: NDArray[np.float64]) -> float:
        """Return what is made least."""
        misses, _ = self.misses(at)
        free = at[self.free]
        return float(misses @ misses + self.weight * (free @ free)) / 2


def capability_curves(
    cells: Sequence[Cell], *, anchor: str, ridge: float = 0.1, level: float = 0.95
) -> Curves:
    """Return the curve that fits best, with intervals.

    Least are ½ Σ (curve − score)² + ½ ridge (Σ C² + Σ D² + Σ a²)/k over the k parameters that are
    free, capabilities and difficulties within ±10, slopes within [.1, 10]; the ridge is felt
    before the scale is shifted to the anchor. Standard errors are Laplace's: the inverse of the
    bend there, times the mean square of what is left. They take what is left of different cells to
    be independent, know nothing of which benchmarks somebody chose to publish, and are for
    reading trends, not for deciding.

    Args:
        cells: At most one per model and benchmark; scores in [0, 1].
        anchor: A benchmark of them.
        ridge: Above 0.
        level: Of the intervals, in (0, 1).

    Raises:
        NotComparableError: The anchor has no score, or there are not more scores than parameters.
        ValueError: A pair stands twice, a score lies outside [0, 1], the ridge is not above 0, or
            the level is outside (0, 1).
    """
    check_level(level)
    if not ridge > 0:
        raise ValueError(f"a ridge of {ridge} holds nothing")
    design, names = _design(cells, anchor=anchor, ridge=ridge)
    at, steps = _fitted(design)
    return _told(design, at, names=names, level=level, steps=steps)


def curves_over(
    cells: Sequence[Cell], *, anchor: str, ridges: Sequence[float], level: float = 0.95
) -> tuple[Curves, ...]:
    """Return the curves for every ridge, so that nobody sees one without the others."""
    return tuple(
        capability_curves(cells, anchor=anchor, ridge=ridge, level=level) for ridge in ridges
    )


def _design(
    cells: Sequence[Cell], *, anchor: str, ridge: float
) -> tuple[_Design, tuple[list[str], list[str]]]:
    """Return the cells as arrays, and the names of models and benchmarks."""
    models = sorted({cell.model for cell in cells})
    benchmarks = sorted({cell.benchmark for cell in cells})
    if len({(cell.model, cell.benchmark) for cell in cells}) < len(cells):
        raise ValueError("a model has two scores on one benchmark; choose one by a declared rule")
    if not all(0 <= cell.score <= 1 for cell in cells):
        raise ValueError("a score lies outside [0, 1]")
    if anchor not in benchmarks:
        raise NotComparableError(f"the anchor {anchor!r} has no score, so that nothing is at 0")
    at_model = {name: place for place, name in enumerate(models)}
    at_benchmark = {name: place for place, name in enumerate(benchmarks)}
    design = _Design(
        model=np.array([at_model[cell.model] for cell in cells]),
        benchmark=np.array([at_benchmark[cell.benchmark] for cell in cells]),
        score=np.array([cell.score for cell in cells]),
        models=len(models),
        benchmarks=len(benchmarks),
        anchor=at_benchmark[anchor],
        ridge=ridge,
    )
    if len(cells) <= len(design.free):
        raise NotComparableError(
            f"{len(cells)} scores cannot place {len(models)} models and {len(benchmarks)} "
            "benchmarks; more scores than models and twice the benchmarks are needed"
        )
    return design, (models, benchmarks)


def _fitted(design: _Design) -> tuple[NDArray[np.float64], int]:
    """Return the parameters with the least squares, and how many steps were taken."""
    low, high = design.box()
    free, at = design.free, design.start()
    best, damping = design.half_squares(at), 1e-3
    for step in range(_STEPS):
        misses, slopes = design.misses(at)
        part = slopes[:, free]
        pull = part.T @ misses + design.weight * at[free]
        bend = part.T @ part + design.weight * np.eye(len(free))
        # What lies at the end of its range and would leave it is held there for this step.
        held = ((at[free] <= low[free]) & (pull > 0)) | ((at[free] >= high[free]) & (pull < 0))
        moving = ~held
        damped = bend[np.ix_(moving, moving)]
        damped = damped + damping * np.diag(np.diag(damped))
        tried = at.copy()
        tried[free[moving]] -= np.linalg.solve(damped, pull[moving])
        tried = np.clip(tried, low, high)
        reached = design.half_squares(tried)
        if reached < best:
            gain, best, at = best - reached, reached, tried
            damping = max(damping / 5, 1e-12)
            if gain < _CLOSE * best:
                return at, step + 1
        else:
            damping *= 4
            if damping > 1e12:  # noqa: PLR2004  # no step, however short, helps any more
                return at, step + 1
    return at, _STEPS


def _errors(design: _Design, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of every parameter, places read from the anchor's difficulty."""
    misses, slopes = design.misses(at)
    free = design.free
    part = slopes[:, free]
    left = float(misses @ misses) / (len(misses) - len(free))
    whole = np.zeros((len(at), len(at)))
    bend = part.T @ part + design.weight * np.eye(len(free))
    whole[np.ix_(free, free)] = np.linalg.inv(bend) * left
    squares = np.diag(whole).copy()
    zero = design.models + design.anchor
    places = np.arange(design.models + design.benchmarks)
    squares[places] += whole[zero, zero] - 2 * whole[places, zero]
    return np.sqrt(np.maximum(squares, 0))


@dataclass(frozen=True, slots=True)
class _Places:
    """Parameters as they are told: shifted to the anchor, with errors and what they rest on."""

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    ended: NDArray[np.bool_]
    half: float
    level: float

    @classmethod
    def of(cls, design: _Design, at: NDArray[np.float64], *, level: float) -> "_Places":
        low, high = design.box()
        shifted = at.copy()
        shifted[: design.models + design.benchmarks] -= at[design.models + design.anchor]
        df = len(design.score) - len(design.free)
        half = student_quantile((1 + level) / 2, df=df)
        return cls(shifted, _errors(design, at), (at <= low) | (at >= high), half, level)

    def estimate(self, place: int, what: str, count: int) -> Estimate:
        value, error = float(self.values[place]), float(self.errors[place])
        return Estimate(
            value=value,
            low=value - self.half * error,
            high=value + self.half * error,
            level=self.level,
            standard_error=error,
            rests_on=((what, count),),
            method="capability-curves, laplace",
        )


def _told(
    design: _Design,
    at: NDArray[np.float64],
    *,
    names: tuple[list[str], list[str]],
    level: float,
    steps: int,
) -> Curves:
    models, benchmarks = names
    misses, _ = design.misses(at)
    told = _Places.of(design, at, level=level)
    by_model = np.bincount(design.model, minlength=design.models).tolist()
    by_benchmark = np.bincount(design.benchmark, minlength=design.benchmarks).tolist()
    first, second = design.models, design.models + design.benchmarks
    return Curves(
        anchor=benchmarks[design.anchor],
        ridge=design.ridge,
        models=tuple(
            TrendScore(
                system=name,
                scale=f"capability curves, ridge {design.ridge:g}",
                origin=f"difficulty of {benchmarks[design.anchor]}",
                place=told.estimate(n, "benchmarks", by_model[n]),
            )
            for n, name in enumerate(models)
        ),
        benchmarks=tuple(
            BenchmarkCurve(
                benchmark=name,
                difficulty=told.estimate(first + n, "models", by_benchmark[n]),
                slope=told.estimate(second + n, "models", by_benchmark[n]),
                at_the_end=bool(told.ended[first + n] or told.ended[second + n]),
            )
            for n, name in enumerate(benchmarks)
        ),
        half_squares=design.half_squares(at),
        rms=float(np.sqrt(misses @ misses / len(misses))),
        cells=len(misses),
        steps=steps,
    )
