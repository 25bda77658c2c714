"""Exact texts, numbers and declared patterns."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.outcomes import Cause, Outcome
from dokja.evidence.benchmarks.sanity.probing import labelled_replies
from dokja.evidence.benchmarks.scorers import (
    ExactScorer,
    NumericScorer,
    PatternScorer,
    Reply,
    Task,
)

NAMES = st.sampled_from(["서울", "이순신", "세종대왕", "Leonardo da Vinci", "H2O", "10월 9일"])


def outcome(scorer, key, text):
    scoring = scorer.score(Task(id="t", keys=(key,)), Reply(text=text, tokens_out=4))
    return scoring.cause.value if scoring.cause else scoring.outcome.value


@pytest.mark.parametrize("scorer", [ExactScorer(), NumericScorer()], ids=lambda each: each.kind)
def test_recall_on_labelled_replies(scorer):
    replies = labelled_replies(scorer.kind, scorer.declaration)

    missed = [
        each.reply.text
        for each in replies
        if scorer.score(each.task, each.reply).outcome is not Outcome.CORRECT
    ]

    assert len(replies) >= 100
    assert len(missed) <= 0.01 * len(replies), missed


@given(
    NAMES,
    st.sampled_from(["{}", "{}.", " {} ", "**{}**", "정답: {}", "정답은 {}입니다.", "“{}”"]),
    st.sampled_from(["NFC", "NFD"]),
)
def test_one_answer_in_many_dresses(name, dress, form):
    text = unicodedata.normalize(form, dress.format(name))

    assert outcome(ExactScorer(), name, text) == "correct"


@pytest.mark.parametrize(
    ("options", "key", "text", "told"),
    [
        ({}, "34명", "서른네 명", "correct"),
        ({}, "34명", "삼십사 명입니다.", "correct"),
        ({"numerals": False}, "34명", "서른네 명", "wrong"),
        ({}, "대한민국", "대한 민국", "correct"),
        ({"spacing": "collapse"}, "대한민국", "대한 민국", "wrong"),
        ({"spacing": "collapse"}, "New York", "new   york", "correct"),
        ({"endings": False}, "서울", "서울입니다", "wrong"),
        ({}, "서울", "서울은", "wrong"),
        ({"particles": True}, "서울", "서울은", "correct"),
        ({"particles": True}, "서울", "서울는", "wrong"),
        ({}, "서울", "부산", "wrong"),
        ({}, "서울", "서울 또는 부산", "several"),
        ({}, "서울", "부산, 서울", "several"),
        ({}, "이순신", "이순신 장군", "wrong"),
        ({}, "서울", "정답은 부산이 아니라 서울입니다.", "correct"),
        ({}, "서울", "정답은 서울이 아니라 부산입니다.", "wrong"),
        ({}, "비가 아니라 눈", "비가 아니라 눈", "correct"),
        ({}, "서울", "정답은 부산입니다. 아니, 정답은 서울입니다.", "correct"),
        ({}, "서울", "정답은 부산입니다. 정답은 서울입니다.", "several"),
        ({}, "서울", "한 줄로는 말하기 어렵다.\n두 줄로 말한다.", "not_extracted"),
        ({"read": ("last-line",)}, "서울", "생각해 보았다.\n서울", "correct"),
        ({"read": ("first-line",)}, "서울", "서울\n오래된 수도이다.", "correct"),
    ],
)
def test_exact_goes_by_what_is_declared(options, key, text, told):
    assert outcome(ExactScorer(**options), key, text) == told


def test_exact_takes_any_of_the_right_answers():
    task = Task(id="t", keys=("서울", "서울특별시"))

    outcomes = [
        ExactScorer().score(task, Reply(text=text)).outcome.value
        for text in ("서울특별시", "서울", "한양")
    ]

    assert outcomes == ["correct", "correct", "wrong"]


def test_extracted_text_and_span_are_those_of_the_reply():
    text = "제가 알기로 정답은 서울입니다. 고맙습니다."

    scoring = ExactScorer().score(Task(id="t", keys=("서울",)), Reply(text=text))

    assert scoring.extracted == "서울"
    assert text[slice(*scoring.span)] == "서울"


@pytest.mark.parametrize(
    ("options", "key", "text", "told"),
    [
        ({}, "35000", "약 3만 5천 명입니다.", "correct"),
        ({}, "0.5", "1/2", "correct"),
        ({}, "0.5", "\\boxed{\\frac{1}{2}}", "correct"),
        ({}, "3.14", "3.1415", "wrong"),
        ({"absolute": "0.01"}, "3.14", "3.1415", "correct"),
        ({"relative": "0.01"}, "1000", "1010", "correct"),
        ({"relative": "0.01"}, "1000", "1011", "wrong"),
        ({}, "7", "3 + 4 = 7", "correct"),
        ({}, "7", "일곱", "correct"),
        ({}, "7", "7 또는 8", "several"),
        ({}, "7", "정답: 7\n정답: 8", "several"),
        ({}, "7", "정답: 8. 아니, 정답: 7", "correct"),
        ({}, "7", "모르겠습니다.", "not_extracted"),
        ({}, "-3", "−3", "correct"),
        ({}, "칠", "7", "correct"),
        ({}, "no number", "7", "scorer"),
    ],
)
def test_numbers_go_by_the_declared_tolerance(options, key, text, told):
    assert outcome(NumericScorer(**options), key, text) == told


@given(st.fractions(max_denominator=1000), st.fractions(min_value=0, max_denominator=100))
def test_tolerance_is_exact_at_its_edge(key, tolerance):
    scorer = NumericScorer(absolute=str(tolerance), read=("whole",))
    task = Task(id="t", keys=(str(key),))
    edge = key + tolerance
    beyond = edge + 1

    said = [scorer.score(task, Reply(text=f"= {value}")).outcome for value in (edge, beyond)]

    assert said == [Outcome.CORRECT, Outcome.WRONG]


MARK = {"pattern": r"####\s*(?P<answer>[^\n]+)", "example": "#### {{key}}"}


@pytest.mark.parametrize(
    ("options", "key", "text", "told"),
    [
        ({}, "서울", "생각…\n#### 서울", "correct"),
        ({}, "서울", "#### 서울입니다.", "correct"),
        ({}, "서울", "서울", "not_extracted"),
        ({}, "서울", "#### 부산\n#### 서울", "several"),
        ({"take": "last"}, "서울", "#### 부산\n#### 서울", "correct"),
        ({"take": "first"}, "서울", "#### 부산\n#### 서울", "wrong"),
        ({"compare": "verbatim"}, "서울", "#### 서울.", "wrong"),
        ({"compare": "number"}, "1000", "#### 1,000", "correct"),
        ({"compare": "number"}, "1000", "#### 천", "correct"),
        ({"compare": "number"}, "1000", "#### many", "wrong"),
    ],
)
def test_patterns_go_by_what_is_declared(options, key, text, told):
    assert outcome(PatternScorer(**MARK, **options), key, text) == told


def test_pattern_that_finds_nothing_is_not_extracted():
    scorer = PatternScorer(pattern="x(?P<answer>.*)", example="x{{key}}")

    scoring = scorer.score(Task(id="t", keys=("a",)), Reply(text="x"))

    assert scoring.cause is Cause.NOT_EXTRACTED
