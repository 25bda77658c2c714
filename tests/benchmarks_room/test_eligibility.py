from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.decisions.rules.frontier import window
from dokja.evidence.benchmarks.frontiers import (
    FrontierRule,
    ListedSystem,
    NotEligible,
    eligible_systems,
)

RULE = FrontierRule(rule="best-of-listed", window_months=6, freeze_on=date(2026, 8, 1))


def listed(name, day, source="model card", effort=""):
    return ListedSystem(name=name, effort=effort, released=day, source=source)


def test_both_ends_of_the_window_belong_to_it():
    systems = [
        listed("first", date(2026, 2, 1)),
        listed("last", date(2026, 8, 1)),
        listed("before", date(2026, 1, 31)),
        listed("after", date(2026, 8, 2)),
    ]

    found = eligible_systems(RULE, systems)

    assert [system.name for system in found.systems] == ["first", "last"]
    assert [(each.system.name, each.reason) for each in found.turned] == [
        ("after", NotEligible.TOO_LATE),
        ("before", NotEligible.TOO_EARLY),
    ]
    assert not found.is_complete


def test_a_day_that_nobody_knows_or_vouches_for_is_named():
    systems = [ListedSystem(name="a"), listed("b", date(2026, 5, 1), source=" ")]

    found = eligible_systems(RULE, systems)

    assert found.systems == ()
    assert [each.reason for each in found.turned] == [NotEligible.UNDATED, NotEligible.UNSOURCED]


@pytest.mark.parametrize(
    ("freeze", "months", "opens"),
    [
        (date(2026, 8, 31), 6, date(2026, 2, 28)),
        (date(2024, 8, 31), 6, date(2024, 2, 29)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2026, 3, 31), 13, date(2025, 2, 28)),
        (date(2026, 6, 1), 24, date(2024, 6, 1)),
    ],
)
def test_months_are_those_of_the_calendar(freeze, months, opens):
    rule = FrontierRule(rule="named", window_months=months, freeze_on=freeze)

    assert rule.opens_on == opens


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 60), st.integers(-900, 900))
def test_a_day_is_eligible_exactly_between_the_ends(freeze, months, days):
    rule = FrontierRule(rule="named", window_months=months, freeze_on=freeze)
    day = freeze + timedelta(days=days)

    turned = rule.turned(listed("x", day))

    assert (turned is None) == (rule.opens_on <= day <= freeze)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 60))
def test_the_window_is_that_of_the_rulebook(freeze, months):
    rule = FrontierRule(rule="named", window_months=months, freeze_on=freeze)

    assert (rule.opens_on, freeze) == window(freeze, months=months)


def test_three_make_a_best_and_one_makes_a_name():
    three = [listed(name, date(2026, 5, 1)) for name in "abc"]
    named = FrontierRule(rule="named", window_months=6, freeze_on=date(2026, 8, 1))

    assert eligible_systems(RULE, three).is_complete
    assert not eligible_systems(RULE, three[:2]).is_complete
    assert eligible_systems(named, three[:1]).is_complete
    assert not eligible_systems(named, []).is_complete


def test_one_model_at_two_efforts_is_two_systems():
    day = date(2026, 5, 1)
    both = [listed("a", day, effort="high"), listed("a", day, effort="low")]

    assert [s.label for s in eligible_systems(RULE, both).systems] == ["a (high)", "a (low)"]
    with pytest.raises(ValueError, match=r"listed twice: a \(high\)"):
        eligible_systems(RULE, [*both, both[0]])


def test_a_window_without_months_is_refused():
    with pytest.raises(ValueError, match="holds nothing"):
        FrontierRule(rule="named", window_months=0, freeze_on=date(2026, 8, 1))
