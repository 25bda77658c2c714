"""The parameters that transforms take from a recipe: what may stand there, and what does.

All mistakes of a step are found at once: unknown keys, missing ones, and values of another kind.
Nothing here knows a transform.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dokja.errors import Mistake
from dokja.values import Json, shown

__all__ = [
    "NO_DEFAULT",
    "Parameter",
    "choice",
    "chosen",
    "flag",
    "fraction",
    "parents",
    "positive",
    "seed",
    "text",
    "texts",
    "whole",
    "wholes",
]

NO_DEFAULT = object()
"""Stands as the default of a parameter that must be given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One key of a step.

    Attributes:
        name: The key.
        expected: What may stand there, in words.
        fits: Whether a value may stand there.
        default: What holds without the key; `NO_DEFAULT` where it must be given.
    """

    name: str
    expected: str
    fits: Callable[[Any], bool]
    default: Any = NO_DEFAULT

    @property
    def required(self) -> bool:
        """Whether the key must be given."""
        return self.default is NO_DEFAULT

    def to_json(self) -> dict[str, Json]:
        """Return it as reference pages print it."""
        said: dict[str, Json] = {"expected": self.expected, "required": self.required}
        if not self.required:
            said["default"] = self.default
        return said


def chosen(
    parameters: Mapping[str, Any], known: Sequence[Parameter], *, file: str
) -> tuple[dict[str, Any], list[Mistake]]:
    """Return the values that hold, defaults filled in, and everything that is wrong.

    Args:
        parameters: As the recipe gives them.
        known: What the transform takes.
        file: What mistakes call the step.

    Example:
        >>> _, mistakes = chosen({"dorp": 1}, [whole("drop", least=0)], file="dus")
        >>> [(mistake.place, mistake.read) for mistake in mistakes]
        [('dorp', 'an unknown key'), ('drop', 'nothing')]
    """
    mistakes = list(_unknown(parameters, known, file))
    values: dict[str, Any] = {}
    for one in known:
        if one.name not in parameters:
            values[one.name] = None if one.required else one.default
            if one.required:
                mistakes.append(
                    Mistake(file=file, place=one.name, read="nothing", expected=one.expected)
                )
            continue
        values[one.name] = value = parameters[one.name]
        if not one.fits(value):
            mistakes.append(
                Mistake(file=file, place=one.name, read=shown(repr(value)), expected=one.expected)
            )
    return values, mistakes


def _unknown(
    parameters: Mapping[str, Any], known: Sequence[Parameter], file: str
) -> Iterator[Mistake]:
    names = [one.name for one in known]
    for name in sorted(set(parameters) - set(names)):
        yield Mistake(
            file=file,
            place=name,
            read="an unknown key",
            expected="only " + (", ".join(names) or "a step without parameters"),
        )


def whole(name: str, *, least: int = 1, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is a whole number."""
    return Parameter(
        name=name,
        expected=f"a whole number of at least {least}",
        fits=lambda value: _is_whole(value) and value >= least,
        default=default,
    )


def wholes(name: str, *, least: int = 0, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is a list of whole numbers."""
    return Parameter(
        name=name,
        expected=f"a list of whole numbers of at least {least}",
        fits=lambda value: (
            _is_list(value) and all(_is_whole(one) and one >= least for one in value)
        ),
        default=default,
    )


def fraction(name: str, *, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is a share from 0 to 1."""
    return Parameter(
        name=name,
        expected="a number from 0 to 1",
        fits=lambda value: _is_number(value) and 0 <= value <= 1,
        default=default,
    )


def positive(name: str, *, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is a positive number."""
    return Parameter(
        name=name,
        expected="a positive number",
        fits=lambda value: _is_number(value) and value > 0,
        default=default,
    )


def flag(name: str, *, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is true or false."""
    return Parameter(
        name=name,
        expected="true or false",
        fits=lambda value: isinstance(value, bool),
        default=default,
    )


def text(name: str, *, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is a text."""
    return Parameter(
        name=name,
        expected="a text that is not empty",
        fits=lambda value: isinstance(value, str) and bool(value),
        default=default,
    )


def texts(name: str, *, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is a list of texts."""
    return Parameter(
        name=name,
        expected="a list of texts",
        fits=lambda value: _is_list(value) and all(isinstance(one, str) and one for one in value),
        default=default,
    )


def choice(name: str, among: Sequence[str], *, default: Any = NO_DEFAULT) -> Parameter:
    """Return a parameter that is one of some words."""
    return Parameter(
        name=name,
        expected="one of " + ", ".join(among),
        fits=lambda value: isinstance(value, str) and value in among,
        default=default,
    )


def seed(*, default: Any = NO_DEFAULT) -> Parameter:
    """Return the parameter `seed`: bytes, written as hexadecimal digits."""
    # An empty seed is no choice, and stands only where none is needed.
    needed = default is NO_DEFAULT
    return Parameter(
        name="seed",
        expected='hexadecimal digits in pairs, such as "00ff"',
        fits=lambda value: (
            isinstance(value, str) and _is_hex(value) and (bool(value) or not needed)
        ),
        default=default,
    )


def parents(*, default: Any = NO_DEFAULT) -> Parameter:
    """Return the parameter `with`: one other parent or a list, each a name or a table."""
    return Parameter(
        name="with",
        expected="another parent or a list of them, each a name or a table with a base or a record",
        fits=lambda value: (
            _is_parent(value)
            or (_is_list(value) and len(value) > 0 and all(map(_is_parent, value)))
        ),
        default=default,
    )


def _is_parent(value: Any) -> bool:
    return (isinstance(value, str) and bool(value)) or (
        isinstance(value, Mapping)
        and any(isinstance(value.get(key), str) and value[key] for key in ("base", "record"))
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_hex(value: str) -> bool:
    return len(value) % 2 == 0 and all(digit in "0123456789abcdef" for digit in value)
