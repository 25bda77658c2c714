"""The sample's six models, compared each with each: found what the recipes did, and no more."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from dokja.evidence.lineage import Derivation, Direction, Relation, trace
from dokja.models.forge.recipes import read_recipe
from dokja.models.weights import open_source

SAMPLE = Path(__file__).parents[2] / "sample"
RECIPES = {
    path.stem: {part.id: part for part in read_recipe(path).at("cpu").component}
    for path in sorted((SAMPLE / "make/recipes").glob("*.toml"))
}
PAIRS = list(permutations(RECIPES, 2))


@pytest.fixture(scope="module")
def reports():
    """Trace every model against every other, as the recipes know nothing of it."""
    sources = {name: open_source(SAMPLE / "programme" / "models" / name) for name in RECIPES}
    return {
        (ours, theirs): trace(sources[ours], sources[theirs], rng=np.random.default_rng(7))
        for ours, theirs in PAIRS
    }


def of_component(report, component):
    return next(finding for finding in report.findings if finding.component == component)


def start(model):
    return RECIPES[model]["language-body"].origin.base


def encoder_start(model):
    encoder = RECIPES[model].get("vision-encoder")
    return None if encoder is None else encoder.origin.base


def layer_map(model):
    steps = RECIPES[model]["language-body"].step
    return next(step.parameters["map"] for step in steps if step.do == "dus")


SCALED = [(model, start(model)) for model in RECIPES if start(model)]
LENT = [(model, encoder_start(model)) for model in RECIPES if encoder_start(model)]
HONEST = [pair for pair in PAIRS if pair not in SCALED and pair[::-1] not in SCALED]


@pytest.mark.parametrize(("model", "root"), SCALED)
def test_body_that_was_scaled_up_is_mapped_layer_by_layer(reports, model, root):
    finding = of_component(reports[model, root], "language-body")

    assert finding.relations == (Relation.DEPTH_EDITED,)
    assert finding.derivation is Derivation.YES
    assert finding.direction is Direction.MODEL_FROM_REFERENCE
    assert finding.layer_map == tuple(enumerate(layer_map(model)))
    assert finding.effect.low > 0.5


@pytest.mark.parametrize(("model", "root"), SCALED)
def test_root_of_a_scaled_body_is_clear_by_the_direction(reports, model, root):
    finding = of_component(reports[root, model], "language-body")

    assert finding.derivation is Derivation.YES
    assert finding.direction is Direction.REFERENCE_FROM_MODEL


@pytest.mark.parametrize(("model", "lender"), LENT)
def test_encoder_of_another_model_is_related(reports, model, lender):
    finding = of_component(reports[model, lender], "vision-encoder")

    assert finding.derivation is Derivation.YES
    assert finding.effect.value > 0.98
    assert finding.layer_map == ((0, 0), (1, 1))


@pytest.mark.parametrize(("model", "lender"), LENT)
def test_projector_beside_a_reused_encoder_answers_for_itself(reports, model, lender):
    finding = of_component(reports[model, lender], "projector")

    assert finding.relations == (Relation.NO_EVIDENCE,)


@pytest.mark.parametrize(("ours", "theirs"), HONEST)
def test_bodies_with_their_own_start_show_no_evidence(reports, ours, theirs):
    finding = of_component(reports[ours, theirs], "language-body")

    assert finding.relations == (Relation.NO_EVIDENCE,)
    assert abs(finding.effect.value) < 0.02
    assert finding.minimum_detectable <= 0.2
    assert all(control.behaves for control in finding.controls)


def test_names_of_all_tensors_are_understood(reports):
    assert {report.unclaimed for report in reports.values()} == {()}
    assert min(f.read_share for r in reports.values() for f in r.findings) > 0.85


def test_chance_is_measured_as_it_is(reports):
    """Scores of strangers' layers spread about as the measured standard errors say."""
    scores = [
        reading.value / reading.standard_error
        for pair in HONEST
        for reading in of_component(reports[pair], "language-body").layers
    ]

    assert 0.5 < np.std(scores) < 1.5
