"""PDF, the curves of standard deviations (arXiv 2507.03014): how spread weights are, by depth.

For queries, keys, values and outputs alike: the standard deviation of each layer's matrix makes
a curve over depth; where depths differ the shorter curve is stretched. The score is the mean
Pearson correlation of the four pairs of curves.

Re-orderings and turns leave the curves as they are, but strangers of one recipe have similar
curves too, and a scale moved between values and outputs bends them.
"""

import numpy as np

from dokja.errors import NotComparableError
from dokja.models.weights import Source

from .projections import projections_of
from .sides import Matrix, Score, Side, scored

NAME = "PDF"
HIGHER_IS_RELATED = True
_LEAST_LAYERS = 3
"""Two points lie on a line, whatever they are."""


def score(suspect: Source, reference: Source, *, component: str = "language-body") -> Score:
    """Return the mean correlation of the four curves, in [-1, 1]; 1 for a copy."""
    return scored(
        _likeness, suspect, reference, component=component, higher_is_related=HIGHER_IS_RELATED
    )


def _likeness(suspect: Side, reference: Side) -> float:
    ours, theirs = curves(suspect), curves(reference)
    longest = max(ours.shape[1], theirs.shape[1])
    ours, theirs = _stretched(ours, longest), _stretched(theirs, longest)
    ours, theirs = (side - side.mean(axis=1, keepdims=True) for side in (ours, theirs))
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    if not lengths.all():
        raise NotComparableError("a curve is flat")
    return float(((ours * theirs).sum(axis=1) / lengths).mean())


def curves(side: Side) -> Matrix:
    """Return standard deviations, shape `(4, layers)`: queries, keys, values, outputs.

    Raises:
        NotComparableError: Fewer than three layers have attention.
    """
    found = [[float(m.std()) for m in (b.q, b.k, b.v, b.o)] for b in projections_of(side)]
    if len(found) < _LEAST_LAYERS:
        raise NotComparableError(f"{len(found)} layers with attention; a curve needs three")
    return np.array(found).T


def _stretched(each: Matrix, length: int) -> Matrix:
    depth, places = np.linspace(0, 1, each.shape[1]), np.linspace(0, 1, length)
    return np.stack([np.interp(places, depth, curve) for curve in each])
