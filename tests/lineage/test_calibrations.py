"""What a calibration may say, and what it may never do: make a relation, or take one back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.lineage import Derivation, Plan, Relation
from dokja.evidence.lineage.calibrations import CLASSES, Calibration, Features, default_calibration

SHARES = st.floats(0, 1)
READINGS = st.builds(
    Features,
    agreement=SHARES | st.none(),
    correlation=st.floats(-0.2, 1) | st.none(),
    gains=st.floats(-1, 1) | st.none(),
)


@pytest.fixture(scope="module")
def shipped():
    return default_calibration()


def said_of(calibration, features, *, found=True, width=48, depth=4):
    return calibration.says(features, width=width, depth=depth, gated=True, found=found)


def made(**changes):
    """Return a calibration small enough to be computed by hand."""
    model = {
        "features": ["agreement"],
        "centre": [0.5],
        "scale": [0.25],
        "weights": [[0.0, -2.0], [0.0, 0.0], [0.0, 2.0]],
        "log_odds": 0.0,
        "scores": [[], [0.1, 0.4, 0.8], [0.1, 0.2]],
    }
    return Calibration.from_json(
        {
            "schema": "dokja.lineage-calibration/1",
            "id": "by hand",
            "classes": list(CLASSES),
            "made_from": {},
            "widths": [8, 64],
            "depths": [3, 8],
            "gated": [True],
            "root_pairs": 100,
            "levels": [1.0, 0.26, 0.34],
            "models": [{"over": over, **model} for over in ("all", "found")],
            **changes,
        }
    )


def test_ratio_is_the_logistic_models_odds():
    reading = Features(agreement=0.75, correlation=None, gains=None)

    said = said_of(made(), reading)

    assert said.log10_ratio == pytest.approx((2.0 - -2.0) / math.log(10))


@pytest.mark.parametrize(("agreement", "expected"), [(1.0, 2.0), (0.0, -2.0)])
def test_ratio_is_capped_at_the_pairs_behind_it(agreement, expected):
    """One pair in a hundred says at most a hundred to one, whatever the model says."""
    steep = [[0.0, -90.0], [0.0, 0.0], [0.0, 90.0]]
    known = made()
    models = [
        {
            "over": one.over,
            "features": ["agreement"],
            "centre": [0.5],
            "scale": [0.25],
            "weights": steep,
            "log_odds": 0.0,
            "scores": [[], [0.5], [0.5]],
        }
        for one in known.models
    ]

    said = said_of(made(models=models), Features(agreement=agreement, correlation=None, gains=None))

    assert said.log10_ratio == expected
    assert said.capped_by == 100


@given(st.floats(0, 1))
def test_set_equals_counting_roots_whose_worst_pair_is_no_better(agreement):
    calibration = made()
    value = (agreement - 0.5) / 0.25
    raised = np.exp(np.array([-2.0, 0.0, 2.0]) * value)
    shares = raised / raised.sum()

    said = said_of(calibration, Features(agreement=agreement, correlation=None, gains=None))

    wanted = [
        name
        for name, share, scores, level in zip(
            CLASSES, shares, ([], [0.1, 0.4, 0.8], [0.1, 0.2]), (1.0, 0.26, 0.34), strict=True
        )
        if scores and (1 + sum(one >= 1 - share for one in scores)) / (len(scores) + 1) > level
    ]
    assert list(said.classes) == wanted


@pytest.mark.parametrize(("width", "depth"), [(4096, 4), (48, 80), (48, 2)])
def test_outside_its_range_a_calibration_says_nothing(shipped, width, depth):
    reading = Features(agreement=0.9, correlation=0.9, gains=0.9)

    said = said_of(shipped, reading, width=width, depth=depth)

    assert (said.inside, said.classes, said.log10_ratio) == (False, (), None)
    assert "outside" in said.missing


@given(READINGS, st.booleans())
def test_whatever_is_read_the_shipped_one_answers_within_its_cap(features, found):
    calibration = default_calibration()

    said = said_of(calibration, features, found=found)

    if features.agreement is None:
        assert said.log10_ratio is None
    else:
        assert abs(said.log10_ratio) <= math.log10(calibration.root_pairs)
    assert set(said.classes) <= set(CLASSES)
    assert found or said.classes == ()


def test_shipped_one_parts_strangers_shared_starts_and_descent(shipped):
    stranger = Features(agreement=0.0, correlation=0.0, gains=0.0)
    twin = Features(agreement=0.0, correlation=0.21, gains=0.0)
    child = Features(agreement=1.0, correlation=0.8, gains=0.8)

    assert said_of(shipped, stranger, found=False).log10_ratio < -1
    assert said_of(shipped, twin).classes == ("shared_initialisation",)
    assert said_of(shipped, child).classes == ("derived",)
    assert said_of(shipped, child).log10_ratio > 2


def test_levels_are_no_smaller_than_the_roots_behind_them_allow(shipped):
    for model in shipped.models:
        for scores, level in zip(model.scores, shipped.levels, strict=True):
            assert level >= 1 / (len(scores) + 1)
            assert sorted(scores) == list(scores)


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="schema"):
        made(schema="dokja.lineage-calibration/9")


@pytest.mark.parametrize("correlation", [0.0, 0.25, 0.9])
def test_calibration_narrows_a_finding_and_never_makes_or_unmakes_one(toys, shipped, correlation):
    model = toys.model(1)
    suspect = toys.model(2) if not correlation else toys.noised(model, correlation, seed=3)

    plain = toys.only(suspect, model)
    known = toys.only(suspect, model, plan=Plan(calibration=shipped))

    assert set(known.relations) <= set(plain.relations)
    unseen = (Relation.NO_EVIDENCE,)
    assert (known.relations == unseen) == (plain.relations == unseen)
    assert known.calibrated is not None
    assert known.calibrated.digest == shipped.digest
    if correlation == 0.9:
        assert known.derivation is Derivation.YES
