"""Evidence that no judge can take: all of it is told at once, by the number and id of its entry."""

import pytest

from dokja.errors import EntryError, RulebookError


@pytest.fixture
def mistakes():
    """What a programme's evidence is refused for: (entry, place, read)."""

    def told(programme, stage="first"):
        with pytest.raises(EntryError) as refused:
            programme.decision(stage=stage)
        return [(one.file, one.place, one.read) for one in refused.value.mistakes]

    return told


@pytest.fixture
def pair(points_only):
    """Two teams that applied to a stage without a gate."""
    return points_only(1).entrants("garam", "narae")


def last(programme):
    return f"ledger entry {programme.last.seq} ({programme.last.id})"


@pytest.mark.parametrize("value", [-0.5, 40.5, 1000.0])
def test_score_outside_its_part_is_told(pair, mistakes, value):
    pair.score("garam", "expert", value)

    assert mistakes(pair) == [(last(pair), "score.value", f"{value:g}")]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_score_that_is_no_number_is_told(pair, mistakes, value):
    pair.enter("score", {"stage": "first"})
    body = {"value": value, "low": value, "high": value, "level": 1.0, "kind": "exact"}
    pair.last.body["score"] = body

    told = mistakes(pair)

    assert {file for file, _, _ in told} == {last(pair)}
    assert ("score.value", repr(value)) in {(place, read) for _, place, read in told}


def test_score_of_an_unknown_team_is_told(pair, mistakes):
    pair.score("nobody", "expert", 10)

    assert mistakes(pair) == [(last(pair), "team", "'nobody'")]


def test_score_of_a_team_that_does_not_stand_in_the_stage_is_told(pair, mistakes):
    pair.teams("raon").score("raon", "expert", 10)

    assert mistakes(pair) == [(last(pair), "team", "'raon'")]


def test_score_in_an_unknown_part_is_told_and_parts_are_listed(pair):
    pair.score("garam", "charm", 10)

    with pytest.raises(EntryError, match="one of bench, items, speed, expert, total") as refused:
        pair.decision()

    assert [one.read for one in refused.value.mistakes] == ["'charm'"]


def test_score_in_an_unknown_stage_is_told(pair, mistakes):
    pair.score("garam", "expert", 10, stage="third")

    assert mistakes(pair) == [(last(pair), "stage", "'third'")]


def test_score_in_a_stage_of_another_version_is_left_alone(pair):
    pair.score("garam", "expert", 10, stage="third", rulebook="2027-01")

    assert pair.decision().outcome.decided is False


def test_score_under_a_version_that_is_not_accepted_is_missing_as_outdated(pair):
    pair.score("garam", "expert", 30, rulebook="2026-01")

    told = pair.decision().to_json()

    assert [
        (row["part"], row["reason"], row["entries"])
        for row in told["missing"]
        if row["team"] == "garam" and row["part"] == "expert"
    ] == [("expert", "outdated", [pair.last.seq])]


def test_score_under_an_accepted_version_counts(points_only):
    accepting = points_only(1, {"stages.first.accepts": ["2026-01"]}).entrants("garam", "narae")
    accepting.score("garam", "total", 60, rulebook="2026-01").score("narae", "total", 50)

    assert accepting.decision().outcome.advance == ("garam",)


def test_second_score_that_corrects_nothing_is_told(pair, mistakes):
    pair.score("garam", "expert", 10).score("garam", "expert", 30)

    assert mistakes(pair) == [
        (last(pair), "part", "a second score of 'garam' in 'expert' of 'first'")
    ]


def test_corrected_score_counts_once(pair):
    pair.totals({"garam": 40, "narae": 50})
    first = pair.entries[-2]
    corrected = {**first.body, "score": {**first.body["score"], "value": 60, "low": 60, "high": 60}}
    pair.correct(first, corrected)

    decision = pair.decision()

    assert decision.outcome.advance == ("garam",)
    assert {first.seq, pair.last.seq} <= {seq for seq, *_ in decision.entries}


def test_score_that_was_taken_back_is_missing_as_withdrawn(pair):
    pair.score("garam", "expert", 40)
    taken = pair.last
    pair.correct(taken, None)

    told = pair.decision().to_json()["missing"]

    assert [row["entries"] for row in told if row["reason"] == "withdrawn"] == [
        [taken.seq, pair.last.seq]
    ]


