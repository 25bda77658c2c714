"""The ledger's commands: what they say, how they end, and that a wrong word changes nothing."""

import io
import json
import re
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from dokja.cli.commands import run
from dokja.cli.ledger import ledger
from dokja.evidence.ledger import KeySort, SigningKey, open_programme, write_key

NOTE = {
    "kind": "note",
    "actor": "office",
    "body": {"on": "2026-01-15", "text": {"ko": "가", "en": "a"}},
}
ROOT = r"sha256:[0-9a-f]{64}"


@pytest.fixture
def folder(programme):
    programme.close()
    return programme.folder


@pytest.fixture
def say(capsys):
    """Types a command; returns its exit code and what it printed."""

    def said(*words):
        code = run(["ledger", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return said


@pytest.fixture
def lines(tmp_path):
    """Writes drafts as lines of a file."""

    def written(*drafts):
        path = tmp_path / "entries.jsonl"
        text = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in drafts)
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def filled(folder, say, lines):
    code, _, _ = say("append", folder, "--file", lines(*[NOTE] * 5))
    assert code == 0
    return folder


def size_of(folder):
    programme = open_programme(folder)
    size = programme.ledger.size
    programme.close()
    return size


def edit(folder):
    with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
        leaf = database.execute("SELECT leaf FROM entries WHERE seq = 3").fetchone()[0]
        database.execute(
            "UPDATE entries SET leaf = ? WHERE seq = 3", (leaf.replace(b"office", b"offise"),)
        )


def test_append_tells_what_was_appended(folder, say, lines):
    path = lines(NOTE, "\n", {**NOTE, "id": "가람/1"})

    code, out, _ = say("append", folder, "--file", path, "--json")

    told = json.loads(out)
    assert (code, told["schema"], told["size"]) == (0, "dokja.ledger.append/1", 2)
    assert [(one["seq"], one["id"]) for one in told["entries"]] == [(0, "note/0"), (1, "가람/1")]
    code, out, _ = say("append", folder, "--file", lines(NOTE))
    assert re.fullmatch(rf"1 entries appended, 2 to 2; root {ROOT}\n", out)


def test_append_reads_standard_input(folder, say, monkeypatch):
    data = json.dumps(NOTE).encode()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    code, _, _ = say("append", folder, "--file", "-")

    assert (code, size_of(folder)) == (0, 1)


def test_append_tells_every_mistake_of_every_line_and_appends_nothing(folder, say, lines):
    path = lines(
        NOTE,
        "{not json\n",
        "[1]\n",
        '{"kind": "note", "kind": "note"}\n',
        {"kind": 1, "colour": "red", "blobs": ["x"]},
        {**NOTE, "body": float("nan")},
    )

    code, _, err = say("append", folder, "--file", path)

    places = re.findall(r"entries\.jsonl, (line \d(?:, \w+)?): ", err)
    assert places == [
        "line 2",
        "line 3",
        "line 4",
        "line 5, kind",
        "line 5, colour",
        "line 5, actor",
        "line 5, body",
        "line 5, blobs",
        "line 6",
    ]
    assert (code, size_of(folder)) == (2, 0)
    assert err.endswith("Nothing was appended.\n")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe"])
def test_append_of_a_file_without_drafts_is_refused(folder, say, tmp_path, data):
    (tmp_path / "entries.jsonl").write_bytes(data)

    codes = [
        say("append", folder, "--file", tmp_path / name)[0] for name in ("entries.jsonl", "gone")
    ]

    assert (codes, size_of(folder)) == ([2, 2], 0)


def test_show_shows_entries_as_they_stand(filled, say, lines):
    entry = json.loads(say("show", filled, "1", "--json")[1])["entries"][0]
    reason = {"ko": "오기", "en": "a slip"}
    body = {"corrects": "note/1", "digest": entry["digest"], "reason": reason, "body": None}
    say("append", filled, "--file", lines({"kind": "correction", "actor": "office", "body": body}))

    by_number = json.loads(say("show", filled, "1", "--json")[1])["entries"]
    by_id = json.loads(say("show", filled, "correction/5", "--json")[1])["entries"]
    some = json.loads(say("show", filled, "--start", "1", "--limit", "2", "--json")[1])["entries"]
    code, text, _ = say("show", filled, "note/1")

    assert [(one["seq"], one["body"], one["correction"]) for one in by_number] == [(1, None, 5)]
    assert [(one["seq"], one["kind"], one["correction"]) for one in by_id] == [
        (5, "correction", None)
    ]
    assert [one["seq"] for one in some] == [1, 2]
    assert (code, "corrected by entry 5" in text) == (0, True)


@pytest.mark.parametrize("which", ["99", "nobody"])
def test_show_and_prove_of_an_entry_that_is_not_there_are_told(filled, say, which):
    shown, proved = say("show", filled, which), say("prove", filled, which)

    assert (shown[0], proved[0]) == (2, 2)
    assert "there is no entry" in shown[2]


def test_verify_tells_what_was_compared(filled, say):
    code, text, _ = say("verify", filled)
    told = json.loads(say("verify", filled, "--json")[1])

    assert (code, "nothing contradicts the ledger; 5 entries" in text) == (0, True)
    assert (told["schema"], told["ok"], told["first_bad"]) == ("dokja.ledger.verify/1", True, None)


def test_verify_names_the_first_bad_entry_and_ends_with_3(filled, say):
    edit(filled)

    code, text, _ = say("verify", filled)
    told = say("verify", filled, "--json")

    assert (code, told[0]) == (3, 3)
    assert "  entry 3: its bytes do not have the hash that was kept of it" in text
    assert json.loads(told[1])["first_bad"] == 3


def test_proofs_are_made_and_verified_without_the_ledger(filled, say, tmp_path, log_key):
    growth, entry = tmp_path / "growth.json", tmp_path / "entry.json"
    say(
        "witness",
        filled,
        "--sign",
        "--name",
        "w",
        "--key",
        tmp_path / "k",
        "--state",
        tmp_path / "n",
    )

    made = [
        say("prove", filled, "note/3", "--out", entry),
        say("prove", filled, "--from", "2", "--size", "4", "--out", growth),
    ]
    verified = [
        say("verify", entry, "--key", str(log_key.verifier)),
        say("verify", growth),
        say("verify", entry, "--json"),
    ]
    entry.write_text(entry.read_text().replace("office", "offise"))

    assert [code for code, _, _ in [*made, *verified]] == [0] * 5
    assert "it proves entry 3 in the tree of 5 entries" in verified[0][1]
    assert "it proves growth from 2 entries in the tree of 4 entries" in verified[1][1]
    assert json.loads(verified[2][1])["proved"] == "entry 3"
    assert say("verify", entry)[0] == 3


def test_witness_signs_what_grew_and_finds_a_cut_tail(filled, say, tmp_path, lines):
    state = tmp_path / "w.note"
    words = ("--key", tmp_path / "w.key", "--state", state)

    nameless = say("witness", filled, "--sign", *words)
    first = say("witness", filled, "--sign", "--register", "--name", "w.example/1", *words)
    say("append", filled, "--file", lines(NOTE))
    second = say("witness", filled, "--sign", "--json", *words)
    checked = say("witness", filled, "--check")
    third_party = say("witness", filled, "--check", *words, "--json")
    with closing(sqlite3.connect(filled / "ledger.db")) as database, database:
        database.execute("DELETE FROM entries WHERE seq = 5")
        database.execute("UPDATE head SET size = 5")
    cut = say("witness", filled, "--check")
    state.unlink()

    assert [one[0] for one in (nameless, first, second, checked, third_party)] == [2, 0, 0, 0, 0]
    assert (json.loads(second[1])["size"], json.loads(third_party[1])["ok"]) == (6, True)
    assert "witness w.example/1 of size 6" in checked[1]
    assert (cut[0], "entry 5: it and all after it are missing" in cut[1]) == (3, True)


def test_witness_that_cannot_be_asked_ends_with_4(filled, say, tmp_path):
    words = ("--key", tmp_path / "w.key", "--state", tmp_path / "w.note")
    say("witness", filled, "--sign", "--register", "--name", "w.example/1", *words)
    (tmp_path / "w.note").unlink()

    asked, verified = say("witness", filled, "--check"), say("verify", filled, "--json")

    assert (asked[0], verified[0]) == (4, 4)
    assert "cannot tell: witness w.example/1 could not be asked" in asked[1]
    assert json.loads(verified[1])["ok"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--sign",),
        ("--sign", "--key", "k"),
        ("--check",),
        ("--check", "--key", "k"),
        ("--sign", "--key", "k", "--state", "inside"),
    ],
)
def test_witness_refuses_words_that_do_not_fit(filled, say, words):
    given = [str(filled / "w.note") if word == "inside" else word for word in words]

    code, _, err = say("witness", filled, *given)

    assert (code, bool(err)) == (2, True)
    assert not (filled / "w.note").exists()


