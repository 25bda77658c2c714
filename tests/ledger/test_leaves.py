"""One entry has one sequence of bytes: the short way equals RFC 8785, and reading is strict."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.ledger.leaves import DEEPEST, compose_leaf, leaf_fault, swift_bytes
from dokja.values import canonical_bytes

GREATEST = 2**53 - 1
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-GREATEST, GREATEST)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
    | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
LEAF = compose_leaf(
    3,
    entry_id="score/가람",
    time="2026-01-15T09:30:00Z",
    kind="score",
    actor="office",
    body=b'{"points":33.6}',
    blobs=["sha256:" + "0" * 64],
)


@given(values)
def test_swift_bytes_equal_rfc8785(value):
    assert swift_bytes(value) == rfc8785.dumps(value)


@given(
    st.dictionaries(
        st.sampled_from(["\ufb33", "\U0001f600", "\ue000", "é", "1", "\r", "ﬀ"]), st.integers(0, 9)
    )
)
def test_swift_bytes_order_keys_by_utf16_as_rfc8785_does(value):
    assert swift_bytes(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_written_as_rfc8785_or_refused_because_it_would_not_read_back(number):
    try:
        written = swift_bytes([number])
    except ValueError:
        assert abs(number) > GREATEST
    else:
        assert written == rfc8785.dumps([number])
        assert swift_bytes(json.loads(written)) == written


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, -(2**53), "\ud800", {"\ud800": 1}, {1: 2}, object(), 1e17],
)
def test_value_without_canonical_form_is_refused(value):
    with pytest.raises(ValueError, match="canonical"):
        swift_bytes({"a": [value]})


def test_body_nested_too_deep_is_refused_and_one_just_deep_enough_is_not():
    deep = []
    for _ in range(DEEPEST - 1):
        deep = [deep]

    written = swift_bytes(deep)

    assert written == canonical_bytes(deep)
    with pytest.raises(ValueError, match="nested deeper"):
        swift_bytes([deep])


def test_composed_leaf_is_the_canonical_form_of_what_it_says():
    said, fault = leaf_fault(LEAF)

    assert fault == ""
    assert canonical_bytes(said) == LEAF
    assert (said["v"], said["seq"], said["body"]) == (1, 3, {"points": 33.6})


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b'"v":1', b'"v":2', "it has the format version 2; this Dokja reads up to 1"),
        (b'"v":1', b'"v":true', "its v cannot stand in an entry"),
        (b'"seq":3', b'"seq":-3', "its seq cannot stand in an entry"),
        (b'"seq":3', b'"seq":"3"', "its seq cannot stand in an entry"),
        (b"T09:30", b"T25:30", "its time cannot stand in an entry"),
        (b"00Z", b"00+09:00", "its time cannot stand in an entry"),
        (b'"kind":"score"', b'"kind":"Score"', "its kind cannot stand in an entry"),
        (b'"actor":"office"', b'"actor":""', "its actor cannot stand in an entry"),
        (b'{"points":33.6}', b"[]", "its body cannot stand in an entry"),
        (b"sha256:0", b"sha512:0", "its blobs cannot stand in an entry"),
        (b":33.6", b":33.60", "its bytes are not in canonical form"),
        (b'{"actor"', b'{ "actor"', "its bytes are not in canonical form"),
        (b'"seq":3', b'"seq":3,"seq":3', "its bytes are not in canonical form"),
    ],
)
def test_leaf_that_is_not_as_it_must_be_is_told_what_is_wrong(old, new, fault):
    assert leaf_fault(LEAF.replace(old, new))[1] == fault


@pytest.mark.parametrize("leaf", [b"", b"[]", b"nonsense", b"\xff", LEAF[:-1], b"[" * 100_000])
def test_bytes_that_are_no_object_are_no_leaf(leaf):
    assert leaf_fault(leaf)[1].startswith("its bytes are no JSON")


@pytest.mark.parametrize("key", ["actor", "blobs", "body", "id", "kind", "seq", "time", "v"])
def test_leaf_without_one_of_its_keys_is_no_leaf(key):
    said, _ = leaf_fault(LEAF)
    less = {name: value for name, value in said.items() if name != key}
    more = {**said, "x" + key: 1}

    faults = [leaf_fault(canonical_bytes(value))[1] for value in (less, more)]

    assert [fault.startswith("its keys are") for fault in faults] == [True, True]
