"""`programme.toml`: what a programme folder says of itself.

It names the programme, the origin under which its ledger signs, where the ledger is kept, the
public keys of the log, and the witnesses. It never holds a secret: a PostgreSQL password comes
from the places that libpq reads.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dokja.errors import KeyFileError, Mistake
from dokja.evidence.ledger.keys import KeySort, VerifierKey, is_key_name, refuse_reused
from dokja.evidence.ledger.witnesses import Witness
from dokja.values import Text, is_identifier

__all__ = ["FORMAT", "Settings", "added_key", "added_witness", "read_settings", "written_settings"]

FORMAT = 1

_KEYS = frozenset({"format", "id", "origin", "ledger", "made", "title", "log_key", "witness"})
_SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `programme.toml` says.

    Attributes:
        id: Name of the programme; an identifier.
        title: Its title.
        origin: Name under which its ledger signs.
        ledger: A path inside the folder, or the address of a PostgreSQL database.
        made: When it was made, RFC 3339.
        log_keys: Public keys of the log, oldest first.
        witnesses: Who watches it, and where they publish what they saw.
    """

    id: str
    title: Text
    origin: str
    ledger: str
    made: str
    log_keys: tuple[VerifierKey, ...] = ()
    witnesses: tuple[Witness, ...] = ()

    @property
    def is_on_postgres(self) -> bool:
        """Whether the ledger is kept in PostgreSQL."""
        return self.ledger.startswith(_SCHEMES)


def written_settings(settings: Settings) -> str:
    """Return the text of `programme.toml`."""
    lines = [
        "# What this programme folder is; see docs/reference/ledger.md.",
        f"format = {FORMAT}",
        f"id = {_said(settings.id)}",
        f"origin = {_said(settings.origin)}",
        f"ledger = {_said(settings.ledger)}",
        f"made = {_said(settings.made)}",
        "",
        "[title]",
        f"ko = {_said(settings.title.ko)}",
        f"en = {_said(settings.title.en)}",
    ]
    text = "\n".join(lines) + "\n"
    text += "".join(added_key(key) for key in settings.log_keys)
    return text + "".join(added_witness(witness) for witness in settings.witnesses)


def added_key(key: VerifierKey) -> str:
    """Return the lines that add a log key at the end of `programme.toml`."""
    return f"\n[[log_key]]\nkey = {_said(str(key))}\n"


def added_witness(witness: Witness) -> str:
    """Return the lines that add a witness at the end of `programme.toml`."""
    return f"\n[[witness]]\nkey = {_said(str(witness.key))}\nat = {_said(witness.at)}\n"


