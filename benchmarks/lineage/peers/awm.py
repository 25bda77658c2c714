"""AWM (arXiv 2510.06738): undo a re-ordering by the embeddings, then compare query and key kernels.

Residual dimensions are assigned to each other by the cosine of embedding columns over shared
tokens, whatever its sign; the sign is undone. Then each layer's query and key matrices are
compared by unbiased centred kernel alignment over residual dimensions, which no basis inside a
head changes. Layers are assigned one to one, and the mean is told in standard deviations of the
one null that the paper gives for all models.

A dense turn of the residual stream and new embeddings defeat it.
"""

import numpy as np

from dokja.errors import NotComparableError
from dokja.models.weights import Source

from .assignment import assign
from .projections import projections_of
from .sides import Matrix, Score, Side, scored, shared_embeddings

NAME = "AWM"
HIGHER_IS_RELATED = True
NULL_MEAN, NULL_DEVIATION = 0.00375, 0.0028
_LEAST_DIMENSIONS = 4
"""The unbiased estimate divides by n - 3."""


def score(suspect: Source, reference: Source, *, component: str = "language-body") -> Score:
    """Return |z| of the mean kernel alignment; 356 for a copy."""
    return scored(
        _deviations, suspect, reference, component=component, higher_is_related=HIGHER_IS_RELATED
    )


def _deviations(suspect: Side, reference: Side) -> float:
    return abs(alignment(suspect, reference) - NULL_MEAN) / NULL_DEVIATION


def alignment(suspect: Side, reference: Side) -> float:
    """Return the mean kernel alignment of queries and keys over assigned layers, at most 1.

    Raises:
        NotComparableError: Tokens, embeddings or attention are missing, or the width is tiny.
    """
    ours, theirs = shared_embeddings(suspect, reference, least=2)
    cosines = _unit_columns(ours).T @ _unit_columns(theirs)
    found = assign(np.abs(cosines))
    kept = np.flatnonzero(found >= 0)
    found = found[kept]
    if len(kept) < _LEAST_DIMENSIONS:
        raise NotComparableError(f"{len(kept)} residual dimensions; the method needs more")
    signs = np.where(cosines[kept, found] < 0, -1.0, 1.0)
    first = _kernels(suspect, kept, np.ones(len(kept)))
    second = _kernels(reference, found, signs)
    table = np.mean([a @ b.T for a, b in zip(first, second, strict=True)], axis=0)
    layers = assign(table)
    matched = np.flatnonzero(layers >= 0)
    return float(table[matched, layers[matched]].mean())


def _unit_columns(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=0), np.finfo(np.float64).tiny))


def _kernels(side: Side, dimensions: np.ndarray, signs: Matrix) -> tuple[Matrix, Matrix]:
    """Return the layers' centred query kernels and key kernels, each kernel a row of length 1."""
    blocks = list(projections_of(side))
    if not blocks:
        raise NotComparableError(f"{side.source.name} has no attention")
    queries, keys = (
        np.stack([_centred_kernel(rows[:, dimensions] * signs) for rows in matrices])
        for matrices in ([one.q for one in blocks], [one.k for one in blocks])
    )
    return queries, keys


def _centred_kernel(rows: Matrix) -> Matrix:
    """Return the kernel over columns, centred without bias, as a vector of length 1.

    The inner product of two such vectors is the unbiased kernel alignment.
    """
    kernel = rows.T @ rows
    np.fill_diagonal(kernel, 0)
    count = len(kernel)
    sums = kernel.sum(axis=0) / (count - 2)
    kernel = kernel - sums - sums[:, None] + kernel.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(kernel, 0)
    length = np.linalg.norm(kernel)
    if not length:
        raise NotComparableError("a query or key matrix is constant")
    return np.asarray(kernel / length).ravel()
