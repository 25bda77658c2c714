"""Sentences from a small seeded grammar, so that a recipe can be tried without any data.

Korean and English sentences about who does what, where, when and how often, with the particles
that Korean asks for, numbers and sums that are right, and lists. The same seed gives the same
documents on every machine: choices are read from SHA-256, not from a library's generator. All of
it is written for this project and free of rights (CC0-1.0); nobody learns a language from it.
"""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from struct import Struct

__all__ = ["LICENCE", "sentences"]

LICENCE = "CC0-1.0"

_LISTS = """
people: 가람, 나래, 다솜, 라온, 마루, 보람, 아라, 이슬, 자람, 하늘, 한빛, 누리, 도담, 미르, 바름
places: 학교, 시장, 공원, 도서관, 바닷가, 병원, 역, 마당, 들판, 박물관, 우체국, 은행, 밭, 항구, 부엌
times: 아침에, 낮에, 저녁에, 밤에, 어제, 오늘, 지난주에, 봄에, 여름에, 가을에, 겨울에, 주말마다
things: 책, 편지, 사과, 빵, 그림, 나무, 꽃, 신문, 노래, 사진, 지도, 우산, 연필, 의자, 시계, 씨앗
verbs: 읽었다, 썼다, 샀다, 만들었다, 그렸다, 보았다, 찾았다, 옮겼다, 고쳤다, 나누었다, 잊었다
moods: 조용히, 천천히, 즐겁게, 서둘러, 다시, 함께, 혼자, 조심스럽게, 기꺼이, 오래
reasons: 비가 와서, 바람이 불어서, 길이 멀어서, 날이 맑아서, 손님이 와서, 시간이 남아서
counts: 하나, 둘, 셋, 넷, 다섯, 여섯, 일곱, 여덟, 아홉, 열
names: Ara, Bomi, Daon, Garam, Hana, Juwon, Maru, Nari, Sora, Yuna, Minho, Seojun
does: reads, writes, buys, makes, draws, finds, moves, mends, shares, counts
objects: a book, a letter, an apple, some bread, a picture, two trees, the map, the clock, a song
where: at school, in the market, by the sea, in the garden, at the station, in the library
when: in the morning, every day, last week, in spring, at night, on Sunday
"""
_WORDS = {
    name: words.split(", ")
    for name, words in (line.split(": ") for line in _LISTS.strip().splitlines())
}


_CHOICES = Struct("<8I")


def sentences(*, seed: str, documents: int) -> Iterator[str]:
    """Yield documents of four to eleven sentences, two in three of them Korean.

    Args:
        seed: Another seed, other documents.
        documents: How many.

    Example:
        >>> first, second = sentences(seed="a", documents=2)
        >>> first == next(sentences(seed="a", documents=1)), first == second
        (True, False)
    """
    for number in range(documents):
        draw = _Draw(f"{seed}/{number}")
        korean = draw.below(3) != 0
        said = _korean if korean else _english
        yield " ".join(said(draw) for _ in range(4 + draw.below(8)))


class _Draw:
    """Reads one choice after another from SHA-256 of a name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._block = 0
        self._left: list[int] = []  # the next choice is the last

    def below(self, limit: int) -> int:
        if not self._left:
            block = sha256(f"{self._name}/{self._block}".encode()).digest()
            self._left = [*reversed(_CHOICES.unpack(block))]
            self._block += 1
        return self._left.pop() % limit

    def one(self, of: str) -> str:
        words = _WORDS[of]
        return words[self.below(len(words))]


def _korean(draw: _Draw) -> str:
    who, where, when = draw.one("people"), draw.one("places"), draw.one("times")
    what, verb = draw.one("things"), draw.one("verbs")
    match draw.below(6):
        case 0:
            return f"{_topic(who)} {when} {where}에서 {_object(what)} {verb}."
        case 1:
            other = draw.one("people")
            return f"{_with(who)} {_topic(other)} {draw.one('moods')} {_object(what)} {verb}."
        case 2:
            reason = draw.one("reasons") if draw.below(2) else when
            return f"{reason} {_topic(who)} {where}에 가지 않고 {_object(what)} {verb}."
        case 3:
            held = f"{where}에 {_subject(what)} {draw.one('counts')} 있고"
            return f"{held}, {_topic(who)} 그것을 세었다."
        case 4:
            left, right = draw.below(50), draw.below(50)
            return f"{left} 더하기 {_topic(str(right))} {_is(str(left + right))}."
        case _:
            year, month = 1990 + draw.below(36), 1 + draw.below(12)
            return f"{year}년 {month}월에 {_topic(who)} {where} 앞에서 {_object(what)} {verb}."


def _english(draw: _Draw) -> str:
    who, does, what = draw.one("names"), draw.one("does"), draw.one("objects")
    match draw.below(4):
        case 0:
            return f"{who} {does} {what} {draw.one('where')}."
        case 1:
            return f"{draw.one('when').capitalize()}, {who} {does} {what}."
        case 2:
            left, right = draw.below(50), draw.below(50)
            return f"{left} plus {right} is {left + right}."
        case _:
            return f"{who} and {draw.one('names')} are {draw.one('where')} {draw.one('when')}."


@cache
def _closed(word: str) -> bool:
    """Tell whether the word, read aloud, ends in a consonant, which chooses the particle."""
    if word[-1].isdigit():
        return word[-1] in "013678"  # 영 or 십, 일, 삼, 육, 칠, 팔
    return (ord(word[-1]) - 0xAC00) % 28 != 0


def _topic(word: str) -> str:
    return word + ("은" if _closed(word) else "는")


def _subject(word: str) -> str:
    return word + ("이" if _closed(word) else "가")


def _is(word: str) -> str:
    return word + ("이다" if _closed(word) else "다")


def _object(word: str) -> str:
    return word + ("을" if _closed(word) else "를")


def _with(word: str) -> str:
    return word + ("과" if _closed(word) else "와")
