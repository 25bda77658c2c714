"""Ledgers in a PostgreSQL database, by its address.

One database holds many ledgers, told apart by their origin. Writers of one ledger take turns
under an advisory lock of their own, with a bounded wait; a commit has reached the disk when it
is acknowledged. Passwords come from where libpq reads them, never from an address.
"""

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NoReturn
from urllib.parse import urlsplit

from dokja.errors import (
    LedgerBrokenError,
    LedgerBusyError,
    LedgerError,
    LedgerFormatError,
    LedgerWriteError,
)
from dokja.evidence.ledger.storage import LAYOUT, PAGE, Head, Row, node_key, node_of
from dokja.values.trees import EMPTY_ROOT, Node, Run

try:
    import psycopg
    from psycopg import errors as faults
except ImportError as error:
    _WHY = str(error)
    raise LedgerError(
        "this ledger is kept in PostgreSQL, and the driver for it is not installed; "
        f"run: pip install 'dokja[postgres]' ({_WHY}). Nothing was changed."
    ) from error

__all__ = ["PostgresStorage"]

PATIENCE_SECONDS = 30.0

_TABLES = """
CREATE TABLE IF NOT EXISTS dokja_ledgers (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin text NOT NULL UNIQUE,
    layout integer NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS dokja_entries (
    ledger integer NOT NULL REFERENCES dokja_ledgers,
    seq bigint NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    time text NOT NULL,
    leaf bytea NOT NULL,
    PRIMARY KEY (ledger, seq),
    UNIQUE (ledger, id)
);
CREATE INDEX IF NOT EXISTS dokja_entries_by_kind ON dokja_entries (ledger, kind, seq);
CREATE TABLE IF NOT EXISTS dokja_nodes (
    ledger integer NOT NULL REFERENCES dokja_ledgers,
    key bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (ledger, key)
);
"""
_MAKING = 0x444F4B4A  # the lock under which the tables are made
_WAITED = (faults.LockNotAvailable, faults.DeadlockDetected, faults.SerializationFailure)
_UNWRITABLE = (
    faults.ReadOnlySqlTransaction,
    faults.InsufficientPrivilege,
    faults.DiskFull,
    faults.InsufficientResources,
)
_DAMAGED = (faults.DataCorrupted, faults.IndexCorrupted)
_NO_TABLES = (faults.UndefinedTable, faults.UndefinedColumn)


class PostgresStorage:
    """One ledger in a PostgreSQL database.

    Args:
        address: `postgresql://…` without a password.
        origin: The name under which the ledger signs.
        patience_seconds: How long a writer waits for its turn.

    Raises:
        LedgerError: The database cannot be reached, or holds no such ledger.
        LedgerFormatError: The ledger was written by a newer release.
    """

    def __init__(
        self, address: str, *, origin: str, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._address = address
        self._origin = origin
        self._patience = patience_seconds
        self._idle: list[psycopg.Connection[Any]] = []
        self._pid = os.getpid()
        self._closed = weakref.finalize(self, _close_all, self._idle, self._pid)
        with self._connected() as connection:
            query = "SELECT number, layout FROM dokja_ledgers WHERE origin = %s"
            row = connection.execute(query, (origin,)).fetchone()
        if row is None:
            message = (
                f"{self.place}: there is no ledger {origin} here. Make one with: dokja new DIR"
            )
            raise LedgerError(message)
        self._number: int = row[0]
        if row[1] > LAYOUT:
            message = (
                f"{self.place}: the ledger {origin} has layout {row[1]}; this Dokja reads up to "
                f"{LAYOUT}. Use the Dokja that wrote it, or a newer one. Nothing was changed."
            )
            raise LedgerFormatError(message)

    @classmethod
    def create(cls, address: str, *, origin: str) -> "PostgresStorage":
        """Make an empty ledger, and the tables if they are not there yet.

        Raises:
            LedgerError: The database cannot be reached, or holds a ledger of this origin.
            LedgerWriteError: It may not be written.
        """
        place = _place(address)
        with (
            _worded(place, writing=True),
            psycopg.connect(address, autocommit=True) as connection,
            connection.transaction(),
        ):
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
            connection.execute(_TABLES)
            made = connection.execute(
                "INSERT INTO dokja_ledgers (origin, layout, size, root) VALUES (%s, %s, 0, %s)"
                " ON CONFLICT (origin) DO NOTHING",
                (origin, LAYOUT, EMPTY_ROOT),
            )
            if made.rowcount != 1:
                message = f"{place}: a ledger {origin} is here already. Nothing was changed."
                raise LedgerError(message)
        return cls(address, origin=origin)

    @property
    def place(self) -> str:
        """The address, without any password."""
        return _place(self._address)

    @property
    def origin(self) -> str:
        """The name under which this ledger signs."""
        return self._origin

    @contextmanager
    def reading(self) -> Iterator["_View"]:
        """Open one unchanging view."""
        with self._connected() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield _View(connection, self._number)

    @contextmanager
    def writing(self) -> Iterator["_View"]:
        """Become the one writer of this ledger; all or nothing is kept."""
        with self._connected(writing=True) as connection, connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")
            wait = f"{round(self._patience * 1000)}ms"
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (wait,))
            lock = int.from_bytes(sha256(self._origin.encode()).digest()[:8], "big", signed=True)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock,))
            yield _View(connection, self._number)

    def damage(self) -> tuple[str, ...]:
        """Return nothing: PostgreSQL reports damaged pages when they are read."""
        return ()

    def close(self) -> None:
        """Close the connections that are kept for later."""
        _close_all(self._idle, self._pid)

    @contextmanager
    def _connected(self, *, writing: bool = False) -> Iterator["psycopg.Connection[Any]"]:
        """Lend a connection, and keep it for later if nothing went wrong with it."""
        if os.getpid() != self._pid:  # a connection does not survive a fork
            self._idle, self._pid = [], os.getpid()
            self._closed = weakref.finalize(self, _close_all, self._idle, self._pid)
        with _worded(self.place, writing=writing):
            connection = self._awake() or psycopg.connect(self._address, autocommit=True)
            whole = False
            try:
                yield connection
                whole = True
            finally:
                if whole:
                    self._idle.append(connection)
                else:
                    connection.close()

    def _awake(self) -> "psycopg.Connection[Any] | None":
        """Return a kept connection that the server has not closed meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            try:
                connection.execute("SELECT 1")
            except psycopg.OperationalError:
                connection.close()
            else:
                return connection
        return None


@contextmanager
def _worded(place: str, *, writing: bool = False) -> Iterator[None]:
    """Word what goes wrong with a connection."""
    try:
        yield
    except psycopg.Error as error:
        _refuse(error, place=place, writing=writing)


def _close_all(connections: "list[psycopg.Connection[Any]]", owner: int) -> None:
    """Close the connections, unless they were opened before a fork, by the parent."""
    while connections and os.getpid() == owner:
        connections.pop().close()


def _place(address: str) -> str:
    """Return an address as people may see it."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


