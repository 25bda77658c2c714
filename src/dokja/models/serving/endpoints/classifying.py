"""Tells an answer from a fault, and one fault from another. Pure; no socket, no clock.

Nothing here knows whether an answer is right. A reply that could be read either way is a fault:
asking again costs a little, and a fault that is taken for an answer costs a system its score.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from dokja.models.serving.endpoints.faults import FaultClass
from dokja.models.serving.endpoints.replies import (
    Said,
    UnreadableReplyError,
    error_of,
    read_reply,
)

__all__ = ["Verdict", "classify", "told_wait_s"]

_OK, _REDIRECTED, _TIMED_OUT, _TOO_MANY, _BROKEN, _UNAVAILABLE = 200, 300, 408, 429, 500, 503
_LONGEST_DETAIL = 300
_FILTERED = re.compile(r"content.?filter|content.?policy|responsibleai|moderation", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context.?length|maximum context|context.?window|prompt is too long|too many tokens"
    r"|string_above_max_length",
    re.IGNORECASE,
)
_UNPAID = re.compile(r"insufficient_quota|billing", re.IGNORECASE)
_FILTER_MARKS = frozenset({"content_filter", "safety", "SAFETY"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reply is.

    Attributes:
        said: The answer, where one could be read; it may be faulty all the same.
        fault: What is wrong; None for an answer.
        detail: In words, for the record.
        wait_s: How long the server says to wait.
    """

    said: Said | None
    fault: FaultClass | None = None
    detail: str = ""
    wait_s: float | None = None


def classify(
    status: int, headers: Mapping[str, str], body: bytes, *, declared: frozenset[str]
) -> Verdict:
    """Return what a reply that came whole is.

    Args:
        status: Of HTTP.
        headers: By any spelling of their names that `headers.get` understands.
        body: The whole body.
        declared: Names under which the model may answer; empty for any.

    Example:
        >>> classify(429, {"Retry-After": "2"}, b"", declared=frozenset()).wait_s
        2.0
    """
    if status != _OK:
        return _refused(status, headers, body)
    try:
        said = read_reply(body)
    except UnreadableReplyError as error:
        return _unreadable(error)
    if declared and said.model is not None and said.model not in declared:
        detail = f"the server says that it is {said.model!r:.200}"
        return Verdict(said, FaultClass.WRONG_MODEL, detail)
    if said.finish in _FILTER_MARKS:
        return Verdict(said, FaultClass.FILTER, "stopped by a content filter")
    if not said.declines and not said.text.strip():
        return Verdict(said, FaultClass.EMPTY, "no text")
    return Verdict(said)


def told_wait_s(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a reply says to wait; None where it says nothing that can be read.

    A date is held against the reply's own date, so that no clock here matters.

    Example:
        >>> told_wait_s({"Retry-After": "Thu, 26 Nov 2026 10:00:05 GMT",
        ...              "Date": "Thu, 26 Nov 2026 10:00:00 GMT"})
        5.0
    """
    said = headers.get("Retry-After")
    if said is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", said.strip()):
        return float(said)
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _refused(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    code, sentence = error_of(body)
    detail = f"{status} {code} {sentence}".strip()[:_LONGEST_DETAIL]
    wait = told_wait_s(headers) if status in {_TOO_MANY, _UNAVAILABLE} else None
    if status == _TOO_MANY and _UNPAID.search(code):
        fault, wait = FaultClass.CONFIGURATION, None
    elif wait is not None:
        fault = FaultClass.RATE_TOLD
    elif status == _TOO_MANY:
        fault = FaultClass.RATE
    elif status >= _BROKEN or status == _TIMED_OUT:
        fault = FaultClass.SERVER
    elif status < _REDIRECTED:  # a success that is no 200 carries no answer
        fault = FaultClass.MALFORMED
    else:
        fault = _of_the_question(code, sentence) or FaultClass.CONFIGURATION
    return Verdict(None, fault, detail, wait)


def _unreadable(error: UnreadableReplyError) -> Verdict:
    detail = str(error)
    if error.error is not None:
        said = error.error if isinstance(error.error, dict) else {"message": str(error.error)}
        code, sentence = str(said.get("code", "")), str(said.get("message", ""))
        detail = f"{detail}: {code} {sentence}"
        fault = _of_the_question(code, sentence)
        if fault is not None:
            return Verdict(None, fault, detail[:_LONGEST_DETAIL])
    fault = FaultClass.CUT if error.cut else FaultClass.MALFORMED
    return Verdict(None, fault, detail[:_LONGEST_DETAIL])


def _of_the_question(code: str, sentence: str) -> FaultClass | None:
    """Return the fault that lies in what was asked, by the words of an error."""
    if _FILTERED.search(code):
        return FaultClass.FILTER
    if _TOO_LONG.search(code) or _TOO_LONG.search(sentence):
        return FaultClass.OVER_CONTEXT
    return None
