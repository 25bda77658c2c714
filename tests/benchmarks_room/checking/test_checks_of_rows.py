"""Keys held against the letters of rows that somebody else recorded."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from dokja.errors import TableError
from dokja.evidence.benchmarks.checking import Says, check_rows, sheet_of_rows
from dokja.evidence.benchmarks.importers import align, pairing_of, parse_mapping, read_plain

CLICK = Path(__file__).parents[4] / "shared/data/korean-items/click_rows.csv.gz"
MAPPING = """
v = 1
suite = "letters"
shape = "long"
[columns]
system = "system"
item = "id"
key = "gold"
answer = "said"
[answers]
"" = { outcome = "missing" }
[align]
by = "id"
"""


def rows_of(tmp_path, lines, mapping=MAPPING):
    path = tmp_path / "rows.csv"
    path.write_text("system,id,gold,said\n" + "".join(",".join(line) + "\n" for line in lines))
    made = parse_mapping(mapping.encode(), file="mapping.toml")
    rows = read_plain(path, made)
    return rows, align(rows, pairing_of(made)), path


def planted(*, wrong, seed=1, items=150, systems=8):
    """Letters of systems that are right seven times in ten, and keys, some of them wrong."""
    rng = random.Random(seed)  # noqa: S311  # a test
    keys = {f"i{number:03d}": rng.choice("ABCD") for number in range(items)}
    lines = []
    for system in range(systems):
        for item, key in keys.items():
            right = rng.random() < 0.6 + 0.05 * system
            said = key if right else rng.choice("ABCD".replace(key, ""))
            lines.append((f"s{system}", item, wrong.get(item, key), said))
    return keys, lines


def test_a_wrong_key_in_rows_is_found_and_right_ones_are_not(tmp_path):
    keys, _ = planted(wrong={})
    wrong = {item: "ABCD"["ABCD".index(keys[item]) - 1] for item in ("i010", "i100")}
    _, lines = planted(wrong=wrong)
    rows, alignment, _ = rows_of(tmp_path, lines)

    report = check_rows(sheet_of_rows(rows, alignment))

    assert report.says is Says.FOUND
    assert {each.about[0]: each.facts["answer"] for each in report.checks} == {
        item: keys[item] for item in wrong
    }


def test_right_keys_are_told_as_nothing_where_wrong_ones_would_be_seen(tmp_path):
    _, lines = planted(wrong={}, systems=12)
    rows, alignment, _ = rows_of(tmp_path, lines)

    (found,) = check_rows(sheet_of_rows(rows, alignment)).checks

    assert found.says is Says.NOTHING
    assert found.power > 0.8
    assert found.words == "all 150 keys fit the answers of 12 systems"


def test_an_item_with_two_keys_is_looked_at_under_each(tmp_path):
    keys, lines = planted(wrong={})
    other = "ABCD"["ABCD".index(keys["i020"]) - 1]
    lines = [
        (system, item, other if item == "i020" and system in {"s1", "s2"} else key, said)
        for system, item, key, said in lines
    ]
    rows, alignment, _ = rows_of(tmp_path, lines)

    sheet = sheet_of_rows(rows, alignment)
    report = check_rows(sheet)

    assert len(sheet.items) == 151
    assert [each.about for each in report.checks] == [(f"i020 (key {other})",)]


def test_letters_are_taken_once_an_item_from_the_systems_that_are_kept(tmp_path):
    lines = [("a", "x", "A", "B"), ("a", "x", "A", "A"), ("b", "x", "A", "C")]
    lines += [("a", "y", "B", ""), ("b", "y", "B", "unclear"), ("twin", "y", "B", "B")]
    rows, alignment, _ = rows_of(tmp_path, lines)

    sheet = sheet_of_rows(rows, alignment, options=("A", "B", "C"), leave_out=["twin"])

    assert sheet.systems == ("a", "b")
    assert sheet.items == ("x", "y")
    np.testing.assert_array_equal(sheet.answers, [[1, 2], [-1, -1]])
    np.testing.assert_array_equal(sheet.keys, [0, 1])


def test_items_without_a_legal_key_are_left_out_and_counted(tmp_path):
    _, lines = planted(wrong={})
    lines = [
        (system, item, "?" if item == "i007" else key, said) for system, item, key, said in lines
    ]
    rows, alignment, _ = rows_of(tmp_path, lines)

    sheet = sheet_of_rows(rows, alignment, options="ABCD")
    report = check_rows(sheet)

    assert (len(sheet.items), sheet.left_out) == (149, 1)
    (note,) = report.notes
    assert note.startswith("1 item is left out of the question about keys")


def test_rows_without_letters_and_strangers_are_refused_at_once(tmp_path):
    mapping = MAPPING.replace('key = "gold"\nanswer = "said"', 'outcome = "said"')
    mapping = mapping.replace('[answers]\n"" = { outcome = "missing" }', "[outcomes]")
    mapping = mapping.replace("[outcomes]", '[outcomes]\nC = { outcome = "correct" }')
    rows, alignment, _ = rows_of(tmp_path, [("a", "x", "A", "C")], mapping)

    with pytest.raises(TableError) as refused:
        sheet_of_rows(rows, alignment, leave_out=["nobody"])

    assert [each.read for each in refused.value.mistakes] == [
        "rows without answers or without keys",
        "no nobody",
    ]


def test_keys_that_are_texts_are_no_labels(tmp_path):
    rows, alignment, _ = rows_of(tmp_path, [("a", "x", "a whole sentence", "A")])

    with pytest.raises(TableError, match="labels of options"):
        sheet_of_rows(rows, alignment)


def test_the_command_reads_rows_and_says_what_goes_with_what(tmp_path, told):
    _, lines = planted(wrong={}, systems=4)
    _, _, path = rows_of(tmp_path, lines)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING)

    few = told("runs", "check", "--rows", path, "--map", mapping)
    without = told("runs", "check", "--rows", path)
    mixed = told("runs", "check", "--rows", path, "--map", mapping, "--only", "keys")
    neither = told("runs", "check")

    assert few[0] == 4
    assert "4 systems cannot be told into stronger and weaker" in few[1]
    assert without[0] == mixed[0] == neither[0] == 2
    assert "no mapping" in without[2]
    assert "--only: means nothing with --rows" in mixed[2]
    assert "name RUN folders" in neither[2]


def test_the_real_key_that_was_changed_is_found_from_the_rows(told):
    if not CLICK.exists():
        pytest.skip("the answers to Korean items lie beside the repository and are not here")

    code, out, _ = told("runs", "check", "--rows", CLICK, "--map", "hsr87-click", "--json")

    said = json.loads(out)
    found = {each["about"][0]: each["facts"] for each in said["checks"]}
    assert (code, said["items"], len(said["systems"])) == (3, 1995, 27)
    assert found["Kedu_history_23 (key B)"]["answer"] == "A"
    assert "Kedu_history_23 (key A)" not in found
