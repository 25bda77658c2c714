"""Bad input through the command line: a clear error, exit code 2 or 3, and nothing lost."""

import json
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dokja.cli.commands import run

ROOT = Path(__file__).parents[2]
NFD = "\u1103\u1169\u11a8\u110c\u1161"  # 독자 in letters, as some file systems write it


@pytest.fixture
def folder(judged_sample, tmp_path):
    copied = tmp_path / "sample"
    shutil.copytree(judged_sample, copied)
    return copied


def head(folder):
    done = subprocess.run(
        [sys.executable, "-m", "dokja", "ledger", "verify", str(folder), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(done.stdout)
    return document["size"], document["root"]


def appended(folder, *lines):
    file = folder.parent / "lines.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return run(["ledger", "append", str(folder), "--file", str(file)])


def score(**changes):
    body = {
        "stage": "final",
        "team": "garam",
        "part": "expert",
        "rulebook": "2026-11-01",
        "score": {"value": 30.0, "low": 29.0, "high": 31.0, "level": 0.95, "kind": "sampling"},
        "method": "by-hand",
        "basis": "measured",
        "on": "2026-11-20",
    }
    entry = {"kind": "score", "actor": "office", "body": {**body, **changes}}
    return json.dumps(entry, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([b"{"], ["line 1"]),
        ([b'{"kind": "team"}', b"[]"], ["line 1", "line 2"]),
        ([score().replace(b"30.0", b"NaN")], ["line 1", "NaN"]),
        ([score().replace(b"30.0", b"1e999")], ["line 1"]),
        ([score().replace(b"Z", b"Z").replace(b"by-hand", b"\xff")], ["UTF-8"]),
        ([score(team=NFD)], ["line 1", "NFC"]),
        ([score(strange=1)], ["line 1", "strange"]),
        ([score(), b'{"kind": "gossip", "actor": "a", "body": {}}'], ["line 2", "gossip"]),
    ],
)
def test_lines_that_cannot_be_appended_are_all_told(folder, capsys, lines, told):
    before = head(folder)

    code = appended(folder, *lines)

    said = capsys.readouterr().err
    assert code == 2
    assert [word for word in told if word not in said] == []
    assert head(folder) == before


def test_an_id_that_is_taken_is_refused(folder, capsys):
    before = head(folder)
    entry = {**json.loads(score()), "id": "programme"}

    code = appended(folder, json.dumps(entry).encode())

    assert code == 2
    assert "programme" in capsys.readouterr().err
    assert head(folder) == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {
                "score": {
                    "value": 99.0,
                    "low": 98.0,
                    "high": 99.5,
                    "level": 0.95,
                    "kind": "sampling",
                }
            },
            "99",
        ),
        ({"team": "nobody"}, "nobody"),
        ({"part": "beauty"}, "beauty"),
    ],
)
def test_scores_that_cannot_be_judged_are_told_with_their_entry(folder, capsys, changes, told):
    size, _ = head(folder)
    assert appended(folder, score(**changes)) == 0

    code = run(["judge", str(folder), "--stage", "final"])

    said = capsys.readouterr().err
    assert code == 2
    assert f"entry {size}" in said
    assert told in said


def test_a_score_under_an_older_rule_version_counts_as_missing(folder, tmp_path, capsys):
    rulebook = folder / "rulebook.toml"
    text = rulebook.read_text()
    rulebook.write_text(text.replace('version = "2026-11-01"', 'version = "2026-11-20"', 1))

    code = run(["judge", str(folder), "--stage", "final", "--json"])

    decision = json.loads(capsys.readouterr().out)["decision"]
    assert code == 3  # the gate fails under either version
    assert {row["reason"] for row in decision["missing"]} == {"outdated"}
    assert decision["outcome"]["verdict"] == "undecided"


def test_a_rulebook_edited_under_its_version_is_refused(folder, capsys):
    rulebook = folder / "rulebook.toml"
    rulebook.write_text(rulebook.read_text() + "\n# one more line\n")

    code = run(["judge", str(folder), "--stage", "final"])

    said = capsys.readouterr().err
    assert code == 2
    assert "never edited" in said


