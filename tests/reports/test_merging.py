from hypothesis import given
from hypothesis import strategies as st

from dokja.public.reports.merging import merged
from dokja.public.reports.terms import Reason
from dokja.public.reports.words import Words

reasons = st.builds(
    Reason,
    code=st.sampled_from(["not-compared", "score-would-settle", "order-published"]),
    params=st.fixed_dictionaries(
        {
            "component": st.sampled_from(["adapter", "projector"]),
            "references": st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True),
            "team": st.sampled_from(["x", "y"]),
        }
    ),
    entries=st.lists(st.integers(0, 9), max_size=3).map(tuple),
)


@given(st.lists(reasons))
def test_no_entry_is_lost_and_none_is_added(said):
    before = {(reason.code, seq) for reason in said for seq in reason.entries}

    after = {(reason.code, seq) for reason in merged(said) for seq in reason.entries}

    assert after == before


@given(st.lists(reasons))
def test_saying_once_what_was_said_once_changes_nothing(said):
    once = merged(said)

    assert merged(once) == once
    assert len(once) <= len(said)


def test_order_of_first_mention_is_kept():
    first, second = Reason(code="order-published"), Reason(code="probability-needs-scores")

    assert [one.code for one in merged([first, second, first])] == [first.code, second.code]


def test_several_teams_get_their_own_wording():
    said = [
        Reason(code="vote-would-settle", params={"team": t, "question": "competes", "effect": 0.5})
        for t in ("motif", "trillion")
    ]

    (one,) = merged(said)

    assert Words("en").reason(one) == (
        "Needed: the votes on motif and trillion, “can it compete with the teams already in”; "
        "50% of the decision hangs on each."
    )


def test_reasons_that_differ_in_more_than_a_name_stay_apart():
    params = {"component": "adapter", "high": "T4", "minimum": "T4"}
    low, high = (
        Reason(code="grade-reaches-minimum", params={**params, "low": low}) for low in ("T4", "T3")
    )

    assert len(merged([low, high])) == 2
