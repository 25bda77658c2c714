"""φ_U (arXiv 2502.12292): do neurons stand in the same places?

The rows of two up matrices are assigned by cosine, and the assignment is compared with the
identity by Spearman's rank correlation. Under independent random starts its chance is exact as
a test; the chances of all blocks are combined by Fisher's method.

Blocks are paired by their place: layer by layer from the first, dense with dense, expert with
expert of the same number. Any re-ordering of neurons defeats it, and a shared random start
rejects it by construction.
"""

import math
from collections.abc import Iterator

import numpy as np

from dokja.errors import NotComparableError
from dokja.evidence.lineage.bodies import Cell, Layer
from dokja.models.weights import Source

from .assignment import assign
from .sides import Matrix, Score, Side, scored
from .tails import log_fisher, log_spearman

NAME = "phi_U"
HIGHER_IS_RELATED = False
FLOOR = math.log(1e-300)
"""A block's chance is taken to be no smaller."""
_LEAST_NEURONS = 3


def score(suspect: Source, reference: Source, *, component: str = "language-body") -> Score:
    """Return log₁₀ of the combined chance, at most 0."""
    return scored(
        _log10_p, suspect, reference, component=component, higher_is_related=HIGHER_IS_RELATED
    )


def _log10_p(suspect: Side, reference: Side) -> float:
    if suspect.body.width != reference.body.width:
        raise NotComparableError(
            f"the widths {suspect.body.width} and {reference.body.width} differ"
        )
    logs = [
        max(FLOOR, log_spearman(_matched(suspect.matrix(ours), reference.matrix(theirs))))
        for ours, theirs in _paired(suspect, reference)
        if ours.units == theirs.units >= _LEAST_NEURONS
    ]
    if not logs:
        raise NotComparableError("no block stands in the same place with as many neurons")
    return log_fisher(logs) / math.log(10)


def _paired(suspect: Side, reference: Side) -> Iterator[tuple[Cell, Cell]]:
    for ours, theirs in zip(suspect.body.layers, reference.body.layers, strict=False):
        for first, second in zip(_ups(ours), _ups(theirs), strict=True):
            yield from zip(first, second, strict=False)


def _ups(layer: Layer) -> tuple[list[Cell], list[Cell], list[Cell]]:
    dense = [] if layer.ffn is None else [layer.ffn.up]
    return dense, [one.up for one in layer.experts], [one.up for one in layer.shared]


def _matched(ours: Matrix, theirs: Matrix) -> np.ndarray:
    return assign(_unit_rows(ours) @ _unit_rows(theirs).T)


def _unit_rows(rows: Matrix) -> Matrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float64).tiny))
