"""What a reply is told to be, by its status, headers and body."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.models.serving.endpoints import FaultClass, classify
from dokja.models.serving.endpoints.classifying import told_wait_s
from dokja.models.serving.endpoints.headers import paused_s

GOOD = {
    "model": "m",
    "choices": [{"message": {"content": "4"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1},
}


def reply(said, status=200, **headers):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return classify(status, headers, body, declared=frozenset({"m"}))


def error(code="x", message="y", **more):
    return {"error": {"code": code, "message": message, **more}}


def choice(**message):
    finish = message.pop("finish_reason", "stop")
    return {**GOOD, "choices": [{"message": message, "finish_reason": finish}]}


def test_a_good_reply_is_an_answer():
    found = reply(GOOD)

    assert found.fault is None
    assert (found.said.text, found.said.model, found.said.usage.tokens_in) == ("4", "m", 9)


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (429, error(), FaultClass.RATE),
        (429, b"<html>slow down</html>", FaultClass.RATE),
        (429, error("insufficient_quota"), FaultClass.CONFIGURATION),
        (408, error(), FaultClass.SERVER),
        (500, error(), FaultClass.SERVER),
        (502, b"", FaultClass.SERVER),
        (503, error(), FaultClass.SERVER),
        (504, error(), FaultClass.SERVER),
        (529, error(), FaultClass.SERVER),
        (400, error(), FaultClass.CONFIGURATION),
        (401, error(), FaultClass.CONFIGURATION),
        (402, error(), FaultClass.CONFIGURATION),
        (403, error(), FaultClass.CONFIGURATION),
        (404, b"not found", FaultClass.CONFIGURATION),
        (422, {"detail": [{"loc": "body"}]}, FaultClass.CONFIGURATION),
        (302, b"", FaultClass.CONFIGURATION),
        (204, b"", FaultClass.MALFORMED),
        (400, error("content_filter"), FaultClass.FILTER),
        (400, error(None, innererror={"code": "ResponsibleAIPolicyViolation"}), FaultClass.FILTER),
        (400, error("context_length_exceeded"), FaultClass.OVER_CONTEXT),
        (400, error(None, "maximum context length is 8192 tokens"), FaultClass.OVER_CONTEXT),
        (200, b'{"choices": [{"mess', FaultClass.MALFORMED),
        (200, b"", FaultClass.MALFORMED),
        (200, b"[]", FaultClass.MALFORMED),
        (200, {"choices": []}, FaultClass.MALFORMED),
        (200, {"choices": [{}]}, FaultClass.MALFORMED),
        (200, {"choices": [{"message": {"content": 4}}]}, FaultClass.MALFORMED),
        (200, error(), FaultClass.MALFORMED),
        (200, {"error": "overloaded", **GOOD}, FaultClass.MALFORMED),
        (200, error("content_filter"), FaultClass.FILTER),
        (200, choice(content=""), FaultClass.EMPTY),
        (200, choice(content=None), FaultClass.EMPTY),
        (200, choice(content=" \n"), FaultClass.EMPTY),
        (200, choice(content="4", finish_reason="content_filter"), FaultClass.FILTER),
        (200, {**GOOD, "model": "m-mini"}, FaultClass.WRONG_MODEL),
    ],
)
def test_a_fault_is_told_by_its_class(status, said, expected):
    assert reply(said, status).fault is expected


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_says_when_is_obeyed(status):
    found = reply(error(), status, **{"Retry-After": "7"})

    assert (found.fault, found.wait_s) == (FaultClass.RATE_TOLD, 7.0)


def test_a_wait_as_a_date_is_held_against_the_servers_own_clock():
    date = "Thu, 26 Nov 2026 10:00:00 GMT"

    assert told_wait_s({"Retry-After": "Thu, 26 Nov 2026 10:02:00 GMT", "Date": date}) == 120.0
    assert told_wait_s({"Retry-After": "Thu, 26 Nov 2026 09:00:00 GMT", "Date": date}) == 0.0


@pytest.mark.parametrize("said", ["soon", "", "-3", "1e9", "Thu, 99 Nov 2026"])
def test_a_wait_that_cannot_be_read_is_none(said):
    assert told_wait_s({"Retry-After": said}) is None


def test_a_model_that_is_not_named_is_not_another_one():
    said = {key: value for key, value in GOOD.items() if key != "model"}

    found = reply(said)

    assert (found.fault, found.said.model) == (None, None)


def test_a_refusal_in_its_own_field_is_an_answer_without_text():
    found = reply(choice(content=None, refusal="I will not."))

    assert (found.fault, found.said.declines, found.said.text) == (None, True, "")


def test_a_name_without_end_is_cut():
    found = reply({**GOOD, "model": "m" * 10_000})

    assert (found.fault, len(found.said.model)) == (FaultClass.WRONG_MODEL, 200)


def test_tokens_that_are_not_told_are_unknown_and_not_zero():
    found = reply({**GOOD, "usage": {"prompt_tokens": 3, "completion_tokens": "many"}})

    assert (found.said.usage.tokens_in, found.said.usage.tokens_out) == (3, None)


def test_parts_of_a_content_list_are_joined():
    found = reply(choice(content=[{"type": "text", "text": "4"}, {"type": "text", "text": "2"}]))

    assert found.said.text == "42"


def test_a_lone_surrogate_becomes_a_sign_that_can_be_written():
    body = b'{"choices": [{"message": {"content": "a\\ud800b"}, "finish_reason": "stop"}]}'

    assert reply(body).said.text.encode().startswith(b"a")


def test_the_pause_of_rate_headers_is_the_longest_of_what_is_used_up():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-remaining-tokens": "12",
        "x-ratelimit-reset-tokens": "9h",
    }

    assert paused_s(headers) == 60.0


def stream(*events, end="data: [DONE]\n\n"):
    return ("".join(f"data: {json.dumps(each)}\n\n" for each in events) + end).encode()


PIECES = (
    {"model": "m", "choices": [{"delta": {"role": "assistant", "content": "4"}}]},
    {"model": "m", "choices": [{"delta": {"content": "2"}, "finish_reason": "stop"}]},
    {"model": "m", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}},
)


def test_a_stream_says_the_same_as_one_document():
    found = reply(stream(*PIECES))

    assert (found.fault, found.said.text, found.said.finish) == (None, "42", "stop")
    assert found.said.usage.tokens_out == 2


def test_a_stream_with_comments_and_named_events_is_read():
    body = b": hello\n\nevent: chunk\n" + stream(*PIECES)

    assert reply(body).said.text == "42"


@pytest.mark.parametrize("end", ["", 'data: {"choi'])
def test_a_stream_without_its_end_is_cut(end):
    assert reply(stream(*PIECES, end=end)).fault is FaultClass.CUT


def test_an_event_that_is_no_json_in_the_middle_is_malformed():
    assert reply(b"data: {]\n\n" + stream(*PIECES)).fault is FaultClass.MALFORMED


def test_an_error_in_a_stream_is_malformed():
    assert reply(stream(PIECES[0], error())).fault is FaultClass.MALFORMED


@given(st.integers(1, len(stream(*PIECES)) - 8))
def test_no_beginning_of_a_stream_is_an_answer(length):
    assert reply(stream(*PIECES)[:length]).fault is not None


@given(st.integers(0, len(json.dumps(GOOD)) - 1))
def test_no_beginning_of_a_document_is_an_answer(length):
    assert reply(json.dumps(GOOD).encode()[:length]).fault is FaultClass.MALFORMED


@given(st.binary(max_size=60), st.integers(200, 599))
def test_whatever_comes_is_told_without_an_error(body, status):
    found = classify(status, {}, body, declared=frozenset({"m"}))

    assert found.fault is not None or found.said.text
