"""How far what is observed of a part lies from the truth: means and covariances over teams.

A part's figure is a mean over many items, raters or votes, so that its error is as good as normal
and two moments say all of it. They are computed and not drawn: by quadrature over the log-odds
model of `designs`. That the moments are those of the responses themselves is what the tests hold
them to, against the generators of `observing`.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.simulating.designs import (
    Ballots,
    Benchmarks,
    GeneraliseTo,
    Panel,
    PartDesign,
)

__all__ = ["Moments", "abilities_of", "logit_covariances", "logit_means", "moments_of", "win_means"]

Floats: TypeAlias = NDArray[np.float64]

_REACH = 7.0
_STEP = 0.25
_STEPS = 44
_WIDEST = 12.0
_GRID = 4_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What is observed of a part: its mean and its covariance.

    Attributes:
        mean: Expected share of each team and then of each reference, shape `(seen,)`.
        covariance: Of the observed shares about it, shape `(seen, seen)`.
        teams: How many of these are teams; the others are references.
    """

    mean: Floats
    covariance: Floats
    teams: int


def moments_of(
    part: PartDesign,
    truth: Floats,
    *,
    generalise_to: GeneraliseTo = "new-clusters",
) -> Moments:
    """Return the moments of a part's observed shares.

    Args:
        part: How it is observed.
        truth: True share of each team, shape `(teams,)`; for ballots its true strength, in
            log-odds.
        generalise_to: What another stage would draw anew.

    Example:
        >>> panel = PartDesign(part="expert", points=35, scale="absolute", seen_by=Panel(raters=10))
        >>> found = moments_of(panel, np.array([0.7, 0.8]))
        >>> np.round(found.covariance, 6).tolist()
        [[0.00164, 0.00064], [0.00064, 0.00164]]
    """
    return _moments(part, tuple(truth.tolist()), generalise_to)


@lru_cache(maxsize=512)
def _moments(part: PartDesign, true: tuple[float, ...], generalise_to: GeneraliseTo) -> Moments:
    """Return the moments; designs that differ in one part share those of all others."""
    truth = np.array(true)
    match part.seen_by:
        case Benchmarks() as seen:
            count = seen.references if part.scale == "to-target" else 0
            levels = seen.reference_level - seen.reference_step * np.arange(count)
            mean = np.concatenate([truth, levels])
            new = generalise_to != "blueprint"
            covariance = _benchmark_covariance(seen, mean, new_subjects=new)
            if generalise_to == "new-benchmarks":
                other = seen.team_benchmark_sd**2 / seen.benchmarks
                covariance = covariance + np.eye(len(mean)) * other
            return Moments(mean=mean, covariance=covariance, teams=len(truth))
        case Panel() as seen:
            return Moments(
                mean=truth, covariance=_panel_covariance(seen, len(truth)), teams=len(truth)
            )
        case Ballots() as seen:
            mean, covariance = _ballot_moments(seen, truth)
            return Moments(mean=mean, covariance=covariance, teams=len(truth))
        case _:
            assert_never(part.seen_by)


def abilities_of(shares: Floats, *, sd: float) -> Floats:
    """Return the log-odds at which the mean share over normal differences is as given.

    Args:
        shares: In (0, 1).
        sd: Standard deviation of the differences, in log-odds.

    Example:
        >>> np.abs(abilities_of(np.array([0.5]), sd=2.0)).round(9).tolist()
        [0.0]
    """
    low, high = np.full(shares.shape, -_WIDEST), np.full(shares.shape, _WIDEST)
    low, high = low * (1 + sd), high * (1 + sd)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        under = logit_means(middle, sd=sd) < shares
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    middle_of_both: Floats = (low + high) / 2
    return middle_of_both


def logit_means(centres: Floats, *, sd: float) -> Floats:
    """Return the mean of 1/(1 + exp(-x)) over normal x about each centre."""
    nodes, weights = _quadrature()
    means: Floats = _logistic(centres[..., None] + sd * nodes) @ weights
    return means


def logit_covariances(centres: Floats, covariance: Floats, *, paired: Floats) -> Floats:
    """Return Cov(p(x_a), p(x_b)) for all a and b, p(x) = 1/(1 + exp(-x)) and x normal.

    Args:
        centres: Means of x, shape `(k,)`.
        covariance: Their variances, shape `(k,)`.
        paired: Covariance of x_a with x_b, shape `(k, k)`; where a is b, that of two draws that
            share only this much.

    Returns:
        Shape `(k, k)`, by quadrature over both.
    """
    nodes, weights = _quadrature()
    spread = np.sqrt(covariance)
    first = _logistic(centres[:, None] + spread[:, None] * nodes)
    means = first @ weights
    joint = np.empty((len(centres), len(centres)))
    for row, at in enumerate(first):  # one row at a time keeps the memory small
        slope = paired[row] / spread[row] if spread[row] else np.zeros(len(centres))
        rest = np.sqrt(np.maximum(covariance - slope**2, 0.0))
        inner = centres[:, None, None] + slope[:, None, None] * nodes[:, None]
        conditional = _logistic(inner + rest[:, None, None] * nodes) @ weights
        joint[row] = conditional @ (at * weights)
    found: Floats = joint - np.outer(means, means)
    return (found + found.T) / 2


