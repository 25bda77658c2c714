"""What was decided on grounds that were not published is undecided, and says what is missing."""

import pytest


@pytest.mark.parametrize(
    ("stage", "version", "published"),
    [
        ("selection-10", "2025-06-20", ["lg", "naver", "nc-ai", "skt", "upstage"]),
        ("selection-5", "2025-06-20", ["lg", "naver", "nc-ai", "skt", "upstage"]),
        ("selection-5", "2026-01-15", ["lg", "naver", "nc-ai", "skt", "upstage"]),
        ("re-entry", "2026-01-23", ["motif"]),
    ],
)
def test_stage_is_undecided_beside_the_published_outcome(judged, stage, version, published):
    decision = judged(stage, version)

    assert decision["outcome"]["verdict"] == "undecided"
    assert decision["outcome"]["advance"] == []
    assert decision["outcome"]["out"] == []
    assert sorted(decision["published"]["advance"]) == published
    assert decision["published"]["agrees"] == "undecided"


def test_selection_says_that_five_of_ten_applicants_are_not_named(judged):
    decision = judged("selection-5", "2025-06-20")
    reasons = [
        reason
        for team in decision["teams"]
        for ruling in (team["advances"], *team["advances"]["parts"])
        for reason in ruling["reasons"]
        if reason["code"] == "entrants-not-named"
    ]

    assert reasons
    assert {(reason["params"]["count"], reason["params"]["named"]) for reason in reasons} == {
        (10, 5)
    }


def test_selection_names_every_score_as_not_published(judged):
    decision = judged("selection-5", "2025-06-20")
    missing = {
        (row["team"], row["part"]): row["reason"] for row in decision["missing"] if row["part"]
    }

    assert {
        (team, part)
        for team in ("lg", "naver", "nc-ai", "skt", "upstage")
        for part in ("record", "goals", "effect")
    } <= set(missing)
    assert set(missing.values()) == {"not-published"}


def test_re_entry_names_every_vote_as_not_published(judged):
    decision = judged("re-entry", "2026-01-23")
    codes = {
        (team["team"], reason["params"]["question"])
        for team in decision["teams"]
        for ruling in (team["advances"], *team["advances"]["parts"])
        for reason in ruling["reasons"]
        if reason["code"] == "vote-not-published"
    }

    assert codes == {
        (team, question)
        for team in ("motif", "trillion")
        for question in ("competes", "contributes")
    }


def test_nothing_is_filled_in(judged):
    for stage, version in [("selection-5", "2025-06-20"), ("re-entry", "2026-01-23")]:
        for team in judged(stage, version)["teams"]:
            assert [s for s in team["scores"] if "value" in s["score"]] == []
