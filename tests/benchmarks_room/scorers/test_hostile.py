"""No reply takes longer to read than its length is worth."""

import time

import pytest

from dokja.evidence.benchmarks.scorers import ExactScorer, NumericScorer, Reply, Task
from dokja.evidence.benchmarks.scorers.choices import ChoiceScorer

LENGTH = 20_000
SLOW_S = 10.0  # of computing; a pattern that runs away takes minutes
PIECES = (
    *("*", "(", " ", "\n", ">", "정답은 ", "정답: ", "정답: A ", "A, ", "1,", "1/", "만", "삼십"),
    *("The answer is ", "not A but ", "A가 아니라 ", "\\boxed{", "A. x\n", "one ", "9", "임", "."),
)


@pytest.mark.parametrize("scorer", [ChoiceScorer(), ExactScorer(), NumericScorer()])
def test_repetition_of_a_piece_is_read_in_time(scorer, capital):
    task = Task(id="t", keys=("7",), choices=capital.choices, prompt=capital.prompt)
    replies = [
        head + piece * (LENGTH // len(piece)) + tail
        for piece in PIECES
        for head, tail in (("", ""), ("정답:", "x"), ("B", "x"))
    ]

    begun = time.process_time()
    for text in replies:
        scorer.score(task, Reply(text=text))
    spent = time.process_time() - begun

    assert spent < SLOW_S
