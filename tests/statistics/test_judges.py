import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from dokja.errors import NotComparableError
from dokja.evidence.statistics import corrected_rate, judge_errors, refuse_own_family
from dokja.evidence.statistics.counts import share_of
from dokja.evidence.statistics.judges import (
    JudgeErrors,
    language_gaps,
    length_effect,
    position_effect,
)
from dokja.values import Estimate, Missing


def labelled(rng, *, right=0.6, sensitivity=0.9, specificity=0.85, items=200):
    truth = rng.random(items) < right
    passed = np.where(truth, rng.random(items) < sensitivity, rng.random(items) >= specificity)
    return passed, truth


def errors_of(sensitivity, specificity, *, language="ko"):
    """Errors from counts (right, of how many)."""
    found, missed = (
        share_of(*pair, level=0.95, what="answers") for pair in (sensitivity, specificity)
    )
    items = sensitivity[1] + specificity[1]
    both = share_of(sensitivity[0] + specificity[0], items, level=0.95, what="labels")
    return JudgeErrors(
        language=language, sensitivity=found, specificity=missed, agreement=both, items=items
    )


def plain(successes, trials):
    """A share whose interval nobody reads: exact ones take their time."""
    value = float(successes / trials)
    return Estimate(
        value=value,
        low=0.0,
        high=1.0,
        level=0.95,
        standard_error=float(np.sqrt(value * (1 - value) / trials)),
        rests_on=(("answers", trials),),
    )


def test_errors_are_counted_by_language():
    rng = np.random.default_rng(1)
    korean, english = labelled(rng), labelled(rng, items=300)
    passed, truth = (np.concatenate(pair) for pair in zip(korean, english, strict=True))

    found = judge_errors(passed, truth, ["ko"] * 200 + ["en"] * 300)

    assert [(each.language, each.items) for each in found] == [("en", 300), ("ko", 200)]
    for each, (p, t) in zip(found, (english, korean), strict=True):
        assert each.sensitivity.value == sum(p & t) / sum(t)
        assert each.specificity.value == sum(~p & ~t) / sum(~t)
        assert each.agreement.value == sum(p == t) / len(t)


def test_every_language_with_too_few_labels_is_named():
    passed = np.ones(450, dtype=np.bool_)

    with pytest.raises(NotComparableError, match="there are en 50, ja 199"):
        judge_errors(passed, passed, ["ko"] * 201 + ["ja"] * 199 + ["en"] * 50)
    with pytest.raises(ValueError, match="nothing to compare"):
        judge_errors(passed, passed[:3], ["ko"] * 450)


def test_the_corrected_rate_undoes_what_a_judge_does():
    errors = errors_of((9_000, 10_000), (8_000, 10_000))
    true = 0.37
    passed = share_of(round(1e6 * (true * 0.9 + (1 - true) * 0.2)), 10**6, level=0.95, what="x")

    found = corrected_rate(passed, errors)

    assert found.value == pytest.approx(true, abs=1e-4)
    assert found.rests_on == (("x", 10**6), ("labels", 20_000))


@pytest.mark.parametrize(
    ("right", "sensitivity", "specificity"), [(0.6, 0.9, 0.85), (0.95, 0.97, 0.8), (0.2, 0.8, 0.95)]
)
def test_the_corrected_interval_covers_the_truth(right, sensitivity, specificity):
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(500):
        found_right = plain(rng.binomial(120, sensitivity), 120)
        errors = JudgeErrors(
            language="ko",
            sensitivity=found_right,
            specificity=plain(rng.binomial(80, specificity), 80),
            agreement=found_right,
            items=200,
        )
        chance = right * sensitivity + (1 - right) * (1 - specificity)
        found = corrected_rate(plain(rng.binomial(300, chance), 300), errors)
        covered += found.low <= right <= found.high

    assert 0.925 <= covered / 500 <= 0.985


def test_a_perfect_judge_of_endless_labels_changes_nothing():
    errors = errors_of((10**6, 10**6), (10**6, 10**6))
    passed = share_of(150, 200, level=0.95, what="answers")

    found = corrected_rate(passed, errors)

    assert found.value == 0.75
    # Agresti and Coull's interval of the plain share.
    z = 1.959964
    middle, size = (150 + z * z / 2) / (200 + z * z), 200 + z * z
    half = z * np.sqrt(middle * (1 - middle) / size)
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=1e-4)


