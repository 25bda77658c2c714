"""The order against a slow twin that does one instance at a time, and against its laws."""

import hashlib
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dokja.errors import CorpusError
from dokja.models.forge.corpora.order import BLOCK, Order, OrderSource
from dokja.models.forge.corpora.permutations import permuted

M64 = (1 << 64) - 1
SEED = bytes.fromhex("00" * 31 + "01")


def slow_mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & M64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & M64
    return x ^ (x >> 31)


def slow_permuted(place, n, key):
    """One place at a time, in Python's own integers."""
    bits = (n - 1).bit_length()
    high_bits, low_bits = bits // 2, bits - bits // 2
    words = [int.from_bytes(key[at : at + 4], "little") for at in range(0, 24, 4)]
    while True:
        low, high = place % (1 << low_bits), place >> low_bits
        for number, word in enumerate(words):
            if number % 2 == 0:
                low ^= slow_mix(high ^ (word << 32)) % (1 << low_bits)
            else:
                high ^= slow_mix(low ^ (word << 32)) % (1 << high_bits)
        place = (high << low_bits) | low
        if place < n:
            return place


def slow_key(seed, sort, name, number):
    parts = [b"dokja.order/1", sort, name, seed]
    stated = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return hashlib.sha256(stated + number.to_bytes(8, "little")).digest()


def slow_quotas(sources):
    weights = [Fraction(str(source.weight)) for source in sources]
    shares = [1000 * weight / sum(weights) for weight in weights]
    quotas = [share.numerator // share.denominator for share in shares]
    while sum(quotas) < 1000:
        rests = [share - quota for share, quota in zip(shares, quotas, strict=True)]
        quotas[rests.index(max(rests))] += 1
    return quotas


def slow_instances(seed, sources, stop):
    """Every instance from the first on, as the module's docstring tells it."""
    quotas = slow_quotas(sources)
    owners = [place for place, quota in enumerate(quotas) for _ in range(quota)]
    met = [0] * len(sources)
    found = []
    for instance in range(stop):
        block, place = divmod(instance, 1000)
        owner = owners[slow_permuted(place, 1000, slow_key(seed, b"block", b"", block))]
        source = sources[owner]
        epoch, within = divmod(met[owner], source.windows)
        met[owner] += 1
        key = slow_key(seed, b"source", source.name.encode(), epoch)
        found.append((owner, slow_permuted(within, source.windows, key)))
    return found


def pairs(order, start, stop):
    source, window = order.instances(start, stop)
    return list(zip(source.tolist(), window.tolist(), strict=True))


def source(name="ko", windows=100_000, weight=1.0, max_repeats=1):
    return OrderSource(name=name, windows=windows, weight=weight, max_repeats=max_repeats)


MIX = (
    source("ko", 3_001, 0.7, 4),
    source("code", 97, 0.25, 40),
    source("수학", 1, 0.05, 1000),
)

mixtures = st.lists(
    st.tuples(st.integers(1, 3000), st.integers(1, 1000).map(lambda n: n / 1000)),
    min_size=1,
    max_size=5,
).map(
    lambda drawn: tuple(
        source(f"s{place}", windows, weight, 1 << 20)
        for place, (windows, weight) in enumerate(drawn)
    )
)


@pytest.mark.parametrize("n", [1, 2, 3, 97, 1000, 100_003])
@pytest.mark.parametrize("key", [bytes(32), hashlib.sha256(b"k").digest()], ids=["zero", "hashed"])
def test_permutation_is_a_bijection(n, key):
    found = permuted(np.arange(n, dtype=np.uint64), n, keys=[key], which=None)

    assert np.array_equal(np.sort(found), np.arange(n, dtype=np.uint64))


@settings(max_examples=60)
@given(st.integers(1, 1 << 48), st.binary(min_size=32, max_size=32), st.data())
def test_permutation_is_the_slow_one(n, key, data):
    places = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5))

    found = permuted(np.array(places, dtype=np.uint64), n, keys=[key], which=None)

    assert found.tolist() == [slow_permuted(place, n, key) for place in places]


