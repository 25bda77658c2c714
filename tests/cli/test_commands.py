"""The command line as a user meets it: help that works, exit codes, one JSON document."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dokja.cli.commands import dokja, run
from dokja.evidence.ledger import open_programme

ROOT = Path(__file__).parents[2]


def leaves(command, path=("dokja",)):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))
    else:
        yield path, command


COMMANDS = dict(leaves(dokja))


def test_help_is_a_map(capsys):
    code = run(["--help"])

    said = capsys.readouterr().out
    assert code == 0
    names = dokja.list_commands(click.Context(dokja))
    assert [name for name in names if f"\n  {name} " in said] == names


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(path):
    help_text = COMMANDS[path].help or ""

    assert re.search(rf"^\s+{' '.join(path)}(?: |$)", help_text, flags=re.MULTILINE)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path[-1] != "show"], ids=" ".join)
def test_every_command_can_speak_json(path):
    assert "as_json" in {parameter.name for parameter in COMMANDS[path].params}


def test_python_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "dokja", "--version"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "dokja, version 0.1.0\n")


@pytest.mark.parametrize(
    "words",
    [
        ["judge"],
        ["judge", "nowhere", "--stage", "x", "--strange"],
        ["nonsense"],
        ["ledger", "prove"],
    ],
)
def test_wrong_usage_ends_with_2(words):
    assert run(words) == 2


def test_judge_speaks_one_json_document(judged_sample, tmp_path, capsys):
    folder = tmp_path / "sample"
    shutil.copytree(judged_sample, folder)

    code = run(["judge", str(folder), "--stage", "final", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 3
    assert document["schema"] == "dokja.judge/1"
    assert document["decision"]["schema"] == "dokja.decision/1"
    assert Path(document["dossier"]).exists()


def test_judging_again_gives_the_same_bytes_and_place(judged_sample, tmp_path, capsys):
    folder = tmp_path / "sample"
    shutil.copytree(judged_sample, folder)
    (before,) = folder.glob("decisions/final/*/decision.json")
    bytes_before = before.read_bytes()

    run(["judge", str(folder), "--stage", "final"])

    assert [*folder.glob("decisions/final/*/decision.json")] == [before]
    assert before.read_bytes() == bytes_before


def test_check_of_an_untouched_decision_is_identical(judged_sample, capsys):
    (decision,) = judged_sample.glob("decisions/final/*/decision.json")

    code = run(["judge", "--check", str(decision), str(judged_sample), "--json"])

    assert code == 0
    assert json.loads(capsys.readouterr().out)["identical"] is True


def test_check_still_holds_after_the_ledger_has_grown(judged_sample, tmp_path, capsys):
    folder = tmp_path / "sample"
    shutil.copytree(judged_sample, folder)
    note = {
        "kind": "note",
        "actor": "office",
        "body": {"on": "2026-11-24", "text": {"ko": "나중의 일", "en": "Something later"}},
    }
    (tmp_path / "note.jsonl").write_text(json.dumps(note))
    appended = run(["ledger", "append", str(folder), "--file", str(tmp_path / "note.jsonl")])
    (decision,) = folder.glob("decisions/final/*/decision.json")

    code = run(["judge", "--check", str(decision), str(folder)])

    assert (appended, code) == (0, 0)


def test_check_names_what_differs(judged_sample, tmp_path, capsys):
    (decision,) = judged_sample.glob("decisions/final/*/decision.json")
    changed = json.loads(decision.read_bytes())
    changed["outcome"]["planned"] = 5
    sent = tmp_path / "decision.json"
    sent.write_text(json.dumps(changed))

    code = run(["judge", "--check", str(sent), str(judged_sample), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 3
    assert [row for row in document["differences"] if row.startswith("outcome.planned")]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_judge_names_who_goes_on(judged_sample, tmp_path, capsys, lang):
    folder = tmp_path / "sample"
    shutil.copytree(judged_sample, folder)

    run(["judge", str(folder), "--stage", "final", "--lang", lang])

    said = capsys.readouterr().out
    assert "가람" in said if lang == "ko" else "Garam" in said


def test_grade_of_an_honest_model_is_what_it_declared(judged_sample, capsys):
    code = run(["grade", str(judged_sample), "garam-1", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["difference"] == "same"


def test_grade_of_a_derived_model_is_lower(judged_sample, capsys):
    code = run(["grade", str(judged_sample), "dasom-1", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 3
    assert document["difference"] == "lower"


def test_observing_that_is_killed_goes_on_where_it_was(tmp_path):
    """Each kill comes at another moment; what was acknowledged stays, and nothing is doubled."""
    folder = tmp_path / "sample"
    run(["new", str(folder), "--from", str(ROOT / "sample/programme")])
    command = [sys.executable, "-m", "dokja", "observe", str(folder), "--stage", "final"]
    sizes = []
    for seconds in (1.3, 2.1, 2.6):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as observing:
            try:
                observing.wait(seconds)
            except subprocess.TimeoutExpired:
                observing.kill()
        with open_programme(folder).ledger as ledger:
            assert ledger.verify().ok
            sizes.append(ledger.size)

    code = run(["observe", str(folder), "--stage", "final"])

    assert code == 0
    assert sizes == sorted(sizes)
    with open_programme(folder).ledger as ledger:
        ids = [entry.id for entry in ledger.entries() if entry.kind != "finding"]
        findings = [
            (entry.body["model"], entry.body["component"], entry.body["reference"])
            for entry in ledger.entries(kind="finding")
        ]
    assert len(ids) == len(set(ids)) == 97
    assert len(findings) == len(set(findings)) == 27
    # One kill can leave one batch of seals that no entry names; more would be sealing in vain.
    assert len([*(folder / "sealed").iterdir()]) in {35, 70}
