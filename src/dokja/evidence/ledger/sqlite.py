"""A ledger in one SQLite file.

Writers take turns (`BEGIN IMMEDIATE`, with a bounded wait); what they acknowledge has reached
the disk (`WAL`, `synchronous=FULL`). Readers see one unchanging view and hinder nobody. A file
on a read-only medium can be read as long as no unfinished journal lies beside it.
"""

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from dokja.errors import (
    LedgerBrokenError,
    LedgerBusyError,
    LedgerError,
    LedgerFormatError,
    LedgerWriteError,
)
from dokja.evidence.ledger.storage import LAYOUT, PAGE, Head, Row, node_key, node_of
from dokja.values.trees import EMPTY_ROOT, Node, Run

__all__ = ["SqliteStorage"]

PATIENCE_SECONDS = 30.0

_APPLICATION = 0x444F4B4A  # "DOKJ": a file that does not say so is no ledger
_TABLES = (
    "CREATE TABLE about (origin TEXT NOT NULL)",
    "CREATE TABLE head (size INTEGER NOT NULL, root BLOB NOT NULL)",
    """CREATE TABLE entries (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, time TEXT NOT NULL, leaf BLOB NOT NULL)""",
    "CREATE INDEX entries_by_kind ON entries (kind, seq)",
    "CREATE TABLE nodes (key INTEGER PRIMARY KEY, hash BLOB NOT NULL)",
)
_SETTINGS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
)
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_UNWRITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}
_TELLING = 0xFF  # the low byte of an extended result code says what sort of fault it is
_KEYS_AT_ONCE = 500


