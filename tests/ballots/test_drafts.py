from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest

from dokja.evidence.ballots import ballots_draft, read_ballots, score_drafts
from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.statistics import ScoreTerms, bradley_terry
from dokja.values import Missing, MissingReason

TEAMS = ("garam", "maru", "raon")
DAY = date(2026, 11, 20)
TERMS = ScoreTerms(
    stage="final",
    part="user",
    points=25.0,
    scale="absolute",
    rulebook="2026-11-01",
    level=0.95,
    draws=1_000,
    seed=5,
    on=DAY,
    actor="dokja",
)
EVIDENCE = {team: ["ballots/final"] for team in TEAMS}


@pytest.fixture
def batch(batch_file, votes):
    return read_ballots(batch_file(votes(120)), teams=TEAMS)


def win_shares(batch):
    """Strengths by Zermelo's iteration, then each team's mean chance against the others."""
    won, met = Counter(), Counter()
    for vote in batch.votes:
        left = {"left": 1.0, "tie": 0.5, "right": 0.0}[vote.choice]
        won[vote.left] += left
        won[vote.right] += 1 - left
        met[frozenset((vote.left, vote.right))] += 1
    worth = dict.fromkeys(TEAMS, 1.0)
    for _ in range(5_000):
        worth = {
            team: won[team]
            / sum(
                met[frozenset((team, other))] / (worth[team] + worth[other])
                for other in TEAMS
                if other != team
            )
            for team in TEAMS
        }
    return {
        team: sum(worth[team] / (worth[team] + worth[o]) for o in TEAMS if o != team) / 2
        for team in TEAMS
    }


def points(scores):
    return {draft.body["team"]: draft.body["score"]["value"] for draft in scores.drafts}


def test_batch_is_entered_with_its_votes_as_a_blob(batch):
    draft = ballots_draft(
        batch, stage="final", on=DAY, actor="dokja", invented=True, maker="people.py, seed 1"
    )

    assert draft.id == "ballots/final"
    assert draft.blobs == (batch.digest,)
    assert draft.body == {
        "on": "2026-11-20",
        "stage": "final",
        "count": 120,
        "voters": 10,
        "records": str(batch.digest),
        "invented": True,
        "maker": "people.py, seed 1",
    }
    assert check_body("ballots", draft.body, place="here") == ()


def test_points_are_win_shares(batch):
    shares = win_shares(batch)

    scores = score_drafts(batch, terms=TERMS, evidence=EVIDENCE)

    assert points(scores) == pytest.approx({t: 25 * shares[t] for t in TEAMS}, abs=1e-5)
    assert scores.missing == ()


def test_best_win_share_gets_all_points_where_the_scale_is_to_best(batch):
    shares = win_shares(batch)
    best = max(shares.values())

    scores = score_drafts(batch, terms=replace(TERMS, scale="to-best"), evidence=EVIDENCE)

    assert points(scores) == pytest.approx({t: 25 * shares[t] / best for t in TEAMS}, abs=1e-5)
    assert {draft.body["method"] for draft in scores.drafts} == {"bradley-terry, to the best"}


def test_shares_to_the_best_are_drawn_jointly(batch):
    found = bradley_terry(batch.votes, level=0.95, seed=5)

    scores = score_drafts(batch, terms=replace(TERMS, scale="to-best"), evidence=EVIDENCE)

    for draft in scores.drafts:
        share = found.of(draft.body["team"]).share_of_best
        score = draft.body["score"]
        assert score["standard_error"] == pytest.approx(25 * share.standard_error, abs=1e-6)
        assert (score["low"], score["high"]) == pytest.approx(
            (25 * share.low, 25 * share.high), abs=1e-6
        )


def test_scores_say_what_they_rest_on(batch):
    scores = score_drafts(batch, terms=TERMS, evidence=EVIDENCE, invented=True)

    for draft in scores.drafts:
        assert draft.body["rests_on"] == {"voters": 10, "votes": 120}
        assert draft.body["evidence"] == ["ballots/final"]
        assert draft.body["invented"] is True
        assert check_body("score", draft.body, place="here") == ()


def test_team_that_no_vote_was_about_is_missing_and_not_last(batch):
    scores = score_drafts(batch, terms=TERMS, evidence={**EVIDENCE, "narae": ["ballots/final"]})

    missing = Missing(reason=MissingReason.NOT_MEASURED, what=("ballots", "narae"))
    assert scores.missing == (("narae", missing),)
    assert len(scores.drafts) == 3


def test_teams_that_no_chain_of_votes_connects_are_missing(batch_file, votes):
    teams = ("garam", "maru", "raon", "narae")
    lines = [
        {**vote, "left": left, "right": right}
        for vote, (left, right) in zip(votes(20), [teams[:2], teams[2:]] * 10, strict=True)
    ]
    batch = read_ballots(batch_file(lines), teams=teams)

    scores = score_drafts(batch, terms=TERMS, evidence={team: ["ballots/final"] for team in teams})

    assert scores.drafts == ()
    assert [team for team, _ in scores.missing] == sorted(teams)


def test_order_and_sides_of_the_votes_change_no_point(batch_file, votes):
    lines = votes(60)
    turned = [
        {
            **vote,
            "left": vote["right"],
            "right": vote["left"],
            "choice": {"left": "right", "right": "left", "tie": "tie"}[vote["choice"]],
        }
        for vote in reversed(lines)
    ]

    made = [
        score_drafts(read_ballots(batch_file(each), teams=TEAMS), terms=TERMS, evidence=EVIDENCE)
        for each in (lines, turned, lines)
    ]

    assert all(one == other for one, other in pairwise(made))
