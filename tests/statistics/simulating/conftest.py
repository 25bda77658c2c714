"""A stage with a known error, and the slow twin: every response, mark and vote one by one."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from dokja.evidence.statistics.simulating import Panel, PartDesign, StageDesign


@pytest.fixture
def panel_stage():
    """A stage of one part that ten people mark: its error is known in closed form."""

    def made(teams=2, places=1, *, raters=10, residual_sd=0.1, **more):
        part = PartDesign(
            part="expert",
            points=100,
            scale="absolute",
            seen_by=Panel(raters=raters, residual_sd=residual_sd),
            level=0.6,
            spread=0.05,
        )
        return StageDesign(teams=teams, places=places, parts=(part,), **more)

    return made


@pytest.fixture
def rng():
    return np.random.default_rng(20_261_101)


def chance(x):
    return 1 / (1 + np.exp(-x))


def benchmark_means(seen, abilities, rng, *, sizes):
    """Return each team's share right of one benchmark, answered item by item."""
    teams = len(abilities)
    right, asked = np.zeros(teams), 0
    for size in sizes:
        subject = rng.normal(0, seen.subject_sd)
        liking = rng.normal(0, seen.team_subject_sd, teams)
        for _ in range(size):
            difficulty = rng.normal(0, seen.difficulty_sd)
            own = rng.normal(0, seen.team_item_sd, teams)
            p = chance(abilities - difficulty + subject + liking + own)
            right += rng.binomial(seen.epochs, p) / seen.epochs
            asked += 1
    return right / asked


def panel_means(seen, truth, rng):
    """Return each team's mean mark, marked rater by rater."""
    teams = len(truth)
    sums = np.zeros(teams)
    for _ in range(seen.raters):
        sums += truth + rng.normal(0, seen.severity_sd) + rng.normal(0, seen.residual_sd, teams)
    return sums / seen.raters


def win_shares(seen, strengths, rng):
    """Return each team's share of wins, mean over opponents, voted one by one."""
    teams = len(strengths)
    pairs = list(combinations(range(teams), 2))
    won, met = np.zeros((teams, teams)), np.zeros((teams, teams))
    start = 0
    for _ in range(seen.voters):
        taste = rng.normal(0, seen.taste_sd, teams)
        for _ in range(seen.votes_each):
            one, other = pairs[start % len(pairs)]
            start += 1
            first = rng.random() < chance(
                strengths[one] + taste[one] - strengths[other] - taste[other]
            )
            won[one, other] += first
            won[other, one] += not first
            met[one, other] += 1
            met[other, one] += 1
    share = won / np.where(met, met, 1)
    return share.sum(axis=1) / (teams - 1)


@pytest.fixture
def slow():
    """What the moments must agree with."""
    return SimpleNamespace(
        benchmark_means=benchmark_means, panel_means=panel_means, win_shares=win_shares
    )
