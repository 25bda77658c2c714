"""What a replay answers, misses and leaves over, with a server and without."""

import asyncio
import json
from collections import defaultdict
from datetime import UTC, datetime

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.benchmarks.exchanges import (
    PLAIN,
    Answer,
    Body,
    Exchange,
    Fault,
    Miss,
    Recorder,
    Replay,
    Request,
    Terms,
    exchange_key,
    read_recording,
    repeats,
)
from dokja.evidence.ledger import SigningKey
from dokja.values import Digest


@pytest.fixture
def recorded(record, kit, tmp_path):
    """Records (body, answer) pairs; returns the store as it is read."""

    def made(*sessions, **options):
        for pairs in sessions:
            with record(**options) as recorder:
                kit.fill(
                    recorder,
                    [
                        (kit.request(b'{"n":%d}' % n), kit.answer(*rest[:1], **dict(rest[1:])))
                        for n, *rest in pairs
                    ],
                )
        return read_recording(tmp_path / "store")

    return made


def ask(kit, n, **options):
    return kit.request(b'{"n":%d}' % n, **options)


def bodies(replay, requests):
    """Take one after another; return the bodies, and None for each miss."""
    found = []
    for request in requests:
        one = replay.take(request)
        missed = isinstance(one, Miss)
        read = replay.recording.bodies.get
        found.append(None if missed else read(one.response, n=one.n, part="response"))
    return found


def test_repeats_come_back_in_recorded_order_and_then_no_more(recorded, kit):
    replay = Replay(recording=recorded([(1, b"a"), (2, b"b"), (1, b"c")]))

    came = bodies(replay, [ask(kit, n) for n in (1, 1, 1, 2)])

    assert came == [b"a", b"c", None, b"b"]
    assert [str(miss).partition(": ")[2] for miss in replay.misses] == [
        "recorded 2 times, asked 3 times"
    ]
    assert (replay.answered, replay.unused) == (3, ())


def test_other_spelling_of_a_body_is_the_same_request(recorded, kit):
    replay = Replay(recording=recorded([(1, b"a")]))

    assert bodies(replay, [kit.request(b'{ "n": 1.0 }')]) == [b"a"]


def test_what_was_never_recorded_is_a_miss_and_what_nobody_asks_is_listed(recorded, kit):
    replay = Replay(recording=recorded([(1, b"a"), (2, b"b"), (3, b"c")]))

    came = bodies(replay, [ask(kit, n) for n in (9, 2, 9)])

    (miss,) = replay.misses
    assert came == [None, b"b", None]
    assert (miss.recorded, miss.asked) == (0, 2)
    assert str(miss).endswith("never recorded")
    assert [each.n for each in replay.unused] == [1, 3]


def test_faulty_tries_are_left_out_unless_they_are_asked_for(recorded, kit):
    cut = ("fault", Fault.CUT)
    pairs = [
        (1, b"busy", ("status", 503)),
        (1, b"ha", cut),
        (1, b"a"),
        (2, b"down", ("status", 500)),
    ]
    found = recorded(pairs)

    without, with_them = Replay(recording=found), Replay(recording=found, with_faults=True)

    assert bodies(without, [ask(kit, n) for n in (1, 1, 2)]) == [b"a", None, None]
    assert "--with-faults" in str(without.misses[1])
    assert bodies(with_them, [ask(kit, n) for n in (1, 1, 1, 2)]) == [b"busy", b"ha", b"a", b"down"]


def test_bad_request_is_an_answer_and_no_fault(recorded, kit):
    replay = Replay(recording=recorded([(1, b"too long", ("status", 400))]))

    assert bodies(replay, [ask(kit, 1)]) == [b"too long"]


def test_one_session_can_be_replayed_alone(recorded, kit):
    found = recorded([(1, b"a")], [(1, b"b")])

    came = [
        bodies(Replay(recording=found, session=session), [ask(kit, 1)] * 2)
        for session in (None, 1, 2)
    ]

    assert came == [[b"a", b"b"], [b"a", None], [b"b", None]]


def test_request_that_is_sent_again_under_its_idempotency_key_takes_nothing_more(recorded, kit):
    replay = Replay(recording=recorded([(1, b"a"), (1, b"b")]))
    marks = ("k", "k", None, "k", "j")

    came = bodies(replay, [ask(kit, 1, idempotency=mark) for mark in marks])

    assert came == [b"a", b"a", b"b", b"a", None]


def test_sealed_store_is_replayed_by_whoever_has_its_secret(recorded, kit):
    replay = Replay(recording=recorded([(1, b"a"), (2, b"b")], sealed=True))

    assert bodies(replay, [ask(kit, n) for n in (2, 1, 3)]) == [b"b", b"a", None]


def exchange(n, key, *, faulty=False, body=True):
    name = Digest.of(str(key).encode())
    return Exchange(
        n=n,
        key=name,
        attempt=1,
        method="POST",
        path="/a",
        request=None if not body else _named(name),
        asked="2026-01-02T12:00:00.000Z",
        took_us=1,
        status=500 if faulty else 200,
        headers=(),
        response=None,
        times=None,
        fault=None,
        taken=True,
        idempotency=None,
    )


def _named(digest):
    return Body(digest=digest, size=1)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_repeats_are_those_of_counting_by_hand(pairs):
    made = [exchange(n, key, faulty=faulty) for n, (key, faulty) in enumerate(pairs, start=1)]

    found = repeats(made)

    counts = defaultdict(int)
    for key, faulty in pairs:
        counts[key] += not faulty
    answered = [count for count in counts.values() if count]
    by_hand = 0
    for count in sorted(set(answered), reverse=True):
        if answered.count(count) >= max(answered.count(each) for each in set(answered)):
            by_hand = count
    more = {Digest.of(str(key).encode()) for key, count in counts.items() if count > by_hand}
    assert found.epochs == by_hand
    assert set(found.duplicates) == more


