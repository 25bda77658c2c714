"""Tables of outcomes in a folder, so that what was imported once can be compared often.

`table.json` is canonical JSON (RFC 8785): names, strata, clusters, flags, where everything came
from, and the digest of `outcomes.npz`, which holds the arrays. Both are the same bytes for the same
import. Reading checks every digest and bound before an array is made, and takes no other version.
"""

import io
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.outcomes import Charge, Outcome
from dokja.evidence.benchmarks.tables import Flag, OutcomeTable
from dokja.values import Digest, Json, canonical_bytes, parse_json, shown

__all__ = ["Imported", "Origin", "read_import", "read_table", "write_import"]

PAGE, ARRAYS = "table.json", "outcomes.npz"
_VERSION = 1
_KIND = "outcome-tables"
_MOST_PAGE = 512 * 2**20
_MOST_ARRAYS = 8 * 2**30
_HEADER = 1024
_DTYPES = {"outcomes": "|u1", "charges": "|u1", "scores": "<f4", "chance": "<f8"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where tables came from.

    Attributes:
        importer: What read them, such as `table` or `inspect`.
        files: Every file that was read, by name, with its digest.
        mapping: Digest of the mapping; None if the source needs none.
    """

    importer: str
    files: Mapping[str, Digest] = field(default_factory=dict)
    mapping: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was imported.

    Attributes:
        table: The systems whose items are known to be the same.
        alone: One table for each other system: it has scores, but is compared with none.
    """

    table: OutcomeTable
    alone: tuple[OutcomeTable, ...] = ()

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Every flag once."""
        found: list[Flag] = []
        for table in (self.table, *self.alone):
            found += [flag for flag in table.flags if flag not in found]
        return tuple(found)

    def holding(self, system: str) -> OutcomeTable:
        """Return the table that a system is in.

        Raises:
            KeyError: None is.
        """
        for table in (self.table, *self.alone):
            if system in table.systems:
                return table
        raise KeyError(system)


def read_table(folder: Path) -> OutcomeTable:
    """Return the table of the systems whose items are known to be the same.

    Raises:
        TableError: See `read_import`.
    """
    return read_import(folder)[0].table


def write_import(folder: Path, imported: Imported, *, origin: Origin) -> Digest:
    """Write an import into a new folder, whole or not at all.

    Returns:
        The digest of `table.json`, which names everything else.

    Raises:
        TableError: Something is there already.
        OSError: The disk did not take it; what was unfinished was removed.
    """
    if folder.exists():
        expected = "a folder that is not there yet"
        remedy = "Choose another with --out, or remove it first."
        raise TableError([_wrong(folder, "", "something there", expected, remedy=remedy)])
    arrays = _packed([imported.table, *imported.alone])
    page = canonical_bytes(
        {
            "v": _VERSION,
            "kind": _KIND,
            "importer": origin.importer,
            "files": {name: str(digest) for name, digest in origin.files.items()},
            **({} if origin.mapping is None else {"mapping": str(origin.mapping)}),
            "arrays": str(Digest.of(arrays)),
            "tables": [_page(table) for table in (imported.table, *imported.alone)],
        }
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
    unfinished.mkdir()
    try:
        for name, content in ((ARRAYS, arrays), (PAGE, page)):
            with (unfinished / name).open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # gone already once it has its name
    return Digest.of(page)


def read_import(folder: Path) -> tuple[Imported, Origin]:
    """Return what `write_import` wrote, every byte of it checked.

    Raises:
        TableError: The folder holds no import, one of another version, or one that was changed
            after it was written; every mistake at once.
    """
    page = _bytes(folder / PAGE, most=_MOST_PAGE)
    try:
        said = parse_json(page)
    except ValueError as error:
        read = shown(str(error))
        raise TableError([_wrong(folder / PAGE, "", read, "canonical JSON")]) from None
    if not isinstance(said, dict) or (said.get("v"), said.get("kind")) != (_VERSION, _KIND):
        version = shown(repr(said.get("v"))) if isinstance(said, dict) else "no object"
        expected = f"{_KIND} of version {_VERSION}"
        remedy = "Import again with this Dokja, or read it with a newer one."
        wrong = _wrong(folder / PAGE, "v", version, expected, remedy=remedy)
        raise TableError([wrong])
    arrays = _bytes(folder / ARRAYS, most=_MOST_ARRAYS)
    if str(Digest.of(arrays)) != said.get("arrays"):
        read = f"{Digest.of(arrays).short}…"
        expected = f"{shown(str(said.get('arrays')))}, as {PAGE} says"
        remedy = "It was changed after it was written; import again."
        raise TableError([_wrong(folder / ARRAYS, "", read, expected, remedy=remedy)])
    try:
        tables = _tables(said["tables"], arrays)
        files = {str(name): Digest.parse(each) for name, each in said["files"].items()}
        mapping = Digest.parse(said["mapping"]) if "mapping" in said else None
        origin = Origin(importer=str(said["importer"]), files=files, mapping=mapping)
    except (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        read = shown(f"{type(error).__name__}: {error}")
        raise TableError([_wrong(folder / PAGE, "tables", read, "a whole import")]) from None
    return Imported(table=tables[0], alone=tuple(tables[1:])), origin


def _wrong(path: Path, place: str, read: str, expected: str, *, remedy: str = "") -> Mistake:
    return Mistake(file=str(path), place=place, read=read, expected=expected, remedy=remedy)


def _bytes(path: Path, *, most: int) -> bytes:
    expected = f"the file {path.name} of an import"
    remedy = "Make one with: dokja import"
    try:
        if path.stat().st_size > most:
            read = f"more than {most:,} bytes"
            raise TableError([_wrong(path, "", read, expected, remedy=remedy)])
        return path.read_bytes()
    except OSError as error:
        read = error.strerror or "an error"
        raise TableError([_wrong(path, "", read, expected, remedy=remedy)]) from None


def _indexed(texts: Sequence[str]) -> dict[str, Json]:
    """Return texts, many of them equal, as those that differ and which stands where."""
    names = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return {"names": list(names), "codes": [names[text] for text in texts]}


def _texts(said: Mapping[str, Any]) -> tuple[str, ...]:
    names = [str(each) for each in said["names"]]
    codes = said["codes"]
    if not all(isinstance(code, int) and 0 <= code < len(names) for code in codes):
        raise ValueError("a code that names nothing")
    return tuple(names[code] for code in codes)


def _page(table: OutcomeTable) -> dict[str, Json]:
    present = [name for name in _DTYPES if getattr(table, name) is not None]
    return {
        "suite": table.suite,
        "form": table.form,
        "items": list(table.items),
        "systems": list(table.systems),
        "epochs": table.outcomes.shape[2],
        "strata": _indexed(table.strata),
        "clusters": {name: _indexed(each) for name, each in table.clusters.items()},
        "paired": table.paired,
        "arrays": list(present),
        "flags": [
            {
                "flag": flag.name,
                "count": flag.count,
                "systems": list(flag.systems),
                "blocks": sorted(flag.blocks),
                "facts": dict(flag.facts),
            }
            for flag in table.flags
        ],
    }


def _packed(tables: Sequence[OutcomeTable]) -> bytes:
    """Return the arrays as an .npz that is the same bytes at every time and place."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number, table in enumerate(tables):
            for name, dtype in _DTYPES.items():
                array: NDArray[Any] | None = getattr(table, name)
                if array is not None:
                    one = io.BytesIO()
                    fixed = np.ascontiguousarray(array, dtype=np.dtype(dtype))
                    np.lib.format.write_array(one, fixed, version=(1, 0), allow_pickle=False)
                    entry = zipfile.ZipInfo(f"{number}.{name}.npy", date_time=_EPOCH)
                    archive.writestr(entry, one.getvalue())
    return packed.getvalue()


def _tables(said: Sequence[Mapping[str, Any]], arrays: bytes) -> list[OutcomeTable]:
    if not said:
        raise ValueError("no table")
    with zipfile.ZipFile(io.BytesIO(arrays)) as archive:
        return [_table(each, archive, number=number) for number, each in enumerate(said)]


def _table(said: Mapping[str, Any], archive: zipfile.ZipFile, *, number: int) -> OutcomeTable:
    items, systems = tuple(map(str, said["items"])), tuple(map(str, said["systems"]))
    shape = (len(items), len(systems), int(said["epochs"]))
    arrays = {
        name: _array(archive, f"{number}.{name}.npy", dtype=_DTYPES[name], shape=shape)
        for name in said["arrays"]
    }
    for name, most in (("outcomes", len(Outcome)), ("charges", len(Charge))):
        if int(arrays[name].max(initial=0)) >= most:
            raise ValueError(f"a code among {name} that stands for none")
    flags = tuple(
        Flag(
            name=str(each["flag"]),
            count=int(each["count"]),
            systems=tuple(map(str, each["systems"])),
            blocks=frozenset(map(str, each["blocks"])),
            facts=dict(each["facts"]),
        )
        for each in said["flags"]
    )
    return OutcomeTable(
        suite=str(said["suite"]),
        form=str(said["form"]),
        items=items,
        systems=systems,
        strata=_texts(said["strata"]),
        clusters={str(name): _texts(each) for name, each in said["clusters"].items()},
        paired=said["paired"] is True,
        flags=flags,
        **arrays,
    )


def _array(
    archive: zipfile.ZipFile, name: str, *, dtype: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    if name.endswith("chance.npy"):
        shape = shape[:1]
    entry = archive.getinfo(name)
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    if not size <= entry.file_size <= size + _HEADER:
        raise ValueError(f"{name} of {entry.file_size} bytes, where {size} are told of")
    with archive.open(entry) as stream:
        array: NDArray[Any] = np.lib.format.read_array(
            io.BytesIO(stream.read(size + _HEADER)), allow_pickle=False
        )
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise ValueError(f"{name} of shape {array.shape}, where {shape} is told of")
    return array
