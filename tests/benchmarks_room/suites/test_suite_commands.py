"""`dokja suite`, `dokja sanity` and `dokja rescore`, as a user meets them."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from dokja.cli.commands import run
from dokja.evidence.benchmarks.forms import histories
from dokja.evidence.ledger import open_programme

ROOT = Path(__file__).parents[3]
SEASONS = ROOT / "examples/suites/seasons"


@pytest.fixture
def told(capsys):
    """Runs a command; returns its exit code and all that it printed."""

    def made(*words):
        code = run([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return made


def test_sound_suite_is_described(told):
    code, said = told("suite", "check", SEASONS)

    assert code == 0
    assert "seasons 2026.1: 24 items, 0 of them private" in said


def test_mistakes_end_with_two_and_are_all_told(told, folder, row):
    code, said = told("suite", "check", folder(rows=[row(1, key="Z"), row(2, hint="B")]))

    assert code == 2
    assert "line 1, key" in said
    assert "line 2, hint" in said


def test_way_of_a_private_item_from_promise_to_opening(told, folder, secret, tmp_path):
    path = folder(private=secret())
    assert told("suite", "check", path)[0] == 3

    promised, _ = told("suite", "commit", path)
    checked, said = told("suite", "check", path)
    opened, document = told("suite", "open", path, "private-002")
    (tmp_path / "opening.json").write_text(document)
    public = tmp_path / "public"
    public.mkdir()
    shutil.copy(path / "commitment.json", public)
    fits, _ = told("suite", "open", public, "--check", tmp_path / "opening.json")
    (tmp_path / "opening.json").write_text(document.replace('"seq": ', '"seq": 1'))
    other, _ = told("suite", "open", public, "--check", tmp_path / "opening.json")

    assert (promised, checked, opened, fits, other) == (0, 0, 0, 0, 3)
    assert "아무도 알아서는" not in said
    assert stat.S_IMODE((path / "salts.jsonl").stat().st_mode) == 0o600


def test_promise_is_kept_and_another_one_refused(told, folder, secret):
    path = folder(private=secret())
    told("suite", "commit", path)
    before = (path / "commitment.json").read_bytes(), (path / "salts.jsonl").read_bytes()

    again, _ = told("suite", "commit", path)
    assert (again, before[0]) == (0, (path / "commitment.json").read_bytes())
    path = folder(private=secret(key="A"))
    changed, said = told("suite", "commit", path)

    assert changed == 2
    assert "Give the suite a new version" in said
    assert before == ((path / "commitment.json").read_bytes(), (path / "salts.jsonl").read_bytes())
    assert told("suite", "check", path)[0] == 3


def test_promise_of_an_older_version_is_put_aside(told, folder, secret):
    path = folder(private=secret())
    told("suite", "commit", path)
    before = (path / "commitment.json").read_bytes()
    toml = (path / "suite.toml").read_text().replace("2026.1", "2026.2")
    (path / "suite.toml").write_text(toml)

    code, _ = told("suite", "commit", path)

    assert code == 0
    assert (path / "commitment-2026.1.json").read_bytes() == before


def test_public_or_unknown_item_is_not_opened(told, folder, secret):
    path = folder(private=secret())
    told("suite", "commit", path)

    for name, what in (("item-001", "public"), ("nobody", "not in the suite")):
        code, said = told("suite", "open", path, name)
        assert (code, what in said) == (2, True)


def test_example_passes_the_sanity_suite(told):
    code, said = told("sanity", SEASONS, "--json")
    report = json.loads(said)

    assert (code, report["schema"], report["suite"]) == (0, "dokja.sanity/1", "seasons")
    assert (report["passed"], report["audited"]) == (True, True)


def test_scorer_that_does_not_pass_ends_with_three(told, tmp_path):
    path = tmp_path / "scorer.toml"
    path.write_text(
        '[scorer]\nkind = "pattern"\npattern = "(?P<answer>[^ ]+)"\n'
        'example = "{{key}}"\ntake = "last"\n'
    )

    code, said = told("sanity", path)

    assert code == 3
    assert "may give no evidence" in said


@pytest.mark.parametrize("name", ["magic", "pattern"])
def test_scorer_that_nobody_knows_is_told(told, name):
    code, said = told("sanity", name)

    assert code == 2
    assert "expected choice, exact, numeric, code" in said


def test_trial_enters_the_ledger(told, tmp_path):
    programme = tmp_path / "programme"
    told("new", programme, "--from", ROOT / "sample/programme")

    code, _ = told("sanity", SEASONS, "--programme", programme)
    shown, said = told("ledger", "show", programme, "--kind", "sanity", "--json")

    assert (code, shown) == (0, 0)
    assert '"passed": true' in said


SUMS = """format = 1
name = "sums"
version = "1"
licence = "CC0-1.0"
language = "ko"
budget_tokens = 64

