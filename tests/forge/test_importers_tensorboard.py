import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import LogError
from dokja.models.forge.importers import FaultKind, LogKind, read_log
from dokja.models.forge.importers.checksums import crc32c, crc32c_of_each
from dokja.models.forge.importers.wire import WireError, fields, varints

NAME = "events.out.tfevents.1700000000.host.1.0"
PLUGIN = b"\x0a\x09\x0a\x07scalars"


def slow_crc32c(data):
    """The definition, bit by bit."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def slow_masked(data):
    value = slow_crc32c(data)
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) % 2**32


def varint(value):
    out = b""
    value %= 2**64
    while value > 127:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def delimited(number, data):
    return varint(number * 8 + 2) + varint(len(data)) + data


def event(tag, value, *, step, wall=1.7e9, tensor=None, plugin=b""):
    inside = delimited(1, tag.encode())
    inside += varint(2 * 8 + 5) + struct.pack("<f", value) if tensor is None else b""
    inside += delimited(8, tensor) if tensor is not None else b""
    inside += delimited(9, plugin) if plugin else b""
    summary = delimited(5, delimited(1, inside))
    return varint(8 + 1) + struct.pack("<d", wall) + varint(16) + varint(step) + summary


def framed(record):
    head = struct.pack("<Q", len(record))
    tail = struct.pack("<I", slow_masked(record))
    return head + struct.pack("<I", slow_masked(head)) + record + tail


def written(folder, *records, name=NAME, after=b""):
    path = folder / name
    path.write_bytes(b"".join(map(framed, records)) + after)
    return path


def losses(count=3):
    return [event("loss", 5.5 - step, step=step, wall=1.7e9 + step) for step in range(1, count + 1)]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_checksums_side_by_side_are_those_of_the_definition(pieces):
    data = b"".join(pieces)
    starts = [sum(map(len, pieces[:place])) for place in range(len(pieces))]

    found = crc32c_of_each(data, starts, [len(piece) for piece in pieces])

    assert found.tolist() == [slow_crc32c(piece) for piece in pieces]


@pytest.mark.parametrize("length", [0, 1, 1023, 4095, 4096, 4097, 9_999])
def test_checksum_of_a_long_record_is_that_of_the_definition(length):
    data = bytes(place * 31 % 251 for place in range(length))

    assert crc32c(data) == slow_crc32c(data)
    assert crc32c_of_each(data, [0], [length]).tolist() == [slow_crc32c(data)]


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_an_error(data):
    try:
        found = list(fields(data))
    except WireError:
        found = []

    assert all(number >= 0 for number, _, _ in found)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=9))
def test_packed_numbers_come_back(numbers):
    assert list(varints(b"".join(map(varint, numbers)))) == numbers


def test_simple_values_are_read_with_step_and_time(tmp_path):
    path = written(tmp_path, varint(8 + 1) + struct.pack("<d", 1.7e9), *losses())

    read = read_log(path)

    assert read.kind == LogKind.TENSORBOARD
    assert read.series["loss"].step.tolist() == [1, 2, 3]
    assert read.series["loss"].value.tolist() == [4.5, 3.5, 2.5]
    assert read.series["loss"].at.astype("datetime64[s]").astype(int).tolist() == [
        1_700_000_001,
        1_700_000_002,
        1_700_000_003,
    ]
    assert read.faults == ()


FLOAT_VAL = b"\x08\x01\x12\x00\x2a\x04" + struct.pack("<f", 2.5)
DOUBLE_VAL = b"\x08\x02\x12\x00\x32\x08" + struct.pack("<d", 2.5)
INT64_VAL = b"\x08\x09\x12\x00" + delimited(10, varint(-3))
CONTENT = b"\x08\x01\x12\x00" + delimited(4, struct.pack("<f", 2.5))
BFLOAT = b"\x08\x0e\x12\x00" + delimited(4, struct.pack("<f", 2.5)[2:])


@pytest.mark.parametrize(
    ("tensor", "value"),
    [(FLOAT_VAL, 2.5), (DOUBLE_VAL, 2.5), (INT64_VAL, -3.0), (CONTENT, 2.5), (BFLOAT, 2.5)],
)
def test_tensors_of_one_element_are_scalars(tmp_path, tensor, value):
    path = written(tmp_path, event("loss", 0, step=1, tensor=tensor, plugin=PLUGIN))

    assert read_log(path).series["loss"].value.tolist() == [value]


def test_a_tensor_that_is_no_scalar_is_passed_over(tmp_path):
    two = b"\x08\x01\x12\x04" + delimited(2, b"\x08\x02") + delimited(4, bytes(8))
    text = b"\x0a\x06\x0a\x04text"
    path = written(
        tmp_path,
        event("histogram", 0, step=1, tensor=two),
        event("words", 0, step=1, tensor=CONTENT, plugin=text),
        event("words", 0, step=2, tensor=CONTENT),  # the plugin is named the first time only
        event("loss", 1.0, step=1),
    )

    assert list(read_log(path).series) == ["loss"]


def test_a_record_with_a_wrong_checksum_is_not_used_and_the_others_are(tmp_path):
    path = written(tmp_path, *losses())
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"loss") + 5] ^= 1  # inside the first record's data
    path.write_bytes(whole)

    read = read_log(path)

    assert read.series["loss"].step.tolist() == [2, 3]
    assert [fault.kind for fault in read.faults] == [FaultKind.CHECKSUM]
    assert read.faults[0].place == f"record 1 ({NAME})"


def test_a_wrong_checksum_of_a_length_ends_the_reading(tmp_path):
    path = written(tmp_path, *losses(), after=b"\x05" + bytes(30))

    read = read_log(path)

    assert read.series["loss"].step.tolist() == [1, 2, 3]
    assert [fault.kind for fault in read.faults] == [FaultKind.CHECKSUM]


def test_a_hostile_length_is_not_believed(tmp_path):
    head = struct.pack("<Q", 2**62)
    path = written(tmp_path, *losses(), after=head + struct.pack("<I", slow_masked(head)))

    read = read_log(path)

    assert [fault.kind for fault in read.faults] == [FaultKind.UNREADABLE]
    assert read.faults[0].read == f"a record of {2**62} bytes"


@given(st.integers(min_value=1, max_value=200))
def test_a_file_cut_anywhere_gives_its_whole_records(tmp_path_factory, missing):
    folder = tmp_path_factory.mktemp("cut")
    path = written(folder, *losses(8))
    whole = path.read_bytes()
    path.write_bytes(whole[:-missing])

    read = read_log(path)
    each = len(whole) // 8
    kept = (len(whole) - missing) // each

    assert read.series["loss"].step.tolist() == list(range(1, kept + 1))
    cut = [FaultKind.CUT] if (len(whole) - missing) % each else []
    assert [fault.kind for fault in read.faults] == cut


def test_a_field_that_reaches_beyond_its_record_is_a_fault(tmp_path):
    path = written(tmp_path, b"\x2a\xff\x7f\x00", *losses())

    read = read_log(path)

    assert [fault.kind for fault in read.faults] == [FaultKind.UNREADABLE]
    assert read.series["loss"].step.tolist() == [1, 2, 3]


def test_several_event_files_of_one_folder_are_one_run(tmp_path):
    written(tmp_path, *losses(4), name="events.out.tfevents.1700000000.host.1.0")
    again = [event("loss", 9.0, step=step, wall=1.7e9 + 10 + step) for step in (3, 4, 5)]
    written(tmp_path, *again, name="events.out.tfevents.1700000010.host.2.0")

    read = read_log(tmp_path)

    assert read.series["loss"].value.tolist() == [4.5, 3.5, 9.0, 9.0, 9.0]
    assert len(read.files) == 2
    assert [str(fault) for fault in read.faults] == [
        "repeated, loss, step 3: read the steps 3 to 4 more than once, 2 of 2 with another value; \
expected each step once; the last value was kept."
    ]


def test_nan_is_kept_and_said(tmp_path):
    path = written(tmp_path, *losses(), event("loss", math.nan, step=4, wall=1.7e9 + 9))

    read = read_log(path)

    assert np.isnan(read.series["loss"].value[3])
    assert [(fault.kind, fault.step) for fault in read.faults] == [(FaultKind.NOT_FINITE, 4)]


def test_an_event_file_without_scalars_is_an_error(tmp_path):
    path = written(tmp_path, varint(8 + 1) + struct.pack("<d", 1.7e9))

    with pytest.raises(LogError, match="no value of any metric"):
        read_log(path)


def test_a_negative_step_is_a_fault(tmp_path):
    path = written(tmp_path, event("loss", 1.0, step=-1), *losses())

    assert [fault.kind for fault in read_log(path).faults] == [FaultKind.UNREADABLE]


def test_reading_says_which_bytes_it_rests_on(tmp_path):
    path = written(Path(tmp_path), *losses())
    before = read_log(path).source

    path.write_bytes(path.read_bytes() + framed(losses(4)[3]))

    assert read_log(path).source != before
