"""Whether an endpoint changed within a run, on items that were asked three times in it.

Where nothing changes, the three answers to an item are exchangeable: if two of them are alike, each
round is as likely as another to hold the odd one. A change before the last round leaves the odd
answer there, a change after the first leaves it in the first; an endpoint that merely wavers puts
it in the middle as often. So the middle is what the two ends are held against (McNemar, exact).
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.counts import mcnemar_more
from dokja.evidence.statistics.identity.changes import smallest_change
from dokja.evidence.statistics.multiplicity import holm

__all__ = ["Half", "Rounds", "rounds_moved"]

_ROUNDS = 3


class Half(Enum):
    """Between which rounds answers changed."""

    FIRST = "between start and middle"
    SECOND = "between middle and end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How the answers of three rounds stand to each other.

    Attributes:
        items: How many items were answered in every round.
        alike: On how many all three answers are alike.
        odd: On how many the first, the middle, the last answer alone is another one.
        adjusted: p-value of a change in either half, over both halves (Holm 1979); None where no
            item was answered in every round.
        half: In which half it is the likelier one, where that can be said.
        smallest: The smallest share of changed answers that would have been seen with power .8;
            None where no change could have been.
        level: Of the test, over both halves.
    """

    items: int
    alike: int
    odd: tuple[int, int, int]
    adjusted: float | None
    half: Half | None
    smallest: float | None
    level: float

    @property
    def changed(self) -> bool | None:
        """Whether answers changed; None where nothing can tell."""
        return None if self.adjusted is None else self.adjusted <= self.level


def rounds_moved(rounds: NDArray[np.int64], *, level: float = 0.05) -> Rounds:
    """Return whether answers changed between three rounds more than they waver.

    Args:
        rounds: Codes of the answers, -1 for none; shape `(3, items)`, the rounds in their order.
        level: Over both halves, in (0, 1).

    Raises:
        ValueError: There are not three rounds.

    Example:
        >>> found = rounds_moved(np.array([[1] * 9, [1] * 9, [2] * 9]))
        >>> found.odd, found.half.value, round(found.adjusted, 4)
        ((0, 0, 9), 'between middle and end', 0.0039)
    """
    if rounds.ndim != 2 or len(rounds) != _ROUNDS:  # noqa: PLR2004  # rounds and items
        raise ValueError(f"rounds of shape {rounds.shape}, not (3, items)")
    first, middle, last = rounds[:, (rounds >= 0).all(axis=0)]
    items = len(first)
    odd = (
        int(((middle == last) & (first != last)).sum()),
        int(((first == last) & (middle != last)).sum()),
        int(((first == middle) & (last != middle)).sum()),
    )
    tests = {Half.FIRST: odd[0], Half.SECOND: odd[2]}
    logs = [math.log10(mcnemar_more(count, odd[1])) for count in tests.values()]
    adjusted = 10.0 ** min(holm(logs)) if items else None
    leading = [half for half, count in tests.items() if count == max(tests.values())]
    return Rounds(
        items=items,
        alike=int(((first == middle) & (middle == last)).sum()),
        odd=odd,
        adjusted=adjusted,
        half=leading[0] if len(leading) == 1 else None,
        smallest=smallest_change(items, wavered=odd[1], level=level / len(tests)),
        level=level,
    )
