import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dokja.evidence.statistics.simulating import Panel, PartDesign, StageDesign, cut, outcome_of

PART = PartDesign(part="all", points=100, scale="absolute", seen_by=Panel())


def stage(**more):
    return StageDesign(**({"teams": 4, "places": 2, "parts": (PART,)} | more))


@pytest.mark.parametrize(
    ("rule", "fates"),
    [
        ({}, [1, 0, 0, -1]),
        ({"ties": "all-advance"}, [1, 1, 1, -1]),
        ({"ties": "part", "tie_parts": ("all",)}, [1, -1, 1, -1]),
    ],
)
def test_level_teams_fare_as_the_rule_says(rule, fates):
    totals, breaker = np.array([[9.0, 7.0, 7.0, 1.0]]), np.array([[0.0, 3.0, 4.0, 9.0]])

    assert cut(totals, stage(**rule), breaker=breaker).tolist() == [fates]


def test_what_is_level_in_the_breaking_part_too_stays_open():
    totals, breaker = np.full((1, 4), 5.0), np.array([[4.0, 3.0, 3.0, 1.0]])

    fates = cut(totals, stage(ties="part", tie_parts=("all",)), breaker=breaker)

    assert fates.tolist() == [[1, 0, 0, -1]]


def test_rounding_makes_ties_and_a_margin_makes_more():
    totals = np.array([[9.0, 7.04, 6.96, 6.2]])

    plain, rounded, wide = (
        cut(totals, stage(**more)) for more in ({}, {"decimals": 1}, {"level_within": 1.0})
    )

    assert plain.tolist() == [[1, 1, -1, -1]]
    assert rounded.tolist() == [[1, 0, 0, -1]]
    assert wide.tolist() == [[1, 0, 0, 0]]


def test_margin_takes_in_nobody_beyond_it():
    totals = np.array([[9.0, 7.0, 6.5, 4.0], [9.0, 7.9, 6.5, 4.0]])

    assert cut(totals, stage(level_within=1.0)).tolist() == [[1, 0, 0, -1], [1, 1, -1, -1]]


@given(arrays(np.float64, (6, 4), elements=st.integers(0, 5).map(float)), st.integers(1, 3))
def test_fates_equal_those_of_ranking_one_by_one(totals, places):
    fates = cut(totals, stage(places=places))

    for row, fate in zip(totals, fates, strict=True):
        for team, points in enumerate(row):
            above = sum(other > points for other in row)
            level = sum(other == points for other in row)
            sure = 1 if above + level <= places else (-1 if above >= places else 0)
            assert fate[team] == sure


def test_outcome_counts_a_better_team_sent_home_and_what_it_costs():
    fates = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, 0, 0, -1]], dtype=np.int8)

    found = outcome_of(fates, np.array([9.0, 7.0, 4.0, 1.0]))

    assert (found.wrong, found.undecided, found.draws) == (1 / 3, 1 / 3, 3)
    assert (found.regret, found.going) == (1.0, 5 / 3)


def test_teams_equal_in_truth_are_never_mistaken():
    fates = np.array([[1, -1, 1, -1]], dtype=np.int8)

    assert outcome_of(fates, np.full(4, 5.0)).wrong == 0
