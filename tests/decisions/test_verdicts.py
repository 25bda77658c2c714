"""Rulings compose, and no composition turns missing evidence into an answer."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.decisions import Ruling, Verdict, all_of, any_of, majority
from dokja.values import Reason

rulings = st.builds(
    Ruling,
    rule=st.just("asked"),
    subject=st.sampled_from(["garam", "narae"]),
    verdict=st.sampled_from(Verdict),
    reasons=st.lists(
        st.builds(
            Reason,
            code=st.sampled_from(["a", "b", "c"]),
            entries=st.lists(st.integers(0, 9), max_size=2, unique=True).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
some = st.lists(rulings, min_size=1, max_size=6)
shares = st.sampled_from([0, 0.25, 0.5, 2 / 3, 0.99])
COMPOSED = [
    pytest.param(all_of, id="all_of"),
    pytest.param(any_of, id="any_of"),
    pytest.param(lambda asked: majority(asked, more_than=0.5), id="majority"),
]
EITHER = (Verdict.HOLDS, Verdict.FAILS)


def of(*verdicts):
    return [Ruling(rule="asked", subject="garam", verdict=verdict) for verdict in verdicts]


def completions(asked):
    """Every way in which what is undecided can still be settled: the slow twin."""
    worlds = [[]]
    for ruling in asked:
        open_too = ruling.verdict is Verdict.UNDECIDED
        worlds = [[*w, v] for w in worlds for v in (EITHER if open_too else [ruling.verdict])]
    return worlds


def settled(asked, rule):
    answers = {rule(world) for world in completions(asked)}
    if answers == {True}:
        return Verdict.HOLDS
    return Verdict.FAILS if answers == {False} else Verdict.UNDECIDED


def holding(world):
    return world.count(Verdict.HOLDS)


@given(some)
def test_all_of_says_what_every_completion_says(asked):
    assert all_of(asked).verdict is settled(asked, lambda world: holding(world) == len(world))


@given(some)
def test_any_of_says_what_every_completion_says(asked):
    assert any_of(asked).verdict is settled(asked, lambda world: holding(world) > 0)


@given(some, shares)
def test_majority_says_what_every_completion_says(asked, more_than):
    ruling = majority(asked, more_than=more_than)

    expected = settled(asked, lambda world: holding(world) > more_than * len(world))
    assert ruling.verdict is expected


@given(some, st.lists(rulings, max_size=4))
def test_more_evidence_never_turns_a_failure_into_a_pass(before, more):
    if all_of(before).verdict is Verdict.FAILS:
        assert all_of(before + more).verdict is Verdict.FAILS
    if any_of(before).verdict is Verdict.HOLDS:
        assert any_of(before + more).verdict is Verdict.HOLDS


@given(some)
def test_settling_what_is_open_never_overturns_an_answer(asked):
    for compose in (all_of, any_of, lambda some: majority(some, more_than=0.5)):
        before = compose(asked).verdict
        after = {compose(of(*world)).verdict for world in completions(asked)}

        assert before is Verdict.UNDECIDED or after == {before}


@pytest.mark.parametrize("compose", COMPOSED)
@given(asked=st.lists(rulings, min_size=1, max_size=4))
def test_order_does_not_matter(compose, asked):
    answers = [compose(list(order)) for order in permutations(asked)]

    assert len({answer.verdict for answer in answers}) == 1
    assert len({answer.entries for answer in answers}) == 1


@pytest.mark.parametrize("compose", COMPOSED)
def test_rule_that_asks_for_nothing_is_an_error(compose):
    with pytest.raises(ValueError, match="asks for nothing"):
        compose([])


@pytest.mark.parametrize("share", [-0.1, 1, 1.5])
def test_majority_of_an_impossible_share_is_an_error(share):
    with pytest.raises(ValueError, match=r"a share in \[0, 1\)"):
        majority(of(Verdict.HOLDS), more_than=share)


def test_half_is_not_more_than_half():
    votes = of(Verdict.HOLDS, Verdict.FAILS)

    assert majority(votes, more_than=0.5).verdict is Verdict.FAILS


@pytest.mark.parametrize("compose", COMPOSED)
@given(asked=some)
def test_no_reason_and_no_part_is_lost(compose, asked):
    ruling = compose(asked)

    assert ruling.parts == tuple(asked)
    assert set(ruling.entries) == {seq for one in asked for seq in one.entries}


@given(some)
def test_own_reasons_are_those_that_decided(asked):
    ruling = all_of(asked, rule="gate", subject="garam")

    decisive = [reason for one in asked if one.verdict is ruling.verdict for reason in one.reasons]
    assert [reason for reason in ruling.reasons if reason not in decisive] == []
    assert [reason for reason in decisive if reason not in ruling.reasons] == []
