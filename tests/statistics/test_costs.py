import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics import (
    Basis,
    CostedSystem,
    contrast,
    cost_matched,
    cost_view,
    layout_of,
)
from dokja.values import Missing

ITEMS = 120


def system(label, share, price, *, seed=0, unknown=None):
    """Right on a share of the items, at about this price an item."""
    rng = np.random.default_rng([seed, *label.encode()])
    costs = price * rng.gamma(4.0, 0.25, ITEMS)
    if unknown == "one":
        costs[7] = np.nan
    scores = (rng.random(ITEMS) < share).astype(np.float64)
    return CostedSystem(label=label, scores=scores, costs=None if unknown == "all" else costs)


def view(systems, **settings):
    layout = layout_of(ITEMS, clusters=[f"c{n // 6}" for n in range(ITEMS)])
    chosen = {"basis": Basis.ITEMS, "unit": "tokens", "seed": 1, "draws": 200} | settings
    return cost_view(systems, layout=layout, **chosen)


SHELF = [
    system("cheap", 0.5, 100),
    system("plain", 0.7, 400),
    system("worse", 0.55, 900),
    system("dear", 0.9, 3000),
    system("half-known", 0.8, 10, unknown="one"),
    system("unknown", 0.99, 1, unknown="all"),
]


def test_unknown_costs_take_systems_out_by_name():
    found = view(SHELF)

    assert found.left_out == ("half-known", "unknown")
    assert [each.label for each in found.systems] == ["cheap", "plain", "worse", "dear"]
    assert found.unit == "tokens"


def test_a_budget_buys_the_best_that_costs_no_more():
    found = view(SHELF)

    assert found.frontier(500).label == "plain"
    assert found.frontier(1e9).label == "dear"
    assert isinstance(found.frontier(1), Missing)
    assert [each.label for each in found.steps] == ["cheap", "plain", "dear"]
    shares = {each.label: each.unbeaten_share for each in found.systems}
    assert shares["worse"] < 0.1
    assert shares["dear"] == pytest.approx(1.0)


def slow_unbeaten(systems):
    """Each against each, by the words of the definition."""
    found = {}
    for me in systems:
        mine = (me.scores.mean(), me.costs.mean())
        found[me.label] = not any(
            (theirs[0] >= mine[0] and theirs[1] <= mine[1]) and theirs != mine
            for other in systems
            if other is not me
            for theirs in [(other.scores.mean(), other.costs.mean())]
        )
    return found


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=6))
def test_unbeaten_is_what_the_definition_says(pairs):
    systems = [
        CostedSystem(
            label=f"s{n}",
            scores=(np.arange(ITEMS) % 6 < right).astype(np.float64),
            costs=np.full(ITEMS, float(price)),
        )
        for n, (right, price) in enumerate(pairs)
    ]

    found = view(systems, draws=1)

    assert {each.label: each.unbeaten for each in found.systems} == slow_unbeaten(systems)


def test_the_share_of_draws_is_that_of_a_plain_bootstrap():
    near = [system("a", 0.7, 400, seed=5), system("b", 0.72, 420, seed=5)]
    rng = np.random.default_rng(0)
    stays = 0
    for _ in range(2000):
        rows = rng.integers(0, ITEMS, ITEMS)
        drawn = [
            CostedSystem(label=s.label, scores=s.scores[rows], costs=s.costs[rows]) for s in near
        ]
        stays += slow_unbeaten(drawn)["b"]

    found = {each.label: each for each in view(near, draws=2000).systems}

    assert found["b"].unbeaten_share == pytest.approx(stays / 2000, abs=0.04)


def test_the_price_of_a_right_answer_covers_the_truth():
    covered = 0
    for seed in range(300):
        found = view([system("x", 0.6, 400, seed=seed)], draws=1).systems[0]
        covered += found.per_correct.low <= 400 / 0.6 <= found.per_correct.high

    assert 0.92 <= covered / 300 <= 0.98


def test_where_nothing_is_right_no_price_is_given():
    never = CostedSystem(label="never", scores=np.zeros(ITEMS), costs=np.ones(ITEMS))

    found = view([never], draws=1).systems[0]

    assert isinstance(found.per_correct, Missing)
    assert (found.score.value, found.score.high > 0) == (0.0, True)
    assert (found.cost.low, found.cost.high) == pytest.approx((1.0, 1.0))


def test_clusters_make_scores_less_sure():
    rng = np.random.default_rng(3)
    right = np.repeat(rng.random(20) < 0.6, 6).astype(np.float64)
    one = [CostedSystem(label="x", scores=right, costs=np.ones(ITEMS))]

    by_item, by_cluster = view(one).systems[0], view(one, basis=Basis.CLUSTERS).systems[0]

    assert by_cluster.score.standard_error > 2 * by_item.score.standard_error


@pytest.mark.parametrize("basis", [Basis.ITEMS, Basis.CLUSTERS])
def test_at_its_own_price_a_candidate_meets_only_who_is_as_cheap(basis):
    candidate = system("candidate", 0.72, 500)
    layout = layout_of(ITEMS, clusters=[f"c{n // 6}" for n in range(ITEMS)])

    found = cost_matched(
        candidate, SHELF, ratio=".95", layout=layout, basis=basis, unit="tokens", seed=1
    )

    assert found.matched.references == ("cheap", "plain")
    assert found.dearer == ("dear", "worse")
    assert found.left_out == ("half-known", "unknown")
    assert len(found.unlimited.references) == 6
    assert found.unlimited.p_at_least < 0.05 < found.matched.p_at_least
    single = [
        contrast(candidate.scores, s.scores, ratio=".95", layout=layout, seed=1).by(basis)
        for s in SHELF[:2]
    ]
    assert found.matched.p_at_least == min(test.p_at_least for test in single)
    assert found.matched.hardest == "plain"


def test_a_candidate_of_unknown_cost_has_no_budget():
    layout = layout_of(ITEMS)
    candidate = system("candidate", 0.7, 1, unknown="one")

    found = cost_matched(
        candidate, SHELF, ratio=".95", layout=layout, basis=Basis.ITEMS, unit="KRW", seed=1
    )

    assert isinstance(found.matched, Missing)
    assert isinstance(found.budget, Missing)
    assert found.unlimited.hardest == "unknown"


def test_a_candidate_that_is_cheaper_than_all_meets_nobody():
    found = cost_matched(
        system("candidate", 0.7, 1),
        SHELF[:4],
        ratio=".95",
        layout=layout_of(ITEMS),
        basis=Basis.ITEMS,
        unit="joules",
        seed=1,
    )

    assert isinstance(found.matched, Missing)
    assert found.dearer == ("cheap", "dear", "plain", "worse")


def test_what_does_not_fit_is_refused():
    twice, short = [SHELF[0]] * 2, CostedSystem(label="s", scores=np.ones(3), costs=None)
    below = CostedSystem(label="b", scores=np.ones(ITEMS), costs=np.full(ITEMS, -1.0))

    with pytest.raises(ValueError, match="twice"):
        view(twice)
    with pytest.raises(ValueError, match="do not fit"):
        view([short])
    with pytest.raises(ValueError, match="below 0"):
        view([below])
    with pytest.raises(ValueError, match="drawn again"):
        view(SHELF, basis=Basis.TWO_WAY)
