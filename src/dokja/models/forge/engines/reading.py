"""Reads JSON objects key by key, strictly, and keeps every mistake instead of raising the first.

A wrong or missing value is replaced by a stand-in of the right type, so that reading goes on;
whoever reads looks at `mistakes` before using anything. Keys that nobody asked for are mistakes.
"""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from dokja.errors import InputError, Mistake
from dokja.models.weights.headers import shown

__all__ = ["ObjectReader"]

T = TypeVar("T")

_MISSING = object()
_LARGEST = 2**53 - 1


class ObjectReader:
    """Reads one object; objects inside it have readers that share its mistakes.

    Attributes:
        mistakes: Everything found so far, in the order of reading.

    Example:
        >>> read = ObjectReader({"steps": 0, "stepz": 1}, file="job.json")
        >>> read.whole("steps", least=1), read.close()
        (1, None)
        >>> [str(mistake) for mistake in read.mistakes]
        ['job.json, steps: read 0; expected a whole number from 1.', \
'job.json, stepz: read a key that nobody reads; expected only steps.']
    """

    def __init__(
        self, said: object, *, file: str, place: str = "", mistakes: list[Mistake] | None = None
    ) -> None:
        self.mistakes: list[Mistake] = [] if mistakes is None else mistakes
        self._file = file
        self._place = place
        self._asked: list[str] = []
        self._said: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
        self._is_object = isinstance(said, Mapping)
        if not self._is_object:
            read = "nothing" if said is _MISSING else shown(said)
            self._against(place, read, "an object")

    def close(self) -> None:
        """Keep a mistake for every key that was not asked for."""
        if not self._is_object:
            return
        for key in sorted(set(self._said) - set(self._asked)):
            expected = f"only {', '.join(self._asked)}"
            self._against(self._at(shown(key)[1:-1]), "a key that nobody reads", expected)

    def holds(self, key: str) -> bool:
        """Tell whether a key is there and not null; asking counts as reading it."""
        return self._get(key, None) is not None

    def is_list(self, key: str) -> bool:
        """Tell whether a key holds a list."""
        return isinstance(self._get(key, None), list)

    def anything(self, key: str) -> dict[str, Any]:
        """Return an object as it is: another reads it."""
        found = self._get(key)
        if isinstance(found, dict):
            return found
        self._wrong(key, found, "an object")
        return {}

    def inner(self, key: str) -> "ObjectReader":
        """Return a reader of an object."""
        return ObjectReader(
            self._get(key), file=self._file, place=self._at(key), mistakes=self.mistakes
        )

    def made(self, key: str, make: Callable[[dict[str, Any]], T]) -> T:
        """Return what another makes of an object, its mistakes placed here.

        Args:
            key: Where the object stands.
            make: Raises an InputError when it cannot; the value is then not to be used.
        """
        found = self._get(key)
        if isinstance(found, dict):
            try:
                return make(found)
            except InputError as error:
                for one in error.mistakes:
                    place = self._at(f"{key}.{one.place}" if one.place else key)
                    self._against(place, one.read, one.expected)
        else:
            self._wrong(key, found, "an object")
        return None  # type: ignore[return-value]  # a stand-in: `mistakes` says not to use it

    def whole(self, key: str, *, least: int, otherwise: int | None = None) -> int:
        """Return a whole number from `least`."""
        found = self._get(key, otherwise)
        if _is_whole(found) and found >= least:
            return int(found)
        self._wrong(key, found, f"a whole number from {least}")
        return least

    def wholes(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers from 0, ascending, each once; absent, an empty one."""
        found = self._get(key, [])
        sound = isinstance(found, list) and all(_is_whole(item) and item >= 0 for item in found)
        if sound and found == sorted(set(found)):
            return tuple(found)
        self._wrong(key, found, "a list of whole numbers from 0, ascending, each once")
        return ()

    def number(
        self, key: str, *, above: float | None = None, otherwise: float | None = None
    ) -> float:
        """Return a finite number from 0, or one above a bound."""
        found = self._get(key, otherwise)
        if _is_number(found) and (found >= 0 if above is None else found > above):
            return float(found)
        least = "from 0" if above is None else f"above {above:g}"
        self._wrong(key, found, f"a finite number {least}")
        return 1.0

    def share(self, key: str) -> float:
        """Return a number in [0, 1]."""
        found = self._get(key)
        if _is_number(found) and 0 <= found <= 1:
            return float(found)
        self._wrong(key, found, "a number from 0 to 1")
        return 1.0

    def pair(
        self, key: str, *, below: float, otherwise: tuple[float, float]
    ) -> tuple[float, float]:
        """Return a list of two numbers from 0 that stay below a bound."""
        found = self._get(key, list(otherwise))
        is_pair = isinstance(found, list) and len(found) == 2  # noqa: PLR2004  # a pair
        if is_pair and all(_is_number(item) and 0 <= item < below for item in found):
            return float(found[0]), float(found[1])
        self._wrong(key, found, f"two numbers from 0 and below {below:g}")
        return otherwise

    def flag(self, key: str, *, otherwise: bool) -> bool:
        """Return a truth value."""
        found = self._get(key, otherwise)
        if isinstance(found, bool):
            return found
        self._wrong(key, found, "true or false")
        return otherwise

    def text(self, key: str) -> str:
        """Return text that is not empty."""
        found = self._get(key)
        if isinstance(found, str) and found.strip():
            return found
        self._wrong(key, found, "text")
        return ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of at least one text."""
        found = self._get(key)
        filled = isinstance(found, list) and bool(found)
        if filled and all(isinstance(item, str) and item.strip() for item in found):
            return tuple(found)
        self._wrong(key, found, "a list of texts")
        return ()

    def hexadecimal(self, key: str) -> str:
        """Return lower-case hexadecimal digits of whole bytes."""
        found = self._get(key)
        if isinstance(found, str) and re.fullmatch(r"([0-9a-f]{2})+", found):
            return found
        self._wrong(key, found, "whole bytes in lower-case hexadecimal digits")
        return "00"

    def path(self, key: str, *, otherwise: str | None = None) -> str:
        """Return a path relative to the file's own folder, with forward slashes."""
        found = self._get(key, otherwise)
        plain = isinstance(found, str) and found.isprintable() and "\\" not in found
        if plain and found and not PurePosixPath(found).is_absolute():
            return str(found)
        self._wrong(key, found, "a path relative to this file's folder, with forward slashes")
        return "."

    def one_of(self, key: str, values: tuple[str, ...], *, otherwise: str | None = None) -> str:
        """Return one of these texts."""
        found = self._get(key, otherwise)
        if isinstance(found, str) and found in values:
            return found
        self._wrong(key, found, " or ".join(values))
        return values[0]

    def _get(self, key: str, otherwise: Any = _MISSING) -> Any:
        if key not in self._asked:
            self._asked.append(key)
        return self._said.get(key, otherwise)

    def _at(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key

    def _wrong(self, key: str, found: object, expected: str) -> None:
        read = "nothing" if found is _MISSING or found is None else shown(found)
        self._against(self._at(key), read, expected)

    def _against(self, place: str, read: str, expected: str) -> None:
        # What is inside something that is no object was reported with it.
        if self._is_object or place == self._place:
            self.mistakes.append(
                Mistake(file=self._file, place=place, read=read, expected=expected)
            )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _is_number(value: object) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and abs(value) <= _LARGEST and math.isfinite(value)  # type: ignore[arg-type]  # a number by now
