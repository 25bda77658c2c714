"""How numbers stand in documents: rounded, with their interval, or missing with the reason."""

from dokja.values import Estimate, Json

__all__ = ["interval", "or_missing", "rounded", "rounded_or_none"]

_FIGURES = 6
"""Figures after the point: the last bits of a sum differ between machines."""


def rounded(value: float) -> float:
    """Return a number as it stands in documents; no negative zero among them.

    Example:
        >>> rounded(-1e-9), rounded(2 / 3)
        (0.0, 0.666667)
    """
    return round(value, _FIGURES) + 0.0


def rounded_or_none(value: float | None) -> float | None:
    """Return a number that may be missing as it stands in documents."""
    return None if value is None else rounded(value)


def interval(effect: Estimate | None) -> dict[str, Json] | None:
    """Return an estimate with its interval and what it rests on."""
    if effect is None:
        return None
    return {
        "value": rounded(effect.value),
        "low": rounded(effect.low),
        "high": rounded(effect.high),
        "level": effect.level,
        "rests_on": dict(effect.rests_on),
    }


def or_missing(key: str, value: Json, *, why: str) -> dict[str, Json]:
    """Return a field; where it is missing as `null`, with the reason in a field beside it.

    Example:
        >>> or_missing("gain_r", None, why="no gain varies")
        {'gain_r': None, 'gain_r_missing': 'no gain varies'}
    """
    return {key: value} if value is not None else {key: None, f"{key}_missing": why}