def test_a_judge_that_cannot_be_told_from_chance_corrects_nothing():
    passed = share_of(100, 200, level=0.95, what="answers")

    for errors in (
        errors_of((60, 100), (45, 100)),  # se + sp = 1.05, within its error of 1
        errors_of((40, 100), (40, 100)),
        errors_of((0, 0), (90, 100)),  # nothing was right
    ):
        assert isinstance(corrected_rate(passed, errors), Missing)


def test_a_rate_that_no_true_share_could_give_is_not_corrected():
    errors = errors_of((190, 200), (190, 200))  # even of wrong answers one in twenty is passed

    for passed in (0, 200):
        rate = share_of(passed, 200, level=0.95, what="answers")
        assert isinstance(corrected_rate(rate, errors), Missing)
    few = corrected_rate(share_of(6, 200, level=0.95, what="answers"), errors)
    assert (few.value, few.low) == (0.0, 0.0)
    assert few.high > 0


def test_a_rate_without_an_error_is_refused():
    with pytest.raises(ValueError, match="standard error"):
        corrected_rate(
            Estimate(value=0.5, low=0.4, high=0.6, level=0.95), errors_of((90, 100), (90, 100))
        )


def test_places_are_seen_in_both_orders():
    rng = np.random.default_rng(7)
    better = rng.choice([1, -1], 400)
    blind = np.where(rng.random(400) < 0.3, 1, better)  # 30 % look at the place alone
    swapped = np.where(rng.random(400) < 0.3, 1, -better)

    fair = position_effect(better, -better)
    leaning = position_effect(blind, swapped)

    assert (fair.first_share.value, fair.steady.value, fair.p) == (0.5, 1.0, 1.0)
    assert leaning.first_share.low > 0.5
    assert leaning.steady.high < 1
    assert leaning.to_first > leaning.to_second == 0
    assert leaning.p < 1e-6


def test_a_tie_in_both_orders_is_steady():
    ties = np.zeros(30, dtype=np.int64)

    found = position_effect(ties, ties)

    assert (found.steady.value, found.first_share.value, found.p) == (1.0, 0.5, 1.0)
    with pytest.raises(ValueError, match="a verdict is"):
        position_effect(ties + 2, ties)
    with pytest.raises(ValueError, match="shapes"):
        position_effect(ties, ties[:4])


def test_only_what_people_do_not_see_in_length_is_an_effect_of_it():
    rng = np.random.default_rng(9)
    people = np.where(rng.random(600) < 0.6, 1, -1)  # longer answers are better here
    questions = [f"q{n // 3}" for n in range(600)]

    same = length_effect(people, people, questions)
    leaning = np.where(rng.random(600) < 0.2, 1, people)
    more = length_effect(leaning, people, questions)

    assert (same.value, same.low < 0 < same.high) == (0.0, True)
    assert more.low > 0
    assert more.value == pytest.approx((leaning - people).mean() / 2)
    with pytest.raises(ValueError, match="a verdict is"):
        length_effect(people * 3, people, questions)


def test_gaps_between_languages_equal_statsmodels():
    korean, english = errors_of((80, 100), (70, 100)), errors_of((95, 100), (0, 0), language="en")

    (gap,) = language_gaps([korean, english])

    low, high = confint_proportions_2indep(80, 100, 95, 100, method="newcomb", compare="diff")
    assert (gap.sensitivity.low, gap.sensitivity.high) == pytest.approx((low, high), abs=1e-9)
    assert gap.sensitivity.value == pytest.approx(-0.15)
    assert isinstance(gap.specificity, Missing)
    (turned,) = language_gaps([english, korean])
    assert isinstance(turned.specificity, Missing)


def test_a_judge_of_the_family_is_refused_and_everybody_is_named():
    refuse_own_family("sora", {"garam": "haneul", "maru": "maru"})

    with pytest.raises(NotComparableError, match="cannot judge garam, naru; the family of sori"):
        refuse_own_family(
            "Haneul", {"naru": "haneul ", "garam": "HANEUL", "sori": " ", "maru": "maru"}
        )
    with pytest.raises(NotComparableError, match="may be anybody's"):
        refuse_own_family(" ", {"garam": "haneul"})
