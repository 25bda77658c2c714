"""Writes a corpus: texts in, shards of token ids and a manifest out, as a whole or not at all.

Everything is written into a hidden folder beside the target, is brought to the disk, and takes
its name in one step. Whoever is killed before that leaves the hidden folder, which the next
writer of the same corpus clears away. Memory stays at one document and some buffers.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.documents.packing.manifest import (
    DOCUMENTS_FILE,
    ITEM_BYTES,
    MANIFEST_FILE,
    CorpusFacts,
    Manifest,
    Shard,
    TokenType,
    fact_mistakes,
)
from dokja.documents.packing.reading import Corpus, open_corpus
from dokja.errors import CorpusError, Mistake
from dokja.values import Digest, canonical_bytes

__all__ = ["SHARD_TOKENS", "write_corpus"]

SHARD_TOKENS = 1 << 27
"""Ids of one shard, unless the caller says otherwise: 256 MiB of u16."""

_BUFFER = 1 << 20
# After a first wrong document so many more are looked at before the writer gives up: one error
# then names the whole pattern, and a large corpus is not encoded to its end for nothing.
_DOCUMENTS_AFTER_MISTAKE = 1000
_MOST_MISTAKES = 20
_NOTHING_KEPT = "Nothing was kept of what had been written."


def write_corpus(
    texts: Iterable[str],
    folder: Path,
    *,
    encode: Callable[[str], Sequence[int]],
    facts: CorpusFacts,
    shard_tokens: int = SHARD_TOKENS,
    dtype: TokenType | None = None,
    end_of_document: int | None = None,
) -> Corpus:
    """Pack texts into a corpus, and open it.

    Args:
        texts: The documents, one text each, in the order in which they are to lie.
        folder: Where the corpus goes; it must not be there yet.
        encode: Returns a text's token ids; the tokenizer of `facts`.
        facts: What people say of the corpus.
        shard_tokens: Ids of each shard but the last.
        dtype: How ids are stored; the narrowest that holds the vocabulary, unless it is said.
        end_of_document: An id that is put after every document; None for none.

    Raises:
        CorpusError: The facts are wrong, the folder is there already or is being written, an
            id is outside the vocabulary, there is no token at all, or the disk refuses.
            Nothing is left behind.
    """
    folder = Path(folder)
    chosen: TokenType = dtype or ("u16" if facts.vocabulary <= 1 << 16 else "u32")
    mistakes = [
        *fact_mistakes(facts, file=folder.name),
        *_option_mistakes(
            facts, chosen, file=folder.name, end=end_of_document, shard_tokens=shard_tokens
        ),
    ]
    if mistakes:
        raise CorpusError(mistakes)
    with _unfinished(folder) as inside:
        writer = _Writer(inside, facts, dtype=chosen, shard_tokens=shard_tokens)
        manifest = writer.pack(texts, encode, end=end_of_document, file=folder.name)
        file = _File(inside / MANIFEST_FILE)
        file.write(canonical_bytes(manifest.to_json()))
        file.close()
    return open_corpus(folder)


class _File:
    """A file that is written once, hashed on the way, and on the disk when it is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._waiting = bytearray()
        with _on_disk(path):
            self._stream = path.open("xb", buffering=0)

    def write(self, data: bytes | memoryview) -> None:
        """Append these bytes."""
        self._waiting += data
        if len(self._waiting) >= _BUFFER:
            self._empty()

    def _empty(self) -> None:
        """Hash and hand on what waits."""
        with _on_disk(self._path):
            self._hash.update(self._waiting)
            left = memoryview(self._waiting)
            while left:
                left = left[self._stream.write(left) :]
        self._waiting = bytearray()

    def close(self) -> Digest:
        """Bring the file to the disk; return its digest."""
        with self._stream:
            self._empty()
            with _on_disk(self._path):
                os.fsync(self._stream.fileno())
        return Digest(self._hash.hexdigest())

    def abandon(self) -> None:
        """Close the file whatever becomes of its bytes."""
        with suppress(OSError):
            self._stream.close()


