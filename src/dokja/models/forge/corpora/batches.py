"""The tokens of a run, batch by batch: what the order asks for, read from packed corpora.

A batch is a function of the instances that it holds, never of who asks: every rank and every
micro-batch reads its slice of the same instances. A window is `length` tokens; those of a
source follow each other without overlap, and the tokens after the last whole one are not read.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dokja.documents.packing import Corpus, open_corpus
from dokja.errors import CorpusError, Mistake
from dokja.models.forge.corpora.order import Order, OrderSource
from dokja.values import Digest, shown

__all__ = ["BATCH_SCHEME", "TokenData", "open_data"]

BATCH_SCHEME = "dokja.batch/1"
"""Named in records beside the digests of batches."""

_KEYS = {"name", "corpus", "weight", "max_repeats"}


class TokenData:
    """Windows of tokens in the order of a run.

    Attributes:
        length: Tokens of a window.
        order: Which window every instance is.
        corpora: Each source's corpus, in the order's sequence.
    """

    def __init__(self, length: int, order: Order, corpora: Sequence[Corpus]) -> None:
        """Bring an order and its corpora together.

        Raises:
            CorpusError: They do not fit each other, or the corpora were made by several
                tokenizers.
        """
        self.length = length
        self.order = order
        self.corpora = tuple(corpora)
        if mistakes := list(self._mistakes()):
            raise CorpusError(mistakes)

    @property
    def vocabulary(self) -> int:
        """How many ids the tokenizer of all corpora has."""
        return self.corpora[0].manifest.vocabulary

    @property
    def tokenizer(self) -> Digest:
        """The digest of the tokenizer that made all corpora."""
        return self.corpora[0].manifest.tokenizer

    def batch(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the tokens of the instances from `start` up to `stop`.

        Returns:
            Ids of shape `(stop - start, length)`.

        Raises:
            CorpusError: A corpus changed, or would be read more often than it may.
        """
        source, window = self.order.instances(start, stop)
        tokens = np.empty((stop - start, self.length), dtype=np.int64)
        for row, (place, number) in enumerate(zip(source.tolist(), window.tolist(), strict=True)):
            first = number * self.length
            tokens[row] = self.corpora[place].read(first, first + self.length)
        return tokens

    def batch_digest(self, start: int, stop: int) -> Digest:
        """Return the digest that commits to the tokens of these instances, and to their place.

        SHA-256 over `"dokja.batch/1" 0x00`, then start, stop and length in eight bytes each,
        then the ids in four bytes each, all little-endian.
        """
        running = hashlib.sha256(BATCH_SCHEME.encode() + b"\x00")
        running.update(np.array([start, stop, self.length], dtype="<u8").tobytes())
        for first in range(start, stop, 256):
            tokens = self.batch(first, min(stop, first + 256))
            running.update(tokens.astype("<u4").tobytes())
        return Digest(running.hexdigest())

    def close(self) -> None:
        """Close the corpora's files; reading opens them again."""
        for corpus in self.corpora:
            corpus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        sort: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _mistakes(self) -> Iterator[Mistake]:
        sources = self.order.sources
        if len(sources) != len(self.corpora):
            yield Mistake(
                file="data",
                place="sources",
                read=f"{len(self.corpora)} corpora",
                expected=f"one for each of the order's {len(sources)} sources",
            )
            return
        first = self.corpora[0]
        for source, corpus in zip(sources, self.corpora, strict=True):
            place = f"source {source.name!r}"
            if source.windows != corpus.windows(self.length):
                yield Mistake(
                    file=str(corpus.path),
                    place=place,
                    read=f"{corpus.windows(self.length)} windows of {self.length} tokens",
                    expected=f"the {source.windows} of the order",
                )
            theirs, ours = corpus.manifest, first.manifest
            if (theirs.tokenizer, theirs.vocabulary) != (ours.tokenizer, ours.vocabulary):
                yield Mistake(
                    file=str(corpus.path),
                    place=place,
                    read=f"a tokenizer {theirs.tokenizer} of {theirs.vocabulary} ids",
                    expected=f"that of {sources[0].name!r}: {ours.tokenizer} of {ours.vocabulary}",
                    remedy="Pack all sources of a mixture with one tokenizer.",
                )


