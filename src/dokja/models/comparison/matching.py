"""Do independent matchings of neurons agree?

The neurons of two blocks are matched three times, by what they do with the gate, up and down
vectors alone. Where neither block comes from the other the three matchings have nothing to do
with each other, and agree on a neuron or two by chance; where one does, they agree on most,
whatever the order of the neurons. No prompt is run and no activation is needed.

How often chance agrees is bounded for matchings of which one is uniform. That is an
approximation: training on the same text may pull strangers' neurons together, so what strangers
reach is measured elsewhere and not assumed here.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.models.comparison.units import Units

__all__ = ["Agreement", "agreement", "log10_chance", "log10_fixed_points", "stable_matching"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Agreement:
    """How many neurons the matchings agree on.

    Attributes:
        two: On how many neurons gate and up agree; of a block without gates, up and down.
        gate_down: On how many gate and down agree; none without gates.
        up_down: On how many up and down agree.
        three: On how many all three agree; without gates the same as `two`.
        of: Neurons of the smaller block.
        among: Neurons of the larger block.
        pairs: (child's neuron, parent's) that all matchings agree on, shape `(three, 2)`.
    """

    two: int
    gate_down: int | None
    up_down: int
    three: int
    of: int
    among: int
    pairs: NDArray[np.int64]

    @property
    def share(self) -> float:
        """The share of the smaller block's neurons that all matchings agree on, in [0, 1]."""
        return self.three / self.of

    @property
    def log10_p(self) -> float:
        """Bound of the chance that uniform matchings agree on as many; see `log10_chance`."""
        matchings = 2 if self.gate_down is None else 3
        return log10_chance(self.three, of=self.of, among=self.among, matchings=matchings)


def stable_matching(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the one-to-one matching in which no two would rather have each other.

    Whoever are each other's best are matched and step aside, until none are left: the same as
    taking pairs by falling score. It scores a little less in all than the best assignment and
    finds nearly as many true pairs, also between blocks of different sizes, where solvers of
    the assignment problem take minutes. The bounds below hold for any rule that does not look
    at the order of rows and columns.

    Args:
        scores: Shape `(rows, columns)`.

    Returns:
        For each row its column, -1 where rows outnumber columns and it has none.

    Example:
        >>> stable_matching(np.array([[0.9, 0.8], [0.8, 0.1], [0.7, 0.3]]))
        array([ 0, -1,  1])
    """
    found = np.full(scores.shape[0], -1, dtype=np.int64)
    rows, columns = np.arange(scores.shape[0]), np.arange(scores.shape[1])
    left, turned = scores, np.ascontiguousarray(scores.T)
    while left.size:
        best = left.argmax(axis=1)
        # Along rows that lie in a row in memory the search is several times as quick.
        mutual = turned.argmax(axis=1)[best] == np.arange(len(rows))
        found[rows[mutual]] = columns[best[mutual]]
        free = np.ones(len(columns), dtype=np.bool_)
        free[best[mutual]] = False
        left = left[~mutual][:, free]
        turned = np.ascontiguousarray(left.T)
        rows, columns = rows[~mutual], columns[free]
    return found


def agreement(child: Units, parent: Units) -> Agreement:
    """Return on how many neurons the matchings of two blocks agree.

    Args:
        child: Neurons of the one block.
        parent: Neurons of the other, in the same coordinates.

    Raises:
        NotComparableError: The widths differ, or only one of the blocks is gated.
    """
    if child.width != parent.width:
        raise NotComparableError(f"the widths {child.width} and {parent.width} differ")
    if child.gated != parent.gated:
        raise NotComparableError("one of the blocks is gated and the other is not")
    if child.gate is None or parent.gate is None:
        # Without gates nothing may change a vector's sign.
        ups, downs = (
            stable_matching(ours @ theirs.T)
            for ours, theirs in ((child.up, parent.up), (child.down, parent.down))
        )
        return _agreement([ups, downs], child=child, parent=parent)
    gates = stable_matching(child.gate @ parent.gate.T)
    ups, downs = (
        stable_matching(np.abs(ours @ theirs.T))
        for ours, theirs in ((child.up, parent.up), (child.down, parent.down))
    )
    return _agreement([gates, ups, downs], child=child, parent=parent)


def _agreement(found: list[NDArray[np.int64]], *, child: Units, parent: Units) -> Agreement:
    matched = [matching >= 0 for matching in found]
    first, *_, last = found
    same = np.logical_and.reduce([matching == first for matching in found]) & matched[0]
    gated = len(found) > 2  # noqa: PLR2004  # gate, up, down
    rows = np.flatnonzero(same)
    return Agreement(
        two=int(((first == found[1]) & matched[0]).sum()),
        gate_down=int(((first == last) & matched[0]).sum()) if gated else None,
        up_down=int(((found[-2] == last) & matched[-2]).sum()),
        three=len(rows),
        of=min(len(child), len(parent)),
        among=max(len(child), len(parent)),
        pairs=np.stack([child.kept[rows], parent.kept[first[rows]]], axis=1),
    )


def log10_chance(agreed: int, *, of: int, among: int, matchings: int) -> float:
    r"""Return a bound of the chance that independent matchings agree on so many, as log₁₀.

    With one matching uniform, P(K or more) ≤ C(m, K) · [(n − K)! / n!]^(matchings − 1): the
    expected number of sets of K neurons on which all agree (a union bound).

    Args:
        agreed: K.
        of: Neurons of the smaller block, m.
        among: Neurons of the larger block, n.
        matchings: 2 or 3.

    Returns:
        At most 0.

    Example:
        >>> round(log10_chance(3, of=3, among=3, matchings=2), 4)  # 1/3!
        -0.7782
    """
    choose = math.lgamma(of + 1) - math.lgamma(agreed + 1) - math.lgamma(of - agreed + 1)
    each = math.lgamma(among - agreed + 1) - math.lgamma(among + 1)
    return min(0.0, (choose + (matchings - 1) * each) / math.log(10))


def log10_fixed_points(fixed: int) -> float:
    """Return a bound of the chance that a uniform order keeps so many in place, as log₁₀.

    P(K or more fixed points) ≤ 1/K! whatever the number of things. Exact as a test where the
    units of one side are exchangeable given the other (arXiv 2502.12292, section 2).

    Example:
        >>> round(log10_fixed_points(5), 4)
        -2.0792
    """
    return -math.lgamma(fixed + 1) / math.log(10)
