"""Numbers and moments in decimal figures, many at once, as `int`, `float` and `datetime` read them.

A text is looked at through overlapping words of eight bytes, so that eight figures are turned
into a number by three multiplications. A fraction is a whole number over a power of ten, divided
with twice the digits of a double; where that does not settle how it is rounded, and wherever a
number is written unusually, `float` reads it. What is no number of JSON is not read at all.
A day is read by `date`, once for all moments of it that stand together.
"""

import re
from datetime import date
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["PAD", "Places", "Words", "is_written", "moments", "reals", "wholes", "words_of"]

Words: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.intp]

PAD = bytes(32)
"""Stands before and after a text, so that words beyond its ends can be looked at."""

_WORD = 8
_ZEROS = np.uint64(0x3030303030303030)
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_POINTS = np.uint64(0x2E2E2E2E2E2E2E2E)
_ABOVE_NINE = np.uint64(0x7676767676767676)  # added to a byte above nine it reaches the high bit
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)

_MOST_FIGURES = 15  # below 2**53, and below it JSON's numbers are whole
_MOST_SIGNIFICANT = 18  # below 2**63
_MOST_BEFORE = 900  # 900 * 10**16 is below 2**63
_MOST_PLACES = 22  # 10**22 is the last power of ten that a double holds
_TENS = np.array([10**n for n in range(_MOST_SIGNIFICANT + 1)], dtype=np.uint64)
_POWERS = np.array([float(10**n) for n in range(_MOST_PLACES + 1)])
_SPLIT = 2.0**27 + 1
_POWERS_HIGH = _POWERS * _SPLIT - (_POWERS * _SPLIT - _POWERS)
_POWERS_LOW = _POWERS - _POWERS_HIGH
_DOUBT = 2.0**-95
_SMALL_EXPONENT = np.uint64(int.from_bytes(b"e-0", "little"))

_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def words_of(text: bytes) -> Words:
    """Return the eight bytes from each place of a text, the first as the lowest."""
    return np.ndarray((len(text) - _WORD + 1,), dtype="<u8", buffer=text, strides=(1,))


def is_written(words: Words, places: Places, literal: bytes) -> bool:
    r"""Tell whether a literal of eight bytes or more stands at every one of these places.

    Example:
        >>> is_written(words_of(b'{"first":1,"first":1}'), np.array([1, 11]), b'"first":')
        True
    """
    last = len(literal) - _WORD
    return all(
        bool((words[places + at] == int.from_bytes(literal[at : at + _WORD], "little")).all())
        for at in {*range(0, last, _WORD), last}
    )


def wholes(words: Words, starts: Places, stops: Places) -> NDArray[np.int64] | None:
    """Return whole numbers of up to 15 figures; None where anything else stands.

    Args:
        words: Of a text with `PAD` around it.
        starts: Where each number begins.
        stops: Where it ends.

    Example:
        >>> text = PAD + b"7,4096" + PAD
        >>> wholes(words_of(text), np.array([32, 34]), np.array([33, 38])).tolist()
        [7, 4096]
    """
    length = stops - starts
    shortest, longest = length.min(), length.max()
    if shortest < 1 or longest > _MOST_FIGURES:
        return None
    length = length[:1] if shortest == longest else length
    found, wrong = _figures(words[stops - _WORD], np.minimum(length, _WORD))
    if longest > _WORD:
        more, wrong_more = _figures(words[stops - 2 * _WORD], np.maximum(length - _WORD, 0))
        found, wrong = found + more * _TENS[_WORD], wrong | wrong_more
    if longest > 1:
        wrong |= _begins_with_nothing(words[starts]) & (length > 1)
    return None if wrong.any() else found.view(np.int64)


def _figures(words: Words, count: Places) -> tuple[Words, NDArray[np.bool_]]:
    """Return the numbers that the last figures of words are, and which words hold other signs.

    A word shifted by all its 64 bits is zero.
    """
    found = (words ^ _ZEROS) & (_ALL << (64 - 8 * count).view(np.uint64))
    return _number(found), _above_nine(found)


