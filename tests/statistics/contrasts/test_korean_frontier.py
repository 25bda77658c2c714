"""Section 7.4 of the design note on measurement: conventions, frontiers, rules and ranks."""

import numpy as np
import pytest

from dokja.evidence.statistics.contrasts import (
    Basis,
    Clearance,
    Doubt,
    GeneraliseTo,
    Universe,
    Values,
    above_chance,
    frontier_draws,
    layout_of,
    multiverse,
    reach,
    reach_terms,
    rule_errors,
    selection_bias,
    system_ranks,
)

PAIR = ("gpt-5-mini", "gpt-51-medium")
REFERENCES = ("nova-2-lite", "claude-haiku-4-5", "gpt-5-nano")
SIX = ("gpt-4o-5shot", "gpt-5.1", "gpt-5-chat", "gpt-4.1", "claude-haiku-4-5", "nova-2-lite")
TEN = (
    "gpt-51-medium",
    "gpt-5-mini",
    "gpt-5-nano",
    "nova-2-lite",
    "claude-haiku-4-5",
    "gpt-4.1",
    "gpt-5-chat",
    "gpt-5.1",
    "gpt-4o-5shot",
    "gpt-5.1-chat",
)
DROPPED = {"strict": "", "as-published": "F", "valid-only": "FENXJ"}
SEED = 20261126


def macro(category):
    """Weights by which every category counts the same."""
    _, codes, counts = np.unique(category, return_inverse=True, return_counts=True)
    return 1 / counts[codes]


def universe(answers, *, dropped, aggregation, chance):
    """A paired view: an item is dropped for both systems if it is for either."""
    kept = ~np.any([answers.is_any(system, dropped) for system in PAIR], axis=0)
    category = answers.category[kept]
    right = [answers.right(system)[kept] for system in PAIR]
    if chance:
        right = [above_chance(each, chance) for each in right]
    return Universe(
        convention=f"both, without {dropped or 'nothing'}",
        aggregation=aggregation,
        chance=str(chance),
        values=Values(candidate=right[0], references=right[1][:, None]),
        layout=layout_of(
            len(category),
            weights=macro(category) if aggregation == "category-macro" else None,
            strata=category,
            clusters=category,
        ),
        scale=(-chance / (1 - chance), 1.0),
    )


def marginal(answers, *, dropped, aggregation, chance):
    """A ratio as it is published: each system over the items that count for itself."""
    means = []
    for system in PAIR:
        kept = ~answers.is_any(system, dropped)
        category = answers.category[kept]
        weights = macro(category) if aggregation == "category-macro" else None
        means.append(np.average(answers.right(system)[kept], weights=weights))
    candidate, reference = ((mean - chance) / (1 - chance) for mean in means)
    return candidate / reference


def grid(answers):
    """Every ratio of the grid by (paired, dropped, aggregation, chance)."""
    universes = [
        universe(answers, dropped=dropped, aggregation=aggregation, chance=chance)
        for dropped in DROPPED.values()
        for aggregation in ("items", "category-macro")
        for chance in (0.0, 0.25)
    ]
    found = multiverse(
        universes,
        terms=reach_terms(".95", seed=SEED, generalise_to=GeneraliseTo.BLUEPRINT),
        registered=("both, without nothing", "items", "0.0"),
        goals=[GeneraliseTo.BLUEPRINT],
    )
    ratios = [(cell.ratio, cell.chance != "0.0") for cell in found.cells]
    for dropped in ("F", "FENXJ"):
        for aggregation in ("items", "category-macro"):
            for chance in (0.0, 0.25):
                ratio = marginal(answers, dropped=dropped, aggregation=aggregation, chance=chance)
                ratios.append((ratio, chance > 0))
    return found, ratios


@pytest.mark.parametrize(
    ("benchmark", "low", "high", "above"),
    [("kmmlu", 0.8686, 0.9221, 10), ("haerae", 0.9011, 0.9367, 20), ("click", 0.8820, 0.9454, 12)],
)
def test_the_multiverse_spans_what_was_worked_out_elsewhere(letters, benchmark, low, high, above):
    found, ratios = grid(letters(benchmark, *PAIR))

    assert len(ratios) == 20
    assert min(ratio for ratio, _ in ratios) == pytest.approx(low, abs=5.1e-5)
    assert max(ratio for ratio, _ in ratios) == pytest.approx(high, abs=5.1e-5)
    assert sum(ratio > 0.9 for ratio, _ in ratios) == above
    if benchmark == "kmmlu":  # there the correction for chance decides at nine tenths
        assert all((ratio > 0.9) == (not corrected) for ratio, corrected in ratios)
    assert sum(cell.registered for cell in found.cells) == 1
    assert sum(share.cells for share in found.shares) == len(found.cells) == 12