@pytest.mark.parametrize(
    "data",
    [b"", b"format = ", b"\xff\xfe", b"format = 1\nformat = 1\n", b"format = 99\n"],
    ids=["empty", "cut", "not UTF-8", "twice", "newer"],
)
def test_rulebooks_that_are_none_are_told(tmp_path, capsys, data):
    file = tmp_path / "rulebook.toml"
    file.write_bytes(data)

    code = run(["rules", "check", str(file)])

    assert code == 2
    assert "rulebook.toml" in capsys.readouterr().err


def test_a_folder_that_is_half_there_is_told_whole(folder, capsys):
    (folder / "rulebook.toml").unlink()
    shutil.rmtree(folder / "blobs")

    code = run(["judge", str(folder), "--stage", "final"])

    said = capsys.readouterr().err
    assert code == 2
    assert "rulebook.toml" in said
    assert "blobs" in said


def test_a_folder_that_is_no_programme_is_told(tmp_path, capsys):
    code = run(["judge", str(tmp_path), "--stage", "final"])

    assert code == 2
    assert "programme.toml" in capsys.readouterr().err


def test_new_refuses_a_folder_that_holds_something(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")

    code = run(["new", str(tmp_path)])

    assert code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_strange_stage_is_told_with_those_there_are(folder, capsys):
    code = run(["judge", str(folder), "--stage", "finale"])

    said = capsys.readouterr().err
    assert code == 2
    assert "final" in said


def test_one_changed_byte_of_the_ledger_is_told(folder, capsys):
    connection = sqlite3.connect(folder / "ledger.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = (folder / "ledger.db").read_bytes()
    (folder / "ledger.db").write_bytes(data.replace(b'"narae"', b'"narai"', 1))

    code = run(["ledger", "verify", str(folder)])

    said = capsys.readouterr()
    assert code == 3
    assert "entry" in said.out + said.err


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04\x95\x00\x00",
        b"PK\x03\x04 a pickle in disguise",
        struct.pack("<Q", 10 * 1024**3) + b"{}",
        struct.pack("<Q", 2) + b"{}" + b"left over",
    ],
    ids=["empty", "pickle", "zip", "10-GB header", "oversized"],
)
def test_hostile_weights_are_told_before_anything_is_observed(folder, capsys, data):
    fresh = folder.parent / "fresh"
    source = folder.parent / "source"
    shutil.copytree(ROOT / "sample/programme", source)
    (source / "models/narae-1/model.safetensors").write_bytes(data)
    assert run(["new", str(fresh), "--from", str(source)]) == 0
    before = head(fresh)

    code = run(["observe", str(fresh), "--stage", "final"])

    assert code == 2
    assert "narae-1" in capsys.readouterr().err
    assert head(fresh) == before


def open_to_all(folder):
    """Let others come and look, from the folder up to where pytest began to close things off."""
    for place in (folder, *folder.parents):
        if place == Path(tempfile.gettempdir()):
            return
        place.chmod(0o755)


