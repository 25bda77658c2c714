"""What the tests of recording and replaying share: stores, and an upstream that does as told."""

import contextlib
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from dokja.evidence.benchmarks.exchanges import PLAIN, Answer, Recorder, Request, Terms
from dokja.evidence.benchmarks.exchanges.proxy import Proxy
from dokja.evidence.benchmarks.exchanges.replay_server import ReplayServer
from dokja.evidence.benchmarks.exchanges.web import listening, new_client
from dokja.evidence.ledger import SigningKey

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KEY = SigningKey("record.test", bytes(32))
SECRET = bytes(range(32))
CUT = object()
"""Stands in an upstream's script for: close the line here."""


def ticking():
    """Return a clock that goes on a second whenever it is read."""
    passed = iter(range(1 << 30))
    return lambda: NOON + timedelta(seconds=next(passed))


@pytest.fixture
def record(tmp_path):
    """Opens a recorder on a store."""

    def opened(store=None, *, profile=PLAIN, upstream="http://upstream/v1", sealed=False, key=KEY):
        return Recorder(
            store or tmp_path / "store",
            terms=Terms(profile=profile, upstream=upstream, sealed=sealed),
            signer=key,
            secret=SECRET,
            clock=ticking(),
        )

    return opened


def request(body=b'{"n":1}', *, path="/chat/completions", method="POST", idempotency=None):
    return Request(method=method, path=path, body=body, idempotency=idempotency)


def answer(body=b'{"said":"A"}', *, status=200, **changes):
    made = {
        "asked": NOON,
        "took_us": 1500,
        "status": status,
        "headers": (("content-type", "application/json"),),
        "body": body,
    }
    return Answer(**{**made, **changes})


def fill(recorder, pairs):
    """Record (request, answer) pairs; return the exchanges."""
    return [recorder.add(one, other, key=recorder.key(one)) for one, other in pairs]


class Upstream:
    """An endpoint that answers connection by connection with what its script yields.

    A script is called with the number of the request, its head and its body, and yields bytes to
    write, seconds to wait, or `CUT`.
    """

    def __init__(self, script):
        self.script = script
        self.heads, self.bodies = [], []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}/v1"
        self.threads = [threading.Thread(target=self._serve)]
        self.threads[0].start()

    def _serve(self):
        while True:
            line, _ = self.sock.accept()
            if self.script is None:
                line.close()
                return
            thread = threading.Thread(target=self._one, args=(line,))
            self.threads.append(thread)
            thread.start()

    def _one(self, line):
        with line, contextlib.suppress(OSError):
            read = line.makefile("rb")
            head = b"".join(iter(read.readline, b"\r\n"))
            sizes = [
                row for row in head.lower().split(b"\r\n") if row.startswith(b"content-length")
            ]
            body = read.read(int(sizes[0].split(b":")[1])) if sizes else b""
            self.heads.append(head.decode())
            self.bodies.append(body)
            for step in self.script(len(self.heads), head, body):
                if step is CUT:
                    return
                if isinstance(step, bytes):
                    line.sendall(step)
                else:
                    time.sleep(step)

    def close(self):
        self.script = None
        with socket.create_connection(self.sock.getsockname()):
            pass
        for thread in self.threads:
            thread.join()
        self.sock.close()


def whole(body, *, status="200 OK", headers=""):
    """Return an HTTP answer."""
    size = f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status}\r\n{headers}{size}\r\n".encode() + body


@pytest.fixture
def upstream():
    """Starts upstreams by their script."""
    started = []

    def start(script):
        started.append(Upstream(script))
        return started[-1]

    yield start
    for one in started:
        one.close()


@contextlib.asynccontextmanager
async def proxied(recorder, url, *, idle_s=5.0, shutdown_s=5.0):
    """Serve a proxy; give its address and itself."""
    async with new_client(idle_s=idle_s) as client:
        proxy = Proxy(
            recorder, upstream=url, client=client, clock=ticking(), ticks=time.monotonic_ns
        )
        runner, port = await listening(proxy.server, port=0)
        runner._shutdown_timeout = shutdown_s
        try:
            yield f"http://127.0.0.1:{port}", proxy
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def replayed(replay):
    """Serve a replay; give its address and itself."""
    served = ReplayServer(replay)
    runner, port = await listening(served.server, port=0)
    try:
        yield f"http://127.0.0.1:{port}", served
    finally:
        await runner.cleanup()


@pytest.fixture
def kit():
    """The functions above, for tests: a folder of tests is no package to import from."""
    names = (request, answer, fill, whole, proxied, replayed, ticking)
    return SimpleNamespace(
        **{each.__name__: each for each in names}, CUT=CUT, KEY=KEY, NOON=NOON, SECRET=SECRET
    )
