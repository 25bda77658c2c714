"""Trains a byte-level BPE so that anyone with the corpus can train it again, to the last merge.

rustbpe counts pairs over the whole corpus and breaks ties by the ids of the pair, so that neither
the order of the documents nor the number of threads changes a merge (measured in
`tests/forge/test_tokenizer_training.py`); where a document ends does, since no pair crosses it.
Retraining is therefore an exact check (V2.6): `tokenizer.same_merges`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import CorpusError, Mistake, RecipeError
from dokja.models.forge.extras import need
from dokja.models.forge.tokenizing.agreement import check_agreement
from dokja.models.forge.tokenizing.byte_level import merge_pieces
from dokja.models.forge.tokenizing.folders import write_tokenizer
from dokja.models.forge.tokenizing.patterns import SPLITS, SplitPattern, compiled
from dokja.models.forge.tokenizing.tokenizer import BYTES, Tokenizer
from dokja.values import shown

__all__ = ["Trained", "build_tokenizer", "merges_of", "train_tokenizer"]

_MAX_SIZE = 1 << 20
_MAX_MISTAKES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A tokenizer and what it was trained from.

    Attributes:
        tokenizer: The tokenizer.
        documents: How many texts were read, empty ones left out.
        bytes: Their bytes in UTF-8.
    """

    tokenizer: Tokenizer
    documents: int
    bytes: int


def train_tokenizer(
    texts: Iterable[str | bytes],
    *,
    size: int,
    split: str | SplitPattern = "llama3",
    specials: tuple[str, ...] = ("<|endoftext|>",),
    name: str = "corpus",
) -> Trained:
    """Train a byte-level BPE.

    Args:
        texts: Documents, as text or as UTF-8; read once, and never all at a time.
        size: How many ids, the 256 bytes and the specials among them.
        split: The name of a split pattern, or one of your own.
        specials: Special tokens; the first ends a document.
        name: What mistakes call the corpus.

    Raises:
        ExtraMissingError: The extra `tokenizer` is not installed.
        RecipeError: The size leaves no room, the split pattern is unknown or no regular
            expression, specials repeat, or the corpus has fewer pairs than the size asks for.
        CorpusError: A text is not UTF-8, or there is no text.
    """
    cut = _checked(size=size, split=split, specials=specials)
    trainer = _trainer(cut)
    reading = _Reading(name=name)
    trainer.train_from_iterator(
        reading.texts(texts), vocab_size=size - len(specials), pattern=cut.pattern
    )
    if reading.mistakes:
        raise CorpusError(reading.mistakes)
    if not reading.documents:
        read = "no text at all" if not reading.seen else f"{reading.seen} empty texts"
        wrong = Mistake(file=name, place="", read=read, expected="texts to learn merges from")
        raise CorpusError([wrong])
    ranks = {bytes(token): rank for token, rank in trainer.get_mergeable_ranks()}
    merges = merges_of(ranks)
    short = size - len(specials) - BYTES - len(merges)
    if short:
        raise RecipeError([_short(name, size=size, short=short)])
    tokenizer = Tokenizer(merges=merges, pattern=cut.pattern, specials=specials)
    return Trained(tokenizer=tokenizer, documents=reading.documents, bytes=reading.bytes)


def build_tokenizer(
    texts: Iterable[str | bytes],
    folder: Path,
    *,
    size: int,
    split: str | SplitPattern = "llama3",
    specials: tuple[str, ...] = ("<|endoftext|>",),
    name: str = "corpus",
) -> Trained:
    """Train a tokenizer and write its folder, if all encoders agree on the pinned probe.

    Args:
        texts: See `train_tokenizer`, as for all the others.
        folder: Where it is written; its parent must exist, itself not.
        size: How many ids.
        split: The split pattern.
        specials: Special tokens.
        name: What mistakes call the corpus.

    Raises:
        ExtraMissingError: The extra `tokenizer` is not installed.
        RecipeError: See `train_tokenizer`; or the encoders differ; or the folder exists.
        CorpusError: A text is not UTF-8, or there is no text.
    """
    trained = train_tokenizer(texts, size=size, split=split, specials=specials, name=name)
    write_tokenizer(
        trained.tokenizer,
        folder,
        check=lambda finished: check_agreement(trained.tokenizer, finished),
    )
    return trained


