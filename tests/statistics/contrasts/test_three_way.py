"""Verdicts: their properties, their reasons, and what open outcomes may do to them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics.contrasts import (
    Basis,
    Clearance,
    Doubt,
    GeneraliseTo,
    ReferenceMode,
    Values,
    cells_of,
    layout_of,
    reach,
    reach_terms,
    reading,
    unmeasured,
)
from dokja.evidence.statistics.contrasts.three_way import _changed
from dokja.values import Missing

CLEARS, FAILS, UNDECIDED = Clearance.CLEARS, Clearance.DOES_NOT_CLEAR, Clearance.UNDECIDED
BLUEPRINT = GeneraliseTo.BLUEPRINT


def made_up(seed, *, items=200, clusters=25, means=(0.7, 0.75), names=("a",)):
    """Right and wrong answers of a candidate and references, alike within clusters."""
    rng = np.random.default_rng(seed)
    cluster = np.arange(items) % clusters
    ease = rng.normal(0, 0.1, clusters)[cluster]
    right = [(rng.uniform(size=items) < np.clip(mean + ease, 0, 1)).astype(float) for mean in means]
    references = np.column_stack(right[1 : 1 + len(names)])
    cells = cells_of(right[0], references, names=names)
    return cells, layout_of(items, strata=cluster % 5, clusters=cluster)


def opened(cells, candidate=(), references=()):
    """The same cells with some of them open."""
    values = cells.registered
    low = Values(candidate=values.candidate.copy(), references=values.references.copy())
    high = Values(candidate=values.candidate.copy(), references=values.references.copy())
    for place in candidate:
        low.candidate[place], high.candidate[place] = 0.0, 1.0
    for place in references:
        low.references[place], high.references[place] = 0.0, 1.0
    return cells_of(values.candidate, values.references, names=cells.names, low=low, high=high)


@pytest.mark.parametrize(
    ("means", "verdict"), [((0.9, 0.5), CLEARS), ((0.4, 0.8), FAILS), ((0.7, 0.73), UNDECIDED)]
)
@pytest.mark.parametrize("goal", [each for each in GeneraliseTo if "benchmarks" not in each.value])
def test_the_three_answers(means, verdict, goal):
    cells, layout = made_up(1, means=means)

    found = reach(cells, layout, terms=reach_terms(".95", seed=1, generalise_to=goal))

    assert found.verdict is verdict
    assert found.doubts == ((Doubt.INTERVAL,) if verdict is UNDECIDED else ())
    assert (found.worst, found.best, found.bounds) == (None, None, None)
    assert found.basis is goal.basis()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 0.9), st.floats(0.3, 0.9), st.floats(0.3, 0.9))
def test_another_reference_never_makes_it_easier(seed, own, first, second):
    several, layout = made_up(seed, means=(own, first, second), names=("a", "b"))
    one = cells_of(several.registered.candidate, several.registered.references[:, :1], names=("a",))
    terms = reach_terms(".95", seed=1)

    alone, both = (reach(cells, layout, terms=terms) for cells in (one, several))

    assert not (alone.verdict is FAILS and both.verdict is CLEARS)
    assert not (alone.verdict is UNDECIDED and both.verdict is CLEARS)
    assert both.registered.p_clear >= alone.registered.p_clear


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 0.9), st.integers(50, 100), st.integers(1, 40))
def test_a_stricter_ratio_never_turns_does_not_clear_into_clears(seed, own, percent, more):
    cells, layout = made_up(seed, means=(own, 0.75))

    loose, strict = (
        reach(cells, layout, terms=reach_terms(f"{number / 100}", seed=1))
        for number in (percent, percent + more)
    )

    assert not (loose.verdict is FAILS and strict.verdict is CLEARS)
    assert strict.registered.contrasts[0].margin < loose.registered.contrasts[0].margin


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_renaming_references_changes_nothing(seed):
    cells, layout = made_up(seed, means=(0.7, 0.72, 0.75), names=("a", "b"))
    values = cells.registered
    turned = cells_of(values.candidate, values.references[:, ::-1], names=("b", "a"))
    terms = reach_terms(".95", seed=1)

    found, again = (reach(each, layout, terms=terms) for each in (cells, turned))

    assert again.verdict is found.verdict
    assert again.registered.p_clear == found.registered.p_clear
    assert again.registered.p_fail == found.registered.p_fail
    assert again.registered.ratio == found.registered.ratio


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sets(st.integers(0, 39), max_size=3),
    st.sets(st.integers(0, 39), max_size=3),
)
def test_bounds_contain_every_completion(seed, candidate, reference):
    cells, layout = made_up(seed, items=40, clusters=8)
    cells = opened(cells, candidate, [(place, 0) for place in reference])

    found = reach(cells, layout, terms=reach_terms(".95", seed=1, generalise_to=BLUEPRINT))

    ratios = []
    for own in product((0.0, 1.0), repeat=len(candidate)):
        for other in product((0.0, 1.0), repeat=len(reference)):
            values = Values(
                candidate=cells.registered.candidate.copy(),
                references=cells.registered.references.copy(),
            )
            values.candidate[sorted(candidate)] = own
            values.references[sorted(reference), 0] = other
            ratios.append(values.candidate.sum() / values.references.sum())
    if found.bounds is None:
        assert not candidate
        assert not reference
        return
    assert found.bounds == pytest.approx((min(ratios), max(ratios)))
    assert (found.open_candidate, found.open_references) == (len(candidate), len(reference))


def test_open_outcomes_that_can_change_the_verdict_undo_it():
    cells, layout = made_up(1, means=(0.9, 0.8))
    terms = reach_terms(".95", seed=1)

    settled = reach(cells, layout, terms=terms)
    few = reach(opened(cells, candidate=range(2)), layout, terms=terms)
    many = reach(opened(cells, candidate=range(60)), layout, terms=terms)

    assert (settled.verdict, settled.doubts) == (CLEARS, ())
    assert (few.verdict, few.doubts, few.completions, few.changed) == (CLEARS, (), 200, 0)
    assert (many.verdict, many.doubts) == (UNDECIDED, (Doubt.FAULTS,))
    assert many.worst.verdict is not many.best.verdict


@pytest.mark.parametrize("mode", [ReferenceMode.ALL, ReferenceMode.CROSSFIT])
def test_completions_are_judged_as_if_one_by_one(mode):
    cells, layout = made_up(2, clusters=8, means=(0.80, 0.72, 0.7), names=("a", "b"))
    cells = opened(cells, candidate=range(14), references=[(place, 1) for place in range(9)])
    terms = reach_terms(".95", seed=1, mode=mode)
    verdict = reading(cells.registered, layout, terms=terms).verdict

    found = _changed(cells, layout, terms=terms, scale=(0.0, 1.0), verdict=verdict)

    one_by_one = [
        reading(values, layout, terms=terms).verdict
        for values in cells.completions(count=200, seed=1)
    ]
    assert 0 < found < 200
    assert found == sum(each is not verdict for each in one_by_one)


def test_completions_lie_all_over_between_the_ends():
    cells, _ = made_up(1, items=400)
    cells = opened(cells, candidate=range(100), references=[(place, 0) for place in range(100)])

    drawn = list(cells.completions(count=200, seed=1))

    means = np.array([each.candidate.mean() for each in drawn])
    least, most = cells.low.candidate.mean(), cells.high.candidate.mean()
    assert all(set(each.candidate[:100]) <= {0.0, 1.0} for each in drawn)
    assert all((each.candidate[100:] == cells.registered.candidate[100:]).all() for each in drawn)
    assert means.min() < least + 0.1 * (most - least)
    assert means.max() > most - 0.1 * (most - least)


def test_open_graded_cells_are_completed_between_their_own_ends():
    low = Values(candidate=np.array([0.25, 1.0]), references=np.array([[0.5], [0.5]]))
    high = Values(candidate=np.array([0.75, 1.0]), references=np.array([[0.5], [0.5]]))
    cells = cells_of(low.candidate, low.references, names=("a",), low=low, high=high)

    drawn = {float(each.candidate[0]) for each in cells.completions(count=50, seed=1)}

    assert drawn == {0.25, 0.75}


def test_clusters_that_can_never_decide_are_said_to_be_too_few():
    cells, layout = made_up(1, clusters=4, means=(0.95, 0.4))

    found = reach(cells, layout, terms=reach_terms(".95", seed=1))
    laxer = reach(cells, layout, terms=reach_terms(".95", seed=1, alpha_clear=0.07))

    assert found.registered.contrasts[0].by_clusters.wild.smallest_p == 0.0625
    assert (found.verdict, found.doubts) == (UNDECIDED, (Doubt.FEW_CLUSTERS,))
    assert laxer.verdict is CLEARS


def test_several_references_need_more_clusters_to_be_missed():
    cells, layout = made_up(1, clusters=6, means=(0.7, 0.75))
    twice = cells_of(
        cells.registered.candidate,
        np.repeat(cells.registered.references[:, :1], 4, axis=1),
        names=("a", "b", "c", "d"),
    )

    by_turns = reach(twice, layout, terms=reach_terms(".95", seed=1))
    jointly = reach(twice, layout, terms=reach_terms(".95", seed=1, max_t=True))

    assert by_turns.doubts == (Doubt.INTERVAL, Doubt.FEW_CLUSTERS)
    assert jointly.doubts == (Doubt.INTERVAL,)


def test_one_side_that_can_never_decide_is_told_beside_the_interval():
    cells, layout = made_up(1, clusters=4, means=(0.7, 0.75))

    found = reach(cells, layout, terms=reach_terms(".95", seed=1, alpha_clear=0.07))

    assert found.doubts == (Doubt.INTERVAL, Doubt.FEW_CLUSTERS)


@pytest.mark.parametrize(
    ("labels", "goal", "doubt"),
    [
        ({}, GeneraliseTo.NEW_CLUSTERS, Doubt.NOT_DECLARED),
        ({}, BLUEPRINT, Doubt.NOT_DECLARED),
        ({"clusters": ["a"] * 200}, GeneraliseTo.NEW_CLUSTERS, Doubt.FEW_CLUSTERS),
    ],
)
def test_what_the_suite_does_not_declare_cannot_decide(labels, goal, doubt):
    cells, _ = made_up(1, means=(0.95, 0.4))

    found = reach(
        cells, layout_of(200, **labels), terms=reach_terms(".95", seed=1, generalise_to=goal)
    )

    assert (found.verdict, found.doubts) == (UNDECIDED, (doubt,))
    assert isinstance(found.registered.p_clear, Missing)
    assert found.registered.contrasts[0].by_items.p_clear < 1e-6


def test_the_callers_doubts_undo_any_verdict_in_the_order_of_the_list():
    cells, layout = made_up(1, means=(0.9, 0.5))

    found = reach(
        cells,
        layout,
        terms=reach_terms(".95", seed=1),
        doubts=[Doubt.SCORER_UNPROVEN, Doubt.IDENTITY],
        dropped_weight=0.02,
    )

    assert found.registered.verdict is CLEARS
    assert found.verdict is UNDECIDED
    assert found.doubts == (Doubt.DOMAIN_SHRUNK, Doubt.IDENTITY, Doubt.SCORER_UNPROVEN)
    kept = reach(cells, layout, terms=reach_terms(".95", seed=1), dropped_weight=0.01)
    assert kept.verdict is CLEARS


def test_without_items_there_is_a_verdict_and_no_number():
    found = unmeasured(reach_terms(".95", seed=1), doubts=[Doubt.NO_ITEMS], names=("a",))

    assert (found.verdict, found.doubts, found.names) == (UNDECIDED, (Doubt.NO_ITEMS,), ("a",))
    assert (found.registered, found.basis, found.bounds) == (None, None, None)
    with pytest.raises(ValueError, match="reason"):
        unmeasured(reach_terms(".95", seed=1), doubts=[])


def test_all_references_must_be_cleared_and_missing_one_is_corrected_for():
    cells, layout = made_up(3, means=(0.75, 0.6, 0.75, 0.5), names=("a", "b", "c"))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT)

    found = reading(cells.registered, layout, terms=terms)

    tests = [each.by_strata for each in found.contrasts]
    assert found.p_clear == max(test.p_clear for test in tests)
    assert found.p_fail == min(1.0, 3 * min(test.p_fail for test in tests))
    assert found.ratio == min(each.ratio for each in found.contrasts)
    assert found.p_at_least(Basis.STRATA) == min(test.p_at_least for test in tests)


def test_the_joint_test_is_no_weaker_than_bonferroni_where_references_are_alike():
    cells, layout = made_up(5, means=(0.6, 0.75), names=("a",))
    twins = cells_of(
        cells.registered.candidate,
        np.repeat(cells.registered.references, 3, axis=1),
        names=("a", "b", "c"),
    )

    split, joint = (
        reading(twins.registered, layout, terms=reach_terms(".95", seed=1, max_t=max_t))
        for max_t in (False, True)
    )

    assert joint.p_fail < split.p_fail / 2
    assert joint.p_clear == split.p_clear


def test_the_joint_test_is_one_by_clusters_and_changes_no_other():
    cells, layout = made_up(3, means=(0.75, 0.6, 0.75), names=("a", "b"))

    split, joint = (
        reading(
            cells.registered,
            layout,
            terms=reach_terms(".95", seed=1, generalise_to=BLUEPRINT, max_t=max_t),
        )
        for max_t in (False, True)
    )

    assert joint.p_fail == split.p_fail


@pytest.mark.parametrize("goal", [each for each in GeneraliseTo if "benchmarks" not in each.value])
@pytest.mark.parametrize("mode", [ReferenceMode.ALL, ReferenceMode.CROSSFIT])
def test_completions_look_at_no_less_than_the_verdict_does(goal, mode):
    cells, layout = made_up(2, clusters=40, means=(0.80, 0.72, 0.7), names=("a", "b"))
    cells = opened(cells, candidate=range(14), references=[(place, 1) for place in range(9)])
    terms = reach_terms(".95", seed=1, mode=mode, generalise_to=goal)

    found = _changed(cells, layout, terms=terms, scale=(0.0, 1.0), verdict=Clearance.UNDECIDED)

    one_by_one = [
        reading(values, layout, terms=terms).verdict
        for values in cells.completions(count=200, seed=1)
    ]
    assert found == sum(each is not Clearance.UNDECIDED for each in one_by_one)


def slow_crossfit(values, clusters):
    """The reference that is best on the other clusters, one item after the other."""
    chosen = np.empty(len(values))
    for item in range(len(values)):
        others = clusters != clusters[item]
        chosen[item] = values[item, int(np.argmax(values[others].sum(axis=0)))]
    return chosen


def test_crossfit_measures_against_the_best_of_the_other_clusters():
    cells, layout = made_up(7, items=60, clusters=6, means=(0.7, 0.7, 0.71), names=("a", "b"))
    terms = reach_terms(".95", seed=1, generalise_to=BLUEPRINT, mode=ReferenceMode.CROSSFIT)

    found = reading(cells.registered, layout, terms=terms)

    composite = slow_crossfit(cells.registered.references, layout.clusters.codes)
    assert len(found.contrasts) == 1
    assert found.contrasts[0].reference == pytest.approx(composite.mean())
    assert found.p_fail == found.contrasts[0].by_strata.p_fail


def test_a_named_reference_stands_alone():
    cells, layout = made_up(1, means=(0.9, 0.5, 0.5), names=("a", "b"))

    with pytest.raises(ValueError, match="one named reference"):
        reach(cells, layout, terms=reach_terms(".95", seed=1, mode=ReferenceMode.NAMED))


def test_one_benchmark_says_nothing_about_new_ones():
    cells, layout = made_up(1)

    with pytest.raises(ValueError, match="new benchmarks"):
        reach(
            cells,
            layout,
            terms=reach_terms(".95", seed=1, generalise_to=GeneraliseTo.NEW_BENCHMARKS),
        )


def test_crossed_clusters_decide_where_they_are_laid():
    cells, layout = made_up(1)
    crossed = layout_of(
        200, clusters=layout.clusters.codes, crossed=np.arange(200) // 25, strata=None
    )

    found = reach(cells, crossed, terms=reach_terms(".95", seed=1))

    assert found.basis is Basis.TWO_WAY
    assert found.registered.p_fail == found.registered.contrasts[0].two_way.p_fail


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"alpha_clear": 0.5}, "error rate"),
        ({"alpha_fail": 0.0}, "error rate"),
        ({"delta_min": 0.0}, "margin"),
    ],
)
def test_terms_that_would_contradict_themselves_are_refused(change, match):
    with pytest.raises(ValueError, match=match):
        reach_terms(".95", seed=1, **change)


@pytest.mark.parametrize(
    ("references", "names", "low", "high", "match"),
    [
        (np.ones((3, 2)), ("a",), None, None, "do not fit"),
        (np.ones((3, 0)), (), None, None, "references"),
        (np.ones((3, 2)), ("a", "a"), None, None, "each once"),
        (np.ones((3, 1)), ("a",), 0.0, None, "both"),
        (np.ones((3, 1)), ("a",), 1.0, 0.0, "above its most"),
    ],
)
def test_cells_that_make_no_sense_are_refused(references, names, low, high, match):
    def filled(value):
        if value is None:
            return None
        return Values(candidate=np.full(3, value), references=np.full((3, 1), value))

    with pytest.raises(ValueError, match=match):
        cells_of(np.ones(3), references, names=names, low=filled(low), high=filled(high))


def test_error_rates_are_what_was_registered():
    # The candidate reaches the ratio exactly: either verdict is an error, 5 % each at most.
    rng = np.random.default_rng(3)
    verdicts = []
    for _ in range(400):
        clusters = np.repeat(np.arange(30), 20)
        ease = rng.normal(0, 0.1, 30)[clusters]
        reference = (rng.uniform(size=600) < 0.8 + 0 * ease).astype(float)
        candidate = (rng.uniform(size=600) < 0.76 + ease).astype(float)
        cells = cells_of(candidate, reference[:, None], names=("a",))
        found = reach(cells, layout_of(600, clusters=clusters), terms=reach_terms(".95", seed=1))
        verdicts.append(found.verdict)

    assert 0.02 <= verdicts.count(CLEARS) / 400 <= 0.085
    assert 0.02 <= verdicts.count(FAILS) / 400 <= 0.085
