from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from dokja.evidence.statistics.simulating import (
    Ballots,
    Benchmarks,
    Panel,
    PartDesign,
    StageDesign,
    simulate,
)
from dokja.evidence.statistics.simulating.drawing import drawn_stage
from dokja.evidence.statistics.simulating.fields import (
    drawn_field,
    field_at,
    scaled,
    true_points,
)
from dokja.evidence.statistics.simulating.levers import evidence_levers, rule_levers

DRAWS = 62_500
WITHIN = 5  # Monte Carlo errors: one false alarm in about a million figures


def real(**more):
    """A stage like the real programme's: 40 by benchmarks, 35 by experts, 25 by users."""
    parts = (
        PartDesign(
            part="benchmark", points=40, scale="absolute", seen_by=Benchmarks(benchmarks=13)
        ),
        PartDesign(part="expert", points=35, scale="absolute", seen_by=Panel()),
        PartDesign(part="user", points=25, scale="to-best", seen_by=Ballots(), spread=0.4),
    )
    return StageDesign(**({"teams": 5, "places": 4, "parts": parts} | more))


@pytest.fixture(scope="module")
def found():
    """What becomes of such a stage."""
    return simulate(real(), gaps=[0.5, 1.0, 2.0, 4.0, 8.0], draws=8_000, seed=9)


