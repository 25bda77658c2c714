"""A library on the disk: a folder with one folder for each entry, each written whole or not at all.

An entry is made beside its place under a name that begins with a dot, brought to the disk, and
then renamed; whoever is killed leaves nothing that anyone reads. Every file is held to the digest
on the entry's page before a value of it is used.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dokja.errors import LibraryError, Mistake, WeightsError
from dokja.evidence.lineage.library.entries import EntryFacts, read_page, written_page
from dokja.evidence.lineage.library.making import NewEntry
from dokja.models.weights import Source, open_source
from dokja.values import Digest

__all__ = ["PAGE", "Entry", "Library", "add_entry", "open_library"]

PAGE = "entry.json"
_MOST_PAGE_BYTES = 32_000_000
_PLAIN = re.compile(r"[^\w.-]+")
_LONGEST = 80
_READ_AGAIN = "Add the model again, or take the entry from where it came."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """An entry whose page was read and is sound.

    Attributes:
        folder: Where it lies.
        facts: Its page.
    """

    folder: Path
    facts: EntryFacts

    @property
    def bytes(self) -> int:
        """How long its files are together."""
        return sum(file.bytes for file in self.facts.files)

    def file(self, name: str) -> Path:
        """Return a file of the entry after its length and digest were found to be as stated.

        Raises:
            LibraryError: It is missing, damaged, or stands on no page.
        """
        path = self.folder / name
        said = next((one for one in self.facts.files if one.name == name), None)
        if said is None:
            raise _error(path, "a file that the page does not name", "one of its files")
        try:
            with path.open("rb") as stream:
                long = os.fstat(stream.fileno()).st_size
                if long != said.bytes:
                    raise _error(path, f"{long} bytes", f"{said.bytes}, as its page says")
                found = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        except OSError as error:
            raise _error(path, error.strerror or "an error", "a file that can be read") from error
        if found != said.digest:
            raise _error(path, f"a file of {found}", f"{said.digest}, as its page says")
        return path

    def opened(self, name: str) -> "Kept":
        """Return the arrays of a file of the entry, after its digest was checked.

        Raises:
            LibraryError: It is missing, damaged, or no sound safetensors file.
        """
        path = self.file(name)
        try:
            return Kept(source=open_source(path), file=str(path))
        except WeightsError as error:
            raise LibraryError(error.mistakes, changed="The entry was not used.") from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """Arrays of an entry, each read when it is asked for.

    Attributes:
        source: The opened file.
        file: What mistakes call it.
    """

    source: Source
    file: str

    def array(
        self, name: str, shape: tuple[int, ...], *, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return an array as float32, codes and scales alike.

        Args:
            name: Of the array.
            shape: What the page says of it.
            out: Where to write it, of that shape.

        Raises:
            LibraryError: There is no such array, or it has another shape.
        """
        if name not in self.source.names or self.source.info(name).shape != shape:
            there = name in self.source.names
            read = f"the shape {self.source.info(name).shape}" if there else "nothing"
            raise _error(Path(self.file), read, f"{shape}, as its page says", place=name)
        return self.source.read(name, out=out)

    def values(
        self, name: str, shape: tuple[int, ...], *, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the rows that codes and their scales stand for, shape as stated.

        Args:
            name: Of both, without their endings.
            shape: What the page says of the codes.
            out: Where to write the rows, of that shape.

        Raises:
            LibraryError: One of the two is not there, or has another shape.
        """
        values = self.array(f"{name}.codes", shape, out=out)
        values *= self.array(f"{name}.scales", shape[:-1])[..., None]
        return values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Library:
    """A library as it was found.

    Attributes:
        folder: Where it lies.
        entries: Those whose pages are sound, in the order of their folders' names.
        damaged: What is wrong with the others; each mistake names its entry.
    """

    folder: Path
    entries: tuple[Entry, ...]
    damaged: tuple[Mistake, ...] = field(default=())

    def named(self, name: str) -> tuple[Entry, ...]:
        """Return the entries of a name."""
        return tuple(entry for entry in self.entries if entry.facts.name == name)


def open_library(folder: Path) -> Library:
    """Return a library; of every entry its page is read, and its files are measured.

    Raises:
        LibraryError: There is no such folder.
    """
    if not folder.is_dir():
        raise _error(
            folder, "no folder", "a folder of entries", remedy="dokja library add makes it."
        )
    entries: list[Entry] = []
    damaged: list[Mistake] = []
    for path in _folders(folder):
        try:
            entry = Entry(folder=path, facts=_page(path))
        except LibraryError as error:
            damaged += error.mistakes
            continue
        cut = list(_cut(entry))
        damaged += cut
        entries += [] if cut else [entry]
    return Library(folder=folder, entries=tuple(entries), damaged=tuple(damaged))


def _cut(entry: Entry) -> Iterator[Mistake]:
    """Yield files of an entry that are missing, or not as long as its page says."""
    for file in entry.facts.files:
        path = entry.folder / file.name
        try:
            long = path.stat().st_size
        except OSError as error:
            yield from _error(path, error.strerror or "an error", "a file of the entry").mistakes
        else:
            if long != file.bytes:
                said = f"{file.bytes}, as its page says"
                yield from _error(path, f"{long} bytes", said).mistakes


def _folders(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield path


def _page(folder: Path) -> EntryFacts:
    path = folder / PAGE
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_PAGE_BYTES + 1)
    except OSError as error:
        raise _error(path, error.strerror or "an error", "the page of an entry") from error
    if len(raw) > _MOST_PAGE_BYTES:
        raise _error(path, f"more than {_MOST_PAGE_BYTES} bytes", "the page of an entry")
    return read_page(raw, file=str(path))


def add_entry(folder: Path, new: NewEntry) -> Entry:
    """Put an entry into a library, whole or not at all; the folder is made where there is none.

    Returns:
        The entry as it lies there. One of the same bytes may have lain there already.

    Raises:
        LibraryError: Another entry has its name and kind.
        OSError: The disk did not take it; what was unfinished was removed.
    """
    place = folder / _folder_name(new.facts)
    page = written_page(new.facts)
    if place.exists():
        if _same(place, page):
            return Entry(folder=place, facts=new.facts)
        raise _error(
            place,
            f"another entry called {new.facts.name!r}",
            "a name that is free",
            remedy="Choose one with --name, or remove the folder first.",
            changed="Nothing was changed.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{place.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
    unfinished.mkdir()
    try:
        for name, content in _contents(new.files, page):
            with (unfinished / name).open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        _settle(unfinished)
        unfinished.rename(place)
        _settle(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # gone already once it has its name
    return Entry(folder=place, facts=new.facts)


def _contents(files: Mapping[str, bytes], page: bytes) -> Iterator[tuple[str, bytes]]:
    yield from sorted(files.items())
    yield PAGE, page


def _folder_name(facts: EntryFacts) -> str:
    """Return a name that any disk takes; the digest keeps apart what only looks alike."""
    plain = _PLAIN.sub("-", facts.name).strip(".-")[:_LONGEST] or "model"
    told = Digest.of(f"{facts.kind} {facts.name}".encode(errors="surrogatepass")).hex[:8]
    return f"{plain}.{facts.kind}.{told}"


def _same(place: Path, page: bytes) -> bool:
    """Tell whether an entry lies there whose page, and so whose files, are these."""
    try:
        return (place / PAGE).read_bytes() == page
    except OSError:
        return False


def _settle(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _error(
    path: Path,
    read: str,
    expected: str,
    *,
    place: str = "",
    remedy: str = _READ_AGAIN,
    changed: str = "The entry was not used.",
) -> LibraryError:
    return LibraryError(
        [Mistake(file=str(path), place=place, read=read, expected=expected, remedy=remedy)],
        changed=changed,
    )
