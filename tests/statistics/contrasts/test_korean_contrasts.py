"""Table 7.3 of the design note on measurement, from the rows and by nothing else.

The figures there were worked out by another program from the same public answers.
"""

import numpy as np
import pytest

from dokja.evidence.statistics.contrasts import (
    Basis,
    Clearance,
    Doubt,
    GeneraliseTo,
    above_chance,
    contrast,
    fragility,
    margin_test,
    ratio_interval,
    reach,
    reach_terms,
    right_counts,
    settling,
    wild_interval,
    wild_test,
)

CLEARS, FAILS, UNDECIDED = Clearance.CLEARS, Clearance.DOES_NOT_CLEAR, Clearance.UNDECIDED
PAIR = ("gpt-5-mini", "gpt-51-medium")
SEED = 20261126

TABLE = [
    # benchmark, pair, clusters, ratio, margin, errors, confidences, wild (share or exact count)
    (
        "kmmlu",
        PAIR,
        "category",
        (0.9221, -0.022456, 45),
        (0.002173, 0.002161, 0.007130),
        (0.0, 0.0, 0.0015),
        (0.0018, 0.0005),
    ),
    (
        "haerae",
        PAIR,
        "category",
        (0.9367, -0.011769, 6),
        (0.008711, 0.008664, 0.019670),
        (0.088, 0.087, 0.288),
        (21, 64),
    ),
    (
        "click",
        PAIR,
        "category",
        (0.9454, -0.003918, 11),
        (0.00900, 0.00887, 0.026246),
        (0.332, 0.329, 0.442),
        (894, 2048),
    ),
    (
        "click",
        PAIR,
        "source",
        (0.9454, -0.003918, 74),
        (0.00900, 0.00887, 0.016596),
        (0.332, 0.329, 0.407),
        (0.407, 0.005),
    ),
    (
        "kmmlu",
        ("gpt-4.1", "nova-2-lite"),
        "category",
        (0.9772, 0.018209, 45),
        (0.002800, 0.002748, 0.015425),
        (1.0, 1.0, 0.878),
        (0.878, 0.004),
    ),
    (
        "kmmlu",
        ("gpt-4o-5shot", "nova-2-lite"),
        "category",
        (0.9591, 0.006105, 45),
        (0.002843, 0.002793, 0.015316),
        (0.984, 0.986, 0.654),
        (0.654, 0.005),
    ),
    (
        "kmmlu",
        ("gpt-4o-5shot", "gpt-5-nano"),
        "category",
        (0.9417, -0.005638, 45),
        (0.002837, 0.002796, 0.013286),
        (0.023, 0.022, 0.337),
        (0.338, 0.005),
    ),
    (
        "kmmlu",
        ("gpt-5-chat", "gpt-5-nano"),
        "category",
        (0.9489, -0.000728, 45),
        (0.002763, 0.002719, 0.013635),
        (0.396, 0.394, 0.479),
        (0.479, 0.005),
    ),
]


def differences(answers, candidate, reference):
    return answers.right(candidate) - 0.95 * answers.right(reference)


@pytest.mark.parametrize(
    ("benchmark", "pair", "clusters", "estimate", "errors", "confidences", "wild"), TABLE
)
def test_a_row_of_the_table_comes_out(
    letters, benchmark, pair, clusters, estimate, errors, confidences, wild
):
    answers = letters(benchmark, *pair)
    layout = answers.layout(clusters)

    found = contrast(
        answers.right(pair[0]), answers.right(pair[1]), ratio=".95", layout=layout, seed=SEED
    )

    ratio, margin, count = estimate
    tests = (found.by_items, found.by_strata, found.clusters_t)
    assert found.ratio == pytest.approx(ratio, abs=5.1e-5)
    assert found.margin == pytest.approx(margin, abs=5.1e-7)
    assert found.clusters.count == count
    assert [test.standard_error for test in tests] == pytest.approx(errors, abs=5.1e-6)
    assert [test.p_at_least for test in tests] == pytest.approx(confidences, abs=6e-4)
    turned = wild_test(
        layout.clusters.sums(layout.weights * differences(answers, *pair)),
        layout.clusters.sums(layout.weights),
        seed=SEED,
    )
    if turned.exact:
        assert (turned.counts[1], turned.ways) == wild
    else:
        assert turned.p_fail == pytest.approx(wild[0], abs=wild[1])


def test_kmmlu_is_far_from_the_line_by_items(letters):
    answers = letters("kmmlu", *PAIR)

    found = contrast(
        answers.right(PAIR[0]), answers.right(PAIR[1]), ratio=".95", layout=answers.layout(), seed=1
    )

    assert found.by_items.p_at_least < 1e-20
    assert found.by_strata.p_at_least < 1e-20
    assert found.by_clusters.method == "t"


