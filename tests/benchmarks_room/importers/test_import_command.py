"""`dokja import`, as people and programs meet it: exit codes, the document, the folder."""

import json

import pytest

from dokja.cli.commands import run
from dokja.evidence.benchmarks.importers import read_import

MAPPING = """
v = 1
suite = "quiz"
[columns]
system = "model"
item = "id"
key = "key"
answer = "said"
"""
CLEAN = "model,id,key,said\na,1,A,A\na,2,B,C\nb,1,A,B\nb,2,B,B\n"


@pytest.fixture
def imported(tmp_path, capsys):
    """Imports a table with a mapping; returns the exit code, and what was said."""

    def done(table, *words, mapping=MAPPING):
        (tmp_path / "rows.csv").write_text(table, encoding="utf-8")
        (tmp_path / "rows.toml").write_text(mapping, encoding="utf-8")
        place = ["--map", str(tmp_path / "rows.toml")] if mapping else []
        code = run(["import", "table", str(tmp_path / "rows.csv"), *place, *map(str, words)])
        return code, capsys.readouterr()

    return done


def test_a_clean_table_ends_with_0_and_can_be_read_again(imported, tmp_path):
    code, said = imported(CLEAN, "--out", tmp_path / "made")

    table, origin = read_import(tmp_path / "made")
    assert code == 0
    assert "no flag" in said.out
    assert table.table.systems == ("a", "b")
    assert sorted(origin.files) == ["rows.csv"]
    assert origin.mapping is not None


def test_the_document_says_what_people_read(imported):
    code, said = imported(CLEAN + "a,2,A,A\n", "--json")

    document = json.loads(said.out)
    assert (code, document["exit_code"], document["kind"], document["v"]) == (3, 3, "import", 1)
    assert document["systems"][0]["conventions"]["strict"] == "66.67"
    assert [(each["flag"], each["count"]) for each in document["flags"]] == [("id_collision", 1)]


def test_without_a_mapping_nothing_is_guessed(imported):
    code, said = imported(CLEAN, mapping="")

    assert code == 2
    assert "hsr87-click" in said.err


def test_a_path_that_is_not_there_is_told(tmp_path, capsys):
    code = run(["import", "inspect", str(tmp_path / "nothing.eval")])

    assert code == 2
    assert "nothing.eval" in capsys.readouterr().err


def test_a_log_with_parts_missing_ends_with_4(tmp_path, capsys):
    sample = {"id": 1, "epoch": 1, "input": "q", "target": "A", "scores": {"s": {"value": "C"}}}
    spec = {"task": "sums", "model": "m", "dataset": {"sample_ids": [1, 2]}, "config": {}}
    log = {"version": 2, "status": "success", "eval": spec, "samples": [sample]}
    (tmp_path / "log.json").write_text(json.dumps(log), encoding="utf-8")

    code = run(["import", "inspect", str(tmp_path / "log.json")])

    assert code == 4
    assert "incomplete_log 1" in capsys.readouterr().out


def test_task_means_need_their_categories(tmp_path, capsys):
    (tmp_path / "table.csv").write_text("model,one\na,50\n", encoding="utf-8")

    code = run(["import", "livebench", str(tmp_path / "table.csv")])

    assert code == 2
    assert "--categories" in capsys.readouterr().err


def test_printed_figures_are_replayed(imported, tmp_path):
    (tmp_path / "printed.csv").write_text(
        "run,level,published\na,overall,50.0\nb,overall,75.0\n", encoding="utf-8"
    )

    code, said = imported(CLEAN, "--claims", tmp_path / "printed.csv")

    assert code == 3
    assert "claims_replayed 1 · of 2" in said.out
    assert "claim_does_not_replay 1 · b" in said.out


def test_a_figure_that_is_none_is_told_with_its_row(imported, tmp_path):
    (tmp_path / "printed.csv").write_text("run,level,published\na,overall,good\n", encoding="utf-8")

    code, said = imported(CLEAN, "--claims", tmp_path / "printed.csv")

    assert code == 2
    assert "row 2, published" in said.err
