"""The dated versions: what each says, and that each says what the one before it said."""

import pytest

from dokja.decisions.rules import load_rulebook
from dokja.errors import RulebookError


def points(parts):
    return {part.id: part.points for part in parts}


def test_versions_follow_each_other(rulebooks):
    chain = {version: rulebook.supersedes for version, rulebook in rulebooks.items()}

    assert chain == {
        "2025-06-20": None,
        "2026-01-05": "2025-06-20",
        "2026-01-15": "2026-01-05",
        "2026-01-23": "2026-01-15",
    }
    assert [book.in_force.isoformat() for book in rulebooks.values()] == list(rulebooks)
    assert {book.id for book in rulebooks.values()} == {"k-ai-2025"}


def test_stages_are_those_known_on_the_day(rulebooks):
    assert {version: tuple(book.stages) for version, book in rulebooks.items()} == {
        "2025-06-20": ("selection-10", "selection-5"),
        "2026-01-05": ("selection-10", "selection-5", "stage-1"),
        "2026-01-15": ("selection-10", "selection-5", "stage-1", "re-entry"),
        "2026-01-23": ("selection-10", "selection-5", "stage-1", "re-entry"),
    }


def test_presentation_sheet_is_40_30_30(rulebooks):
    for book in rulebooks.values():
        stage = book.stages["selection-5"]

        assert points(stage.parts) == {"record": 40, "goals": 30, "effect": 30}
        assert stage.planned_advance == 5
        assert (stage.objections.days, stage.objections.grounds) == (
            10,
            ("serious-procedural-flaw",),
        )
        assert stage.withheld.fields == ("ranks", "scores", "reviewers")


@pytest.mark.parametrize("version", ["2026-01-05", "2026-01-15", "2026-01-23"])
def test_stage_1_is_40_35_25(rulebooks, version):
    stage = rulebooks[version].stages["stage-1"]

    assert points(stage.parts) == {"benchmark": 40, "expert": 35, "user": 25}
    assert points(stage.parts[0].parts) == {
        "benchmark-nia": 10,
        "benchmark-global": 20,
        "benchmark-individual": 10,
    }
    assert stage.planned_advance == 4
    assert stage.cut_among == "entrants"


def test_no_scale_was_published(rulebooks):
    scales = {
        part.scale
        for book in rulebooks.values()
        for stage in book.stages.values()
        for top in stage.parts
        for part in (top, *top.parts)
    }

    assert scales == {"not-published"}


def test_independence_is_a_gate_from_the_day_it_was_explained(rulebooks):
    gates = {
        version: book.stages["stage-1"].gates
        for version, book in rulebooks.items()
        if "stage-1" in book.stages
    }
    gate = rulebooks["2026-01-15"].gates["independence"]

    assert gates == {
        "2026-01-05": (),
        "2026-01-15": ("independence",),
        "2026-01-23": ("independence",),
    }
    assert (gate.per, gate.rests_on, gate.authority) == ("component", "rulings", "msit")
    assert gate.minimum_grade == "T4"
    assert (gate.controls, gate.detectable_at_most, gate.against) == (
        "required",
        0.5,
        "as-published",
    )


def test_scores_of_the_evaluation_stay_valid_under_later_versions(rulebooks):
    accepted = {
        version: book.stages["stage-1"].accepts
        for version, book in rulebooks.items()
        if "stage-1" in book.stages
    }

    assert accepted == {
        "2026-01-05": (),
        "2026-01-15": ("2026-01-05",),
        "2026-01-23": ("2026-01-05", "2026-01-15"),
    }


def test_vacancy_leads_to_the_re_entry_call(rulebooks):
    before, after = (
        rulebooks[version].stages["stage-1"].vacancy for version in ("2026-01-05", "2026-01-15")
    )

    assert (before.rule, before.stage) == ("leave-open", None)
    assert (after.rule, after.stage) == ("re-entry", "re-entry")


def test_re_entry_is_a_vote_from_its_call(rulebooks):
    unknown = rulebooks["2026-01-15"].stages["re-entry"]
    called = rulebooks["2026-01-23"].stages["re-entry"]

    assert (unknown.kind, called.kind) == ("selection", "vote")
    assert called.vote.questions == ("competes", "contributes")
    assert (called.vote.more_than, called.vote.places, called.vote.may_choose_none) == (
        0.5,
        1,
        True,
    )


def test_use_floors_are_those_of_the_article(rulebooks):
    floors = {
        floor.use: (floor.minimum, floor.better) for floor in rulebooks["2026-01-15"].scheme.floors
    }

    assert floors == {
        "public-administration": ("T4", "T5"),
        "civil-service": ("T3", None),
        "private-business": ("T0", None),
    }


def test_t_scale_is_said_to_be_never_adopted(rulebook_bytes, rulebooks):
    for version, data in rulebook_bytes.items():
        comments = " ".join(
            line.removeprefix("# ")
            for line in data.decode("utf-8").splitlines()
            if line.startswith("#")
        )

        graded = rulebooks[version].scheme is not None
        assert graded is (version != "2025-06-20")
        assert ("The ministry never adopted it" in comments) is graded


def test_unchanged_rules_are_word_for_word_the_same(rulebooks):
    books = [rulebooks[version] for version in ("2025-06-20", "2026-01-05", "2026-01-15")]
    last = rulebooks["2026-01-23"]

    for book in books:
        assert book.stages["selection-10"] == last.stages["selection-10"]
        assert book.stages["selection-5"] == last.stages["selection-5"]
    assert rulebooks["2026-01-15"].gates == last.gates
    assert rulebooks["2026-01-05"].scheme == rulebooks["2026-01-15"].scheme == last.scheme


def test_a_weight_that_does_not_sum_would_be_told(rulebook_bytes):
    data = rulebook_bytes["2026-01-15"].replace(b"points = 35", b"points = 34")

    with pytest.raises(RulebookError) as caught:
        load_rulebook(data, file="edited.toml")

    assert [mistake.place for mistake in caught.value.mistakes] == ["stages.stage-1.parts"]
