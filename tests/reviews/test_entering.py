"""How ballots and sheets of a programme folder come into its ledger: once, and nothing else."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dokja.cli.people import ballot_drafts, sheet_drafts
from dokja.errors import RulebookError, SuiteError
from dokja.evidence.ledger import Draft
from dokja.values import Digest

TEAMS = ("garam", "maru", "raon")


@pytest.fixture
def ballots(people, rules, day):
    def made(**changes):
        return ballot_drafts(people, rules(**changes), stage="final", on=day, teams=TEAMS)

    return made


@pytest.fixture
def sheets_entered(people, rules, day):
    def made(**changes):
        return sheet_drafts(people, rules(**changes), stage="final", on=day, teams=TEAMS)

    return made


def rewritten(people, name, change):
    path = people.folder / name
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    change(lines)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def test_ballots_are_entered_with_their_scores(people, ballots, enter):
    ids = enter(ballots())

    assert ids == ["ballots/final", *(f"score/final/{team}/user/2026-11-01" for team in TEAMS)]
    entry = people.ledger.find("ballots/final")
    assert entry.body["maker"] == "Made from seed 3."
    assert Digest.of(people.blobs.get(entry.blobs[0])) == entry.blobs[0]


def test_sheets_are_entered_with_their_scores(people, sheets_entered, enter):
    ids = enter(sheets_entered())

    sheets = [f"sheet/final/{team}/{number}" for team in TEAMS for number in (1, 2, 3, 4)]
    assert ids == [*sheets, *(f"score/final/{team}/expert/2026-11-01" for team in TEAMS)]
    score = people.ledger.find("score/final/maru/expert/2026-11-01")
    assert score.body["evidence"] == [f"sheet/final/maru/{number}" for number in (1, 2, 3, 4)]
    assert score.body["invented"] is True


def test_reviewers_are_kept_outside_the_ledger_and_can_be_unsealed(people, sheets_entered, enter):
    enter(sheets_entered())

    names = set()
    for entry in people.ledger.entries(kind="sheet"):
        opened = people.seals.unsealing(entry.body["reviewer"], entry=entry.id)
        names.add(opened["value"])
        people.ledger.append(
            [Draft(kind="unseal", actor="office", body=opened)], at=datetime(2027, 1, 1, tzinfo=UTC)
        )

    assert names == {f"평가위원 {number}" for number in range(4)}


def test_what_was_entered_is_neither_sealed_nor_entered_again(
    people, ballots, sheets_entered, enter
):
    enter([*ballots(), *sheets_entered()])
    kept = sorted(people.seals.path.iterdir())

    again = enter([*ballots(), *sheets_entered()])

    assert again == []
    assert sorted(people.seals.path.iterdir()) == kept
    assert len(kept) == 12


def test_new_version_that_accepts_no_older_scores_anew(people, ballots, sheets_entered, enter):
    enter([*ballots(), *sheets_entered()])

    version = {"version": '"2026-11-15"'}
    ids = enter([*ballots(**version), *sheets_entered(**version)])

    assert ids == [
        f"score/final/{team}/{part}/2026-11-15" for part in ("user", "expert") for team in TEAMS
    ]
    new = people.ledger.find("score/final/maru/expert/2026-11-15")
    old = people.ledger.find("score/final/maru/expert/2026-11-01")
    assert new.body == {**old.body, "rulebook": "2026-11-15"}


def test_new_version_that_accepts_the_older_scores_nothing_twice(
    people, ballots, sheets_entered, enter
):
    enter([*ballots(), *sheets_entered()])

    version = {"version": '"2026-11-15"', "accepts": '["2026-11-01"]'}

    assert enter([*ballots(**version), *sheets_entered(**version)]) == []


def test_ballots_that_were_changed_after_they_were_entered_are_refused(people, ballots, enter):
    enter(ballots())
    size = people.ledger.size
    rewritten(people, "ballots.jsonl", lambda lines: lines.pop())

    with pytest.raises(SuiteError) as caught:
        ballots()

    (mistake,) = caught.value.mistakes
    assert mistake.read.startswith("59 ballots with digest ")
    assert mistake.expected == "those of ledger entry 1 (ballots/final)"
    assert people.ledger.size == size


def test_sheets_that_were_changed_after_they_were_entered_are_refused(
    people, sheets_entered, enter
):
    enter(sheets_entered())

    def change(lines):
        lines[0]["scores"]["technique"] = 1
        lines.pop()

    rewritten(people, "sheets.jsonl", change)

    with pytest.raises(SuiteError) as caught:
        sheets_entered()

    assert [(mistake.read, mistake.expected) for mistake in caught.value.mistakes] == [
        ("4 sheets for garam, with other numbers than were entered", "the 4 sheets of the ledger"),
        ("3 sheets for raon, with other numbers than were entered", "the 4 sheets of the ledger"),
    ]
    assert len([*people.seals.path.iterdir()]) == 12


def test_spaces_and_order_of_a_file_are_not_what_was_entered(
    people, ballots, sheets_entered, enter
):
    enter([*ballots(), *sheets_entered()])
    rewritten(people, "sheets.jsonl", lambda lines: lines.reverse())

    assert enter([*ballots(), *sheets_entered()]) == []


def test_wrong_files_leave_no_seal_and_no_blob(people, ballots, sheets_entered):
    rewritten(people, "sheets.jsonl", lambda lines: lines[3].update(team="hanbit"))
    rewritten(people, "ballots.jsonl", lambda lines: lines[3].update(left="hanbit"))

    for read in (ballots, sheets_entered):
        with pytest.raises(SuiteError):
            read()

    assert list(people.seals.path.iterdir()) == []
    assert [path for path in (people.folder / "blobs").rglob("*") if path.is_file()] == []


def test_folder_without_ballots_and_sheets_has_nothing_to_enter(people, ballots, sheets_entered):
    for name in ("ballots.jsonl", "sheets.jsonl"):
        (people.folder / name).unlink()

    assert (ballots(), sheets_entered()) == ([], [])


def test_criterion_in_two_parts_is_refused(people, rules, day):
    stage = rules().stages["final"]
    expert, user = stage.parts
    both = stage.model_copy(update={"parts": (expert, user.model_copy(update=dict(expert)))})
    twice = replace(rules(), stages={"final": both})

    with pytest.raises(RulebookError, match="'technique' in two parts"):
        sheet_drafts(people, twice, stage="final", on=day, teams=TEAMS)


def test_programme_that_is_not_invented_says_nothing_of_a_maker(people, ballots, enter):
    body = dict(people.ledger.find("programme").body)
    correction = Draft(
        kind="correction",
        actor="office",
        body={
            "corrects": "programme",
            "digest": str(people.ledger.find("programme").digest),
            "reason": {"ko": "실제 사업이다.", "en": "It is a real programme."},
            "body": {**body, "invented": False},
        },
    )
    people.ledger.append([correction], at=datetime(2026, 11, 2, tzinfo=UTC))

    enter(ballots())

    entered = people.ledger.find("ballots/final").body
    assert (entered["invented"], entered["maker"]) == (False, None)
