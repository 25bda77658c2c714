import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.scoring import STRICT, Outcome, extracted, outcome_of
from dokja.models.serving import Finish


@pytest.mark.parametrize(
    ("said", "key", "outcome"),
    [
        ("42", "42", Outcome.CORRECT),
        (" ４２. ", "42", Outcome.CORRECT),
        ("Thirty-Four", "thirty-four", Outcome.CORRECT),
        ("\u1100\u1169\u11b8", "곱", Outcome.CORRECT),  # 곱 in letters, as some models write it
        ("삼십  사。", "삼십 사", Outcome.CORRECT),
        ("43", "42", Outcome.WRONG),
        ("42 or 43", "42", Outcome.WRONG),
        ("ㄱㅗㅂ", "곱", Outcome.WRONG),  # the letters one by one are what spelling asks for
        ("", "42", Outcome.NO_ANSWER),
        (" \n.", "42", Outcome.NO_ANSWER),
    ],
)
def test_answer_that_was_ended_is_compared_with_the_key(said, key, outcome):
    assert outcome_of(said, finish=Finish.STOP, key=key) is outcome


@pytest.mark.parametrize("said", ["42", "43", ""])
def test_answer_that_was_cut_off_is_neither_right_nor_wrong(said):
    assert outcome_of(said, finish=Finish.LENGTH, key="42") is Outcome.TRUNCATED


def test_strict_convention_values_every_outcome_of_this_scorer():
    assert dict(STRICT) == {
        Outcome.CORRECT: 1.0,
        Outcome.WRONG: 0.0,
        Outcome.NO_ANSWER: 0.0,
        Outcome.TRUNCATED: 0.0,
    }


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_every_key_is_its_own_right_answer(text):
    key = text if extracted(text) else "42"

    assert outcome_of(f"  {key} ", finish=Finish.STOP, key=key) is Outcome.CORRECT