def test_the_factor_for_few_clusters_is_what_the_figure_without_it_lacks(letters):
    answers = letters("kmmlu", "gpt-4.1", "nova-2-lite")
    delta = differences(answers, "gpt-4.1", "nova-2-lite")

    found = margin_test(delta, answers.layout(), basis=Basis.CLUSTERS, span=(-0.95, 1.0))

    assert found.standard_error * (44 / 45) ** 0.5 == pytest.approx(0.01525, abs=5.1e-6)


@pytest.mark.parametrize(
    ("benchmark", "pair", "clusters", "expected"),
    [
        ("kmmlu", PAIR, "category", (FAILS, FAILS, FAILS)),
        ("haerae", PAIR, "category", (UNDECIDED, UNDECIDED, UNDECIDED)),
        ("click", PAIR, "category", (UNDECIDED, UNDECIDED, UNDECIDED)),
        ("click", PAIR, "source", (UNDECIDED, UNDECIDED, UNDECIDED)),
        ("kmmlu", ("gpt-4.1", "nova-2-lite"), "category", (CLEARS, CLEARS, UNDECIDED)),
        ("kmmlu", ("gpt-4o-5shot", "nova-2-lite"), "category", (CLEARS, CLEARS, UNDECIDED)),
        ("kmmlu", ("gpt-4o-5shot", "gpt-5-nano"), "category", (FAILS, FAILS, UNDECIDED)),
        ("kmmlu", ("gpt-5-chat", "gpt-5-nano"), "category", (UNDECIDED, UNDECIDED, UNDECIDED)),
    ],
)
def test_the_verdict_depends_on_what_is_generalised_to(
    letters, benchmark, pair, clusters, expected
):
    answers = letters(benchmark, *pair)
    layout = answers.layout(clusters)
    by_items = answers.layout(clusters)
    cells = answers.cells(*pair)

    found = [
        reach(
            cells,
            layout,
            terms=reach_terms(".95", seed=SEED, generalise_to=goal),
        )
        for goal in (GeneraliseTo.BLUEPRINT, GeneraliseTo.NEW_CLUSTERS)
    ]

    items = found[0].registered.contrasts[0].by_items
    said = CLEARS if items.p_clear <= 0.05 else FAILS if items.p_fail <= 0.05 else UNDECIDED
    assert by_items.items == cells.items
    assert (said, *(each.verdict for each in found)) == expected
    assert all(
        each.doubts == ((Doubt.INTERVAL,) if each.verdict is UNDECIDED else ()) for each in found
    )


@pytest.mark.parametrize(
    ("benchmark", "clusters", "bounds", "opened", "doubts"),
    [
        ("kmmlu", "category", (0.8809, 0.9572), (990, 1320), (Doubt.FAULTS,)),
        ("click", "source", (0.9008, 0.9578), (20, 80), (Doubt.INTERVAL, Doubt.FAULTS)),
        ("click", "category", (0.9008, 0.9578), (20, 80), (Doubt.INTERVAL,)),
        ("haerae", "category", (0.9099, 0.9588), (30, 40), (Doubt.INTERVAL,)),
    ],
)
def test_failed_calls_may_not_be_able_to_change_the_verdict(
    letters, benchmark, clusters, bounds, opened, doubts
):
    answers = letters(benchmark, *PAIR)
    cells = answers.cells(*PAIR, opened="F")

    found = reach(cells, answers.layout(clusters), terms=reach_terms(".95", seed=SEED))

    assert found.verdict is UNDECIDED
    assert found.doubts == doubts
    assert found.bounds == pytest.approx(bounds, abs=5.1e-5)
    assert (found.open_candidate, found.open_references) == opened


def test_by_items_the_ends_of_kmmlu_even_contradict_each_other(letters):
    answers = letters("kmmlu", *PAIR)
    terms = reach_terms(".95", seed=SEED, generalise_to=GeneraliseTo.BLUEPRINT)

    found = reach(answers.cells(*PAIR, opened="F"), answers.layout(), terms=terms)

    worst, best = (end.contrasts[0] for end in (found.worst, found.best))
    assert (found.worst.verdict, found.best.verdict) == (FAILS, CLEARS)
    assert worst.by_items.p_at_least < 1e-20
    assert best.by_items.p_at_least == pytest.approx(0.995, abs=6e-4)
    assert worst.by_clusters.p_at_least == pytest.approx(0.0, abs=5e-5)
    assert best.by_clusters.p_at_least == pytest.approx(0.695, abs=6e-4)


def test_by_source_the_ends_of_click_lie_on_two_sides_of_the_line(letters):
    answers = letters("click", *PAIR)

    found = reach(
        answers.cells(*PAIR, opened="F"), answers.layout("source"), terms=reach_terms(".95", seed=1)
    )

    assert (found.worst.verdict, found.best.verdict) == (FAILS, UNDECIDED)
    by_t = [end.contrasts[0].clusters_t.p_at_least for end in (found.worst, found.best)]
    assert by_t == pytest.approx([0.005, 0.625], abs=6e-4)


