"""What a small request costs in CPU with one HTTP client and another: prints one table.

Run it from the root of the repository, with an environment that has the clients; that of the
engines has both (`python3 run.py engines` makes it):

    .venvs/engines/bin/python benchmarks/http_clients.py [--requests 5000]

Each client posts the same chat request 64 at a time to an endpoint in another process, which
answers at once, and reads the reply. Only the client's own process is counted, once with a tenth
of the requests and once with all; the difference is what a request costs. `asyncio streams` is the
floor: a request written by hand, no header read but the length.
"""

import argparse
import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
AT_ONCE = 64
QUESTION = "다음 중 대한민국의 수도는 어디입니까?\nA. 부산\nB. 서울\nC. 대전\nD. 광주\n정답:"
BODY = json.dumps(
    {
        "max_tokens": 16,
        "messages": [{"role": "user", "content": QUESTION}],
        "model": "always-right",
        "temperature": 0,
    },
    ensure_ascii=False,
).encode()
HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
Ask = Callable[[], Awaitable[bytes]]


async def together(count: int, ask: Ask) -> None:
    """Ask so often, so many at once."""
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            if b"choices" not in await ask():
                raise RuntimeError("a reply without an answer")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def with_aiohttp(url: str, count: int) -> None:
    """Ask with aiohttp."""
    import aiohttp  # noqa: PLC0415  # one client a process

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=600, sock_read=120),
        headers=HEADERS,
    ) as session:

        async def ask() -> bytes:
            async with session.post(url, data=BODY) as reply:
                return await reply.read()

        await together(count, ask)


async def with_httpx(url: str, count: int) -> None:
    """Ask with httpx."""
    import httpx  # noqa: PLC0415  # one client a process

    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(limits=limits, timeout=120, headers=HEADERS) as client:

        async def ask() -> bytes:
            return (await client.post(url, content=BODY)).content

        await together(count, ask)


async def with_streams(url: str, count: int) -> None:
    """Ask with asyncio's streams alone."""
    place = urlsplit(url)
    head = (
        f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask() -> bytes:
        reader, writer = (
            free.pop() if free else await asyncio.open_connection(place.hostname, place.port)
        )
        writer.write(head.encode() + BODY)
        said = await reader.readuntil(b"\r\n\r\n")
        length = int(said.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        free.append((reader, writer))
        return body

    await together(count, ask)
    for _, writer in free:
        writer.close()


CLIENTS = {"aiohttp": with_aiohttp, "httpx": with_httpx, "asyncio streams": with_streams}


def cpu_of(name: str, url: str, count: int) -> float:
    """Return the CPU seconds of asking in a process of its own."""
    words = [sys.executable, __file__, "--client", name, "--url", url, "--requests", str(count)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print the table, or ask as one client."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.client:
        began = time.process_time()
        asyncio.run(CLIENTS[wanted.client](wanted.url, wanted.requests))
        print(time.process_time() - began)
        return
    words = [sys.executable, str(ROOT / "tests/simulators/endpoint.py"), '{"otherwise": "B"}']
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip() if server.stdout else ""
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        few = max(AT_ONCE, wanted.requests // 10)
        for name in CLIENTS:
            installed = name == "asyncio streams" or importlib.util.find_spec(name)
            if not installed:
                print(f"{name:<16} not installed")
                continue
            each = (cpu_of(name, url, wanted.requests) - cpu_of(name, url, few)) / (
                wanted.requests - few
            )
            print(f"{name:<16} {each * 1e3:.3f} ms CPU a request", flush=True)
        server.terminate()


if __name__ == "__main__":
    main()
