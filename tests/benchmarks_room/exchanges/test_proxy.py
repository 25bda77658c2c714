"""The proxy between a client and an upstream that does as its script says."""

import asyncio
import gzip
import io
import json
import socket
import zlib

import aiohttp
import pytest

from dokja.evidence.benchmarks.exchanges import Fault, read_recording

pytestmark = pytest.mark.loopback

ASK = {"model": "m", "messages": [{"role": "user", "content": "1 + 1 = ?"}]}
EVENTS = [
    'data: {"delta":"둘"}\n\n'.encode(),
    b'data: {"delta":"!"}\n\n',
    b"data: [DONE]\n\n",
]


def in_order(script):
    """Return a script of which each request gets the next answer."""
    rows = iter(script)
    return lambda *_: next(rows)


def all_bytes(store):
    return b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())


async def asked(url, *, count=1, **options):
    """Ask so many times; return status, headers and body of each."""
    came = []
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        for _ in range(count):
            async with client.post(f"{url}/chat/completions", json=ASK, **options) as response:
                came.append((response.status, response.headers, await response.read()))
    return came


@pytest.fixture
def through(record, kit, upstream, tmp_path):
    """Puts a script behind a proxy and asks; returns what came, the upstream and the store."""

    def put(script, *, talk=None, sealed=False, idle_s=5.0, **options):
        server = upstream(script)

        async def both():
            async with kit.proxied(recorder, server.url, idle_s=idle_s) as (url, proxy):
                return await (talk(url, proxy, server) if talk else asked(url, **options))

        with record(sealed=sealed, upstream=server.url) as recorder:
            came = asyncio.run(both())
        return came, server, read_recording(tmp_path / "store")

    return put


def test_request_and_answer_go_through_byte_by_byte(through, kit):
    said = b'{"choices": [ {"text":"\\ub458"} ] ,"x":1.0}'
    script = in_order([[kit.whole(said, headers="Content-Type: application/json\r\nX-Own: 7\r\n")]])

    ((status, headers, body),), server, found = through(script, params={"v": "1 2"})

    (exchange,) = found.exchanges
    assert (status, body, headers["X-Own"]) == (200, said, "7")
    assert json.loads(server.bodies[0]) == ASK
    assert server.heads[0].startswith("POST /v1/chat/completions?v=1+2 HTTP/1.1\r\n")
    assert exchange.path == "/chat/completions?v=1+2"
    assert found.bodies.get(exchange.request, n=1, part="request") == server.bodies[0]
    assert found.bodies.get(exchange.response, n=1, part="response") == said
    assert exchange.headers == (("content-type", "application/json"),)


def test_credentials_and_cookies_are_passed_on_and_never_kept(through, kit, tmp_path):
    secrets = ("sk-authorized", "my-cookie", "their-cookie", "in-the-query", "sk-other-header")
    script = in_order([[kit.whole(b"{}", headers="Set-Cookie: s=their-cookie\r\n")]])
    headers = {
        "Authorization": f"Bearer {secrets[0]}",
        "Cookie": f"c={secrets[1]}",
        "X-Api-Key": secrets[4],
    }

    ((_, came, _),), server, _ = through(script, headers=headers, params={"key": secrets[3]})

    kept = all_bytes(tmp_path / "store")
    assert all(secret in server.heads[0] for secret in (secrets[0], secrets[1], *secrets[3:]))
    assert came["Set-Cookie"] == f"s={secrets[2]}"
    assert [secret for secret in secrets if secret.encode() in kept] == []


def test_two_cookies_stay_two(through, kit):
    both = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"

    ((_, headers, _),), _, _ = through(in_order([[kit.whole(b"{}", headers=both)]]))

    assert headers.getall("Set-Cookie") == ["a=1", "b=2"]


def test_bodies_are_asked_for_uncompressed(through, kit):
    _, server, _ = through(in_order([[kit.whole(b"{}")]]))

    assert "accept-encoding: identity\r\n" in server.heads[0].lower()


def test_compressed_answer_of_a_server_that_does_not_listen_stays_as_it_is(through, kit):
    body = gzip.compress(b'{"a":1}', mtime=0)
    script = in_order([[kit.whole(body, headers="Content-Encoding: gzip\r\n")]])

    ((_, headers, came),), _, found = through(script)

    (exchange,) = found.exchanges
    assert zlib.decompress(came, 31) == b'{"a":1}'
    assert headers["Content-Encoding"] == "gzip"
    assert found.bodies.get(exchange.response, n=1, part="response") == body


