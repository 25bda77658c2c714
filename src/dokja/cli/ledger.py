"""`dokja ledger`: verify, show, append to, prove from, witness and export a ledger."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from dokja.cli.ledger_printing import (
    current_document,
    entry_document,
    opened,
    progress,
    tell_verification,
)
from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.witnessing import witness
from dokja.errors import EntryError, KeyFileError, LedgerError, LedgerWriteError, Mistake
from dokja.evidence import ledger as room
from dokja.evidence.ledger import Entry, KeySort, Programme, VerifierKey
from dokja.values import Json, parse_json

__all__ = ["ledger"]

_FOLDER = click.Path(path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group
def ledger() -> None:
    """Verify, show, append to, prove from, witness and export a ledger.

    \b
    Examples:
      dokja ledger verify build/sample
      dokja ledger export build/sample --out build/sample.export.jsonl
    """


@ledger.command("verify", short_help="Tell whether anybody edited the ledger.")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--key", "keys", multiple=True, help="A public key, or its file, that you got elsewhere."
)
@as_json
def verify(path: Path, keys: tuple[str, ...], *, as_json: bool) -> int:
    """Recompute the ledger in PATH and compare it with all that was signed and seen.

    PATH is a programme folder, a file made by `dokja ledger export`, or a proof made by
    `dokja ledger prove`. The first bad entry is named. Ends with 0 if nothing contradicts
    the ledger, 3 if something does, 4 if a witness could not be asked.

    \b
    Examples:
      dokja ledger verify build/sample
      dokja ledger verify build/sample.export.jsonl
    """
    known = [_any_key(key) for key in keys]
    if path.is_dir():
        with opened(path) as programme, progress() as walked:
            found = room.verify_programme(programme, progress=walked)
    elif (proof := _proof(path)) is not None:
        return _verify_proof(proof, path, keys=known, as_json=as_json)
    else:
        with progress() as walked:
            found = room.verify_export(path, keys=known, progress=walked)
    return tell_verification(found, path, command="verify", as_json=as_json)


@ledger.command("show", short_help="Show entries, by number, id or kind.")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.argument("which", metavar="[SEQ|ID]", required=False)
@click.option("--kind", help="Only entries of this kind.")
@click.option("--start", default=0, show_default=True, help="First entry.")
@click.option("--limit", default=50, show_default=True, help="At most so many entries.")
@as_json
def show(
    folder: Path, which: str | None, kind: str | None, start: int, limit: int, *, as_json: bool
) -> int:
    """Show the entries of the programme in DIR as they stand, with their corrections.

    \b
    Examples:
      dokja ledger show build/sample --limit 5
      dokja ledger show build/sample 0
    """
    with opened(folder) as programme:
        book = programme.ledger
        if which is not None:
            shown = [_as_stands(programme, _entry(programme, which))]
        else:
            later = (one for one in book.current(kind=kind) if one.seq >= start)
            shown = [current_document(one) for one in islice(later, limit)]
        size, root = book.size, book.root()
        about: dict[str, Json] = {
            "schema": "dokja.ledger.show/1",
            "origin": book.origin,
            "size": size,
            "root": str(root),
        }
    if as_json:
        emit({**about, "entries": shown})
        return 0
    say(f"{folder}: {size} entries, root {root}")
    for one in shown:
        say(f"{one['seq']:>6}  {one['time']}  {one['id']}  ({one['kind']}, by {one['actor']})")
        if one["correction"] is not None:
            say(f"        corrected by entry {one['correction']}")
        if which is not None:
            say(f"        {one['digest']}")
            say(json.dumps(one["body"], ensure_ascii=False, indent=2))
    return 0


@ledger.command("append", short_help="Append entries from lines of JSON, all or none.")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--file", "file", required=True, help="One draft per line, or - for standard input.")
@as_json
def append(folder: Path, file: str, *, as_json: bool) -> int:
    """Append the drafts in a file to the programme in DIR, all of them or none.

    A line holds kind, actor and body, and may hold id and blobs. Every mistake of every
    line is told at once, and then nothing is appended.

    \b
    Example:
      dokja ledger append build/sample --file entries.jsonl
    """
    data = _read(file)
    drafts = room.parse_drafts(data, file="standard input" if file == "-" else file)
    with opened(folder) as programme:
        entries = programme.ledger.append(drafts, at=now())
        size = entries[-1].seq + 1
        root = programme.ledger.root(size)
    if as_json:
        done = [{"seq": one.seq, "id": one.id, "digest": str(one.digest)} for one in entries]
        about = {"schema": "dokja.ledger.append/1", "size": size, "root": str(root)}
        emit({**about, "entries": done})
        return 0
    say(f"{len(entries)} entries appended, {entries[0].seq} to {entries[-1].seq}; root {root}")
    return 0


@ledger.command("prove", short_help="Prove an entry, or that the ledger only grew.")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.argument("which", metavar="[SEQ|ID]", required=False)
@click.option("--from", "old", type=int, help="Prove growth from so many entries instead.")
@click.option(
    "--size", type=int, help="In the tree of so many entries; in the present one if none."
)
@click.option("--out", type=_FILE, help="Write the proof to this file.")
@as_json
def prove(
    folder: Path,
    which: str | None,
    old: int | None,
    size: int | None,
    out: Path | None,
    *,
    as_json: bool,
) -> int:
    """Prove that an entry stands in the ledger, or that the ledger only grew.

    The proof is one JSON document; `dokja ledger verify` checks it without the ledger.

    \b
    Examples:
      dokja ledger prove build/sample 0 --out build/entry-0.proof.json
      dokja ledger prove build/sample --from 3
    """
    if (which is None) == (old is None):
        message = "name an entry by number or id, or give --from; not both"
        raise click.UsageError(message)
    with opened(folder) as programme:
        at = programme.ledger.size if size is None else size
        note = room.signed_note(programme, at)
        if old is not None:
            proof = room.consistency_document(programme.ledger, old, new=at, checkpoint=note)
        else:
            seq = _entry(programme, str(which)).seq
            proof = room.inclusion_document(programme.ledger, seq, size=at, checkpoint=note)
    if out is not None:
        room.write_note(out, json.dumps(proof, ensure_ascii=False, indent=2) + "\n")
        say(f"{out}: proof of {proof['proves']} in the tree of {at} entries", error=as_json)
    if as_json or out is None:
        emit(proof)
    return 0


@ledger.command("export", short_help="Write one file with which anyone can verify the ledger.")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--out", type=_FILE, required=True, help="The file to write.")
@as_json
def export(folder: Path, out: Path, *, as_json: bool) -> int:
    """Write the whole ledger of DIR, its checkpoints and what witnesses saw to one file.

    \b
    Example:
      dokja ledger export build/sample --out build/sample.export.jsonl
    """
    with opened(folder) as programme:
        notes, silent = room.witness_notes(programme)
        lines = programme.ledger.export(
            checkpoints=[note for _, note in programme.notes()],
            keys=programme.log_keys,
            witnesses=notes,
        )
        size = _write_lines(out, lines)
    for words in silent:
        say(words, error=True)
    if as_json:
        about = {"schema": "dokja.ledger.export/1", "file": str(out), "bytes": size}
        emit({**about, "witnesses": [one.key.name for one in notes], "silent": list(silent)})
        return 0
    say(f"{out}: {size} bytes; anyone can check it with: dokja ledger verify {out}")
    return 0


def _proof(path: Path) -> Mapping[str, Any] | None:
    """Return the proof in a file, if it is a JSON document and no export."""
    with path.open("rb") as file:
        if file.readline() not in {b"{\n", b"{\r\n"}:
            return None
    try:
        said = parse_json(path.read_bytes().decode())
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, Mapping) else None


def _verify_proof(
    proof: Mapping[str, Any], path: Path, *, keys: list[VerifierKey], as_json: bool
) -> int:
    entry = room.verify_proof(proof, keys=keys, place=str(path))
    proved = f"growth from {proof.get('old')} entries" if entry is None else f"entry {entry.seq}"
    if as_json:
        about = {"schema": "dokja.ledger.verify/1", "path": str(path), "ok": True}
        emit({**about, "proved": proved, "size": proof["size"], "root": proof["root"]})
        return 0
    say(f"{path}: it proves {proved} in the tree of {proof['size']} entries, root {proof['root']}")
    if not keys:
        say("  note: nobody vouches for that root here; give the log's key with --key")
    return 0


def _entry(programme: Programme, which: str) -> Entry:
    """Return the entry of a number or an id."""
    if which.isdecimal():
        return programme.ledger.entry(int(which))
    entry = programme.ledger.find(which)
    if entry is None:
        message = f"{programme.folder}: there is no entry of the id {which!r}"
        raise LedgerError(message)
    return entry


def _as_stands(programme: Programme, entry: Entry) -> dict[str, Any]:
    """Return an entry with its correction, or a correction as it is."""
    for one in programme.ledger.current(kind=entry.kind):
        if one.seq == entry.seq:
            return current_document(one)
    return entry_document(entry, body=entry.body, correction=None)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        what = "a file that can be read"
        mistake = Mistake(file=file, place="", read=str(error.strerror), expected=what)
        raise EntryError([mistake], changed="Nothing was appended.") from error


def _any_key(written: str) -> VerifierKey:
    """Return a public key of a log or of a witness."""
    try:
        return room.read_public_key(written, sort=KeySort.LOG)
    except KeyFileError:
        return room.read_public_key(written, sort=KeySort.WITNESS)


def _write_lines(out: Path, lines: Iterator[bytes]) -> int:
    """Write a file in one step: a reader sees none or all of it."""
    part: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=out.absolute().parent, prefix=f".{out.name}-", delete=False
        ) as file:
            part = Path(file.name)
            size = sum(file.write(line) for line in lines)
        part.chmod(0o644)
        part.replace(out)
    except OSError as error:
        message = f"{out}: the export could not be written ({error.strerror}). Nothing was changed."
        raise LedgerWriteError(message) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return size


ledger.add_command(witness)
