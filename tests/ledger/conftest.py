"""What the ledger's tests share: a clock that stands still, drafts, ledgers, a PostgreSQL."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dokja.evidence.ledger import Draft, Ledger, SigningKey, create_programme
from dokja.evidence.ledger.sqlite import SqliteStorage
from dokja.values import Text

ORIGIN = "example.org/log"


def note(number: int, *, id: str | None = None, kind: str = "note") -> Draft:  # noqa: A002 (the draft's word)
    words = {"ko": f"글 {number}", "en": f"words {number}"}
    return Draft(kind=kind, actor="office", body={"on": "2026-01-15", "text": words}, id=id)


@pytest.fixture(scope="session")
def at():
    return datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def drafts():
    """Makes drafts of notes with these numbers."""

    def made(count: int, *, start: int = 0, ids: Sequence[str | None] = ()) -> list[Draft]:
        named = [*ids, *[None] * (count - len(ids))]
        return [note(start + place, id=name) for place, name in enumerate(named)]

    return made


@pytest.fixture
def ledger_path(tmp_path):
    SqliteStorage.create(tmp_path / "ledger.db", origin=ORIGIN).close()
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(ledger_path):
    with Ledger(SqliteStorage(ledger_path)) as opened:
        yield opened


@pytest.fixture(scope="session")
def log_key():
    return SigningKey(ORIGIN, bytes(range(32)))


@pytest.fixture
def programme(tmp_path, at, log_key):
    made = create_programme(
        tmp_path / "programme",
        id="sample",
        title=Text(ko="견본", en="Sample"),
        at=at,
        rulebook=b"",
        origin=ORIGIN,
        key=log_key,
    )
    yield made
    made.close()


def server_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    one = shutil.which("initdb")
    return None if one is None else Path(one).parent


def as_other_user(command: Sequence[str]) -> list[str]:
    """Return the command as it must be started: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={other_user()}", "--clear-groups", *command]


def other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def postgres_address():
    """A PostgreSQL of our own, on a socket in a scratch folder, gone when the tests are."""
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("needs a PostgreSQL server; on Debian: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="dokja-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, other_user())
    data = folder / "data"
    made = [str(binaries / "initdb"), "-D", str(data), "-U", "dokja", "-A", "trust", "-N"]
    subprocess.run(as_other_user(made), check=True, capture_output=True)
    options = f"-k {folder} -c listen_addresses='' -c max_connections=40"
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    start = as_other_user([*control, "-o", options, "start"])
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"postgresql://dokja@/postgres?host={folder}"
    finally:
        stop = as_other_user([*control, "-m", "immediate", "stop"])
        subprocess.run(stop, check=True, capture_output=True)
        shutil.rmtree(folder)


@pytest.fixture
def postgres_storage(postgres_address, request):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    name = "".join(sign if sign.isalnum() else "-" for sign in request.node.name)
    storage = PostgresStorage.create(postgres_address, origin=f"example.org/{name}")
    yield storage
    storage.close()
