"""Lists of a folder's files with their digests, by which a component's files are named."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import with_config

from dokja.errors import Mistake, RecordError, WeightsError
from dokja.models.forge.forms import STRICT, Count, DigestText, plain
from dokja.models.weights.files import StoredFile, find_file
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["FileManifest", "ListedFile", "file_manifest"]


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file of a folder.

    Attributes:
        name: Its path relative to the folder, with forward slashes.
        bytes: How long it is.
        sha256: Digest of its bytes.
    """

    name: str
    bytes: Count
    sha256: DigestText


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class FileManifest:
    """Every file of a folder, sorted by name.

    Attributes:
        files: All of them.
    """

    files: tuple[ListedFile, ...]

    @property
    def digest(self) -> Digest:
        """SHA-256 of the list in canonical JSON."""
        return Digest.of(canonical_bytes(self.to_json()))

    @property
    def bytes(self) -> int:
        """How long all files are together."""
        return sum(file.bytes for file in self.files)

    def to_json(self) -> Json:
        """Return the list as JSON."""
        return plain(self)


def file_manifest(folder: Path) -> FileManifest:
    """Return the list of all files of a folder, or of a single file.

    Args:
        folder: Whose files; hidden ones too, since nothing that is handed on may stay unlisted.

    Raises:
        RecordError: It is empty, or holds something else than regular files, such as a link that
            leads out of it; every mistake is in it.
    """
    base = folder if folder.is_dir() else folder.parent
    paths = sorted(_paths(folder)) if folder.is_dir() else [folder]
    found: list[ListedFile] = []
    mistakes: list[Mistake] = []
    for path in paths:
        name = path.relative_to(base).as_posix()
        file = find_file(path, inside=base.resolve(), shown=f"{base.name}/{name}")
        if not isinstance(file, StoredFile):
            mistakes.append(file)
            continue
        try:
            found.append(ListedFile(name=name, bytes=file.bytes, sha256=file.digest()))
        except WeightsError as error:
            mistakes += error.mistakes
    if not paths:
        read = "an empty folder" if folder.is_dir() else "nothing"
        expected = "the files of a component"
        mistakes.append(Mistake(file=folder.name, place="", read=read, expected=expected))
    if mistakes:
        raise RecordError(mistakes)
    return FileManifest(files=tuple(sorted(found, key=lambda file: file.name)))


def _paths(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        for name in (*names, *(one for one in folders if (Path(place) / one).is_symlink())):
            yield Path(place) / name
