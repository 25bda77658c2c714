"""Faults of a real endpoint: what is done about each, and what becomes of the sample."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokja.evidence.benchmarks.conventions import CONVENTIONS
from dokja.evidence.benchmarks.running import Why, run_table
from dokja.evidence.benchmarks.tables import view
from dokja.models.serving.endpoints import REACTIONS, FaultClass

pytestmark = pytest.mark.loopback

ALL = (
    "rate_told",
    "rate",
    "server",
    "reset",
    "hang",
    "drip",
    "cut",
    "malformed",
    "error_200",
    "empty",
)


@pytest.mark.parametrize(
    ("fault", "kind", "tries", "cause"),
    [
        ("rate", "rate", 8, "rate"),
        ("server", "server", 5, "http"),
        ("reset", "connection", 5, "connection"),
        ("hang", "timeout", 3, "timeout"),
        ("drip", "timeout", 3, "timeout"),
        ("cut", "cut", 3, "cut"),
        ("malformed", "malformed", 3, "malformed"),
        ("error_200", "malformed", 3, "malformed"),
        ("no_choices", "malformed", 3, "malformed"),
        ("not_http", "malformed", 3, "malformed"),
        ("empty", "empty", 2, "empty_unexplained"),
        ("wrong_model", "wrong_model", 2, "wrong_model"),
    ],
)
def test_a_fault_that_stays_is_an_outcome_after_its_tries(run, fault, kind, tries, cause):
    one = run(1, script=(fault,) * 20)

    ending = one.go()
    told = one.told()

    record = one.records[0]
    assert ending.why is Why.DONE
    assert one.server.asked.total() == tries == REACTIONS[FaultClass(kind)].tries
    assert (record["outcome"], record["cause"], record["charge"]) == (
        "infrastructure_error",
        cause,
        "host",
    )
    assert "score" not in record
    assert [each[1] for each in record["faults"]] == [kind] * (tries - 1)
    assert told.said["faults"] == {kind: tries}


@pytest.mark.parametrize("fault", [*ALL, "no_choices", "wrong_model"])
def test_a_fault_that_passes_leaves_the_answer_right(run, fault):
    one = run(1, script=(fault,))

    one.go()
    one.told()

    record = one.records[0]
    assert (record["outcome"], record["score"], record["attempts"]) == ("correct", 1, 2)
    assert len(record["faults"]) == 1


def test_a_told_wait_is_obeyed_and_is_no_try(run, quick):
    one = run(1, script=("rate_told",) * 12, retry_after="0.01")

    one.go(quick(told_most=20))
    one.told()

    waits = one.lines("fault")
    assert one.records[0]["outcome"] == "correct"
    assert {line["class"] for line in waits} == {"rate_told"}
    assert waits[-1]["t"] - waits[0]["t"] >= 11 * 10


def test_a_server_that_says_wait_for_ever_is_given_up(run, quick):
    one = run(1, script=("rate_told",) * 99, retry_after="0")

    one.go(quick(told_most=3))
    one.told()

    assert one.records[0]["cause"] == "rate"
    assert one.server.asked.total() == 3 + 8


def test_a_filter_is_not_asked_again(run):
    one = run(2, by_question={"0 + 1 = ?": ("filter",), "1 + 1 = ?": ("filter_stop",)})

    one.go()
    one.told()

    assert [(each["outcome"], each["charge"]) for each in one.records] == [("filtered", "host")] * 2
    assert one.server.asked.total() == 2


def test_a_question_beyond_the_context_is_the_models(run):
    one = run(1, script=("over_context",))

    one.go()
    one.told()

    record = one.records[0]
    assert (record["outcome"], record["cause"], record["charge"]) == (
        "no_answer",
        "over_context",
        "model",
    )
    assert one.server.asked.total() == 1


def test_an_empty_answer_with_tokens_is_the_models(run):
    one = run(2, by_question={"0 + 1 = ?": ("silent",) * 2, "1 + 1 = ?": ("thought",) * 2})

    one.go()
    one.told()

    found = [(each["outcome"], each["cause"], each["charge"]) for each in one.records]
    assert found == [("no_answer", "empty", "model"), ("truncated", "in_reasoning", "model")]
    assert one.server.asked.total() == 4


def test_an_answer_that_was_cut_off_is_truncated_though_it_be_right(run):
    one = run(1, script=("length",))

    one.go()
    one.told()

    assert (one.records[0]["outcome"], one.records[0]["cause"]) == ("truncated", "visible")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_a_refused_request_stops_the_run_at_the_first(run, status):
    one = run(20, script=(f"status:{status}",))

    ending = one.go()
    told = one.told()

    assert ending.why is Why.CONFIGURATION
    assert str(status) in ending.detail
    assert one.server.asked.total() == 1
    assert told.outcomes == {"infrastructure_error": 1, "not_run": 19}
    assert [each["charge"] for each in one.records] == ["operator"] * 20


def test_a_run_that_was_refused_goes_on_with_everything_else_first(run):
    one = run(6, by_question={"3 + 1 = ?": ("status:400",) * 2})
    one.go()

    ending = one.go()

    told = one.told()
    assert ending.why is Why.CONFIGURATION
    assert told.outcomes == {"correct": 5, "infrastructure_error": 1}
    assert one.go().why is Why.DONE
    assert one.told().outcomes == {"correct": 6}


def test_a_third_sample_of_another_model_stops_the_run(run, quick):
    one = run(40, script=("wrong_model",))

    ending = one.go(quick(concurrency=1))
    told = one.told()

    assert ending.why is Why.IDENTITY
    assert "another" in ending.detail
    assert told.said["faults"] == {"wrong_model": 3}
    assert told.outcomes["not_run"] == 38


def test_an_endpoint_that_is_down_stops_the_run_instead_of_the_day(run, quick):
    one = run(200, script=("server",) * 99)

    ending = one.go(quick(breaker_pauses=2))

    assert ending.why is Why.UNREACHABLE
    assert len(one.lines("pause")) == 2
    assert one.told().outcomes["not_run"] > 100


def test_a_faulty_reply_changes_the_key_and_a_silent_line_does_not(run):
    one = run(1, script=("malformed", "reset", "hang", ""))

    one.go()

    key = one.lines("ask")[0]["k"]
    assert one.server.keys == [key, f"{key}-1", f"{key}-1", f"{key}-1"]


def test_bodies_of_faults_are_kept(run):
    one = run(1, script=("malformed",))

    one.go()

    assert "sha256" in one.lines("fault")[0]


def test_half_is_asked_at_once_after_a_push(run, quick):
    one = run(300, faults={"rate": 0.1}, delay_s=0.002)
    seen = []

    one.go(quick(concurrency=32), watch=lambda tally: seen.append(tally.concurrency))

    assert one.server.most <= 32
    assert min(seen) < 32
    assert one.told().outcomes == {"correct": 300}


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    faults=st.dictionaries(
        st.sampled_from([each for each in ALL if each not in {"hang", "drip"}]),
        st.floats(0, 0.5),
        min_size=1,
    ),
    seed=st.integers(0, 1000),
)
def test_no_mixture_of_faults_scores_a_right_model_below_one(run, faults, seed):
    number = next(_NUMBERS)
    one = run(40, faults=faults, seed=seed, name=f"run-{number}")

    one.go()
    told = one.told()

    found = told.outcomes
    assert found.get("wrong", 0) == 0
    assert set(found) <= {"correct", "infrastructure_error"}
    assert sum(found.values()) == 40
    settled = [each for each in one.records if "score" in each]
    assert all(each["score"] == 1 for each in settled)
    assert len({each["item"] for each in one.records}) == 40


_NUMBERS = itertools.count()


def test_every_fault_at_half_loses_nothing_and_bounds_what_is_open(run):
    one = run(60, faults={**dict.fromkeys(ALL, 0.5), "hang": 0.02, "drip": 0.02}, seed=5)

    one.go()
    told = one.told()

    table = run_table([one.folder])
    bounds = view(table, CONVENTIONS["bounds"])
    settled = table.outcomes[table.charges == 0]
    assert told.open == told.outcomes["infrastructure_error"] > 0
    assert set(settled.tolist()) == {0}  # correct, every one
    assert bounds.high.mean() == 1.0
    assert bounds.low.mean() == told.outcomes["correct"] / 60
    assert bounds.opened.sum() == told.open
