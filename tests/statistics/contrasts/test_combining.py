"""Several benchmarks: every way to add parts up tried one by one, and the delta method drawn."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dokja.evidence.statistics.contrasts import (
    Basis,
    Benchmark,
    Clearance,
    Combine,
    Doubt,
    FrontierOf,
    GeneraliseTo,
    ReferenceMode,
    Values,
    cells_of,
    combined_draws,
    combined_reach,
    contrast,
    layout_of,
    leave_one_out,
    reach_terms,
    reading,
    resampled_means,
    spread,
)
from dokja.evidence.statistics.contrasts.ways import (
    Part,
    added,
    among_benchmarks,
    hardest_way,
    part_of,
)
from dokja.values import Missing, MissingReason

ONE, EACH_BEST = FrontierOf.ONE_SYSTEM, FrontierOf.BEST_PER_BENCHMARK
BLUEPRINT, NEW = GeneraliseTo.BLUEPRINT, GeneraliseTo.NEW_BENCHMARKS
MEANS, RATIOS, EACH = Combine.RATIO_OF_MEANS, Combine.MEAN_OF_RATIOS, Combine.EACH


def benchmarks(seed, *, own=0.72, others=((0.75, 0.6), (0.6, 0.75), (0.7, 0.7)), items=200):
    """Three benchmarks of different weight on which different references are best."""
    rng = np.random.default_rng(seed)
    found = []
    for number, means in enumerate(others):
        candidate = (rng.uniform(size=items) < own).astype(float)
        references = np.column_stack(
            [(rng.uniform(size=items) < mean).astype(float) for mean in means]
        )
        names = tuple("abcdef"[: len(means)])
        found.append(
            Benchmark(
                name=f"benchmark-{number}",
                weight=number + 1.0,
                cells=cells_of(candidate, references, names=names),
                layout=layout_of(
                    items, strata=np.arange(items) % 4, clusters=np.arange(items) % 20
                ),
            )
        )
    return found


def parts(found, *, combine, ratio=0.95):
    """Margins and variances by benchmark and reference, from the formulas."""
    table = []
    for each in found:
        row = []
        for column in each.cells.registered.references.T:
            own, other = each.cells.registered.candidate.mean(), column.mean()
            factor = own / other if combine is RATIOS else ratio
            error = spread(
                each.cells.registered.candidate - factor * column, each.layout, basis=Basis.STRATA
            ).standard_error
            scale = other if combine is RATIOS else 1.0
            margin = own / other - ratio if combine is RATIOS else own - ratio * other
            row.append((margin, (error / scale) ** 2, 196))
        table.append(row)
    return table


def p_values(chosen, weights):
    margin = sum(w * a for w, (a, _, _) in zip(weights, chosen, strict=True))
    variances = [w * w * v for w, (_, v, _) in zip(weights, chosen, strict=True)]
    df = sum(variances) ** 2 / sum(v * v / one[2] for v, one in zip(variances, chosen, strict=True))
    t = margin / math.sqrt(sum(variances))
    return stats.t.sf(t, df), stats.t.cdf(t, df)


@pytest.mark.parametrize("combine", [MEANS, RATIOS])
@pytest.mark.parametrize("seed", range(3))
def test_one_system_must_be_reached_over_all_benchmarks(combine, seed):
    found = benchmarks(seed)

    got = combined_reach(
        found,
        combine=combine,
        frontier=ONE,
        terms=reach_terms(".95", seed=1, generalise_to=BLUEPRINT),
    ).registered

    weights = [1 / 6, 2 / 6, 3 / 6]
    table = parts(found, combine=combine)
    each = [p_values([row[system] for row in table], weights) for system in (0, 1)]
    assert got.p_clear == pytest.approx(max(p for p, _ in each), rel=1e-9)
    assert got.p_fail == pytest.approx(min(1.0, 2 * min(p for _, p in each)), rel=1e-9)


@pytest.mark.parametrize("combine", [MEANS, RATIOS])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_each_benchmark_is_the_hardest_of_all_ways(combine, seed):
    found = benchmarks(seed, own=0.78)

    got, one = (
        combined_reach(
            found,
            combine=combine,
            frontier=frontier,
            terms=reach_terms(".95", seed=1, generalise_to=BLUEPRINT),
        ).registered
        for frontier in (EACH_BEST, ONE)
    )

    table = parts(found, combine=combine)
    ways = [p_values(chosen, [1 / 6, 2 / 6, 3 / 6])[0] for chosen in product(*table)]
    assert got.p_clear == pytest.approx(max(ways), rel=1e-9)
    assert got.p_clear >= one.p_clear
    assert got.ratio <= one.ratio
    assert got.per_benchmark == one.per_benchmark


positive = st.tuples(st.floats(0.001, 1.0), st.floats(0.001, 1.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(positive, min_size=1, max_size=4), min_size=1, max_size=4), st.randoms())
def test_the_hardest_way_is_that_of_trying_all(table, random):
    rows = [[Part(margin=a, variance=v, df=50) for a, v in row] for row in table]
    weights = np.array([random.uniform(0.1, 1.0) for _ in rows])

    found = hardest_way(rows, weights)

    ways = [added(chosen, weights) for chosen in product(*rows)]
    smallest = min(way.margin / way.standard_error for way in ways)
    assert found.margin / found.standard_error == pytest.approx(smallest, rel=1e-9)


def test_benchmarks_that_are_a_sample_vary_among_themselves():
    found = benchmarks(2, others=((0.75,), (0.6,), (0.7,)))

    got = combined_reach(
        found,
        combine=RATIOS,
        frontier=ONE,
        terms=reach_terms(".95", seed=1, generalise_to=NEW),
    ).registered

    weights = np.array([1, 2, 3]) / 6
    margins = np.array([row[0][0] for row in parts(found, combine=RATIOS)])
    mean = float(weights @ margins)
    error = math.sqrt(1.5 * float(weights**2 @ (margins - mean) ** 2))
    assert got.hardest.df == 2
    assert got.hardest.standard_error == pytest.approx(error, rel=1e-9)
    assert got.p_clear == pytest.approx(stats.t.sf(mean / error, 2), rel=1e-9)
    assert got.ratio == pytest.approx(mean + 0.95)


def test_equal_benchmarks_give_the_t_interval_of_their_mean():
    table = [Part(margin=a, variance=1.0, df=9) for a in (0.1, 0.3, -0.1, 0.2)]

    found = among_benchmarks(table, np.full(4, 0.25))

    reference = stats.ttest_1samp([0.1, 0.3, -0.1, 0.2], 0.0, alternative="greater")
    assert found.p_clear == pytest.approx(reference.pvalue, rel=1e-9)


def test_sums_of_what_does_not_vary_are_missing():
    still = [Part(margin=0.1, variance=0.0, df=9)] * 3
    weights = np.full(3, 1 / 3)
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("variation",))

    assert added(still, weights) == nothing
    assert among_benchmarks(still, weights) == nothing
    assert hardest_way([still[:1]] * 3, weights) == nothing


def test_each_benchmark_for_itself_must_clear():
    found = benchmarks(4, own=0.8, others=((0.75, 0.6), (0.6, 0.75), (0.9, 0.7)))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    got = combined_reach(found, combine=EACH, frontier=ONE, terms=terms).registered

    each = [reading(one.cells.registered, one.layout, terms=terms) for one in found]
    assert got.p_clear == max(one.p_clear for one in each)
    assert got.p_fail == min(1.0, 3 * min(one.p_fail for one in each))
    assert got.ratio == min(one.ratio for one in each)
    assert got.verdict is Clearance.DOES_NOT_CLEAR


def test_one_benchmark_that_fails_is_enough_whatever_the_others_lack():
    good, bad = benchmarks(4, own=0.4, others=((0.75,), (0.9,)))
    bare = Benchmark(name="bare", weight=1.0, cells=good.cells, layout=layout_of(good.cells.items))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    got = combined_reach([bare, bad], combine=EACH, frontier=ONE, terms=terms)
    alone = combined_reach([bare], combine=EACH, frontier=ONE, terms=terms)

    assert got.verdict is Clearance.DOES_NOT_CLEAR
    assert isinstance(got.registered.p_clear, Missing)
    assert (alone.verdict, alone.doubts) == (Clearance.UNDECIDED, (Doubt.NOT_DECLARED,))


def test_sums_are_not_made_of_what_is_not_declared():
    whole, _ = benchmarks(4, others=((0.75,), (0.9,)))
    bare = Benchmark(name="bare", weight=1.0, cells=whole.cells, layout=layout_of(200))

    got = combined_reach(
        [whole, bare],
        combine=MEANS,
        frontier=ONE,
        terms=reach_terms(".95", seed=1, generalise_to=BLUEPRINT),
    )

    assert (got.verdict, got.doubts) == (Clearance.UNDECIDED, (Doubt.NOT_DECLARED,))
    assert got.registered.p_clear == Missing(reason=MissingReason.NOT_MEASURED, what=("strata",))
    assert got.registered.ratio > 0


def test_one_benchmark_alone_is_its_own_contrast():
    found = benchmarks(6, others=((0.75,),))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    got = combined_reach(found, combine=MEANS, frontier=ONE, terms=terms).registered

    values = found[0].cells.registered
    alone = contrast(
        values.candidate, values.references[:, 0], ratio=".95", layout=found[0].layout, seed=1
    )
    assert got.p_clear == pytest.approx(alone.by_strata.p_clear, rel=1e-9)
    assert got.ratio == pytest.approx(alone.ratio)
    sampled = combined_reach(
        found, combine=MEANS, frontier=ONE, terms=reach_terms(".95", seed=1, generalise_to=NEW)
    )
    assert isinstance(sampled.registered.p_clear, Missing)


def test_benchmarks_are_strata_of_one_long_form():
    found = benchmarks(6, others=((0.75,), (0.6,), (0.7,)))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    got = combined_reach(found, combine=MEANS, frontier=ONE, terms=terms).registered

    long = contrast(
        np.concatenate([one.cells.registered.candidate for one in found]),
        np.concatenate([one.cells.registered.references[:, 0] for one in found]),
        ratio=".95",
        layout=layout_of(
            600,
            weights=np.repeat([1.0, 2.0, 3.0], 200),
            strata=np.arange(600) // 200 * 4 + np.arange(600) % 4,
        ),
        seed=1,
    )
    assert got.hardest.standard_error == pytest.approx(long.by_strata.standard_error, rel=1e-9)
    assert got.ratio == pytest.approx(long.ratio)


def test_the_delta_method_is_what_draws_say():
    found = benchmarks(8, others=((0.75,), (0.6,), (0.7,)), items=600)

    got = combined_reach(
        found,
        combine=RATIOS,
        frontier=ONE,
        terms=reach_terms(".95", seed=1, generalise_to=BLUEPRINT),
    ).registered
    drawn = combined_draws(
        found,
        combine=RATIOS,
        frontier=ONE,
        ratio=".95",
        basis=Basis.STRATA,
        draws=3_000,
        seed=1,
    )

    assert got.hardest.standard_error == pytest.approx(drawn.standard_error, rel=0.05)
    assert got.ratio == pytest.approx(drawn.middle, abs=0.003)
    assert got.p_at_least == pytest.approx(drawn.p_at_least, abs=0.03)
    assert (drawn.benchmarks, drawn.items, drawn.draws) == (3, 1_800, 3_000)


def slow_ratio(means, weights, combine, frontier):
    """The combined ratio of one draw, benchmark by benchmark and reference by reference."""
    count = len(means[0]) - 1
    ways = product(range(1, count + 1), repeat=len(means))
    if frontier is ONE:
        ways = [[system] * len(means) for system in range(1, count + 1)]
    ratios = []
    for way in ways:
        pairs = [(row[0], row[system]) for row, system in zip(means, way, strict=True)]
        if combine is MEANS:
            top = sum(w * own for w, (own, _) in zip(weights, pairs, strict=True))
            bottom = sum(w * other for w, (_, other) in zip(weights, pairs, strict=True))
            ratios.append(top / bottom)
        elif combine is RATIOS:
            ratios.append(sum(w * a / b for w, (a, b) in zip(weights, pairs, strict=True)))
        else:
            ratios.append(min(a / b for a, b in pairs))
    return min(ratios)


@pytest.mark.parametrize("combine", [MEANS, RATIOS, EACH])
@pytest.mark.parametrize("frontier", [ONE, EACH_BEST])
def test_every_draw_is_combined_anew(combine, frontier):
    found = benchmarks(12, items=80)

    drawn = combined_draws(
        found,
        combine=combine,
        frontier=frontier,
        ratio=".95",
        basis=Basis.CLUSTERS,
        draws=60,
        seed=5,
    )

    means = []
    for place, one in enumerate(found):
        values = one.cells.registered
        columns = np.column_stack([values.candidate, values.references])
        means.append(
            resampled_means(columns, one.layout, basis=Basis.CLUSTERS, draws=60, seed=5 + place)
        )
    ratios = [
        slow_ratio([each[draw] for each in means], [1 / 6, 2 / 6, 3 / 6], combine, frontier)
        for draw in range(60)
    ]
    assert drawn.p_at_least == sum(ratio >= 0.95 for ratio in ratios) / 60
    assert drawn.middle == pytest.approx(float(np.median(ratios)))
    assert drawn.standard_error == pytest.approx(float(np.std(ratios, ddof=1)))


def test_draws_of_nothing_have_no_ratio():
    cells = cells_of(np.tile([1.0, 0.0], 20), np.zeros((40, 1)), names=("a",))
    one = Benchmark(name="one", weight=1, cells=cells, layout=layout_of(40))

    found = combined_draws(
        [one], combine=MEANS, frontier=ONE, ratio="1", basis=Basis.ITEMS, draws=5, seed=1
    )

    assert found == Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    with pytest.raises(ValueError, match="drawn"):
        combined_draws(
            [], combine=MEANS, frontier=ONE, ratio="1", basis=Basis.ITEMS, draws=5, seed=1
        )


def slow_crossfit(values, layouts, weights, *, everywhere):
    """The reference chosen for each item of each benchmark, one item after the other."""
    chosen = []
    for place, (value, layout) in enumerate(zip(values, layouts, strict=True)):
        own = []
        for item in range(layout.items):
            sums = np.zeros(value.references.shape[1])
            for other, (theirs, lies) in enumerate(zip(values, layouts, strict=True)):
                if other != place and not everywhere:
                    continue
                kept = np.ones(lies.items, dtype=bool)
                if other == place:
                    kept = lies.clusters.codes != lies.clusters.codes[item]
                shares = weights[other] * lies.weights[kept]
                sums += shares @ theirs.references[kept]
            own.append(value.references[item, int(np.argmax(sums))])
        chosen.append(np.array(own))
    return chosen


@pytest.mark.parametrize(("frontier", "everywhere"), [(ONE, True), (EACH_BEST, False)])
def test_crossfit_leaves_each_cluster_out_of_its_own_choice(frontier, everywhere):
    found = benchmarks(9, others=((0.7, 0.71), (0.71, 0.7)), items=60)
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT, mode=ReferenceMode.CROSSFIT)

    got = combined_reach(found, combine=MEANS, frontier=frontier, terms=terms).registered

    weights = [1 / 3, 2 / 3]
    fitted = slow_crossfit(
        [one.cells.registered for one in found],
        [one.layout for one in found],
        weights,
        everywhere=everywhere,
    )
    row = [
        part_of(
            one.cells.registered.candidate,
            reference,
            layout=one.layout,
            basis=Basis.STRATA,
            required=0.95,
            of_ratio=False,
        )
        for one, reference in zip(found, fitted, strict=True)
    ]
    assert got.hardest == added(row, np.array(weights))


def opened(one, count):
    values = one.cells.registered
    low = Values(candidate=values.candidate.copy(), references=values.references)
    high = Values(candidate=values.candidate.copy(), references=values.references)
    low.candidate[:count], high.candidate[:count] = 0.0, 1.0
    cells = cells_of(values.candidate, values.references, names=one.cells.names, low=low, high=high)
    return Benchmark(name=one.name, weight=one.weight, cells=cells, layout=one.layout)


def test_open_outcomes_of_one_benchmark_can_undo_the_verdict_over_all():
    first, second = benchmarks(10, own=0.9, others=((0.8,), (0.8,)))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    few, many = (
        combined_reach([opened(first, count), second], combine=MEANS, frontier=ONE, terms=terms)
        for count in (1, 120)
    )

    assert (few.verdict, few.completions, few.changed) == (Clearance.CLEARS, 200, 0)
    assert (many.verdict, many.doubts) == (Clearance.UNDECIDED, (Doubt.FAULTS,))
    assert many.worst.ratio < many.registered.ratio < many.best.ratio


def test_without_each_benchmark_in_turn():
    found = benchmarks(11)
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    left = leave_one_out(found, combine=MEANS, frontier=ONE, terms=terms)

    assert [name for name, _ in left] == ["benchmark-0", "benchmark-1", "benchmark-2"]
    assert left[0][1] == combined_reach(found[1:], combine=MEANS, frontier=ONE, terms=terms)
    assert left[0][1].weights == (0.4, 0.6)
    with pytest.raises(ValueError, match="left out"):
        leave_one_out(found[:1], combine=MEANS, frontier=ONE, terms=terms)


def test_a_ratio_to_nothing_has_no_mean():
    cells = cells_of(np.tile([1.0, 0.0], 20), np.zeros((40, 1)), names=("a",))
    one = Benchmark(name="one", weight=1, cells=cells, layout=layout_of(40, strata=[1, 2] * 20))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    got = combined_reach([one], combine=RATIOS, frontier=ONE, terms=terms)

    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    assert (got.registered.ratio, got.registered.p_clear) == (nothing, nothing)
    assert got.registered.per_benchmark == (nothing,)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda found: found[:0], "nothing"),
        (lambda found: [found[0], found[0]], "twice"),
        (lambda found: [*benchmarks(1, others=((0.7,),)), *found[1:]], "same references"),
        (
            lambda found: [
                Benchmark(name="x", weight=0, cells=found[0].cells, layout=found[0].layout)
            ],
            "above 0",
        ),
    ],
)
def test_benchmarks_that_do_not_belong_together_are_refused(change, match):
    with pytest.raises(ValueError, match=match):
        combined_reach(
            change(benchmarks(1)), combine=MEANS, frontier=ONE, terms=reach_terms(".95", seed=1)
        )


def test_questions_that_contradict_themselves_are_refused():
    found = benchmarks(1)

    with pytest.raises(ValueError, match="one named reference"):
        combined_reach(
            found,
            combine=MEANS,
            frontier=ONE,
            terms=reach_terms(".95", seed=1, mode=ReferenceMode.NAMED),
        )
    with pytest.raises(ValueError, match="new ones"):
        combined_reach(
            found, combine=EACH, frontier=ONE, terms=reach_terms(".95", seed=1, generalise_to=NEW)
        )
