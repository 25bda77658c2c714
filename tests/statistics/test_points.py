import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.statistics import ScoreTerms, scores_of
from dokja.values import Estimate, Missing, MissingReason

TERMS = ScoreTerms(
    stage="final",
    part="expert",
    points=35.0,
    scale="absolute",
    rulebook="2026-11-01",
    level=0.95,
    draws=1_000,
    seed=1,
    on=date(2026, 11, 20),
    actor="dokja",
)
ENTRIES = {"garam": ["sheet/1"], "maru": ["sheet/2"]}


def share(value, half=0.05):
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        level=0.95,
        standard_error=half / 2,
        rests_on=(("raters", 7),),
        method="rater-mean",
    )


def test_points_are_the_share_of_what_can_be_had():
    scores = scores_of({"garam": share(0.8)}, terms=TERMS, evidence=ENTRIES)

    (draft,) = scores.drafts
    assert draft.id == "score/final/garam/expert/2026-11-01"
    assert draft.body == {
        "on": "2026-11-20",
        "stage": "final",
        "team": "garam",
        "part": "expert",
        "rulebook": "2026-11-01",
        "score": {
            "value": 28.0,
            "low": 26.25,
            "high": 29.75,
            "level": 0.95,
            "kind": "sampling",
            "standard_error": 0.875,
        },
        "rests_on": {"raters": 7},
        "method": "rater-mean",
        "basis": "measured",
        "evidence": ["sheet/1"],
        "invented": False,
    }


def test_another_version_of_the_rulebook_is_another_score():
    shares = {"garam": share(0.8)}

    old, new = (
        scores_of(shares, terms=replace(TERMS, rulebook=version), evidence=ENTRIES).drafts[0].id
        for version in ("2026-11-01", "2026-11-15")
    )

    assert (old, new) == (
        "score/final/garam/expert/2026-11-01",
        "score/final/garam/expert/2026-11-15",
    )


def test_interval_ends_at_the_parts_points():
    scores = scores_of({"garam": share(0.99), "maru": share(0.01)}, terms=TERMS, evidence=ENTRIES)

    ends = [(d.body["score"]["low"], d.body["score"]["high"]) for d in scores.drafts]
    assert ends == [(32.9, 35.0), (0.0, 2.1)]


def test_team_without_a_figure_is_named_and_gets_no_score():
    missing = Missing(reason=MissingReason.NOT_MEASURED, what=("sheets", "maru"))

    scores = scores_of({"maru": missing, "garam": share(0.5)}, terms=TERMS, evidence=ENTRIES)

    assert [draft.body["team"] for draft in scores.drafts] == ["garam"]
    assert scores.missing == (("maru", missing),)


def test_best_team_gets_all_points_where_the_scale_is_to_best():
    terms = replace(TERMS, scale="to-best")

    scores = scores_of({"garam": share(0.8), "maru": share(0.4)}, terms=terms, evidence=ENTRIES)

    assert [draft.body["score"]["value"] for draft in scores.drafts] == [35.0, 17.5]


def test_nobody_is_scored_to_a_best_of_nothing():
    terms = replace(TERMS, scale="to-best")
    nothing = Estimate(value=0.0, low=0.0, high=0.1, level=0.95, standard_error=0.02)

    scores = scores_of({"garam": nothing, "maru": nothing}, terms=terms, evidence=ENTRIES)

    missing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("best",))
    assert scores.drafts == ()
    assert scores.missing == (("garam", missing), ("maru", missing))


@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_share_outside_of_its_range_is_refused(value):
    with pytest.raises(ValueError, match="outside"):
        scores_of({"garam": share(value)}, terms=TERMS, evidence=ENTRIES)


@given(
    st.floats(0, 1),
    st.floats(0, 2),
    st.floats(0.001, 100),
    st.sampled_from(["absolute", "to-best"]),
)
def test_what_is_made_can_be_entered(value, half, points, scale):
    terms = replace(TERMS, points=points, scale=scale)

    scores = scores_of({"garam": share(value, half)}, terms=terms, evidence=ENTRIES)

    for draft in scores.drafts:
        assert check_body("score", draft.body, place="here") == ()
        score = draft.body["score"]
        assert 0 <= score["low"] <= score["value"] <= score["high"]
        assert score["high"] <= points + 1e-6
        assert math.copysign(1, score["low"]) == 1
