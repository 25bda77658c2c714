"""What a report says of a tokenizer, against slow twins that look at each byte by itself."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import NotComparableError, RecipeError
from dokja.models.forge.tokenizing import (
    SPLITS,
    Subject,
    Tokenizer,
    bits_per_byte,
    byte_tokenizer,
    overlap,
    probe,
    report,
    shared_rows,
    subject,
)
from dokja.models.forge.tokenizing.measures import MEASURES, measure, renyi_efficiency
from dokja.values import Missing, MissingReason

KOREAN = SPLITS["korean"].pattern
# 가 is made whole, 나 loses its last byte to itself, and a space sticks to what follows.
MERGES = ((0xEA, 0xB0), (256, 0x80), (0xEB, 0x82), (0x20, 257), (97, 98), (97, 97))


@pytest.fixture(scope="module")
def small():
    return subject(Tokenizer(merges=MERGES, pattern=KOREAN), name="small")


def slow_measures(found, text):
    """Ask of each byte which token and which sign it belongs to."""
    ids = found.encode(text)
    token_of = [place for place, token in enumerate(ids) for _ in found.written[token]]
    sign_of = [place for place, sign in enumerate(text) for _ in sign.encode()]
    syllables = [place for place, sign in enumerate(text) if 0xAC00 <= ord(sign) <= 0xD7A3]
    touching, cut = set(), 0
    for syllable in syllables:
        tokens = {token for token, sign in zip(token_of, sign_of, strict=True) if sign == syllable}
        touching |= tokens
        cut += len(tokens) > 1
    partial = 0
    for token in ids:
        partial += "\ufffd" in found.written[token].decode(errors="replace")
    counts = Counter(ids)
    power = sum((count / len(ids)) ** 2.5 for count in counts.values())
    slow = {
        "tokens_per_word": len(ids) / len(text.split()) if text.split() else None,
        "characters_per_token": len(text) / len(ids),
        "bytes_per_token": len(text.encode()) / len(ids),
        "tokens_per_syllable": len(touching) / len(syllables) if syllables else None,
        "syllables_cut": cut / len(syllables) if syllables else None,
        "partial_tokens": partial / len(ids),
        "fallback_tokens": None,
        "renyi_efficiency": math.log(power) / -1.5 / math.log(len(counts))
        if len(counts) > 1
        else None,
    }
    hangul = any("HANGUL" in _name(sign) for sign in text)
    return {"tokens_per_eojeol": slow["tokens_per_word"] if hangul else None, **slow}


def _name(sign):
    blocks = ("ᄀᇿ", "㄰㆏", "ꥠ꥿", "가\ud7ff")
    return "HANGUL" if any(first <= sign <= last for first, last in blocks) else ""


@given(st.text(st.sampled_from("가나다 ab1!\u1100é\n"), min_size=1))
def test_each_measure_is_that_of_its_slow_twin(text):
    found = subject(Tokenizer(merges=MERGES, pattern=KOREAN), name="small")

    fast = measure(found, text)

    slow = slow_measures(found, text)
    assert tuple(fast) == MEASURES
    for name in MEASURES:
        value = None if isinstance(fast[name], Missing) else fast[name].value
        assert value == (None if slow[name] is None else pytest.approx(slow[name]))


def test_a_text_without_hangul_has_no_figures_of_hangul(small):
    found = measure(small, "plain words only")

    missing = {name for name in MEASURES if isinstance(found[name], Missing)}
    assert missing == {
        "tokens_per_eojeol",
        "tokens_per_syllable",
        "syllables_cut",
        "fallback_tokens",
    }
    assert found["syllables_cut"].reason is MissingReason.NOT_COMPARABLE


def test_figures_worked_out_by_hand(small):
    found = measure(small, "가 가나")  # 가 | ␠가 | 나 in two tokens, the second of one byte

    values = {name: each.value for name, each in found.items() if not isinstance(each, Missing)}
    assert values == {
        "tokens_per_eojeol": 2.0,
        "tokens_per_word": 2.0,
        "characters_per_token": 1.0,
        "bytes_per_token": 2.5,
        "tokens_per_syllable": 4 / 3,
        "syllables_cut": 1 / 3,
        "partial_tokens": 0.5,
        "renyi_efficiency": pytest.approx(1.0),
    }
    assert found["syllables_cut"].rests_on == (("syllables cut", 1), ("syllables", 3))


def test_renyi_efficiency_is_that_of_the_authors_scorer():
    # README of tokenization-scorer: "pick @@ed pick @@l @@ed pick @@les" gives 0.80315…, which is
    # what these counts give at the scorer's own default order of 3.
    counts = Counter(["pick", "@@ed", "pick", "@@l", "@@ed", "pick", "@@les"]).values()

    assert renyi_efficiency(counts, order=3.0).value == pytest.approx(0.8031528501359657)
    assert isinstance(renyi_efficiency([7]), Missing)


@given(st.lists(st.integers(1, 50), min_size=2))
def test_renyi_efficiency_is_a_share_and_ignores_what_is_not_used(counts):
    found = renyi_efficiency(counts).value

    assert 0 < found <= 1
    assert renyi_efficiency([*counts, 0, 0]).value == found


def spaced(written, ids):
    return Subject(
        name="pieces",
        size=300,
        digest=None,
        written=written,
        fallback=frozenset({3, 4, 5}),
        encode=lambda _: ids,
        decode=lambda _: "",
    )


def test_a_tokenizer_that_sets_a_space_before_a_text_is_measured_without_it():
    found = measure(spaced({1: b" \xea\xb0\x80", 2: b"ab"}, [1, 2]), "가ab")

    assert found["syllables_cut"].value == 0.0
    assert found["tokens_per_syllable"].value == 1.0


def test_fallback_bytes_are_counted_where_there_are_such_tokens():
    pieces = {1: b" ", 3: b"\xea", 4: b"\xb0", 5: b"\x80"}

    found = measure(spaced(pieces, [1, 3, 4, 5]), "가")

    assert found["fallback_tokens"].value == 0.75
    assert found["syllables_cut"].value == 1.0
    assert spaced(pieces, []).vocabulary[b"<0xEA>"] == 3


def test_tokens_that_do_not_add_up_to_the_text_say_nothing_of_its_syllables():
    found = measure(spaced({1: b"other"}, [1]), "가")

    assert isinstance(found["syllables_cut"], Missing)
    assert found["syllables_cut"].what == ("tokens that add up to the text",)


def test_a_report_of_plain_bytes_has_the_figures_of_the_probe_itself():
    found = report(subject(byte_tokenizer(), name="bytes"))

    korean, english = probe().korean, probe().english
    measures = found.texts[0].measures
    assert [text.name for text in found.texts] == ["korean", "english", "code"]
    assert measures["bytes_per_token"].value == 1.0
    assert measures["syllables_cut"].value == 1.0
    assert measures["tokens_per_syllable"].value == 3.0
    assert found.parity.value == len("".join(korean).encode()) / len("".join(english).encode())
    assert (found.losses, found.shared) == ((), {})


def test_a_report_is_json_and_a_table(small):
    other = subject(byte_tokenizer(("<end>",)), name="bytes")

    found = report(small, texts={"mine": "가나"}, others=[other])

    said = json.loads(json.dumps(found.to_json()))
    assert said["schema"] == "dokja.tokenizer-report/1"
    assert said["lossless"] is True
    assert said["texts"][3]["measures"]["syllables_cut"]["value"] == 0.5
    assert said["texts"][1]["measures"]["syllables_cut"] == {
        "missing": "not-comparable",
        "what": ["syllables"],
    }
    assert said["shared"]["bytes"]["tokens"] == 256
    table = found.as_text().splitlines()
    assert table[0] == "small: 262 ids, 384 rows when padded to 128"
    assert len({len(line) for line in table[1:11]}) == 1
    assert table[-1] == (
        "shared with bytes: 256 tokens, 97.7% of these and 99.6% of its own; 256 have the same id"
    )


def test_a_text_that_does_not_come_back_is_told(small):
    upper = Subject(
        name="upper",
        size=small.size,
        digest=None,
        written=small.written,
        fallback=frozenset(),
        encode=lambda text: small.encode(text.upper()),
        decode=small.decode,
    )

    found = report(upper)

    assert found.losses[0].text.upper() == found.losses[0].back
    assert "texts do not come back, first" in found.as_text()


def test_all_that_is_wrong_with_the_given_texts_is_told_at_once(small):
    with pytest.raises(RecipeError) as caught:
        report(small, texts={"code": "x", "a": " ", "b": "\ud800"}, parallel=(["가"], []))

    assert [wrong.file for wrong in caught.value.mistakes] == [
        "code",
        "a",
        "text",
        "parallel texts",
    ]


def test_parity_can_be_of_other_texts(small):
    found = report(small, parallel=(["가"], ["abcd"]))

    assert found.parity.value == 1 / 3


vocabularies = st.dictionaries(st.binary(max_size=2), st.integers(0, 9), min_size=1)


@given(vocabularies, vocabularies)
def test_overlap_is_that_of_its_slow_twin(one, other):
    found = overlap(one, other)

    shared = [token for token in one for same in other if token == same]
    assert found.shared == len(shared)
    assert found.same_id == sum(one[token] == other[token] for token in shared)
    assert found.of_one == len(shared) / len(one)
    assert found.of_other == len(shared) / len(other)
    assert found.jaccard == len(shared) / len(set(one) | set(other))
    assert shared_rows(one, other) == tuple(
        sorted(((one[t], other[t]) for t in other if t in one), key=lambda pair: pair[1])
    )


def test_an_empty_vocabulary_has_no_overlap():
    with pytest.raises(NotComparableError):
        overlap({}, {b"a": 1})


def test_bits_per_byte_do_not_depend_on_how_a_text_is_cut():
    assert bits_per_byte(math.log(2) * 8, tokens=10, data_bytes=10) == pytest.approx(8.0)
    assert bits_per_byte(math.log(2) * 16, tokens=5, data_bytes=10) == pytest.approx(8.0)
    with pytest.raises(ValueError, match="at least one byte"):
        bits_per_byte(1.0, tokens=1, data_bytes=0)
