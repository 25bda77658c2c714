"""Opens a corpus and reads token ids of it, anywhere, without holding it.

Bytes are read at their position rather than mapped: a mapped file that is cut while it is read
ends the process, a short read ends in a sentence. Every reading makes sure that it meets the
files that were found when the corpus was opened; `verify` makes sure of their digests.
"""

import hashlib
import os
import stat
import threading
import weakref
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dokja.documents.packing.manifest import (
    DOCUMENTS_FILE,
    ITEM_BYTES,
    MANIFEST_FILE,
    Manifest,
    parse_manifest,
)
from dokja.errors import CorpusError, Mistake
from dokja.values import Digest

__all__ = ["Corpus", "open_corpus"]

_MAX_MANIFEST = 64 << 20
_MAX_OPEN = 64
_PIECE = 1 << 18
_OFFSET_BYTES = 8
_PACK_AGAIN = "Restore it from a copy, or pack the corpus again."

_Mark = tuple[int, int, int, int]


class Corpus:
    """A corpus that was opened and found whole; made by `open_corpus` and `write_corpus`.

    It may be read from several threads, and after a fork. Its files are opened when they are
    needed, and closed with it.

    Attributes:
        path: Its folder.
        manifest: What it says of itself.
    """

    def __init__(self, path: Path, manifest: Manifest, marks: dict[str, _Mark]) -> None:
        self.path = path
        self.manifest = manifest
        self._marks = marks
        self._starts = [0, *accumulate(shard.tokens for shard in manifest.shards)]
        self._stored = np.dtype("<u2" if manifest.dtype == "u16" else "<u4")
        self._files = _Files(path)
        weakref.finalize(self, self._files.close)

    @property
    def tokens(self) -> int:
        """How many token ids it holds."""
        return self.manifest.tokens

    @property
    def documents(self) -> int:
        """How many documents it was packed from."""
        return self.manifest.documents

    @property
    def digest(self) -> Digest:
        """Names it beyond doubt; see `Manifest.digest`."""
        return self.manifest.digest

    def windows(self, length: int) -> int:
        """Return how many whole windows of so many tokens it has, side by side."""
        return self.tokens // length

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the token ids from `start` up to `stop`, across shards and documents.

        Returns:
            Ids of dtype uint16 or uint32, shape `(stop - start,)`.

        Raises:
            IndexError: It has no such tokens.
            CorpusError: A shard has changed since the corpus was opened.
        """
        if not 0 <= start <= stop <= self.tokens:
            raise IndexError(f"a corpus of {self.tokens} tokens has none from {start} to {stop}")
        ids = np.empty(stop - start, dtype=self._stored)
        view, filled = ids.view(np.uint8).data, 0
        number = bisect_right(self._starts, start) - 1
        item = ITEM_BYTES[self.manifest.dtype]
        while filled < len(view):
            first = start + filled // item - self._starts[number]
            shard = self.manifest.shards[number]
            length = min(len(view) - filled, (shard.tokens - first) * item)
            self._fill(view[filled : filled + length], shard.file, at=first * item)
            filled += length
            number += 1
        return ids.astype(self._stored.newbyteorder("="), copy=False)

    def document(self, number: int) -> NDArray[Any]:
        """Return the token ids of one document.

        Raises:
            IndexError: It has no such document.
            CorpusError: A file has changed since the corpus was opened.
        """
        if not 0 <= number < self.documents:
            raise IndexError(f"a corpus of {self.documents} documents has no document {number}")
        start, stop = self.offsets(number, number + 2).tolist()
        if not start <= stop <= self.tokens:
            raise CorpusError([self._changed(DOCUMENTS_FILE)])
        return self.read(start, stop)

    def offsets(self, start: int, stop: int) -> NDArray[np.uint64]:
        """Return where documents start, for those from `start` up to `stop`.

        After the last document's start stands one more offset, the number of tokens.

        Raises:
            IndexError: It has no such documents.
            CorpusError: The file has changed since the corpus was opened.
        """
        if not 0 <= start <= stop <= self.documents + 1:
            raise IndexError(f"a corpus of {self.documents} documents has no {start} to {stop}")
        offsets = np.empty(stop - start, dtype="<u8")
        self._fill(offsets.view(np.uint8).data, DOCUMENTS_FILE, at=start * _OFFSET_BYTES)
        return offsets.astype(np.uint64, copy=False)

    def verify(self, progress: Callable[[int], None] | None = None) -> None:
        """Read every file whole and make sure that it is what the manifest says.

        Args:
            progress: Called with the number of bytes after each piece that was hashed.

        Raises:
            CorpusError: A file is another one, an id is outside the vocabulary, or the
                documents' offsets run backwards; every such file is named.
        """
        mistakes: list[Mistake] = []
        for shard in self.manifest.shards:
            mistakes += self._checked(shard.file, shard.digest, progress)
        mistakes += self._checked(DOCUMENTS_FILE, self.manifest.documents_digest, progress)
        if mistakes:
            raise CorpusError(mistakes)

    def close(self) -> None:
        """Close its files; reading opens them again."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        sort: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[Path], "Corpus"], tuple[Path]]:
        # A process of its own opens its own files.
        return open_corpus, (self.path,)

    def _checked(
        self, file: str, digest: Digest, progress: Callable[[int], None] | None
    ) -> Iterator[Mistake]:
        running, offsets = hashlib.sha256(), file == DOCUMENTS_FILE
        pieces = self._pieces(file, running, progress)
        try:
            sound = self._offsets_lead(pieces) if offsets else self._ids_fit(pieces)
        except CorpusError as error:
            yield from error.mistakes
            return
        if (found := running.hexdigest()) != digest.hex:
            yield Mistake(
                file=str(self.path / file),
                place="",
                read=f"sha256:{found}",
                expected=f"{digest}, as the manifest says",
                remedy=f"The file was changed after it was packed. {_PACK_AGAIN}",
            )
        elif not sound:
            read, expected = "an id outside the vocabulary", f"ids below {self.manifest.vocabulary}"
            if offsets:
                read = "offsets that do not lead through the tokens"
                expected = f"offsets that rise from 0 to {self.tokens}"
            yield Mistake(
                file=str(self.path / file),
                place="",
                read=read,
                expected=expected,
                remedy="Whatever wrote this corpus is wrong; pack it with write_corpus().",
            )

    def _pieces(
        self, file: str, running: Any, progress: Callable[[int], None] | None
    ) -> Iterator[NDArray[np.uint8]]:
        size = self._marks[file][2]
        buffer = np.empty(min(_PIECE, size), dtype=np.uint8)
        for at in range(0, size, _PIECE):
            piece = buffer[: min(_PIECE, size - at)]
            self._fill(piece.data, file, at=at)
            running.update(piece.data)
            yield piece
            if progress is not None:
                progress(len(piece))

    # Both read to the end whatever they find: the digest of the whole file is wanted too.
    def _ids_fit(self, pieces: Iterator[NDArray[np.uint8]]) -> bool:
        fit = True
        for piece in pieces:
            fit &= int(piece.view(self._stored).max()) < self.manifest.vocabulary
        return fit

    def _offsets_lead(self, pieces: Iterator[NDArray[np.uint8]]) -> bool:
        lead, last = True, -1
        for piece in pieces:
            starts = piece.view("<u8")
            first = int(starts[0])
            # Differences of unsigned numbers would wrap; neighbours are compared instead.
            lead &= bool((starts[:-1] <= starts[1:]).all())
            lead &= first == 0 if last < 0 else first >= last
            last = int(starts[-1])
        return lead and last == self.tokens

    def _fill(self, view: memoryview, file: str, *, at: int) -> None:
        filled = 0
        try:
            with self._files.opened(file) as handle:
                if _mark(os.fstat(handle)) != self._marks[file]:
                    raise CorpusError([self._changed(file)])
                while filled < len(view):
                    count = os.preadv(handle, [view[filled : filled + (1 << 30)]], at + filled)
                    if not count:
                        raise CorpusError([self._changed(file)])
                    filled += count
        except OSError as error:
            raise CorpusError([_os_mistake(error, self.path / file)]) from error

    def _changed(self, file: str) -> Mistake:
        return Mistake(
            file=str(self.path / file),
            place="",
            read="another file than the one that was found when the corpus was opened",
            expected="files that nobody writes to while they are read",
            remedy="Open the corpus again when it rests, and verify it.",
        )


