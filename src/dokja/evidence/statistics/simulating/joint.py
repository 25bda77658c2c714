"""Drawing a part's figures anew from what was observed in it, for all teams at once.

Teams answer the same items and are read by the same people, so that what another sample would
have changed, it would have changed for several teams together. What is drawn again is what another
stage would have: clusters of the common items, raters, voters. A bootstrap of n units varies by
(n - 1)/n of what it should; the draws are widened about the estimate by that factor.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts import Basis, Layout
from dokja.evidence.statistics.contrasts.resampling import resampled_means
from dokja.evidence.statistics.simulating.designs import PartScale
from dokja.evidence.statistics.streams import uniforms
from dokja.evidence.statistics.strengths import fitted_strengths, reachable, win_shares

__all__ = ["Form", "PartDraws", "ballot_draws", "benchmark_draws", "panel_draws"]

Floats: TypeAlias = NDArray[np.float64]

_Fits: TypeAlias = Callable[[Floats], NDArray[np.bool_]]

_LEAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One benchmark as it was answered.

    Attributes:
        name: Of the benchmark.
        values: Of each item, first the teams and then the references; float64, shape
            `(items, teams + references)`.
        layout: Of the items, the same for all.
    """

    name: str
    values: Floats
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDraws:
    """A part's shares as observed, and as other samples would have given them.

    Attributes:
        part: The part's id.
        points: What can be had.
        scale: What earns all of them.
        estimate: Share of each team; not a number for a team of which nothing was observed.
            Shape `(teams,)`.
        drawn: The same in each draw, shape `(draws, teams)`.
        references: Shares of the references, shape `(references,)`.
        references_drawn: The same in each draw, shape `(draws, references)`.
        forms: Names of the benchmarks that it is the mean of; empty for people's parts.
        by_form: Share of each team and reference on each, shape
            `(benchmarks, teams + references)`.
    """

    part: str
    points: float
    scale: PartScale
    estimate: Floats
    drawn: Floats
    references: Floats
    references_drawn: Floats
    forms: tuple[str, ...] = ()
    by_form: Floats | None = None


def benchmark_draws(
    part: str,
    forms: Sequence[Form],
    *,
    points: float,
    scale: PartScale,
    teams: int,
    draws: int,
    seed: int,
    basis: Basis = Basis.CLUSTERS,
) -> PartDraws:
    """Return the draws of a part that is the mean of benchmarks.

    Args:
        part: The part's id.
        forms: At least one; the same teams and references in the same order.
        points: Of the part.
        scale: Of the part.
        teams: How many of the systems are teams; the others are references.
        draws: How many.
        seed: Of the draws.
        basis: What another stage would draw: clusters, or items of the same strata.

    Raises:
        ValueError: No form, another number of systems somewhere, or fewer than two units.
    """
    systems = {form.values.shape[1] for form in forms}
    if len(systems) != 1 or teams < 1 or min(systems) < teams:
        raise ValueError(f"{part} needs forms of the same systems, of which {teams} are teams")
    by_form = np.stack([form.layout.weights @ form.values for form in forms])
    drawn = np.zeros((draws, by_form.shape[1]))
    for form, estimate in zip(forms, by_form, strict=True):
        own_seed = _seed(seed, f"{part}/{form.name}")
        means = _form_draws(form, estimate, basis=basis, draws=draws, seed=own_seed)
        drawn += means / len(forms)
    whole = by_form.mean(axis=0)
    return PartDraws(
        part=part,
        points=points,
        scale=scale,
        estimate=whole[:teams],
        drawn=drawn[:, :teams],
        references=whole[teams:],
        references_drawn=drawn[:, teams:],
        forms=tuple(form.name for form in forms),
        by_form=by_form,
    )


def _form_draws(form: Form, estimate: Floats, *, basis: Basis, draws: int, seed: int) -> Floats:
    units = _units(form.layout, basis)
    if units < _LEAST:
        raise ValueError(f"{form.name} has {units} unit that another form could replace")
    means = resampled_means(form.values, form.layout, basis=basis, draws=draws, seed=seed)
    return _widened(means, estimate, units=units)


def panel_draws(
    part: str, marks: Floats, *, points: float, scale: PartScale, draws: int, seed: int
) -> PartDraws:
    """Return the draws of a part that people mark, other people being drawn each time.

    A mark is the team's worth plus the rater's severity plus what neither explains; worths are
    fitted by least squares beside the severities of the raters drawn, whose mean is that of all.
    A draw in which the readers of some teams share no team with those of the others says nothing
    of their difference and is drawn again.

    Args:
        part: The part's id.
        marks: Shares of the sheet, shape `(raters, teams)`; not a number where a rater did not
            read a team. A team that nobody read is missing.
        points: Of the part.
        scale: Of the part.
        draws: How many.
        seed: Of the draws.

    Raises:
        ValueError: Fewer than two raters, or readers of some teams share none with the others.
    """
    raters, teams = marks.shape
    read = ~np.isnan(marks)
    known = read.any(axis=0)
    if raters < _LEAST or not _connected(read[:, known]):
        raise ValueError(f"the marks of {part} do not tell all its teams from its raters")
    model = _Additive(marks[:, known], read[:, known])
    estimate = np.full(teams, np.nan)
    drawn = np.full((draws, teams), np.nan)
    whole = model.worths(np.ones((1, raters)))[0]
    estimate[known] = whole
    counts = _counts(raters, draws=draws, seed=seed, label=f"raters/{part}", fits=model.fits)
    drawn[:, known] = _widened(model.worths(counts), whole, units=raters)
    return _of_people(part, estimate, drawn, points=points, scale=scale)


