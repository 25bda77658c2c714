"""The interval over several benchmarks is the test turned around."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dokja.evidence.statistics.contrasts import (
    Basis,
    Benchmark,
    Combine,
    FrontierOf,
    GeneraliseTo,
    cells_of,
    combined_interval,
    combined_reach,
    layout_of,
    ratio_interval,
    reach_terms,
)
from dokja.values import Missing

TERMS = reach_terms("0.95", seed=1, generalise_to=GeneraliseTo.BLUEPRINT)
HOW = {"combine": Combine.RATIO_OF_MEANS, "frontier": FrontierOf.ONE_SYSTEM}


def benchmark(seed, *, own=0.7, best=0.8, items=300, name="quiz"):
    rng = np.random.default_rng(seed)
    candidate = (rng.uniform(size=items) < own).astype(float)
    reference = (rng.uniform(size=items) < best).astype(float)
    return Benchmark(
        name=f"{name}-{seed}",
        weight=1.0,
        cells=cells_of(candidate, reference[:, None], names=("best",)),
        layout=layout_of(items, strata=np.arange(items) % 5, clusters=np.arange(items) % 30),
    )


def test_one_benchmark_has_fiellers_interval():
    one = benchmark(1)
    values = one.cells.registered

    found = combined_interval([one], terms=TERMS, **HOW)
    known = ratio_interval(
        values.candidate, values.references[:, 0], layout=one.layout, basis=Basis.STRATA
    )

    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=2e-5)


@pytest.mark.parametrize("combine", [Combine.RATIO_OF_MEANS, Combine.MEAN_OF_RATIOS])
@pytest.mark.parametrize("goal", [GeneraliseTo.BLUEPRINT, GeneraliseTo.NEW_CLUSTERS])
def test_ends_are_the_ratios_that_are_just_not_rejected(combine, goal):
    parts = [benchmark(seed) for seed in (1, 2, 3)]
    terms = replace(TERMS, generalise_to=goal)
    how = {"combine": combine, "frontier": FrontierOf.ONE_SYSTEM}

    found = combined_interval(parts, terms=terms, **how)

    for end, share in ((found.low, 0.975), (found.high, 0.025)):
        asked = replace(terms, ratio=Fraction(end).limit_denominator(10**9))
        at_end = combined_reach(parts, terms=asked, **how).registered.p_at_least
        assert at_end == pytest.approx(share, abs=1e-5)
    assert found.low < combined_reach(parts, terms=terms, **how).registered.ratio < found.high


def test_reference_that_may_be_nothing_leaves_the_ratio_without_an_end():
    parts = [benchmark(seed, own=0.5, best=0.02, items=60) for seed in (1, 2)]

    found = combined_interval(parts, terms=TERMS, **HOW)

    assert isinstance(found, Missing) or isinstance(found.high, Missing)


def test_benchmarks_that_stand_for_themselves_have_no_interval_together():
    found = combined_interval(
        [benchmark(1)], combine=Combine.EACH, frontier=FrontierOf.ONE_SYSTEM, terms=TERMS
    )

    assert isinstance(found, Missing)


def test_wider_levels_are_wider():
    parts = [benchmark(seed) for seed in (1, 2)]

    narrow, wide = (combined_interval(parts, terms=TERMS, level=e, **HOW) for e in (0.8, 0.99))

    assert wide.low < narrow.low < narrow.high < wide.high
