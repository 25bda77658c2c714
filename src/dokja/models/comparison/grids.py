"""Whether values stand on a coarse grid, as rounding to few bits leaves them.

A grid shows which of two models was rounded: nobody trains onto one. What is looked for are
whole multiples of one step in each row or group, and numbers of few significant bits times one
scale. Fewer than 24 values say nothing: they are on some grid by chance.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["grid_of"]

_LEAST_VALUES = 24
_GROUPS = (32, 64, 128)
_BLOCK = 128
"""Columns that share a scale where numbers of few bits are scaled block by block."""
_WHOLE = 1e-3
"""How far a value may be from a whole number of steps: float32 of codes times a scale."""


def grid_of(values: NDArray[np.floating]) -> str | None:
    """Return the name of the coarsest grid that all values stand on; none where there is none.

    Args:
        values: Shape `(rows, columns)`; whole rows.

    Returns:
        `int4`, `int8` or `float8`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> weights = rng.standard_normal((4, 64))
        >>> step = np.abs(weights).max(axis=1, keepdims=True) / 127
        >>> grid_of(weights), grid_of(np.round(weights / step) * step)
        (None, 'int8')
    """
    rows = values.astype(np.float64).reshape(len(values), -1)
    if rows.size < _LEAST_VALUES or rows.shape[1] < _LEAST_VALUES or not np.isfinite(rows).all():
        return None
    for name, largest in (("int4", (7, 8)), ("int8", (127, 128))):
        groups = [rows.shape[1], *(size for size in _GROUPS if size < rows.shape[1])]
        if any(_whole_steps(rows, group, most) for group in groups for most in largest):
            return name
    return "float8" if _few_bits(rows) else None


def _whole_steps(rows: NDArray[np.float64], group: int, most: int) -> bool:
    """Tell whether every group's values are whole multiples of its largest one over `most`."""
    whole = rows[:, : rows.shape[1] // group * group].reshape(-1, group)
    top = np.abs(whole).max(axis=1, keepdims=True)
    alive = top[:, 0] > 0
    if not alive.any():
        return False
    steps = whole[alive] / (top[alive] / most)
    return bool((np.abs(steps - np.rint(steps)) < _WHOLE).all())


def _few_bits(rows: NDArray[np.float64]) -> bool:
    """Tell whether one scale makes numbers of four bits of each row, or of each block of it."""
    if all(_has_few_bits(row) for row in rows):
        return True
    blocks = [rows[:, start : start + _BLOCK] for start in range(0, rows.shape[1], _BLOCK)]
    whole = [block for block in blocks if block.shape[1] >= _LEAST_VALUES]
    return len(blocks) > 1 and all(_has_few_bits(row) for block in whole for row in block)


def _has_few_bits(values: NDArray[np.float64]) -> bool:
    row = values[values != 0.0]
    if len(row) < _LEAST_VALUES:
        return False
    top = float(np.abs(row).max())
    for mantissa in range(8, 16):  # of the largest value; one of them is right
        fractions, _ = np.frexp(np.abs(row) / (top / mantissa))
        if (np.abs(fractions * 16 - np.rint(fractions * 16)) < _WHOLE).all():
            return True
    return False
