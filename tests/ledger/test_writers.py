"""Writers that are killed, and writers that all want to write at once."""

import os
import random
import signal
import sys
import time
import traceback

import pytest

from dokja.errors import LedgerBusyError
from dokja.evidence.ledger import Ledger
from dokja.evidence.ledger.sqlite import SqliteStorage

KILLS = 120
WRITERS = 8
BATCHES = 15


def forked(work):
    """Start a child that does its work and ends without touching the test's own files."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        os.close(reading)
        work(writing)
        code = 0
    except BaseException:  # noqa: BLE001 (a child that lives on would run the whole test suite)
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)
    return None


def acknowledging(opened, drafts, at, *, first):
    """Work of a writer that appends until it is killed, and acknowledges what has been kept."""

    def work(pipe):
        ledger = opened()
        number = first
        while True:
            count = 1 + number % 3
            entries = ledger.append(drafts(count, start=number), at=at)
            said = "".join(f"{entry.seq} {entry.digest.hex}\n" for entry in entries)
            os.write(pipe, said.encode())
            number += count

    return work


def kill_a_writer(work, *, after, delay):
    """Return what a writer acknowledged before it was killed in the middle of its work."""
    child, pipe = forked(work)
    said = b""
    while said.count(b"\n") < after:
        piece = os.read(pipe, 4096)
        assert piece, "the writer ended by itself"
        said += piece
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(pipe, 65536):
        said += piece
    os.close(pipe)
    lines = said[: said.rfind(b"\n") + 1].decode().splitlines()
    return {int(line.split()[0]): line.split()[1] for line in lines}


def kill_in_rounds(opened, drafts, at, *, rounds):
    """Kill a writer over and over; return what was acknowledged and what stands."""
    rng = random.Random(20260115)  # noqa: S311 (when to kill, no secret)
    acknowledged = {}
    for number in range(rounds):
        work = acknowledging(opened, drafts, at, first=number * 1000)
        delay = rng.random() * 0.004
        acknowledged |= kill_a_writer(work, after=rng.randrange(1, 6), delay=delay)
        with opened() as ledger:
            assert ledger.size > max(acknowledged)
            if number % 10 == 0:
                assert ledger.verify().ok
    return acknowledged


def test_writers_that_are_killed_lose_no_acknowledged_entry(ledger_path, drafts, at):
    def opened():
        return Ledger(SqliteStorage(ledger_path))

    acknowledged = kill_in_rounds(opened, drafts, at, rounds=KILLS)

    with opened() as ledger:
        kept = {entry.seq: entry.digest.hex for entry in ledger.entries()}
        found = ledger.verify()
    assert len(acknowledged) >= KILLS
    assert acknowledged.items() <= kept.items()
    assert (found.ok, found.size) == (True, len(kept))


@pytest.mark.postgres
def test_writers_to_postgres_that_are_killed_lose_no_acknowledged_entry(
    postgres_address, postgres_storage, drafts, at
):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    def opened():
        return Ledger(PostgresStorage(postgres_address, origin=postgres_storage.origin))

    acknowledged = kill_in_rounds(opened, drafts, at, rounds=15)

    with opened() as ledger:
        kept = {entry.seq: entry.digest.hex for entry in ledger.entries()}
        found = ledger.verify()
    assert acknowledged.items() <= kept.items()
    assert (found.ok, found.size) == (True, len(kept))


def write_at_once(opened, drafts, at):
    """Let eight writers append at once; return the ids each of them was told, in its order."""

    def work_of(writer):
        def work(pipe):
            ledger = opened()
            for batch in range(BATCHES):
                ids = [f"w{writer}/{batch}/{place}" for place in range(1 + (writer + batch) % 4)]
                entries = ledger.append(drafts(len(ids), ids=ids), at=at)
                os.write(pipe, "".join(f"{entry.id}\n" for entry in entries).encode())

        return work

    children = [forked(work_of(writer)) for writer in range(WRITERS)]
    told = []
    for child, pipe in children:
        with os.fdopen(pipe, "rb") as reading:
            told.append(reading.read().decode().split())
        assert os.waitpid(child, 0)[1] == 0
    return told


def assert_gap_free_and_fork_free(ledger, told):
    entries = list(ledger.entries())
    assert [entry.seq for entry in entries] == list(range(sum(map(len, told))))
    assert sorted(entry.id for entry in entries) == sorted(name for ids in told for name in ids)
    for writer, ids in enumerate(told):
        assert [entry.id for entry in entries if entry.id.startswith(f"w{writer}/")] == ids
    assert ledger.verify().ok


def test_eight_writers_at_once_make_one_gap_free_sequence(ledger_path, drafts, at):
    def opened():
        return Ledger(SqliteStorage(ledger_path))

    told = write_at_once(opened, drafts, at)

    with opened() as ledger:
        assert_gap_free_and_fork_free(ledger, told)


@pytest.mark.postgres
def test_eight_writers_at_once_to_postgres_make_one_gap_free_sequence(
    postgres_address, postgres_storage, drafts, at
):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    def opened():
        return Ledger(PostgresStorage(postgres_address, origin=postgres_storage.origin))

    told = write_at_once(opened, drafts, at)

    assert_gap_free_and_fork_free(Ledger(postgres_storage), told)


def test_ledger_that_was_open_before_a_fork_writes_on_both_sides(ledger, drafts, at):
    ledger.append(drafts(1), at=at)

    child, pipe = forked(lambda _: ledger.append(drafts(1), at=at))
    ended = os.waitpid(child, 0)[1]
    os.close(pipe)
    ledger.append(drafts(1), at=at)

    assert (ended, ledger.size, ledger.verify().ok) == (0, 3, True)


def test_writer_that_is_kept_waiting_too_long_is_told(ledger_path, drafts, at):
    holder = SqliteStorage(ledger_path)
    waiting = Ledger(SqliteStorage(ledger_path, patience_seconds=0.05))

    with holder.writing(), pytest.raises(LedgerBusyError, match="held the ledger for too long"):
        waiting.append(drafts(1), at=at)

    assert waiting.size == 0
    assert len(waiting.append(drafts(1), at=at)) == 1
    holder.close()
    waiting.close()


@pytest.mark.postgres
def test_writer_to_postgres_that_is_kept_waiting_too_long_is_told(
    postgres_address, postgres_storage, drafts, at
):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    origin = postgres_storage.origin
    waiting = Ledger(PostgresStorage(postgres_address, origin=origin, patience_seconds=0.05))

    with (
        postgres_storage.writing(),
        pytest.raises(LedgerBusyError, match="held the ledger for too long"),
    ):
        waiting.append(drafts(1), at=at)

    assert waiting.size == 0


def test_reader_sees_one_view_while_a_writer_writes(ledger_path, drafts, at):
    storage = SqliteStorage(ledger_path)
    with Ledger(SqliteStorage(ledger_path)) as writer, storage.reading() as view:
        before = view.head().size
        writer.append(drafts(3), at=at)

        after = view.head().size, len(list(view.rows(0)))

    assert (before, after) == (0, (0, 0))
    storage.close()


@pytest.mark.postgres
def test_connection_that_the_server_closed_meanwhile_is_opened_anew(
    postgres_address, postgres_storage, drafts, at
):
    import psycopg  # noqa: PLC0415 (optional extra)

    ledger = Ledger(postgres_storage)
    ledger.append(drafts(1), at=at)
    with psycopg.connect(postgres_address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    ledger.append(drafts(1), at=at)

    assert ledger.size == 2
