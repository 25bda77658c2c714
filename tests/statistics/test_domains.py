from dataclasses import replace

import pytest

from dokja.errors import NotComparableError
from dokja.evidence.statistics import DomainScore, TrendScore, domain_scores, ratio_of_scores
from dokja.values import Estimate, Missing

SHARE = Estimate(value=0.7, low=0.66, high=0.74, level=0.975)
GARAM = DomainScore(system="garam", domain="click", convention="strict", share=SHARE)
PLACE = TrendScore(system="haneul", scale="rasch", origin="anchors", place=SHARE)


def test_a_latent_score_is_refused_where_a_ratio_is_formed():
    with pytest.raises(NotComparableError, match="haneul: a latent score has no zero"):
        domain_scores([GARAM, PLACE])
    with pytest.raises(NotComparableError, match="no share of a domain"):
        domain_scores([GARAM, 0.7])
    with pytest.raises(NotComparableError, match="latent"):
        ratio_of_scores(GARAM, PLACE)


def test_the_two_kinds_share_no_parent():
    assert set(DomainScore.__mro__) & set(TrendScore.__mro__) == {object}


@pytest.mark.parametrize("change", [{"domain": "kmmlu"}, {"convention": "valid_only"}])
def test_shares_of_different_domains_or_conventions_are_refused(change):
    with pytest.raises(NotComparableError, match="different domains or conventions"):
        domain_scores([GARAM, replace(GARAM, **change)])


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="no share"):
        replace(GARAM, share=Estimate(value=1.2, low=1.1, high=1.3, level=0.95))
    with pytest.raises(ValueError, match="no score"):
        domain_scores([])


def test_a_ratio_holds_every_ratio_of_what_both_intervals_hold():
    reference = replace(GARAM, share=replace(SHARE, value=0.8, low=0.78, high=0.82))

    found = ratio_of_scores(GARAM, reference)

    assert (found.low, found.high) == (0.66 / 0.82, 0.74 / 0.78)
    assert found.level == pytest.approx(0.95)
    beside_nothing = replace(GARAM, share=replace(SHARE, value=0.01, low=0.0, high=0.02))
    assert isinstance(ratio_of_scores(GARAM, beside_nothing), Missing)


def test_places_differ_on_one_scale_only():
    above = replace(PLACE, place=replace(SHARE, value=1.0, low=0.9, high=1.1))

    found = above.ahead_of(PLACE)

    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.16, 0.44))
    with pytest.raises(NotComparableError, match="Place both on one scale"):
        above.ahead_of(replace(PLACE, scale="curves"))
    with pytest.raises(NotComparableError, match="Place both on one scale"):
        above.ahead_of(replace(PLACE, origin="winogrande"))
    with pytest.raises(NotComparableError, match="so low a level"):
        above.ahead_of(replace(PLACE, place=replace(SHARE, level=0.01)))