def test_published_figures_drop_items_for_one_system_only(letters):
    answers = letters("kmmlu", *PAIR)

    alone = marginal(answers, dropped="F", aggregation="items", chance=0.0)
    paired = universe(answers, dropped="F", aggregation="items", chance=0.0).values

    assert alone == pytest.approx(0.9132, abs=5.1e-5)
    ratio = paired.candidate.mean() / paired.references.mean()
    assert ratio == pytest.approx(0.9126, abs=5.1e-5)


@pytest.mark.parametrize(
    ("candidate", "ratio", "by_items", "by_subjects"),
    [
        ("gpt-4.1", 0.9595, 0.990, 0.689),
        ("gpt-5-chat", 0.9489, 0.396, 0.481),
        ("gpt-5.1", 0.9462, 0.178, 0.434),
    ],
)
def test_joint_draws_of_a_candidate_and_three_references(
    letters, candidate, ratio, by_items, by_subjects
):
    answers = letters("kmmlu", candidate, *REFERENCES)
    values, layout = answers.values(candidate, *REFERENCES), answers.layout()

    subjects = frontier_draws(
        values, layout, ratio=".95", basis=Basis.CLUSTERS, draws=40_000, seed=SEED
    )
    items = frontier_draws(values, layout, ratio=".95", basis=Basis.ITEMS, draws=300, seed=SEED)

    assert subjects.ratio == items.ratio == pytest.approx(ratio, abs=5.1e-5)
    assert subjects.p_at_least == pytest.approx(by_subjects, abs=0.0085)
    assert items.p_at_least == pytest.approx(by_items, abs=0.06)  # of 300 draws; see benchmarks
    if candidate == "gpt-4.1":
        assert (subjects.low, subjects.high) == pytest.approx((0.928, 0.991), abs=0.0015)


def test_three_references_leave_a_candidate_undecided_by_subjects(letters):
    answers = letters("kmmlu", "gpt-4.1", *REFERENCES)

    found = reach(
        answers.cells("gpt-4.1", *REFERENCES), answers.layout(), terms=reach_terms(".95", seed=1)
    )

    each = [one.by_clusters.p_at_least for one in found.registered.contrasts]
    assert each == pytest.approx([0.878, 1.000, 0.686], abs=5.1e-4)
    assert (found.verdict, found.doubts) == (Clearance.UNDECIDED, (Doubt.INTERVAL,))


@pytest.mark.parametrize(
    ("size", "excess", "found"), [(198, 0.0182, 0.37), (500, 0.0084, 0.48), (1000, 0.0041, 0.59)]
)
def test_the_best_of_six_is_overstated_and_often_not_the_best(letters, size, excess, found):
    answers = letters("kmmlu", *SIX)
    right = np.column_stack([answers.right(system) for system in SIX])

    bias = selection_bias(right, size=size, draws=2_000, seed=SEED)

    assert bias.excess == pytest.approx(excess, abs=0.0006)
    assert bias.best_found == pytest.approx(found, abs=0.03)  # of 2,000 draws; see benchmarks


@pytest.mark.parametrize(("size", "wrong"), [(198, 0.39), (1000, 0.30), (5000, 0.10)])
def test_a_point_rule_errs_where_the_three_way_rule_says_undecided(letters, size, wrong):
    answers = letters("kmmlu", "gpt-5.1", "nova-2-lite")

    found = rule_errors(
        answers.values("gpt-5.1", "nova-2-lite"), ratio=".95", size=size, draws=2_000, seed=SEED
    )

    assert found.reaches
    assert found.point_wrong == pytest.approx(wrong, abs=0.03)  # of 2,000 draws; see benchmarks
    assert found.three_way_wrong <= 0.05
    assert found.undecided > 0.5


@pytest.mark.parametrize(
    ("basis", "critical", "expected"),
    [
        (
            Basis.CLUSTERS,
            2.59,
            [(1, 1), (2, 2), (3, 8), (3, 9), (3, 8), (3, 8), (3, 9), (3, 9), (6, 9), (10, 10)],
        ),
        (
            Basis.ITEMS,
            2.92,
            [(1, 1), (2, 2), (3, 3), (4, 5), (4, 5), (6, 6), (7, 9), (7, 9), (7, 9), (10, 10)],
        ),
    ],
)
def test_rank_sets_of_ten_systems(letters, basis, critical, expected):
    answers = letters("kmmlu", *TEN)
    right = np.column_stack([answers.right(system) for system in TEN])

    found = system_ranks(right, answers.layout(), names=TEN, basis=basis, seed=SEED)

    assert [(one.best, one.worst) for one in found.sets.teams] == expected
    assert found.sets.critical_value == pytest.approx(critical, abs=0.05)
    assert list(found.means) == sorted(found.means, reverse=True)
