"""Lines read by one pattern, against the reader that parses, writes and compares."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecordError
from dokja.models.forge.records import LogSpan, Metrics, issue_receipt
from dokja.models.forge.records.entries import Entry, LateReceipt, Link, entry_bytes, read_line
from dokja.models.forge.records.usual_lines import usual_line
from dokja.values import Digest
from dokja.values.keys import SigningKey

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KEY = SigningKey("team.example", bytes(32))

texts = st.text(max_size=12) | st.sampled_from(["body", "a b", 'a"b', "a\\b", "본체", "\x7f"])
moments = st.datetimes(timezones=st.just(UTC))
wholes = st.integers(1, 2**53 - 1) | st.integers(1, 300)
losses = st.floats(-1e15, 1e15) | st.sampled_from([2.0, 1e-5, 0.0001])


@st.composite
def lines(draw):
    """Return a line as the forge writes it: metrics with or without a receipt, or a receipt."""
    first, start = draw(wholes), draw(wholes)
    span = LogSpan(
        file=draw(texts),
        start=start,
        stop=max(start, draw(wholes)),
        digest=Digest.of(draw(st.binary())),
    )
    told = Metrics(
        component=draw(texts),
        first=first,
        last=max(first, draw(wholes)),
        tokens=draw(wholes),
        loss=draw(losses),
        log=span,
        imported=draw(st.booleans()),
    )
    entry = Entry(n=draw(wholes), prev=Digest.of(b"before"), at=draw(moments), body=told)
    raw = entry_bytes(entry)
    proof = draw(st.sampled_from([None, None, {"checkpoint": "a"}]))
    receipt = issue_receipt(raw, KEY, seq=draw(wholes), at=draw(moments), proof=proof)
    if draw(st.booleans()):
        return LateReceipt(n=entry.n, receipt=receipt).to_line()[:-1]
    return Link(
        entry=entry,
        raw=raw,
        signature=base64.b64encode(KEY.sign(raw)).decode(),
        signer=str(KEY.verifier),
        receipt=draw(st.sampled_from([None, receipt])),
        line=7,
    ).to_line()[:-1]


@given(lines())
def test_a_line_is_read_by_its_pattern_as_it_is_parsed(line):
    assert usual_line(line, number=7) in (None, read_line(line, file="chain", number=7))


@given(lines(), st.data())
def test_whatever_is_read_by_its_pattern_could_be_written_in_no_other_way(line, data):
    place = data.draw(st.integers(0, len(line) - 1))
    sign = data.draw(st.sampled_from(b'0123456789.,:-+"\\[]{}eEZ= ') | st.integers(0, 255))
    damaged = line[:place] + bytes([sign]) + line[place + data.draw(st.integers(0, 1)) :]

    found = usual_line(damaged, number=7)

    if found is not None:
        assert found == read_line(damaged, file="chain", number=7)


@pytest.mark.parametrize("loss", [2.5, 0.1, 12.25, 123456789.5])
@pytest.mark.parametrize("late", [True, False])
def test_what_a_run_says_is_read_by_its_pattern(loss, late):
    span = LogSpan(file="body/01-train/events.jsonl", start=0, stop=9, digest=Digest.of(b""))
    told = Metrics(component="body", first=1, last=2, tokens=8, loss=loss, log=span)
    raw = entry_bytes(Entry(n=3, prev=Digest.of(b"before"), at=NOON, body=told))
    receipt = issue_receipt(raw, KEY, seq=3, at=NOON)
    line = (
        LateReceipt(n=3, receipt=receipt).to_line()
        if late
        else Link(
            entry=Entry(n=3, prev=Digest.of(b"before"), at=NOON, body=told),
            raw=raw,
            signature=base64.b64encode(KEY.sign(raw)).decode(),
            signer=str(KEY.verifier),
            receipt=receipt,
            line=1,
        ).to_line()
    )[:-1]

    assert usual_line(line, number=1) == read_line(line, file="chain", number=1)


@given(lines())
def test_a_day_that_no_calendar_has_is_left_to_the_exact_reader(line):
    place = line.index(b'"at":"') + len(b'"at":"')
    wrong = line[:place] + b"2026-02-30" + line[place + 10 :]

    assert usual_line(wrong, number=1) is None
    with pytest.raises(RecordError):
        read_line(wrong, file="chain", number=1)
