"""GhostSpec (arXiv 2511.06390): spectra of what queries and keys, and values and outputs, make.

Singular values of W_q W_kᵀ and W_v W_o of each layer are invariant to every change of basis.
Two spectra are cut to the smaller of their effective ranks (the exponential of the entropy),
scaled to [0, 1], and compared by the mean square of their difference. Layers of the shallower
model are aligned in order with layers of the deeper one, at the least cost.

Spectra say little: strangers of one recipe have similar ones.
"""

import math

import numpy as np

from dokja.errors import NotComparableError
from dokja.models.weights import Source

from .projections import projections_of
from .sides import Matrix, Score, Side, scored

NAME = "GhostSpec"
HIGHER_IS_RELATED = False
_LEAST_VALUES = 2


def score(suspect: Source, reference: Source, *, component: str = "language-body") -> Score:
    """Return the mean square difference over aligned layers, in [0, 1]; 0 for a copy."""
    return scored(
        _distance, suspect, reference, component=component, higher_is_related=HIGHER_IS_RELATED
    )


def _distance(suspect: Side, reference: Side) -> float:
    ours, theirs = _spectra(suspect), _spectra(reference)
    costs = np.array(
        [
            [np.mean([_difference(a, b) for a, b in zip(x, y, strict=True)]) for y in theirs]
            for x in ours
        ]
    )
    least = aligned_cost(costs if len(ours) <= len(theirs) else costs.T)
    if not math.isfinite(least):
        raise NotComparableError("a layer's spectrum has no shape, being zero, flat or one value")
    return least


def _spectra(side: Side) -> list[tuple[Matrix, Matrix]]:
    found = [
        (_singular_values(block.qk), _singular_values(block.vo)) for block in projections_of(side)
    ]
    if not found:
        raise NotComparableError(f"{side.source.name} has no attention")
    return found


def _singular_values(product: Matrix) -> Matrix:
    return np.asarray(np.linalg.svd(product, compute_uv=False), dtype=np.float64)


def effective_rank(spectrum: Matrix) -> float:
    """Return the exponential of the entropy of singular values that add up to 1.

    Example:
        >>> round(effective_rank(np.array([2.0, 2.0, 0.0])), 9)
        2.0
    """
    shares = spectrum[spectrum > 0] / spectrum.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _difference(ours: Matrix, theirs: Matrix) -> float:
    """Return the mean square difference; infinite where a spectrum has no shape to compare."""
    if not ours.any() or not theirs.any():
        return math.inf
    rank = int(min(effective_rank(ours), effective_rank(theirs)))
    if rank < _LEAST_VALUES or ours[0] == ours[rank - 1] or theirs[0] == theirs[rank - 1]:
        return math.inf
    return float(((_scaled(ours[:rank]) - _scaled(theirs[:rank])) ** 2).mean())


def _scaled(spectrum: Matrix) -> Matrix:
    return np.asarray((spectrum - spectrum[-1]) / (spectrum[0] - spectrum[-1]))


def aligned_cost(costs: Matrix) -> float:
    """Return the least mean cost of giving each row a column of its own, in order.

    Args:
        costs: Shape `(rows, columns)`; no more rows than columns. An infinite cost forbids.

    Example:
        >>> aligned_cost(np.array([[0.0, 9.0, 0.0], [0.0, 9.0, 2.0]]))
        1.0
    """
    least = np.zeros(costs.shape[1] + 1)
    for row in costs:
        # Up to each column: the row takes this one after earlier rows' best, or an earlier one.
        taken = np.concatenate([[np.inf], least[:-1] + row])
        least = np.minimum.accumulate(taken)
    return float(least[-1]) / len(costs)