class SqliteStorage:
    """One ledger in one SQLite file.

    Raises:
        LedgerFormatError: The file is no ledger, or was written by a newer release.
        LedgerError: There is no such file.
    """

    def __init__(self, path: Path, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._path = path.absolute()
        self._patience = patience_seconds
        self._idle: list[sqlite3.Connection] = []
        self._pid = os.getpid()
        try:
            is_there = path.is_file()
        except OSError as error:
            message = f"{path}: it could not be looked at ({error.strerror}). Nothing was changed."
            raise LedgerError(message) from error
        if not is_there:
            message = f"{path}: there is no ledger here. Make one with: dokja new DIR"
            raise LedgerError(message)
        self._closed = weakref.finalize(self, _close_all, self._idle, self._pid)
        with self._connected() as connection:
            self._origin = self._read_origin(connection)

    @classmethod
    def create(cls, path: Path, *, origin: str) -> "SqliteStorage":
        """Make an empty ledger in a file that is not there yet.

        Raises:
            LedgerError: A file is there.
            LedgerWriteError: It cannot be written there.
        """
        if path.exists():
            message = f"{path}: something is there already. Nothing was changed."
            raise LedgerError(message)
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("BEGIN IMMEDIATE")
                for table in _TABLES:
                    connection.execute(table)
                connection.execute("INSERT INTO about VALUES (?)", (origin,))
                connection.execute("INSERT INTO head VALUES (0, ?)", (EMPTY_ROOT,))
                connection.execute(f"PRAGMA application_id={_APPLICATION}")
                connection.execute(f"PRAGMA user_version={LAYOUT}")
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            path.unlink(missing_ok=True)
            _refuse(error, place=str(path), writing=True)
        return cls(path)

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    @property
    def origin(self) -> str:
        """The name under which this ledger signs."""
        return self._origin

    @contextmanager
    def reading(self) -> Iterator["_View"]:
        """Open one unchanging view."""
        with self._connected() as connection:
            connection.execute("BEGIN")
            try:
                yield _View(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator["_View"]:
        """Become the one writer; all or nothing is kept."""
        with self._connected(writing=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield _View(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def damage(self) -> tuple[str, ...]:
        """Return what SQLite finds wrong with its pages and indexes."""
        with self._connected() as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
        return tuple(text for text in found if text != "ok")

    def close(self) -> None:
        """Close every connection."""
        _close_all(self._idle, self._pid)

    @contextmanager
    def _connected(self, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """Lend a connection, and word what goes wrong with it."""
        if (
            os.getpid() != self._pid
        ):  # a connection does not survive a fork; the parent keeps its own
            self._left_to_parent = self._idle
            self._idle, self._pid = [], os.getpid()
            self._closed = weakref.finalize(self, _close_all, self._idle, self._pid)
        connection = None
        try:
            connection, lasting = (self._idle.pop(), True) if self._idle else self._connect()
            yield connection
        except sqlite3.Error as error:
            lasting = False
            _refuse(error, place=self.place, writing=writing)
        finally:
            if connection is not None and lasting:
                self._idle.append(connection)
            elif connection is not None:
                connection.close()

    def _connect(self) -> tuple[sqlite3.Connection, bool]:
        """Open the file; tell whether the connection may be kept for later."""
        address = f"file:{quote(str(self._path))}?mode=rw"
        lasting = True
        if not os.access(self._path.parent, os.W_OK) and not self._unfinished():
            # SQLite wants to write beside the file even to read it. Such a connection takes the
            # file for unchanging, so it is closed again before somebody else may have written.
            address = f"file:{quote(str(self._path))}?mode=ro&immutable=1"
            lasting = False
        connection = sqlite3.connect(
            address,
            uri=True,
            isolation_level=None,
            timeout=self._patience,
            check_same_thread=False,  # lent to one user at a time by `_connected`
        )
        # Text whose bytes were edited is read as other text, so that its entry can be named.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        try:
            for setting in _SETTINGS:
                connection.execute(setting)
        except sqlite3.Error:
            connection.close()
            raise
        return connection, lasting

    def _unfinished(self) -> bool:
        journal = self._path.with_name(self._path.name + "-wal")
        return journal.exists() and journal.stat().st_size > 0

    def _read_origin(self, connection: sqlite3.Connection) -> str:
        if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            message = f"{self._path}: this SQLite file is no Dokja ledger. Nothing was changed."
            raise LedgerFormatError(message)
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
        if layout > LAYOUT:
            message = (
                f"{self._path}: the ledger has layout {layout}; this Dokja reads up to {LAYOUT}. "
                "Use the Dokja that wrote it, or a newer one. Nothing was changed."
            )
            raise LedgerFormatError(message)
        row = connection.execute("SELECT origin FROM about").fetchone()
        if row is None:
            message = f"{self._path}: the ledger does not say whose it is; restore it from a copy"
            raise LedgerBrokenError(message)
        return str(row[0])


class _View:
    """What one transaction sees."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def head(self) -> Head:
        row = self._connection.execute("SELECT size, root FROM head").fetchone()
        if row and isinstance(row[0], int) and isinstance(row[1], bytes):
            return Head(*row)
        return Head(-1, b"")

    def rows(
        self, start: int, stop: int | None = None, *, kind: str | None = None
    ) -> Iterator[Row]:
        one_kind = "" if kind is None else " AND kind = :kind"
        query = (
            "SELECT seq, id, kind, time, leaf FROM entries"  # noqa: S608 (fixed words only)
            f" WHERE seq >= :start AND seq < :stop{one_kind} ORDER BY seq"
        )
        asked = {"start": start, "stop": 2**62 if stop is None else stop, "kind": kind}
        cursor = self._connection.execute(query, asked)
        while page := cursor.fetchmany(PAGE):
            yield from map(Row._make, page)

    def find(self, entry_id: str) -> Row | None:
        query = "SELECT seq, id, kind, time, leaf FROM entries WHERE id = ?"
        row = self._connection.execute(query, (entry_id,)).fetchone()
        return Row._make(row) if row else None

    def known(self, ids: Sequence[str]) -> dict[str, int]:
        query = "SELECT seq FROM entries WHERE id = ?"
        found = {}
        for entry_id in ids:
            if row := self._connection.execute(query, (entry_id,)).fetchone():
                found[entry_id] = row[0]
        return found

    def hashes(self, nodes: Sequence[Node]) -> dict[Node, bytes]:
        found = {}
        for start in range(0, len(nodes), _KEYS_AT_ONCE):
            keys = [node_key(node) for node in nodes[start : start + _KEYS_AT_ONCE]]
            marks = ",".join("?" * len(keys))
            query = f"SELECT key, hash FROM nodes WHERE key IN ({marks})"  # noqa: S608 (only marks)
            for key, value in self._connection.execute(query, keys):
                found[node_of(key)] = value
        return found

    def run(self, level: int, first: int, count: int) -> dict[int, bytes]:
        query = "SELECT key, hash FROM nodes WHERE key >= ? AND key < ? ORDER BY key"
        start = node_key(Node(level, first))
        found = self._connection.execute(query, (start, start + count))
        return {key - start + first: value for key, value in found}

    def counts(self) -> tuple[int, int]:
        query = "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM nodes)"
        rows, nodes = self._connection.execute(query).fetchone()
        return rows, nodes

    def add(self, rows: Sequence[Row], *, runs: Sequence[Run], head: Head) -> None:
        connection = self._connection
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", rows)
        for run in runs:
            first = node_key(Node(run.level, run.first))
            keyed = zip(range(first, first + len(run.hashes)), run.hashes, strict=True)
            connection.executemany("INSERT INTO nodes VALUES (?, ?)", keyed)
        connection.execute("UPDATE head SET size = ?, root = ?", head)


def _close_all(connections: list[sqlite3.Connection], owner: int) -> None:
    """Close the connections, unless they were opened before a fork, by the parent."""
    while connections and os.getpid() == owner:
        connections.pop().close()


def _refuse(error: sqlite3.Error, *, place: str, writing: bool) -> NoReturn:
    """Raise what the database's error means for the ledger."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _TELLING
    told: tuple[Callable[[str], LedgerError], str]
    if code in _BUSY:
        told = (LedgerBusyError, "another writer held the ledger for too long; try again")
    elif code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA}:
        told = (LedgerFormatError, "this is no Dokja ledger, or its tables were changed")
    elif code in _UNWRITABLE and writing:
        told = (
            LedgerWriteError,
            "it could not be written; see whether disk, file and folder can be written",
        )
    elif code in _UNWRITABLE:
        told = (
            LedgerError,
            "it could not be read; see whether the file and its folder may be read",
        )
    else:
        told = (
            LedgerBrokenError,
            "the file is damaged; restore it from a copy, then run: dokja ledger verify",
        )
    kind, words = told
    message = f"{place}: {words} (SQLite: {error}). Nothing was changed."
    raise kind(message) from error
