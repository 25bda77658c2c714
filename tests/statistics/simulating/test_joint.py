"""Draws of parts from what was observed: estimates, covariances, and what cannot be drawn."""

import numpy as np
import pytest

from dokja.evidence.statistics import bradley_terry, rater_mean
from dokja.evidence.statistics.contrasts import Basis, layout_of
from dokja.evidence.statistics.simulating import (
    Ballots,
    Benchmarks,
    Form,
    Panel,
    PartDesign,
    ballot_draws,
    benchmark_draws,
    panel_draws,
)
from dokja.evidence.statistics.simulating.moments import moments_of
from dokja.evidence.statistics.simulating.people import drawn_marks, drawn_votes
from dokja.evidence.statistics.simulating.responses import response_model, subject_sizes

DRAWS = 20_000


@pytest.fixture
def forms(rng):
    """Two benchmarks of nine subjects, answered by three teams and a reference."""
    model = response_model(Benchmarks(items=90, subjects=9, size_cv=0.0), [0.8, 0.7, 0.6, 0.85])
    layout = layout_of(90, strata=model.subjects, clusters=model.subjects)
    return [Form(name=n, values=model.drawn(rng).values, layout=layout) for n in ("one", "other")]


def matrix(marks, teams):
    raters = sorted({mark.rater for mark in marks})
    found = np.full((len(raters), teams), np.nan)
    for mark in marks:
        found[raters.index(mark.rater), int(mark.team.removeprefix("team-"))] = mark.value
    return found


def clustered_covariance(form):
    """G/(G-1) Σ S S' over clusters, for all systems at once, cluster by cluster."""
    codes, weights = form.layout.clusters.codes, form.layout.weights
    means = weights @ form.values
    total = np.zeros((len(means), len(means)))
    for cluster in set(codes.tolist()):
        pull = (weights[:, None] * (form.values - means))[codes == cluster].sum(axis=0)
        total += np.outer(pull, pull)
    count = form.layout.clusters.count
    return count / (count - 1) * total


def test_benchmarks_are_drawn_with_the_clustered_covariance(forms):
    found = benchmark_draws("b", forms, points=20, scale="to-target", teams=3, draws=DRAWS, seed=3)

    expected = sum(clustered_covariance(form) for form in forms) / 4
    joint = np.column_stack([found.drawn, found.references_drawn])
    deviations = np.sqrt(np.diag(expected))
    assert np.cov(joint.T) == pytest.approx(expected, abs=0.06 * float(deviations.max() ** 2))
    assert joint.mean(axis=0) == pytest.approx(
        [*found.estimate, *found.references], abs=0.1 * float(deviations.max())
    )


def test_benchmarks_are_drawn_apart_and_by_what_is_asked(forms):
    same = [Form(name=n, values=forms[0].values, layout=forms[0].layout) for n in ("a", "b")]

    def variance(forms, basis=Basis.CLUSTERS):
        found = benchmark_draws(
            "b", forms, points=20, scale="absolute", teams=4, draws=4_000, seed=3, basis=basis
        )
        return float(found.drawn[:, 0].var())

    alone, both, within = variance(same[:1]), variance(same), variance(same[:1], Basis.STRATA)

    assert both == pytest.approx(alone / 2, rel=0.15)  # and not the same: other items each
    assert within < alone


@pytest.mark.parametrize("each", [None, 3])
def test_panel_agrees_with_the_rater_mean(rng, each):
    marks = drawn_marks(Panel(raters=10, teams_each=each), np.linspace(0.4, 0.6, 5), rng)

    found = panel_draws(
        "expert", matrix(marks, 5), points=35, scale="absolute", draws=DRAWS, seed=3
    )

    expected = rater_mean(marks, level=0.95, scale=(0.0, 1.0))
    for team in range(5):
        estimate = expected.of(f"team-{team}")
        assert found.estimate[team] == pytest.approx(estimate.value)
        slack = 0.05 if each is None else 0.35  # the jackknife is not the bootstrap
        assert found.drawn[:, team].std() == pytest.approx(estimate.standard_error, rel=slack)


def test_severe_rater_is_felt_by_all_that_he_read_alike():
    even = np.array([[0.3, 0.5], [0.1, 0.3], [0.5, 0.7]])

    found = panel_draws("expert", even, points=35, scale="absolute", draws=500, seed=3)

    assert np.ptp(found.drawn[:, 1] - found.drawn[:, 0]) == pytest.approx(0, abs=1e-9)
    assert found.drawn[:, 0].std() > 0.05


