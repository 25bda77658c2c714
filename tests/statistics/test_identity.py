import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from dokja.errors import NotComparableError
from dokja.evidence.statistics import identities, token_match
from dokja.evidence.statistics.identity import (
    Followed,
    TokenFit,
    fitting_systems,
    followed,
    following_power,
)

SENTINELS = 60
KNOWN = np.arange(10, 10 + SENTINELS)


def answers_of(rng, share=0.7):
    return np.where(rng.random(SENTINELS) < share, 0, rng.integers(1, 4, SENTINELS))


def asked_again(rng, answers, repeats=0.92):
    return np.where(rng.random(len(answers)) < repeats, answers, rng.integers(0, 4, len(answers)))


def programme(seed, systems=("garam", "maru", "naru", "sori")):
    """Earlier answers of several systems, and a way to ask them again."""
    rng = np.random.default_rng(seed)
    before = {name: answers_of(rng) for name in systems}
    return before, {name: asked_again(rng, answers) for name, answers in before.items()}


def test_two_endpoints_that_changed_places_are_found_from_both_sides():
    found_both = 0
    for seed in range(30):
        before, now = programme(seed)
        now["maru"], now["sori"] = now["sori"], now["maru"]

        found = identities(now, before, repeats=0.92)

        found_both += found.swapped == (("maru", "sori"),)
        assert {each.declared for each in found.unlike} <= {"maru", "sori"}

    assert found_both >= 28


def test_endpoints_that_are_themselves_are_left_alone():
    for seed in range(100):
        before, now = programme(seed)
        found = identities(now, before, repeats=0.92)
        assert (found.unlike, found.swapped) == ((), ())
        assert found.power > 0.6


def test_one_endpoint_that_answers_like_another_is_no_exchange():
    before, now = programme(5)
    now["garam"] = before["naru"]

    found = identities(now, before, repeats=0.92)

    assert [(each.declared, each.like) for each in found.unlike] == [("garam", "naru")]
    assert found.swapped == ()
    assert found.unlike[0].adjusted <= 0.01


def test_systems_that_answer_alike_cannot_be_told_apart_and_the_power_says_so():
    before, now = programme(6, systems=("garam", "maru"))
    before["maru"] = before["garam"].copy()
    before["maru"][0] = 3 - before["maru"][0]

    found = identities(now, before, repeats=0.92)

    assert found.power == 0.0
    assert set(found.weakest) == {"garam", "maru"}


@given(st.integers(0, 5000))
def test_sides_are_counted_as_by_a_loop_and_tested_as_by_scipy(seed):
    rng = np.random.default_rng(seed)
    own, other, now = (rng.integers(-1, 4, 40) for _ in range(3))

    found = followed(now, own, other, level=0.05)

    sides = {"own": 0, "other": 0, "neither": 0}
    for n, a, b in zip(now, own, other, strict=True):
        if a >= 0 and b >= 0 and a != b:
            sides["own" if n == a else "other" if n == b else "neither"] += 1
    assert {"own": found.own, "other": found.other, "neither": found.neither} == sides
    assert found.differing == sum(sides.values())
    told = sides["own"] + sides["other"]
    if told:
        theirs = binomtest(sides["other"], told, alternative="greater").pvalue
        assert found.p_other == pytest.approx(theirs)
    if found.follows is Followed.OTHER:
        assert found.p_other <= 0.05 < found.p_own


def test_power_is_that_of_a_simulation():
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(4000):
        follows = rng.random(25) < 0.85
        seen += (
            followed(
                np.where(follows, 1, 0), np.zeros(25, int), np.ones(25, int), level=0.01
            ).follows
            is Followed.OTHER
        )

    assert following_power(25, repeats=0.85, level=0.01) == pytest.approx(seen / 4000, abs=0.02)
    assert following_power(4, repeats=1.0, level=0.01) == 0.0


def test_systems_then_and_now_must_be_the_same():
    before, now = programme(2)

    with pytest.raises(ValueError, match="then and now"):
        identities(now, {"garam": before["garam"]}, repeats=0.9)
    with pytest.raises(ValueError, match="then and now"):
        identities({"garam": now["garam"]}, {"garam": before["garam"]}, repeats=0.9)
    with pytest.raises(ValueError, match="shapes"):
        followed(now["garam"], before["garam"], before["maru"][:3])


@pytest.mark.parametrize(
    ("now", "fit", "shift", "differing"),
    [
        (KNOWN, TokenFit.SAME, 0, 0),
        (KNOWN + 4, TokenFit.SHIFTED, 4, 0),
        (KNOWN + (np.arange(SENTINELS) % 7 == 0), TokenFit.OTHER, None, 9),
    ],
)
def test_token_counts_tell_template_from_tokenizer(now, fit, shift, differing):
    found = token_match(now, KNOWN)

    assert (found.fit, found.shift, found.differing) == (fit, shift, differing)
    assert found.prompts == SENTINELS


def test_token_counts_that_nobody_reported_are_not_zero():
    silent = np.where(np.arange(SENTINELS) < 50, KNOWN, -1)

    assert token_match(silent, KNOWN).prompts == 50
    assert token_match(silent, KNOWN).fit is TokenFit.SAME
    with pytest.raises(NotComparableError, match="no sentinel prompt"):
        token_match(np.full(SENTINELS, -1), KNOWN)
    with pytest.raises(ValueError, match="shapes"):
        token_match(KNOWN, KNOWN[:3])


def test_systems_that_share_a_tokenizer_all_fit():
    known = {"maru": KNOWN, "garam": KNOWN + 2, "naru": KNOWN * 2}

    assert fitting_systems(KNOWN + 1, known) == ("garam", "maru")
