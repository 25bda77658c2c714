"""A vote needs a majority on every question, and numbers that were not published decide nothing."""

import pytest


@pytest.fixture
def call(a_programme, a_vote_stage):
    """A re-entry call with so many places."""

    def opened(*teams, **vote):
        stage = {"stages.re-entry": a_vote_stage(**vote)}
        return a_programme(stage).entrants(*teams, stage="re-entry")

    return opened


def verdicts(programme):
    decision = programme.decision(stage="re-entry")
    return {one.team: one.advances.verdict.value for one in decision.teams}


@pytest.mark.parametrize(
    ("competes", "contributes", "said"),
    [(6, 6, "holds"), (5, 10, "fails"), (10, 5, "fails"), (0, 0, "fails"), (10, None, "undecided")],
)
def test_applicant_needs_a_majority_on_every_question(call, competes, contributes, said):
    programme = call("garam").vote("garam", "competes", competes, 10)
    programme.vote("garam", "contributes", contributes, 10 if contributes is not None else None)

    assert verdicts(programme) == {"garam": said}


@pytest.mark.parametrize(("in_favour", "said"), [(6, "fails"), (7, "holds")])
def test_share_that_must_be_exceeded_is_the_rulebooks(call, in_favour, said):
    programme = call("garam", more_than=0.6, questions=["competes"])
    programme.vote("garam", "competes", in_favour, 10)

    assert verdicts(programme) == {"garam": said}


@pytest.mark.parametrize("published", [False, True])
def test_vote_without_numbers_is_undecided_whatever_was_published(call, published):
    programme = call("garam", "narae")
    if published:
        programme.outcome(["garam"], {"narae": "points"}, stage="re-entry")

    decision = programme.decision(stage="re-entry")
    codes = {reason.code for one in decision.teams for reason in one.advances.every_reason()}

    assert verdicts(programme) == {"garam": "undecided", "narae": "undecided"}
    assert codes == {"vote-not-published" if published else "vote-not-held"}


def test_published_choice_differs_only_in_being_decided(call):
    programme = call("garam", "narae").outcome(["garam"], {"narae": "points"}, stage="re-entry")

    published = programme.decision(stage="re-entry").published

    assert published.agrees.value == "undecided"
    assert {reason.code for reason in published.differences} == {"published-but-undecided"}


def test_more_chosen_than_places_leaves_the_chosen_undecided(call):
    programme = call("garam", "maru", "narae", questions=["competes"])
    for team, in_favour in [("garam", 9), ("narae", 8), ("maru", 2)]:
        programme.vote(team, "competes", in_favour, 10)

    assert verdicts(programme) == {"garam": "undecided", "maru": "fails", "narae": "undecided"}


def test_chosen_waits_for_whoever_may_be_chosen_too(call):
    programme = call("garam", "narae", questions=["competes"]).vote("garam", "competes", 9, 10)

    assert verdicts(programme) == {"garam": "undecided", "narae": "undecided"}


@pytest.mark.parametrize(("places", "said"), [(1, "undecided"), (2, "holds")])
def test_chosen_waits_for_applicants_without_a_name(a_programme, a_vote_stage, places, said):
    stage = a_vote_stage(questions=["competes"], places=places)
    programme = a_programme({"stages.re-entry": stage})
    programme.entrants("garam", stage="re-entry", count=2).vote("garam", "competes", 9, 10)

    assert verdicts(programme) == {"garam": said}


def test_places_for_all_who_are_chosen_wait_for_nobody(call):
    programme = call("garam", "narae", questions=["competes"], places=2)
    programme.vote("garam", "competes", 9, 10)

    assert verdicts(programme) == {"garam": "holds", "narae": "undecided"}


@pytest.mark.parametrize(
    ("may", "said", "open_places"), [(True, "fails", 1), (False, "undecided", 1)]
)
def test_nobody_may_be_chosen_where_the_rules_allow_it(call, may, said, open_places):
    programme = call("garam", questions=["competes"], may_choose_none=may)
    programme.vote("garam", "competes", 1, 10)

    outcome = programme.decision(stage="re-entry").outcome

    assert verdicts(programme) == {"garam": said}
    assert outcome.vacancies.high == open_places
    assert [ground.value for _, ground in outcome.out] == (["vote"] if may else [])


def test_single_applicant_is_still_reviewed(call):
    assert verdicts(call("garam")) == {"garam": "undecided"}


def test_vote_has_no_probability_and_says_so(call):
    decision = call("garam").decision(stage="re-entry").to_json()

    assert decision["reliability"]["p_wrong"] is None
    assert decision["reliability"]["missing"]["code"] == "votes-are-not-drawn"
    assert decision["teams"][0]["probability_missing"]["code"] == "votes-are-not-drawn"
    assert decision["parts"] == []


def test_open_vote_says_which_numbers_would_settle_it(call):
    settles = call("garam").decision(stage="re-entry").reliability.settles

    assert [(reason.code, reason.params["question"]) for reason in settles] == [
        ("vote-would-settle", "competes"),
        ("vote-would-settle", "contributes"),
    ]
