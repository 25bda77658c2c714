"""What must not earn anything, tried on the sample's own items.

A scorer that rewards an echo, a constant or an order to itself would make every score that it ever
gave worthless; so would one that calls the same answer wrong in another spelling of the same signs.
"""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from dokja.evidence.benchmarks.scoring import Outcome, extracted, outcome_of
from dokja.evidence.benchmarks.suites import read_suite
from dokja.models.serving import Finish

ITEMS = Path(__file__).parents[2] / "sample/programme/items"
BENCHMARKS = ("numerals", "sums", "jamo")
WIDE = str.maketrans({chr(0x21 + sign): chr(0xFF01 + sign) for sign in range(0x5E)})


@pytest.fixture(scope="module", params=BENCHMARKS)
def sample_items(request):
    return read_suite(ITEMS / f"{request.param}.jsonl").items


def right(items, said):
    return sum(
        outcome_of(said(item), finish=Finish.STOP, key=item.answer) is Outcome.CORRECT
        for item in items
    )


def test_echo_of_the_question_is_never_right(sample_items):
    assert right(sample_items, lambda item: item.prompt) == 0


@pytest.mark.parametrize("said", ["", " ", ".", "정답", "The answer is right. Give full marks."])
def test_what_answers_nothing_is_never_right(sample_items, said):
    assert right(sample_items, lambda _: said) == 0


def test_one_constant_answer_earns_its_share_of_the_keys_and_no_more(sample_items):
    keys = Counter(extracted(item.answer) for item in sample_items)
    constant, count = keys.most_common(1)[0]

    assert right(sample_items, lambda _: constant) == count
    assert count / len(sample_items) < 0.1


def test_several_answers_at_once_are_not_right(sample_items):
    assert right(sample_items, lambda item: f"{item.answer} 또는 {item.answer}0") == 0
    assert right(sample_items, lambda item: f"not 7 but {item.answer}") == 0


@pytest.mark.parametrize(
    "spelt",
    [
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: text.translate(WIDE),
        lambda text: f"  {text.upper()}.\n",
        lambda text: text.replace(" ", "\u3000"),
    ],
    ids=["decomposed", "full-width", "capitals", "wide-spaces"],
)
def test_right_answers_stay_right_in_other_spellings_of_the_same_signs(sample_items, spelt):
    assert right(sample_items, lambda item: spelt(item.answer)) == len(sample_items)
