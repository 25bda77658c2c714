"""The frontier over several benchmarks as it is drawn: for display, never for the verdict.

Benchmarks are drawn apart and systems together, so that each draw is another set of forms for
everybody; what is combined, and the maximum, are made anew in each (design/measurement 5.4). It is
also the drawn twin of the delta method for a mean of ratios.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dokja.evidence.statistics.contrasts.combined_readings import Combine, FrontierOf
from dokja.evidence.statistics.contrasts.combining import Benchmark
from dokja.evidence.statistics.contrasts.contrast import Ratio, ratio_of
from dokja.evidence.statistics.contrasts.layouts import Floats
from dokja.evidence.statistics.contrasts.resampling import resampled_means
from dokja.evidence.statistics.contrasts.spreads import Basis
from dokja.values import Missing, MissingReason

__all__ = ["CombinedDraws", "combined_draws"]

_TIE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedDraws:
    """What joint draws say over several benchmarks.

    Attributes:
        low: The combined ratio that 5 % of the draws lie below.
        middle: The median.
        high: The ratio that 95 % lie below.
        p_at_least: Share of draws whose combined ratio is at least the required one.
        standard_error: Standard deviation of the combined ratio over the draws.
        basis: What was drawn.
        benchmarks: How many.
        items: On how many items altogether.
        draws: How many draws.
        seed: Of the streams.
    """

    low: float
    middle: float
    high: float
    p_at_least: float
    standard_error: float
    basis: Basis
    benchmarks: int
    items: int
    draws: int
    seed: int


def combined_draws(
    benchmarks: Sequence[Benchmark],
    *,
    combine: Combine,
    frontier: FrontierOf,
    ratio: Ratio,
    basis: Basis,
    draws: int,
    seed: int,
) -> CombinedDraws | Missing:
    """Return what joint draws of all systems on all benchmarks say.

    Args:
        benchmarks: At least one, the same references everywhere.
        combine: How the benchmarks become one question.
        frontier: What must be reached.
        ratio: What is required.
        basis: What is drawn again on each benchmark.
        draws: How many.
        seed: Names the streams; each benchmark has its own, by its place.

    Returns:
        `Missing` where a draw has a frontier of 0.

    Raises:
        ValueError: No benchmark, fewer than two draws, or as `resampled_means`.
    """
    if not benchmarks or draws < 2:  # noqa: PLR2004  # one draw shows no spread
        raise ValueError("nothing is to be drawn")
    weights = np.array([each.weight for each in benchmarks], dtype=np.float64)
    means = np.stack(
        [_drawn(each, basis=basis, draws=draws, seed=seed + n) for n, each in enumerate(benchmarks)]
    )
    ratios = _ratios(means, weights / weights.sum(), combine=combine, frontier=frontier)
    if not np.isfinite(ratios).all():
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    low, middle, high = (float(each) for each in np.quantile(ratios, [0.05, 0.5, 0.95]))
    return CombinedDraws(
        low=low,
        middle=middle,
        high=high,
        p_at_least=float((ratios >= float(ratio_of(ratio)) - _TIE).mean()),
        standard_error=float(ratios.std(ddof=1)),
        basis=basis,
        benchmarks=len(benchmarks),
        items=sum(each.cells.items for each in benchmarks),
        draws=draws,
        seed=seed,
    )


def _drawn(benchmark: Benchmark, *, basis: Basis, draws: int, seed: int) -> Floats:
    """Return the means of candidate and references, shape `(draws, 1 + references)`."""
    values = benchmark.cells.registered
    columns = np.column_stack([values.candidate, values.references])
    return resampled_means(columns, benchmark.layout, basis=basis, draws=draws, seed=seed)


def _ratios(means: Floats, weights: Floats, *, combine: Combine, frontier: FrontierOf) -> Floats:
    """Return the combined ratio of each draw; not finite where it would be one to 0.

    Args:
        means: Shape `(benchmarks, draws, 1 + references)`.
        weights: Shape `(benchmarks,)`.
        combine: How the benchmarks become one question.
        frontier: What must be reached.
    """
    own, others = means[:, :, 0], means[:, :, 1:]
    best_of_each = frontier is FrontierOf.BEST_PER_BENCHMARK
    with np.errstate(divide="ignore", invalid="ignore"):
        if combine is Combine.RATIO_OF_MEANS:
            every = np.tensordot(weights, others, axes=1)
            top = weights @ others.max(axis=2) if best_of_each else every.max(axis=1)
            found = (weights @ own) / top
        elif combine is Combine.EACH:
            found = (own / others.max(axis=2)).min(axis=0)
        elif best_of_each:
            found = weights @ (own[:, :, None] / others).min(axis=2)
        else:
            found = np.tensordot(weights, own[:, :, None] / others, axes=1).min(axis=1)
    ratios: Floats = found
    return ratios
