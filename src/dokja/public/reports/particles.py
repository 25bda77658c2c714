"""Korean particles that fit the word before them.

은/는, 이/가, 을/를, 과/와, 으로/로 depend on whether the word ends in a consonant when it is read
aloud. Hangul says so in its own code; digits are read as Sino-Korean numbers; Latin letters in
capitals are read by their names, other Latin words as they are usually written in Hangul. Where
none of these tells, both forms are given, as official letters do: 은(는).
"""

import re
import unicodedata

__all__ = ["particle"]

_NO_FINAL = 0
_RIEUL = 8  # ㄹ, after which 로 is said and not 으로
_OTHER_FINAL = 1
_SYLLABLES = range(0xAC00, 0xD7A4)
_FINALS = 28

_DIGITS = {"1": _RIEUL, "7": _RIEUL, "8": _RIEUL, "3": _OTHER_FINAL, "6": _OTHER_FINAL}
_LETTERS = {"L": _RIEUL, "R": _RIEUL, "M": _OTHER_FINAL, "N": _OTHER_FINAL}
_SIGNS = {"%": _NO_FINAL, "점": _OTHER_FINAL}
_ASIDE = re.compile(r"\s*[(（\[][^()（）\[\]]*[)）\]]$")
_LAST_WORD = re.compile(r"[A-Za-z]+$")
_ZEROS = re.compile(r"(?<![\d.])[1-9][\d,]*?([0,]+)$")
_CHO = 12  # 10¹² is read 조, the one great unit without a final consonant
_GREAT_UNIT = 4


def particle(word: str, pair: str) -> str:
    """Return the particle of the pair that follows the word.

    Args:
        word: The word as it is shown; an aside in brackets at its end is not read aloud.
        pair: The form after a consonant and the form after a vowel, such as `은/는`.

    Example:
        >>> [name + particle(name, "은/는") for name in ("가람", "하늬", "LG", "A.X K1")]
        ['가람은', '하늬는', 'LG는', 'A.X K1은']
        >>> particle("서울", "으로/로"), particle("§", "은/는")
        ('로', '은(는)')
    """
    after_consonant, after_vowel = pair.split("/")
    final = _final_sound(word)
    if final is None:
        return _both(after_consonant, after_vowel)
    if final == _NO_FINAL or (final == _RIEUL and after_consonant == "으로"):
        return after_vowel
    return after_consonant


def _both(after_consonant: str, after_vowel: str) -> str:
    if after_consonant.endswith(after_vowel):
        return f"({after_consonant.removesuffix(after_vowel)}){after_vowel}"
    return f"{after_consonant}({after_vowel})"


def _final_sound(word: str) -> int | None:
    """Return the final consonant with which the word ends when read; none where unknown."""
    said = _spoken(word)
    if not said:
        return None
    last = said[-1]
    if ord(last) in _SYLLABLES:
        return (ord(last) - _SYLLABLES.start) % _FINALS
    if last in _SIGNS:
        return _SIGNS[last]
    if last.isascii() and last.isdigit():
        return _final_of_number(said)
    if last.isascii() and last.isalpha():
        return _final_of_latin(said)
    return None


def _spoken(word: str) -> str:
    said = unicodedata.normalize("NFC", word).strip()
    while (shorter := _ASIDE.sub("", said)) != said and shorter:
        said = shorter
    return said.rstrip(" \t'\"’”»」』)]）.,!?…·")


def _final_of_number(said: str) -> int:
    if said[-1] != "0":
        return _DIGITS.get(said[-1], _NO_FINAL)
    whole = _ZEROS.search(said)
    if whole is None:
        return _OTHER_FINAL  # 0 alone and 0 behind a point are read 영
    zeros = whole.group(1).count("0")
    is_cho = zeros >= _CHO and zeros < _CHO + _GREAT_UNIT
    return _NO_FINAL if is_cho else _OTHER_FINAL


def _final_of_latin(said: str) -> int:
    found = _LAST_WORD.search(said)
    word = found.group() if found else said[-1]
    follows_digit = len(said) > len(word) and said[-len(word) - 1].isdigit()
    if len(word) == 1 or word.isupper() or follows_digit:
        return _LETTERS.get(word[-1].upper(), _NO_FINAL)
    return _final_of_english(word.lower())


def _final_of_english(word: str) -> int:
    """Return how an English word ends as it is usually written in Hangul."""
    if word.endswith(("l", "le")):
        return _RIEUL
    if word.endswith(("m", "n", "ng", "me", "ne", "ck")):
        return _OTHER_FINAL
    if re.search(r"(?:^|[^aeiou])[aeiou][kptc]$", word):
        return _OTHER_FINAL  # bot 봇, basic 베이식; but test 테스트, rank 랭크
    return _NO_FINAL
