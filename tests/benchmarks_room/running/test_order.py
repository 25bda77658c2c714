"""The order of a run: every beginning a stratified random sample, the same on every machine."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.running import make_order, sample_key

STRATA = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)


@given(STRATA, st.integers(1, 3), st.integers(0, 9), st.integers(0, 20))
def test_every_sample_is_asked_once(strata, epochs, seed, sentinels):
    order = make_order(strata, epochs=epochs, seed=seed, sentinels=sentinels)

    assert sorted(order.sequence.tolist()) == list(range(order.samples))
    assert order.samples == len(strata) * epochs + 3 * min(sentinels, len(strata))


@given(STRATA, st.integers(0, 9))
def test_every_beginning_has_the_strata_in_proportion(strata, seed):
    order = make_order(strata, epochs=1, seed=seed, sentinels=0)
    sizes = Counter(strata)
    seen = Counter()

    for asked, sample in enumerate(order.sequence.tolist(), start=1):
        seen[strata[sample]] += 1
        for stratum, size in sizes.items():
            # Each of a stratum's items has its own cell of the whole, so that no count strays
            # further than one item on either side, plus what the cells of others shift it.
            assert abs(seen[stratum] - size * asked / len(strata)) <= len(sizes) + 1


def test_the_first_item_is_any_item():
    firsts = Counter(
        int(make_order(["a"] * 4 + ["b"] * 4, epochs=1, seed=seed, sentinels=0).sequence[0])
        for seed in range(800)
    )

    assert set(firsts) == set(range(8))
    assert max(firsts.values()) < 160  # 100 each; five standard errors are 47


def test_epochs_are_shuffled_anew_and_follow_each_other():
    order = make_order(["a"] * 50, epochs=2, seed=3, sentinels=0)

    first, second = order.sequence[:50] % 50, order.sequence[50:] % 50
    assert {order.epoch(int(s)) for s in order.sequence[:50]} == {"1"}
    assert first.tolist() != second.tolist()


def test_sentinels_stand_at_the_start_in_the_middle_and_at_the_end():
    order = make_order(["a"] * 20, epochs=1, seed=0, sentinels=3)

    rounds = [order.epoch(int(sample)) for sample in order.sequence]
    assert rounds[:3] == ["start"] * 3
    assert rounds[13:16] == ["middle"] * 3
    assert rounds[-3:] == ["end"] * 3
    places = [order.place(int(s)) for s in order.sequence if s >= order.scored]
    assert sorted(Counter(places).values()) == [3, 3, 3]


def test_the_order_is_pinned():
    order = make_order(list("abab") * 3, epochs=1, seed=7, sentinels=1)

    assert order.sequence.tolist() == [12, 2, 1, 3, 0, 4, 11, 13, 9, 10, 5, 8, 6, 7, 14]
    assert order.sequence.dtype == np.uint32


def test_keys_tell_plans_items_and_epochs_apart():
    keys = {
        sample_key(plan, item, epoch=epoch)
        for plan in (bytes(32), bytes([1]) * 32)
        for item in (bytes(32), bytes([1]) * 32)
        for epoch in ("1", "2", "start")
    }

    assert len(keys) == 12
