"""Standard errors: slow twins that loop, and regressions on a constant as outside oracles."""

import math
from collections import defaultdict

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dokja.evidence.statistics.contrasts import (
    Basis,
    clusters_of,
    contrast,
    layout_of,
    margin_test,
    ratio_of,
    spread,
    without,
)
from dokja.values import Missing, MissingReason


def form(seed, items=120, clusters=9, strata=4):
    """A made-up form: differences, weights, strata, clusters and crossed clusters."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, clusters, items)
    return (
        rng.normal(size=items) + 0.5 * rng.normal(size=clusters)[cluster],
        rng.uniform(0.2, 2.0, items),
        cluster % strata,
        cluster,
        rng.integers(0, clusters - 2, items),
    )


def slow(differences, weights, groups=None, strata=None):
    """The variance of a weighted mean by its definition, one group after the other."""
    whole = math.fsum(weights)
    shares = [weight / whole for weight in weights]
    groups = range(len(differences)) if groups is None else groups
    strata = [0] * len(differences) if strata is None else strata
    variance = 0.0
    for stratum in set(strata):
        rows = [row for row, one in enumerate(strata) if one == stratum]
        held = math.fsum(shares[row] for row in rows)
        mean = math.fsum(shares[row] * differences[row] for row in rows) / held
        sums = defaultdict(float)
        for row in rows:
            sums[groups[row]] += shares[row] * (differences[row] - mean)
        count = len(sums)
        variance += count / (count - 1) * math.fsum(one**2 for one in sums.values())
    return variance


@pytest.mark.parametrize("seed", range(5))
def test_errors_are_those_of_the_slow_twin(seed):
    differences, weights, strata, clusters, crossed = form(seed)
    layout = layout_of(120, weights=weights, strata=strata, clusters=clusters, crossed=crossed)
    pairs = list(zip(clusters, crossed, strict=True))
    one, other, cells = (
        slow(differences, weights, groups) for groups in (clusters, crossed, pairs)
    )

    found = {basis: spread(differences, layout, basis=basis) for basis in Basis}

    expected = {
        Basis.ITEMS: (slow(differences, weights), 119),
        Basis.STRATA: (slow(differences, weights, strata=strata), 116),
        Basis.CLUSTERS: (one, 8),
        Basis.CLUSTERS_IN_STRATA: (slow(differences, weights, clusters, strata), 5),
        Basis.TWO_WAY: (max(one + other - cells, one, other), 6),
    }
    for basis, (variance, df) in expected.items():
        assert found[basis].standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)
        assert found[basis].df == df


@pytest.mark.parametrize("seed", range(3))
def test_errors_are_those_of_a_regression_on_a_constant(seed):
    differences, weights, _, clusters, crossed = form(seed)
    layout = layout_of(120, weights=weights, clusters=clusters, crossed=crossed)
    model = sm.WLS(differences, np.ones(120), weights=weights)

    by_clusters = model.fit(cov_type="cluster", cov_kwds={"groups": clusters})
    by_items = model.fit(cov_type="HC1")

    found = {basis: spread(differences, layout, basis=basis) for basis in Basis}
    assert found[Basis.CLUSTERS].standard_error == pytest.approx(by_clusters.bse[0], rel=1e-12)
    assert found[Basis.ITEMS].standard_error == pytest.approx(by_items.bse[0], rel=1e-12)
    two_way = sm.stats.sandwich_covariance.cov_cluster_2groups(by_items, clusters, crossed)
    unfloored = float(np.sqrt(two_way[0][0, 0]))
    floors = [math.sqrt(float(each[0, 0])) for each in two_way[1:]]
    assert found[Basis.TWO_WAY].standard_error == pytest.approx(max(unfloored, *floors), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_p_values_are_those_of_scipy(seed):
    differences, weights, strata, clusters, _ = form(seed)
    layout = layout_of(120, weights=weights, strata=strata, clusters=clusters)

    for basis in (Basis.ITEMS, Basis.STRATA, Basis.CLUSTERS, Basis.CLUSTERS_IN_STRATA):
        found = margin_test(differences, layout, basis=basis, span=(-9.0, 9.0))

        t = float(layout.weights @ differences) / found.standard_error
        assert found.p_fail == pytest.approx(stats.t.cdf(t, found.df), rel=1e-10)
        assert found.p_clear == pytest.approx(stats.t.sf(t, found.df), rel=1e-10)
        assert found.p_at_least == found.p_fail


def test_equal_weights_in_strata_give_the_textbook_formula():
    differences, _, strata, _, _ = form(3)

    found = spread(differences, layout_of(120, strata=strata), basis=Basis.STRATA)

    parts = [differences[strata == stratum] for stratum in range(4)]
    variance = sum((len(part) / 120) ** 2 * part.var(ddof=1) / len(part) for part in parts)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(40)))
def test_the_order_of_items_changes_nothing(seed, order):
    differences, weights, strata, clusters, crossed = form(seed, items=40)
    order = np.array(order)

    def errors(rows):
        layout = layout_of(
            40,
            weights=weights[rows],
            strata=strata[rows],
            clusters=clusters[rows],
            crossed=crossed[rows],
        )
        found = (spread(differences[rows], layout, basis=basis) for basis in Basis)
        return [each.standard_error for each in found if not isinstance(each, Missing)]

    assert errors(order) == pytest.approx(errors(np.arange(40)), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_doubling_every_item_in_its_cluster_leaves_the_clustered_error(seed):
    differences, weights, _, clusters, _ = form(seed, items=50)
    twice = np.repeat(np.arange(50), 2)

    once, doubled = (
        spread(
            differences[rows],
            layout_of(len(rows), weights=weights[rows], clusters=clusters[rows]),
            basis=Basis.CLUSTERS,
        )
        for rows in (np.arange(50), twice)
    )

    assert doubled.standard_error == pytest.approx(once.standard_error, rel=1e-9)
    assert doubled.df == once.df


def test_strata_of_one_item_are_joined_and_said_to_be():
    differences = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 5.0, 2.0])
    strata = ["a", "a", "a", "b", "b", "alone", "too"]

    found = spread(differences, layout_of(7, strata=strata), basis=Basis.STRATA)

    joined = ["a", "a", "a", "b", "b", "rest", "rest"]
    expected = slow(differences, [1.0] * 7, strata=joined)
    assert found.strata_joined == 2
    assert found.standard_error == pytest.approx(math.sqrt(expected))


def test_a_single_stratum_of_one_goes_to_the_smallest():
    differences = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 5.0])

    found = spread(
        differences, layout_of(6, strata=["a", "a", "a", "b", "b", "c"]), basis=Basis.STRATA
    )

    expected = slow(differences, [1.0] * 6, strata=["a", "a", "a", "b", "b", "b"])
    assert (found.strata_joined, found.df) == (1, 4)
    assert found.standard_error == pytest.approx(math.sqrt(expected))


def test_what_is_not_declared_or_cannot_differ_is_missing():
    differences = np.array([1.0, 0.0, 1.0])
    bare, lone = layout_of(3), layout_of(3, clusters=["a"] * 3)

    assert spread(differences, bare, basis=Basis.CLUSTERS) == Missing(
        reason=MissingReason.NOT_MEASURED, what=("clusters",)
    )
    assert spread(differences, bare, basis=Basis.STRATA) == Missing(
        reason=MissingReason.NOT_MEASURED, what=("strata",)
    )
    assert spread(differences, bare, basis=Basis.TWO_WAY) == Missing(
        reason=MissingReason.NOT_MEASURED, what=("clusters", "crossed")
    )
    assert spread(differences, lone, basis=Basis.CLUSTERS) == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("clusters",)
    )
    assert spread(differences[:1], layout_of(1), basis=Basis.ITEMS) == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("items",)
    )


def test_as_many_strata_as_units_show_no_spread_within():
    two = layout_of(4, strata=["a", "a", "b", "b"], clusters=["u", "u", "v", "v"])
    one = layout_of(2, strata=["a", "a"], clusters=["u", "u"])
    crossed = layout_of(2, clusters=["u", "v"], crossed=["x", "x"])
    differences = np.array([1.0, 0.0, 1.0, 1.0])

    joined = spread(differences, two, basis=Basis.CLUSTERS_IN_STRATA)

    assert (joined.strata_joined, joined.df) == (2, 1)
    assert joined.standard_error == spread(differences, two, basis=Basis.CLUSTERS).standard_error
    assert spread(differences[:2], one, basis=Basis.CLUSTERS_IN_STRATA) == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("clusters-in-strata",)
    )
    assert spread(differences[:2], crossed, basis=Basis.TWO_WAY) == Missing(
        reason=MissingReason.NOT_COMPARABLE, what=("two-way",)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 5.0), min_size=2, max_size=30))
def test_effective_clusters_lie_between_one_and_their_number(weights):
    layout = layout_of(len(weights), weights=np.array(weights), clusters=np.arange(len(weights)))

    found = clusters_of(layout)

    squares = [share**2 for share in layout.weights]
    mean = sum(squares) / len(squares)
    gamma = sum((one - mean) ** 2 for one in squares) / len(squares) / mean**2
    assert found.effective == pytest.approx(len(weights) / (1 + gamma))
    assert 1 - 1e-9 <= found.effective <= len(weights) + 1e-9
    assert found.largest_share == pytest.approx(max(weights) / sum(weights))


def test_items_that_all_say_the_same_are_not_taken_for_certainty():
    right = np.ones(40)

    few, many = (
        contrast(np.ones(n), np.ones(n), ratio=".95", layout=layout_of(n), seed=1) for n in (40, 80)
    )

    # (x/(x + δ))^n: so many items without one on which the candidate alone is wrong.
    assert few.by_items.method == "all-alike"
    assert few.by_items.p_clear == pytest.approx(0.95**40)
    assert many.by_items.p_clear == pytest.approx(0.95**80)
    assert few.by_items.p_fail == 1.0
    below = contrast(0 * right, right, ratio=".95", layout=layout_of(40), seed=1)
    assert below.by_items.p_fail == pytest.approx((1 / 1.95) ** 40)
    assert below.by_items.p_clear == 1.0


def test_a_ratio_to_nothing_is_missing():
    found = contrast(np.ones(4), np.zeros(4), ratio=".95", layout=layout_of(4), seed=1)

    assert found.ratio == Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    assert found.margin == 1.0


@pytest.mark.parametrize("written", ["0", "-1", "many", "inf", "nan", "1/0"])
def test_a_ratio_that_is_none_is_refused(written):
    with pytest.raises(ValueError, match=r"ratio|literal|convert"):
        ratio_of(written)


def test_a_binary_number_is_no_ratio_as_it_was_written():
    with pytest.raises(TypeError, match="as text"):
        ratio_of(0.95)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"candidate": np.ones(3)}, "do not fit"),
        ({"candidate": np.array([0.0, 1.0, 2.0, 1.0])}, "finite number"),
        ({"candidate": np.array([0.0, 1.0, np.nan, 1.0])}, "finite"),
    ],
)
def test_values_that_do_not_fit_are_refused(change, match):
    given = {"candidate": np.ones(4), "reference": np.ones(4), **change}

    with pytest.raises(ValueError, match=match):
        contrast(given["candidate"], given["reference"], ratio=".9", layout=layout_of(4), seed=1)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"items": 0}, "at least one"),
        ({"items": 2, "weights": np.array([1.0, -1.0])}, "at least 0"),
        ({"items": 2, "weights": np.array([0.0, 0.0])}, "not all 0"),
        ({"items": 2, "weights": np.ones(3)}, "do not fit"),
        ({"items": 2, "clusters": ["a"]}, "do not fit"),
        ({"items": 2, "crossed": ["a", "b"]}, "lie across"),
    ],
)
def test_layouts_that_make_no_sense_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        layout_of(**arguments)


def test_dropped_items_leave_their_weight_to_their_stratum():
    whole = layout_of(6, strata=list("aabbcc"), clusters=list("uvwxyz"))

    rest, lost = without(whole, np.array([True, False, True, True, False, False]))

    assert rest.weights.tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert lost == pytest.approx(1 / 3)
    assert (rest.strata.names, rest.clusters.names) == (("a", "b"), ("u", "w", "x"))
    with pytest.raises(ValueError, match="kept"):
        without(whole, np.zeros(6, dtype=bool))
