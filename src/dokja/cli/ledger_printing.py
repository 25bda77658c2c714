"""How the commands about ledgers open a folder, show progress, and tell what they found."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from dokja.cli.printing import emit, say
from dokja.evidence.ledger import CurrentEntry, Entry, Programme, Verification, open_programme
from dokja.values import Json

__all__ = ["current_document", "entry_document", "opened", "progress", "tell_verification"]

BROKEN = 3
CANNOT_TELL = 4


@contextmanager
def opened(folder: Path) -> Iterator[Programme]:
    """Open a programme folder and close it again."""
    with closing(open_programme(folder)) as programme:
        yield programme


@contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how far a long walk has come."""
    shown = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with shown:
        task = shown.add_task("verifying")
        yield lambda done, total: shown.update(task, completed=done, total=total)


def tell_verification(found: Verification, path: Path, *, command: str, as_json: bool) -> int:
    """Tell what verifying came to; return the exit code."""
    code = BROKEN if not found.ok else CANNOT_TELL if found.undecided else 0
    if as_json:
        emit(
            {
                "schema": f"dokja.ledger.{command}/1",
                "path": str(path),
                "ok": found.ok,
                "origin": found.origin,
                "size": found.size,
                "root": str(found.root),
                "first_bad": found.first_bad,
                "problems": [
                    {"seq": one.seq, "code": one.code, "words": one.words} for one in found.problems
                ],
                "undecided": list(found.undecided),
                "notes": list(found.notes),
                "checked": list(found.checked),
            }
        )
        return code
    for line in found.checked:
        say(f"  compared: {line}")
    for line in found.notes:
        say(f"  note: {line}")
    for line in found.undecided:
        say(f"  cannot tell: {line}")
    for problem in found.problems:
        say(f"  {problem}")
    if found.ok:
        say(f"{path}: nothing contradicts the ledger; {found.size} entries, root {found.root}")
    else:
        say(f"{path}: the ledger is not as it was written. Nothing was changed.")
    return code


def current_document(one: CurrentEntry) -> dict[str, Any]:
    """Return an entry as it stands, for JSON."""
    correction = None if one.correction is None else one.correction.seq
    return entry_document(one.entry, body=one.body, correction=correction)


def entry_document(
    entry: Entry, *, body: Mapping[str, Json] | None, correction: int | None
) -> dict[str, Any]:
    """Return an entry for JSON, with the number of what corrects it."""
    return {
        "seq": entry.seq,
        "id": entry.id,
        "time": entry.time,
        "kind": entry.kind,
        "actor": entry.actor,
        "body": body,
        "blobs": [str(blob) for blob in entry.blobs],
        "digest": str(entry.digest),
        "correction": correction,
    }
