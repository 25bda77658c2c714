"""The three kinds of question that the sample asks, and how each is put.

A *family* is one kind of question in one language; it is also the cluster of its items. It
draws operands, words the question in one of several ways, and knows the right answer. Which
operands are kept out of training is decided in `items.py`; nothing here writes a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from letters import NOUNS, SYLLABLES, joined, parts, split
from spoken_numbers import counting, english, native, object_particle, sino

__all__ = ["BENCHMARKS", "Example", "Family", "Operand", "families"]

Operand = int | str | tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One question with its right answer."""

    prompt: str
    answer: str
    cluster: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of question.

    Attributes:
        name: The cluster that its items belong to.
        language: Of the question: `ko` or `en`.
        topic: Families of one topic share their held-out operands.
        wordings: Ways to put the question; each turns an operand into a prompt.
        answer: The right answer to an operand.
        draw: An operand for training.
        draw_test: An operand that can be asked in the test; it is then kept out of training.
        share: How often training asks it, against the other families of its benchmark.
    """

    name: str
    language: str
    topic: str
    wordings: tuple[Callable[[Operand], str], ...]
    answer: Callable[[Operand], str]
    draw: Callable[[Random], Operand]
    draw_test: Callable[[Random], Operand]
    share: float = 1.0

    def example(self, operand: Operand, *, wording: int) -> Example:
        """Return the question about the operand in one wording, with its answer."""
        return Example(
            prompt=self.wordings[wording](operand),
            answer=self.answer(operand),
            cluster=self.name,
            language=self.language,
        )


def _between(low: int, high: int) -> Callable[[Random], int]:
    return lambda rng: rng.randint(low, high)


def _compound(rng: Random) -> int:
    """Return a number that is said in two parts: each part is still learnt from others."""
    return 10 * rng.randint(2, 9) + rng.randint(1, 9)


def _number_family(
    name: str,
    language: str,
    answer: Callable[[int], str],
    low: int,
    high: int,
    *wordings: Callable[[int], str],
) -> Family:
    return Family(
        name=name,
        language=language,
        topic=name,
        wordings=wordings,
        answer=answer,
        draw=_between(low, high),
        draw_test=_compound if high < 100 else _between(low, high),
        share=1.0 if high < 100 else 1.6,
    )


def _numerals() -> tuple[Family, ...]:
    make = _number_family
    # name, language, answer, smallest, largest, wordings
    return (
        make("sino-to-digits", "ko", str, 1, 99,
             lambda n: f"{object_particle(sino(n))} 숫자로 쓰면?", lambda n: f"{sino(n)}: 숫자로"),
        make("sino-to-digits-large", "ko", str, 100, 9999,
             lambda n: f"{object_particle(sino(n))} 숫자로 쓰면?", lambda n: f"{sino(n)}: 숫자로"),
        make("digits-to-sino", "ko", sino, 1, 99,
             lambda n: f"숫자 {n}, 한자어 수사는?", lambda n: f"{n}: 한자어로"),
        make("digits-to-sino-large", "ko", sino, 100, 9999,
             lambda n: f"숫자 {n}, 한자어 수사는?", lambda n: f"{n}: 한자어로"),
        make("native-to-digits", "ko", str, 1, 99,
             lambda n: f"{native(n)}, 숫자로 쓰면?", lambda n: f"고유어 {native(n)}의 값은?"),
        make("digits-to-native", "ko", native, 1, 99,
             lambda n: f"숫자 {n}, 고유어 수사는?", lambda n: f"{n}: 고유어로"),
        make("counting-to-digits", "ko", str, 1, 99,
             lambda n: f"책 {counting(n)} 권은 몇 권?", lambda n: f"{counting(n)} 개는 몇 개?"),
        make("digits-to-counting", "ko", lambda n: f"{counting(n)} 개", 1, 99,
             lambda n: f"사과 {n}개를 말로 세면?", lambda n: f"{n}개를 읽으면?"),
        make("english-to-digits", "en", str, 1, 99,
             lambda n: f"Write {english(n)} in digits.", lambda n: f"{english(n)}: in digits"),
        make("english-to-digits-large", "en", str, 100, 999,
             lambda n: f"Write {english(n)} in digits.", lambda n: f"{english(n)}: in digits"),
        make("digits-to-english", "en", english, 1, 99,
             lambda n: f"Write {n} in words.", lambda n: f"{n}: in words"),
        make("digits-to-english-large", "en", english, 100, 999,
             lambda n: f"Write {n} in words.", lambda n: f"{n}: in words"),
        make("english-to-sino", "en", sino, 1, 99,
             lambda n: f"How is {english(n)} said in Korean?",
             lambda n: f"{english(n)}: in Korean"),
        make("sino-to-english", "ko", english, 1, 99,
             lambda n: f"{object_particle(sino(n))} 영어로 하면?", lambda n: f"{sino(n)}: 영어로"),
    )  # fmt: skip


def _pair(rng: Random, *, carry: bool) -> tuple[int, int]:
    while True:
        pair = rng.randint(10, 99), rng.randint(10, 99)
        if (pair[0] % 10 + pair[1] % 10 > 9) is carry:
            return pair


def _sums() -> tuple[Family, ...]:
    asked: tuple[tuple[str, str, Callable[[tuple[int, int]], str]], ...] = (
        ("signs", "ko", lambda p: f"{p[0]} + {p[1]} = ?"),
        ("plain-korean", "ko", lambda p: f"{p[0]} 더하기 {p[1]}, 답은?"),
        ("words-korean", "ko", lambda p: f"{sino(p[0])} 더하기 {sino(p[1])}, 숫자로 답하면?"),
        ("story-korean", "ko", lambda p: f"사과 {p[0]}개와 배 {p[1]}개를 합치면 몇 개?"),
        ("plain-english", "en", lambda p: f"What is {p[0]} plus {p[1]}?"),
        ("words-english", "en", lambda p: f"Add {english(p[0])} and {english(p[1])} in digits."),
        ("story-english", "en", lambda p: f"{p[0]} birds meet {p[1]} birds. How many in all?"),
    )
    return tuple(
        Family(
            name=f"{name}-{'carry' if carry else 'no-carry'}",
            language=language,
            topic="sum",
            wordings=(wording,),
            answer=lambda pair: str(pair[0] + pair[1]),
            draw=lambda rng, carry=carry: _pair(rng, carry=carry),
            draw_test=lambda rng, carry=carry: _pair(rng, carry=carry),
            share=1.4 if name.startswith("words") else 1.0,
        )
        for name, language, wording in asked
        for carry in (False, True)
    )


def _initials(word: str) -> str:
    return "".join(parts(syllable)[0] for syllable in word)


def _vowels(word: str) -> str:
    return "".join(parts(syllable)[1] for syllable in word)


def _finals(word: str) -> str:
    return "".join(parts(syllable)[2] for syllable in word) or "없음"


# Name, language, syllables asked about, answer, wordings.
_JamoRow = tuple[str, str, int, Callable[[str], str], tuple[Callable[[str], str], ...]]


def _jamo() -> tuple[Family, ...]:
    one: Callable[[Random], str] = lambda rng: rng.choice(SYLLABLES)  # noqa: E731 - a column of the table
    two: Callable[[Random], str] = lambda rng: one(rng) + one(rng)  # noqa: E731 - likewise
    noun: Callable[[Random], str] = lambda rng: rng.choice(NOUNS)  # noqa: E731 - likewise
    rows: tuple[_JamoRow, ...] = (
        ("compose-one", "ko", 1, str,
         (lambda w: f"{joined(split(w), by='+')} 모으면?", lambda w: f"{split(w)} 한 글자로?")),
        ("compose-two", "ko", 2, str,
         (lambda w: f"{split(w)} 모아쓰면?", lambda w: f"자모 {split(w)}의 낱말은?")),
        ("split-one", "ko", 1, split, (lambda w: f"{w} 풀면?", lambda w: f"글자 {w}의 자모는?")),
        ("split-two", "ko", 2, split,
         (lambda w: f"{w} 풀어쓰면?", lambda w: f"낱말 {w}의 자모는?")),
        ("initials", "ko", 2, _initials, (lambda w: f"{w} 초성은?", lambda w: f"{w}의 첫소리는?")),
        ("vowels", "ko", 2, _vowels, (lambda w: f"{w} 중성은?", lambda w: f"{w}의 모음은?")),
        ("finals", "ko", 2, _finals, (lambda w: f"{w} 종성은?", lambda w: f"{w}의 받침은?")),
        ("count", "ko", 2, lambda w: str(len(split(w))),
         (lambda w: f"{w} 자모는 몇 개?", lambda w: f"{w}의 자모 수는?")),
        ("reverse", "ko", 2, lambda w: w[::-1], (lambda w: f"{w} 거꾸로 쓰면?",)),
        ("compose-english", "en", 2, str,
         (lambda w: f"Compose {split(w)}.", lambda w: f"Letters {split(w)}: which word?")),
        ("split-english", "en", 2, split,
         (lambda w: f"Split {w} into letters.", lambda w: f"Letters of {w}?")),
        ("initials-english", "en", 2, _initials,
         (lambda w: f"Initials of {w}?", lambda w: f"{w}: first letters")),
    )  # fmt: skip
    return tuple(
        Family(
            name=name,
            language=language,
            topic=name if length == 1 else "noun",
            wordings=wordings,
            answer=answer,
            draw=one if length == 1 else two,
            draw_test=one if length == 1 else noun,
        )
        for name, language, length, answer, wordings in rows
    )


BENCHMARKS = ("numerals", "sums", "jamo")


def families(benchmark: str) -> tuple[Family, ...]:
    """Return the families of a benchmark in a fixed order.

    Example:
        >>> [len(families(name)) for name in BENCHMARKS]
        [14, 14, 12]
    """
    return {"numerals": _numerals, "sums": _sums, "jamo": _jamo}[benchmark]()
