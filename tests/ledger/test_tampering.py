"""Every edit of a ledger is found, and the first bad entry is named."""

import sqlite3
from contextlib import closing

import pytest

from dokja.errors import LedgerBrokenError, LedgerError, LedgerFormatError
from dokja.evidence.ledger import Draft, KeySort, Ledger, SigningKey, Witness, co_sign
from dokja.evidence.ledger.chains import Chain
from dokja.evidence.ledger.leaves import compose_leaf
from dokja.evidence.ledger.registers import NameRegister
from dokja.evidence.ledger.sqlite import SqliteStorage
from dokja.values.trees import Frontier, leaf_hash

ENTRIES = 7
WITNESS = SigningKey("witness.example/w1", bytes(32), KeySort.WITNESS)


@pytest.fixture
def written(ledger_path, drafts, at):
    """A ledger of seven entries that nobody has open."""
    with Ledger(SqliteStorage(ledger_path)) as ledger:
        ledger.append(drafts(ENTRIES, ids=["가람/1"]), at=at)
    return ledger_path


@pytest.fixture
def witnessed(written, log_key, at, tmp_path):
    """Who saw it as it was."""
    state = tmp_path / "outside" / "witness.note"
    state.parent.mkdir()
    with Ledger(SqliteStorage(written)) as ledger:
        note = ledger.checkpoint(log_key)
        signed = co_sign(
            note, ledger=ledger, key=WITNESS, log_keys=[log_key.verifier], seen=None, at=at
        )
    state.write_text(signed, encoding="utf-8")
    return Witness(key=WITNESS.verifier, at=str(state))


def edit(path, *statements):
    """Do as somebody would who has the file and knows SQLite."""
    with closing(sqlite3.connect(path)) as database, database:
        for statement, *values in statements:
            database.execute(statement, values)


def verified(path, **seen):
    with Ledger(SqliteStorage(path)) as ledger:
        return ledger.verify(**seen)


