import json
import unicodedata

import pytest

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.suites import read_suite
from dokja.values import Digest

KEYS = "id, prompt, answer, cluster, language"


def mistakes_of(path):
    with pytest.raises(SuiteError) as caught:
        read_suite(path)
    return [(each.place, each.read, each.expected) for each in caught.value.mistakes]


def test_suite_is_named_by_its_file_and_keeps_its_order(suite):
    read = suite(3)

    assert read.name == "sums"
    assert [item.id for item in read.items] == ["sums-000", "sums-001", "sums-002"]
    assert read.items[1].answer == "2"


def test_digest_is_of_the_items_and_not_of_the_file(suite_file, items):
    tight = [json.dumps(each, separators=(",", ":")).encode() for each in items(3)]
    turned = [dict(reversed(each.items())) for each in items(3)]

    digests = {read_suite(suite_file(lines)).digest for lines in (items(3), tight, turned)}

    assert len(digests) == 1


def test_corrected_key_is_not_a_new_question(suite_file, items):
    old, new = (
        read_suite(suite_file([{**items(1)[0], "answer": answer}])).items[0]
        for answer in ("1", "one")
    )

    assert old.prompt_digest == new.prompt_digest
    assert old.key_digest == Digest.of(b"1") != new.key_digest


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"\xff\xfe", ("line 1", "byte 0xff at position 1", "text in UTF-8")),
        (b"[]", ("line 1", "[]", "a JSON object")),
        (b"7", ("line 1", "7", "a JSON object")),
    ],
)
def test_line_that_is_no_object_is_told(suite_file, line, told):
    assert mistakes_of(suite_file([line])) == [told]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"",
        b"NaN",
        b'{"id": Infinity}',
        b'{"id": "a", "id": "b"}',
        b"[" * 100_000,
    ],
)
def test_line_that_has_no_one_reading_is_told(suite_file, line):
    ((place, _, expected),) = mistakes_of(suite_file([line]))

    assert place == "line 1"
    assert expected.startswith("one JSON object (")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": "Sums 1"}, "lower-case letters, digits, Hangul syllables and . _ - inside"),
        ({"answer": 7}, "text"),
        ({"answer": None}, "text"),
        ({"answer": "  "}, "text that is not empty"),
        ({"prompt": "\ud800"}, "signs of Unicode, not halves of one"),
        ({"cluster": ""}, "text that is not empty"),
    ],
)
def test_value_that_cannot_stand_is_told_with_its_key(suite_file, items, changes, told):
    (key,) = changes
    line = json.dumps({**items(1)[0], **changes}).encode()

    assert [(place, expected) for place, _, expected in mistakes_of(suite_file([line]))] == [
        (f"line 1, {key}", told)
    ]


def test_decomposed_hangul_is_told_with_the_composed_form(suite_file, items):
    letters = unicodedata.normalize("NFD", "곱")

    told = mistakes_of(suite_file(items(1, answer=letters)))

    expected = "the same in NFC (composed Hangul): '곱'"
    assert told == [("line 1, answer", repr(letters), expected)]


def test_keys_that_are_strange_or_absent_are_told(suite_file, items):
    line = items(1, difficulty="hard")[0]
    del line["cluster"]

    assert mistakes_of(suite_file([line])) == [
        ("line 1", "the key 'difficulty'", f"only the keys {KEYS}"),
        ("line 1, cluster", "nothing", "this key"),
    ]


def test_same_id_or_question_twice_is_told(suite_file, items):
    first, second, third = items(3)
    lines = [first, {**second, "id": first["id"]}, {**third, "prompt": first["prompt"]}]

    assert mistakes_of(suite_file(lines)) == [
        ("item sums-000, id", "'sums-000' again, which is item sums-000", "each id once"),
        (
            "item sums-002, prompt",
            "'0 + 1 = ?' again, which is item sums-000",
            "each question once",
        ),
    ]


def test_all_mistakes_of_a_file_are_told_at_once(suite_file, items):
    good = items(3)
    lines = [b"{", good[0], {**good[1], "answer": 2}, good[2], {**good[2], "language": "KO"}]

    places = [place for place, _, _ in mistakes_of(suite_file(lines, name="Two Sums.jsonl"))]

    assert places == ["", "line 1", "line 3, answer", "line 5, language"]


def test_empty_file_is_told(suite_file):
    assert mistakes_of(suite_file([])) == [("", "no line", "one object a line")]


def test_file_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "sums.jsonl"

    with pytest.raises(SuiteError) as caught:
        read_suite(path)

    assert caught.value.mistakes == (
        Mistake(
            file=str(path),
            place="",
            read="No such file or directory",
            expected="a file that may be read",
        ),
    )
