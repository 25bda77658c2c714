"""An OpenAI-compatible endpoint on 127.0.0.1 that is always right, and faulty as it is told.

It speaks HTTP/1.1 on a bare socket, because its faults are faults of the line: a body cut short, a
byte now and then, no byte at all, a reset. Everything it does follows from its seed, the question
and how often that question came.

As a program it answers until it is ended, and prints its port first; what it does is said as JSON,
where `answers` may name a file:

    python tests/simulators/endpoint.py '{"answers": "answers.json", "faults": {"rate": 0.1}}'
"""

import asyncio
import json
import random
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

MODEL = "always-right"
_REASONS = {200: "OK", 400: "Bad Request", 429: "Too Many Requests", 500: "Server Error"}
_DRIP_S = 0.05


@dataclass
class Behaviour:
    """What the endpoint does.

    Attributes:
        answers: The right answer to each question.
        otherwise: What is said to every other question.
        faults: How likely each fault is, one drawn after the other, the first that hits wins.
        script: Faults of the first, second, … request for every question, instead of chance.
        by_question: The same for certain questions.
        seed: Of chance.
        delay_s: How long a good reply takes.
        usage: Whether tokens are told.
        tokens: How many the prompt of a question is said to have; 20 where nothing stands.
        retry_after: What is told with a 429.
        headers: Sent with every good reply.
        model: As which it names itself.
        tells: Whether it prints how many requests it saw, after each.
    """

    answers: dict[str, str]
    faults: dict[str, float] = field(default_factory=dict)
    script: tuple[str, ...] = ()
    by_question: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seed: int = 0
    delay_s: float = 0.0
    usage: bool = True
    tokens: dict[str, int] = field(default_factory=dict)
    retry_after: str = "0.001"
    headers: dict[str, str] = field(default_factory=dict)
    model: str = MODEL
    otherwise: str = "?"
    tells: bool = False

    def right(self, question):
        return self.answers.get(question, self.otherwise)


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.held = b""
        self.transport = None
        self.tasks = set()

    def connection_made(self, transport):
        self.transport = transport
        self.endpoint.lines.add(self)

    def connection_lost(self, _):
        self.endpoint.lines.discard(self)
        for task in self.tasks:
            task.cancel()

    def data_received(self, data):
        self.held += data
        while True:
            head, mark, rest = self.held.partition(b"\r\n\r\n")
            if not mark:
                return
            headers = {}
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                headers[name.strip().lower().decode()] = value.strip().decode()
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            body, self.held = rest[:length], rest[length:]
            self.endpoint.received(self, headers, body)

    def later(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def _framed(status, body, **headers):
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
    given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines += [f"{name}: {value}" for name, value in given.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Endpoint:
    """The endpoint, in a thread of its own.

    Attributes:
        asked: How often each question came.
        keys: Every `Idempotency-Key`, in the order in which they came.
        requests: Every request's body and headers, where `keep` is set.
        most: The most requests that were open at once.
    """

    def __init__(self, behaviour, *, keep=False):
        self.behaviour = behaviour
        self.keep = keep
        self.asked = Counter()
        self.keys = []
        self.requests = []
        self.flying = self.most = 0
        self.port = 0
        self.lines = set()
        self._chance = random.Random(behaviour.seed)  # noqa: S311  # chance for tests
        self._ready = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _serve(self):
        asyncio.run(self.serve())

    async def serve(self, *, announce=False):
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        server = await self._loop.create_server(lambda: _Line(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        if announce:
            print(self.port, flush=True)  # noqa: T201  # whoever started it needs the port
        self._ready.set()
        await self._ended.wait()
        server.close()
        for line in tuple(self.lines):
            line.transport.abort()

    def received(self, line, headers, body):
        request = json.loads(body)
        question = _question(request)
        self.asked[question] += 1
        self.keys.append(headers.get("idempotency-key"))
        if self.behaviour.tells:
            print(len(self.keys), flush=True)  # noqa: T201  # whoever started it counts
        if self.keep:
            self.requests.append((headers, request))
        fault = self._fault(question)
        self.flying += 1
        self.most = max(self.most, self.flying)
        delay = self.behaviour.delay_s
        if fault in {"hang", "drip"} or delay:
            line.later(self._slowly(line, request, question, fault))
        else:
            self.flying -= 1
            self._reply(line, request, question, fault)

    async def _slowly(self, line, request, question, fault):
        try:
            if fault == "drip":
                line.transport.write(_framed(200, b" " * 10_000)[:-10_000])
                while True:
                    line.transport.write(b" ")
                    await asyncio.sleep(_DRIP_S)
            if fault == "hang":
                await asyncio.sleep(3600)
            await asyncio.sleep(self.behaviour.delay_s)
        finally:
            self.flying -= 1
        self._reply(line, request, question, fault)

    def _fault(self, question):
        said = self.behaviour
        script = said.by_question.get(question, said.script)
        times = self.asked[question]
        if times <= len(script):
            return script[times - 1]
        for name, share in said.faults.items():
            if self._chance.random() < share:
                return name
        return ""

    def _reply(self, line, request, question, fault):
        said = self.behaviour
        made = getattr(self, f"_{fault.partition(':')[0]}", None) if fault else None
        if made is not None:
            made(line, request, question, fault)
            return
        line.transport.write(self._good(request, said.right(question)))

    def _good(self, request, text, *, model=None, finish="stop", usage=None, **fields):
        said = self.behaviour
        model = model or said.model
        prompt = said.tokens.get(_question(request), 20)
        told = {"prompt_tokens": prompt, "completion_tokens": max(1, len(text))}
        usage = usage or (told if said.usage else None)
        message = {"role": "assistant", "content": text, **fields}
        if request.get("stream"):
            return _framed(200, _events(message, model=model, finish=finish, usage=usage))
        choice = {"index": 0, "finish_reason": finish}
        choice |= {"text": text} if "prompt" in request else {"message": message}
        body = {"id": "r", "object": "reply", "model": model, "choices": [choice]}
        if usage:
            body["usage"] = usage
        data = json.dumps(body, ensure_ascii=False).encode()
        return _framed(200, data, **said.headers)

    def _error(self, line, status, code, message="no", **headers):
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        line.transport.write(_framed(status, body, **headers))

    # One method a fault; each is called by its name.

    def _rate_told(self, line, *_):
        self._error(line, 429, "rate_limit", **{"Retry-After": self.behaviour.retry_after})

    def _rate(self, line, *_):
        self._error(line, 429, "rate_limit")

    def _status(self, line, _, __, fault):
        _, status, code = (fault + ":x").split(":")[:3]
        self._error(line, int(status), code)

    def _server(self, line, *_):
        self._error(line, 500, "oops")

    def _reset(self, line, *_):
        line.transport.abort()

    def _cut(self, line, request, question, _):
        if request.get("stream"):
            whole = self._good(request, self.behaviour.right(question))
            _, _, body = whole.partition(b"\r\n\r\n")
            line.transport.write(_framed(200, body.replace(b"data: [DONE]\n\n", b"")))
            return
        whole = self._good(request, self.behaviour.right(question))
        line.transport.write(whole[: -len(whole) // 4])
        line.transport.close()

    def _malformed(self, line, *_):
        line.transport.write(_framed(200, b'{"choices": [{"message": {"content": "4'))

    def _error_200(self, line, *_):
        self._error(line, 200, "oops")

    def _no_choices(self, line, *_):
        line.transport.write(_framed(200, b'{"choices": []}'))

    def _not_http(self, line, *_):
        line.transport.write(b"this is no HTTP\r\n\r\n")
        line.transport.close()

    def _empty(self, line, request, *_):
        usage, self.behaviour.usage = self.behaviour.usage, False
        line.transport.write(self._good(request, ""))
        self.behaviour.usage = usage

    def _silent(self, line, request, *_):
        line.transport.write(self._good(request, "", usage={"completion_tokens": 7}))

    def _thought(self, line, request, *_):
        usage = {"prompt_tokens": 20, "completion_tokens": 16}
        line.transport.write(self._good(request, "", usage=usage, finish="length"))

    def _wrong_model(self, line, request, question, _):
        answer = self.behaviour.right(question)
        line.transport.write(self._good(request, answer, model="another"))

    def _filter(self, line, *_):
        self._error(line, 400, "content_filter")

    def _filter_stop(self, line, request, *_):
        line.transport.write(self._good(request, "4", finish="content_filter"))

    def _over_context(self, line, *_):
        self._error(line, 400, "context_length_exceeded", "This model's maximum context length is")

    def _length(self, line, request, question, _):
        answer = self.behaviour.right(question)
        line.transport.write(self._good(request, answer, finish="length"))

    def _say(self, line, request, _, fault):
        line.transport.write(self._good(request, fault.partition(":")[2]))

    def _refusal(self, line, request, *_):
        line.transport.write(self._good(request, "", refusal="I would rather not."))


def _question(request):
    asked = request.get("prompt")
    return request["messages"][-1]["content"] if asked is None else asked


def _events(message, *, model, finish, usage):
    text = message["content"]
    half = len(text) // 2
    events = [
        {"model": model, "choices": [{"delta": {**message, "content": text[:half]}}]},
        {"model": model, "choices": [{"delta": {"content": text[half:]}, "finish_reason": finish}]},
    ]
    if usage:
        events.append({"model": model, "choices": [], "usage": usage})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


if __name__ == "__main__":
    _said = json.loads(sys.argv[1])
    if isinstance(_said.get("answers"), str):
        _said["answers"] = json.loads(Path(_said["answers"]).read_text())
    asyncio.run(Endpoint(Behaviour(**{"answers": {}, **_said})).serve(announce=True))
