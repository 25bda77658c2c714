"""Writes a dossier: the page, the decision and its tables, each file whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import InputError, Mistake
from dokja.evidence.ledger.entries import Entry
from dokja.public.reports.document import read_decision
from dokja.public.reports.page import render
from dokja.public.reports.records import read_records
from dokja.public.reports.spreadsheets import spreadsheet
from dokja.public.reports.tables import tables_of
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["DossierFiles", "put_file", "write_dossier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierFiles:
    """Where a dossier was written.

    Attributes:
        html: The page, self-contained.
        decision: `decision.json`, the decision in its canonical bytes.
        csv: One file for every table.
        digest: SHA-256 of the decision's bytes.
    """

    html: Path
    decision: Path
    csv: tuple[Path, ...]
    digest: Digest


def write_dossier(
    decision: Mapping[str, Json], *, entries: Iterable[Entry], out: Path
) -> DossierFiles:
    """Write the dossier of a decision into a folder, in the place of an older one.

    Everything is made before anything is written, and each file takes its place in one step.

    Args:
        decision: The decision document, as it was judged or received.
        entries: The ledger's entries: findings, disputes and awards are told from them.
        out: The folder; made where it is not there.

    Raises:
        DecisionFileError: The document is not a decision of this format; nothing was written.
        InputError: The folder cannot be written.
    """
    read = read_decision(decision)
    records = read_records(entries)
    said = canonical_bytes(decision)
    digest = Digest.of(said)
    page = render(read, records=records, digest=str(digest))
    sheets = {table.name: spreadsheet(table) for table in tables_of(read, records)}
    files = DossierFiles(
        html=out / "dossier.html",
        decision=out / "decision.json",
        csv=tuple(out / "csv" / f"{name}.csv" for name in sheets),
        digest=digest,
    )
    contents = {files.decision: said}
    contents |= dict(zip(files.csv, sheets.values(), strict=True))
    contents[files.html] = page.encode()
    _put(contents, out=out)
    return files


def _put(contents: Mapping[Path, bytes], *, out: Path) -> None:
    written: list[Path] = []
    try:
        (out / "csv").mkdir(parents=True, exist_ok=True)
        for path, data in contents.items():
            put_file(path, data)
            written.append(path)
    except OSError as error:
        mistake = Mistake(
            file=str(out),
            place=str(error.filename or ""),
            read=error.strerror or str(error),
            expected="a folder that can be written, with room for the dossier",
            remedy="Free space or give another folder with --out.",
        )
        changed = ", ".join(path.name for path in written)
        raise InputError(
            [mistake],
            changed=f"Written before that: {changed}." if written else "Nothing was changed.",
        ) from error


def put_file(path: Path, data: bytes) -> None:
    """Put a file in its place in one step, whole or not at all.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:  # nothing is left of it here once it has taken its place
        Path(name).unlink(missing_ok=True)
