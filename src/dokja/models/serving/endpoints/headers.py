"""Reads the headers by which servers say how much more they will take."""

import re
from collections.abc import Mapping

__all__ = ["paused_s", "span_s"]

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_KINDS = ("requests", "tokens")


def span_s(said: str) -> float | None:
    """Return a span of time in seconds; None where it cannot be read.

    Example:
        >>> span_s("1m30s"), span_s("250ms"), span_s("12"), span_s("soon")
        (90.0, 0.25, 12.0, None)
    """
    said = said.strip()
    if re.fullmatch(r"\d+(\.\d+)?", said):
        return float(said)
    if _WHOLE.fullmatch(said) is None:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(said))


def paused_s(headers: Mapping[str, str]) -> float:
    """Return for how long nothing is left, by `x-ratelimit-remaining-…` and `-reset-…`.

    Example:
        >>> paused_s({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6s"})
        6.0
    """
    longest = 0.0
    for kind in _KINDS:
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0":
            longest = max(longest, span_s(headers.get(f"x-ratelimit-reset-{kind}", "")) or 0.0)
    return longest
