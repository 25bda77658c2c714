"""One model beside several references: each for itself, all held together, and as their sum."""

from dataclasses import replace

import numpy as np
import pytest

from dokja.evidence.lineage import (
    Chance,
    Derivation,
    Outcome,
    Plan,
    Relation,
    decompose,
    outcome_of,
    trace_all,
)
from dokja.evidence.lineage.chances import log10_chance_of, log10_tail
from dokja.evidence.lineage.many import held_together
from dokja.models.forge.transforms.merge import linear, slerp, ties

QUICK = Plan(null_draws=40, detectable_draws=10)


@pytest.fixture(scope="module")
def family(shared_toys):
    """A root, three models that were trained on from it, and a stranger."""
    root = shared_toys.model(1)
    tuned = [shared_toys.noised(root, 0.95, seed=seed) for seed in (2, 3, 4)]
    return root, tuned, shared_toys.model(9)


@pytest.fixture(scope="module")
def stored(shared_toys, family):
    root, tuned, stranger = family
    return [shared_toys.store(one) for one in (*tuned, root, stranger)]


def merged(make, *models):
    return {name: make(*(one[name] for one in models)) for name in models[0]}


def traced(toys, suspect, references):
    return trace_all(toys.store(suspect), references, seed=1, plan=QUICK)


def relations(tracing):
    return [finding.relations for _, finding in tracing.findings]


@pytest.mark.parametrize("share", [0.7, 0.5, 0.2])
def test_linear_merge_is_taken_apart_into_its_parents(shared_toys, family, stored, share):
    _, (first, second, _), _ = family
    child = merged(lambda a, b: linear([a, b], weights=[share, 1 - share]), first, second)

    tracing = traced(shared_toys, child, stored)

    merge = tracing.findings[0][1].merge
    assert {stored[place].name for place in merge.places} == {one.name for one in stored[:2]}
    found = dict(zip(merge.places, (weight.value for weight in merge.weights), strict=True))
    assert [found[0], found[1]] == pytest.approx([share, 1 - share], abs=0.02)
    assert relations(tracing)[:2] == [(Relation.MERGED,)] * 2
    assert relations(tracing)[4] == (Relation.NO_EVIDENCE,)
    assert merge.left < 1e-6 < merge.left_by_one
    assert not tracing.findings[0][1].open_mixture


def test_three_parents_are_found_with_their_weights(shared_toys, family, stored):
    _, tuned, _ = family
    child = merged(lambda *all_of: linear(all_of, weights=[0.5, 0.3, 0.2]), *tuned)

    merge = traced(shared_toys, child, stored[:3]).findings[0][1].merge

    found = dict(zip(merge.places, (weight.value for weight in merge.weights), strict=True))
    assert [found[place] for place in (0, 1, 2)] == pytest.approx([0.5, 0.3, 0.2], abs=0.02)


def test_arc_between_two_parents_shows_both(shared_toys, family, stored):
    _, (first, second, _), _ = family
    child = merged(lambda a, b: slerp(a, b, share=0.4), first, second)

    merge = traced(shared_toys, child, stored[:2]).findings[0][1].merge

    assert set(merge.places) == {0, 1}
    assert sum(weight.value for weight in merge.weights) == pytest.approx(1)
    assert [len(weights) for _, weights in merge.layers] == [2] * 3


def test_elected_changes_are_a_sum_of_base_and_parents(shared_toys, family, stored):
    root, (first, second, _), _ = family
    child = merged(
        lambda base, a, b: ties(base, [a, b], weights=[0.5, 0.5], density=0.6, scale=1.0),
        root,
        first,
        second,
    )

    tracing = traced(shared_toys, child, stored[:4])

    assert outcome_of(tracing) is Outcome.RELATED
    assert all(finding.related for _, finding in tracing.findings)


