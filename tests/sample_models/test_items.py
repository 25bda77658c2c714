"""The sample's items: complete, right by an independent reading, and never asked in training."""

import re
import unicodedata
from itertools import islice

import pytest

SINO = {sign: value for value, sign in enumerate("영일이삼사오육칠팔구")}
NATIVE = {
    "열": 10,
    "스물": 20,
    "스무": 20,
    "서른": 30,
    "마흔": 40,
    "쉰": 50,
    "예순": 60,
    "일흔": 70,
    "여든": 80,
    "아흔": 90,
    "하나": 1,
    "한": 1,
    "둘": 2,
    "두": 2,
    "셋": 3,
    "세": 3,
    "넷": 4,
    "네": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
}
ENGLISH = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}


def sino(text):
    total, digit = 0, None
    for sign in text:
        if sign in "십백천":
            assert digit != 1, f"{text}: a one is not said before a unit"
            total += (digit or 1) * {"십": 10, "백": 100, "천": 1000}[sign]
            digit = None
        else:
            digit = SINO[sign]
    return total + (digit or 0)


def native(text):
    total = 0
    while text:
        word = max((word for word in NATIVE if text.startswith(word)), key=len)
        total, text = total + NATIVE[word], text.removeprefix(word)
    return total


def counted(text):
    assert re.search("(하나|둘|셋|넷|스물) 개$", text) is None
    return native(text.removesuffix(" 개"))


def english(text):
    hundreds, _, rest = text.rpartition("hundred")
    small = sum(ENGLISH[word] for word in re.split("[- ]", rest.strip()) if word)
    return 100 * (ENGLISH[hundreds.strip()] if hundreds else 0) + small


WORD = r"([가-힣]+?)"
NUMERALS = {
    "sino-to-digits": (sino, int, f"{WORD}(?:[을를] 숫자로 쓰면\\?|: 숫자로)"),
    "digits-to-sino": (int, sino, r"(?:숫자 )?(\d+)(?:, 한자어 수사는\?|: 한자어로)"),
    "native-to-digits": (native, int, f"(?:고유어 )?{WORD}(?:, 숫자로 쓰면\\?|의 값은\\?)"),
    "digits-to-native": (int, native, r"(?:숫자 )?(\d+)(?:, 고유어 수사는\?|: 고유어로)"),
    "counting-to-digits": (native, int, f"(?:책 )?{WORD} (?:권은 몇 권|개는 몇 개)\\?"),
    "digits-to-counting": (int, counted, r"(?:사과 )?(\d+)개를 (?:말로 세면|읽으면)\?"),
    "english-to-digits": (english, int, r"(?:Write )?([a-z -]+?)(?: in digits\.|: in digits)"),
    "digits-to-english": (int, english, r"(?:Write )?(\d+)(?: in words\.|: in words)"),
    "english-to-sino": (
        english,
        sino,
        r"(?:How is )?([a-z-]+)(?: said in Korean\?|: in Korean)",
    ),
    "sino-to-english": (sino, english, f"{WORD}(?:[을를] 영어로 하면\\?|: 영어로)"),
}


def test_numerals_mean_what_was_asked(items):
    for item in items["numerals"]:
        asked, said, pattern = NUMERALS[item["cluster"].removesuffix("-large")]

        found = re.fullmatch(pattern, item["prompt"])

        assert found, item
        assert asked(found[1]) == said(item["answer"]), item


def test_object_particles_fit_the_word_before(items):
    for item in items["numerals"]:
        for word, particle in re.findall("([가-힣]+)([을를]) ", item["prompt"]):
            closed = len(unicodedata.normalize("NFD", word[-1])) == 3
            assert particle == ("을" if closed else "를"), item


def terms_of(cluster, prompt):
    if cluster.startswith("words-korean"):
        return [sino(t) for t in re.fullmatch("(.+) 더하기 (.+), 숫자로.*", prompt).groups()]
    if cluster.startswith("words-english"):
        found = re.fullmatch(r"Add (.+) and (.+) in digits\.", prompt)
        return [english(t) for t in found.groups()]
    return [int(t) for t in re.findall(r"\d+", prompt)]


