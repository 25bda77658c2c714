"""Public disputes as numbers: what misled people must not mislead the method.

The figures are those of design/lineage, section 8; no model, firm or person is judged here.
"""

import json
from datetime import date

import numpy as np
import pytest

from dokja.evidence.lineage import (
    Derivation,
    Outcome,
    Relation,
    finding_drafts,
    outcome_of,
    trace_all,
)
from dokja.models.comparison import gain_likeness

DAY = date(2026, 1, 15)


def numbers_in(value):
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def body_of(report, component):
    drafts = finding_drafts(report, model="a-1", reference="b-1", on=DAY, actor="office")
    return next(draft.body for draft in drafts if draft.body["component"] == component)


def with_gains(model, *, seed, spread):
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(1, spread, values.shape).astype(np.float32) if "norm" in name else values
        for name, values in model.items()
    }


def test_gains_near_one_say_nothing_and_their_raw_cosine_appears_nowhere(toys):
    ours = with_gains(toys.model(1), seed=5, spread=0.1)
    theirs = with_gains(toys.model(2), seed=6, spread=0.1)
    gains = [
        np.concatenate([values for name, values in side.items() if "norm" in name])
        for side in (ours, theirs)
    ]
    raw_cosine = float(gains[0] @ gains[1] / np.linalg.norm(gains[0]) / np.linalg.norm(gains[1]))

    report = toys.compare(ours, theirs)

    body = body_of(report, "language-body")
    assert raw_cosine == pytest.approx(0.99, abs=0.003)
    assert body["relations"] == ["no_evidence"]
    assert body["effect"]["high"] < 0.1
    assert report.findings[0].gains.value < 0.2
    assert not [number for number in numbers_in(body["effect"]) if abs(number - raw_cosine) < 0.02]
    assert "cosine" not in json.dumps(body)


def test_reused_encoder_is_related_and_the_body_answers_for_itself(toys):
    ours = toys.model(1) | toys.noised(toys.encoder(50), 0.99, seed=2)
    theirs = toys.model(2) | toys.encoder(50)

    report = toys.compare(ours, theirs)

    encoder, body = body_of(report, "vision-encoder"), body_of(report, "language-body")
    assert encoder["derivation"] == "yes"
    assert encoder["effect"]["value"] == pytest.approx(0.99, abs=0.003)
    assert body["relations"] == ["no_evidence"]
    assert encoder["parameter_share"] + body["parameter_share"] == pytest.approx(1)


def test_equal_configuration_and_tokenizer_raise_no_score(toys):
    first, second = toys.store(toys.model(1)), toys.store(toys.model(2))

    report = toys.compare(first, second)

    assert first.config == second.config
    assert report.tokenizers.share == 1
    assert [finding.relations for finding in report.findings] == [(Relation.NO_EVIDENCE,)]


def test_true_derivative_stands_at_one(toys):
    model = toys.model(1)

    finding = toys.only(toys.noised(model, 0.9999, seed=2), model)

    assert finding.derivation is Derivation.YES
    assert finding.effect.value == pytest.approx(1, abs=0.001)
    assert finding.effect.value > 100 * abs(finding.controls[-1].value) or (
        abs(finding.controls[-1].value) < 0.02
    )


def test_layers_of_one_model_are_no_relation_between_models(toys):
    """Matched and unmatched layer pairs of strangers score alike: about nothing."""
    finding = toys.only(toys.model(1, layers=6), toys.model(2, layers=6))

    values = [reading.value for reading in finding.layers]
    assert max(map(abs, values)) < 0.08
    assert finding.relations == (Relation.NO_EVIDENCE,)


def test_number_that_misled_is_near_one_and_its_centred_twin_is_near_nothing():
    """Solar Open and GLM-4.5-Air: cosine 0.989, centred 0.013; layers that do not match 0.011."""
    rng = np.random.default_rng(2026)
    ours, theirs = (rng.normal(1, 0.1, (47, 4096)).astype(np.float32) for _ in range(2))

    cosine = float(np.vdot(ours, theirs) / np.linalg.norm(ours) / np.linalg.norm(theirs))
    centred = gain_likeness(ours, theirs)

    assert cosine == pytest.approx(0.99, abs=0.001)
    assert (abs(centred.value) < 0.013, centred.layers) == (True, 47)


def test_derived_control_of_that_case_stands_at_one():
    """GLM-4.5-Air and INTELLECT-3: trained on from one another, centred about 1."""
    rng = np.random.default_rng(2026)
    parent = rng.normal(1, 0.1, (47, 4096)).astype(np.float32)
    child = parent + rng.normal(0, 0.002, parent.shape).astype(np.float32)

    assert gain_likeness(child, parent).value == pytest.approx(1.0, abs=0.001)


def test_one_related_component_is_a_summary_and_no_finding_of_its_own(toys):
    """HyperCLOVA X SEED 32B Think: encoder at cosine 0.995, centred 0.990; its body is its own."""
    ours = toys.model(1) | toys.noised(toys.encoder(50), 0.99, seed=2)
    theirs = toys.model(2) | toys.encoder(50)

    report = toys.compare(ours, theirs)

    relations = {one.component: one.relations for one in report.findings}
    assert report.reused == ("vision-encoder",)
    assert relations["language-body"] == (Relation.NO_EVIDENCE,)
    assert "component_reuse" not in {one.value for held in relations.values() for one in held}


@pytest.mark.parametrize("encoder", [None, 51])
def test_nothing_is_reused_where_all_or_none_is_related(toys, encoder):
    parts = {} if encoder is None else toys.encoder(encoder)

    same = toys.compare(toys.model(1) | parts, toys.model(1) | parts)
    other = toys.compare(toys.model(1) | parts, toys.model(2))

    assert (same.reused, other.reused) == ((), ())


def test_equal_settings_are_printed_beside_and_decide_nothing(toys):
    """A.X K1 and DeepSeek-V3: alike in settings and routing; no weights said anything yet."""
    tracing = trace_all(toys.store(toys.model(1)), [toys.store(toys.model(2))], seed=1)

    (facts,) = tracing.facts
    assert (facts.same_settings, facts.other_settings) == (1, ())
    assert (facts.tokenizers.share, facts.same_rows) == (1.0, 1.0)
    assert outcome_of(tracing) is Outcome.NOTHING
