import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics import clustered_mean, student_quantile
from dokja.values import Missing, MissingReason

items = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.integers(0, 5)), min_size=2, max_size=40
).filter(lambda rows: len({cluster for _, cluster in rows}) > 1)


def slow_error(rows):
    """The formula of 5.1 as it is printed, cluster by cluster and item by item."""
    n = len(rows)
    mean = sum(value for value, _ in rows) / n
    names = sorted({cluster for _, cluster in rows})
    squares = 0.0
    for name in names:
        pull = 0.0
        for value, cluster in rows:
            if cluster == name:
                pull += (value - mean) / n
        squares += pull * pull
    return mean, math.sqrt(len(names) / (len(names) - 1) * squares)


def separated(rows):
    return [value for value, _ in rows], [cluster for _, cluster in rows]


@given(items, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_mean_and_error_equal_their_twin(rows, level):
    mean, error = slow_error(rows)

    found = clustered_mean(*separated(rows), level=level)

    assert found.value == pytest.approx(mean)
    if "all alike" not in found.method:
        half = student_quantile((1 + level) / 2, df=len({c for _, c in rows}) - 1) * error
        assert found.standard_error == pytest.approx(error)
        assert found.low == pytest.approx(max(0.0, mean - half))
        assert found.high == pytest.approx(min(1.0, mean + half))
        assert ("cut at the scale" in found.method) == (mean - half < 0 or mean + half > 1)


@given(st.lists(st.booleans(), min_size=2, max_size=200).filter(lambda v: 0 < sum(v) < len(v)))
def test_single_items_give_the_binomial_error(answers):
    n, share = len(answers), sum(answers) / len(answers)

    found = clustered_mean([float(answer) for answer in answers], range(n), level=0.95)

    assert found.standard_error == pytest.approx(math.sqrt(share * (1 - share) / (n - 1)))
    assert found.rests_on == (("clusters", n), ("items", n))


@given(items, st.randoms())
def test_the_order_of_items_changes_nothing(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)

    first = clustered_mean(*separated(rows), level=0.95)
    second = clustered_mean(*separated(shuffled), level=0.95)

    assert second.value == first.value
    assert second.low == pytest.approx(first.low)


@given(items)
def test_doubling_every_item_in_its_cluster_leaves_the_interval(rows):
    first = clustered_mean(*separated(rows), level=0.95)
    second = clustered_mean(*separated(rows + rows), level=0.95)

    assert second.value == pytest.approx(first.value)
    assert second.standard_error == pytest.approx(first.standard_error)


@given(items)
def test_an_interval_always_has_width(rows):
    found = clustered_mean(*separated(rows), level=0.95)

    assert found.low < found.high
    assert found.standard_error > 0
    assert found.low >= 0
    assert found.high <= 1


@pytest.mark.parametrize("clusters", [2, 7, 14, 336])
def test_all_right_gives_the_exact_bound_over_clusters(clusters):
    found = clustered_mean([1.0] * (3 * clusters), list(range(clusters)) * 3, level=0.95)

    # The share of clusters that are all right could be as low as this and still show only such.
    assert found.low**clusters == pytest.approx(0.025)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.method == "cluster-mean, all alike"


def test_one_cluster_shows_nothing_of_how_clusters_differ():
    found = clustered_mean([1.0, 0.0, 1.0], ["sums"] * 3, level=0.95)

    assert found == Missing(reason=MissingReason.NOT_COMPARABLE, what=("clusters",))


def test_no_items_are_not_zero():
    assert clustered_mean([], [], level=0.95) == Missing(
        reason=MissingReason.NOT_MEASURED, what=("items",)
    )


@pytest.mark.parametrize(
    ("values", "clusters", "level", "words"),
    [
        ([1.0], ["a", "b"], 0.95, "cannot lie in 2 clusters"),
        ([1.5, 0.0], ["a", "b"], 0.95, "not a finite number"),
        ([math.nan, 0.0], ["a", "b"], 0.95, "not a finite number"),
        ([1.0, 0.0], ["a", "b"], 1.0, "level"),
    ],
)
def test_values_without_sense_are_refused(values, clusters, level, words):
    with pytest.raises(ValueError, match=words):
        clustered_mean(values, clusters, level=level)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_clusters_that_differ_are_less_sure_than_items(seed):
    random = Random(seed)  # noqa: S311 - a simulation, no secret
    rates = [random.random() for _ in range(12)]
    values = [float(random.random() < rate) for rate in rates for _ in range(200)]
    clusters = [cluster for cluster in range(12) for _ in range(200)]

    by_cluster = clustered_mean(values, clusters, level=0.95)
    by_item = clustered_mean(values, range(len(values)), level=0.95)

    assert by_cluster.value == by_item.value
    assert by_cluster.standard_error > by_item.standard_error


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = Random(5)  # noqa: S311 - a simulation, no secret
    covered = 0
    for _ in range(800):
        rates = [min(max(random.gauss(0.6, 0.15), 0), 1) for _ in range(14)]
        values = [float(random.random() < rate) for rate in rates for _ in range(24)]
        clusters = [cluster for cluster in range(14) for _ in range(24)]
        found = clustered_mean(values, clusters, level=0.95)
        covered += found.low <= 0.6 <= found.high

    assert 0.93 <= covered / 800 <= 0.97
