"""The signs by which people name an option: B, (b), ②, 2번, 나, ㄴ. Each stands for a place.

A sign stands for its place in its row, whatever row the prompt used, so that ② and "2번" name the
same option as B. Where the options themselves are such signs (numbers, single letters), only the
row of the prompt is read: "3" could be an option's text as well as its place.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from dokja.evidence.benchmarks.scorers.tasks import Choice

__all__ = [
    "LABEL",
    "NONE_OF",
    "OPEN",
    "SHUT",
    "Mark",
    "Options",
    "folded",
    "mark_of",
    "options_of",
    "place_of",
]

OPEN = r"[*\s_`~\"'(\[{<「『【〈《$]{0,8}"
"""Signs that may open a label: brackets, quotes, emphasis."""
SHUT = r"[*_`~\"')\]}>」』】〉》$]{0,8}"
"""Signs that may close one."""

_LATIN = (
    r"(?<![A-Za-z0-9\\/@#+])"
    r"(?:[B-HJ-Z]|A(?![ \t]{1,4}[a-z])"
    r"|A(?=[ \t]{1,4}(?:is|are|was|as|because|since|and|or|but|not|seems)\b)"
    r"|I(?=[)\].:*\"'`]|\s{0,4}$|번|입)"
    r"|[a-z](?=[)\].:*\"'`}\]]|\s{0,4}$|번|입니|이다|예요))"
    r"(?![A-Za-z0-9+#&]|['’][a-z]|-\w)"
)
_UNITS = "년월일개명원시분초점살세회배층위차만억조"
_DIGIT = (
    r"(?<![\d.,A-Za-z+\-/])(?:[1-9]\d?)"
    rf"(?!\d|[.,]\d|[A-Za-z%°/]|\s{{0,2}}[{_UNITS}])"
)
_KOREAN = (
    r"(?<![가-힣])[가나다라마바사아자차]"
    r"(?=$|[^가-힣]|번|입니다|이다|예요|이에요|임|(?:가|이)\s{1,4}(?:정답|답|맞|옳))"
)
_JAMO = r"(?<![ㄱ-ㅎ가-힣])[ㄱ-ㅊ](?![ㄱ-ㅎ])"
_NAMED = {
    "circle": "[①-⑳]",
    "latin": _LATIN,
    "digit": _DIGIT,
    "korean": _KOREAN,
    "jamo": _JAMO,
}
LABEL = "(?:" + "|".join(f"(?P<{row}>{pattern})" for row, pattern in _NAMED.items()) + ")"
"""One label, in a group named by its row."""
NONE_OF = {row: rf"(?P<{row}>(?!))?" for row in _NAMED}
"""Groups that never match, for patterns that look for one row alone."""

_ROWS = {
    "circle": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
    "korean": "가나다라마바사아자차",
    "jamo": "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊ",
}
_MANY = 20


class Mark(NamedTuple):
    """A label that stands in a text.

    Attributes:
        place: Which option it names, from 0; it may be one that the item does not have.
        start: Where it begins.
        stop: One past its end.
    """

    place: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of an item, made ready to be looked for.

    Attributes:
        labels: As the prompt shows them.
        texts: As they are compared, see `folded`.
        rows: Rows of signs that may name them.
    """

    labels: tuple[str, ...]
    texts: tuple[str, ...]
    rows: frozenset[str]


def folded(text: str) -> str:
    """Return a text as options are compared: without case, spaces and an ending.

    Example:
        >>> folded(" Seoul. "), folded("서울 입니다")
        ('seoul', '서울')
    """
    read = re.sub(r"[\s*_`\"']+", "", text).casefold().strip(".。,!:;")
    return re.sub(r"(?<=.)(?:입니다|이다|예요|이에요)$", "", read)


@lru_cache(maxsize=16_384)
def options_of(choices: tuple[Choice, ...]) -> Options:
    """Return the options of an item, made ready."""
    labels = tuple(choice.label for choice in choices)
    own = {row for label in labels if (row := _row(label))}
    taken = {row for choice in choices if (row := _row(folded(choice.text)))}
    return Options(
        labels=labels,
        texts=tuple(folded(choice.text) for choice in choices),
        rows=frozenset(_NAMED.keys() - (taken - own)),
    )


def mark_of(match: re.Match[str], options: Options, *, at: int = 0) -> Mark | None:
    """Return the label that a match of `LABEL` holds; None if its row may not name an option.

    Args:
        match: Of a pattern with one `LABEL` in it.
        options: Of the item.
        at: Where the text that was searched begins.
    """
    row = next(each for each in _NAMED if match.group(each) is not None)
    if row not in options.rows:
        return None
    place = _place(match.group(row), row, options)
    return Mark(place=place, start=at + match.start(row), stop=at + match.end(row))


def place_of(sign: str, options: Options) -> int | None:
    """Return which option a sign that stands alone names; None if its row may not name one."""
    row = _row(sign)
    return _place(sign, row, options) if row in options.rows else None


def _place(sign: str, row: str, options: Options) -> int:
    if sign in options.labels:
        return options.labels.index(sign)
    if row == "latin":
        upper = sign.upper()
        return options.labels.index(upper) if upper in options.labels else ord(upper) - ord("A")
    if row == "digit":
        return int(sign) - 1
    return _ROWS[row].index(sign) if sign in _ROWS[row] else _MANY


_ROW_OF = {
    **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "latin"),
    **{str(number): "digit" for number in range(1, 100)},
    **{sign: row for row, signs in _ROWS.items() for sign in signs},
}


def _row(label: str) -> str:
    """Return the row that a sign belongs to; empty if none."""
    return _ROW_OF.get(label, "")
