"""Numbers in words are read as they are formed: a slow writer of numerals is the twin."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.scorers.numerals import leading_numeral, numerals_in, value_of

ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
ROUND = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def sino(value):
    """Write a number in 한자어 수사, four digits at a time."""
    if value == 0:
        return "영"
    written = ""
    for power, name in ((3, "조"), (2, "억"), (1, "만"), (0, "")):
        block = value // 10_000**power % 10_000
        if not block:
            continue
        part = ""
        for place, unit in ((3, "천"), (2, "백"), (1, "십"), (0, "")):
            digit = block // 10**place % 10
            if digit:
                part += ("" if digit == 1 and place else "영일이삼사오육칠팔구"[digit]) + unit
        written += ("" if part == "일" and name == "만" else part) + name
    return written


def english(value):
    """Write a number below a million in English."""
    if value >= 1000:
        rest = english(value % 1000) if value % 1000 else ""
        return f"{english(value // 1000)} thousand {rest}".strip()
    if value >= 100:
        rest = f" and {english(value % 100)}" if value % 100 else ""
        return f"{SMALL[value // 100]} hundred{rest}"
    if value >= 20:
        return ROUND[value // 10] + (f"-{SMALL[value % 10]}" if value % 10 else "")
    return SMALL[value]


@given(st.integers(0, 10**16 - 1).filter(lambda value: value != 0))
def test_sino_korean_numerals(value):
    assert value_of(sino(value)) == value


@pytest.mark.parametrize("value", range(1, 100))
def test_native_korean_numerals(value):
    assert value_of(TENS[value // 10] + ONES[value % 10]) == value


@given(st.integers(0, 999_999))
def test_english_numerals(value):
    assert value_of(english(value)) == value


@given(st.integers(-(10**9), 10**9))
def test_digits_with_and_without_commas(value):
    assert value_of(str(value)) == value_of(f"{value:,}") == value


@given(st.decimals(min_value=-1000, max_value=1000, places=3))
def test_decimals_are_exact(value):
    assert value_of(f"{value:f}") == Fraction(value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3만 5천 명", [35_000]),
        ("1억 2,000만 원", [120_000_000]),
        ("2.5만", [25_000]),
        ("6.02 × 10^23", [602 * 10**21]),
        ("1e3", [1000]),
        ("\\frac{1}{4}", [Fraction(1, 4)]),
        ("3/4", [Fraction(3, 4)]),
        ("-2", [-2]),
        ("5 - 2 = 3", [5, 2, 3]),
        ("2024-05-01", [2024, 5, 1]),
        ("1/0", []),
        ("답이 없다", []),
    ],
)
def test_numbers_in_a_text(text, values):
    assert [each.value for each in numerals_in(text)] == values


@pytest.mark.parametrize("text", ["이순신", "일요일", "seven dwarfs", "", "12 monkeys"])
def test_text_with_more_than_a_numeral_is_no_number(text):
    assert value_of(text) is None


def test_leading_numeral_leaves_the_unit():
    found = leading_numeral("서른네 명입니다")

    assert (found.value, "서른네 명입니다"[found.stop :]) == (34, " 명입니다")
