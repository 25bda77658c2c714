import math
from datetime import date
from statistics import mean

import pytest

from dokja.evidence.benchmarks.drafts import accuracy, run_draft, score_drafts
from dokja.evidence.benchmarks.runs import run_suite
from dokja.evidence.benchmarks.scoring import STRICT, Outcome
from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.statistics import ScoreTerms, student_quantile
from dokja.values import Missing, MissingReason

LONGEST = 16
DAY = date(2026, 11, 20)
TERMS = ScoreTerms(
    stage="final",
    part="sums",
    points=20.0,
    scale="absolute",
    rulebook="2026-11-01",
    level=0.95,
    draws=1_000,
    seed=1,
    on=DAY,
    actor="dokja",
)


@pytest.fixture
def run(suite, model):
    def made(count=8, name="sums.jsonl", **failures):
        read = suite(count, name=name)
        return run_suite(model(read, **failures), read, max_new_tokens=LONGEST)

    return made


def clustered(values, clusters, level=0.95):
    """Mean, error and half width over clusters of one size, the slow way."""
    each = [mean(v for v, c in zip(values, clusters, strict=True) if c == k) for k in {*clusters}]
    middle = mean(each)
    error = math.sqrt(sum((e - middle) ** 2 for e in each) / len(each) / (len(each) - 1))
    return middle, error, student_quantile((1 + level) / 2, df=len(each) - 1) * error


def test_run_is_entered_with_its_answers_as_a_blob(run):
    made = run(said={1: "none"})

    draft = run_draft(made, stage="final", model="garam-1", on=DAY, actor="dokja")

    assert draft.id == "run/final/garam-1/sums"
    assert draft.blobs == (made.records_digest,)
    assert draft.body["outcomes"] == {"correct": 7, "wrong": 1}
    assert draft.body["items"] == 8
    assert check_body("run", draft.body, place="here") == ()


def test_accuracy_is_the_mean_with_an_interval_over_clusters(run):
    made = run(40, said=dict.fromkeys((0, 1, 5, 9, 13), "none"))
    right = [float(record.outcome is Outcome.CORRECT) for record in made.records]
    middle, error, half = clustered(right, [record.cluster for record in made.records])

    found = accuracy([made], level=0.95)

    assert found.value == pytest.approx(middle)
    assert found.standard_error == pytest.approx(error)
    assert (found.low, found.high) == pytest.approx((middle - half, min(middle + half, 1)))
    assert dict(found.rests_on) == {"items": 40, "clusters": 4}


def test_benchmarks_count_alike_whatever_their_length(run):
    long = run(40, said=dict.fromkeys((0, 1, 5, 9, 13), "none"))
    short = run(8, name="jamo.jsonl", said=dict.fromkeys((0, 1, 2), "none"))

    found = accuracy([long, short], level=0.95)

    each = [accuracy([one], level=0.95) for one in (long, short)]
    assert found.value == pytest.approx((35 / 40 + 5 / 8) / 2)
    assert found.standard_error == pytest.approx(
        math.hypot(*(one.standard_error for one in each)) / 2
    )
    assert dict(found.rests_on) == {"benchmarks": 2, "items": 48, "clusters": 8}


def test_convention_says_what_a_cut_answer_is_worth(run):
    made = run(8, cut=[0, 1], said={2: "none"})
    lenient = {**STRICT, Outcome.TRUNCATED: 0.5}

    assert accuracy([made], level=0.95).value == pytest.approx(5 / 8)
    assert accuracy([made], level=0.95, convention=lenient).value == pytest.approx(6 / 8)


def test_items_of_one_family_alone_give_no_number(run):
    made = run(1)

    found = accuracy([made], level=0.95)

    assert isinstance(found, Missing)
    assert found.reason is MissingReason.NOT_COMPARABLE
    assert found.what[-1] == "sums"


@pytest.mark.parametrize("times", [0, 2])
def test_accuracy_of_no_run_or_one_twice_is_refused(run, times):
    with pytest.raises(ValueError, match="one run for each benchmark"):
        accuracy([run()] * times, level=0.95)


def test_scores_follow_from_the_runs_of_every_team(run):
    runs = {"garam": [run(8)], "maru": [run(8, said={0: "none", 1: "none"})], "raon": [run(1)]}
    evidence = {team: [f"run/final/{team}-1/sums"] for team in runs}

    scores = score_drafts(runs, terms=TERMS, evidence=evidence)

    assert [(d.body["team"], d.body["score"]["value"]) for d in scores.drafts] == [
        ("garam", 20.0),
        ("maru", 15.0),
    ]
    assert [d.body["evidence"] for d in scores.drafts] == [evidence["garam"], evidence["maru"]]
    assert [team for team, _ in scores.missing] == ["raon"]
    assert all(check_body("score", draft.body, place="here") == () for draft in scores.drafts)
