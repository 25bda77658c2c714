import math
from random import Random
from statistics import mean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics import Mark, rater_mean, student_quantile
from dokja.values import Estimate, Missing, MissingReason

SCALE = (0.0, 35.0)


def marks_of(table):
    return [
        Mark(rater=f"r{r}", team=f"t{t}", value=value)
        for r, row in enumerate(table)
        for t, value in enumerate(row)
        if value is not None
    ]


tables = st.integers(2, 4).flatmap(
    lambda teams: st.lists(
        st.lists(st.floats(0, 35), min_size=teams, max_size=teams), min_size=2, max_size=7
    )
)


def backfitted(marks):
    """Fit teams and severities by turns until nothing moves."""
    worth = dict.fromkeys(sorted({m.team for m in marks}), 0.0)
    severity = dict.fromkeys(sorted({m.rater for m in marks}), 0.0)
    for _ in range(20_000):
        before = dict(worth)
        for team in worth:
            worth[team] = mean(m.value - severity[m.rater] for m in marks if m.team == team)
        for rater in severity:
            severity[rater] = mean(m.value - worth[m.team] for m in marks if m.rater == rater)
        middle = mean(severity.values())
        severity = {rater: value - middle for rater, value in severity.items()}
        if all(abs(worth[team] - before[team]) < 1e-13 for team in worth):
            break
    return worth, severity


@given(tables)
def test_a_full_table_gives_plain_means_and_errors(table):
    found = rater_mean(marks_of(table), level=0.95, scale=SCALE)

    for team, estimate in found.teams:
        column = [row[int(team[1:])] for row in table]
        assert estimate.value == pytest.approx(mean(column))
        if "all alike" not in estimate.method:
            error = stdev(column) / math.sqrt(len(column))
            half = student_quantile(0.975, df=len(column) - 1) * error
            assert estimate.standard_error == pytest.approx(error, abs=1e-6)
            assert estimate.low == pytest.approx(max(0.0, mean(column) - half), abs=1e-5)


def test_missing_cells_are_adjusted_like_the_twin():
    random = Random(3)  # noqa: S311 - a simulation, no secret
    table = [[random.uniform(10, 30) for _ in range(4)] for _ in range(6)]
    for r, t in ((0, 1), (2, 3), (2, 0), (5, 2)):
        table[r][t] = None
    marks = marks_of(table)
    worth, severity = backfitted(marks)

    found = rater_mean(marks, level=0.95, scale=SCALE)

    assert {team: each.value for team, each in found.teams} == pytest.approx(worth, abs=1e-9)
    assert dict(found.severities) == pytest.approx(severity, abs=1e-9)
    for team in worth:
        rest = [backfitted([m for m in marks if m.rater != f"r{r}"])[0][team] for r in range(6)]
        error = math.sqrt(5 / 6 * sum((each - mean(rest)) ** 2 for each in rest))
        assert found.of(team).standard_error == pytest.approx(error, abs=1e-7)


def test_a_team_is_not_punished_for_a_severe_reader():
    # Every rater sees the same two-point gap; the severe one alone read t0, the mild one t2.
    table = [[18.0, 20.0, None], [None, 30.0, 32.0], [23.0, 25.0, 27.0]]

    found = rater_mean(marks_of(table), level=0.95, scale=SCALE)

    assert {t: e.value for t, e in found.teams} == pytest.approx({"t0": 23, "t1": 25, "t2": 27})
    assert dict(found.severities) == pytest.approx({"r0": -5, "r1": 5, "r2": 0}, abs=1e-9)


def test_a_team_with_one_reader_has_no_number():
    found = rater_mean(marks_of([[20.0, 21.0], [22.0, None]]), level=0.95, scale=SCALE)

    assert found.of("t1") == Missing(reason=MissingReason.NOT_COMPARABLE, what=("raters", "t1"))
    assert isinstance(found.of("t0"), Estimate)


def test_panels_that_share_no_team_cannot_be_compared():
    table = [[20.0, 21.0, None, None], [22.0, 20.0, None, None]]
    table += [[None, None, 10.0, 12.0], [None, None, 13.0, 11.0]]

    found = rater_mean(marks_of(table), level=0.95, scale=SCALE)

    assert all(isinstance(each, Missing) for _, each in found.teams)
    assert found.severities == ()


def test_raters_who_agree_exactly_are_not_taken_for_certainty():
    found = rater_mean(marks_of([[30.0]] * 7), level=0.95, scale=SCALE).of("t0")

    assert found.method == "rater-mean, all alike"
    assert found.low < 30.0 < found.high
    assert found.standard_error > 0


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ([Mark(rater="r", team="t", value=1.0)] * 2, "marked twice"),
        ([Mark(rater="r", team="t", value=math.nan)], "not a finite number"),
        ([Mark(rater="r", team="t", value=35.5)], "not a finite number"),
    ],
)
def test_marks_without_sense_are_refused(marks, words):
    with pytest.raises(ValueError, match=words):
        rater_mean(marks, level=0.95, scale=SCALE)


@settings(max_examples=50)
@given(tables, st.randoms())
def test_the_order_of_the_marks_changes_nothing(table, random):
    marks = marks_of(table)
    shuffled = list(marks)
    random.shuffle(shuffled)

    assert rater_mean(shuffled, level=0.9, scale=SCALE) == rater_mean(marks, level=0.9, scale=SCALE)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = Random(11)  # noqa: S311 - a simulation, no secret
    covered = 0
    for _ in range(400):
        table = [
            [20 + severity + random.gauss(0, 1.5) for _ in range(2)]
            for severity in (random.gauss(0, 2) for _ in range(7))
        ]
        found = rater_mean(marks_of(table), level=0.95, scale=SCALE)
        covered += sum(each.low <= 20 <= each.high for _, each in found.teams)

    assert 0.92 <= covered / 800 <= 0.98