def test_several_keys_are_several_permutations():
    keys = [hashlib.sha256(bytes([number])).digest() for number in range(3)]
    places = np.tile(np.arange(97, dtype=np.uint64), 3)

    found = permuted(places, 97, keys=keys, which=np.repeat(np.arange(3), 97))

    alone = [permuted(places[:97], 97, keys=[key], which=None) for key in keys]
    assert np.array_equal(found, np.concatenate(alone))
    assert len({part.tobytes() for part in alone}) == 3


def test_places_go_everywhere_equally_often():
    """Chi-squared over 20,000 keys: 96 degrees of freedom, so 96 ± 4.5 standard deviations."""
    keys = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(20_000)]

    for place in (0, 50, 96):
        places = np.full(len(keys), place, dtype=np.uint64)
        found = permuted(places, 97, keys=keys, which=np.arange(len(keys)))
        counts = np.bincount(found.astype(int), minlength=97)
        expected = len(keys) / 97
        assert abs(((counts - expected) ** 2 / expected).sum() - 96) < 4.5 * (2 * 96) ** 0.5


def test_neighbours_do_not_stay_neighbours():
    found = permuted(np.arange(100_003, dtype=np.uint64), 100_003, keys=[bytes(32)], which=None)

    steps = np.diff(found.astype(np.int64))

    assert np.count_nonzero(np.abs(steps) == 1) < 20
    assert abs(np.corrcoef(found[:-1].astype(float), found[1:].astype(float))[0, 1]) < 0.02


def test_order_is_the_slow_one():
    assert pairs(Order(SEED, MIX), 0, 4200) == slow_instances(SEED, MIX, 4200)


@settings(max_examples=15)
@given(mixtures, st.binary(max_size=40))
def test_order_of_any_mixture_is_the_slow_one(sources, seed):
    assume(0 not in slow_quotas(sources))

    assert pairs(Order(seed, sources), 0, 1100) == slow_instances(seed, sources, 1100)


def test_order_stays_what_it_is():
    """Golden: whoever changes the order breaks every run that was planned."""
    source_of, window = Order(SEED, MIX).instances(0, 4000)

    assert window[:8].tolist() == [20, 2698, 0, 30, 70, 1846, 1273, 1496]
    assert hashlib.sha256(
        source_of.astype("<u4").tobytes() + window.astype("<u8").tobytes()
    ).hexdigest() == ("ecf8791b3fc5a1bc0d2a114770c6c3fa71c1d6800cb3bba291eb34f4707eb0de")


@settings(max_examples=60)
@given(st.integers(0, 9_000), st.integers(0, 3_000))
def test_any_part_is_the_part_of_the_whole(start, length):
    order = Order(SEED, MIX)
    stop = min(start + length, order.most)
    start = min(start, stop)

    assert pairs(order, start, stop) == pairs(order, 0, stop)[start:]


def test_part_far_out_needs_nothing_before_it():
    order = Order(SEED, (source(windows=1 << 40),))
    start = 10**12

    assert pairs(order, start, start + 3)[1:] == pairs(order, start + 1, start + 3)
    assert order.counts(start) == (start,)


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("micro", [1, 2])
def test_batch_is_equal_whatever_the_number_of_ranks(world, micro):
    order, batch, step = Order(SEED, MIX), 16, 61
    whole = pairs(order, step * batch, (step + 1) * batch)
    share = batch // world

    gathered = [
        pair
        for rank in range(world)
        for at in range(0, share, micro)
        for pair in pairs(
            order,
            step * batch + rank * share + at,
            step * batch + rank * share + at + micro,
        )
    ]

    assert gathered == whole


@settings(max_examples=20)
@given(mixtures)
def test_mixture_is_realised(sources):
    assume(0 not in slow_quotas(sources))
    order = Order(SEED, sources)
    total = sum(source.weight for source in sources)

    counts = order.counts(50_000)

    for count, own in zip(counts, sources, strict=True):
        assert abs(count / 50_000 - own.weight / total) <= 1e-3
    assert sum(counts) == 50_000
    assert order.quotas == tuple(slow_quotas(sources))


