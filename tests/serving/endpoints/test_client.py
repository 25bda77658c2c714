"""One try over a real socket: what the line did, and what went over it."""

import asyncio
import builtins
import json
import socket

import pytest

from dokja.errors import ExtraMissingError
from dokja.models.serving.endpoints import Endpoint, Family, FaultClass, Patience, request_form

pytestmark = pytest.mark.loopback

QUICK = Patience(connect_s=1.0, idle_s=0.15, total_s=0.3)
QUESTION = "1 + 1 = ?"
REQUEST = request_form({"model": "always-right"}, family=Family.CHAT)
BODY = REQUEST.body(b'[{"content":"1 + 1 = ?","role":"user"}]')


def asked(url, *, body=BODY, streamed=False, key="k", headers=None):
    async def once():
        opened = Endpoint(
            f"{url}/chat/completions", headers=headers or {}, patience=QUICK, streamed=streamed
        )
        async with opened:
            return await opened.exchange(body, key=key)

    return asyncio.run(once())


def test_the_body_comes_as_it_was_sent(endpoint):
    found = asked(endpoint({QUESTION: "2"}).url)

    said = json.loads(found.body)
    assert (found.status, found.fault) == (200, None)
    assert said["choices"][0]["message"]["content"] == "2"


def test_the_key_of_the_question_and_the_headers_go_along(endpoint):
    server = endpoint({QUESTION: "2"}, keep=True)

    asked(server.url, key="k-1", headers={"Authorization": "Bearer secret"})

    headers, request = server.requests[0]
    assert headers["idempotency-key"] == "k-1"
    assert headers["authorization"] == "Bearer secret"
    assert headers["accept-encoding"] == "identity"
    assert request["model"] == "always-right"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("hang", FaultClass.TIMEOUT),
        ("drip", FaultClass.TIMEOUT),
        ("cut", FaultClass.CUT),
        ("reset", FaultClass.CONNECTION),
        ("not_http", FaultClass.MALFORMED),
    ],
)
def test_a_fault_of_the_line_is_told_by_its_class(endpoint, fault, expected):
    found = asked(endpoint({QUESTION: "2"}, script=(fault,)).url)

    assert found.fault is expected
    assert found.detail


def test_a_port_where_nobody_listens_is_a_fault_of_the_connection():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert asked(f"http://127.0.0.1:{port}/v1").fault is FaultClass.CONNECTION


def test_a_body_that_is_cut_is_kept_as_far_as_it_came(endpoint):
    found = asked(endpoint({QUESTION: "2"}, script=("cut",)).url, streamed=True)

    assert found.body.startswith(b'{"id"')


def test_the_first_byte_of_a_stream_is_timed(endpoint):
    form = request_form({"model": "m", "stream": True}, family=Family.CHAT)

    found = asked(
        endpoint({QUESTION: "2"}).url,
        body=form.body(b'[{"content":"1 + 1 = ?","role":"user"}]'),
        streamed=True,
    )

    assert found.first_s is not None
    assert 0 <= found.first_s <= found.latency_s


def test_a_redirect_is_not_followed(endpoint):
    server = endpoint({QUESTION: "2"}, script=("status:302",))

    found = asked(server.url)

    assert found.status == 302
    assert server.asked[QUESTION] == 1


def test_rate_headers_say_how_long_to_pause(endpoint):
    told = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "3s"}

    assert asked(endpoint({QUESTION: "2"}, headers=told).url).pause_s == 3.0


def test_a_key_that_the_server_says_again_is_not_kept(endpoint):
    server = endpoint({QUESTION: "2"}, script=("status:401:sk-secret-0123",))

    found = asked(server.url, headers={"Authorization": "Bearer sk-secret-0123"})

    assert b"sk-secret" not in found.body
    assert b"[key]" in found.body


def test_without_the_extra_its_name_is_told(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **named):
        if name == "aiohttp":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(ExtraMissingError, match=r"dokja\[measure\]"):
        asked("http://127.0.0.1:9/v1")


def test_a_field_of_the_question_cannot_be_set():
    with pytest.raises(ValueError, match="messages"):
        request_form({"messages": []}, family=Family.CHAT)
