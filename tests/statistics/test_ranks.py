import itertools
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics import Total, rank_probabilities, set_probability
from dokja.values import Estimate, IntervalKind

DRAWS = 62_500
WITHIN = 5  # Monte Carlo errors: one false alarm in about a million figures


def bounds(team, low, high, error=0.0):
    return Total(team=team, estimate=None, low=low, high=high, standard_error=error)


@pytest.mark.parametrize("teams", [1, 2, 3, 5, 15])
def test_exchangeable_teams_share_the_places_evenly(total, teams):
    totals = [total(f"team-{number}", 70.0, 2.0) for number in range(teams)]

    found = rank_probabilities(totals, places=1, draws=DRAWS, seed=11)

    for ranks in found.teams:
        assert ranks.top.low == ranks.top.high
        assert ranks.top.low == pytest.approx(1 / teams, abs=WITHIN * 0.002)
        assert ranks.lowest.low == pytest.approx(1 / teams, abs=WITHIN * 0.002)
        assert ranks.expected_rank.low == pytest.approx((teams + 1) / 2, abs=0.05)


@pytest.mark.parametrize(("gap", "one", "other"), [(0.0, 1.0, 3.0), (1.0, 1.0, 2.0), (6.0, 2, 2)])
def test_two_teams_are_ordered_with_the_normal_probability(total, gap, one, other):
    totals = [total("garam", 70.0 + gap, one), total("narae", 70.0, other)]

    found = rank_probabilities(totals, places=1, draws=DRAWS, seed=5)

    expected = NormalDist().cdf(gap / (one**2 + other**2) ** 0.5)
    assert found.of("garam").top.low == pytest.approx(expected, abs=WITHIN * 0.002)
    assert found.of("narae").top.low == pytest.approx(1 - expected, abs=WITHIN * 0.002)


@pytest.mark.parametrize("places", [1, 3, 4])
def test_probabilities_equal_their_quadrature_twin(total, slow_ranks, places):
    values = [(78.0, 2.0), (75.5, 1.5), (75.0, 2.5), (74.0, 1.0), (70.0, 3.0)]
    totals = [total(f"team-{i}", value, error) for i, (value, error) in enumerate(values)]

    found = rank_probabilities(totals, places=places, draws=DRAWS, seed=20261101)

    assert found.monte_carlo_error <= 0.002
    for ranks, (top, lowest, rank) in zip(found.teams, slow_ranks(values, places), strict=True):
        assert ranks.top.low == pytest.approx(top, abs=WITHIN * 0.002)
        assert ranks.lowest.low == pytest.approx(lowest, abs=WITHIN * 0.002)
        assert ranks.expected_rank.low == pytest.approx(rank, abs=0.02)


def test_teams_that_stand_level_share_a_place(total):
    totals = [total(team, 70.0, 0.0) for team in ("garam", "narae", "dasom")]

    found = rank_probabilities(totals, places=2, draws=10, seed=1)

    assert [ranks.top.low for ranks in found.teams] == pytest.approx([2 / 3] * 3)
    assert [ranks.lowest.low for ranks in found.teams] == pytest.approx([1 / 3] * 3)
    assert [ranks.expected_rank.low for ranks in found.teams] == [2.0] * 3


def test_a_missing_part_gives_bounds_from_its_worst_and_best(total):
    totals = [total("garam", 70.0, 0.0), bounds("narae", 60.0, 85.0), bounds("maru", 50.0, 75.0)]

    found = rank_probabilities(totals, places=1, draws=10, seed=1)

    assert [(r.top.low, r.top.high) for r in found.teams] == [(0.0, 1.0)] * 3
    assert [(r.lowest.low, r.lowest.high) for r in found.teams] == [(0.0, 1.0)] * 3
    assert found.of("narae").expected_rank.low == 1.0
    assert found.of("narae").expected_rank.high == 3.0


def test_a_rounded_total_is_bounded_and_not_drawn():
    rounded = [
        Total(
            team=team,
            estimate=Estimate(
                value=value,
                low=value - 0.05,
                high=value + 0.05,
                level=1,
                kind=IntervalKind.ROUNDING,
            ),
            low=0,
            high=100,
        )
        for team, value in (("lg", 90.2), ("skt", 90.1), ("upstage", 80.0))
    ]

    found = rank_probabilities(rounded, places=1, draws=10, seed=1)

    assert found.of("lg").top.high == 1.0
    assert found.of("skt").top.low == 0.0
    assert (found.of("upstage").top.low, found.of("upstage").top.high) == (0.0, 0.0)


def test_a_set_of_exchangeable_teams_is_one_of_all_sets(total):
    totals = [total(f"team-{number}", 70.0, 2.0) for number in range(5)]

    found = set_probability(totals, ["team-1", "team-3"], draws=DRAWS, seed=2)

    assert found.low == found.high
    assert found.low == pytest.approx(1 / 10, abs=WITHIN * found.monte_carlo_error)


def test_the_sets_of_one_size_share_all_probability(total):
    totals = [total(f"t{i}", value, 2.0) for i, value in enumerate((74.0, 72.0, 71.0, 69.0))]
    totals.append(total("t4", 71.0, 0.0))

    found = [
        set_probability(totals, chosen, draws=5_000, seed=2).low
        for chosen in itertools.combinations([each.team for each in totals], 3)
    ]

    assert sum(found) == pytest.approx(1.0)