def rebuilt(path, drafts):
    """Do as somebody would who rewrites the whole ledger so that all hashes agree."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM entries")
        database.execute("DELETE FROM nodes")
        database.execute("UPDATE head SET size = 0, root = ?", (Frontier().root,))
    with Ledger(SqliteStorage(path)) as ledger:
        entries = list(drafts)
        ledger.append(entries[0], at=entries[1])


def test_ledger_that_nobody_edited_is_found_whole(written, witnessed, log_key):
    found = verified(written, keys=[log_key.verifier], witnesses=[witnessed])

    assert (found.ok, found.size, found.problems, found.undecided) == (True, ENTRIES, (), ())
    assert found.checked == (
        "7 entries: number, form, id, hash and place in the tree",
        "witness witness.example/w1 of size 7",
    )


def test_every_edit_of_every_byte_of_every_entry_is_found_and_the_entry_named(written):
    with Ledger(SqliteStorage(written)) as ledger:
        leaves = [entry.leaf_bytes for entry in ledger.entries()]
    missed = []
    with closing(sqlite3.connect(written, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=OFF")
        for seq, leaf in enumerate(leaves):
            for place in range(len(leaf)):
                edited = bytearray(leaf)
                edited[place] ^= (0x01, 0x20, 0x80)[place % 3]
                database.execute("UPDATE entries SET leaf = ? WHERE seq = ?", (edited, seq))
                found = verified(written)
                if found.first_bad != seq:
                    missed.append((seq, place, found))
            database.execute("UPDATE entries SET leaf = ? WHERE seq = ?", (leaf, seq))

    assert missed == []
    assert verified(written).ok


def test_every_other_value_of_every_byte_of_a_leaf_is_found():
    leaves = [
        compose_leaf(
            seq,
            entry_id=f"e/{seq}",
            time="2026-01-15T09:30:00Z",
            kind="note",
            actor="가",
            body=b'{"a":[1,2.5]}',
            blobs=(),
        )
        for seq in range(2)
    ]
    kept = {seq: leaf_hash(leaf) for seq, leaf in enumerate(leaves)}
    missed = []

    for place, byte in enumerate(leaves[1]):
        for value in range(256):
            edited = leaves[1][:place] + bytes([value]) + leaves[1][place + 1 :]
            with NameRegister() as register:
                chain = Chain(register=register)
                chain.take([leaves[0], edited], kept=lambda run: kept if not run.level else None)
            if [problem.seq for problem in chain.problems] != ([] if value == byte else [1]):
                missed.append((place, value))

    assert missed == []


def test_every_written_byte_of_the_file_that_is_edited_is_found_or_changes_nothing(
    written, tmp_path
):
    data = written.read_bytes()
    with Ledger(SqliteStorage(written)) as ledger:
        whole = [*ledger.entries()]
    copy = tmp_path / "copy.db"
    places = [place for place, byte in enumerate(data) if byte][::3]
    missed = []

    for place in places:
        copy.write_bytes(data[:place] + bytes([data[place] ^ 0x01]) + data[place + 1 :])
        try:
            with Ledger(SqliteStorage(copy)) as ledger:
                found = ledger.verify()
                read = [*ledger.entries()], [*ledger.entries(kind="note")]
        except LedgerError:
            continue
        finally:
            for beside in ("copy.db-wal", "copy.db-shm"):
                (tmp_path / beside).unlink(missing_ok=True)
        if found.ok and read != (whole, whole):
            missed.append(place)

    assert len(places) > 700
    assert missed == []


@pytest.mark.parametrize("seq", range(ENTRIES))
def test_dropped_row_is_found(written, seq):
    edit(written, ("DELETE FROM entries WHERE seq = ?", seq))

    found = verified(written)

    assert (found.first_bad, found.problems[0].code) == (seq, "missing")


def test_swapped_rows_are_found(written):
    edit(
        written,
        ("UPDATE entries SET seq = 99 WHERE seq = 2",),
        ("UPDATE entries SET seq = 2 WHERE seq = 4",),
        ("UPDATE entries SET seq = 4 WHERE seq = 99",),
    )

    found = verified(written)

    assert [(one.seq, one.code) for one in found.problems] == [(2, "order"), (4, "order")]


def test_swapped_leaves_are_found(written):
    edit(
        written,
        ("UPDATE entries SET leaf = (SELECT leaf FROM entries WHERE seq = 5) WHERE seq = 3",),
    )

    assert verified(written).first_bad == 3


@pytest.mark.parametrize("seq", [ENTRIES, ENTRIES + 3, -1])
def test_inserted_row_is_found(written, seq):
    with Ledger(SqliteStorage(written)) as ledger:
        leaf = ledger.entry(6).leaf_bytes
    edit(written, ("INSERT INTO entries VALUES (?, 'x', 'note', 'now', ?)", seq, leaf))

    found = verified(written)

    assert found.first_bad == seq
    assert not found.ok


def test_row_inserted_in_the_middle_is_found(written):
    edit(
        written,
        ("UPDATE entries SET seq = -seq - 10 WHERE seq >= 3",),
        ("UPDATE entries SET seq = -seq - 9 WHERE seq <= -13",),
        ("INSERT INTO entries SELECT 3, 'x', kind, time, leaf FROM entries WHERE seq = 2",),
        ("UPDATE head SET size = 8",),
    )

    assert verified(written).first_bad == 3


@pytest.mark.parametrize("column", ["id", "kind", "time"])
def test_edited_column_is_found(written, column):
    edit(written, (f"UPDATE entries SET {column} = 'other' WHERE seq = 4",))  # noqa: S608 (ours)

    found = verified(written)

    assert (found.first_bad, found.problems[0].code) == (4, "column")


def test_text_that_is_no_utf8_any_more_is_found_and_its_entry_named(written):
    edit(written, ("UPDATE entries SET id = CAST(x'6eff' AS TEXT) WHERE seq = 4",))

    found = verified(written)

    assert (found.first_bad, found.problems[0].code) == (4, "column")


def test_edited_tree_hash_is_found(written):
    edit(written, ("UPDATE nodes SET hash = zeroblob(32) WHERE key = ?", (1 << 56) + 2))

    found = verified(written)

    assert [str(one) for one in found.problems] == [
        "entry 4: the tree hash over entries 4 to 5 was edited or is missing"
    ]


def test_leaf_whose_kept_hash_was_edited_along_is_found_in_the_tree(written):
    with Ledger(SqliteStorage(written)) as ledger:
        leaf = ledger.entry(3).leaf_bytes.replace(b"words 3", b"words 9")
    edit(
        written,
        ("UPDATE entries SET leaf = ? WHERE seq = 3", leaf),
        ("UPDATE nodes SET hash = ? WHERE key = 3", leaf_hash(leaf)),
    )

    found = verified(written)

    assert (found.first_bad, found.problems[0].code) == (2, "node")


def test_tree_hash_too_many_or_head_edited_is_found(written):
    edit(written, ("INSERT INTO nodes VALUES (?, zeroblob(32))", 99 << 20))
    too_many = verified(written)
    edit(written, ("DELETE FROM nodes WHERE key = ?", 99 << 20))
    edit(written, ("UPDATE head SET root = zeroblob(32)",))
    other_root = verified(written)
    edit(written, ("DELETE FROM head",))
    no_head = verified(written)

    codes = [[one.code for one in found.problems] for found in (too_many, other_root, no_head)]
    assert codes == [["node"], ["head"], ["head"]]


def test_two_entries_of_one_id_are_found_even_without_the_index(written, drafts, at):
    twin = compose_leaf(
        ENTRIES,
        entry_id="note/2",
        time="2026-01-15T09:30:00Z",
        kind="note",
        actor="office",
        body=b"{}",
        blobs=(),
    )
    with Ledger(SqliteStorage(written)) as ledger:
        leaves = [entry.leaf_bytes for entry in ledger.entries()]
    edge = Frontier()
    runs = list(edge.add([leaf_hash(leaf) for leaf in [*leaves, twin]]))
    edit(
        written,
        ("CREATE TABLE other AS SELECT * FROM entries",),
        ("DROP TABLE entries",),
        ("CREATE TABLE entries (seq INTEGER PRIMARY KEY, id, kind, time, leaf)",),
        ("INSERT INTO entries SELECT * FROM other",),
        ("INSERT INTO entries VALUES (7, 'note/2', 'note', '2026-01-15T09:30:00Z', ?)", twin),
        ("UPDATE head SET size = 8, root = ?", edge.root),
        *(
            ("INSERT OR REPLACE INTO nodes VALUES (?, ?)", (run.level << 56) + place, value)
            for run in runs
            for place, value in enumerate(run.hashes, start=run.first)
        ),
    )

    found = verified(written)

    assert [str(one) for one in found.problems] == ["entry 7: its id 'note/2' is that of entry 2"]


def test_cut_tail_is_found_by_a_witness_alone(written, witnessed, log_key, drafts, at):
    rebuilt(written, (drafts(ENTRIES - 2, ids=["가람/1"]), at))

    alone = verified(written)
    found = verified(written, keys=[log_key.verifier], witnesses=[witnessed])

    assert alone.ok
    assert alone.notes[0].startswith("no witness was asked: that the tail was cut")
    assert (found.first_bad, found.problems[0].code) == (5, "tail")


def test_rewritten_history_is_found_by_a_witness_alone(written, witnessed, log_key, drafts, at):
    rebuilt(written, (drafts(ENTRIES + 5, start=1), at))

    found = verified(written, keys=[log_key.verifier], witnesses=[witnessed])

    assert (found.first_bad, found.problems[0].code) == (0, "root")


def test_rewriting_is_narrowed_down_by_what_was_signed_earlier(written, drafts, at, log_key):
    with Ledger(SqliteStorage(written)) as ledger:
        notes = [ledger.checkpoint(log_key, size=size) for size in (3, 5, 7)]
    rebuilt(written, ([*drafts(4, ids=["가람/1"]), *drafts(3, start=9)], at))

    found = verified(written, checkpoints=notes, keys=[log_key.verifier])

    assert [(one.seq, one.code) for one in found.problems] == [(3, "root")]
    assert found.problems[0].words == (
        "it or one up to 4 is not what checkpoint 2 speaks of; entries were edited after they "
        "were written (agreement reaches up to entry 2)"
    )


def test_correction_whose_target_was_changed_is_found(written, drafts, at):
    said = [[*drafts(2, ids=["가람/1"]), *drafts(5, start=9)], at]
    with Ledger(SqliteStorage(written)) as ledger:
        target = ledger.entry(2)
        reason = {"ko": "오기", "en": "a slip"}
        body = {"corrects": target.id, "digest": str(target.digest), "reason": reason, "body": None}
        (entry,) = ledger.append([Draft(kind="correction", actor="office", body=body)], at=at)
        leaf = entry.leaf_bytes
    rebuilt(written, said)
    with Ledger(SqliteStorage(written)) as ledger:
        other = ledger.entry(2).digest
        leaves = [entry.leaf_bytes for entry in ledger.entries()]
    edge = Frontier()
    runs = list(edge.add([leaf_hash(one) for one in [*leaves, leaf]]))
    edit(
        written,
        (
            "INSERT INTO entries VALUES (7, 'correction/7', 'correction', ?, ?)",
            "2026-01-15T09:30:00Z",
            leaf,
        ),
        ("UPDATE head SET size = 8, root = ?", edge.root),
        *(
            ("INSERT OR REPLACE INTO nodes VALUES (?, ?)", (run.level << 56) + place, value)
            for run in runs
            for place, value in enumerate(run.hashes, start=run.first)
        ),
    )

    found = verified(written)

    assert [(one.seq, one.code) for one in found.problems] == [(7, "reference")]
    assert str(other) in found.problems[0].words


def test_edited_entry_is_refused_by_every_reader(written, at, drafts):
    edit(written, ("UPDATE entries SET leaf = replace(leaf, 'words 3', 'words 8')",))
    edit(written, ("UPDATE entries SET leaf = CAST(leaf AS BLOB)",))

    with Ledger(SqliteStorage(written)) as ledger:
        for read in (
            lambda: ledger.entry(3),
            lambda: ledger.find("note/3"),
            lambda: [*ledger.entries()],
            lambda: [*ledger.entries(kind="note")],
            lambda: [*ledger.current()],
        ):
            with pytest.raises(LedgerBrokenError, match="entry 3: its bytes do not have the hash"):
                read()
        assert ledger.entry(2).seq == 2


def test_missing_entry_is_refused_by_readers_and_a_missing_hash_by_writers(written, at, drafts):
    edit(written, ("DELETE FROM entries WHERE seq = 3",), ("DELETE FROM nodes WHERE key = 6",))

    with Ledger(SqliteStorage(written)) as ledger:
        with pytest.raises(LedgerBrokenError, match="entry 3 is missing"):
            [*ledger.entries()]
        with pytest.raises(LedgerBrokenError, match="a tree hash over the entries from 6 on"):
            ledger.append(drafts(1), at=at)
        with pytest.raises(LedgerBrokenError, match="a tree hash over the entries from 6 on"):
            ledger.root()


def test_nothing_is_appended_to_or_signed_over_a_tree_that_was_edited(written, at, drafts, log_key):
    edit(written, ("UPDATE nodes SET hash = zeroblob(32) WHERE key = 6",))

    with Ledger(SqliteStorage(written)) as ledger:
        with pytest.raises(LedgerBrokenError, match="Nothing was appended"):
            ledger.append(drafts(1), at=at)
        with pytest.raises(LedgerBrokenError, match="Nothing was signed"):
            ledger.checkpoint(log_key)
        assert ledger.size == ENTRIES


def test_entry_of_a_newer_format_is_told_apart_from_an_edit(written):
    with Ledger(SqliteStorage(written)) as ledger:
        leaf = ledger.entry(6).leaf_bytes.replace(b'"v":1', b'"v":2')
    edit(written, ("UPDATE entries SET leaf = ? WHERE seq = 6", leaf))
    edited = verified(written)
    edit(written, ("UPDATE nodes SET hash = ? WHERE key = 6", leaf_hash(leaf)))

    assert (edited.first_bad, edited.problems[0].code) == (6, "leaf")
    with pytest.raises(LedgerFormatError, match="format version 2"):
        verified(written)


def test_damaged_pages_are_told(written):
    data = bytearray(written.read_bytes())
    data[5000:9000] = bytes(4000)
    written.write_bytes(data)

    found = verified(written)

    assert not found.ok
    assert found.problems[-1].code == "file"
