"""How often the rule errs on pairs whose truth is known: measured, not assumed."""

from itertools import combinations

import numpy as np
import pytest

from dokja.evidence.lineage import Derivation, Plan, Relation
from dokja.evidence.lineage.components import inventory
from dokja.evidence.lineage.controls import derived_control, smallest_detected
from dokja.evidence.lineage.readings import read_pair
from dokja.evidence.lineage.screening import chance_errors

STRANGERS = 21


def test_strangers_of_one_family_are_never_called_related(shared_toys):
    """No false finding in 210 pairs: at 95 % fewer than 1.5 in 100 of such pairs."""
    sources = [
        shared_toys.store(shared_toys.model(100 + seed, layers=2)) for seed in range(STRANGERS)
    ]

    findings = [
        shared_toys.only(ours, theirs, seed=number)
        for number, (ours, theirs) in enumerate(combinations(sources, 2))
    ]

    assert len(findings) == 210
    assert {finding.relations for finding in findings} == {(Relation.NO_EVIDENCE,)}
    assert max(abs(finding.effect.value) for finding in findings) < 0.06
    scores = [r.value / r.standard_error for f in findings for r in f.layers]
    assert np.std(scores) < 1.5


@pytest.mark.parametrize("correlation", [0.15, 0.3, 0.6])
def test_derivatives_are_found_at_the_power_that_is_stated(shared_toys, correlation):
    root = shared_toys.model(1)
    reference = shared_toys.store(root)

    findings = [
        shared_toys.only(shared_toys.noised(root, correlation, seed=seed), reference)
        for seed in range(10)
    ]

    assert sum(finding.derivation is Derivation.YES for finding in findings) >= 9
    assert {finding.minimum_detectable for finding in findings} == {0.15}


def test_smallest_detected_agrees_with_noise_made_value_by_value(shared_toys):
    source = shared_toys.store(shared_toys.model(1))
    (body,) = inventory(source).components
    plan, rng = Plan(), np.random.default_rng(3)
    reading = read_pair((source, body), (source, body), plan=plan, seed=1)
    stranger = shared_toys.store(shared_toys.model(2))
    (other,) = inventory(stranger).components
    beside = read_pair((stranger, other), (source, body), plan=plan, seed=1)
    errors = chance_errors(beside.child, beside.parent, plan=plan, rng=rng)

    smallest = smallest_detected(reading.parent, errors=errors, plan=plan, rng=rng)

    slow = {
        correlation: sum(
            derived_control(
                reading.parent, correlation=correlation, errors=errors, plan=plan, rng=rng
            ).found
            for _ in range(40)
        )
        for correlation in (0.08, 0.1, 0.15)
    }
    assert smallest == 0.15
    assert slow[0.15] >= 36 > slow[0.1] >= slow[0.08]
