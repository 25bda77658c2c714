import re

from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.ledger.kinds import read_body
from dokja.public.reports import figures, pictures
from dokja.public.reports.document import Measure, read_decision

numbers = st.floats(0, 100)


def place(percent):
    assert re.fullmatch(r"\d+\.\d\d%", percent)
    return float(percent.rstrip("%"))


def decision_with_totals(measured, totals):
    for team, (low, value, high) in zip(measured.decision["teams"], totals, strict=True):
        team["total"] |= {"low": low, "value": value, "high": high}
    return read_decision(measured.decision)


def test_axis_holds_every_interval(measured):
    decision = decision_with_totals(measured, [(60, 61, 99.9)] * 4 + [(0.1, 0.1, 0.1)])

    axis = pictures.total_axis(decision)

    assert (axis.low, axis.high) == (0, 100)
    assert axis.ticks[0] == 0
    assert axis.ticks[-1] == 100


def test_axis_of_missing_totals_is_the_whole_of_the_points(unpublished):
    axis = pictures.total_axis(read_decision(unpublished.decision))

    assert (axis.low, axis.high) == (0, 100)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=4))
def test_places_stand_in_the_order_of_their_numbers(triples):
    axis = pictures.Axis(low=0, high=100, ticks=())

    for triple in triples:
        low, middle, high = sorted(triple)
        assert place(axis.at(low)) <= place(axis.at(middle)) <= place(axis.at(high))


def test_strip_is_as_wide_as_all_points(measured):
    decision = read_decision(measured.decision)
    parts = pictures.strip_parts(decision)

    segments = pictures.score_strip(decision.teams[0], parts)

    assert abs(sum(place(one.width) for one in segments) - 100) < 0.05
    assert [one.part for one in segments] == [
        "benchmark-nia",
        "benchmark-global",
        "benchmark-own",
        "expert",
        "user",
    ]


def test_strip_leaves_a_missing_score_open(unpublished):
    decision = read_decision(unpublished.decision)
    skt = next(team for team in decision.teams if team.team == "skt")

    segments = pictures.score_strip(skt, pictures.strip_parts(decision))

    assert [one.filled for one in segments] == [None] * 5


def test_finding_without_effect_has_its_controls_in_the_picture(measured):
    finding = read_body("finding", measured.entries[4].body)

    axis = pictures.effect_axis([finding])

    assert [mark.sort for mark in pictures.effect_marks(finding, axis)] == [
        "derived",
        "independent",
        "detectable",
    ]


def test_layer_map_joins_every_pair():
    drawn = pictures.layer_lines([(0, 0), (1, 1), (2, 1)])

    assert len(drawn["lines"]) == 3
    assert len(drawn["above"]) == 3
    assert len(drawn["below"]) == 2


def test_grade_of_another_scheme_has_no_place():
    assert pictures.grade_place("class-i") is None


@given(numbers, numbers, numbers)
def test_value_is_written_within_the_digits_of_its_interval(first, second, third):
    low, middle, high = sorted((first, second, third))
    measure = Measure(value=middle, low=low, high=high, level=0.95, kind="sampling")

    written = float(figures.value(measure).replace(",", ""))

    assert abs(written - middle) <= max(high - low, 1e-4)


@given(st.floats(0, 1))
def test_share_claims_certainty_only_where_there_is_some(share):
    written = figures.share(share)

    assert (written == "0%") == (share == 0)
    assert (written == "100%") == (share == 1)