def test_stream_comes_piece_by_piece_and_is_kept_with_its_times(through):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    script = in_order([[head, EVENTS[0], 0.15, EVENTS[1], 0.15, EVENTS[2]]])

    async def talk(url, *_):
        now = asyncio.get_running_loop().time
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{url}/chat/completions", json=ASK) as response,
        ):
            return [(piece, now()) async for piece in response.content.iter_any()]

    pieces, _, found = through(script, talk=talk)

    (exchange,) = found.exchanges
    times = json.loads(found.bodies.get(exchange.times, n=1, part="times"))
    sizes, at_us = zip(*times, strict=True)
    assert b"".join(piece for piece, _ in pieces) == b"".join(EVENTS)
    assert pieces[-1][1] - pieces[0][1] > 0.1  # it was not held back to the end
    assert found.bodies.get(exchange.response, n=1, part="response") == b"".join(EVENTS)
    assert sum(sizes) == len(b"".join(EVENTS))
    assert list(at_us) == sorted(at_us)
    assert at_us[-1] - at_us[0] > 100_000
    assert exchange.took_us >= at_us[-1]


@pytest.mark.parametrize("status", ["429 Too Many", "500 Wrong", "400 Bad", "302 Found"])
def test_any_status_goes_through_once_and_unmended(through, kit, status):
    headers = "Retry-After: 7\r\nLocation: /elsewhere\r\n"
    script = in_order([[kit.whole(b'{"error":1}', status=status, headers=headers)]])

    ((came, headers, body),), server, found = through(script, allow_redirects=False)

    (exchange,) = found.exchanges
    assert (came, body, headers["Retry-After"]) == (int(status[:3]), b'{"error":1}', "7")
    assert len(server.heads) == 1
    assert (exchange.status, exchange.fault) == (came, None)
    assert exchange.is_faulty == (came in {429, 500})
    assert ("retry-after", "7") in exchange.headers


def test_upstream_that_is_not_there_is_a_fault_of_its_own(record, kit, tmp_path, unused_port):
    async def both():
        async with kit.proxied(recorder, f"http://127.0.0.1:{unused_port}/v1") as (url, _):
            return await asked(url)

    with record() as recorder:
        ((status, _, body),) = asyncio.run(both())

    (exchange,) = read_recording(tmp_path / "store").exchanges
    assert (status, json.loads(body)["error"]["code"]) == (502, "dokja_upstream_fault")
    assert (exchange.status, exchange.fault, exchange.response) == (None, Fault.CONNECTION, None)


@pytest.fixture
def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def test_upstream_that_says_nothing_is_a_fault_of_its_own(through):
    ((status, _, body),), _, found = through(in_order([[0.6]]), idle_s=0.2)

    (exchange,) = found.exchanges
    assert (status, json.loads(body)["error"]["code"]) == (504, "dokja_upstream_fault")
    assert (exchange.status, exchange.fault) == (None, Fault.TIMEOUT)


@pytest.mark.parametrize("sort", ["application/json", "text/event-stream"])
def test_cut_answer_is_cut_for_the_client_too_and_kept_as_far_as_it_came(through, kit, sort):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {sort}\r\nContent-Length: 99\r\n\r\n".encode()
    script = in_order([[head, b"data: half", 0.1, kit.CUT]])

    async def talk(url, *_):
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
            await asked(url)

    _, _, found = through(script, talk=talk)

    (exchange,) = found.exchanges
    assert (exchange.status, exchange.fault, exchange.is_faulty) == (200, Fault.CUT, True)
    assert found.bodies.get(exchange.response, n=1, part="response") == b"data: half"


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_answer_of_a_client_that_went_away_is_kept_and_given_to_the_next(
    through, kit, tmp_path, headers
):
    script = in_order([[0.4, kit.whole(b'{"n":1}')], [kit.whole(b'{"n":2}')]])

    async def talk(url, _, server):
        leaving = asyncio.ensure_future(asked(url, headers=headers))
        while not server.heads:  # noqa: ASYNC110  # a thread of its own writes it
            await asyncio.sleep(0.01)
        leaving.cancel()
        journal = tmp_path / "store/journal.jsonl"
        while b'"exchange"' not in journal.read_bytes():  # noqa: ASYNC110  # a file says it
            await asyncio.sleep(0.01)
        return await asked(url, headers=headers, count=1 if headers else 2)

    came, server, found = through(script, talk=talk)

    assert [body for _, _, body in came] == [b'{"n":1}', b'{"n":2}'][: len(came)]
    assert len(server.heads) == len(came)  # paid for once
    assert [each.taken for each in found.exchanges] == [False, True][: len(came)]