class _Writer:
    """Documents in, files out: shards are cut wherever they are full, inside documents too."""

    def __init__(
        self, folder: Path, facts: CorpusFacts, *, dtype: TokenType, shard_tokens: int
    ) -> None:
        self._folder = folder
        self._facts = facts
        self._dtype = dtype
        self._stored = np.dtype("<u2" if dtype == "u16" else "<u4")
        self._shard_tokens = shard_tokens
        self._shards: list[Shard] = []
        self._file: _File | None = None
        self._filled = 0
        self._documents = self._tokens = self._text_bytes = 0

    def pack(
        self,
        texts: Iterable[str],
        encode: Callable[[str], Sequence[int]],
        *,
        end: int | None,
        file: str,
    ) -> Manifest:
        """Write every document; return what the manifest has to say.

        Raises:
            CorpusError: A document cannot be packed, or there is not one token.
        """
        numbered = enumerate(texts)
        offsets = _File(self._folder / DOCUMENTS_FILE)
        mistakes: list[Mistake] = []
        try:
            for number, text in numbered:
                offsets.write(self._tokens.to_bytes(8, "little"))
                mistake = self._add(text, encode, end=end, place=f"{file}, document {number}")
                if mistake is not None:
                    mistakes.append(mistake)
                    break
            offsets.write(self._tokens.to_bytes(8, "little"))
            self._close_shard()
            documents_digest = offsets.close()
        finally:
            offsets.abandon()
            if self._file is not None:
                self._file.abandon()
        for number, text in islice(numbered, _DOCUMENTS_AFTER_MISTAKE if mistakes else 0):
            found = self._ids(text, encode, place=f"{file}, document {number}")
            if isinstance(found, Mistake):
                mistakes.append(found)
        if not self._tokens and not mistakes:
            read = f"{self._documents} documents without one token"
            mistakes.append(Mistake(file=file, place="", read=read, expected="text to pack"))
        if mistakes:
            raise CorpusError(mistakes[:_MOST_MISTAKES], changed=_NOTHING_KEPT)
        return Manifest(
            facts=self._facts,
            dtype=self._dtype,
            shards=tuple(self._shards),
            documents_digest=documents_digest,
            documents=self._documents,
            tokens=self._tokens,
            text_bytes=self._text_bytes,
        )

    def _add(
        self, text: str, encode: Callable[[str], Sequence[int]], *, end: int | None, place: str
    ) -> Mistake | None:
        ids = self._ids(text, encode, place=place)
        if isinstance(ids, Mistake):
            return ids
        stored = ids.astype(self._stored)
        if end is not None:
            stored = np.append(stored, self._stored.type(end))
        self._write(stored)
        self._documents += 1
        self._text_bytes += len(text.encode())
        return None

    def _ids(
        self, text: str, encode: Callable[[str], Sequence[int]], *, place: str
    ) -> NDArray[Any] | Mistake:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return Mistake(
                file=place,
                place=f"sign {error.start + 1}",
                read=repr(text[error.start]),
                expected="signs of Unicode, not halves of one",
            )
        ids = np.asarray(encode(text))
        if not ids.size:
            return np.empty(0, dtype=np.int64)
        wrong = (
            np.ones(1, dtype=bool)
            if ids.dtype.kind not in "iu" or ids.ndim != 1
            else (ids < 0) | (ids >= self._facts.vocabulary)
        )
        if not wrong.any():
            return ids
        first = int(np.argmax(wrong))
        return Mistake(
            file=place,
            place=f"token {first}",
            read=f"the id {ids.flat[first]!s}"[:60],
            expected=f"whole numbers from 0 to {self._facts.vocabulary - 1}",
            remedy="Name the vocabulary of the tokenizer that encodes, with its special tokens.",
        )

    def _write(self, ids: NDArray[Any]) -> None:
        while len(ids):
            if self._file is None:
                self._file = _File(self._folder / self._shard_name())
            part = ids[: self._shard_tokens - self._filled]
            self._file.write(part.data)
            self._filled += len(part)
            self._tokens += len(part)
            if self._filled == self._shard_tokens:
                self._close_shard()
            ids = ids[len(part) :]

    def _shard_name(self) -> str:
        return f"tokens-{len(self._shards):05d}.{self._dtype}"

    def _close_shard(self) -> None:
        if self._file is not None:
            digest = self._file.close()
            self._shards.append(Shard(file=self._shard_name(), tokens=self._filled, digest=digest))
            self._file, self._filled = None, 0


@contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    """Say what the disk refused; what the caller's texts or tokenizer raise stays as it is."""
    try:
        yield
    except OSError as error:
        mistake = Mistake(
            file=str(path),
            place="",
            read=f"nothing more could be written: {error.strerror or error}",
            expected="a disk with room, and permission to write",
        )
        raise CorpusError([mistake], changed=_NOTHING_KEPT) from error


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `folder` when the block ends well, and vanishes if not.

    Raises:
        CorpusError: The folder is there already, or somebody else is writing it.
    """
    _refuse_present(folder)
    inside = folder.parent / f".{folder.name}.unfinished"
    with _on_disk(inside):
        inside.mkdir(exist_ok=True)
        handle = os.open(inside, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _on_disk(inside):
            _lock(handle, inside)
            _clear(inside)
        try:
            yield inside
            _refuse_present(folder)
            with _on_disk(folder):
                os.fsync(handle)
                inside.rename(folder)
                _sync_folder(folder.parent)
        finally:
            # Whatever ended the writing goes on up; only half-written files go. A corpus that
            # came to its end has its own name by now.
            shutil.rmtree(inside, ignore_errors=True)
    finally:
        os.close(handle)


def _refuse_present(folder: Path) -> None:
    if os.path.lexists(folder):
        mistake = Mistake(
            file=str(folder),
            place="",
            read="something that is there already",
            expected="a folder that is not there yet",
            remedy="Choose another name; a corpus is never written over.",
        )
        raise CorpusError([mistake])


def _lock(handle: int, inside: Path) -> None:
    busy = True
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another writer may have finished, and given the folder its name, before we locked it.
        busy = not inside.exists() or inside.stat().st_ino != os.fstat(handle).st_ino
    if busy:
        mistake = Mistake(
            file=str(inside),
            place="",
            read="a corpus that somebody is writing",
            expected="one writer at a time",
            remedy="Wait for the other writer to end.",
        )
        raise CorpusError([mistake])


def _clear(inside: Path) -> None:
    for left in inside.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _option_mistakes(
    facts: CorpusFacts, dtype: TokenType, *, file: str, end: int | None, shard_tokens: int
) -> Iterator[Mistake]:
    if dtype not in ITEM_BYTES:
        yield Mistake(file=file, place="dtype", read=repr(dtype), expected="u16 or u32")
    elif facts.vocabulary > 1 << (8 * ITEM_BYTES[dtype]):
        yield Mistake(
            file=file,
            place="dtype",
            read=f"{dtype} for {facts.vocabulary} ids",
            expected="u32, since u16 ends at 65,535",
        )
    if end is not None and not 0 <= end < facts.vocabulary:
        yield Mistake(
            file=file,
            place="end_of_document",
            read=f"the id {end}",
            expected=f"a whole number from 0 to {facts.vocabulary - 1}",
        )
    if shard_tokens < 1:
        yield Mistake(
            file=file, place="shard_tokens", read=str(shard_tokens), expected="at least 1"
        )
