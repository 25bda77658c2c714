"""The reference page names every file and every column; this is what keeps it so."""

import re
from pathlib import Path

import pytest

from dokja.public.reports.document import read_decision
from dokja.public.reports.records import read_records
from dokja.public.reports.tables import tables_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "dossier.md"
PARTS = ("low", "high", "level", "kind", "standard_error", "rests_on", "missing")


@pytest.fixture
def rows():
    found = re.findall(
        r"^\| `([a-z]+\.csv)` \| .* \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    return dict(found)


def test_page_names_every_table_and_column(measured, rows):
    tables = tables_of(read_decision(measured.decision), read_records(measured.entries))

    assert sorted(rows) == sorted(f"{table.name}.csv" for table in tables)
    for table in tables:
        measured = {column for column in table.columns if f"{column}_rests_on" in table.columns}
        of_numbers = {f"{column}_{part}" for column in measured for part in PARTS}
        named = [f"`{column}`" for column in table.columns if column not in of_numbers]
        told = rows[f"{table.name}.csv"].replace(" (eight columns)", "")
        assert told == ", ".join(named)


def test_page_names_every_section(written):
    page = written("measured").html.read_text(encoding="utf-8")
    told = PAGE.read_text(encoding="utf-8")

    for section in ("decision", "reasons", "standing", "gates", "grades", "gaps", "doubt"):
        assert f'id="{section}-ko"' in page
        assert f"`#{section}-ko`" in told