def test_request_sent_again_while_it_is_asked_waits_for_the_one_answer(through, kit):
    script = in_order([[0.3, kit.whole(b'{"n":1}')], [kit.whole(b'{"n":2}')]])
    headers = {"Idempotency-Key": "k"}

    async def talk(url, *_):
        return await asyncio.gather(*(asked(url, headers=headers) for _ in range(3)))

    came, server, found = through(script, talk=talk)

    assert [body for ((_, _, body),) in came] == [b'{"n":1}'] * 3
    assert (len(server.heads), len(found.exchanges)) == (1, 1)


def test_equal_requests_without_such_a_key_are_asked_each_for_itself(through, kit):
    script = in_order([[kit.whole(b'{"n":%d}' % n)] for n in (1, 2, 3)])

    came, server, found = through(script, count=3)

    assert [body for _, _, body in came] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    assert (len(server.heads), len(found.exchanges)) == (3, 3)


def test_large_bodies_go_through(through, kit):
    script = in_order([[kit.whole(b"x" * 5_000_000)]])

    async def talk(url, *_):
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{url}/audio", data=io.BytesIO(b"y" * 3_000_000)) as response,
        ):
            return await response.read()

    came, server, found = through(script, talk=talk)

    assert (came, server.bodies[0]) == (b"x" * 5_000_000, b"y" * 3_000_000)
    assert found.exchanges[0].request.size == 3_000_000


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
def test_any_method_goes_through(through, kit, method):
    async def talk(url, *_):
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, f"{url}/models") as response,
        ):
            return response.status, await response.read()

    body = b"" if method == "HEAD" else b'{"data":[]}'
    came, server, found = through(in_order([[kit.whole(body)]]), talk=talk)

    assert came == (200, body)
    assert server.heads[0].startswith(f"{method} /v1/models HTTP/1.1")
    assert (found.exchanges[0].method, found.exchanges[0].request) == (method, None)


def test_nothing_is_answered_that_could_not_be_kept(through, kit, tmp_path):
    script = in_order([[kit.whole(b"{}")], [kit.whole(b"{}")]])

    async def talk(url, proxy, _):
        (tmp_path / "store/blobs").rmdir()
        (tmp_path / "store/blobs").write_bytes(b"")  # a file where a folder must be
        came = await asked(url, count=2)
        assert proxy.stopped.is_set()
        return came

    came, server, found = through(script, talk=talk)

    codes = [(status, json.loads(body)["error"]["code"]) for status, _, body in came]
    assert codes == [(507, "dokja_record_failed")] * 2
    assert (len(server.heads), len(found.exchanges)) == (1, 0)


def test_what_is_under_way_when_recording_is_told_to_end_is_kept_as_asked(
    record, kit, upstream, tmp_path
):
    server = upstream(in_order([[2.0]]))

    async def both():
        async with kit.proxied(recorder, server.url, shutdown_s=0.05) as (url, _):
            leaving = asyncio.ensure_future(asked(url))
            while not server.heads:  # noqa: ASYNC110  # a thread of its own writes it
                await asyncio.sleep(0.01)
        with pytest.raises(aiohttp.ClientError):
            await leaving

    with record() as recorder:
        asyncio.run(both())

    (exchange,) = read_recording(tmp_path / "store").exchanges
    assert (exchange.status, exchange.fault, exchange.is_faulty) == (None, Fault.CUT, True)


def test_it_is_no_proxy_for_any_host(through, kit):
    async def talk(url, *_):
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET http://elsewhere/ HTTP/1.1\r\nHost: elsewhere\r\n\r\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    line, server, found = through(in_order([]), talk=talk)

    assert line.startswith(b"HTTP/1.1 400")
    assert (server.heads, found.exchanges) == ([], ())
