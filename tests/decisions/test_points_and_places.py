"""Sums, places, ties, orders without points, and entrants whom nobody named."""

import math

import pytest

from dokja.values import Estimate, MissingReason

TIES = "stages.first.ties"


def standing(programme, team):
    return next(one for one in programme.decision().teams if one.team == team)


def verdicts(programme):
    return {one.team: one.advances.verdict.value for one in programme.decision().teams}


def points(programme, team):
    """The ruling on a team's points alone."""
    return standing(programme, team).advances.parts[-1]


def score(programme, team, part):
    return next(one for one in standing(programme, team).scores if one.part == part).score


def test_published_parts_sum_to_the_published_total(points_only, a_part):
    parts = [a_part("benchmark", 40), a_part("expert", 35), a_part("user", 25)]
    programme = points_only(1, {"stages.first.parts": parts}).entrants("lg")
    for part, value in [("benchmark", 33.6), ("expert", 31.6), ("user", 25.0)]:
        programme.score("lg", part, value, rounded=0.1)

    total = standing(programme, "lg").total

    assert total.value == pytest.approx(90.2)
    assert (total.low, total.high) == (pytest.approx(90.05), pytest.approx(90.3))  # 25 is all
    assert (total.kind.value, total.standard_error) == ("rounding", None)


def test_sampling_errors_add_in_quadrature_and_rounding_as_it_is(points_only):
    programme = points_only().entrants("garam")
    programme.score("garam", "items", 20, error=3).score("garam", "speed", 10, error=4)
    programme.score("garam", "expert", 20, rounded=1)

    total = standing(programme, "garam").total

    half = 1.959963984540054 * 5 + 0.5
    assert total.standard_error == pytest.approx(5)
    assert (total.low, total.high) == (pytest.approx(50 - half), pytest.approx(50 + half))


def test_exact_parts_make_an_exact_total(points_only):
    programme = points_only().entrants("garam")
    programme.score("garam", "bench", 50).score("garam", "expert", 30)

    total = standing(programme, "garam").total

    assert (total.value, total.low, total.high, total.kind.value) == (80, 80, 80, "exact")


def test_score_that_was_given_counts_before_the_sum(points_only):
    programme = points_only().entrants("garam")
    programme.score("garam", "bench", 50, rounded=0.1)
    programme.score("garam", "items", 33, rounded=0.1).score("garam", "speed", 17.1, rounded=0.1)

    assert score(programme, "garam", "bench").value == 50


def test_sum_of_which_a_part_is_missing_names_it(points_only):
    programme = points_only().entrants("garam").score("garam", "items", 33)

    bench = score(programme, "garam", "bench")
    total = standing(programme, "garam").total

    assert (bench.reason, bench.what) == (MissingReason.PARTS_MISSING, ("speed",))
    assert (total.reason, total.what) == (MissingReason.PARTS_MISSING, ("bench", "expert"))


@pytest.mark.parametrize(
    ("published", "reason"), [(False, "not-measured"), (True, "not-published")]
)
def test_missing_score_says_whether_anybody_holds_it(points_only, published, reason):
    programme = points_only().entrants("garam", "narae")
    if published:
        programme.outcome(["garam"], {"narae": "points"})

    assert {row.reason for row in programme.decision().missing} == {reason}


def test_missing_part_is_neither_zero_nor_anything_else(points_only):
    programme = points_only().entrants("garam", "narae").totals({"narae": 60})
    programme.score("garam", "bench", 50)

    assert verdicts(programme) == {"garam": "undecided", "narae": "undecided"}


@pytest.mark.parametrize(("bench", "said"), [(19.9, "fails"), (60, "undecided")])
def test_missing_part_that_could_not_change_it_does_not_hold_it_up(points_only, bench, said):
    programme = points_only().entrants("garam", "narae").totals({"narae": 60})

    programme.score("garam", "bench", bench)

    assert verdicts(programme)["garam"] == said


def test_missing_part_can_be_too_small_to_matter(points_only):
    programme = points_only().entrants("garam", "narae").totals({"narae": 39})
    programme.score("garam", "bench", 40)

    assert verdicts(programme) == {"garam": "holds", "narae": "fails"}


def test_points_that_rounding_cannot_tell_apart_are_undecided(points_only):
    programme = points_only().entrants("garam", "narae")
    programme.totals({"garam": 60.4, "narae": 60.0}, rounded=1)

    assert verdicts(programme) == {"garam": "undecided", "narae": "undecided"}


def test_points_that_sampling_cannot_tell_apart_are_decided_and_said_to_be_unsure(points_only):
    programme = points_only().entrants("garam", "narae")
    programme.totals({"garam": 60.4, "narae": 60.0}, error=3)

    decision = programme.decision()

    assert decision.outcome.advance == ("garam",)
    assert decision.reliability.wrong.low > 0.4
    assert [reason.code for reason in decision.reliability.settles] == ["observations-would-settle"]