class _View:
    """What one transaction sees of one ledger."""

    def __init__(self, connection: "psycopg.Connection[Any]", number: int) -> None:
        self._connection = connection
        self._number = number

    def head(self) -> Head:
        query = "SELECT size, root FROM dokja_ledgers WHERE number = %s"
        row = self._connection.execute(query, (self._number,)).fetchone()
        if row and isinstance(row[0], int) and isinstance(row[1], bytes):
            return Head(*row)
        return Head(-1, b"")

    def rows(
        self, start: int, stop: int | None = None, *, kind: str | None = None
    ) -> Iterator[Row]:
        query = (
            "SELECT seq, id, kind, time, leaf FROM dokja_entries WHERE ledger = %s AND seq >= %s"
            " AND seq < %s AND (%s::text IS NULL OR kind = %s) ORDER BY seq LIMIT %s"
        )
        stop = 2**62 if stop is None else stop
        while True:
            asked = (self._number, start, stop, kind, kind, PAGE)
            page = self._connection.execute(query, asked).fetchall()
            yield from map(Row._make, page)
            if len(page) < PAGE:
                return
            start = page[-1][0] + 1

    def find(self, entry_id: str) -> Row | None:
        query = "SELECT seq, id, kind, time, leaf FROM dokja_entries WHERE ledger = %s AND id = %s"
        row = self._connection.execute(query, (self._number, entry_id)).fetchone()
        return Row._make(row) if row else None

    def known(self, ids: Sequence[str]) -> dict[str, int]:
        query = "SELECT id, seq FROM dokja_entries WHERE ledger = %s AND id = ANY(%s)"
        return dict(self._connection.execute(query, (self._number, list(ids))).fetchall())

    def hashes(self, nodes: Sequence[Node]) -> dict[Node, bytes]:
        query = "SELECT key, hash FROM dokja_nodes WHERE ledger = %s AND key = ANY(%s)"
        keys = [node_key(node) for node in nodes]
        found = self._connection.execute(query, (self._number, keys)).fetchall()
        return {node_of(key): value for key, value in found}

    def run(self, level: int, first: int, count: int) -> dict[int, bytes]:
        query = (
            "SELECT key, hash FROM dokja_nodes WHERE ledger = %s AND key >= %s AND key < %s"
            " ORDER BY key"
        )
        start = node_key(Node(level, first))
        found = self._connection.execute(query, (self._number, start, start + count)).fetchall()
        return {key - start + first: value for key, value in found}

    def counts(self) -> tuple[int, int]:
        counted = []
        for table in ("dokja_entries", "dokja_nodes"):
            query = f"SELECT count(*) FROM {table} WHERE ledger = %s"  # noqa: S608 (fixed names)
            row = self._connection.execute(query, (self._number,)).fetchone()
            counted.append(row[0] if row else 0)
        return counted[0], counted[1]

    def add(self, rows: Sequence[Row], *, runs: Sequence[Run], head: Head) -> None:
        cursor = self._connection.cursor()
        with cursor.copy("COPY dokja_entries FROM STDIN") as copy:
            for row in rows:
                copy.write_row((self._number, *row))
        with cursor.copy("COPY dokja_nodes FROM STDIN") as copy:
            for run in runs:
                first = node_key(Node(run.level, run.first))
                for key, value in enumerate(run.hashes, start=first):
                    copy.write_row((self._number, key, value))
        query = "UPDATE dokja_ledgers SET size = %s, root = %s WHERE number = %s"
        cursor.execute(query, (head.size, head.root, self._number))


def _refuse(error: psycopg.Error, *, place: str, writing: bool) -> NoReturn:
    """Raise what the database's error means for the ledger."""
    kind: type[LedgerError]
    if isinstance(error, _WAITED):
        kind, words = LedgerBusyError, "another writer held the ledger for too long; try again"
    elif isinstance(error, _NO_TABLES):
        kind, words = LedgerFormatError, "this database holds no Dokja ledger"
    elif isinstance(error, _DAMAGED):
        kind, words = LedgerBrokenError, "the database is damaged; restore it from a copy"
    elif isinstance(error, _UNWRITABLE) and writing:
        words = "it could not be written; see the disk of the server, and your rights"
        kind = LedgerWriteError
    else:
        kind, words = LedgerError, "the database could not be used; see whether it can be reached"
    message = f"{place}: {words} (PostgreSQL: {str(error).strip()}). Nothing was changed."
    raise kind(message) from error
