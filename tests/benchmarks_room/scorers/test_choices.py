"""Which option a reply chooses: sentences as people and models write them."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.outcomes import Cause, Outcome
from dokja.evidence.benchmarks.sanity.probing import labelled_replies
from dokja.evidence.benchmarks.scorers import Choice, ChoiceScorer, Reply, Task
from dokja.evidence.benchmarks.scorers import choices as rules

SCORER = ChoiceScorer()
LABELLED = labelled_replies("choice", SCORER.declaration)


def options(*texts, labels="ABCDEFGHIJ"):
    return tuple(Choice(label=label, text=text) for label, text in zip(labels, texts, strict=False))


def test_labelled_replies_are_many_and_of_every_sort():
    with_answer = [each for each in LABELLED if each.says is not None]

    assert len(with_answer) >= 100
    assert {each.task.language for each in with_answer} == {"ko", "en"}
    assert {each.cause for each in LABELLED if each.outcome is Outcome.NO_ANSWER} == {
        Cause.SEVERAL,
        Cause.ILLEGAL_LABEL,
        Cause.NOT_EXTRACTED,
        Cause.EMPTY,
    }


def test_recall_on_labelled_replies():
    with_answer = [each for each in LABELLED if each.says is not None]

    missed = [
        each.reply.text
        for each in with_answer
        if SCORER.score(each.task, each.reply).extracted != each.says
    ]

    assert len(missed) <= 0.01 * len(with_answer), missed


def test_replies_without_an_answer_are_told_apart():
    otherwise = [
        (each.reply.text, scoring.outcome, scoring.cause)
        for each in LABELLED
        if each.says is None
        for scoring in [SCORER.score(each.task, each.reply)]
        if (scoring.outcome, scoring.cause) != (each.outcome, each.cause)
    ]

    assert otherwise == []


def test_span_is_where_the_label_stands_in_the_reply_as_it_came():
    for each in LABELLED:
        scoring = SCORER.score(each.task, each.reply)
        if scoring.span is None or scoring.rule == "text":
            continue
        start, stop = scoring.span

        sign = each.reply.text[start:stop]

        read = SCORER.score(each.task, Reply(text=sign, tokens_out=1))
        assert read.extracted == scoring.extracted, (each.reply.text, sign)


def test_short_replies_say_what_the_long_way_says(monkeypatch):
    short = [SCORER.score(each.task, each.reply) for each in LABELLED]
    monkeypatch.setattr(rules, "_BRIEF", 0)

    long = [SCORER.score(each.task, each.reply) for each in LABELLED]

    assert [(each.outcome, each.cause, each.extracted, each.span) for each in short] == [
        (each.outcome, each.cause, each.extracted, each.span) for each in long
    ]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("B", "whole"),
        ("B. 서울", "whole"),
        ("풀이는 이렇다.\n$\\boxed{B}$", "boxed"),
        ("정답은 A 같다.\n최종 답변: B", "final"),
        ("서울이므로 정답은 B입니다.", "statement"),
        ("A. 부산\nB. 서울 (정답)\nC. 대구\nD. 광주", "ticked"),
        ("서울", "text"),
        ("B\n\n서울은 오래 수도였다.", "leading"),
        ("오래 생각했다.\n\nB", "closing"),
        ("수도는 오래전부터 B입니다.", "stated"),
        ("수도를 고르라면 (B) 쪽이다.", "mention"),
    ],
)
def test_rule_that_matched_is_told(capital, said, text, rule):
    scoring = SCORER.score(capital, said(text))

    assert (scoring.outcome, scoring.rule) == (Outcome.CORRECT, rule)


@pytest.mark.parametrize(
    "text",
    [
        "정답은 A입니다. 아니, 다시 생각해 보니 정답은 B입니다.",
        "The answer is A. Wait, actually the answer is B.",
    ],
)
def test_change_of_mind_goes_by_the_declared_rule(capital, said, text):
    last = ChoiceScorer(change_of_mind="last").score(capital, said(text))
    several = ChoiceScorer(change_of_mind="several").score(capital, said(text))

    assert last.outcome is Outcome.CORRECT
    assert (several.outcome, several.cause) == (Outcome.NO_ANSWER, Cause.SEVERAL)


def test_two_declarations_without_a_word_between_are_several(capital, said):
    scoring = SCORER.score(capital, said("정답은 A입니다. 정답은 B입니다."))

    assert (scoring.outcome, scoring.cause) == (Outcome.NO_ANSWER, Cause.SEVERAL)


def test_label_with_another_options_text_names_two(capital, said):
    scoring = SCORER.score(capital, said("정답: A. 서울"))

    assert (scoring.outcome, scoring.cause) == (Outcome.NO_ANSWER, Cause.SEVERAL)


def test_label_that_the_item_has_not_is_illegal_and_the_models_doing(capital, said):
    scoring = SCORER.score(capital, said("정답은 E입니다."))

    assert scoring.cause is Cause.ILLEGAL_LABEL
    assert scoring.charge.value == "model"
    assert scoring.score is None


@pytest.mark.parametrize("labels", ["ABCD", "1234", "①②③④", "가나다라", "ㄱㄴㄷㄹ"])
@pytest.mark.parametrize("sign", ["B", "b", "2", "2번", "②", "나", "ㄴ", "(나)", "Ｂ"])
def test_every_row_names_the_same_place(said, labels, sign):
    task = Task(id="t", keys=(labels[1],), choices=options("달", "해", "별", "땅", labels=labels))

    scoring = SCORER.score(task, said(f"정답: {sign}"))

    assert scoring.extracted == labels[1]


def test_number_is_no_place_where_options_are_numbers(said):
    task = Task(id="t", keys=("A",), choices=options("2", "3", "4", "1"))

    by_value = SCORER.score(task, said("2"))
    by_label = SCORER.score(task, said("정답: A"))

    assert (by_value.outcome, by_value.extracted, by_value.rule) == (Outcome.CORRECT, "A", "text")
    assert by_label.outcome is Outcome.CORRECT


def test_article_is_no_label(said):
    task = Task(id="t", keys=("A",), choices=options("yes", "no"))

    scoring = SCORER.score(task, said("A good question deserves a good answer."))

    assert scoring.outcome is Outcome.NO_ANSWER


def test_repeated_prompt_is_no_answer_and_what_follows_it_is(capital, said):
    alone = SCORER.score(capital, said(capital.prompt))
    quoted = SCORER.score(capital, said("> " + capital.prompt.replace("\n", "\n> ")))
    followed = SCORER.score(capital, said(f"{capital.prompt}\n정답: B"))

    assert alone.cause is quoted.cause is Cause.NOT_EXTRACTED
    assert followed.outcome is Outcome.CORRECT


def test_steps_with_numbers_are_no_list_of_options(capital, said):
    text = "1. 부산은 항구 도시다.\n2. 서울은 수도다.\n3. 따라서 정답은 B입니다."

    assert SCORER.score(capital, said(text)).outcome is Outcome.CORRECT


words = st.text(alphabet="가나다라마바사아자차카타파하 강산물불", min_size=2, max_size=12).map(
    str.strip
)


@given(st.lists(words.filter(lambda text: len(text) > 1), min_size=2, max_size=5, unique=True))
def test_lists_of_all_options_are_never_right(texts):
    folded = {"".join(text.split()) for text in texts}
    assume(len(folded) == len(texts))
    choices = options(*texts)
    lines = [f"{choice.label}. {choice.text}" for choice in choices]
    replies = ["\n".join(lines), " ".join(lines), ", ".join(choice.label for choice in choices)]

    for choice in choices:
        task = Task(id="t", keys=(choice.label,), choices=choices)
        outcomes = {SCORER.score(task, Reply(text=text)).outcome for text in replies}

        assert Outcome.CORRECT not in outcomes


@given(st.text(alphabet=string.printable + "가나다라정답은입니다 ①②③", max_size=120))
def test_any_text_has_one_reading_and_a_span_inside_it(text):
    task = Task(id="t", keys=("A",), choices=options("alpha", "beta", "gamma"))

    first, again = (SCORER.score(task, Reply(text=text, tokens_out=1)) for _ in range(2))

    assert first == again
    if first.span is not None:
        assert 0 <= first.span[0] < first.span[1] <= len(text)
    assert (first.score is None) == (not first.outcome.is_settled)