def test_team_that_nobody_read_is_missing_and_not_zero():
    marks = np.array([[0.3, np.nan, 0.5], [0.1, np.nan, 0.4], [0.5, np.nan, 0.7]])

    found = panel_draws("expert", marks, points=35, scale="absolute", draws=50, seed=3)

    assert np.isnan(found.estimate).tolist() == [False, True, False]
    assert np.isnan(found.drawn[:, 1]).all()


def test_ballots_agree_with_bradley_terry(rng):
    votes = drawn_votes(Ballots(voters=60), np.array([0.5, 0.0, -0.5]), rng)
    voters = sorted({vote.voter for vote in votes})
    wins = np.zeros((60, 3, 3))
    for vote in votes:
        left, right = (int(side.removeprefix("team-")) for side in (vote.left, vote.right))
        won = (left, right) if vote.choice == "left" else (right, left)
        wins[voters.index(vote.voter)][won] += 1

    found = ballot_draws("user", wins, points=25, scale="to-best", draws=2_000, seed=3)

    expected = bradley_terry(votes, level=0.95, seed=5)
    for team in range(3):
        share = expected.of(f"team-{team}").share
        assert found.estimate[team] == pytest.approx(share.value)
        assert found.drawn[:, team].std() == pytest.approx(share.standard_error, rel=0.1)


@pytest.mark.parametrize(
    "marks",
    [
        np.array([[0.1, 0.2]]),
        np.array([[0.1, 0.2, np.nan, np.nan], [np.nan, np.nan, 0.3, 0.4]]),
        np.full((3, 2), np.nan),
    ],
)
def test_marks_that_do_not_tell_teams_from_raters_are_refused(marks):
    with pytest.raises(ValueError, match="from its raters"):
        panel_draws("expert", marks, points=35, scale="absolute", draws=10, seed=1)


def test_what_cannot_be_drawn_again_is_refused(forms):
    more = {"points": 20, "scale": "absolute", "draws": 10, "seed": 1}
    one = Form(name="one", values=np.ones((4, 2)), layout=layout_of(4, clusters=["a"] * 4))

    with pytest.raises(ValueError, match="1 unit"):
        benchmark_draws("b", [one], teams=2, **more)
    with pytest.raises(ValueError, match="same systems"):
        benchmark_draws("b", [one, forms[0]], teams=2, **more)
    with pytest.raises(ValueError, match="do not connect"):
        ballot_draws("user", np.zeros((3, 2, 2)), **more)


@pytest.mark.parametrize("cv", [0.0, 0.3, 0.6])
def test_subject_sizes_add_up_and_vary_as_asked(cv):
    sizes = subject_sizes(1_000, 11, cv=cv)

    assert sizes.sum() == 1_000
    assert sizes.min() >= 1
    assert sizes.std() / sizes.mean() == pytest.approx(cv, abs=0.01)


def test_responses_have_the_moments_of_the_model(rng):
    seen = Benchmarks(items=80, subjects=4, size_cv=0.4, epochs=2)
    model = response_model(seen, [0.7, 0.8])

    drawn = np.array([model.drawn(rng).values.mean(axis=0) for _ in range(3_000)])

    part = PartDesign(part="b", points=10, scale="absolute", seen_by=seen)
    found = moments_of(part, np.array([0.7, 0.8]))
    deviations = np.sqrt(np.diag(found.covariance))
    assert drawn.mean(axis=0) == pytest.approx(
        found.mean, abs=5 * float(deviations.max()) / 3_000**0.5
    )
    assert np.cov(drawn.T) == pytest.approx(found.covariance, rel=0.1)


def test_truth_within_subjects_is_what_endless_items_of_them_would_give(rng):
    seen = Benchmarks(items=200_000, subjects=4, team_subject_sd=1.0)

    form = response_model(seen, [0.7, 0.8]).drawn(rng)

    assert form.values.mean(axis=0) == pytest.approx(form.within, abs=0.005)
    assert abs(form.within - [0.7, 0.8]).max() > 0.01


def test_faults_take_whole_batches_of_one_system(rng):
    seen = Benchmarks(items=1_000, subjects=5, faults=0.1, fault_batch=50)

    form = response_model(seen, [0.7, 0.8]).drawn(rng)

    assert 0 < form.lost.mean() < 0.3
    assert (form.values[form.lost] == 0).all()
    batches = form.lost.reshape(20, 50, 2)
    assert (batches.all(axis=1) == batches.any(axis=1)).all()
