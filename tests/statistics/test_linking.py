from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import NotComparableError
from dokja.evidence.statistics import TrendScore, link_forms
from dokja.evidence.statistics.trends import linked
from dokja.values import Estimate

NAMES = [f"anchor-{n}" for n in range(60)]


def forms(seed, *, shift=0.4, noise=0.1, drifted=()):
    rng = np.random.default_rng(seed)
    older = rng.normal(0, 1, len(NAMES))
    newer = older - shift + rng.normal(0, noise, len(NAMES))
    newer[list(drifted)] -= 1.5
    return older, newer


def test_the_shift_and_its_error_are_those_of_a_mean():
    older, newer = forms(1)
    link = link_forms(older, newer, NAMES, screened_from=99.0)

    differences = older - newer
    assert link.shift.value == pytest.approx(differences.mean())
    assert link.error == pytest.approx(differences.std(ddof=1) / np.sqrt(len(NAMES)))
    assert link.kept == tuple(NAMES)
    assert link.drifted == ()


def test_anchors_that_drifted_are_left_out_by_name():
    link = link_forms(*forms(2, drifted=(5, 17)), NAMES)

    assert {name for name, _ in link.drifted} >= {"anchor-5", "anchor-17"}
    assert all(abs(z) >= 2.7 for _, z in link.drifted)
    assert link.shift.low <= 0.4 <= link.shift.high
    assert len(link.kept) + len(link.drifted) == len(NAMES)


def test_the_interval_covers_the_shift_and_few_sound_anchors_are_lost():
    covered = lost = 0
    for seed in range(400):
        link = link_forms(*forms(seed), NAMES)
        covered += link.shift.low <= 0.4 <= link.shift.high
        lost += len(link.drifted)

    assert 0.92 <= covered / 400 <= 0.97
    assert lost / 400 / len(NAMES) < 0.02


def test_anchors_of_one_passage_are_less_sure_than_single_ones():
    rng = np.random.default_rng(4)
    older = rng.normal(0, 1, 60)
    newer = older - 0.4 + np.repeat(rng.normal(0, 0.3, 12), 5)
    passages = [f"p{n // 5}" for n in range(60)]

    single = link_forms(older, newer, NAMES, screened_from=99)
    together = link_forms(older, newer, NAMES, clusters=passages, screened_from=99)

    assert together.shift.value == pytest.approx(single.shift.value)
    assert together.error > 1.8 * single.error
    assert together.shift.rests_on == (("clusters", 12), ("anchors", 60))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(-3, 3))
def test_a_shift_of_the_newer_form_is_a_shift_of_the_link(seed, more):
    older, newer = forms(seed)

    before, after = link_forms(older, newer, NAMES), link_forms(older, newer - more, NAMES)

    assert after.shift.value == pytest.approx(before.shift.value + more, abs=1e-9)
    assert after.error == pytest.approx(before.error, abs=1e-9)
    assert after.kept == before.kept


def test_forms_that_agree_exactly_keep_all_anchors():
    older, _ = forms(3)

    assert link_forms(older, older, NAMES).kept == tuple(NAMES)


def test_a_linked_place_takes_the_linking_error_in():
    link = link_forms(*forms(5), NAMES)
    place = Estimate(value=1.0, low=0.6, high=1.4, level=0.95, standard_error=0.2, method="rasch")
    score = TrendScore(system="garam", scale="2027", origin="anchors", place=place)

    found = linked(score, link, scale="2026")

    assert found.scale == "2026"
    assert found.place.value == pytest.approx(1.0 + link.shift.value)
    assert found.place.standard_error == pytest.approx(np.hypot(0.2, link.error))
    assert found.place.high - found.place.low > 0.8
    with pytest.raises(ValueError, match="no standard error"):
        linked(replace(score, place=replace(place, standard_error=None)), link, scale="2026")


def test_what_cannot_link_is_refused():
    older, newer = forms(6)

    with pytest.raises(NotComparableError, match="9 anchors cannot show"):
        link_forms(older[:9], newer[:9], NAMES[:9])
    with pytest.raises(NotComparableError, match="one cluster"):
        link_forms(older, newer, NAMES, clusters=["one"] * 60)
    with pytest.raises(ValueError, match="one name"):
        link_forms(older, newer, [*NAMES[:-1], NAMES[0]])
    with pytest.raises(ValueError, match="finite"):
        link_forms(older, np.where(older > 2, np.nan, older) * np.nan, NAMES)
