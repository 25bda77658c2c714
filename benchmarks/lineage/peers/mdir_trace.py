"""MDIR's trace statistic (arXiv 2508.06309): is the turn between embeddings a re-ordering?

The orthogonal matrix nearest to E_refᵀ E_sus over shared tokens is compared with the signed
permutation that suits it best: x = max tr(Pᵀ|O|)/d. For a turn drawn evenly the chance of so
large an x is bounded by ln d! + d ln 2 − d² I(x).

Only the embeddings are looked at: a dense turn and new embeddings leave nothing to see, and a
shared random start looks like a copy.
"""

import math

import numpy as np

from dokja.errors import NotComparableError
from dokja.models.weights import Source

from .assignment import assign
from .sides import Score, Side, scored, shared_embeddings

NAME = "MDIR-trace"
HIGHER_IS_RELATED = False
_MEETING = 0.5
_LEAST_REST = 1e-12
"""What is left to 1 is taken to be no smaller: the bound would be minus infinity."""


def score(suspect: Source, reference: Source, *, component: str = "language-body") -> Score:
    """Return log₁₀ of the bound of the chance, at most 0."""
    return scored(
        _log10_p, suspect, reference, component=component, higher_is_related=HIGHER_IS_RELATED
    )


def _log10_p(suspect: Side, reference: Side) -> float:
    width = reference.body.width
    if suspect.body.width != width:
        raise NotComparableError(f"the widths {suspect.body.width} and {width} differ")
    ours, theirs = shared_embeddings(suspect, reference, least=width)
    left, _, right = np.linalg.svd(theirs.T @ ours)
    turn = np.abs(left @ right)
    share = float(turn[np.arange(width), assign(turn)].sum()) / width
    return log10_bound(share, width=width)


def log10_bound(share: float, *, width: int) -> float:
    """Return log₁₀ of the bound for a share x in [0, 1]; at most 0.

    I(x) is x²/2 up to one half, and ⅛ − ¼ ln(2(1 − x)) above.
    """
    if share <= _MEETING:
        rate = share**2 / 2
    else:
        rate = 0.125 - math.log(2 * max(1 - share, _LEAST_REST)) / 4
    log = math.lgamma(width + 1) + width * math.log(2) - width**2 * rate
    return min(0.0, log / math.log(10))
