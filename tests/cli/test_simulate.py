"""`dokja simulate` as a user meets it: the answer, its document and page, and what it refuses."""

import json
from pathlib import Path

import pytest

from dokja.cli.commands import run

ROOT = Path(__file__).parents[2]
SAMPLE = str(ROOT / "sample/programme/rulebook.toml")
REAL = "k-ai-2025/2026-01-15"
QUICK = ["--draws", "1000", "--gap", "1"]


@pytest.fixture
def told(capsys):
    """What a command line ends with and prints as a document."""

    def run_it(*words):
        code = run(["simulate", *words, *QUICK, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run_it


@pytest.fixture
def refused(capsys):
    """What a command line complains of."""

    def run_it(*words):
        code = run(["simulate", *words, *QUICK])
        printed = capsys.readouterr()
        assert (code, printed.out) == (2, "")
        return printed.err

    return run_it


def test_sample_is_answered_in_one_document(capsys):
    code = run(["simulate", SAMPLE, "--draws", "1000", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert (code, document["schema"], document["stage"]) == (0, "dokja.simulate/1", "final")
    assert (document["teams"], document["places"], document["seed"]) == (5, 4, 20261101)
    assert [at["gap"] for at in document["curve"]] == [0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7, 10]
    assert 0 < document["overall"]["wrong"] < 0.5
    assert len(document["field"]) == 5


def test_what_the_rulebook_says_is_not_called_an_assumption(told):
    _, document = told(SAMPLE)

    said = {(one.get("part"), one["quantity"]): one for one in document["assumptions"]}

    assert said["numerals", "benchmarks"]["origin"] == "rulebook"
    assert said["numerals", "items"]["source"] == "items/numerals.jsonl"
    assert said["expert", "residual_sd"] == {
        "part": "expert",
        "quantity": "residual_sd",
        "value": 0.1,
        "origin": "assumed",
    }


def test_real_programme_is_read_with_its_sources(told):
    code, document = told(REAL, "--stage", "stage-1")

    said = {(one.get("part"), one["quantity"]): one for one in document["assumptions"]}
    assert code == 0
    assert (said["expert", "raters"]["value"], said["user", "raters"]["value"]) == (10, 49)
    assert "digitaltoday" in said["benchmark-global", "benchmarks"]["source"]
    assert said["user", "scale"]["value"] == "to-best"


@pytest.mark.parametrize(("stage", "teams"), [("selection-10", 15), ("selection-5", 10)])
def test_selections_of_the_real_programme_can_be_asked_about(told, stage, teams):
    code, document = told(REAL, "--stage", stage)

    assert (code, document["teams"]) == (0, teams)


def test_settings_overrule_the_design_and_are_told(told):
    _, before = told(SAMPLE)
    _, after = told(SAMPLE, "--set", "expert.raters=700", "--set", "user.voters=100000")

    said = {(one.get("part"), one["quantity"]): one for one in after["assumptions"]}
    assert said["expert", "raters"] == {
        "part": "expert",
        "quantity": "raters",
        "value": 700,
        "origin": "option",
        "source": "--set",
    }
    assert after["noise"]["sd"] < before["noise"]["sd"] / 2
    assert after["overall"]["wrong"] < before["overall"]["wrong"]


def test_design_file_replaces_the_packaged_design(told, tmp_path):
    design = tmp_path / "design.toml"
    design.write_text(
        "format = 1\n[stages.final]\nteams = 6\n[parts.expert]\nraters = 3\n"
        '[parts.expert.sources]\nraters = "letter of the office"\n'
    )

    _, document = told(SAMPLE, "--design", str(design))

    said = {(one.get("part"), one["quantity"]): one for one in document["assumptions"]}
    assert document["teams"] == 6
    assert said["expert", "raters"]["source"] == "letter of the office"
    assert said["numerals", "items"]["origin"] == "assumed"


def test_same_words_give_the_same_bytes(capsys):
    printed = []
    for _ in range(2):
        run(["simulate", SAMPLE, *QUICK])
        printed.append(capsys.readouterr().out)

    assert printed[0] == printed[1]
    assert "a truly better team is sent home" in printed[0]


def test_text_speaks_korean(capsys):
    code = run(["simulate", SAMPLE, *QUICK, "--lang", "ko"])

    assert code == 0
    assert "실제로 더 나은 팀이 탈락" in capsys.readouterr().out


def test_page_holds_both_languages_and_fetches_nothing(capsys, tmp_path):
    page = tmp_path / "simulation.html"

    code = run(["simulate", SAMPLE, *QUICK, "--html", str(page)])

    html = page.read_text()
    assert code == 0
    assert f"page: {page}" in capsys.readouterr().out
    assert "What would halve it" in html
    assert "무엇이 오류를 절반으로 줄이는가" in html
    assert "http" not in html.split("</style>")[1].replace("http-equiv", "")


def test_every_mistake_of_a_design_is_told_at_once(refused, tmp_path):
    design = tmp_path / "design.toml"
    design.write_text(
        "format = 2\nextra = 1\n[stages.final]\nteams = true\n"
        '[parts.expert]\nraters = "ten"\nreaders = 5\n[parts.tail]\nitems = 5\n'
    )

    said = refused(SAMPLE, "--design", str(design), "--set", "nonsense")

    for place in ("format", "'extra'", "teams", "expert.raters", "'readers'", "tail", "nonsense"):
        assert place in said
    assert "Nothing was simulated" in said


def test_part_that_nothing_says_how_to_see_is_named_with_a_remedy(refused, tmp_path):
    design = tmp_path / "empty.toml"
    design.write_text("format = 1\n")

    said = refused(REAL, "--stage", "stage-1", "--design", str(design))

    for part in ("benchmark-nia", "benchmark-global", "benchmark-individual", "expert", "user"):
        assert f"--set {part}.by=panel" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--stage", "re-entry"], "one of final"),
        (["--design", "nowhere.toml"], "a design file"),
        (["--html", "nowhere/page.html"], "a folder that is there"),
        (["--set", "expert.raters=0"], "must be at least 1"),
        (["--set", "teams=4"], "nothing to cut"),
        (["--set", 'generalise_to="everything"'], "not one of blueprint"),
    ],
)
def test_what_cannot_be_is_refused(refused, words, expected):
    assert expected in refused(SAMPLE, *words)


def test_stage_must_be_named_where_several_could_be_meant(refused, tmp_path):
    twice = tmp_path / "rulebook.toml"
    text = Path(SAMPLE).read_text()
    first, last = text.index("[stages.final]"), text.index("# Fills one place")
    twice.write_text(text + text[first:last].replace("stages.final", "stages.second"))

    assert "one of final, second" in refused(str(twice))