@settings(max_examples=40)
@given(mixtures, st.integers(0, 5_000))
def test_counts_are_those_of_the_instances(sources, instances):
    assume(0 not in slow_quotas(sources))
    order = Order(SEED, sources)

    found = Counter(order.instances(0, instances)[0].tolist())

    assert order.counts(instances) == tuple(found[place] for place in range(len(sources)))


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.integers(1, 4), st.integers(1, 9)),
        min_size=1,
        max_size=4,
    )
)
def test_no_window_is_read_more_often_than_it_may(drawn):
    sources = tuple(
        source(f"s{place}", windows, weight, repeats)
        for place, (windows, repeats, weight) in enumerate(drawn)
    )
    order = Order(SEED, sources)

    reads = Counter(pairs(order, 0, order.most))

    for (place, _), count in reads.items():
        assert count <= sources[place].max_repeats
    order.check(order.most)
    with pytest.raises(CorpusError, match=r"Train on at most \d+ instances"):
        order.check(order.most + 1)
    with pytest.raises(CorpusError, match=r"Train on at most \d+ instances"):
        order.instances(0, order.most + 1)


@pytest.mark.parametrize("windows", [1, 2, 97, 1000, 1003])
def test_every_window_is_read_once_before_any_is_read_twice(windows):
    order = Order(SEED, (source(windows=windows, max_repeats=3),))

    for epoch in range(3):
        found = order.instances(epoch * windows, (epoch + 1) * windows)[1]
        assert sorted(found.tolist()) == list(range(windows))
    assert order.most == 3 * windows


def test_epochs_seeds_and_names_are_other_permutations():
    def windows(seed, name, start):
        return Order(seed, (source(name, 1000, max_repeats=2),)).instances(start, start + 1000)[1]

    found = [
        windows(b"a", "x", 0),
        windows(b"a", "x", 1000),
        windows(b"b", "x", 0),
        windows(b"a", "y", 0),
    ]

    assert len({part.tobytes() for part in found}) == 4


def test_largest_mixture_is_counted_without_overflow():
    order = Order(SEED, (source(windows=1 << 40, max_repeats=1 << 20),))

    assert order.most == 1 << 60
    assert order.instances((1 << 60) - 2, 1 << 60)[0].tolist() == [0, 0]


def test_source_too_small_for_a_run_is_told_before_it_begins():
    order = Order(SEED, (source("ko", 500, 0.5, 2), source("en", 300, 0.5, 1)))

    with pytest.raises(CorpusError) as caught:
        order.check(4000)

    first, second = caught.value.mistakes
    assert first.place == "source 'ko'"
    assert first.read == "500 windows, read at most 2 times: 1000 instances"
    assert first.expected == "the 2000 that a run of 4000 instances takes from it"
    assert first.remedy == (
        f"Train on at most {order.most} instances, add data, lower its weight, "
        "or raise max_repeats to 4."
    )
    assert second.place == "source 'en'"


def test_weights_count_as_they_are_written():
    thirds = Order(SEED, (source("a", weight=1), source("b", weight=1), source("c", weight=1)))
    tenths = Order(
        SEED, (source("a", weight=0.7), source("b", weight=0.2), source("c", weight=0.1))
    )

    assert thirds.quotas == (334, 333, 333)
    assert tenths.quotas == (700, 200, 100)


@pytest.mark.parametrize(
    ("sources", "places"),
    [
        ((), ["sources"]),
        ((source("a"), source("a")), ["source 'a'"]),
        (
            (source(windows=0), source("b", weight=0.0)),
            ["source 'ko', windows", "source 'b', weight"],
        ),
        ((source(weight=float("nan")),), ["source 'ko', weight"]),
        ((source(weight=float("inf")),), ["source 'ko', weight"]),
        ((source(max_repeats=0),), ["source 'ko', max_repeats"]),
        ((source(windows=1 << 41),), ["source 'ko', windows"]),
        ((source("a", weight=1.0), source("b", weight=1e-5)), ["source 'b', weight"]),
    ],
)
def test_mixtures_that_cannot_be_are_refused(sources, places):
    with pytest.raises(CorpusError) as caught:
        Order(SEED, sources)

    assert [mistake.place for mistake in caught.value.mistakes] == places


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2)])
def test_instances_that_are_not_there_are_an_error(start, stop):
    with pytest.raises(ValueError, match="there are no instances"):
        Order(SEED, MIX).instances(start, stop)


def test_nothing_is_handed_out_that_could_be_changed():
    order = Order(SEED, (source(),))
    before = order.instances(0, BLOCK)
    before[0][:] = 7
    before[1][:] = 7

    assert 7 not in set(order.instances(0, BLOCK)[0].tolist())