def test_sums_add_up(items):
    for item in items["sums"]:
        terms = terms_of(item["cluster"], item["prompt"])

        assert len(terms) == 2
        assert all(10 <= term <= 99 for term in terms)
        assert str(sum(terms)) == item["answer"], item
        carries = sum(term % 10 for term in terms) > 9
        assert item["cluster"].endswith("-no-carry") is not carries


def letters(word):
    """Return (initial, vowel, final) per syllable, by the names that Unicode gives the letters."""
    found = []
    for syllable in word:
        names = [unicodedata.name(sign) for sign in unicodedata.normalize("NFD", syllable)]
        alone = [unicodedata.lookup("HANGUL LETTER " + name.split()[-1]) for name in names]
        found.append((*alone, "") if len(alone) == 2 else tuple(alone))
    return found


def spelt(word):
    return "".join("".join(parts) for parts in letters(word))


JAMO = {
    "compose-one": lambda word, answer: word == spelt(answer),
    "compose-two": lambda word, answer: word == spelt(answer),
    "compose-english": lambda word, answer: word == spelt(answer),
    "split-one": lambda word, answer: spelt(word) == answer,
    "split-two": lambda word, answer: spelt(word) == answer,
    "split-english": lambda word, answer: spelt(word) == answer,
    "initials": lambda word, answer: "".join(parts[0] for parts in letters(word)) == answer,
    "initials-english": lambda w, answer: "".join(parts[0] for parts in letters(w)) == answer,
    "vowels": lambda word, answer: "".join(parts[1] for parts in letters(word)) == answer,
    "finals": lambda w, answer: ("".join(parts[2] for parts in letters(w)) or "없음") == answer,
    "count": lambda word, answer: str(len(spelt(word))) == answer,
    "reverse": lambda word, answer: "".join(reversed(word)) == answer,
}
ASKED_BEFORE = (
    "자모 ",
    "글자 ",
    "낱말 ",
    "Compose ",
    "Letters of ",
    "Letters ",
    "Split ",
    "Initials of ",
)


def word_in(cluster, prompt):
    for words in ASKED_BEFORE:
        prompt = prompt.removeprefix(words)
    syllables = 1 if cluster.endswith("-one") else 2
    pattern = "[ㄱ-ㅣ+]+" if cluster.startswith("compose") else f"[가-힣]{{{syllables}}}"
    return re.match(pattern, prompt)[0].replace("+", "")


def test_letters_are_composed_and_taken_apart_rightly(items):
    for item in items["jamo"]:
        word = word_in(item["cluster"], item["prompt"])

        assert JAMO[item["cluster"]](word, item["answer"]), item


def test_items_are_enough_and_each_is_itself(items):
    assert sorted(items) == ["jamo", "numerals", "sums"]
    rows = [item for suite in items.values() for item in suite]
    assert all(len(suite) >= 300 for suite in items.values())
    assert all(len({item["cluster"] for item in suite}) >= 10 for suite in items.values())
    assert len({item["id"] for item in rows}) == len(rows)
    assert len({item["prompt"] for item in rows}) == len(rows)
    assert {item["language"] for item in rows} == {"ko", "en"}
    assert {tuple(item) for item in rows} == {("id", "prompt", "answer", "cluster", "language")}
    assert all(
        unicodedata.is_normalized("NFC", text) and text == text.strip() and text
        for item in rows
        for text in item.values()
    )


def test_the_generator_makes_the_items_again(items, recipe):
    made = recipe("items")

    assert {name: list(made.items(name)) for name in made.BENCHMARKS} == items


@pytest.mark.parametrize("team", ["garam", "hanbit"])
def test_training_never_asks_an_item(items, recipe, team):
    asked = {item["prompt"] for suite in items.values() for item in suite}
    sums = {frozenset(terms_of(item["cluster"], item["prompt"])) for item in items["sums"]}
    words = {spelt(noun) for noun in recipe("letters").NOUNS}
    words |= set(recipe("letters").NOUNS)

    for example in islice(recipe("items").training_stream(team), 20_000):
        assert example.prompt not in asked
        if example.cluster.endswith("carry"):
            assert frozenset(terms_of(example.cluster, example.prompt)) not in sums
        if example.cluster in JAMO:
            assert word_in(example.cluster, example.prompt) not in words
