import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from dokja.evidence.statistics.counts import (
    binomial_at_least,
    mcnemar,
    mcnemar_more,
    share_of,
)
from dokja.evidence.statistics.multiplicity import benjamini_hochberg
from dokja.values import Missing, MissingReason

counts = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def slow_at_least(successes, trials, chance):
    return sum(
        math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
        for k in range(max(successes, 0), trials + 1)
    )


@given(counts, st.floats(0, 1))
def test_the_tail_equals_its_sum(count, chance):
    successes, trials = count

    assert binomial_at_least(successes, trials=trials, chance=chance) == pytest.approx(
        slow_at_least(successes, trials, chance), abs=1e-12
    )


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_equals_statsmodels(gained, lost):
    theirs = their_mcnemar([[5, gained], [lost, 5]], exact=True).pvalue

    assert mcnemar(gained, lost) == pytest.approx(min(1.0, theirs))
    assert mcnemar_more(gained, lost) + mcnemar_more(lost, gained) >= 1 - 1e-12


@given(counts.filter(lambda count: count[1] > 0), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_exact_interval_equals_scipy(count, level):
    successes, trials = count

    found = share_of(successes, trials, level=level, what="items")
    theirs = scipy.stats.binomtest(successes, trials).proportion_ci(level, method="exact")

    assert (found.low, found.high) == (
        pytest.approx(theirs.low, abs=1e-9),
        pytest.approx(theirs.high, abs=1e-9),
    )
    assert found.rests_on == (("items", trials),)


def test_a_share_of_nothing_is_missing():
    assert share_of(0, 0, level=0.95, what="items") == Missing(
        reason=MissingReason.NOT_MEASURED, what=("items",)
    )


@pytest.mark.parametrize("count", [(3, 2), (-1, 2)])
def test_counts_that_cannot_be_are_refused(count):
    with pytest.raises(ValueError, match="cannot be"):
        share_of(*count, level=0.95, what="items")
    with pytest.raises(ValueError, match="cannot be"):
        binomial_at_least(3, trials=2, chance=0.5)
    with pytest.raises(ValueError, match="no counts"):
        mcnemar(-1, 2)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_false_discoveries_are_held_as_by_statsmodels(p):
    adjusted = benjamini_hochberg(p)

    theirs = multipletests(p, method="fdr_bh")[1] if p else []
    assert list(adjusted) == pytest.approx(list(theirs))