class _Files:
    """Files held open: as many as come first, up to a limit; the others for one reading each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handles: dict[str, int] = {}
        self._opening = threading.Lock()

    @contextmanager
    def opened(self, file: str) -> Iterator[int]:
        """Give the file's descriptor, for reading at positions."""
        with self._opening:
            handle = self._handles.get(file)
            if handle is None:
                # Without O_NONBLOCK a pipe that took the file's place would make us wait.
                handle = os.open(self._folder / file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                if len(self._handles) < _MAX_OPEN:
                    self._handles[file] = handle
            kept = file in self._handles
        try:
            yield handle
        finally:
            if not kept:
                os.close(handle)

    def close(self) -> None:
        """Close all that is held open."""
        with self._opening:
            while self._handles:
                os.close(self._handles.popitem()[1])


def open_corpus(path: Path, *, tokenizer: Digest | None = None) -> Corpus:
    """Open a corpus after making sure that its files are there, in their sizes.

    Args:
        path: Its folder, or the `manifest.json` in it.
        tokenizer: The tokenizer that must have made it; None accepts any.

    Raises:
        CorpusError: There is no manifest, it is wrong, a file is missing or of another size, or
            another tokenizer made the corpus; every mistake that can be told at once.
    """
    folder = Path(path)
    if folder.name == MANIFEST_FILE and not folder.is_dir():
        folder = folder.parent
    manifest = _manifest(folder)
    mistakes: list[Mistake] = []
    if tokenizer is not None and manifest.tokenizer != tokenizer:
        mistakes.append(
            Mistake(
                file=str(folder / MANIFEST_FILE),
                place="tokenizer",
                read=str(manifest.tokenizer),
                expected=str(tokenizer),
                remedy="Pack the texts again with the tokenizer of this model.",
            )
        )
    item = ITEM_BYTES[manifest.dtype]
    sizes = {shard.file: shard.tokens * item for shard in manifest.shards}
    sizes[DOCUMENTS_FILE] = (manifest.documents + 1) * _OFFSET_BYTES
    marks: dict[str, _Mark] = {}
    for file, size in sizes.items():
        found = _found(folder / file, size)
        if isinstance(found, Mistake):
            mistakes.append(found)
        else:
            marks[file] = found
    if mistakes:
        raise CorpusError(mistakes)
    return Corpus(folder, manifest, marks)


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_FILE
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _MAX_MANIFEST else None
    except OSError as error:
        mistake = _os_mistake(error, path)
        raise CorpusError([mistake]) from error
    if data is None:
        mistake = Mistake(
            file=str(path), place="", read=f"{size} bytes", expected=f"at most {_MAX_MANIFEST}"
        )
        raise CorpusError([mistake])
    return parse_manifest(data, file=str(path))


def _found(path: Path, size: int) -> _Mark | Mistake:
    try:
        state = path.stat()
    except OSError as error:
        return _os_mistake(error, path)
    if not stat.S_ISREG(state.st_mode):
        read = "a folder, pipe, socket or device"
        return Mistake(file=str(path), place="", read=read, expected="a regular file")
    if state.st_size != size:
        return Mistake(
            file=str(path),
            place="",
            read=f"{state.st_size} bytes",
            expected=f"the {size} that the manifest says",
            remedy=f"The file was cut off or changed. {_PACK_AGAIN}",
        )
    return _mark(state)


def _os_mistake(error: OSError, path: Path) -> Mistake:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return Mistake(
        file=str(path),
        place="",
        read=f"nothing: {error.strerror or error}",
        expected="a file of a packed corpus",
        remedy=_PACK_AGAIN if missing else "Make it readable (chmod u+rX), or run as its owner.",
    )


def _mark(state: os.stat_result) -> _Mark:
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