@pytest.mark.parametrize("gap", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("raters", [5, 20])
def test_two_teams_are_mistaken_with_the_normal_probability(panel_stage, gap, raters):
    stage = panel_stage(raters=raters)

    (at,) = simulate(stage, gaps=[gap], draws=DRAWS, seed=7).curve

    sd = 100 * 0.1 * (2 / raters) ** 0.5
    expected = NormalDist().cdf(-gap / sd)
    assert at.outcome.wrong == pytest.approx(expected, abs=WITHIN * at.outcome.error)
    assert at.outcome.error <= 0.002


@pytest.mark.parametrize("teams", [2, 3, 5, 10])
def test_exchangeable_teams_are_last_equally_often(panel_stage, teams):
    drawn = drawn_stage(panel_stage(teams=teams), np.zeros(teams), draws=DRAWS, seed=3)

    last = np.bincount(drawn.totals.argmin(axis=1), minlength=teams) / DRAWS

    assert last == pytest.approx(np.full(teams, 1 / teams), abs=WITHIN * 0.002)


def test_random_pair_is_mistaken_by_the_angle_between_truth_and_score(panel_stage):
    # Truth and score of a difference are jointly normal: P(signs differ) = arccos(ρ)/π (Sheppard).
    stage = panel_stage(raters=10)

    overall = simulate(stage, gaps=[1.0], draws=DRAWS, seed=11).overall

    true_sd, noise_sd = 5.0, 100 * 0.1 / 10**0.5
    rho = true_sd / (true_sd**2 + noise_sd**2) ** 0.5
    assert overall.wrong == pytest.approx(np.arccos(rho) / np.pi, abs=WITHIN * overall.error)


def test_needed_gap_is_the_normal_quantile(panel_stage):
    found = simulate(panel_stage(), gaps=[1.0], draws=DRAWS, seed=7, wanted=[0.1, 0.05])

    sd = 100 * 0.1 * (2 / 10) ** 0.5
    for share, gap in found.needed:
        assert gap == pytest.approx(-NormalDist().inv_cdf(share) * sd, rel=0.03)
    assert found.noise_sd == pytest.approx(sd, rel=0.02)


def test_the_curve_falls_and_the_same_seed_gives_the_same_figures(found):
    again = simulate(real(), gaps=[8.0, 4.0, 2.0, 1.0, 0.5], draws=8_000, seed=9)

    errors = [at.outcome.wrong for at in found.curve]
    assert errors == sorted(errors, reverse=True)
    assert again.curve == found.curve
    assert [one.outcome for one in again.levers] == [one.outcome for one in found.levers]


def test_four_times_the_readers_of_one_panel_leave_half_its_error(panel_stage):
    found = simulate(panel_stage(), gaps=[1.0], draws=DRAWS, seed=2)

    by_readers = {e.lever.after: e.outcome.wrong for e in found.levers if e.lever.kind == "raters"}

    true_sd = 5.0
    for readers, wrong in by_readers.items():
        rho = true_sd / (true_sd**2 + (10 / readers**0.5) ** 2) ** 0.5
        assert wrong == pytest.approx(np.arccos(rho) / np.pi, abs=0.01)
    assert set(by_readers) == {20, 40}


def read_once(*names):
    """A stage of equal parts in which each rater reads one team of six, and severity stays in.

    That every rater reads all teams leaves a third of a part's error: the marks become six times
    as many, and severity cancels.
    """
    seen = Panel(raters=120, teams_each=1)
    parts = tuple(
        PartDesign(part=name, points=100 / len(names), scale="absolute", seen_by=seen)
        for name in names
    )
    return StageDesign(teams=6, places=3, parts=parts)


def test_halving_names_a_single_lever_that_does():
    found = simulate(read_once("one"), gaps=[1.0], draws=8_000, seed=2)

    best = found.halving[0]
    assert [(lever.kind, lever.before, lever.after) for lever in best.levers] == [("reads", 1, 6)]
    assert best.outcome.wrong <= found.overall.wrong / 2


def test_halving_finds_a_pair_where_no_single_lever_does():
    found = simulate(read_once("one", "other"), gaps=[1.0], draws=8_000, seed=4)

    assert all(effect.outcome.wrong > found.overall.wrong / 2 for effect in found.levers[:6])
    best = found.halving[0]
    assert {(lever.kind, lever.part) for lever in best.levers} == {
        ("reads", "one"),
        ("reads", "other"),
    }
    assert best.outcome.wrong <= found.overall.wrong / 2


def test_halving_leaves_no_spare_lever_where_three_do_not():
    found = simulate(read_once("a", "b", "c", "d"), gaps=[1.0], draws=8_000, seed=9)

    (way,) = found.halving
    assert sorted((lever.kind, lever.part) for lever in way.levers) == [
        ("reads", name) for name in "abcd"
    ]
    assert found.everything.wrong <= way.outcome.wrong <= found.overall.wrong / 2


def test_where_nothing_halves_that_is_said():
    stage = StageDesign(
        teams=2,
        places=1,
        parts=(
            PartDesign(
                part="b",
                points=100,
                scale="absolute",
                seen_by=Benchmarks(subjects=2, items=8),
                spread=0.01,
            ),
        ),
    )

    found = simulate(stage, gaps=[1.0], draws=8_000, seed=9)

    assert found.halving == ()
    assert found.everything.wrong > found.overall.wrong / 2


def test_every_lever_changes_what_it_says_and_nothing_else():
    stage = real(ties="undecided")

    for lever in (*evidence_levers(stage), *rule_levers(stage, margin=1.0)):
        assert lever.stage != stage
        assert lever.apply(stage) == lever.stage
        assert [p.points for p in lever.stage.parts] == [p.points for p in stage.parts]
        of_rule = lever.kind in {"tie-rule", "level-within"}
        assert (lever.stage.parts == stage.parts) == of_rule


def test_levers_of_different_things_add_up():
    stage = real()
    levers = {(lever.kind, lever.part): lever for lever in evidence_levers(stage)}

    both = levers["voters", "user"].apply(levers["votes", "user"].apply(stage))

    seen = both.parts[2].seen_by
    assert (seen.voters, seen.votes_each) == (200, 20)


def test_a_margin_trades_mistakes_for_teams_left_open(found):
    margins = {e.lever.after: e.outcome for e in found.levers if e.lever.kind == "level-within"}
    open_, all_on = margins.values()

    assert open_.wrong == all_on.wrong < found.overall.wrong
    assert open_.undecided > 0.1
    assert all_on.undecided == 0
    assert all_on.going > 4 > open_.going


def test_noise_shares_add_up_and_subjects_are_told_apart(found):
    assert sum(one.share for one in found.noise) == pytest.approx(1)
    assert sum(one.sd**2 for one in found.noise) == pytest.approx(found.noise_sd**2)
    assert [one.subjects is None for one in found.noise] == [False, True, True]
    assert 0 < found.noise[0].subjects < 1


def test_doubts_change_the_answer_in_the_way_that_they_must(found):
    told = {
        (d.doubt.quantity, d.doubt.part, d.doubt.instead): d.outcome.wrong for d in found.doubts
    }

    now = found.overall.wrong
    assert told["spread", None, 0.5] > now > told["spread", None, 2.0]
    assert told["residual_sd", "expert", 0.2] > now > told["residual_sd", "expert", 0.05]
    assert told["taste_sd", "user", 1.0] > now
    assert told["generalise_to", None, "new-benchmarks"] > told["generalise_to", None, "blueprint"]


def test_field_at_a_gap_has_this_gap_under_every_scale():
    target = PartDesign(
        part="target",
        points=30,
        scale="to-target",
        seen_by=Benchmarks(reference_level=0.9),
    )
    stage = replace(real(), parts=(*real().parts, target))

    standings = field_at(stage, gap=3.0)

    totals = sum(true_points(part, standings) for part in stage.parts)
    assert totals[3] - totals[4] == pytest.approx(3.0)
    assert (np.diff(totals) < 0).all()


def test_gap_that_rules_cannot_show_is_left_out(panel_stage):
    found = simulate(panel_stage(), gaps=[1.0, 500.0], draws=1_000, seed=1)

    assert [at.gap for at in found.curve] == [1.0]
    with pytest.raises(ValueError, match="no two teams"):
        field_at(panel_stage(), gap=500.0)


def test_random_field_has_the_agreement_that_was_asked():
    field = drawn_field(real(agreement=0.3), draws=20_000, seed=1)

    correlation = np.corrcoef(field.transpose(1, 0, 2).reshape(3, -1))

    assert field.std() == pytest.approx(1, abs=0.01)
    assert correlation[np.triu_indices(3, 1)] == pytest.approx(0.3, abs=0.02)


def test_target_gives_all_points_and_no_more():
    part = PartDesign(part="target", points=10, scale="to-target", seen_by=Benchmarks())

    points = scaled(np.array([[0.9, 0.4]]), part, references=np.array([[0.8, 0.5]]))

    assert points.tolist() == [[10.0, 5.0]]
    with pytest.raises(ValueError, match="no reference"):
        scaled(np.array([0.9]), part)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"places": 5}, "nothing to cut"),
        ({"parts": ()}, "parts, each once"),
        ({"ties": "part"}, "cannot be broken"),
        ({"agreement": 1.5}, "agreement"),
        ({"generalise_to": "all"}, "generalise_to"),
    ],
)
def test_design_that_makes_no_stage_is_refused(change, told):
    with pytest.raises(ValueError, match=told):
        real(**change)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Benchmarks, {"items": 0}),
        (Benchmarks, {"items": 5, "subjects": 6}),
        (Benchmarks, {"faults": 1.0}),
        (Panel, {"raters": 0}),
        (Panel, {"residual_sd": -0.1}),
        (Ballots, {"votes_each": 0}),
    ],
)
def test_observation_that_cannot_be_made_is_refused(kind, change):
    with pytest.raises(ValueError, match=r"must be|cannot come|lie between"):
        kind(**change)