def _said(text: str) -> str:
    """Return a TOML string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_settings(path: Path) -> tuple[Settings | None, tuple[Mistake, ...]]:
    """Return what a `programme.toml` says, or every mistake in it."""
    file = str(path)
    try:
        said = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        return None, (Mistake(file=file, place="", read="nothing", expected="this file"),)
    except OSError as error:
        what = "a file that may be read"
        return None, (Mistake(file=file, place="", read=str(error.strerror), expected=what),)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        what = "TOML in UTF-8"
        return None, (Mistake(file=file, place="", read=str(error), expected=what),)
    mistakes = _mistakes(said, file=file)
    keys = _read_keys(said, mistakes, file=file)
    witnesses = _read_witnesses(said, mistakes, file=file)
    try:
        refuse_reused([*keys, *(witness.key for witness in witnesses)])
    except KeyFileError as error:
        what = "each key in one role, under one name"
        mistakes.append(Mistake(file=file, place="keys", read=str(error), expected=what))
    if mistakes:
        return None, tuple(mistakes)
    title = Text(ko=said["title"]["ko"], en=said["title"]["en"])
    return Settings(
        id=said["id"],
        title=title,
        origin=said["origin"],
        ledger=said["ledger"],
        made=said["made"],
        log_keys=keys,
        witnesses=witnesses,
    ), ()


def _mistakes(said: Mapping[str, Any], *, file: str) -> list[Mistake]:
    """Return what is wrong with the keys that are no lists."""
    mistakes = [
        Mistake(file=file, place=key, read="this key", expected=f"one of {sorted(_KEYS)}")
        for key in sorted(said.keys() - _KEYS)
    ]

    def need(place: str, value: object, expected: str, *, good: bool) -> None:
        if not good:
            read = "nothing" if value is None else repr(value)
            mistakes.append(Mistake(file=file, place=place, read=read, expected=expected))

    number = said.get("format")
    need("format", number, f"{FORMAT}, or a newer Dokja", good=number == FORMAT)
    name = said.get("id")
    what = "an identifier in NFC, such as k-ai-2025"
    need("id", name, what, good=isinstance(name, str) and is_identifier(name))
    origin = said.get("origin")
    what = "one word without spaces or +, such as example.org/log"
    need("origin", origin, what, good=isinstance(origin, str) and is_key_name(origin))
    made = said.get("made")
    need("made", made, "a time in RFC 3339", good=isinstance(made, str))
    title = said.get("title")
    for language in ("ko", "en"):
        words = title.get(language) if isinstance(title, dict) else None
        need(f"title.{language}", words, "words", good=isinstance(words, str) and bool(words))
    mistakes += _place_mistakes(said.get("ledger"), file=file)
    return mistakes


def _place_mistakes(ledger: object, *, file: str) -> list[Mistake]:
    """Return what is wrong with where the ledger is said to be."""
    if isinstance(ledger, str) and ledger.startswith(_SCHEMES):
        if urlsplit(ledger).password is None and "password" not in urlsplit(ledger).query:
            return []
        read, what = "an address with a password", "an address without one"
        remedy = "Put the password into the passfile that libpq reads (PGPASSFILE)."
        shown = Mistake(file=file, place="ledger", read=read, expected=what, remedy=remedy)
        return [shown]
    inside = isinstance(ledger, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)*", ledger) is not None
    if inside and ".." not in str(ledger).split("/"):
        return []
    read = "nothing" if ledger is None else repr(ledger)
    what = "a path inside this folder, such as ledger.db, or postgresql://…"
    return [Mistake(file=file, place="ledger", read=read, expected=what)]


def _read_keys(
    said: Mapping[str, Any], mistakes: list[Mistake], *, file: str
) -> tuple[VerifierKey, ...]:
    keys = []
    for number, item in enumerate(_tables(said, "log_key", mistakes, file=file), start=1):
        key = _read_key(item, mistakes, sort=KeySort.LOG, place=f"log_key {number}", file=file)
        if key is not None:
            keys.append(key)
    return tuple(keys)


def _read_witnesses(
    said: Mapping[str, Any], mistakes: list[Mistake], *, file: str
) -> tuple[Witness, ...]:
    witnesses = []
    for number, item in enumerate(_tables(said, "witness", mistakes, file=file), start=1):
        place = f"witness {number}"
        key = _read_key(item, mistakes, sort=KeySort.WITNESS, place=place, file=file)
        at = item.get("at")
        if not isinstance(at, str) or not at:
            what = "a path outside this folder, or https://…"
            mistakes.append(Mistake(file=file, place=f"{place}, at", read=repr(at), expected=what))
        elif key is not None:
            witnesses.append(Witness(key=key, at=at))
    return tuple(witnesses)


def _tables(
    said: Mapping[str, Any], name: str, mistakes: list[Mistake], *, file: str
) -> list[Mapping[str, Any]]:
    tables = said.get(name, [])
    if isinstance(tables, list) and all(isinstance(item, dict) for item in tables):
        return tables
    mistakes.append(
        Mistake(file=file, place=name, read=repr(tables), expected=f"[[{name}]] tables")
    )
    return []


def _read_key(
    item: Mapping[str, Any], mistakes: list[Mistake], *, sort: KeySort, place: str, file: str
) -> VerifierKey | None:
    try:
        key = VerifierKey.parse(str(item.get("key")))
    except KeyFileError as error:
        what = "a public key, name+id+base64"
        mistakes.append(Mistake(file=file, place=f"{place}, key", read=str(error), expected=what))
        return None
    if key.sort is not sort:
        what = f"a key of sort {sort.value:#04x} ({sort.name.lower()})"
        read = f"sort {key.sort.value:#04x}"
        mistakes.append(Mistake(file=file, place=f"{place}, key", read=read, expected=what))
        return None
    return key