def test_a_folder_without_permission_is_told(folder):
    """Root may read everything, so a child gives its rights away first."""
    secret = folder / "ledger.db"
    secret.chmod(0o600)
    open_to_all(folder)
    (folder / "rulebook.toml").chmod(0o000)
    script = (
        # commands are imported when they are run, which needs rights that are then given away
        "import os, sys, dokja.cli.judge; from dokja.cli.commands import run; "
        "os.getuid() or (os.setgid(65534), os.setuid(65534)); "
        f"sys.exit(run(['judge', {str(folder)!r}, '--stage', 'final']))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "permission" in done.stderr.lower()


@pytest.mark.parametrize("words", [["judge", "--stage", "final"], ["grade", "garam-1"]])
def test_nothing_is_judged_from_an_edited_ledger(folder, capsys, words):
    data = (folder / "ledger.db").read_bytes()
    (folder / "ledger.db").write_bytes(data.replace(b'"narae"', b'"narai"', 1))
    before = sorted(folder.glob("decisions/final/*"))

    code = run([words[0], str(folder), *words[1:]])

    assert code == 3
    assert "entry" in capsys.readouterr().err
    assert sorted(folder.glob("decisions/final/*")) == before


def test_a_deleted_entry_is_told_before_judging(folder, capsys):
    connection = sqlite3.connect(folder / "ledger.db")
    with connection:
        connection.execute("DELETE FROM entries WHERE kind = 'finding' AND seq = 100")
    connection.close()

    code = run(["judge", str(folder), "--stage", "final"])

    assert code == 3
    assert "entry 100" in capsys.readouterr().err


def test_a_part_that_nobody_declared_is_told_before_anything_is_observed(folder, capsys):
    source = folder.parent / "source"
    shutil.copytree(ROOT / "sample/programme", source)
    entries = [json.loads(line) for line in (source / "entries.jsonl").read_text().splitlines()]
    for entry in entries:
        if entry.get("id") == "model/raon-1":
            parts = entry["body"]["components"]
            entry["body"]["components"] = [p for p in parts if p["role"] != "vision-encoder"]
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    (source / "entries.jsonl").write_text(text)
    fresh = folder.parent / "fresh"
    assert run(["new", str(fresh), "--from", str(source)]) == 0
    before = head(fresh)

    code = run(["observe", str(fresh), "--stage", "final"])

    said = capsys.readouterr().err
    assert code == 2
    assert "raon-1" in said
    assert "vision_tower." in said
    assert head(fresh) == before


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("ledger", "size", -1),
        ("ledger", "size", True),
        ("ledger", "size", "119"),
        ("rulebook", "digest", "sha256:none"),
        ("rulebook", "digest", None),
        ("stage", "id", None),
    ],
)
def test_a_damaged_decision_is_told_with_its_place(folder, capsys, table, key, value):
    (decision,) = folder.glob("decisions/final/*/decision.json")
    claimed = json.loads(decision.read_bytes())
    claimed[table][key] = value
    decision.write_text(json.dumps(claimed))

    code = run(["judge", "--check", str(decision), str(folder)])

    assert code == 2
    assert f"{table}.{key}: read {value!r}" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"a": NaN}', b"\xff", b"\x80\x04\x95"])
def test_what_is_no_decision_is_told(folder, capsys, data):
    sent = folder.parent / "sent.json"
    sent.write_bytes(data)

    code = run(["judge", "--check", str(sent), str(folder)])

    assert code == 2
    assert "sent.json" in capsys.readouterr().err


def test_two_models_of_one_team_are_told_before_anything_is_observed(folder, capsys):
    source = folder.parent / "source"
    shutil.copytree(ROOT / "sample/programme", source)
    lines = (source / "entries.jsonl").read_text().splitlines()
    second = next(json.loads(line) for line in lines if '"model/garam-1"' in line)
    second["id"], second["body"]["model"] = "model/garam-2", "garam-2"
    (source / "entries.jsonl").write_text("\n".join([*lines, json.dumps(second)]))
    fresh = folder.parent / "fresh"
    assert run(["new", str(fresh), "--from", str(source)]) == 0
    before = head(fresh)

    code = run(["observe", str(fresh), "--stage", "final"])

    assert code == 2
    assert "team garam: read several models with files" in capsys.readouterr().err
    assert head(fresh) == before


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("programme.toml", 'id = "x"\ntitle = "Sample"\n', "title"),
        ("programme.toml", "id = ", "programme.toml"),
        ("rulebook.toml", "format = 1\n", "rulebook.toml"),
        ("entries.jsonl", '{"kind": "gossip", "actor": "a", "body": {}}\n', "line 1"),
        ("entries.jsonl", "TWICE", "twice"),
    ],
)
def test_new_from_a_wrong_source_leaves_nothing_behind(tmp_path, capsys, file, text, told):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "sample/programme", source)
    if text == "TWICE":
        line = (source / "entries.jsonl").read_text().splitlines(keepends=True)[1]
        text = line + line
    (source / file).write_text(text)

    code = run(["new", str(tmp_path / "fresh"), "--from", str(source)])

    assert code == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