def test_level_teams_are_chosen_among_fairly(total):
    totals = [total(team, 70.0, 0.0) for team in ("garam", "narae", "dasom")]

    found = set_probability(totals, ["garam", "narae"], draws=10, seed=1)

    assert found.low == pytest.approx(1 / 3)


def test_the_set_of_everyone_is_certain(total):
    totals = [total("garam", 70.0, 2.0), bounds("narae", 0.0, 100.0)]

    assert set_probability(totals, ["garam", "narae"], draws=10, seed=1).low == 1.0
    assert set_probability(totals, [], draws=10, seed=1).low == 1.0


def test_a_set_with_an_unbounded_member_is_bounded(total):
    totals = [total("garam", 90.0, 0.0), total("maru", 50.0, 0.0), bounds("narae", 0.0, 100.0)]

    found = set_probability(totals, ["garam", "narae"], draws=10, seed=1)

    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("teams", "places", "draws", "words"),
    [
        ([], 1, 10, "no team has a total"),
        (["garam", "garam"], 1, 10, "stands there twice"),
        (["garam"], -1, 10, "-1 places"),
        (["garam"], 1, 0, "0 draws"),
    ],
)
def test_questions_without_an_answer_are_refused(total, teams, places, draws, words):
    totals = [total(team, 70.0, 1.0) for team in teams]

    with pytest.raises(ValueError, match=words):
        rank_probabilities(totals, places=places, draws=draws, seed=1)


def test_a_team_without_a_total_cannot_advance(total):
    with pytest.raises(ValueError, match="no total is there for maru"):
        set_probability([total("garam", 70.0, 1.0)], ["maru"], draws=10, seed=1)


@pytest.mark.parametrize(
    ("low", "high", "error"), [(2.0, 1.0, 0.0), (0.0, float("nan"), 0.0), (0.0, 1.0, -1.0)]
)
def test_a_total_without_sense_is_refused(low, high, error):
    with pytest.raises(ValueError, match="narae"):
        bounds("narae", low, high, error)


some_totals = st.lists(
    st.tuples(st.floats(40, 90), st.floats(0, 5), st.floats(0, 20)), min_size=1, max_size=6
).map(
    lambda rows: [
        bounds(f"team-{i}", value, value + width, error)
        for i, (value, error, width) in enumerate(rows)
    ]
)


@settings(max_examples=60, deadline=None)
@given(some_totals, st.integers(0, 7), st.integers(0, 2**40))
def test_places_are_neither_lost_nor_made(totals, places, seed):
    centred = [bounds(t.team, t.low, t.low, t.standard_error) for t in totals]

    found = rank_probabilities(centred, places=places, draws=200, seed=seed)

    assert sum(r.top.low for r in found.teams) == pytest.approx(min(places, len(totals)))
    assert sum(r.lowest.low for r in found.teams) == pytest.approx(1.0)
    assert sum(r.expected_rank.low for r in found.teams) == pytest.approx(
        len(totals) * (len(totals) + 1) / 2
    )


@settings(max_examples=60, deadline=None)
@given(some_totals, st.integers(0, 7), st.data())
def test_bounds_hold_for_every_completion(totals, places, data):
    bounded = rank_probabilities(totals, places=places, draws=100, seed=3)
    shares = data.draw(st.lists(st.floats(0, 1), min_size=len(totals), max_size=len(totals)))
    points = [t.low + share * (t.high - t.low) for t, share in zip(totals, shares, strict=True)]
    completed = [
        bounds(t.team, point, point, t.standard_error)
        for t, point in zip(totals, points, strict=True)
    ]

    found = rank_probabilities(completed, places=places, draws=100, seed=3)

    for wide, narrow in zip(bounded.teams, found.teams, strict=True):
        assert wide.top.low - 1e-9 <= narrow.top.low <= wide.top.high + 1e-9
        assert wide.lowest.low - 1e-9 <= narrow.lowest.low <= wide.lowest.high + 1e-9
        assert wide.expected_rank.low - 1e-9 <= narrow.expected_rank.low
        assert narrow.expected_rank.low <= wide.expected_rank.high + 1e-9


@settings(max_examples=30, deadline=None)
@given(some_totals, st.randoms())
def test_the_order_of_the_teams_changes_nothing(totals, random):
    shuffled = list(totals)
    random.shuffle(shuffled)

    first = rank_probabilities(totals, places=2, draws=100, seed=9)
    second = rank_probabilities(shuffled, places=2, draws=100, seed=9)

    assert {r.team: r for r in first.teams} == {r.team: r for r in second.teams}


def test_the_same_seed_draws_the_same_figures_for_ever(total):
    totals = [total("garam", 75.0, 2.0), total("narae", 74.0, 2.0), total("maru", 73.0, 2.0)]

    found = rank_probabilities(totals, places=1, draws=1_000, seed=20261101)

    # Written down once: a change here is a change of every decision ever replayed.
    assert [ranks.top.low for ranks in found.teams] == [0.556, 0.28, 0.164]
