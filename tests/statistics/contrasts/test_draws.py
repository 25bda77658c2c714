"""Resampling, frontiers, ranks and grids: against counting by hand and against known answers."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics.contrasts import (
    Basis,
    Clearance,
    GeneraliseTo,
    ReferenceMode,
    Universe,
    Values,
    frontier_draws,
    layout_of,
    multiverse,
    reach_terms,
    resampled_means,
    resampling,
    rule_errors,
    selection_bias,
    spread,
    subsampled_means,
    system_ranks,
)
from dokja.evidence.statistics.streams import uniforms
from dokja.values import Missing


def form(seed, *, items=90, systems=3, clusters=10):
    rng = np.random.default_rng(seed)
    cluster = np.arange(items) % clusters
    values = (rng.uniform(size=(items, systems)) < 0.6 + 0.02 * cluster[:, None]).astype(float)
    layout = layout_of(
        items, weights=rng.uniform(0.5, 1.5, items), strata=cluster % 3, clusters=cluster
    )
    return values, layout


def test_a_draw_is_the_mean_of_the_rows_it_names():
    values, layout = form(1)

    found = resampled_means(values, layout, basis=Basis.ITEMS, draws=4, seed=9)

    drawn = uniforms(9, "bootstrap/0", count=360).reshape(4, 90)
    for draw, row in enumerate(drawn):
        rows = [int(one * 90) for one in row]
        expected = np.average(values[rows], axis=0, weights=layout.weights[rows])
        assert found[draw] == pytest.approx(expected)


def test_a_draw_of_clusters_takes_all_their_items():
    values, layout = form(1)

    found = resampled_means(values, layout, basis=Basis.CLUSTERS, draws=4, seed=9)

    drawn = uniforms(9, "bootstrap/0", count=40).reshape(4, 10)
    for draw, row in enumerate(drawn):
        rows = [
            item
            for one in row
            for item in range(90)
            if layout.clusters.codes[item] == int(one * 10)
        ]
        expected = np.average(values[rows], axis=0, weights=layout.weights[rows])
        assert found[draw] == pytest.approx(expected)


@pytest.mark.parametrize("basis", [Basis.STRATA, Basis.CLUSTERS_IN_STRATA])
def test_a_draw_within_strata_keeps_their_number(basis, monkeypatch):
    _, layout = form(1)
    strata = np.eye(3)[layout.strata.codes]
    even = layout_of(90, strata=layout.strata.codes, clusters=layout.clusters.codes)

    found = resampled_means(strata, even, basis=basis, draws=50, seed=9)

    held = strata.mean(axis=0)
    assert found == pytest.approx(np.tile(held, (50, 1)))
    monkeypatch.setattr(resampling, "_BLOCK", 100)
    assert resampled_means(strata, even, basis=basis, draws=3, seed=9) == pytest.approx(
        np.tile(held, (3, 1))
    )


@pytest.mark.parametrize(
    "basis", [Basis.ITEMS, Basis.STRATA, Basis.CLUSTERS, Basis.CLUSTERS_IN_STRATA]
)
def test_draws_spread_as_the_formulas_say(basis):
    values, _ = form(2, items=900, clusters=60)
    layout = layout_of(900, strata=np.arange(900) % 3, clusters=np.arange(900) % 60)

    found = resampled_means(values, layout, basis=basis, draws=3_000, seed=1)

    error = spread(values[:, 0], layout, basis=basis).standard_error
    assert found[:, 0].std() == pytest.approx(error, rel=0.06)
    assert found.mean(axis=0) == pytest.approx(values.mean(axis=0), abs=0.002)


def test_a_subsample_takes_every_item_at_most_once():
    marks = np.eye(12)

    for size in (1, 2, 3, 4, 12):
        found = subsampled_means(marks, size=size, draws=30, seed=3) * size
        assert set(found.round(9).ravel().tolist()) <= {0.0, 1.0}
        assert found.sum(axis=1) == pytest.approx(np.full(30, size))


def test_all_subsamples_are_as_likely():
    marks = np.eye(8)

    found = subsampled_means(marks, size=2, draws=8_000, seed=1) * 2

    assert found.mean(axis=0) == pytest.approx(np.full(8, 0.25), abs=0.02)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda v, _: subsampled_means(v, size=0, draws=1, seed=1), "0 of 90"),
        (lambda v, _: subsampled_means(v, size=91, draws=1, seed=1), "91 of 90"),
        (
            lambda v, _: resampled_means(v, layout_of(90), basis=Basis.STRATA, draws=1, seed=1),
            "no strata",
        ),
        (
            lambda v, _: resampled_means(v, layout_of(90), basis=Basis.CLUSTERS, draws=1, seed=1),
            "there are none",
        ),
        (lambda v, lay: resampled_means(v, lay, basis=Basis.TWO_WAY, draws=1, seed=1), "crossed"),
        (lambda v, lay: resampled_means(v[:5], lay, basis=Basis.ITEMS, draws=1, seed=1), "fit"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call(*form(1))


def test_the_maximum_of_equal_systems_is_overstated_as_theory_says():
    # Three independent normal means of one error: E[max] is .8463 errors above their common mean.
    rng = np.random.default_rng(5)
    values = (rng.permuted(np.tile(np.repeat([1.0, 0.0], 2_000), (3, 1)), axis=1)).T

    found = selection_bias(values, size=200, draws=3_000, seed=1)

    error = 0.5 / math.sqrt(200) * math.sqrt(1 - 200 / 4_000)
    assert found.excess == pytest.approx(0.8463 * error, rel=0.05)
    assert found.best_found + found.best_tied == pytest.approx(1 / 3, abs=0.06)


def test_joint_draws_are_those_of_the_slow_twin():
    columns, layout = form(3)
    values = Values(candidate=columns[:, 0], references=columns[:, 1:])

    found = frontier_draws(values, layout, ratio=".95", basis=Basis.CLUSTERS, draws=500, seed=4)

    means = resampled_means(columns, layout, basis=Basis.CLUSTERS, draws=500, seed=4).tolist()
    ratios = sorted(own / max(first, second) for own, first, second in means)
    firsts = sum((a > b) + 0.5 * (a == b) for _, a, b in means) / 500
    assert found.p_at_least == sum(one >= 0.95 for one in ratios) / 500
    assert found.middle == pytest.approx((ratios[249] + ratios[250]) / 2)
    assert found.best == pytest.approx((firsts, 1 - firsts))
    assert (found.units, found.items, found.draws, found.seed) == (10, 90, 500, 4)


def test_a_maximum_of_nothing_has_no_ratio():
    values = Values(candidate=np.ones(10), references=np.zeros((10, 2)))

    found = frontier_draws(values, layout_of(10), ratio=".95", basis=Basis.ITEMS, draws=9, seed=1)

    assert all(isinstance(one, Missing) for one in (found.ratio, found.low, found.high))
    assert found.p_at_least == 1.0
    assert found.best == (0.5, 0.5)


def test_errors_of_rules_are_told_for_one_reference():
    values = Values(candidate=np.ones(10), references=np.ones((10, 2)))

    with pytest.raises(ValueError, match="one reference"):
        rule_errors(values, ratio=".95", size=5, draws=3, seed=1)


def test_two_systems_need_the_two_sided_normal_quantile():
    values, layout = form(6, items=2_000, systems=2)

    found = system_ranks(
        values, layout, names=("a", "b"), basis=Basis.ITEMS, level=0.95, draws=100_000, seed=1
    )

    assert found.sets.critical_value == pytest.approx(NormalDist().inv_cdf(0.975), abs=0.02)
    assert (found.items, found.units, found.method) == (2_000, 2_000, "normal")


def test_few_clusters_widen_the_critical_value():
    values, layout = form(6, items=400, systems=3, clusters=8)
    even = layout_of(400, clusters=layout.clusters.codes)

    found = system_ranks(values, even, names=("a", "b", "c"), basis=Basis.CLUSTERS, seed=1)

    assert found.method == "signs, widened"
    assert (found.units, found.sets.level) == (8, 0.9)
    assert found.sets.critical_value > 2.0


def slow_rank_sets(values, clusters, critical):
    """Pairwise by the errors of differences, one pair after the other."""
    layout = layout_of(len(values), clusters=clusters)
    systems = range(values.shape[1])

    def better(i, j):
        difference = values[:, i] - values[:, j]
        error = spread(difference, layout, basis=Basis.CLUSTERS).standard_error
        return difference.mean() > critical * error

    return [
        (
            1 + sum(better(j, i) for j in systems if j != i),
            len(systems) - sum(better(i, j) for j in systems if j != i),
        )
        for i in systems
    ]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_rank_sets_are_those_of_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    clusters = np.arange(150) % 30
    values = (rng.uniform(size=(150, 4)) < np.array([0.4, 0.5, 0.6, 0.8])).astype(float)

    found = system_ranks(
        values,
        layout_of(150, clusters=clusters),
        names=tuple("abcd"),
        basis=Basis.CLUSTERS,
        draws=500,
        seed=1,
    )

    expected = slow_rank_sets(values, clusters, found.sets.critical_value)
    assert [(one.best, one.worst) for one in found.sets.teams] == expected


def test_no_pair_of_equal_systems_is_called_too_often():
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(200):
        clusters = np.arange(600) % 30
        ease = rng.normal(0, 0.1, (30, 4))[clusters]
        values = (rng.uniform(size=(600, 4)) < 0.6 + ease).astype(float)
        found = system_ranks(
            values,
            layout_of(600, clusters=clusters),
            names=tuple("abcd"),
            basis=Basis.CLUSTERS,
            draws=2_000,
            seed=1,
        )
        wrong += any((one.best, one.worst) != (1, 4) for one in found.sets.teams)

    assert 0.04 <= wrong / 200 <= 0.17


def test_ranks_need_clusters_that_differ():
    values, _ = form(1)
    names = ("a", "b", "c")

    bare = system_ranks(values, layout_of(90), names=names, basis=Basis.CLUSTERS, seed=1)
    lone = system_ranks(
        values, layout_of(90, clusters=["x"] * 90), names=names, basis=Basis.CLUSTERS, seed=1
    )

    assert isinstance(bare, Missing)
    assert isinstance(lone, Missing)
    with pytest.raises(ValueError, match="each once"):
        system_ranks(values, layout_of(90), names=("a", "a", "b"), basis=Basis.ITEMS, seed=1)
    with pytest.raises(ValueError, match="items or clusters"):
        system_ranks(values, layout_of(90), names=names, basis=Basis.STRATA, seed=1)


def test_equal_answers_share_all_ranks():
    values = np.tile(np.array([[1.0], [0.0]]), (20, 2))

    found = system_ranks(values, layout_of(40), names=("a", "b"), basis=Basis.ITEMS, seed=1)

    assert [(one.best, one.worst) for one in found.sets.teams] == [(1, 2), (1, 2)]


def universe(convention, values, layout, *, aggregation="items", chance="raw"):
    return Universe(
        convention=convention,
        aggregation=aggregation,
        chance=chance,
        values=values,
        layout=layout,
    )


def test_the_grid_is_one_curve_with_the_registered_cell_marked():
    columns, layout = form(3, items=300)
    values = Values(candidate=columns[:, 0], references=columns[:, 1:])
    easier = Values(candidate=np.ones(300), references=columns[:, 1:])
    grid = [universe("strict", values, layout), universe("kind", easier, layout)]

    found = multiverse(
        grid,
        terms=reach_terms(".95", seed=1),
        registered=("strict", "items", "raw"),
        modes=[ReferenceMode.ALL, ReferenceMode.CROSSFIT],
    )

    ratios = [cell.ratio for cell in found.cells]
    marked = [cell for cell in found.cells if cell.registered]
    assert len(found.cells) == 8
    assert ratios == sorted(ratios)
    assert (found.lowest, found.highest) == (ratios[0], ratios[-1])
    assert [(one.convention, one.generalise_to, one.mode) for one in marked] == [
        ("strict", GeneraliseTo.NEW_CLUSTERS, ReferenceMode.ALL)
    ]
    assert sum(one.cells for one in found.shares) == 8
    assert sum(one.share for one in found.shares) == 1.0
    assert [one.verdict for one in found.shares] == list(Clearance)
    assert all(one.verdict is Clearance.CLEARS for one in found.cells if one.convention == "kind")


def test_a_grid_without_the_registered_cell_is_refused():
    columns, layout = form(3)
    values = Values(candidate=columns[:, 0], references=columns[:, 1:])
    grid = [universe("strict", values, layout)]

    with pytest.raises(ValueError, match="registered"):
        multiverse(grid, terms=reach_terms(".95", seed=1), registered=("kind", "items", "raw"))
    with pytest.raises(ValueError, match="twice"):
        multiverse(
            grid * 2, terms=reach_terms(".95", seed=1), registered=("strict", "items", "raw")
        )
