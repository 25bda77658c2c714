"""The two kinds of lines that a long chain is made of, each read by one pattern.

A chain of a million steps has thousands of entries of metrics, and as many receipts that came a
moment later. What matches here can be written in no other way, so that it need not be parsed,
written again and compared. Whatever does not match is for `entries.read_line` to read or refuse:
here nothing is refused.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dokja.models.forge.records.bodies import LogSpan, Metrics
from dokja.models.forge.records.entries import Entry, LateReceipt, Link
from dokja.models.forge.records.witness import Receipt
from dokja.values import Digest

__all__ = ["usual_line"]

_TEXT = r'"([ !#-\[\]-~]*)"'  # nothing that JSON escapes
_WHOLE = r"(0|[1-9]\d{0,14})"
_REAL = r"((?:0|[1-9]\d{0,14})\.\d{1,19})"
_DIGEST = r'"sha256:([0-9a-f]{64})"'
_MOMENT = r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"'
_SIGNATURE = r'"([A-Za-z0-9+/]{85}[AQgw]==)"'  # 64 bytes in Base64 have one writing
_RECEIPT = (
    rf'{{"at":{_MOMENT},"entry":{_DIGEST},"proof":{{}},"seq":{_WHOLE},'
    rf'"signature":{_SIGNATURE},"witness":{_TEXT}}}'
)
_METRICS = (
    rf'{{"component":{_TEXT},"first":{_WHOLE},"imported":(true|false),"last":{_WHOLE},'
    rf'"log":{{"digest":{_DIGEST},"file":{_TEXT},"start":{_WHOLE},"stop":{_WHOLE}}},'
    rf'"loss":{_REAL},"tokens":{_WHOLE}}}'
)
_ENTRY = rf'{{"at":{_MOMENT},"body":{_METRICS},"kind":"metrics","n":{_WHOLE},"prev":{_DIGEST}}}'
_late_line = re.compile(rf'{{"n":{_WHOLE},"receipt":{_RECEIPT}}}', re.ASCII)
_entry_line = re.compile(
    rf'{{"entry":({_ENTRY}),"receipt":(?:null|{_RECEIPT}),"signature":{_SIGNATURE},'
    rf'"signer":{_TEXT}}}',
    re.ASCII,
)


def usual_line(line: bytes, *, number: int) -> Link | LateReceipt | None:
    """Return what a line holds; none where it is not written as nearly all are.

    Args:
        line: Without the line's end.
        number: Which line it is, from 1.
    """
    if not line.isascii():
        return None
    text = line.decode()
    late = _late_line.fullmatch(text)
    entry = None if late is not None else _entry_line.fullmatch(text)
    try:
        if late is not None:
            n, *receipt = late.groups()
            return LateReceipt(n=int(n), receipt=_receipt(receipt))
        return None if entry is None else _link(entry.groups(), number)
    except ValueError:  # a day that no calendar has, or steps that run backwards
        return None


def _receipt(said: Sequence[str]) -> Receipt:
    at, entry, seq, signature, witness = said
    return Receipt(
        witness=witness,
        entry=Digest(entry),
        seq=int(seq),
        at=datetime.fromisoformat(at),
        proof={},
        signature=signature,
    )


def _link(said: Sequence[str | Any], line: int) -> Link | None:
    raw, at, *told, n, prev = said[:14]
    *receipt, signature, signer = said[14:]
    metrics = _metrics(told)
    if metrics is None:
        return None
    entry = Entry(n=int(n), prev=Digest(prev), at=datetime.fromisoformat(at), body=metrics)
    return Link(
        entry=entry,
        raw=raw.encode(),
        signature=signature,
        signer=signer,
        receipt=None if receipt[0] is None else _receipt(receipt),
        line=line,
    )


def _metrics(said: Sequence[str]) -> Metrics | None:
    component, first, imported, last, digest, file, start, stop, loss, tokens = said
    value = float(loss)
    if repr(value) != loss or value.is_integer():
        return None  # canonical JSON might write it otherwise
    log = LogSpan(file=file, start=int(start), stop=int(stop), digest=Digest(digest))
    return Metrics(
        component=component,
        first=int(first),
        last=int(last),
        tokens=int(tokens),
        loss=value,
        log=log,
        imported=imported == "true",
    )
