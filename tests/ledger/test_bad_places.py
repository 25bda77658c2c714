"""Full disks, read-only folders, files that are no ledgers: a clear error, an unchanged ledger."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from dokja.errors import LedgerBrokenError, LedgerError, LedgerFormatError, LedgerWriteError
from dokja.evidence.ledger import Blobs, Ledger
from dokja.evidence.ledger.sqlite import SqliteStorage

NOBODY = 65534
STRANGER = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from dokja.errors import DokjaError
from dokja.evidence.ledger import Draft, Ledger
from dokja.evidence.ledger.sqlite import SqliteStorage
os.setgroups([]); os.setgid({user}); os.setuid({user})  # who may not read our modules either
told = []
try:
    ledger = Ledger(SqliteStorage(Path(sys.argv[1])))
    told.append(ledger.size)
    told.append(ledger.verify().ok)
    body = {{"on": "2026-01-15", "text": {{"ko": "가", "en": "a"}}}}
    ledger.append([Draft(kind="note", actor="office", body=body)], at=datetime.now(UTC))
except DokjaError as error:
    told.append([type(error).__name__, str(error)])
print(json.dumps(told))
"""


def as_stranger(path):
    """Return what happens to somebody who may not write: root may always."""
    if os.geteuid() != 0:
        pytest.skip("needs to be root, to become somebody who may not write")
    command = [sys.executable, "-c", STRANGER.format(user=NOBODY), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def written(ledger_path, drafts, at):
    with Ledger(SqliteStorage(ledger_path)) as ledger:
        ledger.append(drafts(5), at=at)
    return ledger_path


@pytest.fixture
def shown(written):
    """The same, where a stranger may come and look."""
    for folder in written.parents:
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    return written


def test_disk_that_is_full_is_told_and_nothing_is_appended(written, drafts, at):
    """The database may not grow: what SQLite then meets is what it meets on a full disk."""
    storage = SqliteStorage(written)
    with storage.reading():
        pass
    (connection,) = storage._idle
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")

    with Ledger(storage) as ledger:
        root = ledger.root()
        with pytest.raises(LedgerWriteError, match=r"disk.*Nothing was changed"):
            ledger.append(drafts(500), at=at)

        assert (ledger.size, ledger.root(), ledger.verify().ok) == (5, root, True)


def test_file_that_may_not_grow_is_told_and_nothing_is_appended(written, drafts, at):
    """The kernel refuses the write itself, in the middle of a transaction."""
    with Ledger(SqliteStorage(written)) as ledger:
        root = ledger.root()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
        try:
            with pytest.raises(LedgerWriteError, match=r"disk.*Nothing was changed"):
                ledger.append(drafts(3000), at=at)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        assert (ledger.size, ledger.root(), ledger.verify().ok) == (5, root, True)
        assert ledger.append(drafts(1), at=at)[0].seq == 5


def test_blob_that_does_not_fit_is_told_and_leaves_no_part(tmp_path):
    blobs = Blobs(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(LedgerWriteError, match="Nothing was changed"):
            blobs.put(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_folder_that_may_not_be_written_can_be_read_and_is_left_as_it_was(shown):
    shown.chmod(0o444)
    shown.parent.chmod(0o555)
    before = shown.read_bytes()

    size, ok, refusal = as_stranger(shown)

    assert (size, ok, refusal[0]) == (5, True, "LedgerWriteError")
    assert refusal[1].endswith("Nothing was changed.")
    assert shown.read_bytes() == before
    assert sorted(path.name for path in shown.parent.iterdir()) == ["ledger.db"]


def test_file_that_may_not_be_written_in_a_folder_that_may_is_told(shown):
    shown.chmod(0o444)
    shown.parent.chmod(0o777)
    before = shown.read_bytes()

    told = as_stranger(shown)

    assert told[-1][0] == "LedgerWriteError"
    assert shown.read_bytes() == before


def test_file_that_may_not_be_read_is_told(shown):
    shown.chmod(0o000)

    ((kind, words),) = as_stranger(shown)

    assert kind == "LedgerError"
    assert "may be read" in words


def test_folder_that_may_not_be_entered_is_told(shown):
    shown.parent.chmod(0o000)
    try:
        ((kind, _),) = as_stranger(shown)
    finally:
        shown.parent.chmod(0o755)

    assert kind == "LedgerError"


def test_unfinished_journal_in_a_read_only_folder_is_not_passed_over(shown, drafts, at, tmp_path):
    storage = SqliteStorage(shown)
    with Ledger(storage) as ledger:
        ledger.append(drafts(3), at=at)
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("ledger.db", "ledger.db-wal"):
            (copy / name).write_bytes((shown.parent / name).read_bytes())
            (copy / name).chmod(0o444)
    copy.chmod(0o555)

    told = as_stranger(copy / "ledger.db")

    assert told in ([8, True, told[-1]], [told[-1]])
    assert told[-1][0] in {"LedgerError", "LedgerWriteError"}


def test_ledger_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LedgerError, match="there is no ledger here"):
        SqliteStorage(tmp_path / "ledger.db")

    assert list(tmp_path.iterdir()) == []


def test_ledger_is_not_made_over_something(written):
    before = written.read_bytes()

    with pytest.raises(LedgerError, match="something is there already"):
        SqliteStorage.create(written, origin="example.org/other")

    assert written.read_bytes() == before


def test_ledger_cannot_be_made_where_there_is_no_folder(tmp_path):
    with pytest.raises(LedgerWriteError, match="Nothing was changed"):
        SqliteStorage.create(tmp_path / "no" / "ledger.db", origin="example.org/log")


def test_ledger_of_a_newer_layout_is_refused_and_left_as_it_was(written):
    with closing(sqlite3.connect(written)) as database, database:
        database.execute("PRAGMA user_version=2")

    with pytest.raises(LedgerFormatError, match="layout 2; this Dokja reads up to 1"):
        SqliteStorage(written)


@pytest.mark.parametrize("data", [b"", b"no database, but text\n" * 100, bytes(4096)])
def test_file_that_is_no_ledger_is_refused(tmp_path, data):
    (tmp_path / "ledger.db").write_bytes(data)

    with pytest.raises(LedgerFormatError, match="no Dokja ledger"):
        SqliteStorage(tmp_path / "ledger.db")

    assert (tmp_path / "ledger.db").read_bytes() == data


def test_database_of_something_else_is_refused(tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("CREATE TABLE entries (a)")

    with pytest.raises(LedgerFormatError, match="no Dokja ledger"):
        SqliteStorage(tmp_path / "ledger.db")


def test_ledger_whose_tables_were_changed_is_refused(written):
    with closing(sqlite3.connect(written)) as database, database:
        database.execute("ALTER TABLE entries RENAME COLUMN leaf TO leaves")

    with Ledger(SqliteStorage(written)) as ledger, pytest.raises(LedgerFormatError):
        ledger.verify()


def test_ledger_that_does_not_say_whose_it_is_is_refused(written):
    with closing(sqlite3.connect(written)) as database, database:
        database.execute("DELETE FROM about")

    with pytest.raises(LedgerBrokenError, match="whose it is"):
        SqliteStorage(written)


def test_postgres_without_its_driver_is_told_how_to_get_it():
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from dokja.errors import LedgerError\n"
        "try:\n import dokja.evidence.ledger.postgres\n"
        "except LedgerError as error:\n print(error)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "run: pip install 'dokja[postgres]'" in done.stdout


@pytest.mark.postgres
def test_database_without_this_ledger_is_told(postgres_address, postgres_storage):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    with pytest.raises(LedgerError, match=r"there is no ledger example\.org/nobody here"):
        PostgresStorage(postgres_address, origin="example.org/nobody")
    with pytest.raises(LedgerError, match="is here already"):
        PostgresStorage.create(postgres_address, origin=postgres_storage.origin)


@pytest.mark.postgres
def test_database_that_cannot_be_reached_is_told_without_its_password(tmp_path):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    address = f"postgresql://office:tell-nobody@/programme?host={tmp_path}"

    with pytest.raises(LedgerError, match="whether it can be reached") as caught:
        PostgresStorage(address, origin="example.org/log")

    assert "tell-nobody" not in str(caught.value)


@pytest.mark.postgres
def test_postgres_ledger_of_a_newer_layout_is_refused(postgres_address, postgres_storage):
    import psycopg  # noqa: PLC0415 (optional extra)

    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (likewise)

    origin = postgres_storage.origin
    with psycopg.connect(postgres_address) as connection:
        connection.execute("UPDATE dokja_ledgers SET layout = 2 WHERE origin = %s", (origin,))

    with pytest.raises(LedgerFormatError, match="layout 2; this Dokja reads up to 1"):
        PostgresStorage(postgres_address, origin=origin)


@pytest.mark.postgres
def test_edit_in_postgres_is_found_and_the_entry_named(
    postgres_address, postgres_storage, drafts, at
):
    import psycopg  # noqa: PLC0415 (optional extra)

    ledger = Ledger(postgres_storage)
    ledger.append(drafts(5), at=at)
    whole = ledger.verify()
    with psycopg.connect(postgres_address) as connection:
        connection.execute(
            "UPDATE dokja_entries SET leaf = set_byte(leaf, 30, get_byte(leaf, 30) # 1)"
            " WHERE seq = 3 AND ledger ="
            " (SELECT number FROM dokja_ledgers WHERE origin = %s)",
            (postgres_storage.origin,),
        )

    found = ledger.verify()

    assert (whole.ok, found.first_bad) == (True, 3)


@pytest.mark.postgres
def test_postgres_that_may_only_be_read_is_told_and_nothing_is_appended(
    postgres_address, postgres_storage, drafts, at
):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    read_only = f"{postgres_address}&options=-cdefault_transaction_read_only%3Don"
    ledger = Ledger(PostgresStorage(read_only, origin=postgres_storage.origin))

    with pytest.raises(LedgerWriteError, match="Nothing was changed"):
        ledger.append(drafts(1), at=at)

    assert ledger.size == 0
