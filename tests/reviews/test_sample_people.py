"""The sample's people and declarations are what its scripts make, and say what they should."""

import importlib
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from dokja.cli.observations import measured_parts
from dokja.decisions.rules import load_rulebook
from dokja.evidence.ballots import read_ballots
from dokja.evidence.ledger import parse_drafts
from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.reviews import read_sheets_file
from dokja.evidence.statistics import bradley_terry

SAMPLE = Path(__file__).parents[2] / "sample"
PROGRAMME = SAMPLE / "programme"
TEAMS = ("dasom", "garam", "maru", "narae", "raon")


@pytest.fixture
def script(monkeypatch):
    """Import a script of `sample/make` and forget it afterwards."""
    monkeypatch.syspath_prepend(str(SAMPLE / "make"))
    yield importlib.import_module
    for name in ("people", "declare"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def rulebook():
    path = PROGRAMME / "rulebook.toml"
    return load_rulebook(path.read_bytes(), file=str(path))


@pytest.fixture(scope="module")
def entries():
    path = PROGRAMME / "entries.jsonl"
    return parse_drafts(path.read_bytes(), file=str(path))


@pytest.mark.parametrize("name", ["people", "declare"])
def test_committed_files_are_what_the_script_makes(script, name, capsys):
    code = script(name).main(["--check"])

    assert (code, capsys.readouterr().out) == (0, "")


def test_check_tells_of_a_file_that_was_edited(script, monkeypatch, tmp_path, capsys):
    people = script("people")
    assert people.main([str(tmp_path)]) == 0
    monkeypatch.setattr(people, "FOLDER", tmp_path)
    assert people.main(["--check"]) == 0
    path = tmp_path / "ballots.jsonl"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"tie"', '"left"', 1), encoding="utf-8"
    )
    capsys.readouterr()

    code = people.main(["--check"])

    assert code == 1
    assert (
        capsys.readouterr().out == f"{path} is not what this script makes; run it without --check\n"
    )


def test_ballots_are_many_and_can_be_read():
    batch = read_ballots(PROGRAMME / "ballots.jsonl", teams=TEAMS)

    assert len(batch.ballots) >= 600
    assert batch.voters >= 120
    assert len({ballot.prompt for ballot in batch.ballots}) == 40
    pairs = Counter(frozenset((vote.left, vote.right)) for vote in batch.votes)
    assert len(pairs) == 10
    assert min(pairs.values()) >= 40


def test_voters_prefer_garam_and_cannot_tell_the_middle_apart():
    batch = read_ballots(PROGRAMME / "ballots.jsonl", teams=TEAMS)

    share = {s.team: s.share for s in bradley_terry(batch.votes, level=0.95, seed=1).teams}

    middle = ("raon", "narae", "dasom")
    assert share["garam"].low > max(share[team].value for team in middle)
    assert share["maru"].high < min(share[team].value for team in middle)
    assert max(share[t].low for t in middle) < min(share[t].high for t in middle)


def test_every_reviewer_wrote_a_sheet_for_every_team(rulebook):
    (part,) = measured_parts(rulebook, stage="final", by="sheets")

    batch = read_sheets_file(
        PROGRAMME / "sheets.jsonl", teams=TEAMS, criteria=part.measure.criteria
    )

    cells = {(sheet.reviewer, sheet.team) for sheet in batch.sheets}
    assert len(cells) == len(batch.sheets) == 7 * 5


def test_rulebook_is_measured_by_what_lies_beside_it(rulebook):
    names = [
        name
        for part in measured_parts(rulebook, stage="final", by="runs")
        for name in part.measure.benchmarks
    ]

    assert sorted(names) == sorted(path.stem for path in (PROGRAMME / "items").glob("*.jsonl"))
    assert rulebook.stages["final"].planned_advance == 4
    assert rulebook.stages["final"].vacancy.stage == "re-entry"


def test_lines_that_the_documents_edit_stand_alone():
    lines = (PROGRAMME / "rulebook.toml").read_text(encoding="utf-8").splitlines()

    starts = Counter(line.split(" = ")[0] for line in lines)
    assert lines.count("accepts = []") == lines.count("planned_advance = 4") == 1
    assert (starts["accepts"], starts["planned_advance"], starts["version"]) == (1, 1, 1)


def test_entries_are_whole_and_name_folders_that_are_there(entries):
    mistakes = [check_body(draft.kind, draft.body, place="here") for draft in entries]

    assert [found for found in mistakes if found] == []
    folders = {d.body["folder"] for d in entries if d.kind == "model"}
    assert folders == {path.name for path in (PROGRAMME / "models").iterdir()}


def test_every_candidate_says_that_it_began_on_its_own(entries):
    models = {d.body["team"]: d.body for d in entries if d.kind == "model"}

    candidates = [team for team, body in models.items() if body["role"] == "candidate"]
    assert sorted(candidates) == list(TEAMS)
    for team in candidates:
        assert models[team]["declared_grade"] == "T4"
        assert {c["origin"] for c in models[team]["components"]} == {"own-initialisation"}
    assert models["hanbit"]["role"] == "reference"


def test_declared_counts_are_those_that_the_recipe_recorded(entries):
    record = json.loads((SAMPLE / "make" / "record.json").read_text(encoding="utf-8"))

    for draft in entries:
        if draft.kind == "model":
            counts = {
                component["tensors"][0]: component["parameters"]
                for component in draft.body["components"]
                if "tensors" in component
            }
            assert counts == record[draft.body["model"]]["parameters"]
            assert draft.body["parameters"] == sum(counts.values())


def test_sample_says_that_its_people_are_invented(entries, script):
    (opening,) = [draft for draft in entries if draft.kind == "programme"]

    assert opening.body["invented"] is True
    assert script("people").SEED in opening.body["note"]["en"]
    assert script("people").SEED in opening.body["note"]["ko"]
