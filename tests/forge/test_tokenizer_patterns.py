"""Split patterns: what they cut, and that plain Python reads them as the engines do."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.models.forge.tokenizing.patterns import SPLITS, compiled, matches_like, pieces

CATEGORIES = ("L", "Lu", "M", "N", "Nd", "Zs")


@pytest.mark.parametrize(
    ("name", "text", "cut"),
    [
        ("llama3", "SK텔레콤이 3개를", ["SK텔레콤이", " ", "3", "개를"]),
        ("korean", "SK텔레콤이 3개를", ["SK", "텔레콤이", " ", "3", "개를"]),
        ("llama3", '"우리는', ['"우리는']),
        ("korean", '"우리는', ['"', "우리는"]),
        ("llama3-threes", "20260115", ["202", "601", "15"]),
        ("llama3", "2026", ["2", "0", "2", "6"]),
        ("korean", "美국 e\u0301te", ["美", "국", " e\u0301te"]),
        ("korean", "they'LL don't", ["they", "'LL", " don", "'t"]),
        ("llama3", "끝.\r\n\r\n  가", ["끝", ".\r\n\r\n", " ", " 가"]),
        ("korean", "👨‍👩‍👧 끝", ["👨‍👩‍👧", " 끝"]),
        ("korean", unicodedata.normalize("NFD", "독자는"), ["독자는"]),
    ],
)
def test_a_split_cuts_at_the_places_that_it_declares(name, text, cut):
    found = list(pieces(SPLITS[name].pattern, text))

    assert [unicodedata.normalize("NFC", piece) for piece in found] == [
        unicodedata.normalize("NFC", piece) for piece in cut
    ]


@given(st.text(), st.sampled_from(sorted(SPLITS)))
def test_pieces_add_up_to_the_text_and_none_is_empty(text, name):
    found = list(pieces(SPLITS[name].pattern, text))

    assert "".join(found) == text
    assert "" not in found


@given(st.text(), st.sampled_from(sorted(SPLITS)))
def test_every_sign_of_a_text_is_matched_by_the_pattern(text, name):
    assert "".join(compiled(SPLITS[name].pattern).findall(text)) == text


@given(st.text(max_size=4), st.sampled_from(CATEGORIES), st.booleans(), st.booleans())
def test_a_class_matches_what_unicode_says(text, category, negated, inside):
    escape = f"\\{'P' if negated else 'p'}{{{category}}}"
    pattern = compiled(f"[{escape}!]" if inside else escape)

    found = [pattern.fullmatch(sign) is not None for sign in text]

    slow = [
        (unicodedata.category(sign).startswith(category) != negated) or (inside and sign == "!")
        for sign in text
    ]
    assert found == slow


@given(st.characters())
def test_white_space_is_that_of_unicode_and_not_of_python(sign):
    separators = {"\x1c", "\x1d", "\x1e", "\x1f"}

    found = compiled(r"\s").fullmatch(sign) is not None

    assert found == (sign.isspace() and sign not in separators)
    assert (compiled(r"[\S]").fullmatch(sign) is None) == found


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing )"),
        ("\\", "half an escape"),
        (r"\p{Hangul}", "no general category"),
        (r"\w+", "different things to different engines"),
        ("[a[b]]", "classes inside classes"),
        ("[a&&b]", "classes inside classes"),
        ("[]a]", "begins with ]"),
    ],
)
def test_what_python_would_read_otherwise_is_refused(pattern, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        compiled(pattern)


def test_what_no_match_covers_is_a_piece_of_its_own():
    assert list(pieces("[a-z]+", "ab12cd!")) == ["ab", "12", "cd", "!"]


def test_patterns_that_cut_alike_are_known_by_what_they_do():
    texts = ("AI가 3개", "don't")

    assert matches_like(r"\p{L}+|.", r"[\p{L}]+|[^\p{L}]", texts=texts)
    assert not matches_like(r"\p{L}+|.", r"\p{L}|.", texts=texts)
