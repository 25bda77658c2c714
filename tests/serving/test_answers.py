"""Greedy answers: batched as alone, the same each time, and ended for the right reason."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokja.errors import NotServableError
from dokja.models.serving import Answer, Finish, open_model

SAMPLE = Path(__file__).parents[2] / "sample" / "programme"
prompts = st.text(alphabet=" 0123456789abcd가각나ㄱㄴ", max_size=12)
relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def slow_answer(model, prompt, max_new_tokens):
    """Return ids said, one full reading per token, and whether the end mark was met."""
    known = list(model.tokenizer.encode(prompt))
    said = []
    while len(said) < max_new_tokens and len(known) < model.architecture.positions:
        token = int(model.logits(known)[-1].argmax())
        if token == 2:
            return said, Finish.STOP
        said.append(token)
        known.append(token)
    return said, Finish.LENGTH


@relaxed
@given(batch=st.lists(prompts, max_size=6), most=st.integers(1, 40))
def test_answers_equal_the_slow_twin(model, batch, most):
    answers = model.answer(batch, max_new_tokens=most)

    assert len(answers) == len(batch)
    for prompt, answer in zip(batch, answers, strict=True):
        said, finish = slow_answer(model, prompt, most)
        assert answer == Answer(
            text=model.tokenizer.decode(said),
            finish=finish,
            tokens_in=len(model.tokenizer.encode(prompt)),
            tokens_out=len(said),
        )


def test_small_memory_gives_the_same_answers(folder):
    batch = [f"{number} a가" * (number % 3 + 1) for number in range(30)]
    roomy = folder.open().answer(batch, max_new_tokens=6)

    cramped = folder.open(memory_bytes=60_000)

    assert len(list(cramped._batches(range(30), [(1,)] * 30, max_new_tokens=6))) > 1
    assert cramped.answer(batch, max_new_tokens=6) == roomy


def test_answers_do_not_depend_on_the_order_of_prompts(model):
    batch = [f"{a}{b} a" + "b" * (a % 4) for a in range(6) for b in range(6)]
    forward = model.answer(batch, max_new_tokens=8)

    backward = model.answer(batch[::-1], max_new_tokens=8)

    assert backward[::-1] == forward


def test_an_answer_stops_at_an_end_mark_of_the_generation_config(folder):
    first = folder.open().answer(["ab"], max_new_tokens=1)[0]
    token = folder.tokenizer["model"]["vocab"][first.text]
    folder.generation = {"eos_token_id": [2, token]}

    answer = folder.open().answer(["ab"], max_new_tokens=9)[0]

    assert answer == Answer(text="", finish=Finish.STOP, tokens_in=first.tokens_in, tokens_out=0)


def test_an_answer_is_composed_whatever_form_the_model_writes(folder):
    folder.reshape(tie_word_embeddings=False)
    vocabulary = folder.tokenizer["model"]["vocab"]
    ga, na = vocabulary.pop("각"), vocabulary.pop("ㄴ")
    vocabulary |= {"\u1100\u1161": ga, "\u1102\u1161": na}
    head = folder.weights["lm_head.weight"]
    head[:] = 0
    head[ga, 0], head[na, 0] = 1, -1

    answer = folder.open().answer(["a"], max_new_tokens=5)[0]

    assert len(answer.text) == answer.tokens_out == 5
    assert set(answer.text) <= {"가", "나"}


def test_prompts_that_leave_no_room_are_all_named(model):
    batch = ["a", "1" * 60, "b", "2" * 50]

    with pytest.raises(NotServableError) as caught:
        model.answer(batch, max_new_tokens=4)

    said = str(caught.value)
    assert "prompt 2 ('1111" in said
    assert "prompt 4 ('2222" in said
    assert "read 62 tokens; expected 1 to 39" in said


def test_an_answer_that_needs_more_memory_than_allowed_is_refused(folder):
    model = folder.reshape(max_position_embeddings=1 << 20).open(memory_bytes=60_000)

    with pytest.raises(NotServableError, match=r"prompt 1 \('a'\): needs \d+ bytes"):
        model.answer(["a"], max_new_tokens=1 << 20)


def test_a_prompt_that_leaves_room_for_one_token_gets_one(model):
    answer = model.answer(["1" * 37], max_new_tokens=9)[0]

    assert (answer.tokens_in, answer.finish) == (39, Finish.LENGTH)
    assert answer.tokens_out == 1


def test_an_answer_of_no_tokens_cannot_be_asked_for(model):
    with pytest.raises(ValueError, match="expected at least one"):
        model.answer(["a"], max_new_tokens=0)


def test_no_prompts_get_no_answers(model):
    assert model.answer([], max_new_tokens=3) == ()


def test_numbers_beyond_float32_are_refused_and_not_answered(folder):
    for name in folder.weights:
        if name.endswith(("proj.weight", "layernorm.weight")):
            folder.weights[name] = folder.weights[name] * np.float32(1e18)

    with pytest.raises(NotServableError, match="beyond what float32 can hold"):
        folder.open().answer(["ab"], max_new_tokens=2)


def test_sample_answers_are_the_same_on_one_and_two_threads():
    script = (
        "import sys, hashlib; from pathlib import Path;"
        "from dokja.models.serving import open_model;"
        "m = open_model(Path(sys.argv[1]));"
        "a = m.answer([f'{i} + {j} = ?' for i in range(10, 40) for j in (11, 29)],"
        " max_new_tokens=8);"
        "print(hashlib.sha256(repr(a).encode()).hexdigest())"
    )

    said = {
        subprocess.run(
            [sys.executable, "-c", script, SAMPLE / "models" / "garam-1"],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }

    assert len(said) == 1


def test_a_thousand_items_are_answered_in_seconds():
    model = open_model(SAMPLE / "models" / "garam-1")
    batch = [f"{a} + {b} = ?" for a in range(10, 90, 2) for b in range(10, 35)]
    start = time.perf_counter()

    model.answer(batch, max_new_tokens=8)

    # About half a second on one core; the bound leaves room for a busy machine.
    assert time.perf_counter() - start < 10
