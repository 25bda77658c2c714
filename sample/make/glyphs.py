"""Glyphs of eight by eight dots, drawn with strokes, and noisy views of them.

Ten digits, fourteen consonants and ten vowels. The strokes are this project's own drawing.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHARACTERS", "SIDE", "glyph", "views"]

SIDE = 8

# Each stroke: row and column of its two ends, in a box of six rows and four columns.
_TOP, _MIDDLE, _BOTTOM = (0, 0, 0, 3), (3, 0, 3, 3), (5, 0, 5, 3)
_LEFT, _RIGHT = (0, 0, 5, 0), (0, 3, 5, 3)
_UPPER_LEFT, _LOWER_LEFT = (0, 0, 3, 0), (3, 0, 5, 0)
_UPPER_RIGHT, _LOWER_RIGHT = (0, 3, 3, 3), (3, 3, 5, 3)
_BOX = (_TOP, _LEFT, _RIGHT, _BOTTOM)
_RING = ((2, 1, 2, 2), (5, 1, 5, 2), (3, 0, 4, 0), (3, 3, 4, 3))
_UPRIGHT, _LYING = (0, 1, 5, 1), (4, 0, 4, 3)

_STROKES: dict[str, tuple[tuple[int, int, int, int], ...]] = {
    "0": (*_BOX, (2, 1, 3, 2)),
    "1": ((0, 2, 5, 2), (1, 1, 1, 1)),
    "2": (_TOP, _UPPER_RIGHT, _MIDDLE, _LOWER_LEFT, _BOTTOM),
    "3": (_TOP, _RIGHT, _MIDDLE, _BOTTOM),
    "4": (_UPPER_LEFT, _MIDDLE, _RIGHT),
    "5": (_TOP, _UPPER_LEFT, _MIDDLE, _LOWER_RIGHT, _BOTTOM),
    "6": (_TOP, _LEFT, _MIDDLE, _LOWER_RIGHT, _BOTTOM),
    "7": (_TOP, (1, 3, 5, 1)),
    "8": (*_BOX, _MIDDLE),
    "9": (_TOP, _UPPER_LEFT, _MIDDLE, _RIGHT),
    "ㄱ": (_TOP, _RIGHT),
    "ㄴ": (_LEFT, _BOTTOM),
    "ㄷ": (_TOP, _LEFT, _BOTTOM),
    "ㄹ": (_TOP, (0, 3, 2, 3), (2, 0, 2, 3), (2, 0, 5, 0), _BOTTOM),
    "ㅁ": _BOX,
    "ㅂ": (_LEFT, _RIGHT, (2, 0, 2, 3), _BOTTOM),
    "ㅅ": ((0, 1, 2, 1), (2, 1, 5, 0), (2, 2, 5, 3)),
    "ㅇ": _RING,
    "ㅈ": (_TOP, (1, 2, 2, 2), (3, 1, 5, 0), (3, 2, 5, 3)),
    "ㅊ": ((0, 1, 0, 2), (2, 0, 2, 3), (3, 1, 5, 0), (3, 2, 5, 3)),
    "ㅋ": (_TOP, _RIGHT, (2, 0, 2, 3)),
    "ㅌ": (_TOP, _LEFT, (2, 0, 2, 3), _BOTTOM),
    "ㅍ": (_TOP, (1, 1, 4, 1), (1, 2, 4, 2), _BOTTOM),
    "ㅎ": ((0, 1, 0, 2), (1, 0, 1, 3), *_RING[:1], (4, 0, 4, 0), (4, 3, 4, 3), _RING[1]),
    "ㅏ": (_UPRIGHT, (2, 1, 2, 3)),
    "ㅑ": (_UPRIGHT, (1, 1, 1, 3), (3, 1, 3, 3)),
    "ㅓ": ((0, 3, 5, 3), (2, 1, 2, 3)),
    "ㅕ": ((0, 3, 5, 3), (1, 1, 1, 3), (3, 1, 3, 3)),
    "ㅗ": (_LYING, (1, 1, 4, 1)),
    "ㅛ": (_LYING, (2, 0, 4, 0), (2, 2, 4, 2)),
    "ㅜ": ((1, 0, 1, 3), (1, 1, 5, 1)),
    "ㅠ": ((1, 0, 1, 3), (1, 0, 4, 0), (1, 2, 4, 2)),
    "ㅡ": (_LYING,),
    "ㅣ": (_UPRIGHT,),
}
CHARACTERS = tuple(_STROKES)


def glyph(character: str) -> NDArray[np.float32]:
    """Return the clean picture of a character, shape `(8, 8)`, ink 1 and paper 0."""
    picture = np.zeros((SIDE, SIDE), dtype=np.float32)
    for top, left, bottom, right in _STROKES[character]:
        steps = max(abs(bottom - top), abs(right - left), 1)
        for step in range(steps + 1):
            row = round(top + (bottom - top) * step / steps)
            column = round(left + (right - left) * step / steps)
            picture[1 + row, 2 + column] = 1
    return picture


def views(
    rng: np.random.Generator, count: int, *, flipped: float = 0.02, blur: float = 0.15
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return noisy views, shape `(count, 8, 8)`, and the characters that they show.

    Each is moved by at most one dot each way, some dots are flipped, and all are greyed.
    """
    chosen = rng.integers(len(CHARACTERS), size=count)
    pictures = np.stack([glyph(CHARACTERS[index]) for index in chosen])
    moves = rng.integers(-1, 2, size=(count, 2))
    for index, (down, right) in enumerate(moves):
        pictures[index] = np.roll(pictures[index], (down, right), axis=(0, 1))
    spots = rng.random(pictures.shape) < flipped
    pictures = np.where(spots, 1 - pictures, pictures)
    pictures += blur * rng.standard_normal(pictures.shape)
    return pictures.astype(np.float32), tuple(CHARACTERS[index] for index in chosen)
