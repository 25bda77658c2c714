"""The lines of an event stream, each checked for itself: its kind, its keys, their values."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake
from dokja.values import parse_json, shown

__all__ = ["Line", "event_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sound line.

    Attributes:
        number: Counted from 1.
        kind: A kind of event.
        values: Every other key of the kind; times are read, everything else is as it stands.
    """

    number: int
    kind: str
    values: Mapping[str, Any]

    @property
    def place(self) -> str:
        """How mistakes name it."""
        return f"line {self.number}"


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every double
        return False


def _numbers(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(_number(item) for item in value)


def _wholes(value: object, *, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(_whole, value))


_STEP = ("a whole number from 0", _whole)
_AT = ("a time in UTC such as 2026-01-02T12:00:00.000000Z", lambda value: _time(value) is not None)
_NUMBERS = ("a list of finite numbers, one a step", _numbers)
_OBJECT = ("an object", lambda value: isinstance(value, dict))
_TEXT = ("text", lambda value: isinstance(value, str) and bool(value.strip()))

_KEYS: Mapping[str, Mapping[str, tuple[str, Callable[[Any], bool]]]] = MappingProxyType(
    {
        "start": {"step": _STEP, "at": _AT, "environment": _OBJECT},
        "resume": {
            "step": _STEP,
            "at": _AT,
            "environment": _OBJECT,
            "lost_bytes": ("a whole number of bytes", _whole),
        },
        "steps": {
            "first": _STEP,
            "last": _STEP,
            "tokens": ("a list of one whole number", lambda value: _wholes(value, count=1)),
            "loss": _NUMBERS,
            "lr": _NUMBERS,
            "grad_norm": _NUMBERS,
            "instances": ("a list of two whole numbers", lambda value: _wholes(value, count=2)),
            "at": _AT,
        },
        "checkpoint": {"step": _STEP, "folder": _TEXT, "at": _AT},
        "interruption": {"step": _STEP, "reason": _TEXT, "at": _AT},
        "end": {
            "step": _STEP,
            "at": _AT,
            "device_seconds": ("seconds from 0", lambda value: _number(value) and value >= 0),
        },
    }
)


def event_lines(data: bytes, *, file: str) -> tuple[list[Line], list[Mistake]]:
    r"""Return the sound lines, and what is wrong with the others.

    Args:
        data: Whole lines.
        file: What mistakes call it.

    Example:
        >>> lines, mistakes = event_lines(b'{"kind":"end","step":-1}\n', file="events.jsonl")
        >>> [str(mistake) for mistake in mistakes][0]
        'events.jsonl, line 1, step: read -1; expected a whole number from 0.'
    """
    lines: list[Line] = []
    mistakes: list[Mistake] = []
    for number, raw in enumerate(data.split(b"\n")[:-1], start=1):
        found = _line(raw, number=number, file=file)
        if isinstance(found, Line):
            lines.append(found)
        else:
            mistakes += found
    if not lines and not mistakes:
        mistakes.append(Mistake(file=file, place="", read="no line", expected="events"))
    return lines, mistakes


def _line(raw: bytes, *, number: int, file: str) -> Line | list[Mistake]:
    place = f"line {number}"
    try:
        said = parse_json(raw.decode())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        read = shown(raw.decode(errors="replace")) if raw else "an empty line"
        expected = f"one JSON object ({error})"
        return [Mistake(file=file, place=place, read=read, expected=expected)]
    if not isinstance(said, dict) or said.get("kind") not in _KEYS:
        read = shown(repr(said.get("kind") if isinstance(said, dict) else said))
        expected = "an object whose kind is " + ", ".join(_KEYS)
        return [Mistake(file=file, place=place, read=read, expected=expected)]
    kind = said.pop("kind")
    if mistakes := list(_value_mistakes(said, kind=kind, file=file, place=place)):
        return mistakes
    said["at"] = _time(said["at"])
    return Line(number=number, kind=kind, values=MappingProxyType(said))


def _value_mistakes(
    said: Mapping[str, Any], *, kind: str, file: str, place: str
) -> Iterator[Mistake]:
    keys = _KEYS[kind]
    for key in sorted(said.keys() - keys.keys()):
        expected = f"only the keys of {kind}: " + ", ".join(keys)
        yield Mistake(file=file, place=place, read=f"the key {shown(key)!r}", expected=expected)
    for key, (expected, sound) in keys.items():
        if key not in said:
            read = "nothing"
        elif not sound(said[key]):
            read = shown(repr(said[key]))
        else:
            continue
        yield Mistake(file=file, place=f"{place}, {key}", read=read, expected=expected)


def _time(value: object) -> datetime | None:
    if not isinstance(value, str) or not value.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return None