def test_further_training_is_no_sum_of_its_relatives(shared_toys, family, stored):
    _, (first, _, _), _ = family

    tracing = traced(shared_toys, shared_toys.noised(first, 0.9, seed=8), stored[:4])

    assert [finding.merge for _, finding in tracing.findings] == [None] * 4
    assert [finding.open_mixture for _, finding in tracing.findings] == [
        Relation.MERGED in finding.relations for _, finding in tracing.findings
    ]
    assert any(finding.open_mixture for _, finding in tracing.findings)


def test_parents_of_another_depth_make_no_sum(shared_toys, family):
    _, (first, second, _), _ = family
    deeper = shared_toys.store(shared_toys.model(5, layers=4))
    child = shared_toys.store(merged(lambda a, b: (a + b) / 2, first, second))

    found = decompose(
        child, [deeper, deeper], component="language-body", rng=np.random.default_rng(1)
    )

    assert found is None


def test_report_does_not_depend_on_what_else_was_asked(shared_toys, family, stored):
    _, (first, _, _), _ = family
    child = shared_toys.store(shared_toys.noised(first, 0.9, seed=8))

    alone = trace_all(child, [stored[4]], seed=1, plan=QUICK)
    among = trace_all(child, [stored[0], stored[4]], seed=1, plan=QUICK)

    read = [replace(report, bytes_read=0) for report in (alone.reports[0], among.reports[1])]
    assert read[0] == read[1]
    assert among.tests == sum(report.tests for report in among.reports)
    assert len(among.chances) == 2


def test_chance_among_many_is_larger_than_alone(shared_toys, family, stored):
    _, (first, _, _), _ = family
    child = shared_toys.store(shared_toys.noised(first, 0.9, seed=8))

    chances = trace_all(child, stored, seed=1, plan=QUICK).chances

    assert all(chance.log10 <= chance.adjusted <= 0 for chance in chances)
    assert max(chances, key=lambda one: one.log10).reference == 4


@pytest.mark.parametrize(("adjusted", "open_"), [(-6.1, False), (-5.9, True)])
def test_relation_that_chance_among_many_could_make_is_left_open(toys, adjusted, open_):
    model = toys.model(1)
    report = toys.compare(toys.noised(model, 0.9, seed=8), model)
    chance = Chance(component="language-body", reference=0, log10=-9.0, adjusted=adjusted)

    (held,) = held_together([report], [chance], plan=Plan(error_rate=1e-6))

    (before,), (after,) = report.findings, held.findings
    assert before.derivation is Derivation.YES
    added = (Relation.NO_EVIDENCE,) if open_ else ()
    assert after.relations == before.relations + added
    assert after.derivation is (Derivation.CANNOT_TELL if open_ else Derivation.YES)
    assert [reason.code for reason in after.reasons] == ["lineage-many-tests"] * open_


def test_model_without_a_reference_is_refused(shared_toys, stored):
    with pytest.raises(ValueError, match="none was given"):
        trace_all(stored[0], [], seed=1)


def test_only_the_component_that_was_asked_for_is_looked_at(shared_toys):
    model = shared_toys.model(1) | shared_toys.encoder(50)
    wanted = replace(QUICK, only=frozenset({"vision-encoder"}))

    tracing = trace_all(shared_toys.store(model), [shared_toys.store(model)], seed=1, plan=wanted)

    assert [finding.component for _, finding in tracing.findings] == ["vision-encoder"]


def test_chance_of_what_could_not_be_looked_at_is_missing(toys):
    finding = toys.only(toys.model(1), toys.model(2), plan=QUICK)

    nothing = replace(finding, layers=(), branches=(), token_rows=())

    assert log10_chance_of(finding) is not None
    assert log10_chance_of(nothing) is None


@pytest.mark.parametrize("score", [0.5, 5.0, 20.0, 35.9])
def test_tail_far_out_goes_on_where_the_near_one_ends(score):
    near, farther = log10_tail(score), log10_tail(score + 0.2)

    assert farther < near
    assert log10_tail(36.0) - log10_tail(36.001) < 0.1
