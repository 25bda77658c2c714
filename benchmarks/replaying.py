"""How fast recorded answers are given, and what recording costs: prints one table.

    python benchmarks/replaying.py [--exchanges 10000] [--concurrency 64]

The server, the endpoint and the client run in processes of their own; CPU is that of the process
in question alone, so that the figures hold on a machine that does other things besides. The
endpoint and the client are bare sockets. Requests hold a multiple-choice item in Korean.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dokja.evidence.benchmarks.exchanges import (
    PLAIN,
    Answer,
    Recorder,
    Replay,
    Request,
    Terms,
    read_recording,
)
from dokja.evidence.benchmarks.exchanges.proxy import Proxy
from dokja.evidence.benchmarks.exchanges.replay_server import ReplayServer
from dokja.evidence.benchmarks.exchanges.web import listening, new_client
from dokja.evidence.ledger import SigningKey

PATH = "/chat/completions"
SAID = json.dumps(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": "garam-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "정답은 B입니다."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 164, "completion_tokens": 7, "total_tokens": 171},
    },
    ensure_ascii=False,
).encode()


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def asked(number: int) -> bytes:
    """Return the body that asks an item."""
    item = (
        f"다음 문항 {number}을 읽고 알맞은 답을 고르시오. 수도권의 인구 변화에 관한 아래의 자료를 "
        "바탕으로 할 때 옳은 설명은 무엇인가?\nA. 늘었다\nB. 줄었다\nC. 같다\nD. 알 수 없다"
    )
    message = {"role": "user", "content": item}
    said = {"model": "garam-1", "messages": [message], "temperature": 0.0, "max_tokens": 16}
    return json.dumps(said, ensure_ascii=False).encode()


def recorder(store: Path, upstream: str) -> Recorder:
    """Return a recorder on a new store."""
    return Recorder(
        store,
        terms=Terms(profile=PLAIN, upstream=upstream, sealed=False),
        signer=SigningKey("benchmark.local", bytes(32)),
        secret=bytes(32),
        clock=now,
    )


def fill(store: Path, count: int) -> None:
    """Record so many exchanges without a server."""
    headers = (("content-type", "application/json"),)
    answer = Answer(asked=now(), took_us=1, status=200, headers=headers, body=SAID)
    with recorder(store, "http://endpoint/v1") as one:
        for number in range(count):
            request = Request(method="POST", path=PATH, body=asked(number))
            one.add(request, answer, key=one.key(request))


class Endpoint(asyncio.Protocol):
    """Answers every request with the same bytes."""

    reply = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(SAID)
    ) + SAID

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the line."""
        self.line, self.came = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer when the request is whole."""
        self.came += data
        head, found, body = self.came.partition(b"\r\n\r\n")
        if found and len(body) >= length(head):
            self.came = b""
            self.line.write(self.reply)  # type: ignore[attr-defined]


def length(head: bytes) -> int:
    """Return the length of the body that a head announces."""
    rows = head.lower().split(b"\r\n")
    return next(int(row[15:]) for row in rows if row.startswith(b"content-length:"))


async def endpoint(told: "multiprocessing.Queue[int]") -> None:
    """Serve the endpoint until somebody ends it."""
    server = await asyncio.get_running_loop().create_server(Endpoint, "127.0.0.1", 0)
    told.put(server.sockets[0].getsockname()[1])
    await until_told()
    server.close()


async def replay(told: "multiprocessing.Queue[int]", store: str) -> None:
    """Serve a replay until somebody ends it."""
    served = ReplayServer(Replay(recording=read_recording(Path(store))))
    runner, port = await listening(served.server, port=0)
    told.put(port)
    await until_told()
    await runner.cleanup()


async def proxy(told: "multiprocessing.Queue[int]", store: str, upstream: int) -> None:
    """Serve a proxy until somebody ends it, with its disk kept as the command keeps it."""
    address = f"http://127.0.0.1:{upstream}"
    with recorder(Path(store), address) as one:
        async with new_client(idle_s=60) as client:
            served = Proxy(one, upstream=address, client=client, clock=now, ticks=time.monotonic_ns)
            runner, port = await listening(served.server, port=0)
            told.put(port)
            keeping = asyncio.ensure_future(kept(one))
            await until_told()
            keeping.cancel()
            await runner.cleanup()


async def kept(one: Recorder) -> None:
    """Have the disk keep what was written, twice a second."""
    while True:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(one.sync)


async def until_told() -> None:
    """Wait for a signal to end."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def process(target: Callable[..., object], told: object, *rest: object) -> None:
    """Run a server in this process; tell at its end what CPU it took while it served."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    asyncio.run(target(told, *rest))  # type: ignore[arg-type]
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told.put((used, after.ru_maxrss / 1024))  # type: ignore[attr-defined]


async def ask(port: int, numbers: range, concurrency: int) -> int:
    """Ask every item once; return how many were answered."""
    waiting, answered = iter(numbers), 0

    async def line() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = 0
        for number in waiting:
            body = asked(number)
            head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            came = await reader.readuntil(b"\r\n\r\n")
            said = await reader.readexactly(length(came))
            done += came.startswith(b"HTTP/1.1 200") and said == SAID
        writer.close()
        return done

    for done in await asyncio.gather(*(line() for _ in range(concurrency))):
        answered += done
    return answered


class Served:
    """A server in a process of its own."""

    def __init__(self, target: Callable[..., object], *rest: object) -> None:
        self.told: multiprocessing.Queue[object] = multiprocessing.Queue()
        self.process = multiprocessing.Process(target=process, args=(target, self.told, *rest))
        self.process.start()
        self.port = int(self.told.get())  # type: ignore[call-overload]

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> float:
        """End it; return its peak memory in MB."""
        self.process.terminate()
        _, memory = self.told.get()  # type: ignore[misc]
        self.process.join()
        return float(memory)


def measured(server: Served, count: int, concurrency: int) -> tuple[float, float]:
    """Ask once; return answers a second of wall time, and CPU milliseconds per answer."""
    before, begun = server.cpu_s(), time.perf_counter()
    answered = asyncio.run(ask(server.port, range(count), concurrency))
    took, cpu = time.perf_counter() - begun, server.cpu_s() - before
    if answered != count:
        message = f"{answered} of {count} answered rightly"
        raise SystemExit(message)
    return count / took, cpu / count * 1000


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--exchanges", type=int, default=10_000)
    words.add_argument("--concurrency", type=int, default=64)
    given = words.parse_args()
    count, concurrency = given.exchanges, given.concurrency
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "store"
        begun = time.process_time()
        fill(store, count)
        written = (time.process_time() - begun) / count * 1000
        begun = time.process_time()
        read_recording(store)
        read = (time.process_time() - begun) / count * 1000
        size = (store / "journal.jsonl").stat().st_size / count
        rows = [
            ("write an exchange, without a server", None, written, None),
            ("read and check a line", None, read, None),
        ]
        server = Served(replay, str(store))
        rows.append(("replay", *measured(server, count, concurrency), server.end()))
        bare = Served(endpoint)
        rows.append(("the bare endpoint", *measured(bare, count, concurrency), None))
        server = Served(proxy, str(Path(scratch) / "second"), bare.port)
        rows.append(("record", *measured(server, count, concurrency), server.end()))
        bare.end()
    print(f"{count:,} exchanges, concurrency {concurrency}, {os.cpu_count()} cores")
    print(f"a journal line has {size:.0f} bytes")
    print(f"{'':38}{'answers/s':>10}{'CPU ms':>9}{'per core/s':>12}{'peak MB':>9}")
    for name, rate, cpu, memory in rows:
        shown = (
            f"{name:38}{'' if rate is None else f'{rate:,.0f}':>10}{cpu:9.3f}{1000 / cpu:12,.0f}"
        )
        print(f"{shown}{'' if memory is None else f'{memory:.0f}':>9}")


if __name__ == "__main__":
    main()