def open_data(
    data: Mapping[str, Any],
    *,
    base: Path,
    length: int,
    tokenizer: Digest | None = None,
    vocabulary: int | None = None,
) -> TokenData:
    """Return the tokens that a job's `data` object names.

    Args:
        data: `{"seed": hex, "sources": [{"name", "corpus", "weight", "max_repeats"}, …]}`.
        base: The folder that the corpora's paths start from: the job file's.
        length: Tokens of a window: the job's `batch.length`.
        tokenizer: The tokenizer that must have made the corpora; None accepts any.
        vocabulary: How many ids the model has room for; None accepts any.

    Raises:
        CorpusError: The object is wrong, or a corpus is missing, damaged, too short or made by
            another tokenizer; every mistake that can be told at once.
    """
    mistakes = list(_data_mistakes(data, length))
    if mistakes:
        raise CorpusError(mistakes)
    corpora: list[Corpus] = []
    for source in data["sources"]:
        try:
            corpora.append(open_corpus(base / source["corpus"], tokenizer=tokenizer))
        except CorpusError as error:
            mistakes += error.mistakes
    mistakes += _vocabulary_mistakes(corpora, vocabulary)
    if mistakes:
        raise CorpusError(mistakes)
    order = Order(
        bytes.fromhex(data["seed"]),
        tuple(
            OrderSource(
                name=source["name"],
                windows=corpus.windows(length),
                weight=source["weight"],
                max_repeats=source["max_repeats"],
            )
            for source, corpus in zip(data["sources"], corpora, strict=True)
        ),
    )
    return TokenData(length, order, corpora)


def _vocabulary_mistakes(corpora: Sequence[Corpus], vocabulary: int | None) -> Iterator[Mistake]:
    for corpus in corpora:
        if vocabulary is not None and corpus.manifest.vocabulary > vocabulary:
            yield Mistake(
                file=str(corpus.path),
                place="vocabulary",
                read=f"{corpus.manifest.vocabulary} ids",
                expected=f"at most the {vocabulary} that the model has rows for",
                remedy="Enlarge the structure's vocabulary, or pack with a smaller tokenizer.",
            )


def _data_mistakes(data: Mapping[str, Any], length: int) -> Iterator[Mistake]:
    if type(length) is not int or length < 1:
        yield _wrong("length", length, "a whole number of tokens, at least 1")
    seed = data.get("seed")
    try:
        sound = isinstance(seed, str) and bool(bytes.fromhex(seed))
    except ValueError:
        sound = False
    if not sound:
        yield _wrong("seed", seed, "an even number of hexadecimal digits")
    sources = data.get("sources")
    if not isinstance(sources, Sequence) or isinstance(sources, str) or not sources:
        yield _wrong("sources", sources, "a list of at least one source")
        return
    for number, source in enumerate(sources):
        yield from _source_mistakes(f"sources[{number}]", source)


def _source_mistakes(place: str, source: Any) -> Iterator[Mistake]:
    if not isinstance(source, Mapping) or set(source) != _KEYS:
        yield _wrong(place, source, "the keys name, corpus, weight and max_repeats, and no other")
        return
    for key in ("name", "corpus"):
        if not isinstance(source[key], str) or not source[key]:
            yield _wrong(f"{place}.{key}", source[key], "text that is not empty")
    if type(source["weight"]) not in {int, float}:
        yield _wrong(f"{place}.weight", source["weight"], "a number above zero")
    if type(source["max_repeats"]) is not int:
        yield _wrong(f"{place}.max_repeats", source["max_repeats"], "a whole number from 1")


def _wrong(place: str, value: object, expected: str) -> Mistake:
    return Mistake(
        file="data",
        place=place,
        read="nothing" if value is None else shown(repr(value)),
        expected=expected,
    )
