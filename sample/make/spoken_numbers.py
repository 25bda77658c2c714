"""Numbers as they are said: Sino-Korean, native Korean, counting before a noun, English.

Knows 0 to 9,999 in Sino-Korean, 1 to 99 in native Korean, 0 to 999 in English. Knows no item.
"""

__all__ = ["counting", "english", "native", "object_particle", "sino"]

_DIGITS = "영일이삼사오육칠팔구"
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
_BEFORE_NOUN = {"하나": "한", "둘": "두", "셋": "세", "넷": "네"}
_UNDER_TEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_UNDER_TWENTY = (
    *_UNDER_TEN,
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_ENGLISH_TENS = (
    *("", "", "twenty", "thirty", "forty", "fifty"),
    *("sixty", "seventy", "eighty", "ninety"),
)


def sino(number: int) -> str:
    """Return the Sino-Korean reading of 0 to 9,999; a leading one is not said before a unit.

    Example:
        >>> sino(1024), sino(30), sino(0)
        ('천이십사', '삼십', '영')
    """
    if number == 0:
        return "영"
    said = ""
    for unit, name in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
        digit = number // unit % 10
        if digit:
            said += ("" if digit == 1 and name else _DIGITS[digit]) + name
    return said


def native(number: int) -> str:
    """Return the native Korean numeral of 1 to 99.

    Example:
        >>> native(23)
        '스물셋'
    """
    return _TENS[number // 10] + _ONES[number % 10]


def counting(number: int) -> str:
    """Return the native numeral as it stands before a counted noun.

    Example:
        >>> counting(23), counting(20), counting(25)
        ('스물세', '스무', '스물다섯')
    """
    if number % 10 == 0:
        return "스무" if number == 20 else native(number)
    ones = _ONES[number % 10]
    return _TENS[number // 10] + _BEFORE_NOUN.get(ones, ones)


def english(number: int) -> str:
    """Return the English words of 0 to 999.

    Example:
        >>> english(342), english(40)
        ('three hundred forty-two', 'forty')
    """
    if number < 20:
        return _UNDER_TWENTY[number]
    if number < 100:
        ones = f"-{_UNDER_TWENTY[number % 10]}" if number % 10 else ""
        return _ENGLISH_TENS[number // 10] + ones
    rest = f" {english(number % 100)}" if number % 100 else ""
    return f"{_UNDER_TWENTY[number // 100]} hundred{rest}"


def object_particle(word: str) -> str:
    """Return the word with 을 after a closed syllable and 를 after an open one.

    Example:
        >>> object_particle("삼십이"), object_particle("육")
        ('삼십이를', '육을')
    """
    closed = (ord(word[-1]) - 0xAC00) % 28 != 0
    return word + ("을" if closed else "를")
