"""How many are in the air, at which rate, for how much, and for how long it waits."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.running import Limits, Why
from dokja.evidence.benchmarks.running.gates import Breaker, Bucket, Gate


@given(
    st.floats(6, 600),
    st.lists(st.floats(0, 2), min_size=2, max_size=30),
)
def test_no_minute_takes_more_than_its_rate(rate, gaps):
    bucket = Bucket(rate, now=0.0, burst=1.0)
    now, starts = 0.0, []
    for gap in gaps:
        now += gap
        starts.append(now + bucket.take(1.0, now=now))

    # The n-th may start no earlier than n - 1 steps after the first.
    step = 60 / rate
    assert all(start >= starts[0] + n * step - 1e-6 for n, start in enumerate(starts))


def test_what_was_not_used_is_put_back():
    bucket = Bucket(60, now=0.0, burst=10.0)
    bucket.take(10.0, now=0.0)
    bucket.settle(10.0, 4.0)

    assert bucket.take(6.0, now=0.0) == 0.0
    assert bucket.take(1.0, now=0.0) == 1.0


def slow_trips(tries, window):
    """When a breaker trips, looking at the whole list each time."""
    seen, trips = [], []
    for number, failed in enumerate(tries):
        seen.append(failed)
        last = seen[-window:]
        if len(last) == window and sum(last) > window / 2:
            trips.append(number)
            seen = []
    return trips


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 8))
def test_the_breaker_trips_when_more_than_half_of_the_last_tries_failed(tries, window):
    breaker = Breaker(window)

    trips = [number for number, failed in enumerate(tries) if breaker.saw(failed=failed)]

    assert trips == slow_trips(tries, window)


def test_pauses_grow_until_most_goes_well_and_are_barren_until_anything_does():
    breaker = Breaker(2)
    for _ in range(2):
        breaker.saw(failed=True)
        breaker.saw(failed=True)
    before = (breaker.level, breaker.barren)

    breaker.saw(failed=False)
    after_one = (breaker.level, breaker.barren)
    breaker.saw(failed=False)

    assert (before, after_one, breaker.level) == ((2, 2), (2, 0), 0)


def test_the_first_goes_alone_and_then_the_gate_opens():
    async def scene():
        gate = Gate(64)
        limits = [gate.limit]
        for _ in range(60):
            gate.bore()
            limits.append(gate.limit)
        return limits

    limits = asyncio.run(scene())

    assert limits[:3] == [1.0, 8.0, 9.0]
    assert limits[-1] == 64.0


def test_what_was_in_the_air_together_halves_once():
    async def scene():
        gate = Gate(64)
        for _ in range(60):
            gate.bore()
        now = asyncio.get_running_loop().time()
        for _ in range(20):
            gate.pushed_back(asked_at=now)
        halved = gate.limit
        await asyncio.sleep(0.001)
        gate.pushed_back(asked_at=asyncio.get_running_loop().time())
        gate.bore()
        return halved, gate.limit

    assert asyncio.run(scene()) == (32.0, 16.0625)


@given(st.integers(1, 6), st.integers(1, 30))
def test_never_more_are_in_the_air_than_the_limit(most, workers):
    async def scene():
        gate, seen = Gate(most), []

        async def work():
            await gate.enter()
            seen.append(gate.flying)
            await asyncio.sleep(0)
            gate.bore()
            gate.leave()

        await asyncio.gather(*(work() for _ in range(workers)))
        return seen

    seen = asyncio.run(scene())

    assert len(seen) == workers
    assert max(seen) <= most


def test_a_closed_gate_lets_everybody_go():
    async def scene():
        gate = Gate(1)
        first = await gate.enter()
        waiting = asyncio.create_task(gate.enter())
        paused = asyncio.create_task(gate.rest(60.0))
        await asyncio.sleep(0)
        gate.close()
        return first, await waiting, await paused

    assert asyncio.run(scene()) == (True, False, None)


def test_no_concurrency_is_a_mistake():
    with pytest.raises(ValueError, match="concurrency"):
        Limits(concurrency=0)


@pytest.mark.loopback
def test_requests_keep_to_the_rate_of_a_minute(run, quick):
    one = run(12)

    one.go(quick(rpm=60 * 30.0))

    times = [line["t"] for line in one.lines("ask")]
    assert times[-1] - times[0] >= (12 - 3) / 30 * 1000 - 2  # a tenth of a second at once


@pytest.mark.loopback
def test_tokens_keep_to_the_rate_of_a_minute(run, quick):
    one = run(8)
    each = 21  # twenty of the prompt, one of the answer

    one.go(quick(concurrency=1, tpm=60 * 40.0 * each))

    times = [line["t"] for line in one.lines("ask")]
    # The first takes what it can come to at most, and gives back what it did not use.
    assert times[-1] - times[0] >= 3 / 40 * 1000


@pytest.mark.loopback
def test_a_budget_is_never_overdrawn_and_stops_the_run(run, quick, prices):
    one = run(40, plan={"prices": prices}, usage=False)
    each = prices.most_micro(one.plan.requests.body(one.form.questions[0].asked), tokens=16)

    ending = one.go(quick(concurrency=8, budget_micro=each * 7))

    told = one.told()
    assert ending.why is Why.BUDGET
    assert one.server.asked.total() <= 7
    assert told.said["cost"]["at_most_micro"] <= each * 7
    assert told.said["cost"]["micro"] == 0
    assert told.open == told.outcomes["not_run"] > 0


@pytest.mark.loopback
def test_rate_headers_pause_everybody(run, quick):
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30ms"}
    one = run(4, headers=headers)

    one.go(quick())

    times = [line["t"] for line in one.lines("ask")]
    assert times[1] - times[0] >= 25