def win_means(strengths: Floats, *, taste_sd: float) -> Floats:
    """Return each team's true share of wins against all others, each met equally often.

    Args:
        strengths: In log-odds, shape `(..., teams)`.
        taste_sd: How far voters differ about each team.
    """
    gap = strengths[..., :, None] - strengths[..., None, :]
    chances = np.interp(gap, *_win_table(taste_sd))
    shares: Floats = (chances.sum(axis=-1) - 0.5) / (strengths.shape[-1] - 1)
    return shares


def _benchmark_covariance(seen: Benchmarks, mean: Floats, *, new_subjects: bool) -> Floats:
    """Return the covariance of mean shares over items in subjects.

    With C the covariance of one item's chances, B that of two items of one subject and G subjects
    of sizes n_g: (C + diag E[p(1 - p)]/epochs - B)/n + B Σ n_g²/n², the last term only when
    another stage would draw other subjects.
    """
    team = seen.team_subject_sd**2
    shared = seen.subject_sd**2
    common = shared + seen.difficulty_sd**2
    whole = common + team + seen.team_item_sd**2
    centres = abilities_of(mean, sd=float(np.sqrt(whole)))
    count = len(mean)
    variances = np.full(count, whole)
    same_item = np.full((count, count), common) + np.eye(count) * (whole - common)
    same_subject = np.full((count, count), shared) + np.eye(count) * team
    item = logit_covariances(centres, variances, paired=same_item)
    subject = logit_covariances(centres, variances, paired=same_subject)
    toss = mean - mean**2 - np.diag(item)
    lost = seen.faults * (1 - seen.faults) * seen.fault_batch * mean**2
    covariance = (item + np.diag(toss / seen.epochs + lost) - subject) / seen.items
    if new_subjects:
        covariance = covariance + subject * (1 + seen.size_cv**2) / seen.subjects
    found: Floats = covariance / seen.benchmarks
    return found


def _panel_covariance(seen: Panel, teams: int) -> Floats:
    """Return the covariance of fitted worths when each rater reads the same number of teams.

    A balanced incomplete plan estimates differences with efficiency K(r - 1)/(r(K - 1)) (Cochran
    and Cox 1957, chapter 11); a rater of one team tells nothing of their severity.
    """
    each = min(seen.teams_each or teams, teams)
    readings = seen.raters * each / teams
    if each == 1:
        return np.eye(teams) * (seen.severity_sd**2 + seen.residual_sd**2) / readings
    efficiency = teams * (each - 1) / (each * (teams - 1)) if teams > 1 else 1.0
    own = np.eye(teams) * seen.residual_sd**2 / (readings * efficiency)
    found: Floats = own + seen.severity_sd**2 / seen.raters
    return found


def _ballot_moments(seen: Ballots, strengths: Floats) -> tuple[Floats, Floats]:
    """Return means and covariance of win shares.

    Two votes of one voter on the pairs a and b share the voter's tastes; one vote is a toss. With
    P pairs, n voters and k votes of each: diag π(1 - π) P/(n k) + C (k - 1)/(k n).
    """
    teams = len(strengths)
    pairs = list(combinations(range(teams), 2))
    signs = np.zeros((len(pairs), teams))
    for row, (first, second) in enumerate(pairs):
        signs[row, first], signs[row, second] = 1.0, -1.0
    gaps = signs @ strengths
    paired = seen.taste_sd**2 * (signs @ signs.T)
    tastes = logit_covariances(gaps, np.diag(paired).copy(), paired=paired)
    chances = logit_means(gaps, sd=seen.taste_sd * float(np.sqrt(2)))
    ballots = seen.voters * seen.votes_each
    covariance = np.diag(chances * (1 - chances)) * len(pairs) / ballots
    covariance += tastes * (seen.votes_each - 1) / ballots
    to_shares = signs.T / (teams - 1)
    found: Floats = to_shares @ covariance @ to_shares.T
    return win_means(strengths, taste_sd=seen.taste_sd), found


@lru_cache(maxsize=64)
def _win_table(taste_sd: float) -> tuple[Floats, Floats]:
    """Return strengths' differences and the chance of winning at each, to be read off."""
    grid = np.linspace(-_WIDEST, _WIDEST, _GRID)
    return grid, logit_means(grid, sd=taste_sd * float(np.sqrt(2)))


@cache
def _quadrature() -> tuple[Floats, Floats]:
    """Return nodes and weights of the normal distribution.

    Equal steps: for what is smooth on the whole line their error falls off exponentially, and
    where the logistic curve is steep they are closer than as many Gauss-Hermite nodes.
    """
    nodes = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


def _logistic(x: Floats) -> Floats:
    found: Floats = 0.5 * (1 + np.tanh(x / 2))
    return found