def test_witness_with_the_logs_key_is_refused(filled, say, tmp_path, log_key):
    write_key(tmp_path / "w.key", SigningKey("w.example/1", log_key.seed, KeySort.WITNESS))

    code, _, err = say(
        "witness", filled, "--sign", "--key", tmp_path / "w.key", "--state", tmp_path / "w.note"
    )

    assert (code, "one key in two roles" in err) == (2, True)


def test_programme_without_a_log_key_gets_one_when_it_is_first_witnessed(filled, say, tmp_path):
    settings = filled / "programme.toml"
    settings.write_text(settings.read_text().partition("\n[[log_key]]")[0] + "\n")
    (filled / "keys" / "log.key").unlink()
    words = ("--key", tmp_path / "w.key", "--state", tmp_path / "w.note")

    code, _, _ = say("witness", filled, "--sign", "--name", "w.example/1", *words)

    programme = open_programme(filled)
    programme.close()
    assert (code, len(programme.log_keys)) == (0, 1)


def test_export_is_verified_and_an_edit_of_it_found(filled, say, tmp_path):
    out = tmp_path / "ledger.export.jsonl"

    exported = say("export", filled, "--out", out)
    verified = say("verify", out)
    told = json.loads(say("export", filled, "--out", out, "--json")[1])
    out.write_bytes(out.read_bytes().replace(b"office", b"offise", 1))
    edited = say("verify", out, "--json")
    nowhere = say("export", filled, "--out", tmp_path / "no" / "file")

    assert [one[0] for one in (exported, verified, edited, nowhere)] == [0, 0, 3, 2]
    assert (told["file"], told["bytes"]) == (str(out), out.stat().st_size)
    assert json.loads(edited[1])["first_bad"] == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "entries.jsonl",
        out.name,
    ]


def test_file_that_is_neither_export_nor_proof_is_refused(say, tmp_path):
    path = tmp_path / "file"
    path.write_text("{\n")

    assert say("verify", path)[0] == 2


@pytest.mark.parametrize("name", sorted(ledger.commands))
def test_every_command_helps_with_an_example(say, name):
    code, out, _ = say(name, "--help")

    assert (code, f"dokja ledger {name} " in out.partition("Example")[2]) == (0, True)
