"""Numbers as people read them: with as many digits as their interval deserves.

Nothing here rounds a share to certainty: what is nearly nothing is written `<0.1%`, and what is
nearly all `>99.9%`, because 0 and 100 % are claims of their own.
"""

import math
from typing import Protocol

__all__ = ["bytes_read", "count", "interval", "plain", "share", "value"]

_MOST_DIGITS = 4
_SMALLEST_SHARE = 0.001


class Interval(Protocol):
    """Anything with a value between two ends."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def kind(self) -> str: ...


def plain(number: float, digits: int) -> str:
    """Return the number with so many decimals, with a real minus and grouped thousands.

    Example:
        >>> plain(-0.5, 1), plain(2_000_000, 0), plain(-0.0001, 2)
        ('−0.5', '2,000,000', '0.00')
    """
    written = f"{number:,.{digits}f}"
    if written.startswith("-") and not written.strip("-0.,"):
        written = written[1:]
    return written.replace("-", "−")


def count(number: float) -> str:
    """Return a count, or another number of which nothing more is known, in its shortest form.

    Example:
        >>> count(24000), count(0.0002615), count(37.5)
        ('24,000', '0.0002615', '37.5')
    """
    if float(number).is_integer():
        return plain(number, 0)
    return plain(number, max(0, -_exponent(number) + 3)).rstrip("0")


def value(measured: Interval, *, least_digits: int = 1) -> str:
    """Return an estimate's value, as exactly as its interval deserves."""
    return plain(measured.value, _digits(measured, least_digits))


def interval(measured: Interval, *, least_digits: int = 1) -> str:
    """Return an estimate's interval, low to high."""
    digits = _digits(measured, least_digits)
    if measured.kind == "rounding":
        digits = min(digits + 1, _MOST_DIGITS + 1)
    low, high = measured.low, measured.high
    return f"{plain(low, digits)}{_to(low, high)}{plain(high, digits)}"


def share(number: float) -> str:
    """Return a share in [0, 1] as a percentage, never rounded to none or to all.

    Example:
        >>> share(0.5), share(0.0001), share(0.12345), share(1)
        ('50%', '<0.1%', '12.3%', '100%')
    """
    if 0 < number < _SMALLEST_SHARE:
        return "<0.1%"
    if 1 - _SMALLEST_SHARE < number < 1:
        return ">99.9%"
    return plain(100 * number, 1).removesuffix(".0") + "%"


def bytes_read(number: int) -> str:
    """Return a number of bytes in the unit that fits.

    Example:
        >>> bytes_read(812), bytes_read(3_400_000)
        ('812 B', '3.4 MB')
    """
    size = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004  # decimal units go by thousands
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _to(low: float, high: float) -> str:
    """Return the dash of a range; a word-like one where a minus would meet it."""
    return " … " if low < 0 or high < 0 else "–"


def _digits(measured: Interval, least: int) -> int:
    width = measured.high - measured.low
    if width <= 0:
        shortest = f"{measured.value:.{_MOST_DIGITS}f}".rstrip("0")
        decimals = len(shortest.partition(".")[2])
        return min(max(decimals, least), _MOST_DIGITS)
    return min(max(-math.floor(math.log10(width) + 1e-9), least), _MOST_DIGITS)


def _exponent(number: float) -> int:
    return math.floor(math.log10(abs(number)))
