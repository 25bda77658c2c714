"""Numbers as people write them: digits, 만 and 억, 서른넷, 삼십사, thirty-four, fractions, powers.

Words are read only where a numeral stands by itself or before a unit: "이" is two, and this;
"일" is one, and day. Every reading is exact, as a `Fraction`; nothing goes through floating point.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

__all__ = ["Numeral", "leading_numeral", "numerals_in", "value_of"]

_SINO = MappingProxyType(
    dict(zip("영일이삼사오육칠팔구", range(10), strict=True)) | {"공": 0, "륙": 6}
)
_TENS = MappingProxyType({"십": 10, "백": 100, "천": 1000})
_MYRIADS = MappingProxyType({"만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16})
_NATIVE = MappingProxyType(
    {"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50}
    | {"예순": 60, "일흔": 70, "여든": 80, "아흔": 90}
)
_ONES = MappingProxyType(
    {"하나": 1, "둘": 2, "셋": 3, "넷": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9}
    | {"한": 1, "두": 2, "세": 3, "석": 3, "네": 4, "넉": 4}
)
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_ROUND = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ENGLISH = MappingProxyType(
    {word: value for value, word in enumerate(_SMALL)}
    | {word: 10 * value for value, word in enumerate(_ROUND, start=2)}
)
_SCALES = MappingProxyType(
    {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
)
_PLAIN_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,12}|\d{1,60})(?:\.\d{1,60})?|\.\d{1,60}"
_POWER = (
    r"(?:[eE][+-]?\d{1,3}"
    r"|\s{0,4}(?:[x×*·]|\\times|\\cdot)\s{0,4}10\s{0,4}(?:\^|\*\*)\s{0,4}\{?[+-]?\d{1,3}\}?)"
)
_TEN = r"\s{0,2}[십백천만억조경]"
_MIXED = (
    rf"\d[\d,.]{{0,30}}{_TEN}(?:\s{{0,2}}\d[\d,.]{{0,30}}{_TEN}|{_TEN}){{0,12}}"
    r"(?:\s{0,2}\d[\d,]{0,30})?"
)
_NUMBER = re.compile(
    r"(?P<sign>(?<![\d.)\w])(?<!\d )[-+]\s{0,2})?"
    r"(?:\\[dt]?frac\s{0,4}\{\s{0,4}(?P<top>-?\d{1,40})\s{0,4}\}\s{0,4}\{\s{0,4}(?P<bottom>\d{1,40})\s{0,4}\}"
    rf"|(?P<mixed>{_MIXED})"
    r"|(?P<over>\d{1,40})\s{0,4}/\s{0,4}(?P<under>\d{1,40})(?![\d/])"
    rf"|(?P<plain>{_PLAIN_NUMBER})(?P<power>{_POWER})?)"
)
_NATIVE_WORD = re.compile(
    rf"(?P<tens>{'|'.join(_NATIVE)})?(?P<ones>{'|'.join(sorted(_ONES, key=len, reverse=True))})?"
)
_SINO_WORD = re.compile(r"[영공일이삼사오육륙칠팔구십백천만억조경]{1,60}")
_WORDS = "|".join(sorted([*_ENGLISH, *_SCALES, "and", "a"], key=len, reverse=True))
_ENGLISH_WORD = re.compile(
    rf"(?:minus\s{{1,4}})?(?:(?:{_WORDS})\b[\s-]{{0,4}}){{1,60}}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeral:
    """A number that stands in a text.

    Attributes:
        value: Exactly.
        start: Where it begins.
        stop: One past its end.
    """

    value: Fraction
    start: int
    stop: int


def numerals_in(text: str) -> Iterator[Numeral]:
    """Yield the numbers that are written in digits, in order; words are passed over.

    Example:
        >>> [str(each.value) for each in numerals_in("3만 5천 명, 1/4, -2.5, 1,234, 6×10^3")]
        ['35000', '1/4', '-5/2', '1234', '6000']
    """
    for match in _NUMBER.finditer(text):
        value = _value(match)
        if value is not None:
            yield Numeral(value=value, start=match.start(), stop=match.end())


def leading_numeral(text: str) -> Numeral | None:
    """Return the numeral that a text begins with, in digits or words; None if there is none.

    Example:
        >>> texts = ("서른네 명", "삼십사", "thirty-four")
        >>> [leading_numeral(text).value.numerator for text in texts]
        [34, 34, 34]
    """
    start = len(text) - len(text.lstrip())
    match = _NUMBER.match(text, start)
    if match:
        value = _value(match)
        return None if value is None else Numeral(value=value, start=start, stop=match.end())
    for pattern, read in ((_NATIVE_WORD, _native), (_SINO_WORD, _sino), (_ENGLISH_WORD, _english)):
        word = pattern.match(text, start)
        if word and word.group():
            found = read(word.group())
            if found is not None:
                stop = start + len(word.group().rstrip(" -\t\n"))
                return Numeral(value=Fraction(found), start=start, stop=stop)
    return None


def value_of(text: str) -> Fraction | None:
    """Return the number that a text is, whatever way it is written; None if it is none.

    Example:
        >>> str(value_of("백이십삼")), str(value_of("1억 2,000만")), value_of("이순신")
        ('123', '120000000', None)
    """
    found = leading_numeral(text)
    return None if found is None or text[found.stop :].strip() else found.value


def _value(match: re.Match[str]) -> Fraction | None:
    sign = -1 if (match.group("sign") or "").strip() == "-" else 1
    if match.group("top"):
        bottom = int(match.group("bottom"))
        return sign * Fraction(int(match.group("top")), bottom) if bottom else None
    if match.group("over"):
        under = int(match.group("under"))
        return sign * Fraction(int(match.group("over")), under) if under else None
    if match.group("mixed"):
        return sign * _mixed(match.group("mixed"))
    value = Fraction(match.group("plain").replace(",", ""))
    power = match.group("power")
    if power:
        value *= Fraction(10) ** int(re.findall(r"[+-]?\d+", power)[-1])
    return sign * value


def _mixed(text: str) -> Fraction:
    """Return the value of digits with Korean powers of ten, such as `3만 5천`."""
    total = part = Fraction(0)
    digit: Fraction | None = None
    for piece in re.findall(r"\d[\d,]*(?:\.\d+)?|[십백천만억조경]", text):
        if piece in _TENS:
            part += (Fraction(1) if digit is None else digit) * _TENS[piece]
            digit = None
        elif piece in _MYRIADS:
            part += digit or 0
            total += (part or 1) * _MYRIADS[piece]
            part, digit = Fraction(0), None
        else:
            digit = Fraction(piece.replace(",", ""))
    return total + part + (digit or 0)


def _native(word: str) -> int | None:
    match = _NATIVE_WORD.fullmatch(word)
    if match is None:
        return None
    tens, ones = match.group("tens"), match.group("ones")
    return (_NATIVE[tens] if tens else 0) + (_ONES[ones] if ones else 0)


def _sino(word: str) -> int | None:
    """Return the value of 한자어 수사; a row of bare digits (이공이사) is read digit by digit."""
    if len(word) > 1 and all(sign in _SINO for sign in word):
        return int("".join(str(_SINO[sign]) for sign in word))
    total = part = 0
    digit: int | None = None
    for sign in word:
        if sign in _SINO:
            if digit is not None:
                return None  # two digits side by side beside powers of ten are no numeral
            digit = _SINO[sign]
        elif sign in _TENS:
            part += (1 if digit is None else digit) * _TENS[sign]
            digit = None
        else:
            part += digit or 0
            total += (part or 1) * _MYRIADS[sign]
            part, digit = 0, None
    return total + part + (digit or 0)


def _english(words: str) -> int | None:
    pieces = re.findall(r"[a-z]+", words.lower())
    sign = -1 if pieces[:1] == ["minus"] else 1
    read = [piece for piece in pieces if piece not in {"minus", "and"}]
    if not any(piece in _ENGLISH or piece in _SCALES for piece in read):
        return None
    total = part = 0
    for piece in read:
        if piece in _ENGLISH:
            part += _ENGLISH[piece]
        elif piece == "hundred":
            part = max(part, 1) * _SCALES[piece]
        elif piece in _SCALES:
            total += max(part, 1) * _SCALES[piece]
            part = 0
    return sign * (total + part)
