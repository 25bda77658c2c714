"""The moving target: registered before anybody answers, and ruled on by frozen measurements."""

from datetime import date

import pytest

from dokja.decisions import load_rulebook
from dokja.decisions.rules.frontier import CONVENTION_NAMES, OUTCOMES, window
from dokja.decisions.rules.frontier_checking import BUILT_IN_DROPS
from dokja.errors import EntryError, RulebookError
from dokja.evidence.benchmarks.conventions import CONVENTIONS, read_convention
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.values import Digest

FREEZE, FIRST, LAST = date(2026, 2, 1), date(2026, 2, 3), date(2026, 2, 14)


def system(name, **more):
    return {
        "name": name,
        "version": "1",
        "released": date(2025, 11, 13),
        "sources": ["own"],
        **more,
    }


def frontier(**more):
    return {
        "counts": "gate",
        "rule": "best-of-listed",
        "window_months": 6,
        "freeze_on": FREEZE,
        "measure_between": [FIRST, LAST],
        "benchmarks": ["kmmlu"],
        "verdict": {"ratio": "0.95"},
        "systems": [system(name) for name in ("north", "east", "south")],
        "sources": ["own"],
        **more,
    }


def rules(**more):
    return {"stages.first.frontier": frontier(**more)}


def reach(verdict="clears", **more):
    """A measurement that answers what `frontier` asks."""
    return {
        "stage": "first",
        "team": "garam",
        "model": "garam-1",
        "rulebook": "2026-02",
        "references": ["north", "east", "south"],
        "strictest": "north",
        "required": "0.95",
        "benchmarks": ["kmmlu"],
        "items": 1876,
        "convention": "strict",
        "generalise_to": "new-clusters",
        "decisive": "cluster-t",
        "ratio": "0.9772",
        "standards": [
            {
                "by": "clusters",
                "delta": "0.018",
                "error": "0.015",
                "units": 45,
                "p_reaches": "0.88",
            }
        ],
        "verdict": verdict,
        "reasons": ["interval"] if verdict == "undecided" else [],
        "document": str(Digest.of(b"a comparison")),
        **more,
    }


def opened(a_programme, body=None, **more):
    programme = a_programme(changes=rules(**more)).teams("garam").model("garam")
    programme.ruling("garam", "holds").totals({"garam": 90.0})
    return programme if body is None else programme.enter("reach", body)


def standing(programme):
    (one,) = programme.decision().teams
    return one


def told(programme):
    ruling = standing(programme).frontier
    return ruling.verdict.value, [reason.code for reason in ruling.reasons]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("clears", ("holds", ["frontier-reached"])),
        ("does_not_clear", ("fails", ["frontier-not-reached"])),
        ("undecided", ("undecided", ["frontier-open"])),
    ],
)
def test_team_stands_as_its_measurement_says(a_programme, verdict, expected):
    assert told(opened(a_programme, reach(verdict))) == expected


def test_team_that_was_not_measured_is_undecided_and_is_told_what_would_settle_it(a_programme):
    programme = opened(a_programme)

    assert told(programme) == ("undecided", ["frontier-not-measured"])
    settles = [reason.code for reason in programme.decision().reliability.settles]
    assert "measurement-would-settle" in settles


def test_no_points_buy_off_a_frontier_that_counts_as_a_gate(a_programme):
    behind = standing(opened(a_programme, reach("does_not_clear")))
    beside = standing(opened(a_programme, reach("does_not_clear"), counts="shown"))

    assert [gate.rule for gate in behind.gates] == ["independence", "frontier"]
    assert behind.advances.parts[1].verdict.value == "fails"
    assert behind.advances.verdict.value == "fails"
    assert [gate.rule for gate in beside.gates] == ["independence"]
    assert beside.frontier.verdict.value == "fails"
    assert "frontier" not in [part.rule for part in beside.advances.parts]


def test_stage_without_a_frontier_is_the_same_bytes_as_ever(a_programme):
    programme = a_programme().teams("garam").model("garam").totals({"garam": 90.0})

    document = programme.decision().to_json()

    assert "frontier" not in document["stage"]
    assert [set(team) & {"frontier"} for team in document["teams"]] == [set()]


def test_result_from_outside_the_window_does_not_count(a_programme):
    late = reach(on="2026-02-15")

    assert told(opened(a_programme, late)) == ("undecided", ["frontier-measured-outside"])


