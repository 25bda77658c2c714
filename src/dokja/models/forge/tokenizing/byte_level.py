"""Byte-pair encoding over bytes: merges applied to one piece, and how files write bytes.

Tokenizer files write each byte as one printable sign (Radford et al. 2019, GPT-2): bytes that
Latin-1 prints stand for themselves, the other 68 for U+0100 and what follows it.
"""

import heapq
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["BYTE_SIGNS", "byte_tokens", "from_signs", "merge_pieces", "to_signs"]

_PRINTED = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_SIGN_OF = [
    *(chr(byte) if byte in _PRINTED else "" for byte in range(256)),
]
for _count, _byte in enumerate(byte for byte in range(256) if byte not in _PRINTED):
    _SIGN_OF[_byte] = chr(0x100 + _count)

BYTE_SIGNS: tuple[str, ...] = tuple(_SIGN_OF)
"""The sign that stands for each byte in a tokenizer file."""

_BYTE_OF: Mapping[str, int] = MappingProxyType({sign: byte for byte, sign in enumerate(BYTE_SIGNS)})


def byte_tokens() -> tuple[bytes, ...]:
    """Return the 256 tokens that every byte-level vocabulary begins with, in order."""
    return tuple(bytes([byte]) for byte in range(256))


def to_signs(token: bytes) -> str:
    """Return a token as a tokenizer file writes it.

    Example:
        >>> to_signs(" 독".encode())
        'Ġëıħ'
    """
    return "".join(BYTE_SIGNS[byte] for byte in token)


def from_signs(written: str) -> bytes | None:
    """Return the bytes of a token as written in a file, or `None` if it has other signs.

    Example:
        >>> from_signs("Ġëıħ").decode()
        ' 독'
        >>> from_signs("▁a") is None
        True
    """
    found = [_BYTE_OF.get(sign) for sign in written]
    known = [byte for byte in found if byte is not None]
    return bytes(known) if len(known) == len(found) else None


def merge_pieces(symbols: list[int], merges: Mapping[tuple[int, int], int]) -> list[int]:
    """Return the ids of one piece after all merges.

    Again and again the pair that was learned first is merged, the leftmost of equals. That is
    what rustbpe, tiktoken and tokenizers do; a heap makes it n log n instead of n².

    Args:
        symbols: The ids of the piece's bytes.
        merges: What a pair of ids becomes; a lower result was learned earlier.

    Example:
        >>> merge_pieces([97, 97, 97], {(97, 97): 256})
        [256, 97]
    """
    ids: list[int | None] = [*symbols]
    stop = len(ids)
    after = [*range(1, stop + 1)]
    before = [*range(-1, stop - 1)]
    waiting = [
        (merged, place, symbols[place], symbols[place + 1])
        for place in range(stop - 1)
        if (merged := merges.get((symbols[place], symbols[place + 1]))) is not None
    ]
    heapq.heapify(waiting)
    while waiting:
        merged, place, left, right = heapq.heappop(waiting)
        following = after[place]
        # An entry is stale if either side has been merged since it was written down.
        if ids[place] != left or following >= stop or ids[following] != right:
            continue
        ids[place], ids[following] = merged, None
        after[place] = after[following]
        if after[place] < stop:
            before[after[place]] = place
            _note(waiting, place, after[place], ids=ids, merges=merges)
        if before[place] >= 0:
            _note(waiting, before[place], place, ids=ids, merges=merges)
    return [symbol for symbol in ids if symbol is not None]


def _note(
    waiting: list[tuple[int, int, int, int]],
    place: int,
    following: int,
    *,
    ids: list[int | None],
    merges: Mapping[tuple[int, int], int],
) -> None:
    left, right = ids[place], ids[following]
    if left is None or right is None:
        return
    merged = merges.get((left, right))
    if merged is not None:
        heapq.heappush(waiting, (merged, place, left, right))
