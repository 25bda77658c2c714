"""The invented languages: the same on every machine, and with nothing that is never seen."""

import hashlib
import math
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dokja.models.forge.zoo.texts import ALPHABET, Language, answers, decode, encode, entropy


def test_text_is_the_same_on_every_machine():
    said = "".join(Language(b"zoo/a").text(5_000, draw="x"))

    assert hashlib.sha256(said.encode()).hexdigest()[:16] == "64a5a3482ef17fe1"


def test_every_syllable_occurs():
    said = encode("".join(Language(b"zoo/a").text(60_000, draw="language-a")))

    assert set(said) == set(range(254))


def test_languages_of_one_seed_share_words_and_not_text():
    one, other = Language(b"a"), Language(b"a", grammar=b"b")

    assert one.words == other.words
    assert next(one.text(100, draw="x")) != next(other.text(100, draw="x"))


def test_answers_follow_a_rule():
    language = Language(b"a")
    found = {}
    for line in answers(language, 5_000):
        for pair in line.split("?")[1:]:
            word, _, answer = pair.partition("!")
            assert found.setdefault(word, answer) == answer

    assert set(found) == set(language.words)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=50))
def test_entropy_is_that_of_counts(ids):
    counts = Counter(ids)
    slow = -sum(n / len(ids) * math.log(n / len(ids)) for n in counts.values())

    assert math.isclose(entropy(np.array(ids)), slow, abs_tol=1e-12)


@given(st.lists(st.integers(0, 255)))
def test_decoding_undoes_encoding(ids):
    assert encode(decode(ids)) == ids
    assert len(set(ALPHABET)) == 256