@pytest.mark.parametrize(
    ("rule", "verdict", "expected"),
    [
        ("undecided", "clears", ("undecided", ["frontier-system-lost"])),
        ("without-it", "clears", ("holds", ["frontier-reached", "frontier-system-lost"])),
        (
            "undecided",
            "does_not_clear",
            ("fails", ["frontier-not-reached", "frontier-system-lost"]),
        ),
    ],
)
def test_lost_system_can_only_take_a_clearance_away(a_programme, rule, verdict, expected):
    body = reach(verdict, references=["north", "east"])

    assert told(opened(a_programme, body, on_reference_lost=rule)) == expected


def test_answer_to_another_question_is_a_mistake_in_the_evidence_told_whole(a_programme):
    body = reach(required="0.90", convention="valid_only", references=["west"], strictest="west")

    with pytest.raises(EntryError) as caught:
        opened(a_programme, body).decision()

    assert [(mistake.place, mistake.read) for mistake in caught.value.mistakes] == [
        ("required", "'0.90'"),
        ("convention", "'valid_only'"),
        ("references", "west"),
    ]


def test_last_of_several_measurements_counts(a_programme):
    programme = opened(a_programme, reach("undecided")).enter("reach", reach("clears"))

    assert told(programme) == ("holds", ["frontier-reached"])


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"systems": [system("north"), system("east")]}, "systems"),
        ({"rule": "named"}, "systems"),
        ({"measure_between": [LAST, FIRST]}, "measure_between[1]"),
        ({"measure_between": [date(2026, 1, 31), LAST]}, "measure_between[0]"),
        ({"view": {"convention": "ours"}}, "view.convention"),
        (
            {"systems": [system("north"), system("north"), system("east")]},
            "systems[1].name",
        ),
        (
            {"systems": [system("a"), system("b"), system("c", released=date(2025, 7, 31))]},
            "systems[2].released",
        ),
        (
            {"systems": [system("a"), system("b"), system("c", released=date(2026, 2, 2))]},
            "systems[2].released",
        ),
        ({"verdict": {"ratio": "95"}}, "verdict.ratio"),
        ({"verdict": {"ratio": "0.95", "mode": "named"}}, "verdict.mode"),
    ],
)
def test_frontier_that_contradicts_itself_is_told_with_its_place(rules_with, more, place):
    with pytest.raises(RulebookError) as caught:
        load_rulebook(rules_with(rules(**more)), file="rules.toml")

    assert [mistake.place for mistake in caught.value.mistakes] == [
        f"stages.first.frontier.{place}"
    ]


@pytest.mark.parametrize("released", [date(2025, 8, 1), date(2026, 2, 1)])
def test_both_ends_of_the_window_are_inside(rules_with, released):
    systems = [system("a"), system("b"), system("c", released=released)]

    book = load_rulebook(rules_with(rules(systems=systems)), file="rules.toml")

    assert book.stages["first"].frontier.systems[2].released == released


def test_window_begins_on_the_last_day_of_a_shorter_month():
    assert window(date(2026, 3, 31), months=1) == (date(2026, 2, 28), date(2026, 3, 31))


def test_rulebooks_and_measurements_know_the_same_conventions_and_outcomes():
    declared = [each.value for each in Outcome if each.value not in {"scored", "not_run", "void"}]

    assert set(CONVENTION_NAMES) == set(CONVENTIONS)
    assert list(OUTCOMES) == declared


def test_rulebooks_know_what_the_built_in_conventions_drop():
    dropped = {
        name: {outcome.value for outcome, worth in each.worth.items() if worth == "drop"} - {"void"}
        for name, each in CONVENTIONS.items()
    }

    assert {name: set(worth) for name, worth in BUILT_IN_DROPS.items()} == {
        name: outcomes for name, outcomes in dropped.items() if outcomes
    }


def test_outcome_cannot_be_open_and_dropped(rules_with):
    more = {"view": {"convention": "valid_only"}, "open": ["missing", "not_run"]}

    with pytest.raises(RulebookError) as caught:
        load_rulebook(rules_with(rules(**more)), file="rules.toml")

    assert [mistake.place for mistake in caught.value.mistakes] == ["stages.first.frontier.open[0]"]


def test_declared_convention_reaches_the_measurement_as_it_was_written(rules_with):
    worth = dict.fromkeys(OUTCOMES, 0) | {"correct": 1, "missing": "drop", "filtered": "open"}
    changes = {"conventions": {"ours": worth}} | rules(view={"convention": "ours"})

    book = load_rulebook(rules_with(changes), file="rules.toml")
    convention, mistakes = read_convention(
        "ours", book.conventions["ours"].model_dump(), file="rules.toml"
    )

    assert mistakes == ()
    assert convention.worth[Outcome.FILTERED] == "open"
    assert convention.worth[Outcome.CORRECT] == 1.0
