"""What is told before anything is read: filters, refusals, cuts, and emptiness."""

import pytest

from dokja.evidence.benchmarks.outcomes import CAUSES
from dokja.evidence.benchmarks.scorers import (
    Aids,
    ChoiceScorer,
    ExactScorer,
    NumericScorer,
    Reply,
    Task,
)

SCORERS = (ChoiceScorer(), ExactScorer(), NumericScorer())


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.kind)
@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(text=""), ("infrastructure_error", "empty_unexplained", "host")),
        (Reply(text=" \n"), ("infrastructure_error", "empty_unexplained", "host")),
        (Reply(text="", tokens_out=0), ("infrastructure_error", "empty_unexplained", "host")),
        (Reply(text="", tokens_out=5), ("no_answer", "empty", "model")),
        (Reply(text="", reasoning="because"), ("no_answer", "empty", "model")),
        (Reply(text="<think>B</think>"), ("no_answer", "empty", "model")),
        (Reply(text="", tokens_out=5, finish="length"), ("truncated", "in_reasoning", "model")),
        (Reply(text="<think>정답: 7"), ("truncated", "in_reasoning", "model")),
        (Reply(text="정답: B, 7", finish="length"), ("truncated", "visible", "model")),
        (Reply(text="정답: B, 7", finish="max_tokens"), ("truncated", "visible", "model")),
        (Reply(text="B", finish="content_filter"), ("filtered", None, "host")),
        (Reply(text="", finish="content_filter"), ("filtered", None, "host")),
        (Reply(text="B", refusal=True), ("refused", None, "model")),
    ],
)
def test_replies_that_are_not_read(capital, scorer, reply, told):
    scoring = scorer.score(capital, reply)

    cause = scoring.cause.value if scoring.cause else None
    assert (scoring.outcome.value, cause, scoring.charge.value) == told
    assert scoring.score is None
    assert scoring.cause is None or scoring.cause in CAUSES[scoring.outcome]


def test_finish_that_nobody_told_is_no_cut(capital):
    scoring = ChoiceScorer().score(capital, Reply(text="B", finish=None))

    assert scoring.outcome.value == "correct"


def test_cut_is_the_operators_doing_where_the_budget_was_not_granted(capital):
    aids = Aids(budget_granted=False)

    scoring = ChoiceScorer().score(capital, Reply(text="정답은", finish="length"), aids=aids)

    assert (scoring.outcome.value, scoring.charge.value) == ("truncated", "operator")


def test_what_cannot_be_read_is_the_operators_doing_without_an_audit(capital, said):
    unaudited = Aids(audited=False)

    charges = [
        ChoiceScorer().score(capital, said(text), aids=unaudited).charge.value
        for text in ("모르겠습니다.", "A 또는 B", "E")
    ]

    assert charges == ["operator", "model", "model"]


def test_declared_refusal_is_told_only_without_an_answer(capital, said):
    scorer = ChoiceScorer(refusals=("답변할 수 없",))

    refused = scorer.score(capital, said("죄송하지만 답변할 수 없습니다."))
    answered = scorer.score(capital, said("길게는 답변할 수 없지만, 정답은 B입니다."))

    assert (refused.outcome.value, refused.charge.value) == ("refused", "model")
    assert answered.outcome.value == "correct"


def test_very_long_reply_is_read_as_far_as_it_is_read(said):
    task = Task(id="t", keys=("7",))

    scoring = NumericScorer().score(task, said("가 " * 150_000))

    assert scoring.outcome.value == "no_answer"
