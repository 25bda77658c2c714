"""Byte-pair encoding: words into tokens by learnt merges, lowest rank first.

Does what the `tokenizers` library does, tie for tie: among pairs of one rank the leftmost is
merged first. Time grows with n log n in a word's length, so that no prompt can stall a run.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Merge", "Vocabulary"]

_CACHED_WORDS = 1 << 16
_LONGEST_CACHED = 64


@dataclass(frozen=True, slots=True)
class Merge:
    """Two neighbouring tokens become one.

    Attributes:
        rank: Lower is earlier.
        token: The id that they become.
    """

    rank: int
    token: int


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Tokens and merges.

    Attributes:
        ids: Each token's id.
        merges: What neighbouring ids become.
        unknown: The id for signs that no token is; None drops them.
        fuses_unknown: Whether a run of unknown signs is one token.
        falls_back_to_bytes: Whether unknown signs are written as byte tokens where there are all.
        takes_whole_words: Whether a word that is a token is never built by merges.
    """

    ids: Mapping[str, int]
    merges: Mapping[tuple[int, int], Merge]
    unknown: int | None
    fuses_unknown: bool
    falls_back_to_bytes: bool
    takes_whole_words: bool
    _known: dict[str, tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def encode(self, word: str) -> tuple[int, ...]:
        """Return the ids of one word."""
        known = self._known.get(word)
        if known is not None:
            return known
        whole = self.ids.get(word) if self.takes_whole_words else None
        found = (whole,) if whole is not None else tuple(self._merged(self._signs(word)))
        if len(word) <= _LONGEST_CACHED and len(self._known) < _CACHED_WORDS:
            self._known[word] = found
        return found

    def _signs(self, word: str) -> list[int]:
        """Return the ids of the word's signs.

        The library holds an unknown token back until a sign that it knows, so that bytes which
        follow it come first. Models were trained on that order, and it is kept here.
        """
        found: list[int] = []
        held: list[int] = []
        for sign in word:
            token = self.ids.get(sign)
            if token is not None:
                found += [*held, token]
                held.clear()
            elif data := self._bytes_of(sign):
                found += data
            elif self.unknown is not None and not (held and self.fuses_unknown):
                found += held
                held[:] = [self.unknown]
        return [*found, *held]

    def _bytes_of(self, sign: str) -> list[int]:
        """Return the byte tokens of a sign, or nothing where one of them is missing."""
        if not self.falls_back_to_bytes:
            return []
        data = sign.encode(errors="surrogatepass")
        written = [self.ids.get(f"<0x{byte:02X}>") for byte in data]
        ids = [token for token in written if token is not None]
        return ids if len(ids) == len(written) else []

    def _merged(self, ids: list[int]) -> list[int]:
        """Merge in order of rank, then of place; a merged-away place holds -1."""
        after = [*range(1, len(ids)), -1]
        before = list(range(-1, len(ids) - 1))
        waiting: list[tuple[int, int, int]] = []
        for place in range(len(ids) - 1):
            self._offer(waiting, ids, place, place + 1)
        while waiting:
            _, place, token = heapq.heappop(waiting)
            right = after[place]
            if ids[place] < 0 or right < 0:
                continue
            merge = self.merges.get((ids[place], ids[right]))
            if merge is None or merge.token != token:
                continue  # one of the two has become something else since it was offered
            ids[place], ids[right] = token, -1
            after[place] = after[right]
            if after[place] >= 0:
                before[after[place]] = place
                self._offer(waiting, ids, place, after[place])
            if before[place] >= 0:
                self._offer(waiting, ids, before[place], place)
        return [token for token in ids if token >= 0]

    def _offer(
        self, waiting: list[tuple[int, int, int]], ids: list[int], left: int, right: int
    ) -> None:
        merge = self.merges.get((ids[left], ids[right]))
        if merge is not None:
            heapq.heappush(waiting, (merge.rank, left, merge.token))