def merges_of(ranks: dict[bytes, int]) -> tuple[tuple[int, int], ...]:
    """Return the merges behind a table of ranks, as trainers and tiktoken keep it.

    A token's bytes, merged by what was learned before it, must end in two parts: these are its
    merge. It follows that each token's own bytes encode to it, and that merging by pairs
    (tokenizers, ours) and by ranks (tiktoken) never differ.

    Args:
        ranks: The id of each token's bytes, from 0 without a gap.

    Raises:
        RecipeError: The first 256 are not the bytes in order, ids have gaps, or a token is not
            made of two that were there before it.

    Example:
        >>> ranks = {bytes([byte]): byte for byte in range(256)} | {b"aa": 256, b"aaa": 257}
        >>> merges_of(ranks)
        ((97, 97), (256, 97))
    """
    ordered = sorted(ranks, key=lambda token: ranks[token])
    if [ranks[token] for token in ordered] != [*range(len(ordered))]:
        raise RecipeError([_ranks("ids with gaps or twice", "ids from 0 without a gap")])
    if ordered[:BYTES] != [bytes([byte]) for byte in range(BYTES)]:
        raise RecipeError([_ranks("other tokens first", "the 256 bytes in order as ids 0 to 255")])
    merges: dict[tuple[int, int], int] = {}
    for rank, token in enumerate(ordered[BYTES:], start=BYTES):
        parts = merge_pieces([*token], merges)
        if len(parts) != 2:  # noqa: PLR2004  # a merge joins two
            read = f"id {rank}, {token!r}, of {len(parts)} parts"
            raise RecipeError([_ranks(read, "a token of two that were learned before it")])
        merges[parts[0], parts[1]] = rank
    return tuple(merges)


def _trainer(cut: SplitPattern) -> Any:
    """Return a trainer that has read the pattern, since Python's `re` reads more than it does."""
    trainer = need("rustbpe", extra="tokenizer").Tokenizer()
    try:
        trainer.train_from_iterator(iter(()), vocab_size=BYTES, pattern=cut.pattern)
    except ValueError as error:
        expected = "a pattern that every engine reads"
        raise RecipeError([_recipe("split", shown(str(error)), expected)]) from error
    return trainer


class _Reading:
    """Hands texts to the trainer, counts them, and remembers what is wrong with them."""

    def __init__(self, *, name: str) -> None:
        self.name = name
        self.seen = self.documents = self.bytes = 0
        self.mistakes: list[Mistake] = []

    def texts(self, texts: Iterable[str | bytes]) -> Iterator[str]:
        for self.seen, text in enumerate(texts, start=1):
            try:
                data = text if isinstance(text, bytes) else text.encode()
                read = data.decode()
            except UnicodeError as error:
                self._refuse(error)
                continue
            if read:
                self.documents += 1
                self.bytes += len(data)
                if not self.mistakes:
                    yield read

    def _refuse(self, error: UnicodeError) -> None:
        if len(self.mistakes) >= _MAX_MISTAKES:
            return
        read = str(error)
        if isinstance(error, UnicodeDecodeError):
            byte = error.object[error.start]
            read = f"byte {byte:#04x} at position {error.start + 1}"
        elif isinstance(error, UnicodeEncodeError):
            read = f"half a surrogate pair at sign {error.start + 1}"
        self.mistakes.append(
            Mistake(
                file=self.name,
                place=f"document {self.seen}",
                read=read,
                expected="text in UTF-8",
                remedy="Convert it first (iconv -f CP949 -t UTF-8 for old Korean files).",
            )
        )


def _checked(*, size: int, split: str | SplitPattern, specials: tuple[str, ...]) -> SplitPattern:
    mistakes = []
    if not BYTES + len(specials) < size <= _MAX_SIZE:
        expected = f"more than {BYTES + len(specials)}, the bytes and specials, at most {_MAX_SIZE}"
        mistakes.append(_recipe("size", str(size), expected))
    cut = SPLITS.get(split) if isinstance(split, str) else split
    if cut is None:
        mistakes.append(_recipe("split", repr(split), "one of " + ", ".join(SPLITS)))
    else:
        try:
            compiled(cut.pattern)
        except ValueError as error:
            mistakes.append(_recipe("split", str(error), "a pattern that every engine reads"))
    try:
        Tokenizer(merges=(), pattern=None, specials=specials)
    except RecipeError as error:
        mistakes += error.mistakes
    if mistakes or cut is None:
        raise RecipeError(mistakes)
    return cut


def _recipe(place: str, read: str, expected: str) -> Mistake:
    return Mistake(file="tokenizer", place=place, read=read, expected=expected)


def _ranks(read: str, expected: str) -> Mistake:
    return Mistake(file="ranks", place="", read=read, expected=expected)


def _short(name: str, *, size: int, short: int) -> Mistake:
    return Mistake(
        file=name,
        place="size",
        read=f"texts that give {size - short} ids",
        expected=f"{size}",
        remedy=f"Lower the size to {size - short} at most, or add texts.",
    )
