"""Item × model tables by a declared mapping: long, wide, gzipped, Parquet, and what is refused."""

import gzip

import pyarrow as pa
import pytest
from pyarrow import parquet

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers import import_table, parse_mapping, read_plain
from dokja.evidence.benchmarks.outcomes import Charge, Outcome

LONG = """
v = 1
suite = "sums"
[columns]
system = "model"
item = "id"
key = "gold"
answer = "said"
category = "topic"
[answers]
"" = { outcome = "no_answer", cause = "empty", charge = "unknown" }
FAILED = { outcome = "infrastructure_error", cause = "timeout" }
"""
ROWS = """model,id,gold,said,topic
a,1,B,B,x
a,2,C,B,y
a,3,A,,y
b,1,B,C,x
b,2,C,FAILED,y
b,3,A,E,y
"""


def mapping(text, **changes):
    for old, new in changes.items():
        text = text.replace(old, new)
    return parse_mapping(text.encode(), file="mapping.toml")


def outcomes(table):
    return [
        [Outcome.of_code(int(code)).value for code in table.outcomes[:, system, 0]]
        for system in range(len(table.systems))
    ]


def test_a_long_table_keeps_every_kind_of_non_answer_apart(tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    declared = mapping('options = ["A", "B", "C"]\n' + LONG)

    table = import_table(tmp_path / "rows.csv", declared).table

    assert (table.suite, table.items, table.systems) == ("sums", ("1", "2", "3"), ("a", "b"))
    assert outcomes(table) == [
        ["correct", "wrong", "no_answer"],
        ["wrong", "infrastructure_error", "no_answer"],
    ]
    assert table.charges[2, :, 0].tolist() == [Charge.UNKNOWN.code] * 2
    assert table.charges[1, 1, 0] == Charge.HOST.code
    assert table.strata == ("x", "y", "y")


@pytest.mark.parametrize("form", ["csv.gz", "parquet"])
def test_gzip_and_parquet_give_the_same_rows(tmp_path, form):
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    path = tmp_path / f"rows.{form}"
    if form == "parquet":
        header, *lines = [line.split(",") for line in ROWS.splitlines()]
        columns = dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))
        parquet.write_table(pa.table(columns), path)
    else:
        path.write_bytes(gzip.compress(ROWS.encode()))

    plain, other = (read_plain(each, mapping(LONG)) for each in (tmp_path / "rows.csv", path))

    assert plain.outcomes.tolist() == other.outcomes.tolist()
    assert plain.items.names == other.items.names


def test_a_wide_table_has_one_column_for_each_system(tmp_path):
    (tmp_path / "wide.csv").write_text(
        "item,topic,one,two\n1,x,C,W\n2,x,W,\n3,y,M,C\n", encoding="utf-8"
    )
    declared = mapping(
        """
        v = 1
        suite = "s"
        shape = "wide"
        [columns]
        item = "item"
        category = "topic"
        [outcomes]
        C = { outcome = "correct" }
        W = { outcome = "wrong" }
        M = { outcome = "missing" }
        """
    )

    table = import_table(tmp_path / "wide.csv", declared).table

    assert table.systems == ("one", "two")
    assert outcomes(table) == [["correct", "wrong", "missing"], ["wrong", "missing", "correct"]]
    assert {flag.name for flag in table.flags} == {"missing_items"}


def test_scores_and_epochs_are_kept(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "model,id,score,epoch\na,1,0.5,1\na,1,1,2\na,2,,1\na,2,0.25,2\n", encoding="utf-8"
    )
    declared = mapping(
        """
        v = 1
        suite = "s"
        chance = 0.25
        [columns]
        system = "model"
        item = "id"
        score = "score"
        epoch = "epoch"
        """
    )

    table = import_table(tmp_path / "rows.csv", declared).table

    assert table.outcomes.shape == (2, 1, 2)
    assert table.scores[0, 0].tolist() == [0.5, 1.0]
    assert Outcome.of_code(int(table.outcomes[1, 0, 0])) is Outcome.MISSING
    assert table.chance.tolist() == [0.25, 0.25]


def test_rows_are_put_into_the_order_that_a_column_tells(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "model,n,gold,said\na,10,B,B\na,2,A,B\nb,1,A,A\nb,2,B,B\n", encoding="utf-8"
    )
    declared = mapping(
        """
        v = 1
        suite = "s"
        [columns]
        system = "model"
        order = "n"
        key = "gold"
        answer = "said"
        [align]
        by = "order"
        """
    )

    table = import_table(tmp_path / "rows.csv", declared).table

    assert table.items == (":0000", ":0001")
    assert outcomes(table) == [["wrong", "correct"], ["correct", "correct"]]