def ballot_draws(
    part: str, wins: Floats, *, points: float, scale: PartScale, draws: int, seed: int
) -> PartDraws:
    """Return the draws of a part that people vote on, other voters being drawn each time.

    Args:
        part: The part's id.
        wins: Wins of row over column by voter, a tie being half; shape `(voters, teams, teams)`.
        points: Of the part.
        scale: Of the part.
        draws: How many.
        seed: Of the draws.

    Raises:
        ValueError: Fewer than two voters, or no chain of votes connects all teams.
    """
    voters, teams, _ = wins.shape
    reached = reachable(wins.sum(axis=0))
    if voters < _LEAST or not (reached | reached.T).all():
        raise ValueError(f"the votes of {part} do not connect all its teams")
    estimate = win_shares(fitted_strengths(wins.sum(axis=0)[None]))[0]
    counts = _counts(voters, draws=draws, seed=seed, label=f"voters/{part}", fits=None)
    tables = (counts @ wins.reshape(voters, -1)).reshape(draws, teams, teams)
    drawn = _widened(win_shares(fitted_strengths(tables)), estimate, units=voters)
    return _of_people(part, estimate, drawn, points=points, scale=scale)


def _of_people(
    part: str, estimate: Floats, drawn: Floats, *, points: float, scale: PartScale
) -> PartDraws:
    return PartDraws(
        part=part,
        points=points,
        scale=scale,
        estimate=estimate,
        drawn=drawn,
        references=np.zeros(0),
        references_drawn=np.zeros((len(drawn), 0)),
    )


class _Additive:
    """Least squares of worths beside severities, for many weightings of the raters at once.

    With severities taken out, rater r adds to the normal equations the matrix I - 11'/n over the
    n teams that r read, and r's marks less their mean.
    """

    def __init__(self, marks: Floats, read: NDArray[np.bool_]) -> None:
        teams = marks.shape[1]
        filled = np.where(read, marks, 0.0)
        sizes = read.sum(axis=1)
        means = filled.sum(axis=1) / np.maximum(sizes, 1)
        seen = read.astype(np.float64)
        self.within = np.where(read, marks - means[:, None], 0.0)
        self.normal = seen[:, :, None] * np.eye(teams) - (
            seen[:, :, None] * seen[:, None, :] / np.maximum(sizes, 1)[:, None, None]
        )
        self.read, self.sums, self.sizes = seen, filled.sum(axis=1), sizes.astype(np.float64)
        self.teams = teams

    def worths(self, counts: Floats) -> Floats:
        """Return the worths for each weighting, shape `(weightings, teams)`."""
        normal = np.tensordot(counts, self.normal, axes=1) + 1.0 / self.teams
        contrasts = np.linalg.solve(normal, (counts @ self.within)[..., None])[..., 0]
        # The level: each rater's mean mark is theirs plus the mean worth of the teams they read.
        used = np.maximum(self.sizes, 1)
        severities = (self.sums - contrasts @ self.read.T) / used
        levels = (counts * severities).sum(axis=1) / counts.sum(axis=1)
        found: Floats = contrasts + levels[:, None]
        return found

    def fits(self, counts: Floats) -> NDArray[np.bool_]:
        """Tell for each weighting whether its raters tell all teams apart."""
        normal = np.tensordot(counts, self.normal, axes=1) + 1.0 / self.teams
        least = np.linalg.eigvalsh(normal)[:, 0]
        told: NDArray[np.bool_] = least > 1e-9  # noqa: PLR2004  # 0 but for rounding
        return told


def _connected(read: NDArray[np.bool_]) -> bool:
    """Tell whether some chain of common raters connects all teams."""
    shared = read.T.astype(np.int64) @ read.astype(np.int64) > 0
    for middle in range(len(shared)):
        shared = shared | (shared[:, [middle]] & shared[[middle], :])
    return bool(shared.size and shared.all())


def _counts(units: int, *, draws: int, seed: int, label: str, fits: _Fits | None) -> Floats:
    """Return how often each unit was drawn, with those draws replaced that tell nothing."""
    counts = np.zeros((0, units))
    attempt = 0
    while len(counts) < draws:
        drawn = uniforms(seed, f"{label}/{attempt}", count=draws * units).reshape(draws, units)
        rows = (drawn * units).astype(np.int64) + np.arange(draws)[:, None] * units
        found = np.bincount(rows.ravel(), minlength=draws * units).reshape(draws, units)
        kept = found.astype(np.float64)
        if fits is not None:
            kept = kept[fits(kept)]
        counts = np.concatenate([counts, kept])
        attempt += 1
    return counts[:draws]


def _widened(drawn: Floats, estimate: Floats, *, units: int) -> Floats:
    factor = np.sqrt(units / (units - 1))
    found: Floats = estimate + factor * (drawn - estimate)
    return found


def _units(layout: Layout, basis: Basis) -> int:
    clusters = basis in {Basis.CLUSTERS, Basis.CLUSTERS_IN_STRATA}
    if clusters and layout.clusters is not None:
        return layout.clusters.count
    return layout.items


def _seed(seed: int, label: str) -> int:
    """Return a seed of its own for each benchmark: their items are drawn apart."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{label}".encode()).digest()[:6], "big")
