"""Stage 1, told a second time: what was published, and nothing that was not."""

import pytest

LG_PARTS = {
    "benchmark": 33.6,
    "benchmark-nia": 9.2,
    "benchmark-global": 14.4,
    "benchmark-individual": 10.0,
    "expert": 31.6,
    "user": 25.0,
}
PARTS = list(LG_PARTS)
PUBLISHED = {
    "lg": set(PARTS),
    "skt": {"benchmark-nia"},
    "upstage": {"benchmark-individual"},
    "naver": set(),
    "nc-ai": set(),
}


@pytest.fixture
def decision(judged):
    return judged("stage-1", "2026-01-15")


@pytest.fixture
def teams(decision):
    return {team["team"]: team for team in decision["teams"]}


def verdicts(ruling):
    return {part["subject"]: part["verdict"] for part in ruling["parts"]}


def components(team):
    return {
        (grade["model"], component["component"]): component
        for grade in team["grades"]
        for component in grade["components"]
    }


def test_five_teams_were_judged_under_the_version_of_the_day(decision, teams):
    assert list(teams) == ["lg", "naver", "nc-ai", "skt", "upstage"]
    assert decision["rulebook"]["id"] == "k-ai-2025"
    assert decision["rulebook"]["version"] == "2026-01-15"
    assert decision["programme"]["invented"] is False


def test_outcome_is_the_published_one(decision):
    outcome = decision["outcome"]

    assert outcome["verdict"] == "decided"
    assert outcome["advance"] == ["lg", "skt", "upstage"]
    assert outcome["out"] == [
        {"team": "naver", "ground": "gate"},
        {"team": "nc-ai", "ground": "points"},
    ]
    assert outcome["undecided"] == []
    assert decision["published"]["agrees"] == "holds"
    assert decision["published"]["differences"] == []


def test_two_out_instead_of_one_leave_one_vacancy(decision):
    outcome = decision["outcome"]

    assert outcome["planned"] == 4
    assert outcome["vacancies"] == {"low": 1, "high": 1}
    assert outcome["next"] == {"rule": "re-entry", "stage": "re-entry"}


def test_gate_fails_a_team_that_was_inside_the_upper_four(teams):
    naver = teams["naver"]

    assert (naver["rank_set"]["best"], naver["rank_set"]["worst"]) == (1, 4)
    assert [gate["verdict"] for gate in naver["gates"]] == ["fails"]
    assert verdicts(naver["gates"][0]) == {
        "hyperclova-x-seed-32b-think/language-body": "undecided",
        "hyperclova-x-seed-32b-think/vision-encoder": "fails",
        "hyperclova-x-seed-32b-think/audio-encoder": "undecided",
        "hyperclova-x-seed-8b-omni": "undecided",  # its components are not on record
    }


def test_gates_of_the_others_are_as_published(teams):
    gates = {name: [gate["verdict"] for gate in team["gates"]] for name, team in teams.items()}

    assert gates == {
        "lg": ["holds"],
        "naver": ["fails"],
        "nc-ai": ["undecided"],  # no ruling was published, and the points decide without one
        "skt": ["holds"],
        "upstage": ["holds"],
    }


def test_lowest_on_points_is_out_whatever_is_missing(teams):
    rank_set = teams["nc-ai"]["rank_set"]

    assert (rank_set["best"], rank_set["worst"]) == (5, 5)
    assert rank_set["basis"] == "published-order"
    assert teams["nc-ai"]["advances"]["verdict"] == "fails"


def test_lg_has_every_part_and_the_published_total(teams):
    lg = teams["lg"]
    scores = {score["part"]: score["score"]["value"] for score in lg["scores"]}

    assert scores == LG_PARTS
    assert lg["total"]["value"] == 90.2
    assert (lg["total"]["low"], lg["total"]["high"]) == (90.15, 90.25)


@pytest.mark.parametrize("team", ["naver", "nc-ai", "skt", "upstage"])
def test_total_of_the_others_is_missing(teams, team):
    assert "missing" in teams[team]["total"]
    assert "value" not in teams[team]["total"]


def test_nothing_is_filled_in(teams):
    shown = {
        name: {score["part"] for score in team["scores"] if "value" in score["score"]}
        for name, team in teams.items()
    }

    assert shown == PUBLISHED


def test_every_missing_score_is_named(decision):
    named = {
        (missing["team"], missing["part"]): missing["reason"]
        for missing in decision["missing"]
        if missing["part"] in PARTS
    }
    leaves = [part for part in PARTS if part != "benchmark"]

    expected = {
        (team, part) for team, known in PUBLISHED.items() for part in leaves if part not in known
    }
    assert {key for key in named if key[1] != "benchmark"} == expected
    assert len(expected) == 18
    assert {named[key] for key in expected} == {"not-published"}


def test_published_means_are_shown_and_agree_with_no_score_in_particular(decision):
    means = {
        aggregate["part"]: (aggregate["score"]["value"], aggregate["agrees"])
        for aggregate in decision["aggregates"]
        if aggregate["statistic"] == "mean"
    }

    assert means == {
        "benchmark": (30.4, "undecided"),
        "expert": (28.56, "undecided"),
        "user": (20.76, "undecided"),
        "total": (79.7, "undecided"),
    }


def test_encoder_is_graded_between_use_as_it_is_and_more_training(teams):
    encoder = components(teams["naver"])[("hyperclova-x-seed-32b-think", "vision-encoder")]

    assert encoder["origin"] == "open-frozen"
    assert encoder["status"] == "admitted"
    assert encoder["parameter_share"] == 0.12
    assert encoder["found"] == {"low": "T1", "high": "T1"}


def test_body_without_a_power_statement_is_not_graded_as_independent(teams):
    body = components(teams["upstage"])[("solar-open-100b", "language-body")]

    assert body["declared"] == "T4"
    assert body["status"] == "undecided"
    assert body["found"] == {"low": "T1", "high": "T4"}
    assert [reason["code"] for reason in body["reasons"]] == [
        "declared-origin",
        "power-too-weak",
    ]


def test_bodies_that_nobody_compared_stay_open(teams):
    status = {
        name: {component["status"] for component in components(teams[name]).values()}
        for name in ("lg", "skt")
    }

    assert status == {"lg": {"undecided"}, "skt": {"undecided"}}


def test_decision_rests_on_the_entries_that_it_names(decision, programme):
    entries = {entry["seq"]: entry for entry in decision["entries"]}

    assert {
        "outcome/stage-1",
        "published-order/stage-1",
        "ruling/stage-1/naver/vision-encoder",
        "score/lg/total",
    } <= {entry["id"] for entry in entries.values()}
    for entry in programme.ledger.entries():
        if entry.seq in entries:
            assert entries[entry.seq]["digest"] == str(entry.digest)


def test_without_the_gate_the_points_alone_put_four_forward(judged):
    outcome = judged("stage-1", "2026-01-05")["outcome"]

    assert outcome["verdict"] == "decided"
    assert outcome["advance"] == ["lg", "naver", "skt", "upstage"]
    assert outcome["out"] == [{"team": "nc-ai", "ground": "points"}]
    assert outcome["vacancies"] == {"low": 0, "high": 0}


def test_later_version_comes_to_the_same_outcome(judged, decision):
    later = judged("stage-1", "2026-01-23")

    assert later["outcome"] == decision["outcome"]
    assert later["rulebook"]["digest"] != decision["rulebook"]["digest"]
