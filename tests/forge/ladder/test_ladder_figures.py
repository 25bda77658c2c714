"""Numbers and moments read a column at a time, against `float`, `int` and `datetime`."""

import struct
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dokja.models.forge.ladder.figures import PAD, is_written, moments, reals, wholes, words_of


def columns(numbers):
    """Return a text of numbers, and where each begins and ends."""
    text = PAD + b",".join(number.encode() for number in numbers) + PAD
    commas = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord(","))
    starts = np.concatenate([[len(PAD)], commas + 1])
    return text, starts, np.concatenate([commas, [len(text) - len(PAD)]])


def read_reals(numbers):
    text, starts, stops = columns(numbers)
    return reals(text, words_of(text), starts, stops)


figures = st.text("0123456789", min_size=1, max_size=21)
spellings = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(0, 20, allow_subnormal=False).map(repr),
    st.floats(1e-7, 1e-3).map(repr),
    st.integers().map(str),
    st.builds(lambda whole, part: f"{int(whole)}.{part}", figures, figures),
    st.builds(lambda whole, part: f"{int(whole) % 10}.{part}e-05", figures, figures),
    st.sampled_from(["1E5", "-0", "-0.0", "0.0", "1e400", "0.5e-0", "9007199254740993.0"]),
    st.sampled_from(["4503599627370496.5", "4503599627370497.5", "1" * 400]),
)


@given(st.lists(spellings, min_size=1))
@example(["0.00012345678901234567", "0.99999999999999999", "99999999999.9999999"])
@example(["1e-05", "1e-05"])
def test_reals_are_what_float_reads(numbers):
    found = read_reals(numbers)

    assert found.tobytes() == np.array([float(number) for number in numbers]).tobytes()


@given(st.integers(0, 2**52 - 1), st.integers(0, 15), st.integers(-3, 3))
def test_reals_next_to_the_middle_of_two_doubles_are_rounded_as_float_rounds(
    mantissa, places, more
):
    (value,) = struct.unpack("d", struct.pack("Q", (0x3FF << 52) | mantissa))
    middle = (Fraction(value) + Fraction(float(np.nextafter(value, 2)))) / 2
    whole = round(middle * 10 ** (places + 2)) + more
    number = f"{whole // 10 ** (places + 2)}.{whole % 10 ** (places + 2):0{places + 2}d}"

    assert read_reals([number, "0.5"])[0] == float(number)


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "+1.5",
        ".5",
        "1.",
        "01.5",
        "1.5.2",
        "1_0.5",
        "1.5e",
        " 1.5",
        "0x10",
        "１.5",
    ],
)
def test_what_is_no_number_of_json_is_not_read(number):
    assert read_reals(["2.5", number]) is None
    assert read_reals([number]) is None


@given(st.lists(st.integers(0, 10**15 - 1), min_size=1))
def test_wholes_are_what_int_reads(numbers):
    text, starts, stops = columns(map(str, numbers))

    assert wholes(words_of(text), starts, stops).tolist() == numbers


@pytest.mark.parametrize(
    "number", ["", "-1", "01", "1.0", "1e3", "1000000000000000", "1a", "/", ":"]
)
def test_what_is_not_written_as_a_whole_number_is_not_read(number):
    text, starts, stops = columns([number, "7"])

    assert wholes(words_of(text), starts, stops) is None


def said(at):
    return at.isoformat(timespec="microseconds") + "Z"


@given(st.lists(st.datetimes(), min_size=1))
def test_moments_are_those_of_datetime(times):
    text, starts, _ = columns(map(said, times))

    found = moments(text, words_of(text), starts)

    assert found.tolist() == times


@given(st.datetimes(), st.integers(0, 26), st.characters(codec="ascii"))
def test_a_moment_that_is_written_otherwise_is_not_read(at, place, sign):
    written = said(at)[:place] + sign + said(at)[place + 1 :]
    try:
        read = datetime.fromisoformat(written).replace(tzinfo=None)
        expected = [read] if said(read) == written else None
    except ValueError:
        expected = None
    text = PAD + written.encode() + PAD

    found = moments(text, words_of(text), np.array([len(PAD)]))

    assert (None if found is None else found.tolist()) == expected


@given(st.binary(min_size=8, max_size=24), st.data())
def test_a_literal_is_written_where_every_byte_of_it_stands(literal, data):
    other = bytearray(literal)
    other[data.draw(st.integers(0, len(literal) - 1))] ^= data.draw(st.integers(1, 255))
    text = PAD + literal + bytes(other) + PAD
    first, second = len(PAD), len(PAD) + len(literal)

    assert is_written(words_of(text), np.array([first]), literal)
    assert not is_written(words_of(text), np.array([first, second]), literal)
