"""From gathered scores to one cell per model and benchmark, and to the best so far.

One model often has several scores on one benchmark: other shots, other agents, other sources.
Which one counts is a rule that somebody must declare: the greatest favours models that were
measured often, by as much as half the scale on real tables. How many pairs the rule decided, and
how far apart their scores lay, travels with the cells.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Literal, TypeAlias, assert_never

from dokja.evidence.benchmarks.frontiers.tables import GatheredScore, ScoreTables
from dokja.evidence.statistics.trends import Cell

__all__ = ["Choice", "ChosenCells", "Step", "best_so_far", "chosen_cells", "kept_scores"]

Choice: TypeAlias = Literal["greatest", "median"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCells:
    """One score per model and benchmark.

    Attributes:
        cells: By model and benchmark.
        choice: The rule.
        decided: How many pairs had more than one score.
        widest: How far apart the scores of one pair lay at most, in [0, 1].
    """

    cells: tuple[Cell, ...]
    choice: Choice
    decided: int
    widest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A score that was the best of its benchmark on the day its model came out."""

    released: date
    model: str
    score: float


def kept_scores(
    tables: ScoreTables, *, benchmarks_at_least: int = 1, released_from: date | None = None
) -> tuple[GatheredScore, ...]:
    """Return the scores of models with enough benchmarks that came out on or after a day.

    Benchmarks are counted before dates are looked at. A model without a date is not kept where a
    day is asked for: when it came out is not known.

    Args:
        tables: As read.
        benchmarks_at_least: On how many benchmarks a model must have a score.
        released_from: The first day that counts; None for any, undated models included.
    """
    met: dict[str, set[str]] = {}
    for score in tables.scores:
        met.setdefault(score.model, set()).add(score.benchmark)
    return tuple(
        score
        for score in tables.scores
        if len(met[score.model]) >= benchmarks_at_least
        and (released_from is None or tables.released.get(score.model, date.min) >= released_from)
    )


def chosen_cells(scores: Iterable[GatheredScore], *, choice: Choice) -> ChosenCells:
    """Return one cell per model and benchmark.

    Args:
        scores: As kept.
        choice: `greatest` or `median`, where there is more than one.
    """
    gathered: dict[tuple[str, str], list[float]] = {}
    for score in scores:
        gathered.setdefault((score.model, score.benchmark), []).append(score.score)
    several = [found for found in gathered.values() if len(found) > 1]
    return ChosenCells(
        cells=tuple(
            Cell(model=model, benchmark=benchmark, score=_chosen(found, choice))
            for (model, benchmark), found in sorted(gathered.items())
        ),
        choice=choice,
        decided=len(several),
        widest=max((max(found) - min(found) for found in several), default=0.0),
    )


def _chosen(found: Sequence[float], choice: Choice) -> float:
    match choice:
        case "greatest":
            return max(found)
        case "median":
            return median(found)
        case _:
            assert_never(choice)


def best_so_far(
    cells: Iterable[Cell], *, benchmark: str, released: Mapping[str, date]
) -> tuple[Step, ...]:
    """Return the scores that were the best of a benchmark when their models came out, by day.

    Of several models of one day the best is taken; an equal score is no step. Models without a
    date cannot stand in a row of days, and are not there.

    Example:
        >>> days = {"old": date(2024, 1, 1), "new": date(2025, 1, 1)}
        >>> cells = [Cell(model=m, benchmark="b", score=s) for m, s in (("new", 0.7), ("old", 0.5))]
        >>> [step.model for step in best_so_far(cells, benchmark="b", released=days)]
        ['old', 'new']
    """
    dated = sorted(
        (released[cell.model], -cell.score, cell.model)
        for cell in cells
        if cell.benchmark == benchmark and cell.model in released
    )
    steps: list[Step] = []
    for day, less, model in dated:
        if not steps or -less > steps[-1].score:
            steps.append(Step(released=day, model=model, score=-less))
    return tuple(steps)