def test_every_letter_that_is_not_declared_is_told_at_once(tmp_path):
    (tmp_path / "rows.csv").write_text("m,i,o\na,1,C\na,2,Q\na,3,R\n", encoding="utf-8")
    declared = mapping(
        """
        v = 1
        suite = "s"
        [columns]
        system = "m"
        item = "i"
        outcome = "o"
        [outcomes]
        C = { outcome = "correct" }
        """
    )

    with pytest.raises(TableError) as caught:
        read_plain(tmp_path / "rows.csv", declared)

    assert [(each.place, each.read) for each in caught.value.mistakes] == [
        ("o", "'Q'"),
        ("o", "'R'"),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no line at all"),
        (b"model,id,gold,said,topic\na,1\n", "2 cells"),
        (b"model,id\na,1\n", "no column 'gold'"),
        (b"model,id,id\n", "a name twice"),
        (b"\xff\xfe", "utf-8"),
        (b'model,id,gold,said,topic\na,"1,2', "unexpected end of data"),
        (b"model,id,gold,said,topic\n", "no row"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, told):
    (tmp_path / "rows.csv").write_bytes(content)

    with pytest.raises(TableError, match=told):
        import_table(tmp_path / "rows.csv", mapping(LONG))


def test_a_gzip_that_ends_early_is_refused(tmp_path):
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(ROWS.encode() * 100)[:-20])

    with pytest.raises(TableError, match="read"):
        read_plain(tmp_path / "rows.csv.gz", mapping(LONG))


def test_labels_and_categories_come_from_files_beside_the_table(tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "runs.csv").write_text("no,run,of\na,eins,sums\nb,zwei,sums\nb,x,other\n", "utf-8")
    (tmp_path / "topics.csv").write_text("topic,field\nX,left\ny,right\n", encoding="utf-8")
    declared = mapping(
        LONG
        + """
        [systems]
        file = "runs.csv"
        key = "no"
        value = "run"
        match = { of = "sums" }
        [clusters.field]
        of = "category"
        file = "topics.csv"
        key = "topic"
        value = "field"
        [clusters.first]
        of = "item"
        pattern = "^([0-9])"
        """
    )

    table = import_table(tmp_path / "rows.csv", declared).table

    assert table.systems == ("eins", "zwei")
    assert table.clusters == {"field": ("left", "right", "right"), "first": ("1", "2", "3")}


def test_a_name_that_no_file_tells_of_is_a_mistake(tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "runs.csv").write_text("no,run\na,eins\n", encoding="utf-8")
    declared = mapping(LONG + '[systems]\nfile = "runs.csv"\nkey = "no"\nvalue = "run"\n')

    with pytest.raises(TableError, match="no 'b'"):
        read_plain(tmp_path / "rows.csv", declared)


def test_a_mapping_tells_every_mistake_at_once():
    with pytest.raises(TableError) as caught:
        mapping(
            """
            v = 2
            shape = "tall"
            colour = "red"
            chance = 1
            [columns]
            model = "m"
            [outcomes]
            C = { outcome = "right" }
            E = { outcome = "no_answer", cause = "timeout", charge = "nobody known" }
            [systems]
            file = "../runs.csv"
            key = "a"
            value = "b"
            [clusters.c]
            of = "item"
            pattern = "("
            [align]
            by = "luck"
            batch = -1
            """
        )

    assert sorted({each.place for each in caught.value.mistakes}) == [
        "align.batch",
        "align.by",
        "chance",
        "clusters.c.pattern",
        "colour",
        "columns",
        "columns.item",
        "columns.model",
        "columns.system",
        "outcomes",
        "outcomes.C.outcome",
        "outcomes.E.cause",
        "outcomes.E.charge",
        "shape",
        "suite",
        "systems.file",
        "v",
    ]


def test_more_cells_than_memory_holds_are_refused(tmp_path):
    lines = [f"m{n},i{n},1,{n * 10**6}" for n in range(300)]
    (tmp_path / "rows.csv").write_text("m,i,s,e\n" + "\n".join(lines) + "\n", encoding="utf-8")
    declared = mapping(
        'v = 1\nsuite = "s"\n[columns]\nsystem = "m"\nitem = "i"\nscore = "s"\nepoch = "e"\n'
    )

    with pytest.raises(TableError, match="items × systems × epochs"):
        import_table(tmp_path / "rows.csv", declared)


def test_what_is_no_toml_is_told_as_such():
    with pytest.raises(TableError, match="a mapping in TOML"):
        parse_mapping(b"= 1", file="mapping.toml")
