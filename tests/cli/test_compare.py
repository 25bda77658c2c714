"""`dokja compare`: exit codes, the registered question, and the entry that a judge reads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dokja.cli.commands import run
from dokja.evidence.benchmarks.outcomes import Outcome, default_charge
from dokja.evidence.benchmarks.storing import Imported, Origin, write_import
from dokja.evidence.benchmarks.tables import OutcomeTable

ROOT = Path(__file__).parents[2]
CLEARS, FAILS, UNDECIDED, USAGE = 0, 3, 4, 2


def right(share, *, of=600, seed=1):
    drawn = np.random.default_rng(seed).permutation(of) < round(share * of)
    return [Outcome.CORRECT if each else Outcome.WRONG for each in drawn]


@pytest.fixture(scope="module")
def quiz(tmp_path_factory):
    """A folder of outcomes as `dokja import` writes it."""
    systems = {
        "best": right(0.8),
        "good": right(0.79, seed=2),
        "near": right(0.76, seed=3),
        "far": right(0.3),
    }
    codes = np.array([[each.code for each in column] for column in systems.values()], np.uint8)
    charges = np.array(
        [[default_charge(each).code for each in column] for column in systems.values()], np.uint8
    )
    table = OutcomeTable(
        suite="quiz",
        items=tuple(f"i{n}" for n in range(600)),
        systems=tuple(systems),
        outcomes=np.ascontiguousarray(codes.T)[:, :, None],
        charges=np.ascontiguousarray(charges.T)[:, :, None],
        strata=tuple(f"g{n % 30}" for n in range(600)),
    )
    folder = tmp_path_factory.mktemp("tables") / "quiz"
    write_import(folder, Imported(table=table), origin=Origin(importer="test"))
    return folder


@pytest.mark.parametrize(
    ("candidate", "ratio", "code"),
    [("good", "0.9", CLEARS), ("near", "0.95", UNDECIDED), ("far", "0.95", FAILS)],
)
def test_answer_is_the_exit_code(quiz, capsys, candidate, ratio, code):
    words = ["compare", candidate, "--against", "best", "--in", str(quiz), "--ratio", ratio]

    found = run([*words, "--json"])

    said = json.loads(capsys.readouterr().out)
    assert found == code
    assert said["schema"] == "dokja.compare/1"
    assert said["ratio_required"] == ratio
    assert said["registered"] is False


def test_people_are_told_that_it_is_no_programme_decision(quiz, capsys):
    run(["compare", "near", "--against", "best", "--in", str(quiz)])

    said = capsys.readouterr().out
    assert "not a programme decision" in said
    assert "Undecided: whether near reaches 0.95 times the frontier cannot be told" in said


@pytest.mark.parametrize(
    "words",
    [
        ["near", "--in", "QUIZ"],
        ["near", "--against", "best"],
        ["near", "--against", "best", "--in", "QUIZ", "--ratio", "95"],
        ["near", "--against", "best", "--in", "QUIZ", "--convention", "ours"],
        ["near", "--against", "best", "--in", "QUIZ", "--chance", "2"],
        ["near", "--against", "nobody", "--in", "QUIZ"],
        ["near", "--against", "best", "--in", "QUIZ", "--label", "near"],
        ["near", "--against", "best", "--in", "nowhere"],
    ],
)
def test_question_that_cannot_be_asked_is_refused(quiz, capsys, words):
    code = run(["compare", *(str(quiz) if word == "QUIZ" else word for word in words)])

    assert code == USAGE
    assert capsys.readouterr().err.strip()


def test_ratio_above_one_can_be_asked_for(quiz, capsys):
    words = ["compare", "good", "--against", "best", "--in", str(quiz), "--ratio", "1.2", "--json"]

    assert run(words) == FAILS
    assert json.loads(capsys.readouterr().out)["ratio_required"] == "1.2"


def test_observed_sample_stands_beside_its_frontier(judged_sample, capsys):
    folder = max((judged_sample / "decisions/final").iterdir())
    decision = json.loads((folder / "decision.json").read_text())

    stands = {team["team"]: team["frontier"]["verdict"] for team in decision["teams"]}

    assert stands == {
        "dasom": "holds",
        "garam": "holds",
        "maru": "fails",
        "narae": "undecided",
        "raon": "holds",
    }
    gates = {team["team"]: [gate["rule"] for gate in team["gates"]] for team in decision["teams"]}
    assert set(map(tuple, gates.values())) == {("independence",)}


def test_question_of_a_rulebook_is_answered_and_entered_once(judged_sample, tmp_path, capsys):
    folder = tmp_path / "sample"
    shutil.copytree(judged_sample, folder)
    asked = ["compare", "garam-1", "--rulebook", str(folder / "rulebook.toml"), "--stage", "final"]

    code = run([*asked, "--ratio", "0.5", "--in", str(folder)])

    assert code == USAGE
    assert "--ratio: what is asked is fixed by the rulebook" in capsys.readouterr().err
