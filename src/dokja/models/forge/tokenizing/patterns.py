r"""Split patterns: where a text is cut before any merge is learned or applied.

A pattern is a regular expression that matches every piece of a text in turn; no token ever
crosses a piece. It is written in the syntax that fancy-regex (rustbpe, tiktoken), Oniguruma
(tokenizers) and llama.cpp share: `\p{L}`, `\p{M}`, `\p{N}`, `\s`, lookahead. Python's `re` knows
no `\p`, so `compiled` writes such classes out from `unicodedata`, and the core can split a text
without any extra. Letters that were assigned after the Unicode version of this Python are no
letters to it; `benchmarks/tokenizer.py` counts them.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

__all__ = ["HANGUL", "SPLITS", "SplitPattern", "compiled", "matches_like", "pieces"]

HANGUL = "가-힣ᄀ-ᇿ㄰-㆏ꥠ-꥿ힰ-퟿"
"""Hangul inside a character class: syllables, the letters they decompose into, and old letters."""

# White_Space of Unicode (PropList.txt). Python's own \s also takes U+001C to U+001F, which the
# other engines do not.
_WHITE_SPACE = frozenset(
    {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)}
    | {0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
)

_CONTRACTION = "'(?:[sdmtSDMT]|[lL][lL]|[vV][eE]|[rR][eE])"
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_SPACE = r"\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPattern:
    """A named way to cut a text before merging.

    Attributes:
        name: What a recipe calls it.
        pattern: The regular expression.
        ggml: The value of `tokenizer.ggml.pre` under which llama.cpp cuts alike, or `None` where
            llama.cpp knows no such cut.
    """

    name: str
    pattern: str
    ggml: str | None = None


SPLITS = MappingProxyType(
    {
        split.name: split
        for split in (
            # As Llama 3 cuts, but each digit by itself: arithmetic then sees places, not groups.
            SplitPattern(
                name="llama3",
                pattern=rf"{_CONTRACTION}|{_WORD}|\p{{N}}|{_SIGNS}|{_SPACE}",
                ggml="qwen2",
            ),
            # As Llama 3 was released: digits in threes from the left.
            SplitPattern(
                name="llama3-threes",
                pattern=rf"{_CONTRACTION}|{_WORD}|\p{{N}}{{1,3}}|{_SIGNS}|{_SPACE}",
                ggml="llama-bpe",
            ),
            # An eojeol stays whole with the space before it; where the script changes it is cut, so
            # that the particle of `AI가`, `3개를` and `SK텔레콤은` is learned once and not for each
            # word before it. Quotes and brackets never stick to Hangul. Particles after Hangul are
            # left to the merges: no regular expression tells the particle of `나이` from its noun.
            SplitPattern(
                name="korean",
                pattern=(
                    rf"{_CONTRACTION}| ?[{HANGUL}]+| ?(?:(?![{HANGUL}])\p{{L}}\p{{M}}*)+"
                    rf"|\p{{N}}|{_SIGNS}|{_SPACE}"
                ),
            ),
        )
    }
)
"""The split patterns that a recipe can name."""


def pieces(pattern: str, text: str) -> Iterator[str]:
    r"""Return the pieces of a text, as Python's `re` cuts them; what no match covers is a piece.

    Raises:
        ValueError: The pattern cannot be written for Python's `re`.

    Example:
        >>> list(pieces(SPLITS["korean"].pattern, "AI가 3개를 (나이) 본다"))
        ['AI', '가', ' ', '3', '개를', ' (', '나이', ')', ' 본다']
        >>> list(pieces(SPLITS["llama3"].pattern, "in 2026"))
        ['in', ' ', '2', '0', '2', '6']
    """
    end = 0
    for match in compiled(pattern).finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        if match.group():
            yield match.group()
        end = max(end, match.end())
    if end < len(text):
        yield text[end:]


def matches_like(one: str, other: str, *, texts: tuple[str, ...]) -> bool:
    """Tell whether two patterns cut all these texts alike.

    Raises:
        ValueError: One of them cannot be written for Python's `re`.
    """
    return all(list(pieces(one, text)) == list(pieces(other, text)) for text in texts)


@lru_cache(maxsize=64)
def compiled(pattern: str) -> re.Pattern[str]:
    r"""Return a pattern for Python's `re`, with the classes that it lacks written out.

    Raises:
        ValueError: It uses a class or escape that cannot be written out, or is no regular
            expression at all.

    Example:
        >>> compiled(r"\p{L}+").findall("독자 dokja 12")
        ['독자', 'dokja']
    """
    try:
        return re.compile(_written_out(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        message = f"Python's re cannot read this pattern: {error}"
        raise ValueError(message) from error


# Inside a class: another class, or an operation on classes. Outside: a class that begins with ].
_NESTED = re.compile(r"\[\^?[\[\]]|&&")
_ESCAPE = re.compile(r"\\(?:([pP])(?:\{(\^?)(\w+)\}|(\w))|(.))", re.DOTALL)


def _written_out(pattern: str) -> str:
    written: list[str] = []
    inside = False
    place = 0
    while place < len(pattern):
        sign = pattern[place]
        if sign == "\\":
            match = _ESCAPE.match(pattern, place)
            if match is None:
                message = "the pattern ends in half an escape"
                raise ValueError(message)
            written.append(_escape(match, inside=inside))
            place = match.end()
            continue
        if (inside and sign == "[") or ((inside or sign == "[") and _NESTED.match(pattern, place)):
            message = "classes inside classes, and a class that begins with ], are not read"
            raise ValueError(message)
        inside = sign == "[" or (inside and sign != "]")
        written.append(sign)
        place += 1
    return "".join(written)


def _escape(match: re.Match[str], *, inside: bool) -> str:
    kind, negated, long, short, plain = match.groups()
    if plain is not None and plain not in "sSwWdDbBhH":
        return match.group()
    if plain in ("s", "S"):
        name, complement = _SPACE_CLASS, plain == "S"
    elif kind is not None:
        name, complement = long or short, (kind == "P") != bool(negated)
    else:
        message = f"{match.group()} means different things to different engines and is not read"
        raise ValueError(message)
    ranges = _ranges(name, complement)
    return ranges if inside else f"[{ranges}]"


_SPACE_CLASS = "White_Space"


@lru_cache(maxsize=64)
def _ranges(name: str, complement: bool, /) -> str:  # noqa: FBT001  # a key of the cache
    """Return the code points of a general category, such as `L` or `Lu`, or all others."""
    ranges: list[list[int]] = []
    known = False
    for first, last, category, space in _runs():
        within = space if name == _SPACE_CLASS else category.startswith(name)
        known = known or within
        if within == complement:
            continue
        if ranges and ranges[-1][1] == first - 1:
            ranges[-1][1] = last
        else:
            ranges.append([first, last])
    if not known:
        message = f"\\p{{{name}}} is no general category of Unicode"
        raise ValueError(message)
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


@lru_cache(maxsize=1)
def _runs() -> tuple[tuple[int, int, str, bool], ...]:
    """Return all of Unicode as runs of one category: first, last, category, white space or not."""
    runs: list[tuple[int, int, str, bool]] = []
    first, held = 0, _kind(0)
    for code in range(1, sys.maxunicode + 1):
        kind = _kind(code)
        if kind != held:
            runs.append((first, code - 1, *held))
            first, held = code, kind
    runs.append((first, sys.maxunicode, *held))
    return tuple(runs)


def _kind(code: int) -> tuple[str, bool]:
    return unicodedata.category(chr(code)), code in _WHITE_SPACE