[scorer]
kind = "numeric"
"""


@pytest.fixture
def sums(tmp_path):
    """Writes a suite of sums that the sample's models have learnt, some keys changed."""
    said = (ROOT / "sample/programme/items/sums.jsonl").read_text().splitlines()[:8]
    rows = [json.loads(line) for line in said]

    def made(**changes):
        path = tmp_path / "sums"
        path.mkdir(exist_ok=True)
        (path / "suite.toml").write_text(SUMS)
        (path / "template.txt").write_text("{{question}}\n")
        items = [
            {"id": row["id"], "question": row["prompt"], "key": row["answer"], **changes}
            for row in rows
        ]
        (path / "items.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))
        return path

    return made


@pytest.fixture
def measured(told, sums, tmp_path):
    """A run of the sums by a model of the sample, and what became of them."""
    out = tmp_path / "run"
    model = ROOT / "sample/programme/models/dasom-1"
    code, said = told("measure", model, "--suite", sums(), "--out", out, "--json")
    outcomes = json.loads(said)["outcomes"]
    assert (code, outcomes["correct"] > 0) == (0, True)
    return out, outcomes


def test_run_is_scored_again_without_asking(told, measured):
    out, _ = measured
    before = (out / "records.jsonl").read_bytes()

    code, said = told("rescore", out, "--json")
    found = json.loads(said)

    assert (code, found["samples"], found["changes"]) == (0, 8, [])
    assert (out / "records.jsonl").read_bytes() == before
    assert (Path(found["folder"]) / "records.jsonl").read_bytes() == before


def test_another_scorer_makes_other_records(told, measured):
    out, _ = measured

    code, said = told("rescore", out, "--scorer", "choice", "--json")

    assert code == 0
    assert {each["now"] for each in json.loads(said)["changes"]} == {"no_answer"}


def test_corrected_keys_are_another_scoring(told, measured, sums):
    out, outcomes = measured
    sums(key="1000000")

    code, said = told("rescore", out, "--json")

    found = json.loads(said)
    assert (code, found["changed_items"]) == (0, outcomes["correct"])
    assert found["changes"] == [{"before": "correct", "now": "wrong", "count": outcomes["correct"]}]


def test_other_items_are_refused(told, measured, sums, tmp_path):
    out, _ = measured
    sums(fields={"hint": "none"})

    code, said = told("rescore", out)

    assert code == 2
    assert said.count("the one that was asked") == 8


def test_showing_enters_the_ledger_with_its_items(told, measured, tmp_path):
    out, _ = measured
    programme = tmp_path / "programme"
    told("new", programme, "--from", ROOT / "sample/programme")

    code, said = told(
        *("suite", "expose", out, "--programme", programme),
        *("--organisation", "garam", "--terms", "own-machine", "--on", "2026-08-03"),
    )
    _, shown = told("ledger", "show", programme, "--kind", "exposure", "--json")

    assert (code, said.split(" (")[0]) == (0, "8 items shown to garam")
    assert '"terms": "own-machine"' in shown
    assert '"on": "2026-08-03"' in shown
    opened = open_programme(programme)
    found = histories(opened.ledger.entries(kind="exposure"), opened.blobs.get)
    opened.ledger.close()
    assert len(found) == 8
    assert {each.endpoint for every in found.values() for each in every} == {"embedded"}