def test_sub_parts_that_cannot_sum_to_their_part_are_told(pair, mistakes):
    pair.score("garam", "bench", 50, rounded=0.1)
    published = last(pair)
    pair.score("garam", "items", 33, rounded=0.1).score("garam", "speed", 16.7, rounded=0.1)

    assert mistakes(pair) == [(published, "score of garam in bench", "50")]


def test_sub_parts_that_sum_within_rounding_are_no_mistake(pair):
    pair.score("garam", "bench", 50, rounded=0.1)
    pair.score("garam", "items", 33.2, rounded=0.1).score("garam", "speed", 16.9, rounded=0.1)

    total = pair.decision().teams[0].total

    assert total.what == ("expert",)


def test_published_mean_that_no_scores_can_have_is_told(pair, mistakes):
    pair.totals({"garam": 60, "narae": 50}).aggregate("total", "mean", 56, 2)

    assert mistakes(pair) == [(last(pair), "mean of total", "56")]


def test_published_best_below_a_score_is_told(pair, mistakes):
    pair.totals({"garam": 60, "narae": 50}).aggregate("total", "best", 55, 2)

    assert mistakes(pair) == [(last(pair), "best of total", "55")]


@pytest.mark.parametrize(
    ("value", "missing", "agrees"), [(55, False, "holds"), (55, True, "undecided")]
)
def test_published_mean_agrees_only_with_all_scores(pair, value, missing, agrees):
    pair.score("garam", "total", 60)
    if not missing:
        pair.score("narae", "total", 50)
    pair.aggregate("total", "mean", value, 2)

    told = pair.decision().to_json()

    assert [one["agrees"] for one in told["aggregates"]] == [agrees]
    assert ("value" in told["teams"][1]["total"]) is not missing


def test_published_order_against_the_points_is_told(pair, mistakes):
    pair.totals({"garam": 60, "narae": 50}).order(["narae"], ["garam"])

    assert mistakes(pair) == [(last(pair), "groups", "'narae' above 'garam'")]


def test_two_orders_against_each_other_are_told(pair, mistakes):
    pair.order(["narae"], ["garam"]).order(["garam"], ["narae"])

    assert mistakes(pair) == [(last(pair), "groups", "'garam' above 'narae'")]


def test_orders_that_go_round_in_a_ring_are_told(points_only, mistakes):
    programme = points_only(1).entrants("dasom", "garam", "maru")
    programme.order(["dasom"], ["garam"]).order(["garam"], ["maru"]).order(["maru"], ["dasom"])

    ring = "an order in which each stands above the other of: "
    assert [(place, read) for _, place, read in mistakes(programme)] == [
        ("groups", ring + "dasom, garam"),
        ("groups", ring + "garam, maru"),
        ("groups", ring + "dasom, maru"),
    ]


def test_orders_that_only_the_scores_contradict_together_are_told(points_only, mistakes):
    programme = points_only(1).entrants("dasom", "garam", "maru")
    programme.totals({"garam": 50, "maru": 40})
    programme.order(["maru"], ["dasom"]).order(["dasom"], ["garam"])

    assert [file for file, _, _ in mistakes(programme)] == [
        f"ledger entry {entry.seq} ({entry.id})" for entry in programme.entries[-2:]
    ]


def test_order_of_strangers_is_told(pair, mistakes):
    pair.order(["nobody"], ["garam"])

    assert mistakes(pair) == [(last(pair), "groups", "'nobody'")]


@pytest.mark.parametrize(
    ("model", "body", "place", "read"),
    [
        ("unknown-1", "body", "model", "'unknown-1'"),
        ("garam-1", "wings", "component", "'wings'"),
    ],
)
def test_finding_on_what_nobody_declared_is_told(a_programme, mistakes, model, body, place, read):
    programme = a_programme().teams("garam").model("garam")
    programme.finding(model, "outside", component=body)

    assert mistakes(programme) == [(last(programme), place, read)]


def test_model_of_an_unknown_team_is_told(a_programme, mistakes):
    programme = a_programme().model("nobody")

    assert mistakes(programme) == [(last(programme), "team", "'nobody'")]


@pytest.mark.parametrize(
    ("body", "place", "read"),
    [
        ({"gate": "charm"}, "gate", "'charm'"),
        ({"team": "nobody"}, "team", "'nobody'"),
        ({"model": "nobody-1"}, "model", "'nobody-1'"),
    ],
)
def test_ruling_on_what_is_not_there_is_told(a_programme, mistakes, body, place, read):
    programme = a_programme().teams("garam").model("garam")
    programme.ruling(**{"team": "garam", "verdict": "holds", **body})

    assert mistakes(programme) == [(last(programme), place, read)]