@pytest.mark.parametrize(
    ("ties", "said"),
    [
        ({"rule": "undecided"}, ("holds", "undecided", "undecided", "fails")),
        ({"rule": "all-advance"}, ("holds", "holds", "holds", "fails")),
        ({"rule": "part", "part": "expert"}, ("holds", "fails", "holds", "fails")),
    ],
)
def test_tie_at_the_cut_is_dealt_with_as_the_rules_say(points_only, ties, said):
    programme = points_only(2, {TIES: ties}).entrants("dasom", "garam", "maru", "narae")
    scores = {"dasom": (50, 30), "garam": (50, 20), "maru": (40, 30), "narae": (20, 20)}
    for team, (bench, expert) in scores.items():
        programme.score(team, "bench", bench).score(team, "expert", expert)

    assert tuple(verdicts(programme).values()) == said


def test_tie_that_the_part_cannot_break_stays_open(points_only):
    programme = points_only(1, {TIES: {"rule": "part", "part": "expert"}})
    programme.entrants("garam", "narae")
    for team in ("garam", "narae"):
        programme.score(team, "bench", 40).score(team, "expert", 20)

    assert verdicts(programme) == {"garam": "undecided", "narae": "undecided"}


def test_tie_waits_for_the_part_that_breaks_it(points_only):
    ties = {"stages.first.ties": {"rule": "part", "part": "expert"}}
    programme = points_only(1, ties).entrants("garam", "narae").totals({"garam": 60, "narae": 60})
    programme.score("garam", "expert", 30)

    settles = programme.decision().reliability.settles

    assert verdicts(programme) == {"garam": "undecided", "narae": "undecided"}
    assert [one.code for one in points(programme, "garam").reasons] == ["places-open", "tie-at-cut"]
    assert [(one.code, one.params["team"], one.params["part"]) for one in settles] == [
        ("score-would-settle", "narae", "expert")
    ]


@pytest.mark.parametrize(
    ("ties", "chances"),
    [
        ({"rule": "undecided"}, {"garam": 0.5, "narae": 0.5}),
        ({"rule": "all-advance"}, {"garam": 1, "narae": 1}),
        ({"rule": "part", "part": "expert"}, {"garam": 0, "narae": 1}),
    ],
)
def test_probability_knows_how_ties_are_broken(points_only, ties, chances):
    programme = points_only(1, {"stages.first.ties": ties}).entrants("garam", "narae", "maru")
    programme.totals({"garam": 60, "narae": 60, "maru": 10})
    programme.score("garam", "expert", 20).score("narae", "expert", 30)

    found = {one.team: one.chance.advance for one in programme.decision().teams}

    assert {team: (found[team].low, found[team].high) for team in found} == {
        **{team: (share, share) for team, share in chances.items()},
        "maru": (0, 0),
    }


def test_tie_away_from_the_cut_holds_nobody_up(points_only):
    programme = points_only(2).entrants("garam", "maru", "narae")
    programme.totals({"garam": 60, "narae": 60, "maru": 50})

    assert verdicts(programme) == {"garam": "holds", "maru": "fails", "narae": "holds"}


def test_published_order_decides_without_a_single_score(points_only):
    programme = (
        points_only(2).entrants("garam", "maru", "narae").order(["garam", "narae"], ["maru"])
    )

    decision = programme.decision()
    ranks = {one.team: (one.ranks.best, one.ranks.worst) for one in decision.teams}

    assert decision.outcome.advance == ("garam", "narae")
    assert ranks == {"garam": (1, 2), "maru": (3, 3), "narae": (1, 2)}
    assert {one.total.reason.value for one in decision.teams} == {"not-published"}
    assert {one.ranks.basis.value for one in decision.teams} == {"published-order"}


def test_published_order_and_a_score_tell_more_together(points_only):
    programme = points_only(1).entrants("garam", "maru", "narae")
    programme.order(["garam"], ["maru", "narae"]).totals({"maru": 40, "narae": 50})

    ranks = {one.team: (one.ranks.best, one.ranks.worst) for one in programme.decision().teams}

    assert ranks == {"garam": (1, 1), "maru": (3, 3), "narae": (2, 2)}


@pytest.mark.parametrize(("count", "said"), [(3, ("holds", "fails")), (4, ("undecided", "fails"))])
def test_entrants_without_a_name_may_take_places(points_only, count, said):
    programme = points_only(2).entrants("garam", "narae", "maru", count=count)
    programme.totals({"garam": 70, "narae": 60, "maru": 50})

    told = verdicts(programme)

    assert (told["narae"], told["maru"]) == said
    assert programme.decision().outcome.decided is (count == 3)


