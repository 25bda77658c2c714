"""Values that every room speaks in: one form, one meaning, and nothing that cannot be judged."""

import json
import math
import pickle
import unicodedata

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from dokja import errors
from dokja.errors import InputError, Mistake
from dokja.values import (
    Digest,
    Estimate,
    canonical_bytes,
    is_identifier,
    normal_form,
    parse_json,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
    # A whole float from 2**53 on is written like an integer, which no longer has one reading.
    | st.floats(min_value=-(2.0**53) + 1, max_value=2.0**53 - 1)
    | st.text(st.characters(codec="utf-8"))
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(documents)
def test_canonical_bytes_are_the_same_after_reading_them_back(document):
    data = canonical_bytes(document)

    assert canonical_bytes(parse_json(data)) == data


@given(documents)
def test_canonical_bytes_are_those_of_the_slow_way(document):
    assert canonical_bytes(document) == rfc8785.dumps(document)


def test_canonical_bytes_write_every_sign_as_the_slow_way_does():
    signs = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))

    assert canonical_bytes([signs, {"é": 1, "e": -0.0}]) == rfc8785.dumps(
        [signs, {"é": 1, "e": -0.0}]
    )


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0, 9), max_size=6))
def test_canonical_bytes_do_not_know_the_order_of_keys(document):
    backwards = dict(reversed(document.items()))

    assert canonical_bytes(backwards) == canonical_bytes(document)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, "\ud800", {"a": {1}}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(ValueError, match="no canonical JSON form"):
        canonical_bytes({"value": value})


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": 1, "a": 2}', "{", ""])
def test_json_with_two_readings_or_none_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  # the texts differ; that it is refused counts
        parse_json(text)


@given(st.binary(max_size=64))
def test_a_digest_is_read_back_as_it_was_written(data):
    digest = Digest.of(data)

    assert Digest.parse(str(digest)) == digest
    assert bytes.fromhex(digest.hex) == digest.raw


@pytest.mark.parametrize(
    "written", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "0" * 64, "0" * 64]
)
def test_what_is_no_digest_is_refused(written):
    with pytest.raises(ValueError, match="sha256"):
        Digest.parse(written)


@pytest.mark.parametrize(
    "numbers",
    [
        {"value": math.nan, "low": 0, "high": 1, "level": 0.95},
        {"value": 0.5, "low": 0.6, "high": 1, "level": 0.95},
        {"value": 0.5, "low": 0.4, "high": math.inf, "level": 0.95},
        {"value": 0.5, "low": 0.4, "high": 0.6, "level": 0},
        {"value": 0.5, "low": 0.4, "high": 0.6, "level": 1.1},
        {"value": 0.5, "low": 0.4, "high": 0.6, "level": 0.9, "standard_error": -0.1},
    ],
)
def test_an_estimate_that_cannot_be_is_refused(numbers):
    with pytest.raises(ValueError, match=r"\w"):
        Estimate(**numbers)


@given(st.text(st.sampled_from("가각독자a1.-_"), max_size=12))
def test_an_identifier_is_written_one_way_only(text):
    decomposed = unicodedata.normalize("NFD", text)

    assert normal_form(decomposed) == normal_form(text)
    if decomposed != text:
        assert not is_identifier(decomposed)


def test_an_input_error_tells_every_mistake_and_whether_anything_was_changed():
    mistakes = [
        Mistake(file="a.toml", place=place, read="1", expected="2", remedy="Mend it.")
        for place in ("first", "second")
    ]

    told = str(InputError(mistakes)).splitlines()

    assert told == [
        "a.toml, first: read 1; expected 2. Mend it.",
        "a.toml, second: read 1; expected 2. Mend it.",
        "Nothing was changed.",
    ]


def test_an_input_error_without_a_mistake_is_a_mistake():
    with pytest.raises(ValueError, match="at least one"):
        InputError([])


@given(documents)
def test_plain_json_reads_what_is_canonical(document):
    assert json.loads(canonical_bytes(document)) == parse_json(canonical_bytes(document))


@pytest.mark.parametrize(
    "kind",
    [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, InputError)],
)
def test_mistakes_come_back_whole_from_another_process(kind):
    wrong = [Mistake(file="a.toml", place=f"key {n}", read="95", expected="100") for n in (1, 2)]
    told = kind(wrong, changed="Two files were written.")

    back = pickle.loads(pickle.dumps(told))  # noqa: S301  # our own, made in the line before

    assert (type(back), str(back)) == (kind, str(told))
    assert (back.mistakes, back.changed) == (told.mistakes, told.changed)
