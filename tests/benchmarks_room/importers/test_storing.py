"""A stored import comes back whole, is the same bytes again, and is refused once it was changed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers import (
    Imported,
    Origin,
    read_import,
    read_table,
    write_import,
)
from dokja.evidence.benchmarks.outcomes import Charge, Outcome
from dokja.evidence.benchmarks.tables import Flag, OutcomeTable
from dokja.values import Digest

ORIGIN = Origin(
    importer="table", files={"rows.csv": Digest.of(b"rows")}, mapping=Digest.of(b"mapping")
)


def table(items=5, systems=("가", "b"), epochs=1, **changes):
    drawn = np.random.default_rng(items)
    shape = (items, len(systems), epochs)
    made = {
        "suite": "suite",
        "items": tuple(f"item {number}" for number in range(items)),
        "systems": systems,
        "outcomes": drawn.integers(0, len(Outcome), shape, dtype=np.uint8),
        "charges": drawn.integers(0, len(Charge), shape, dtype=np.uint8),
        "strata": tuple("갑을"[number % 2] for number in range(items)),
        "clusters": {"source": tuple(f"s{number // 2}" for number in range(items))},
        "flags": (Flag(name="duplicate", count=1, facts={"example": "item 1", "share": 0.5}),),
    }
    return OutcomeTable(**{**made, **changes})


def same(one, other):
    plain = ("suite", "form", "items", "systems", "strata", "paired", "flags")
    arrays = ("outcomes", "charges", "scores", "chance")
    return (
        all(getattr(one, name) == getattr(other, name) for name in plain)
        and dict(one.clusters) == dict(other.clusters)
        and all(_equal(getattr(one, name), getattr(other, name)) for name in arrays)
    )


def _equal(one, other):
    return one is other is None or np.array_equal(one, other)


@given(
    items=st.integers(1, 9), epochs=st.integers(1, 3), scored=st.booleans(), alone=st.integers(0, 2)
)
def test_what_was_written_comes_back(tmp_path_factory, items, epochs, scored, alone):
    folder = tmp_path_factory.mktemp("store") / "import"
    scores = np.linspace(0, 1, items * 2 * epochs, dtype=np.float32).reshape(items, 2, epochs)
    more = {"scores": scores, "chance": np.full(items, 0.25)} if scored else {}
    written = Imported(
        table=table(items, epochs=epochs, **more),
        alone=tuple(table(3, systems=(f"run {n}",), paired=False) for n in range(alone)),
    )

    write_import(folder, written, origin=ORIGIN)
    read, origin = read_import(folder)

    assert origin == ORIGIN
    assert same(read.table, written.table)
    assert [same(*both) for both in zip(read.alone, written.alone, strict=True)] == [True] * alone
    assert same(read_table(folder), written.table)


def test_the_same_import_is_the_same_bytes(tmp_path):
    digests = [
        write_import(tmp_path / name, Imported(table=table()), origin=ORIGIN) for name in "ab"
    ]

    assert digests[0] == digests[1]
    assert (tmp_path / "a/outcomes.npz").read_bytes() == (tmp_path / "b/outcomes.npz").read_bytes()


def test_a_flipped_bit_in_the_arrays_is_found(tmp_path):
    write_import(tmp_path / "import", Imported(table=table()), origin=ORIGIN)
    arrays = tmp_path / "import/outcomes.npz"
    content = bytearray(arrays.read_bytes())
    content[200] ^= 1
    arrays.write_bytes(content)

    with pytest.raises(TableError, match="changed after it was written"):
        read_import(tmp_path / "import")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("v",), 2, "version 1"),
        (("kind",), "other", "version 1"),
        (("tables", 0, "epochs"), 10**9, "where"),
        (("tables", 0, "items"), ["one"], "where"),
        (("tables", 0, "strata", "codes"), [99] * 5, "names nothing"),
        (("tables",), [], "no table"),
        (("tables", 0, "arrays"), ["outcomes", "secrets"], "secrets"),
    ],
)
def test_a_page_that_does_not_fit_its_arrays_is_refused(tmp_path, place, value, told):
    write_import(tmp_path / "import", Imported(table=table()), origin=ORIGIN)
    page = tmp_path / "import/table.json"
    said = json.loads(page.read_bytes())
    inner = said
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    page.write_text(json.dumps(said), encoding="utf-8")

    with pytest.raises(TableError, match=told):
        read_import(tmp_path / "import")


def test_a_folder_that_is_taken_is_left_as_it_is(tmp_path):
    kept = write_import(tmp_path / "import", Imported(table=table()), origin=ORIGIN)

    with pytest.raises(TableError, match="something there"):
        write_import(tmp_path / "import", Imported(table=table(7)), origin=ORIGIN)

    assert Digest.of((tmp_path / "import/table.json").read_bytes()) == kept
    assert sorted(each.name for each in tmp_path.iterdir()) == ["import"]


def test_a_folder_without_an_import_says_how_to_make_one(tmp_path):
    with pytest.raises(TableError, match="dokja import"):
        read_import(tmp_path)


def test_the_table_that_holds_a_system_is_found():
    imported = Imported(table=table(), alone=(replace(table(systems=("c",)), paired=False),))

    assert imported.holding("c").systems == ("c",)
    with pytest.raises(KeyError):
        imported.holding("d")