def test_applicants_are_those_whom_the_stage_before_let_through(points_only, a_part):
    second = {
        "title": {"ko": "둘", "en": "two"},
        "kind": "selection",
        "after": "first",
        "planned_advance": 1,
        "sources": ["own"],
        "parts": [a_part("all", 100)],
    }
    programme = points_only(2, {"stages.second": second}).entrants("garam", "maru", "narae")
    programme.outcome(["garam", "maru"], {"narae": "points"})

    decision = programme.decision(stage="second")

    assert [one.team for one in decision.teams] == ["garam", "maru"]


@pytest.mark.parametrize(
    ("among", "vacancy", "advance", "open_places", "follows"),
    [
        ("entrants", {"rule": "leave-open"}, ("maru",), 1, ("leave-open", None)),
        ("gate-passers", {"rule": "leave-open"}, ("maru", "narae"), 0, None),
        ("entrants", {"rule": "next-in-points"}, ("maru", "narae"), 0, None),
    ],
)
def test_place_of_a_team_that_fails_a_gate(
    a_programme, told_component, among, vacancy, advance, open_places, follows
):
    changes = {"planned_advance": 2, "cut_among": among, "vacancy": vacancy}
    programme = a_programme({f"stages.first.{key}": value for key, value in changes.items()})
    programme.teams("garam", "maru", "narae")
    programme.model("garam", told_component(origin="open-continued"))
    programme.model("maru").model("narae")
    for one, other in [("maru", "narae"), ("maru", "garam"), ("narae", "garam")]:
        programme.finding(f"{one}-1", f"{other}-1")
    programme.totals({"garam": 90, "maru": 80, "narae": 70})

    outcome = programme.decision().outcome

    assert (outcome.advance, outcome.vacancies.low, outcome.vacancies.high, outcome.follows) == (
        advance,
        open_places,
        open_places,
        follows,
    )
    assert ("garam", "gate") in [(team, ground.value) for team, ground in outcome.out]


def test_team_that_fails_both_is_out_by_both(a_programme, told_component):
    programme = a_programme().teams("garam", "narae")
    programme.model("garam", told_component(origin="open-continued")).model("narae")
    programme.finding("narae-1", "garam-1").totals({"garam": 50, "narae": 60})

    assert [(t, g.value) for t, g in programme.decision().outcome.out] == [("garam", "both")]


def test_fewer_entrants_than_places_leave_vacancies(points_only):
    programme = points_only(3).entrants("garam").totals({"garam": 10})

    outcome = programme.decision().outcome

    assert (outcome.advance, outcome.vacancies.low, outcome.vacancies.high) == (("garam",), 2, 2)


def test_undecided_points_leave_no_vacancy_without_a_gate(points_only):
    programme = points_only(1).entrants("garam", "narae")

    outcome = programme.decision().outcome

    assert (outcome.decided, outcome.vacancies.high, outcome.follows) == (False, 0, None)


def test_failed_gate_makes_advancing_impossible_and_leaves_points_alone(
    a_programme, told_component
):
    programme = a_programme().teams("garam", "narae")
    programme.model("garam", told_component(origin="open-continued")).model("narae")
    programme.finding("narae-1", "garam-1").totals({"garam": 60, "narae": 50}, error=2)

    garam = standing(programme, "garam")

    assert (garam.chance.advance.low, garam.chance.advance.high) == (0, 0)
    assert points(programme, "garam").verdict.value == "holds"
    assert isinstance(garam.total, Estimate)


def test_probability_is_bounded_where_a_part_is_missing(points_only):
    programme = points_only(1).entrants("garam", "narae").totals({"narae": 60}, error=2)
    programme.score("garam", "bench", 50, error=2)

    chance = standing(programme, "garam").chance

    assert chance.advance.low < 0.01
    assert chance.advance.high > 0.99
    assert chance.basis.value == "draws"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"rounded": 0.1}, "probability-needs-sampling-errors"),
        (None, "probability-needs-scores"),
    ],
)
def test_there_is_no_probability_where_nothing_can_be_drawn(points_only, how, code):
    programme = points_only(1).entrants("garam", "narae")
    if how is not None:
        programme.totals({"garam": 60, "narae": 50}, **how)

    decision = programme.decision()

    assert {one.chance.code for one in decision.teams} == {code}
    assert decision.reliability.wrong.code == code
    assert decision.to_json()["reliability"]["p_wrong"] is None


def test_order_that_was_published_says_nothing_of_its_errors(points_only):
    programme = points_only(1).entrants("garam", "narae").order(["garam"], ["narae"])

    decision = programme.decision()
    garam, narae = (one.chance for one in decision.teams)

    assert (garam.advance.low, narae.lowest.low, garam.basis.value) == (1, 1, "published-order")
    assert decision.reliability.wrong.code == "probability-needs-scores"


def test_effects_are_shares_and_come_in_order(points_only):
    programme = points_only(1).entrants("garam", "narae", count=3).score("garam", "bench", 50)

    effects = [reason.params["effect"] for reason in programme.decision().reliability.settles]

    assert effects == sorted(effects, reverse=True)
    assert all(0 <= effect <= 1 and math.isfinite(effect) for effect in effects)
