"""Steps of a tokenizer before and after its vocabulary: normal forms, splitting, joining.

Each step is one of those that a `tokenizer.json` can name, and does what the `tokenizers`
library does. Knows no vocabulary and no file.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

__all__ = [
    "ByteFallback",
    "Decoder",
    "DigitSplit",
    "Form",
    "Fuse",
    "Metaspace",
    "MetaspaceJoin",
    "Normaliser",
    "PatternSplit",
    "Piece",
    "Prepend",
    "Replace",
    "ReplaceJoin",
    "Splitter",
    "StripJoin",
]

_NUMERIC = frozenset({"Nd", "Nl", "No"})
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")

Scheme: TypeAlias = Literal["always", "first", "never"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text.

    Attributes:
        text: What it says.
        first: Whether the whole text begins with it.
    """

    text: str
    first: bool


class Normaliser(Protocol):
    """Rewrites a text before it is split."""

    def normalise(self, text: str) -> str:
        """Return the text as the vocabulary was learnt on it."""


class Splitter(Protocol):
    """Cuts pieces into smaller ones; no token crosses a cut."""

    def split(self, piece: Piece) -> Sequence[Piece]:
        """Return the parts of one piece; empty ones may be among them."""


class Decoder(Protocol):
    """Rewrites tokens on their way back to text."""

    def decode(self, tokens: Sequence[str]) -> Sequence[str]:
        """Return the tokens, rewritten; their concatenation is the text."""


def _cut(piece: Piece, texts: Sequence[str]) -> list[Piece]:
    return [Piece(text, piece.first and place == 0) for place, text in enumerate(texts)]


@dataclass(frozen=True, slots=True)
class Form:
    """A Unicode normal form."""

    name: Literal["NFC", "NFD", "NFKC", "NFKD"]

    def normalise(self, text: str) -> str:
        """Return the text in this form."""
        return unicodedata.normalize(self.name, text)


@dataclass(frozen=True, slots=True)
class Prepend:
    """Puts a sign before every text that is not empty."""

    sign: str

    def normalise(self, text: str) -> str:
        """Return the text with the sign before it."""
        return self.sign + text if text else text


@dataclass(frozen=True, slots=True)
class Replace:
    """Replaces one literal text by another."""

    old: str
    new: str

    def normalise(self, text: str) -> str:
        """Return the text with every occurrence replaced."""
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Metaspace:
    """Writes spaces as a sign and cuts before each."""

    sign: str
    scheme: Scheme
    cuts: bool

    def split(self, piece: Piece) -> Sequence[Piece]:
        """Return the words, each with the sign of the space before it."""
        text = piece.text.replace(" ", self.sign)
        prepends = self.scheme == "always" or (self.scheme == "first" and piece.first)
        if prepends and not text.startswith(self.sign):
            text = self.sign + text
        if not self.cuts:
            return _cut(piece, [text])
        return _cut(piece, re.split(f"(?={re.escape(self.sign)})", text))


@dataclass(frozen=True, slots=True)
class DigitSplit:
    """Cuts digits off: each alone, or each run of them."""

    alone: bool

    def split(self, piece: Piece) -> Sequence[Piece]:
        """Return runs of digits and of other signs."""
        texts: list[str] = []
        before = False
        for sign in piece.text:
            digit = unicodedata.category(sign) in _NUMERIC
            if texts and digit is before and not (digit and self.alone):
                texts[-1] += sign
            else:
                texts.append(sign)
            before = digit
        return _cut(piece, texts)


@dataclass(frozen=True, slots=True)
class PatternSplit:
    """Cuts out every occurrence of a pattern, as a piece of its own."""

    pattern: re.Pattern[str]

    def split(self, piece: Piece) -> Sequence[Piece]:
        """Return the occurrences and what lies between them."""
        texts: list[str] = []
        end = 0
        for match in self.pattern.finditer(piece.text):
            texts += [piece.text[end : match.start()], match.group()]
            end = match.end()
        return _cut(piece, [text for text in [*texts, piece.text[end:]] if text])


@dataclass(frozen=True, slots=True)
class MetaspaceJoin:
    """Writes the sign as a space again, and drops one that the splitter had put first."""

    sign: str
    scheme: Scheme

    def decode(self, tokens: Sequence[str]) -> Sequence[str]:
        """Return the tokens with spaces."""
        first = " " if self.scheme == "never" else ""
        return [
            token.replace(self.sign, " " if place else first) for place, token in enumerate(tokens)
        ]


@dataclass(frozen=True, slots=True)
class ReplaceJoin:
    """Replaces one literal text by another in every token."""

    old: str
    new: str

    def decode(self, tokens: Sequence[str]) -> Sequence[str]:
        """Return the tokens with every occurrence replaced."""
        return [token.replace(self.old, self.new) for token in tokens]


@dataclass(frozen=True, slots=True)
class Fuse:
    """Makes one token of all."""

    def decode(self, tokens: Sequence[str]) -> Sequence[str]:
        """Return the tokens as one."""
        return ["".join(tokens)]


@dataclass(frozen=True, slots=True)
class StripJoin:
    """Takes a sign off the ends of every token, so many times at most."""

    sign: str
    start: int
    stop: int

    def decode(self, tokens: Sequence[str]) -> Sequence[str]:
        """Return the tokens without the sign at their ends."""
        return [self._stripped(token) for token in tokens]

    def _stripped(self, token: str) -> str:
        low, high = 0, len(token)
        while low < min(self.start, len(token)) and token[low] == self.sign:
            low += 1
        while len(token) - high < self.stop and high > 0 and token[high - 1] == self.sign:
            high -= 1
        return token[low:high]


@dataclass(frozen=True, slots=True)
class ByteFallback:
    """Reads runs of byte tokens such as `<0xEA>` as UTF-8."""

    def decode(self, tokens: Sequence[str]) -> Sequence[str]:
        """Return the tokens; each byte of a run that is not UTF-8 becomes U+FFFD."""
        found: list[str] = []
        run = bytearray()
        for token in [*tokens, ""]:
            match = _BYTE_TOKEN.fullmatch(token)
            if match:
                run.append(int(match[1], 16))
                continue
            if run:
                found.append(_text_of(bytes(run)))
                run.clear()
            found.append(token)
        return found[:-1]


def _text_of(run: bytes) -> str:
    try:
        return run.decode()
    except UnicodeDecodeError:
        return "\ufffd" * len(run)
