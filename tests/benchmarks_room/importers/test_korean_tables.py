"""The shipped mappings on real rows: every cell is that of a table made by another program."""

import csv
import gzip
from collections import Counter

import numpy as np
import pytest

from dokja.evidence.benchmarks.importers import align, built_in_mapping, import_rows
from dokja.evidence.benchmarks.importers.tables import pairing_of
from dokja.evidence.benchmarks.outcomes import Outcome

LETTERS = {
    "C": Outcome.CORRECT,
    "W": Outcome.WRONG,
    "E": Outcome.NO_ANSWER,
    "N": Outcome.NO_ANSWER,
    "J": Outcome.NO_ANSWER,
    "X": Outcome.FILTERED,
    "F": Outcome.INFRASTRUCTURE_ERROR,
    "M": Outcome.MISSING,
}


@pytest.mark.parametrize(
    ("benchmark", "ways"),
    [
        ("click", {"id": 27}),
        ("haerae", {"raw": 12, "sorted": 8, "none": 2}),
        ("kmmlu", {"raw": 12, "sorted": 13, "gaps": 4, "none": 1}),
    ],
)
def test_every_cell_is_that_of_the_matrix(korean_items, korean_rows, benchmark, ways):
    mapping = built_in_mapping(f"hsr87-{benchmark}")
    rows = korean_rows(benchmark)

    alignment = align(rows, pairing_of(mapping))
    table = import_rows(rows, alignment, duplicates=mapping.duplicates).table

    with gzip.open(korean_items / f"{benchmark}_matrix.csv.gz", "rt", encoding="utf-8") as lines:
        header, *matrix = csv.reader(lines)
    ours = {item: place for place, item in enumerate(table.items)}
    places = [ours[row[0]] for row in matrix]
    codes = {letter: outcome.code for letter, outcome in LETTERS.items()}
    start = len(header) - len(table.systems)
    wanted = np.array([[codes[cell] for cell in row[start:]] for row in matrix], dtype=np.uint8)
    assert Counter(alignment.how) == ways
    assert tuple(header[start:]) == table.systems
    assert sorted(places) == list(range(len(table.items)))
    assert np.array_equal(table.outcomes[places, :, 0], wanted)
    assert [table.strata[place] for place in places] == [
        row[header.index("category")] for row in matrix
    ]


def test_runs_whose_order_differs_stand_alone_and_say_at_how_many_places(korean_rows):
    mapping = built_in_mapping("hsr87-haerae")
    rows = korean_rows("haerae")

    alignment = align(rows, pairing_of(mapping))
    imported = import_rows(rows, alignment)

    names = rows.systems.names
    assert {names[system]: differing for system, differing in alignment.differing.items()} == {
        "gpt-5.2(medium)-2025-12-11": (1197, 0),
        "gpt-5.2-2025-12-11": (1212, 0),
    }
    assert [table.systems for table in imported.alone] == [
        ("gpt-5.2(medium)-2025-12-11",),
        ("gpt-5.2-2025-12-11",),
    ]
    assert not any(table.paired for table in imported.alone)
    assert imported.table.paired


def test_sources_of_click_are_ids_without_their_last_number(korean_rows):
    mapping = built_in_mapping("hsr87-click")
    rows = korean_rows("click")

    table = import_rows(rows, align(rows, pairing_of(mapping)), duplicates="all").table

    sources = table.clusters["source"]
    assert len(set(sources)) == 74
    assert sources[table.items.index("Kedu_16_1#2")] == "Kedu_16"
