import hashlib
from collections import Counter

import pytest

from dokja.errors import NotServableError, SuiteError
from dokja.evidence.benchmarks.records import read_records
from dokja.evidence.benchmarks.runs import run_suite, score_again
from dokja.evidence.benchmarks.scoring import Outcome
from dokja.evidence.benchmarks.suites import read_suite
from dokja.values import Digest

LONGEST = 16


def tree(leaves):
    """RFC 6962, as its text says it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + tree(leaves[:half]) + tree(leaves[half:])).digest()


@pytest.fixture
def run(suite, model):
    """Runs a suite of so many items on a model that fails at these places."""

    def made(count=8, **failures):
        read = suite(count)
        return run_suite(model(read, **failures), read, max_new_tokens=LONGEST)

    return made


def test_every_item_is_answered_in_the_order_of_the_suite(run):
    made = run(150, said={3: "none", 149: ""}, cut=[70])

    assert [record.item for record in made.records] == [f"sums-{n:03d}" for n in range(150)]
    assert made.outcomes == {"correct": 147, "wrong": 1, "no_answer": 1, "truncated": 1}
    assert made.records[70].outcome is Outcome.TRUNCATED
    assert made.responder == "garam-1"


def test_progress_is_told_batch_by_batch(suite, model):
    told = []
    read = suite(150)

    run_suite(model(read), read, max_new_tokens=LONGEST, progress=lambda *each: told.append(each))

    assert told == [(64, 150), (128, 150), (150, 150)]


def test_answers_are_kept_as_they_were_said(run):
    made = run(said={0: " 1. "})

    assert made.records[0].answer == " 1. "
    assert made.records[0].outcome is Outcome.CORRECT


def test_responder_that_cannot_answer_leaves_no_run(suite, model):
    read = suite(8)
    knows_less = model(suite(4))

    with pytest.raises(NotServableError, match="prompt 5"):
        run_suite(knows_less, read, max_new_tokens=LONGEST)


def test_responder_with_an_answer_too_few_is_refused(suite, model):
    read = suite(8)
    recorded = model(read)

    class Forgetful:
        name = "forgetful"

        def answer(self, prompts, *, max_new_tokens):
            return recorded.answer(prompts, max_new_tokens=max_new_tokens)[:-1]

    with pytest.raises(ValueError, match="7 answers to 8 prompts"):
        run_suite(Forgetful(), read, max_new_tokens=LONGEST)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_root_is_that_of_the_tree_over_the_lines(run, count):
    made = run(count)

    lines = made.records_bytes.splitlines()
    assert str(made.root) == str(Digest(tree(lines).hex()))
    assert made.records_digest == Digest.of(made.records_bytes)


def test_records_are_read_back_as_they_were(run):
    made = run(said={1: "삼\n십"}, cut=[2])

    assert read_records(made.records_bytes, file="blob") == made.records


def test_every_broken_record_is_told_at_once(run):
    lines = run(6).records_bytes.splitlines()
    lines[1] = lines[1].replace(b'"v":1', b'"v":2')
    lines[2] = lines[2].replace(b'"correct"', b'"splendid"')
    lines[3] = lines[3].replace(b'"tokens_in":9', b'"tokens_in":true')
    lines[4] = lines[4].replace(b'"stop"', b"null")
    lines[5] = lines[5][:-1]

    with pytest.raises(SuiteError) as caught:
        read_records(b"\n".join(lines), file="blob")

    places = Counter(mistake.place for mistake in caught.value.mistakes)
    assert places == Counter(
        ["line 6", "line 2, v", "line 3, outcome", "line 4, tokens_in", "line 5, finish"]
    )


def test_recorded_answers_make_the_same_run_again(run, suite):
    made = run(said={3: "none"})

    again = score_again(made.records, suite(), responder=made.responder, max_new_tokens=LONGEST)

    assert again == made


def test_corrected_key_scores_the_same_answers_anew(run, suite_file, items):
    made = run(said={3: "four"})
    corrected = items(8)
    corrected[3]["answer"] = "four"

    again = score_again(
        made.records,
        read_suite(suite_file(corrected)),
        responder=made.responder,
        max_new_tokens=LONGEST,
    )

    assert made.records[3].outcome is Outcome.WRONG
    assert again.records[3].outcome is Outcome.CORRECT
    assert again.records[3].answer == made.records[3].answer


def test_records_of_other_questions_are_refused_all_at_once(run, suite_file, items):
    made = run(8)
    others = items(9)
    others[2]["prompt"] = "2 plus 1?"
    others[5]["id"] = "sums-x"

    with pytest.raises(SuiteError) as caught:
        score_again(
            made.records,
            read_suite(suite_file(others)),
            responder=made.responder,
            max_new_tokens=LONGEST,
        )

    found = [(mistake.place, mistake.read) for mistake in caught.value.mistakes]
    assert found == [
        ("", "8 records"),
        ("line 3", f"an answer to {Digest.of(b'2 + 1 = ?').short}…"),
        ("line 6", "item sums-005"),
    ]
