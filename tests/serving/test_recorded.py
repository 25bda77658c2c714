"""A recording answers as the model did, and says so when it cannot."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokja.errors import InputError, NotServableError
from dokja.models.serving import Answer, Finish, RecordedModel, recording_bytes

answers = st.builds(
    Answer,
    text=st.sampled_from(["", "7", "가나", "a\nb\u2028c", '"']),
    finish=st.sampled_from(Finish),
    tokens_in=st.integers(0, 9),
    tokens_out=st.integers(0, 9),
)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "answers.jsonl"
    said = Answer(text="46", finish=Finish.STOP, tokens_in=6, tokens_out=2)
    path.write_bytes(recording_bytes("a", [("12 + 34", said)], max_new_tokens=8))
    return path


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(known=st.dictionaries(st.sampled_from(["", "1+1", "가", "a\nb", "x\u2028y"]), answers))
def test_a_recording_replays_what_was_recorded(tmp_path, known):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(recording_bytes("a", known.items(), max_new_tokens=8))

    replayed = RecordedModel(path)

    assert replayed.name == "a"
    assert replayed.answer(list(known), max_new_tokens=8) == tuple(known.values())


def test_a_model_and_its_recording_answer_alike(model, tmp_path):
    prompts = ["1 2", "가나", "abc ab"]
    said = model.answer(prompts, max_new_tokens=5)
    path = tmp_path / "answers.jsonl"
    pairs = zip(prompts, said, strict=True)
    path.write_bytes(recording_bytes(model.name, pairs, max_new_tokens=5))

    assert RecordedModel(path).answer(prompts, max_new_tokens=5) == said


def test_a_decomposed_prompt_finds_its_answer(tmp_path):
    path = tmp_path / "answers.jsonl"
    said = Answer(text="\u1100\u1161", finish=Finish.STOP, tokens_in=1, tokens_out=1)
    path.write_bytes(recording_bytes("a", [("\u1102\u1161", said)], max_new_tokens=1))

    assert RecordedModel(path).answer(["나"], max_new_tokens=1)[0].text == "가"


def test_everything_that_was_not_recorded_is_named(recording):
    with pytest.raises(NotServableError) as caught:
        RecordedModel(recording).answer(["1", "12 + 34", "2"], max_new_tokens=9)

    said = str(caught.value)
    assert "prompt 1 ('1'): not in" in said
    assert "prompt 3 ('2'): not in" in said
    assert "asked for 9; recorded were answers of at most 8" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "line 3: read b''"),
        (b"\xff", "line 3: read b'\\xff'"),
        (b"[1]", "expected an object with prompt, text, finish, tokens_in and tokens_out"),
        (b'{"prompt": "1"}', "line 3"),
        (b'{"finish":"stop","prompt":"2","text":"","tokens_in":true,"tokens_out":1}', "line 3"),
        (b'{"finish":"gone","prompt":"2","text":"","tokens_in":1,"tokens_out":1}', "line 3"),
        (
            b'{"finish":"stop","prompt":"12 + 34","text":"","tokens_in":1,"tokens_out":1}',
            "line 3: read the prompt '12 + 34' again; expected each prompt once",
        ),
    ],
)
def test_a_damaged_line_is_named(recording, line, said):
    recording.write_bytes(recording.read_bytes() + line + b"\n")

    with pytest.raises(InputError) as caught:
        RecordedModel(recording)

    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}", b'{"schema": "dokja.other/1"}'])
def test_a_file_that_is_no_recording_is_refused(tmp_path, content):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"line 1: .* expected an object of schema dokja"):
        RecordedModel(path)


def test_a_recording_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        RecordedModel(tmp_path / "answers.jsonl")
