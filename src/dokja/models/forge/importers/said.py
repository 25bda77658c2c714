"""What foreign logs write in JSON: numbers that JSON does not know, and times in many forms.

Trainers write with Python's `json`, which puts NaN where JSON has no word for it. A NaN loss is
a finding; so it is read here, while a key that stands twice is still refused.
"""

import json
import math
from datetime import UTC, datetime
from typing import Any

__all__ = ["as_number", "as_seconds", "loads", "unique"]

_NOT_FINITE = {
    "NaN": math.nan,
    "nan": math.nan,
    "Infinity": math.inf,
    "inf": math.inf,
    "-Infinity": -math.inf,
    "-inf": -math.inf,
}
_MILLISECONDS_FROM = 1e11  # in seconds, the year 5138
_LONGEST_TIME = 40


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys stand once each.

    Raises:
        ValueError: A key stands twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a key stands twice in one object"
        raise ValueError(message)
    return found


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text, NaN and infinities among it.

    Raises:
        ValueError: It is no JSON, is not UTF-8, or names a key twice.

    Example:
        >>> loads('{"loss": NaN}')
        {'loss': nan}
    """
    return json.loads(text, object_pairs_hook=unique)


def as_number(value: object) -> float | None:
    """Return a logged value as a number; None where it is none.

    Example:
        >>> as_number(1), as_number("NaN"), as_number(True), as_number("1.5")
        (1.0, nan, None, None)
    """
    if isinstance(value, str):
        return _NOT_FINITE.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf if value > 0 else -math.inf


def as_seconds(value: object) -> float | None:
    """Return a logged time as seconds since 1970 in UTC; None where it is none.

    A number is taken as seconds, or as milliseconds where seconds would be far beyond our days;
    a text without a zone is taken as UTC.

    Example:
        >>> as_seconds("1970-01-01T00:00:01Z"), as_seconds(1_700_000_000_000), as_seconds("soon")
        (1.0, 1700000000.0, None)
    """
    if isinstance(value, str):
        if len(value) > _LONGEST_TIME:
            return None
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return None
        try:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except OverflowError:  # a zone that pushes the first or the last day out of the calendar
            return None
    number = as_number(value)
    if number is None or not math.isfinite(number):
        return None
    return number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
