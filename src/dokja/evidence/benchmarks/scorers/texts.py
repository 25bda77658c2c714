"""Replies in the form in which they are read, with the way back to where each sign stood.

Composed (NFC), full-width signs as plain ones, circled letters and digits as their own row. Wider
compatibility forms (NFKC) are left alone: they would compose the letters ㄱㅏㅂ into 갑, and
spelling is what some items ask. Reasoning between marks is set apart before anything is read.
"""

import re
import unicodedata
from bisect import bisect_right
from typing import NamedTuple

__all__ = ["Plain", "Visible", "plain", "visible"]

_RANGES = (
    (0xFF01, 0x21, 0x5E),  # full-width ! to ~
    (0x2776, 0x2460, 10),  # ❶ to ❿ as ① to ⑩
    (0x2780, 0x2460, 10),  # ➀
    (0x278A, 0x2460, 10),  # ➊
    (0x2474, 0x2460, 20),  # ⑴ as ①
    (0x24B6, 0x41, 26),  # Ⓐ
    (0x24D0, 0x61, 26),  # ⓐ
    (0x1F150, 0x41, 26),  # 🅐
    (0x1F170, 0x41, 26),  # 🅰
    (0x1D400, 0x41, 26),  # 𝐀
    (0x1D5D4, 0x41, 26),  # 𝗔
)
_ROWS = (
    ("㉠㉡㉢㉣㉤㉥㉦㉧㉨㉩", "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊ"),
    ("㈀㈁㈂㈃㈄㈅㈆㈇㈈㈉", "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊ"),
    ("㉮㉯㉰㉱㉲㉳㉴㉵㉶㉷", "가나다라마바사아자차"),
    ("㈎㈏㈐㈑㈒㈓㈔㈕㈖㈗", "가나다라마바사아자차"),
    ("\u3000\u00a0\u200b\u2060\ufeff\r", "      "),
    ("‘’‚′“”„″–—−", "''''\"\"\"\"---"),
)
_TABLE = {
    **{start + n: target + n for start, target, count in _RANGES for n in range(count)},
    **{ord(a): ord(b) for old, new in _ROWS for a, b in zip(old, new, strict=True)},
}
_OPENED = re.compile(r"<(think|thinking|reasoning|thought)>", re.IGNORECASE)
_CLOSED = re.compile(r"</(think|thinking|reasoning|thought)>", re.IGNORECASE)


class Plain(NamedTuple):
    """A text as it is read.

    Attributes:
        text: The plain form.
        starts: Where each sign of it stood, when signs were composed; None if all stood still.
        offset: Where it begins in the whole reply.
        length: Of the original.
    """

    text: str
    starts: tuple[int, ...] | None
    offset: int
    length: int

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Return where a piece of the plain text stands in the reply."""
        if self.starts is None:
            return self.offset + start, self.offset + stop
        ends = (*self.starts[1:], self.length)
        first = self.starts[start] if start < len(self.starts) else self.length
        last = ends[stop - 1] if stop > start else first
        return self.offset + first, self.offset + last


class Visible(NamedTuple):
    """What of a reply may be read.

    Attributes:
        text: What stands outside of reasoning.
        offset: Where it begins in the whole reply.
        reasoned: Whether reasoning stood before it.
        unfinished: Whether reasoning was begun and never ended; there is then no text.
    """

    text: str
    offset: int
    reasoned: bool = False
    unfinished: bool = False


def plain(text: str, *, offset: int = 0) -> Plain:
    """Return the text as it is read.

    Example:
        >>> found = plain("１ 번: Ⓑ")
        >>> found.text, found.span(5, 6)
        ('1 번: B', (5, 6))
        >>> plain("\u1103\u1161\u11b8 B").span(2, 3)
        (4, 5)
    """
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return Plain(text=text.translate(_TABLE), starts=None, offset=offset, length=len(text))
    pieces: list[str] = []
    starts: list[int] = []
    for start, stop in _clumps(text):
        composed = unicodedata.normalize("NFC", text[start:stop])
        pieces.append(composed)
        starts += [start] * len(composed)
    read = "".join(pieces).translate(_TABLE)
    return Plain(text=read, starts=tuple(starts), offset=offset, length=len(text))


def visible(text: str) -> Visible:
    """Return what of a reply stands outside of reasoning: what follows the last closing mark.

    Example:
        >>> visible("<think>A?</think>B").text, visible("<think>A").unfinished
        ('B', True)
    """
    if "<" not in text:
        return Visible(text=text, offset=0)
    closed = [match.end() for match in _CLOSED.finditer(text)]
    opened = [match.start() for match in _OPENED.finditer(text)]
    start = closed[-1] if closed else 0
    later = opened[bisect_right(opened, start - 1) :]
    if not later:
        return Visible(text=text[start:], offset=start, reasoned=bool(closed))
    before = text[start : later[0]]
    if before.strip():
        return Visible(text=before, offset=start, reasoned=True)
    return Visible(text="", offset=len(text), reasoned=True, unfinished=True)


def _clumps(text: str) -> list[tuple[int, int]]:
    """Return the ranges that compose each by itself: a starter and what may join it."""
    found: list[tuple[int, int]] = []
    start = 0
    for place in range(1, len(text)):
        sign = text[place]
        if unicodedata.combining(sign) or "\u1160" <= sign <= "\u11ff":
            continue
        found.append((start, place))
        start = place
    return [*found, (start, len(text))] if text else []
