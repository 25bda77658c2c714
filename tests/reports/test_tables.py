import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.public.reports.spreadsheets import Table, spreadsheet

TABLES = {
    "standing",
    "scores",
    "gates",
    "components",
    "uses",
    "findings",
    "controls",
    "builds",
    "checks",
    "missing",
    "sealed",
    "aggregates",
    "disputes",
    "claims",
    "awards",
    "notes",
    "sources",
    "parts",
    "entries",
}


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


def table(written, case, name):
    return rows_of(next(path for path in written(case).csv if path.stem == name))


def test_there_is_a_file_for_every_table(written):
    assert {path.stem for path in written("unpublished").csv} == TABLES


def test_file_begins_with_the_mark_that_korean_excel_needs(written):
    for path in written("unpublished").csv:
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_missing_score_is_an_empty_cell_beside_its_reason(written):
    rows = {(row["team"], row["part"]): row for row in table(written, "unpublished", "scores")}

    assert rows["lg", "expert"]["score"] == "31.6"
    assert rows["lg", "expert"]["score_missing"] == ""
    assert rows["skt", "expert"]["score"] == ""
    assert rows["skt", "expert"]["score_missing"] == "not-published"


def test_no_missing_number_is_written_as_zero(written):
    for row in table(written, "unpublished", "standing"):
        assert (row["total"] == "") == (row["total_missing"] != "")


def test_unknown_ranks_are_empty(written):
    row = table(written, "undecided", "standing")[0]

    assert (row["best_rank"], row["worst_rank"], row["ranks_basis"]) == ("", "", "none")


def test_reasons_stand_in_both_languages(written):
    row = next(row for row in table(written, "unpublished", "gates") if row["team"] == "naver")

    assert row["reasons_ko"].startswith("과학기술정보통신부가 시각 인코더에 대해 ‘독자성’ 기준을")
    assert row["reasons_en"].startswith(
        "MSIT (Ministry of Science and ICT) ruled on the vision encoder"
    )


def test_finding_keeps_its_controls_and_its_power(written):
    finding = next(row for row in table(written, "measured", "findings") if row["entry"] == "2")
    controls = [row for row in table(written, "measured", "controls") if row["finding"] == "2"]

    assert finding["minimum_detectable"] == "0.11"
    assert finding["layer_map"] == "0:0 1:1 2:2 3:1 4:2 5:3"
    assert [(row["kind"], row["found"]) for row in controls] == [
        ("derived", "true"),
        ("independent", "false"),
    ]


@pytest.mark.parametrize(
    "text", ["=1+1", "+82", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", '=HYPERLINK("x")']
)
def test_text_that_a_spreadsheet_would_run_is_quoted(text):
    made = spreadsheet(Table(name="t", columns=("a",), rows=((text,),))).decode("utf-8-sig")

    assert next(iter(csv.reader(io.StringIO(made.split("\r\n", 1)[1], newline=""))))[0][0] == "'"


def test_negative_number_stays_a_number():
    made = spreadsheet(Table(name="t", columns=("a",), rows=((-0.5,),)))

    assert made.decode("utf-8-sig") == "a\r\n-0.5\r\n"


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1), min_size=1)
)
def test_text_survives_the_file_whatever_it_holds(texts):
    cells = [text for text in texts if not text.lstrip(" ").startswith(tuple("=+-@＝＋－＠"))]

    made = spreadsheet(Table(name="t", columns=("a",), rows=tuple((cell,) for cell in cells)))

    read = list(csv.reader(io.StringIO(made.decode("utf-8-sig"), newline="")))
    assert [row[0] for row in read[1:]] == cells