@settings(max_examples=30)  # each writes a store
@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 4), max_size=16))
def test_every_answer_is_given_at_most_once_and_none_is_made_up(tmp_path_factory, have, want):
    replay = _replay(tmp_path_factory, have)

    given = [replay.take(_asking(n)) for n in want]

    ours = [each for each in given if isinstance(each, Exchange)]
    for key in range(5):
        served = [each.n for each in ours if each.key == _key(key)]
        in_order = [place for place, n in enumerate(have, start=1) if n == key]
        assert served == in_order[: min(len(in_order), want.count(key))]
    assert sorted(each.n for each in (*ours, *replay.unused)) == list(range(1, len(have) + 1))
    assert replay.answered + sum(miss.asked for miss in replay.misses) == len(want)


def _asking(n):
    return Request(method="POST", path="/a", body=b'{"n":%d}' % n)


def _key(n):
    return exchange_key("POST", "/a", b'{"n":%d}' % n)


def _replay(factory, have):
    store, noon = factory.mktemp("any"), datetime(2026, 1, 2, 12, tzinfo=UTC)
    with Recorder(
        store,
        terms=Terms(profile=PLAIN, upstream="http://a", sealed=False),
        signer=SigningKey("a", bytes(32)),
        secret=bytes(32),
        clock=lambda: noon,
    ) as recorder:
        for n in have:
            answer = Answer(asked=noon, took_us=1, status=200, headers=(), body=b"x")
            recorder.add(_asking(n), answer, key=recorder.key(_asking(n)))
    return Replay(recording=read_recording(store))


async def talked(url, bodies, **options):
    """Ask with each body; return status and body of each, or the error's name."""
    came = []
    async with aiohttp.ClientSession() as client:
        for body in bodies:
            try:
                async with client.post(f"{url}/chat/completions", data=body, **options) as response:
                    came.append((response.status, await response.read()))
            except aiohttp.ClientError as error:
                came.append((type(error).__name__, b""))
    return came


def served(kit, replay, asking):
    async def both():
        async with kit.replayed(replay) as (url, server):
            return await talked(url, asking), server

    return asyncio.run(both())


@pytest.mark.loopback
def test_server_gives_status_headers_and_bytes_as_they_were(recorded, kit):
    headers = (("content-type", "application/problem+json"), ("retry-after", "3"), ("date", "x"))
    found = recorded([(1, b"a \xff", ("status", 418), ("headers", headers))])

    async def both():
        async with (
            kit.replayed(Replay(recording=found)) as (url, _),
            aiohttp.ClientSession() as client,
            client.post(f"{url}/chat/completions", data=b'{"n":1}') as response,
        ):
            return response.status, response.headers, await response.read()

    status, came, body = asyncio.run(both())

    assert (status, body) == (418, b"a \xff")
    assert (came["content-type"], came["retry-after"]) == ("application/problem+json", "3")
    assert came["Date"] != "x"


@pytest.mark.loopback
def test_stream_comes_back_in_the_pieces_in_which_it_came(recorded, kit):
    headers = ("headers", (("content-type", "text/event-stream"),))
    found = recorded([(1, b"data: 1\n\ndata: 2\n\n", ("times", b"[[9,5],[9,700]]"), headers)])

    ((status, body),), _ = served(kit, Replay(recording=found), [b'{"n":1}'])

    assert (status, body) == (200, b"data: 1\n\ndata: 2\n\n")


@pytest.mark.loopback
def test_miss_is_an_error_that_names_itself(recorded, kit):
    ((status, body),), server = served(kit, Replay(recording=recorded([(1, b"a")])), [b'{"n":2}'])

    error = json.loads(body)["error"]
    assert (status, error["code"], error["type"]) == (404, "dokja_replay_miss", "dokja_replay_miss")
    assert len(server.replay.misses) == 1


@pytest.mark.loopback
def test_faults_are_replayed_as_they_were_met(recorded, kit):
    silent = [("status", None), ("headers", ())]
    stream = ("headers", (("content-type", "text/event-stream"),))
    found = recorded(
        [
            (1, None, ("fault", Fault.CONNECTION), *silent),
            (1, None, ("fault", Fault.TIMEOUT), *silent),
            (1, b"half", ("fault", Fault.CUT)),
            (1, b"data: ha", ("fault", Fault.CUT), ("times", b"[[8,5]]"), stream),
            (1, b"whole"),
        ]
    )

    came, _ = served(kit, Replay(recording=found, with_faults=True), [b'{"n":1}'] * 5)

    assert [status for status, _ in came] == [
        502,
        504,
        "ClientPayloadError",
        "ClientPayloadError",
        200,
    ]


@pytest.mark.loopback
def test_body_that_is_gone_or_edited_is_never_replaced(recorded, kit):
    found = recorded([(1, b"first"), (2, b"second"), (3, b"third")])
    paths = [found.bodies.path(each.response) for each in found.exchanges]
    paths[0].unlink()
    paths[1].write_bytes(b"forged")

    came, server = served(kit, Replay(recording=found), [b'{"n":%d}' % n for n in (1, 2, 3)])

    codes = [json.loads(body)["error"]["code"] for _, body in came[:2]]
    assert codes == ["dokja_replay_incomplete", "dokja_replay_broken"]
    assert came[2] == (200, b"third")
    assert [each.n for each in server.replay.incomplete] == [1]
    assert len(server.broken) == 1
