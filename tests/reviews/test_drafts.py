import json
import math
from statistics import mean, stdev

import pytest

from dokja.evidence.ledger import seal
from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.reviews import read_sheets_file, score_drafts, sheet_drafts
from dokja.evidence.statistics import ScoreTerms, student_quantile
from dokja.values import Missing, MissingReason

TEAMS = ("garam", "maru", "raon")
CRITERIA = {"technique": 35.0, "effect": 25.0}
EVIDENCE = {team: [f"sheet/final/{team}/1"] for team in TEAMS}


@pytest.fixture
def terms(day):
    return ScoreTerms(
        stage="final",
        part="expert",
        points=60.0,
        scale="absolute",
        rulebook="2026-11-01",
        level=0.95,
        draws=1_000,
        seed=1,
        on=day,
        actor="dokja",
    )


@pytest.fixture
def batch(batch_file, sheets):
    return read_sheets_file(batch_file(sheets(12)), teams=TEAMS, criteria=CRITERIA)


@pytest.fixture
def drafts_of(day):
    """Makes drafts of a batch, sealed with salts that follow from a number."""

    def made(batch, *, salted=0):
        salts = iter(range(salted, salted + 1_000))
        return sheet_drafts(
            batch,
            stage="final",
            rulebook="2026-11-01",
            on=day,
            actor="dokja",
            invented=True,
            seal=lambda name: seal(name, salt=next(salts).to_bytes(32), field="reviewer"),
        )

    return made


def test_every_sheet_is_entered_with_its_numbers(batch, drafts_of):
    drafts = drafts_of(batch)

    assert [draft.id for draft in drafts] == [
        f"sheet/final/{team}/{number}" for team in TEAMS for number in (1, 2, 3, 4)
    ]
    for team in TEAMS:
        given = [json.dumps(sheet.scores) for sheet in batch.sheets if sheet.team == team]
        entered = [json.dumps(d.body["scores"]) for d in drafts if d.body["team"] == team]
        assert sorted(entered) == sorted(given)
    assert all(check_body("sheet", draft.body, place="here") == () for draft in drafts)


def test_no_sheet_names_its_reviewer(batch, drafts_of):
    names = {sheet.reviewer for sheet in batch.sheets}  # there are names to leak

    said = json.dumps([draft.body for draft in drafts_of(batch)], ensure_ascii=False)

    assert len(names) == 4
    assert [name for name in names if name in said] == []


def test_sheets_of_one_reviewer_share_no_commitment(batch, drafts_of):
    sealed = [draft.body["reviewer"]["sealed"] for draft in drafts_of(batch)]

    assert len(set(sealed)) == 12


def test_numbers_of_sheets_follow_from_the_salts_and_not_from_the_file(batch, drafts_of):
    first = batch.sheets[0].scores

    places = {
        next(d.id for d in drafts_of(batch, salted=salted) if d.body["scores"] == first)
        for salted in range(0, 400, 20)
    }

    assert places == {f"sheet/final/garam/{number}" for number in (1, 2, 3, 4)}


def test_points_are_the_mean_over_reviewers(batch, terms):
    scores = score_drafts(batch, terms=terms, criteria=CRITERIA, evidence=EVIDENCE)

    for draft in scores.drafts:
        sums = [
            sum(sheet.scores.values()) for sheet in batch.sheets if sheet.team == draft.body["team"]
        ]
        error = stdev(sums) / math.sqrt(4)
        half = student_quantile(0.975, df=3) * error
        score = draft.body["score"]
        assert score["value"] == pytest.approx(mean(sums), abs=1e-6)
        assert score["standard_error"] == pytest.approx(error, abs=1e-6)
        assert (score["low"], score["high"]) == pytest.approx(
            (mean(sums) - half, mean(sums) + half), abs=1e-5
        )
        assert draft.body["rests_on"] == {"raters": 4}
        assert draft.body["evidence"] == EVIDENCE[draft.body["team"]]
        assert check_body("score", draft.body, place="here") == ()


def test_part_counts_its_own_criteria_alone(batch, terms):
    scores = score_drafts(batch, terms=terms, criteria=["effect"], evidence=EVIDENCE)

    effect = [sheet.scores["effect"] for sheet in batch.sheets if sheet.team == "garam"]
    assert scores.drafts[0].body["score"]["value"] == pytest.approx(mean(effect), abs=1e-6)


def test_team_is_not_punished_for_having_been_read_by_the_strict(batch_file, terms):
    def sheet(reviewer, team, points):
        return {"reviewer": reviewer, "team": team, "scores": {"technique": points, "effect": 0}}

    lines = [sheet(r, t, 20 + w - s) for r, s in (("a", 0), ("b", 2), ("c", 6), ("d", 1))
             for t, w in (("garam", 5), ("maru", 0), ("raon", 5))
             if (r, t) not in {("a", "raon"), ("c", "garam")}]  # fmt: skip
    batch = read_sheets_file(batch_file(lines), teams=TEAMS, criteria=CRITERIA)

    scores = score_drafts(batch, terms=terms, criteria=CRITERIA, evidence=EVIDENCE)

    values = {draft.body["team"]: draft.body["score"]["value"] for draft in scores.drafts}
    assert values["garam"] == pytest.approx(values["raon"])
    assert values["garam"] - values["maru"] == pytest.approx(5)


def test_team_without_two_reviewers_is_missing_and_not_last(batch_file, sheets, terms):
    batch = read_sheets_file(batch_file(sheets(5)), teams=TEAMS, criteria=CRITERIA)

    scores = score_drafts(batch, terms=terms, criteria=CRITERIA, evidence=EVIDENCE)

    assert [draft.body["team"] for draft in scores.drafts] == ["garam"]
    assert dict(scores.missing) == {
        "maru": Missing(reason=MissingReason.NOT_COMPARABLE, what=("raters", "maru")),
        "raon": Missing(reason=MissingReason.NOT_MEASURED, what=("sheets", "raon")),
    }


def test_full_marks_stay_within_the_points(batch_file, sheets, terms):
    full = {"technique": 35, "effect": 25}
    batch = read_sheets_file(batch_file(sheets(12, scores=full)), teams=TEAMS, criteria=CRITERIA)

    scores = score_drafts(batch, terms=terms, criteria=CRITERIA, evidence=EVIDENCE)

    for draft in scores.drafts:
        score = draft.body["score"]
        assert (score["value"], score["high"]) == (60.0, 60.0)
        assert score["low"] < 60.0
        assert draft.body["method"] == "rater-mean, all alike"
