"""Headers lie in every way that they can; no lie is believed, and none is expensive."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.models.weights.headers import (
    MAX_HEADER_BYTES,
    MAX_TENSORS,
    check_length,
    read_header,
)

SOUND = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def mistakes_of(header, *, data_bytes=24):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return read_header(raw, data_bytes=data_bytes, file="m").mistakes


def test_header_that_is_sound_has_no_mistakes():
    raw = json.dumps({"__metadata__": {"format": "pt"}, "w": SOUND}).encode() + b"   "

    header = read_header(raw, data_bytes=24, file="m")

    assert header.mistakes == ()
    assert [(t.name, t.shape, t.bytes, t.parameters) for t in header.tensors] == [
        ("w", (2, 3), 24, 6)
    ]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"dtype": "F33"}, "tensor 'w', dtype"),
        ({"dtype": "F8_E3M4"}, "tensor 'w', dtype"),
        ({"dtype": 7}, "tensor 'w', dtype"),
        ({"dtype": ["F32"]}, "tensor 'w', dtype"),
        ({"shape": [-2, -3]}, "tensor 'w', shape"),
        ({"shape": [2.0, 3]}, "tensor 'w', shape"),
        ({"shape": [True, 6]}, "tensor 'w', shape"),
        ({"shape": "6"}, "tensor 'w', shape"),
        ({"shape": [2**62, 2**62]}, "tensor 'w', shape"),
        ({"shape": [1] * 9}, "tensor 'w', shape"),
        ({"shape": None}, "tensor 'w', shape"),
        ({"shape": [2, 4]}, "tensor 'w'"),
        ({"shape": [2**48] * 8}, "tensor 'w'"),
        ({"dtype": "F64"}, "tensor 'w'"),
        ({"data_offsets": [24, 0]}, "tensor 'w', data_offsets"),
        ({"data_offsets": [-24, 0]}, "tensor 'w', data_offsets"),
        ({"data_offsets": [0]}, "tensor 'w', data_offsets"),
        ({"data_offsets": [0, 24, 48]}, "tensor 'w', data_offsets"),
        ({"data_offsets": [0, 10**4000]}, "tensor 'w', data_offsets"),
        ({"extra": 1}, "tensor 'w'"),
    ],
)
def test_tensor_that_is_described_wrongly_is_one_mistake(changes, place):
    found = mistakes_of({"w": SOUND | changes})

    assert [mistake.place for mistake in found] == [place]


@pytest.mark.parametrize(
    "name", ["", "a\0b", "a\nb", "\ud800", "\u1112\u1161\u11ab", "x" * 513], ids=repr
)
def test_tensor_name_that_cannot_be_relied_on_is_a_mistake(name):
    found = mistakes_of({name: SOUND})

    assert len(found) == 1
    assert "composed form (NFC)" in found[0].expected


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"  {}",
        b"{",
        b"\xff\xfe",
        b'{"w": "\xff"}',
        b'{"w": NaN}',
        b'{"w": 1, "w": 2}',
        b'{"w": {"dtype": "F32", "dtype": "F16"}}',
        b'{"w":' + b"[" * 100_000,
        b'{"w": ' + b"9" * 5000 + b"}",
        b'{"w": {}} trailing',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_header_that_is_no_single_object_is_one_mistake(raw):
    found = mistakes_of(raw)

    assert [mistake.place for mistake in found] == ["header"]


@pytest.mark.parametrize("metadata", [[], {"a": 1}, "pt", {"a": None}])
def test_metadata_other_than_texts_is_a_mistake(metadata):
    found = mistakes_of({"__metadata__": metadata, "w": SOUND})

    assert [mistake.place for mistake in found] == ["__metadata__"]


@pytest.mark.parametrize(
    ("second", "read"),
    [
        ([12, 36], "a start at byte 12: overlap after tensor 'a', which ends at 24"),
        ([28, 52], "a start at byte 28: hole after tensor 'a', which ends at 24"),
    ],
)
def test_ranges_that_overlap_or_leave_holes_are_named(second, read):
    header = {"a": SOUND, "b": SOUND | {"data_offsets": second}}

    found = mistakes_of(header, data_bytes=second[1])

    assert [mistake.read for mistake in found] == [read]


def test_ranges_beyond_the_file_and_bytes_nobody_claims_are_named():
    too_short = mistakes_of({"w": SOUND}, data_bytes=23)
    too_long = mistakes_of({"w": SOUND}, data_bytes=25)

    assert [mistake.read for mistake in too_short] == ["bytes 0 to 24 of 23"]
    assert [mistake.read for mistake in too_long] == ["1 bytes that no tensor claims"]


def test_every_mistake_of_a_header_is_reported_at_once():
    header = {"": SOUND, "b": SOUND | {"dtype": "?"}, "c": SOUND | {"shape": [9]}, "d": 1}

    found = mistakes_of(header)

    assert [mistake.place for mistake in found] == [
        "tensor ''",
        "tensor 'b', dtype",
        "tensor 'c'",
        "tensor 'd'",
    ]


def test_thousands_of_mistakes_stay_readable():
    found = mistakes_of({f"t{number}": 1 for number in range(5000)})

    assert len(found) == 101
    assert found[-1].read == "4900 more mistakes like these"


def test_header_with_more_tensors_than_a_file_can_have_is_not_parsed():
    raw = b'{"a":1' + b',"a":1' * (9 * MAX_TENSORS) + b"}"

    tracemalloc.start()
    found = mistakes_of(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [mistake.place for mistake in found] == ["header"]
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("stated", "file_bytes", "sound"),
    [
        (10 * 2**30, 1000, False),
        (2**64 - 1, 1000, False),
        (MAX_HEADER_BYTES + 1, 2 * MAX_HEADER_BYTES, False),
        (993, 1000, False),
        (1, 1000, False),
        (992, 1000, True),
        (2, 10, True),
    ],
)
def test_header_length_must_fit_the_file_and_the_cap(stated, file_bytes, sound):
    assert (check_length(stated, file_bytes=file_bytes, file="m") is None) is sound


offsets = st.lists(st.integers(-2, 200), min_size=0, max_size=3)
shapes = st.lists(st.integers(-1, 2**50) | st.booleans() | st.floats(), max_size=4)
described = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "I8", "F4", "", None]),
        "shape": shapes | st.text(max_size=3),
        "data_offsets": offsets | st.none(),
    }
)
names = st.text(max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(names, described | st.integers() | st.lists(st.integers()), max_size=5),
    st.integers(0, 300),
)
def test_header_of_any_object_is_tensors_or_mistakes(header, data_bytes):
    raw = json.dumps(header).encode("utf-8", "surrogatepass")

    found = read_header(raw, data_bytes=data_bytes, file="m")

    covered = sum(tensor.bytes for tensor in found.tensors)
    assert found.mistakes or covered == data_bytes
    assert all(str(mistake).encode("utf-8", "backslashreplace") for mistake in found.mistakes)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 100))
def test_header_of_any_bytes_is_tensors_or_mistakes(raw, data_bytes):
    found = read_header(b"{" + raw, data_bytes=data_bytes, file="m")

    assert found.mistakes or sum(tensor.bytes for tensor in found.tensors) == data_bytes


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_header_with_one_changed_byte_never_claims_more_than_the_file(data):
    raw = bytearray(json.dumps({"a": SOUND, "b": SOUND | {"data_offsets": [24, 48]}}).encode())
    raw[data.draw(st.integers(1, len(raw) - 1))] = data.draw(st.integers(0, 255))

    found = read_header(bytes(raw), data_bytes=48, file="m")

    if not found.mistakes:
        ranges = sorted((tensor.start, tensor.stop) for tensor in found.tensors)
        assert [start for start, _ in ranges[1:]] == [stop for _, stop in ranges[:-1]]
        assert max(stop for _, stop in ranges) == 48
