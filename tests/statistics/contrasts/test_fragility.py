"""How few items a verdict rests on: against every subset, in exact numbers."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics.contrasts import (
    Clearance,
    GeneraliseTo,
    Values,
    fragility,
    layout_of,
    reach_terms,
    reading,
    right_counts,
    verdict_fragility,
)
from dokja.values import Missing, MissingReason

BLUEPRINT = GeneraliseTo.BLUEPRINT


def slow(candidate, reference, ratio, groups):
    """The size of the smallest set of groups whose removal turns the verdict, by trying all."""
    pulls = [Fraction(a) - ratio * b for a, b in zip(candidate, reference, strict=True)]
    reaches = sum(pulls) >= 0
    names = sorted(set(groups))
    for size in range(1, len(names)):
        for removed in combinations(names, size):
            rest = sum(p for p, g in zip(pulls, groups, strict=True) if g not in removed)
            if (rest >= 0) != reaches:
                return size
    return None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=9),
    st.sampled_from(["19/20", "9/10", "1", "2/3"]),
)
def test_no_smaller_set_of_items_turns_the_verdict(pairs, ratio):
    candidate, reference = (np.array(each) for each in zip(*pairs, strict=True))

    found = fragility(candidate, reference, ratio=ratio)

    expected = slow(candidate, reference, Fraction(ratio), range(len(pairs)))
    assert (None if isinstance(found.removed, Missing) else found.removed) == expected
    assert found.units == len(pairs)
    if expected is not None:
        left = [row for row in range(len(pairs)) if row not in found.which]
        rest = sum(Fraction(int(candidate[r])) - Fraction(ratio) * int(reference[r]) for r in left)
        assert len(found.which) == expected
        assert (rest >= 0) != found.reaches


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=14
    )
)
def test_no_smaller_set_of_clusters_turns_the_verdict(rows):
    candidate, reference, clusters = (np.array(each) for each in zip(*rows, strict=True))
    layout = layout_of(len(rows), clusters=clusters)

    found = fragility(candidate, reference, ratio=".95", groups=layout.clusters)

    expected = slow(candidate, reference, Fraction(19, 20), clusters.tolist())
    assert (None if isinstance(found.removed, Missing) else found.removed) == expected
    assert found.units == layout.clusters.count


def test_integers_do_not_miscount_where_binary_numbers_do():
    # 19 of 20 right against 20 of 20 is exactly .95; sums of .05 and -.95 are not exactly 0.
    candidate = np.array([1] * 19 + [0])
    reference = np.ones(20, dtype=int)
    assert sum(float(a) - 0.95 * float(b) for a, b in zip(candidate, reference, strict=True)) != 0

    found = fragility(candidate, reference, ratio=".95")

    assert found.reaches
    assert (found.removed, found.share) == (1, 0.05)


def test_a_verdict_that_no_removal_turns_says_so():
    found = fragility(np.array([1, 1, 1]), np.array([1, 0, 1]), ratio=".95")

    assert found.removed == Missing(reason=MissingReason.NOT_COMPARABLE, what=("removal",))
    assert found.share == found.removed


def test_counts_are_whole_or_missing():
    assert right_counts(np.array([1 / 3, 2 / 3]), epochs=3).tolist() == [1, 2]
    assert right_counts(np.array([0.25]), epochs=2) == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("graded",)
    )
    with pytest.raises(ValueError, match="pair"):
        fragility(np.array([1]), np.array([1, 0]), ratio=".95")


def made_up(own, *, items=150):
    rng = np.random.default_rng(2)
    right = [(rng.uniform(size=items) < mean).astype(float) for mean in (own, 0.7)]
    return (
        Values(candidate=right[0], references=right[1][:, None]),
        layout_of(items, strata=np.arange(items) % 3, clusters=np.arange(items) % 30),
    )


@pytest.mark.parametrize("own", [0.85, 0.69, 0.45])
def test_so_many_items_change_the_three_way_verdict_and_one_fewer_does_not(own):
    values, layout = made_up(own)
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)
    before = reading(values, layout, terms=terms).verdict

    found = verdict_fragility(values, layout, terms=terms)

    def after(count, *, least_first):
        pulls = values.candidate - 0.95 * values.references[:, 0]
        order = np.argsort(pulls if least_first else -pulls, kind="stable")[count:]
        kept = np.sort(order)
        rest = Values(candidate=values.candidate[kept], references=values.references[kept])
        strata, clusters = layout.strata.codes[kept], layout.clusters.codes[kept]
        again = layout_of(len(kept), strata=strata, clusters=clusters)
        return reading(rest, again, terms=terms).verdict

    both = [after(found.removed, least_first=first) for first in (True, False)]
    fewer = [after(found.removed - 1, least_first=first) for first in (True, False)]
    assert found.verdict is before
    assert found.becomes in both
    assert found.becomes is not before
    assert fewer == [before, before]


def test_within_a_limit_nothing_may_change_it():
    values, layout = made_up(0.95)

    found = verdict_fragility(values, layout, terms=reach_terms(".95", seed=1), limit=2)

    assert found.verdict is Clearance.CLEARS
    assert found.becomes is None
    assert found.removed == Missing(reason=MissingReason.NOT_COMPARABLE, what=("removal",))
