"""A judge's file keeps every reply, tells of every change, and lets one writer in."""

import stat

import numpy as np
import pytest

from dokja.errors import RunError
from dokja.evidence.benchmarks.judges import JudgeFile, JudgeSystem, judged_rates
from dokja.evidence.statistics import judge_errors
from dokja.models.serving.endpoints import Family, FaultClass
from dokja.values import Missing

JUDGE = JudgeSystem(model="haneul-judge", kind=Family.CHAT, request={"model": "haneul-judge"})


def body(text):
    return f'{{"choices":[{{"message":{{"content":"{text}"}}}}]}}'


def opened(folder, judge=JUDGE):
    return JudgeFile(folder, judge, clock=lambda: 1)


def test_what_was_kept_is_found_again(tmp_path):
    with opened(tmp_path) as file:
        file.keep("a", body("VERDICT: 정답"))
        file.give_up("b", FaultClass.TIMEOUT, detail="nothing came")
        head = file.head

    with opened(tmp_path) as file:
        found = [file.reply(key) for key in ("a", "b", "c")]
        same = file.head == head

    assert found == ["VERDICT: 정답", None, None]
    assert same


def test_nobody_else_may_read_it(tmp_path):
    with opened(tmp_path) as file:
        mode = stat.S_IMODE(file.path.stat().st_mode)

    assert mode == stat.S_IRUSR | stat.S_IWUSR


def test_another_request_is_another_judge(tmp_path):
    other = JudgeSystem(model="haneul-judge", kind=Family.CHAT, request={"model": "x"})
    with opened(tmp_path) as file:
        file.keep("a", body("VERDICT: WRONG"))

    with opened(tmp_path, other) as file:
        found = file.reply("a")

    assert found is None
    assert JUDGE.file != other.file


def test_a_changed_line_is_named(tmp_path):
    with opened(tmp_path) as file:
        file.keep("a", body("VERDICT: WRONG"))
        path = file.path
    path.write_bytes(path.read_bytes().replace(b"WRONG", b"RIGHT"))

    with pytest.raises(RunError, match="line 2"):
        opened(tmp_path)


def test_half_a_line_is_cut_off(tmp_path):
    with opened(tmp_path) as file:
        file.keep("a", body("VERDICT: WRONG"))
        path = file.path
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])

    with opened(tmp_path) as file:
        torn, found = file.torn, file.reply("a")

    assert (torn, found) == (True, "VERDICT: WRONG")
    assert path.read_bytes() == whole


def test_a_second_writer_is_refused(tmp_path):
    with opened(tmp_path), pytest.raises(RunError, match="another process"):
        opened(tmp_path)


def test_rates_are_corrected_in_their_own_language():
    rng = np.random.default_rng(7)
    right = np.arange(400) % 2 == 0
    judged = right ^ (rng.random(400) < 0.1)
    errors = judge_errors(judged, right, ["ko"] * 400)
    answers = [("ko", f"c{n % 40}", n % 4 != 0) for n in range(400)]

    korean, english = judged_rates([*answers, ("en", "a", True), ("en", "b", False)], errors)[::-1]

    [error] = errors
    se, sp = error.sensitivity.value, error.specificity.value
    assert korean.passed.value == 0.75
    assert korean.corrected.value == pytest.approx((0.75 + sp - 1) / (se + sp - 1))
    assert korean.corrected.high - korean.corrected.low > korean.passed.high - korean.passed.low
    assert isinstance(english.corrected, Missing)
