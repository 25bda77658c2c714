"""Text to token ids and back, by the steps that a `tokenizer.json` names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dokja.models.serving.pieces import Decoder, Normaliser, Piece, Splitter
from dokja.models.serving.vocabulary import Vocabulary

__all__ = ["Tokenizer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """A tokenizer, ready to be used.

    Attributes:
        normalisers: Applied in order.
        splitters: Applied in order, each to every piece that the one before it left.
        vocabulary: Words into tokens.
        before: Ids put before every text.
        after: Ids put behind every text.
        decoders: Applied in order; where there are none, tokens are joined by spaces.
        added: Tokens that are found in a text as they are, before anything else.
        special: Ids that no answer's text shows.
        tokens: Each id's token.
    """

    normalisers: tuple[Normaliser, ...]
    splitters: tuple[Splitter, ...]
    vocabulary: Vocabulary
    before: tuple[int, ...]
    after: tuple[int, ...]
    decoders: tuple[Decoder, ...]
    added: Mapping[str, int]
    special: frozenset[int]
    tokens: Mapping[int, str]

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of a text, with those that go before and behind it."""
        ids: list[int] = list(self.before)
        start = 0
        for found in self._added_in(text):
            ids += self._plain(text[start : found.start()], first=start == 0)
            ids.append(self.added[found.group()])
            start = found.end()
        ids += self._plain(text[start:], first=start == 0)
        return (*ids, *self.after)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids; special tokens and ids without a token say nothing."""
        tokens: Sequence[str] = [
            self.tokens[token]
            for token in ids
            if token in self.tokens and token not in self.special
        ]
        if not self.decoders:
            return " ".join(tokens)
        for decoder in self.decoders:
            tokens = decoder.decode(tokens)
        return "".join(tokens)

    def _added_in(self, text: str) -> Sequence[re.Match[str]]:
        if not self.added:
            return []
        # The leftmost is found, and of several that begin there the longest.
        longest_first = sorted(self.added, key=len, reverse=True)
        return list(re.finditer("|".join(map(re.escape, longest_first)), text))

    def _plain(self, text: str, *, first: bool) -> list[int]:
        if not text:
            return []
        for normaliser in self.normalisers:
            text = normaliser.normalise(text)
        pieces = [Piece(text, first)]
        for splitter in self.splitters:
            pieces = [part for piece in pieces for part in splitter.split(piece) if part.text]
        return [token for piece in pieces for token in self.vocabulary.encode(piece.text)]