def _above_nine(words: Words) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (((words + _ABOVE_NINE) | words) & _HIGH) != 0
    return found


def _number(found: Words) -> Words:
    """Return what eight bytes of zero to nine are as one number, by pairs, fours and eights."""
    found = found * np.uint64(10 * 2**8 + 1) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
    found = found * np.uint64(100 * 2**16 + 1) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
    return found * np.uint64(10_000 * 2**32 + 1) >> np.uint64(32)


def _begins_with_nothing(words: Words) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (words & np.uint64(0xFF)) == ord("0")
    return found


def reals(text: bytes, words: Words, starts: Places, stops: Places) -> NDArray[np.float64] | None:
    """Return numbers, each the double that is nearest; None where one is none of JSON's.

    Args:
        text: With `PAD` around it.
        words: Of this text.
        starts: Where each number begins.
        stops: Where it ends.

    Example:
        >>> text = PAD + b"2.5,-1E3" + PAD
        >>> reals(text, words_of(text), np.array([32, 36]), np.array([35, 40])).tolist()
        [2.5, -1000.0]
    """
    if _are_alike(words, starts, stops):
        alike = _NUMBER.fullmatch(text, starts[0], stops[0])
        return None if alike is None else np.full(len(starts), float(alike[0]))
    ends, shifted = _without_exponents(words, starts, stops)
    head = words[starts]
    point = _first_point(head)
    places = ends - starts - point - 1
    before, wrong = _figures(head << (64 - 8 * point).view(np.uint64), point)
    usual = (point > 0) & (point < _WORD) & (places > 0) & (places + shifted <= _MOST_PLACES)
    usual &= ~wrong & ~(_begins_with_nothing(head) & (point > 1))
    after, wrong, fits = _fractions(words, ends, places)
    usual &= ~wrong & np.where(before == 0, fits, point + places <= _MOST_SIGNIFICANT)
    whole = before * _TENS[np.minimum(places, _MOST_SIGNIFICANT) * usual] + after
    found, sure = _divided(whole, (places + shifted) * usual)
    for place in np.flatnonzero(~(usual & sure)):
        written = _NUMBER.fullmatch(text, starts[place], stops[place])
        if written is None:
            return None
        found[place] = float(written[0])
    return found


def _are_alike(words: Words, starts: Places, stops: Places) -> bool:
    """Tell whether all numbers are written alike, as a rate that never changes is."""
    length = stops - starts
    return bool(
        length[0] <= 2 * _WORD
        and (length == length[0]).all()
        and (words[starts] == words[starts[0]]).all()
        and (words[stops - _WORD] == words[stops[0] - _WORD]).all()
    )


def _without_exponents(words: Words, starts: Places, stops: Places) -> tuple[Places, Places]:
    """Return where numbers end before such as `e-05`, and how far that moves their points."""
    last = words[stops - _WORD] >> np.uint64(32)
    scaled = ((last & np.uint64(0xFFFFFF)) == _SMALL_EXPONENT) & (stops - starts > len("e-05"))
    if not scaled.any():
        return stops, np.zeros(1, dtype=np.intp)
    exponent = (last >> np.uint64(24)).astype(np.intp) - ord("0")
    scaled &= (exponent >= 0) & (exponent <= 9)  # noqa: PLR2004  # a figure
    return stops - len("e-05") * scaled, exponent * scaled


def _first_point(words: Words) -> Places:
    """Return where in each word the first point stands; 8 where there is none."""
    found = words ^ _POINTS
    found = (found - _ONES) & ~found & _HIGH
    return (np.bitwise_count((found & -found) - np.uint64(1)) >> 3).astype(np.intp)


