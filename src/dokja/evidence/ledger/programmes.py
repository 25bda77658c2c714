"""A programme folder: rulebook, ledger, blobs, models, keys, and what is sealed.

    programme.toml     what the folder is                      settings
    rulebook.toml      the rules, read by `decisions`          bytes to this room
    ledger.db          the ledger, unless it is in PostgreSQL
    blobs/             files by digest
    models/            weights of the models under judgement
    checkpoints/       what the log has signed, one note per size
    keys/              the log's secret keys                   never exported
    sealed/            salts and sealed values                 never exported

A folder is made whole or not at all, and is opened whole or not at all.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dokja.errors import LedgerError, LedgerWriteError, Mistake, ProgrammeError
from dokja.evidence.ledger.blobs import Blobs
from dokja.evidence.ledger.entries import written_time
from dokja.evidence.ledger.keys import SigningKey, VerifierKey, is_key_name, write_key
from dokja.evidence.ledger.ledgers import Ledger
from dokja.evidence.ledger.sealing import SealFolder
from dokja.evidence.ledger.settings import (
    Settings,
    added_key,
    added_witness,
    read_settings,
    written_settings,
)
from dokja.evidence.ledger.sqlite import SqliteStorage
from dokja.evidence.ledger.storage import Storage
from dokja.evidence.ledger.witnesses import Witness
from dokja.values import Text, is_identifier, normal_form

__all__ = ["Programme", "create_programme", "open_programme"]

_SETTINGS = "programme.toml"
_RULEBOOK = "rulebook.toml"
_FOLDERS = ("blobs", "models", "checkpoints")
_OWN_FOLDERS = ("keys", "sealed")
LOG_KEY = "log.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """An open programme folder.

    Attributes:
        folder: The folder.
        id: Name of the programme.
        title: Its title.
        made: When the folder was made, RFC 3339.
        ledger: Its ledger.
        blobs: Its files by digest.
        models: Folder of its models.
        rulebook_path: Its rulebook.
        checkpoints: Folder of what its log has signed.
        keys: Folder of the log's secret keys.
        seals: Salts and sealed values.
        log_keys: The log's public keys, oldest first.
        witnesses: Who watches the ledger.
    """

    folder: Path
    id: str
    title: Text
    made: str
    ledger: Ledger
    blobs: Blobs
    models: Path
    rulebook_path: Path
    checkpoints: Path
    keys: Path
    seals: SealFolder
    log_keys: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...]

    def close(self) -> None:
        """Let go of the ledger's connections."""
        self.ledger.close()

    @property
    def log_key_path(self) -> Path:
        """Where the log's secret key is kept."""
        return self.keys / LOG_KEY

    def notes(self) -> Iterator[tuple[Path, str]]:
        """Yield the checkpoints that were signed, smallest first, with their files.

        Raises:
            LedgerError: One cannot be read.
        """
        for path in sorted(
            self.checkpoints.glob("*.note"), key=lambda path: (len(path.name), path)
        ):
            try:
                yield path, path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                message = f"{path}: this checkpoint cannot be read ({error})"
                raise LedgerError(message) from error


def create_programme(
    folder: Path,
    *,
    id: str,  # noqa: A002 (the word that programme.toml uses)
    title: Text,
    at: datetime,
    rulebook: bytes,
    origin: str | None = None,
    ledger: str = "ledger.db",
    key: SigningKey | None = None,
) -> Programme:
    """Make a programme folder and return it open. It is made whole or not at all.

    Args:
        folder: A folder that is not there yet, or is empty.
        id: Name of the programme; an identifier.
        title: Its title.
        at: When, with its time zone.
        rulebook: The rulebook's bytes; they are not read here.
        origin: Name under which the ledger signs; `dokja/` and the id where none is given.
        ledger: A path inside the folder, or `postgresql://…` without a password.
        key: The log's key, which signs checkpoints; it may be added later.

    Raises:
        ProgrammeError: The folder holds something, or what it should be named is wrong.
        LedgerError: The ledger cannot be made.
    """
    settings = Settings(
        id=id,
        title=title,
        origin=f"dokja/{id}" if origin is None else origin,
        ledger=ledger,
        made=written_time(at),
        log_keys=() if key is None else (key.verifier,),
    )
    _refuse_settings(folder, settings)
    part: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        part.chmod(0o755)
        _fill(part, settings, rulebook=rulebook, key=key)
        part.replace(folder)
    except OSError as error:
        message = f"{folder}: it could not be written ({error}). Nothing was changed."
        raise LedgerWriteError(message) from error
    finally:
        if part is not None and part.exists():
            shutil.rmtree(part)
    return open_programme(folder)


def _fill(part: Path, settings: Settings, *, rulebook: bytes, key: SigningKey | None) -> None:
    for name in _FOLDERS:
        (part / name).mkdir()
    for name in _OWN_FOLDERS:
        (part / name).mkdir(mode=0o700)
    (part / _RULEBOOK).write_bytes(rulebook)
    (part / _SETTINGS).write_text(written_settings(settings), encoding="utf-8")
    if key is not None:
        write_key(part / "keys" / LOG_KEY, key)
    # The ledger comes last: one in PostgreSQL does not vanish with a folder that failed.
    if settings.is_on_postgres:
        from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

        PostgresStorage.create(settings.ledger, origin=settings.origin).close()
    else:
        path = part / settings.ledger
        path.parent.mkdir(parents=True, exist_ok=True)
        SqliteStorage.create(path, origin=settings.origin).close()


