"""Tables of task means: no items, zeros that are failures, columns that change."""

import json

import pytest

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers import import_log, read_livebench
from dokja.evidence.benchmarks.outcomes import Outcome

CATEGORIES = {"reasoning": ["zebra", "web"], "coding": ["lcb", "agent", "fix"]}
TABLE = """model,zebra,web,lcb,agent,fix
one,90,85.5,70,60,50
two,88,80,65,0,55
three,70,75,60,50,
four,80,81,82,83,0.5
five,91,82,83,84,85
"""


def read(tmp_path, table=TABLE, categories=CATEGORIES):
    (tmp_path / "table.csv").write_text(table, encoding="utf-8")
    (tmp_path / "categories.json").write_text(json.dumps(categories), encoding="utf-8")
    return read_livebench(tmp_path / "table.csv", categories=tmp_path / "categories.json")


def test_task_means_have_no_items_and_are_not_paired(tmp_path):
    table = import_log(read(tmp_path)).table

    assert table.items == ("zebra", "web", "lcb", "agent", "fix")
    assert table.strata == ("reasoning", "reasoning", "coding", "coding", "coding")
    assert not table.paired
    assert table.scores[1, 0, 0] == pytest.approx(0.855)
    assert "no_items" in {flag.name for flag in table.flags}


def test_a_zero_beside_peers_and_neighbours_is_missing_and_not_a_score(tmp_path):
    table = import_log(read(tmp_path)).table

    zeros = [flag for flag in table.flags if flag.name == "zero_cell"]
    assert [(flag.systems, flag.facts["task"]) for flag in zeros] == [(("two",), "agent")]
    cell = table.outcomes[table.items.index("agent"), table.systems.index("two"), 0]
    assert Outcome.of_code(int(cell)) is Outcome.MISSING


def test_a_low_score_is_a_score(tmp_path):
    table = import_log(read(tmp_path)).table

    assert table.scores[4, 3, 0] == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("table", "categories", "told"),
    [
        (TABLE.replace("fix", "new"), CATEGORIES, "'new'"),
        (TABLE, {**CATEGORIES, "more": ["web"]}, "stands in reasoning as well"),
        (TABLE.replace("85.5", "120"), CATEGORIES, "'120'"),
        (TABLE.replace("two", "one"), CATEGORIES, "a name once"),
        (TABLE, {"reasoning": "zebra"}, "a list of tasks"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, table, categories, told):
    with pytest.raises(TableError, match=told):
        read(tmp_path, table, categories)