def test_team_or_model_that_is_declared_twice_is_told(a_programme, mistakes):
    programme = a_programme().teams("garam").model("garam").teams("garam").model("garam")

    assert [(place, read.split(",")[0]) for _, place, read in mistakes(programme)] == [
        ("team", "'garam'"),
        ("model", "'garam-1'"),
    ]


def test_team_that_the_stage_before_did_not_let_through_is_told(points_only, mistakes, a_part):
    second = {
        "title": {"ko": "둘", "en": "two"},
        "kind": "points",
        "after": "first",
        "planned_advance": 1,
        "sources": ["own"],
        "parts": [a_part("all", 100)],
    }
    programme = points_only(1, {"stages.second": second}).entrants("garam", "narae")
    programme.outcome(["garam"], {"narae": "points"})
    programme.enter("applications", {"stage": "second", "count": 1, "teams": ["narae"]})

    assert mistakes(programme, "second") == [(last(programme), "teams", "'narae' in 'second'")]


def test_more_named_applicants_than_applied_are_told(points_only, mistakes):
    programme = points_only(1).entrants("garam", "narae", count=1)

    assert mistakes(programme) == [(last(programme), "count", "1")]


@pytest.mark.parametrize(
    ("team", "question", "in_favour", "of", "place"),
    [
        ("nobody", "competes", 3, 5, "team"),
        ("maru", "competes", 3, 5, "team"),  # declared, and no applicant
        ("garam", "charms", 3, 5, "question"),
        ("garam", "competes", 6, 5, "in_favour"),
    ],
)
def test_vote_that_cannot_have_been_cast_is_told(
    a_programme, a_vote_stage, mistakes, team, question, in_favour, of, place
):
    programme = a_programme({"stages.re-entry": a_vote_stage()}).teams("maru")
    programme.entrants("garam", stage="re-entry")
    programme.vote(team, question, in_favour, of)

    assert [(file, at) for file, at, _ in mistakes(programme, "re-entry")] == [
        (last(programme), place)
    ]


def test_votes_are_left_alone_where_this_version_knows_of_none(points_only):
    programme = points_only(1).entrants("garam")
    programme.enter("review-vote", {"stage": "first", "team": "garam", "question": "competes"})

    assert programme.decision().outcome.advance == ("garam",)


def test_changed_rules_under_an_adopted_version_are_told(pair, mistakes):
    digest = "sha256:" + "0" * 64
    pair.entries.append(
        type(pair.last)(
            seq=len(pair.entries),
            id="rulebook/old",
            time="2026-02-05T09:00:00Z",
            kind="rulebook",
            actor="office",
            body={
                "rulebook": "our-programme",
                "version": "2026-02",
                "digest": digest,
                "in_force": "2026-02-01",
            },
        )
    )

    assert [(file, place) for file, place, _ in mistakes(pair)] == [(last(pair), "digest")]


def test_ledger_without_a_programme_is_told(pair):
    with pytest.raises(EntryError, match="no entry of kind programme"):
        pair.decision(entries=pair.entries[1:])


def test_empty_ledger_is_told(pair):
    with pytest.raises(EntryError, match="no entry of kind programme"):
        pair.decision(entries=[])


def test_unknown_stage_is_told_with_those_that_there_are(pair):
    with pytest.raises(RulebookError, match="no 'third'; expected one of first"):
        pair.decision(stage="third")


def test_everything_is_told_at_once(a_programme, mistakes):
    programme = a_programme().teams("garam").model("garam")
    programme.enter("score", {"stage": "first"})
    programme.finding("unknown-1", "outside").score("garam", "charm", 10)
    programme.ruling("garam", "holds", gate="charm").order(["nobody"])

    told = mistakes(programme)

    assert sorted({file.split("(")[1] for file, _, _ in told}) == [
        "finding/4)",
        "published-order/7)",
        "ruling/6)",
        "score/3)",
        "score/5)",
    ]


def test_entry_of_a_kind_that_nobody_knows_is_told(pair, mistakes):
    pair.enter("gossip", {"text": "-"})

    assert mistakes(pair) == [(last(pair), "kind", "'gossip'")]