def _fractions(
    words: Words, stops: Places, places: Places
) -> tuple[Words, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return up to 24 figures before each stop as a number, which are none, and which fit."""
    found, wrong = _figures(words[stops - _WORD], np.minimum(np.maximum(places, 0), _WORD))
    fits = np.ones(len(places), dtype=bool)
    for nth in (1, 2):
        long = np.flatnonzero(places > nth * _WORD)
        count = np.minimum(places[long] - nth * _WORD, _WORD)
        more, wrong_more = _figures(words[stops[long] - (nth + 1) * _WORD], count)
        found[long] += more * _TENS[nth * _WORD]
        wrong[long] |= wrong_more
        fits[long] = (nth == 1) | (more < _MOST_BEFORE)
    return found, wrong, fits


def _divided(whole: Words, places: Places) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return whole numbers below 2**63 over powers of ten, and where the rounding is beyond doubt.

    The quotient is the sum of two doubles with an error below its 2**-100th part, by Dekker's
    product. Rounding never turns an order round, so that where a little more and a little less
    are rounded to one double, what lies between them is too.
    """
    power = _POWERS[places]
    high = whole.astype(np.float64)
    low = (whole - high.astype(np.uint64)).view(np.int64).astype(np.float64)
    first = high / power
    product = first * power
    split = first * _SPLIT
    upper = split - (split - first)
    lower = first - upper
    power_high, power_low = _POWERS_HIGH[places], _POWERS_LOW[places]
    error = upper * power_high - product + upper * power_low + lower * power_high
    error += lower * power_low
    second = ((high - product) - error + low) / power
    doubt = first * _DOUBT
    found = first + (second - doubt)
    return found, found == first + (second + doubt)


_DAY = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T")
_EPOCH = date(1970, 1, 1)
_DAY_MICROSECONDS, _SECOND_MICROSECONDS = 86_400_000_000, 1_000_000
_TIME = np.uint64(int.from_bytes(b"00:00:00", "little"))
_TIME_SIGNS = np.uint64(0x0000FF0000FF0000)
_PART = np.uint64(int.from_bytes(b".000000Z", "little"))
_PART_SIGNS = np.uint64(0xFF000000000000FF)


def moments(text: bytes, words: Words, places: Places) -> NDArray[np.datetime64] | None:
    """Return moments such as `2026-01-02T12:00:00.000000Z`; None where anything else stands.

    Args:
        text: With `PAD` around it.
        words: Of this text.
        places: Where each moment begins.

    Example:
        >>> text = PAD + b"2026-01-02T12:00:00.250000Z" + PAD
        >>> str(moments(text, words_of(text), np.array([32]))[0])
        '2026-01-02T12:00:00.250000'
    """
    time, part = words[places + len("2026-01-02T")] ^ _TIME, words[places + 19] ^ _PART
    wrong = ((time & _TIME_SIGNS) | (part & _PART_SIGNS)) != 0
    pairs = time * np.uint64(10) + (time >> np.uint64(8))
    hour, minute, second = (pairs >> np.uint64(at) & np.uint64(0xFF) for at in (0, 24, 48))
    wrong |= _above_nine(time) | _above_nine(part)
    wrong |= (hour >= 24) | (minute >= 60) | (second >= 60)  # noqa: PLR2004  # of a day's clock
    days = _days(text, words, places)
    if days is None or wrong.any():
        return None
    seconds = (hour * np.uint64(60) + minute) * np.uint64(60) + second
    microseconds = seconds.view(np.int64) * _SECOND_MICROSECONDS
    microseconds += _number((part & ~_PART_SIGNS) << np.uint64(8)).view(np.int64)
    return (days * _DAY_MICROSECONDS + microseconds).view("datetime64[us]")


def _days(text: bytes, words: Words, places: Places) -> NDArray[np.int64] | None:
    """Return days since 1970; each run of one day is read once."""
    begin, end = words[places], words[places + 3]
    new = np.ones(len(places), dtype=bool)
    new[1:] = (begin[1:] != begin[:-1]) | (end[1:] != end[:-1])
    days = []
    for place in places[new].tolist():
        written = text[place : place + len("2026-01-02T")]
        if _DAY.fullmatch(written) is None:
            return None
        try:
            days.append((date.fromisoformat(written[:-1].decode()) - _EPOCH).days)
        except ValueError:
            return None
    found: NDArray[np.int64] = np.array(days, dtype=np.int64)[np.cumsum(new) - 1]
    return found