@pytest.mark.parametrize(
    ("benchmark", "clusters", "effective", "largest"),
    [
        ("kmmlu", "category", 33.9, 0.0285),
        ("click", "category", 6.4, 0.1647),
        ("click", "source", 3.8, 0.15),
        ("haerae", "category", 3.3, 0.2906),
    ],
)
def test_clusters_of_unequal_size_are_worth_fewer(letters, benchmark, clusters, effective, largest):
    answers = letters(benchmark, *PAIR)

    found = contrast(
        answers.right(PAIR[0]),
        answers.right(PAIR[1]),
        ratio=".95",
        layout=answers.layout(clusters),
        seed=1,
        draws=99,
    )

    assert found.clusters.effective == pytest.approx(effective, abs=0.05)
    assert found.clusters.largest_share == pytest.approx(largest, abs=0.002)
    assert found.by_clusters.method == ("t" if effective > 20 else "wild-cluster")


@pytest.mark.parametrize(
    ("benchmark", "clusters", "items", "by_cluster"),
    [
        ("kmmlu", "category", (0.9169, 0.9274), (0.9040, 0.9400)),
        ("haerae", "category", (0.9175, 0.9560), (0.8803, 0.9946)),
        ("click", "category", (0.9251, 0.9661), (0.8811, 1.0179)),
        ("click", "source", (0.9251, 0.9661), (0.9079, 0.9848)),
    ],
)
def test_fieller_intervals(letters, benchmark, clusters, items, by_cluster):
    answers = letters(benchmark, *PAIR)
    right = [answers.right(system) for system in PAIR]

    found = [
        ratio_interval(*right, layout=answers.layout(clusters), basis=basis)
        for basis in (Basis.ITEMS, Basis.CLUSTERS)
    ]

    # The note takes the normal quantile for items, which moves the fourth digit of one end.
    assert (found[0].low, found[0].high) == pytest.approx(items, abs=7e-5)
    assert (found[1].low, found[1].high) == pytest.approx(by_cluster, abs=5.1e-5)


def test_the_interval_of_the_bootstrap_is_near_that_of_fieller_where_clusters_are_many(letters):
    answers = letters("kmmlu", *PAIR)
    layout = answers.layout()
    sums = [layout.clusters.sums(layout.weights * answers.right(system)) for system in PAIR]

    found = wild_interval(*sums, layout.clusters.sums(layout.weights), level=0.95, seed=SEED)

    assert found == pytest.approx((0.9040, 0.9400), abs=0.001)


@pytest.mark.parametrize(
    ("benchmark", "expected"), [("kmmlu", 0.8871), ("haerae", 0.9117), ("click", 0.9231)]
)
def test_ratios_above_a_flat_chance(letters, benchmark, expected):
    answers = letters(benchmark, *PAIR)
    candidate, reference = (above_chance(answers.right(system), 0.25) for system in PAIR)

    found = contrast(
        candidate,
        reference,
        ratio=".95",
        layout=answers.layout(),
        seed=1,
        draws=99,
        scale=(-1 / 3, 1.0),
    )

    assert found.ratio == pytest.approx(expected, abs=5.1e-5)


def test_haerae_has_four_options_in_reading_comprehension_and_five_elsewhere(letters):
    answers = letters("haerae", *PAIR)
    chance = np.where(answers.category == "Reading Comprehension", 0.25, 0.2)
    right = [answers.right(system) for system in PAIR]

    by_item = [above_chance(each, chance) for each in right]

    # The note's .9163 takes the mean chance off the mean score; item by item it is .9172.
    by_mean = [above_chance(each, float(chance.mean())) for each in right]
    assert by_mean[0].mean() / by_mean[1].mean() == pytest.approx(0.9163, abs=5.1e-5)
    assert by_item[0].mean() / by_item[1].mean() == pytest.approx(0.9172, abs=5.1e-5)


@pytest.mark.parametrize(
    ("benchmark", "pair", "removed", "share"),
    [
        ("click", PAIR, 8, 0.0043),
        ("haerae", PAIR, 20, 0.0130),
        ("kmmlu", PAIR, 829, 0.0237),
        ("kmmlu", ("gpt-5-chat", "gpt-5-nano"), 27, 0.0008),
    ],
)
def test_so_few_items_turn_the_point_verdict_around(letters, benchmark, pair, removed, share):
    answers = letters(benchmark, *pair)
    counts = [right_counts(answers.right(system), epochs=1) for system in pair]

    found = fragility(*counts, ratio=".95")

    assert not found.reaches
    assert found.removed == removed
    assert found.share == pytest.approx(share, abs=5.1e-5)


@pytest.mark.parametrize(("benchmark", "items"), [("click", 61_000), ("haerae", 5_200)])
def test_so_many_items_would_settle_it(letters, benchmark, items):
    answers = letters(benchmark, *PAIR)
    layout = answers.layout()
    found = contrast(
        answers.right(PAIR[0]), answers.right(PAIR[1]), ratio=".95", layout=layout, seed=1
    )

    told = settling(
        found, differences(answers, *PAIR), layout=layout, terms=reach_terms(".95", seed=1)
    )

    assert told.at_estimate.items_in_all == pytest.approx(items, rel=0.01)