def _refuse_settings(folder: Path, settings: Settings) -> None:
    """Refuse what could not be opened again."""
    file = str(folder)
    mistakes = []
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a new or empty folder"
        mistakes.append(Mistake(file=file, place="", read="something is there", expected=what))
    if not is_identifier(settings.id):
        what = "an identifier, such as k-ai-2025"
        if normal_form(settings.id) != settings.id:
            what = f"the same in NFC (composed Hangul): {normal_form(settings.id)!r}"
        mistakes.append(Mistake(file=file, place="id", read=repr(settings.id), expected=what))
    elif not is_key_name(settings.origin):
        what = "one word without spaces or +, such as example.org/log"
        mistakes.append(
            Mistake(file=file, place="origin", read=repr(settings.origin), expected=what)
        )
    if mistakes:
        raise ProgrammeError(mistakes)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / _SETTINGS
        path.write_text(written_settings(settings), encoding="utf-8")
        _, found = read_settings(path)
    if found:
        raise ProgrammeError(
            [
                Mistake(
                    file=file,
                    place=mistake.place,
                    read=mistake.read,
                    expected=mistake.expected,
                    remedy=mistake.remedy,
                )
                for mistake in found
            ]
        )


def open_programme(folder: Path) -> Programme:
    """Return the programme in a folder.

    Raises:
        ProgrammeError: The folder is half there; everything that is missing or wrong.
        LedgerError: The ledger cannot be opened, though the rest is there.
    """
    if not os.access(folder, os.R_OK | os.X_OK):
        read = "no permission" if os.path.lexists(folder) else "nothing"
        what = "a programme folder that may be read; make one with: dokja new DIR"
        raise ProgrammeError([Mistake(file=str(folder), place="", read=read, expected=what)])
    if not folder.is_dir():
        what = "a programme folder; make one with: dokja new DIR"
        raise ProgrammeError([Mistake(file=str(folder), place="", read="a file", expected=what)])
    settings, found = read_settings(folder / _SETTINGS)
    mistakes = [*found, *_missing(folder, settings)]
    if mistakes or settings is None:
        raise ProgrammeError(mistakes)
    storage = _storage(folder, settings)
    if storage.origin != settings.origin:
        storage.close()
        what = f"{storage.origin!r}, as the ledger says"
        read = repr(settings.origin)
        place = str(folder / _SETTINGS)
        raise ProgrammeError([Mistake(file=place, place="origin", read=read, expected=what)])
    return Programme(
        folder=folder,
        id=settings.id,
        title=settings.title,
        made=settings.made,
        ledger=Ledger(storage),
        blobs=Blobs(folder / "blobs"),
        models=folder / "models",
        rulebook_path=folder / _RULEBOOK,
        checkpoints=folder / "checkpoints",
        keys=folder / "keys",
        seals=SealFolder(folder / "sealed"),
        log_keys=settings.log_keys,
        witnesses=settings.witnesses,
    )


def _missing(folder: Path, settings: Settings | None) -> list[Mistake]:
    """Return what a programme folder lacks or does not let us read."""
    needed: Mapping[str, bool] = {_RULEBOOK: True, **dict.fromkeys(_FOLDERS[:2], False)}
    if settings is not None and not settings.is_on_postgres:
        needed = {settings.ledger: True, **needed}
    mistakes = []
    for name, is_file in needed.items():
        path = folder / name
        what = "a file" if is_file else "a folder"
        if not (path.is_file() if is_file else path.is_dir()):
            read = "something else" if path.exists() else "nothing"
            remedy = "Restore it from a copy."
            mistakes.append(
                Mistake(file=str(path), place="", read=read, expected=what, remedy=remedy)
            )
        elif not os.access(path, os.R_OK if is_file else os.R_OK | os.X_OK):
            read, expected = "no permission", f"{what} that may be read"
            mistakes.append(Mistake(file=str(path), place="", read=read, expected=expected))
    return mistakes


def _storage(folder: Path, settings: Settings) -> Storage:
    if settings.is_on_postgres:
        from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

        return PostgresStorage(settings.ledger, origin=settings.origin)
    return SqliteStorage(folder / settings.ledger)


def add_log_key(programme: Programme, key: SigningKey) -> Programme:
    """Keep a log key in the folder, name it in `programme.toml`, and return the folder anew.

    Raises:
        KeyFileError: There is a key already, or it cannot be written.
    """
    write_key(programme.log_key_path, key)
    _append(programme.folder / _SETTINGS, added_key(key.verifier))
    return open_programme(programme.folder)


def add_witness(programme: Programme, witness: Witness) -> Programme:
    """Name a witness in `programme.toml` and return the folder anew.

    Raises:
        ProgrammeError: The witness cannot be told apart from another.
    """
    if witness not in programme.witnesses:
        _append(programme.folder / _SETTINGS, added_witness(witness))
    return open_programme(programme.folder)


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"{path}: it could not be written ({error.strerror}). Nothing was changed."
        raise LedgerWriteError(message) from error
