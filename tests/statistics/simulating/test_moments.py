import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from dokja.evidence.statistics.simulating import Ballots, Benchmarks, Panel, PartDesign
from dokja.evidence.statistics.simulating.moments import (
    abilities_of,
    logit_covariances,
    logit_means,
    moments_of,
    win_means,
)


def part(seen, **more):
    return PartDesign(part="part", points=10, seen_by=seen, **({"scale": "absolute"} | more))


def agree(found, drawn, *, within):
    """Means and covariances of draws, each within so many of its own standard errors."""
    draws = len(drawn)
    se = np.sqrt(np.diag(found.covariance) / draws)
    assert np.abs(drawn.mean(axis=0) - found.mean[: found.teams]).max() <= (within * se).max()
    seen = np.cov(drawn.T)
    sd = np.sqrt(np.diag(found.covariance))
    slack = within * np.sqrt(2 / draws) * np.outer(sd, sd)
    assert (np.abs(seen - found.covariance) <= slack).all()


@pytest.mark.parametrize("epochs", [1, 3])
def test_benchmark_moments_are_those_of_single_responses(rng, slow, epochs):
    sizes = (15, 10, 5, 10)
    cv = float(np.std(sizes) / np.mean(sizes))
    seen = Benchmarks(items=40, subjects=4, size_cv=cv, epochs=epochs, difficulty_sd=2.0)
    truth = np.array([0.6, 0.75])
    whole = sum(
        sd**2
        for sd in (seen.difficulty_sd, seen.subject_sd, seen.team_subject_sd, seen.team_item_sd)
    )
    abilities = abilities_of(truth, sd=whole**0.5)

    drawn = np.array(
        [slow.benchmark_means(seen, abilities, rng, sizes=sizes) for _ in range(1_000)]
    )

    agree(moments_of(part(seen), truth), drawn, within=4.5)


def test_panel_moments_are_those_of_single_marks(rng, slow):
    seen = Panel(raters=4, severity_sd=0.05, residual_sd=0.1)
    truth = np.array([0.5, 0.6, 0.7])

    drawn = np.array([slow.panel_means(seen, truth, rng) for _ in range(3_000)])

    agree(moments_of(part(seen), truth), drawn, within=4.5)


def test_ballot_moments_are_those_of_single_votes(rng, slow):
    seen = Ballots(voters=12, votes_each=5, taste_sd=1.0)
    strengths = np.array([0.6, 0.0, -0.4])

    drawn = np.array([slow.win_shares(seen, strengths, rng) for _ in range(2_000)])

    # Votes are dealt round the pairs here, and spread at random over them in the formula.
    agree(moments_of(part(seen), strengths), drawn, within=4.5)


@pytest.mark.parametrize("sd", [0.3, 1.9, 4.2])
@pytest.mark.parametrize("centre", [-2.0, 0.0, 1.3])
def test_mean_over_normal_log_odds_equals_its_integral(centre, sd):
    found = logit_means(np.array([centre]), sd=sd)[0]

    expected, _ = integrate.quad(
        lambda z: stats.norm.pdf(z) / (1 + np.exp(-(centre + sd * z))), -9, 9, limit=200
    )
    assert found == pytest.approx(expected, abs=1e-7)


def test_covariance_of_the_same_draw_is_the_variance():
    centres, variance = np.array([0.5, -1.0]), np.array([2.0, 2.0])
    nodes = np.random.default_rng(3).standard_normal((400_000, 2))
    chances = 1 / (1 + np.exp(-(centres + 2**0.5 * nodes)))

    found = logit_covariances(centres, variance, paired=np.diag(variance))

    assert np.diag(found) == pytest.approx(chances.var(axis=0), rel=0.01)
    assert found[0, 1] == pytest.approx(0.0, abs=1e-12)


@given(st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4), st.floats(0.1, 4.0))
def test_ability_gives_back_its_share(shares, sd):
    wanted = np.array(shares)

    assert logit_means(abilities_of(wanted, sd=sd), sd=sd) == pytest.approx(wanted, abs=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6), st.floats(0, 2))
def test_win_shares_average_one_half(strengths, taste):
    assert win_means(np.array(strengths), taste_sd=taste).mean() == pytest.approx(0.5, abs=1e-6)


def test_readers_of_some_teams_tell_less_of_differences_than_readers_of_all():
    truth = np.full(5, 0.7)

    def difference(each):
        found = moments_of(part(Panel(raters=10, teams_each=each)), truth).covariance
        return found[0, 0] - found[0, 1]

    alone, some, every = difference(1), difference(3), difference(None)

    # Efficiency 5·2/(3·4), and three fifths of the readings.
    assert some / every == pytest.approx(1 / (5 * 2 / (3 * 4)) * 5 / 3)
    assert alone / every == pytest.approx(5 * (0.08**2 + 0.1**2) / 0.1**2)


def test_more_items_of_the_same_subjects_cannot_cure_subjects():
    truth = np.array([0.7, 0.7])

    def difference(**more):
        found = moments_of(part(Benchmarks(**more)), truth).covariance
        return found[0, 0] - found[0, 1]

    few, many, endless = (difference(items=n) for n in (100, 400, 10**9))

    assert few > many > endless > 0
    assert difference(items=10**9, subjects=20) == pytest.approx(endless / 2)


def test_blueprint_and_benchmarks_bracket_new_subjects():
    seen, truth = part(Benchmarks(benchmarks=13)), np.array([0.7, 0.7])

    errors = [
        moments_of(seen, truth, generalise_to=asked).covariance[0, 0]
        for asked in ("blueprint", "new-clusters", "new-benchmarks")
    ]

    assert errors == sorted(errors)
    assert errors[2] - errors[1] == pytest.approx(0.04**2 / 13)
