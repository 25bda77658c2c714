"""What is looked at beside the matrices: gains, embedding rows by token, the kind of change."""

import math
from collections.abc import Sequence

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.components import ComponentTensors
from dokja.evidence.lineage.findings import GainReading, TokenRows
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import Reading, Values, read_rows
from dokja.evidence.lineage.relations import Direction
from dokja.evidence.lineage.screening import chance_error
from dokja.models.comparison import (
    centred_correlation,
    change,
    critical_z,
    direction,
    grid_of,
)
from dokja.models.weights import Source, TensorInfo

__all__ = ["all_equal", "gain_reading", "gains_agree", "only_low_rank", "rounded", "token_rows"]

_LEAST_TOKENS = 64
_GAINS_STAND_OUT = 3.0
_GAINS_ALIKE = 0.3
_HIGHEST_ADAPTER_RANK = 256
# Coarser types first; an integer type is none of them and is compared as it is.
_ROUNDED: dict[str, DTypeLike] = {"BF16": ml_dtypes.bfloat16, "F16": np.float16}

Side = tuple[Source, ComponentTensors]


def gain_reading(
    suspect: Side, reference: Side, *, pairs: Sequence[tuple[int, int]]
) -> GainReading | None:
    """Return how alike the gains of mapped layers are; None when no gain varies on both sides."""
    likenesses: list[float] = []
    sizes: list[int] = []
    for ours, theirs in pairs:
        if not (suspect[1].gains and reference[1].gains):
            break
        child, parent = suspect[1].gains[ours], reference[1].gains[theirs]
        for role in sorted(set(child) & set(parent)):
            if child[role].shape != parent[role].shape:
                continue
            try:
                likeness = centred_correlation(
                    suspect[0].read(child[role].name), reference[0].read(parent[role].name)
                )
            except NotComparableError:
                continue  # gains that never moved tell nothing
            likenesses.append(likeness)
            sizes.append(child[role].parameters)
    if not likenesses:
        return None
    return GainReading(
        value=sum(likenesses) / len(likenesses),
        standard_error=1 / math.sqrt(sum(sizes)),
        gains=len(likenesses),
        values=sum(sizes),
    )


def gains_agree(gains: GainReading | None) -> bool | None:
    """Tell whether gains show shared training; None when they tell nothing."""
    if gains is None:
        return None
    return gains.value >= max(_GAINS_ALIKE, _GAINS_STAND_OUT * gains.standard_error)


def token_rows(
    suspect: Side, reference: Side, *, plan: Plan, tests: int, rng: np.random.Generator
) -> tuple[TokenRows, ...]:
    """Return how alike embedding and head are, their rows paired by the tokens' text.

    Without two tokenizers nothing is paired: rows of equal number may hold different tokens.
    """
    ours, theirs = suspect[0].token_rows(), reference[0].token_rows()
    if ours is None or theirs is None:
        return ()
    readings = []
    for role in sorted(set(suspect[1].token_rows) & set(reference[1].token_rows)):
        child, parent = suspect[1].token_rows[role], reference[1].token_rows[role]
        shared = sorted(
            (ours[token], theirs[token])
            for token in set(ours) & set(theirs)
            if ours[token] < child.shape[0] and theirs[token] < parent.shape[0]
        )
        tables = len(child.shape) == len(parent.shape) == 2  # noqa: PLR2004  # tokens and width
        if not tables or child.shape[1] != parent.shape[1] or len(shared) < _LEAST_TOKENS:
            continue
        if len(shared) > plan.tokens:
            chosen = np.sort(rng.choice(len(shared), size=plan.tokens, replace=False))
            shared = [shared[i] for i in chosen]
        left = _rows(suspect[0], child, [row for row, _ in shared])
        right = _rows(reference[0], parent, [row for _, row in shared])
        reading = _paired(left, right, role=role, plan=plan, tests=tests, rng=rng)
        if reading is not None:
            readings.append(reading)
    return tuple(readings)


def _rows(source: Source, tensor: TensorInfo, rows: Sequence[int]) -> NDArray[np.float32]:
    order = np.argsort(rows, kind="stable")
    sorted_rows = np.asarray(rows, dtype=np.int64)[order]
    values = read_rows(source, tensor.name, sorted_rows)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return np.asarray(values[back])


def _paired(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    *,
    role: str,
    plan: Plan,
    tests: int,
    rng: np.random.Generator,
) -> TokenRows | None:
    try:
        child, parent = direction(left), direction(right)
    except NotComparableError:
        return None
    error = chance_error(child.reshape(left.shape), parent.reshape(right.shape), plan=plan, rng=rng)
    value = centred_correlation(left, right)
    critical = critical_z(error_rate=plan.error_rate, tests=tests + 1)
    return TokenRows(
        role=role,
        value=value,
        standard_error=error,
        tokens=len(left),
        related=value >= max(plan.effect_floor, critical * error),
    )


def all_equal(reading: Reading, pairs: Sequence[tuple[int, int]]) -> bool:
    """Tell whether all that was read is the same, up to rounding to the coarser type."""
    both = [values for pair in pairs for values in _both(reading, pair)]
    return bool(both) and all(_equal(ours, theirs) for ours, theirs in both)


def only_low_rank(reading: Reading, pairs: Sequence[tuple[int, int]]) -> bool:
    """Tell whether every matrix that changed did so by a low rank, and some did change.

    Low is an eighth of the columns and at most 256: no adapter in use has more.
    """
    changes = [
        (change(ours.raw, theirs.raw).rank, ours.raw.shape[1])
        for pair in pairs
        for ours, theirs in _both(reading, pair)
        if not _equal(ours, theirs)
    ]
    return bool(changes) and all(
        rank <= min(_HIGHEST_ADAPTER_RANK, columns // 8) for rank, columns in changes
    )


def rounded(reading: Reading, pairs: Sequence[tuple[int, int]]) -> Direction | None:
    """Return which side was made from the other's values by rounding them to a coarse grid.

    Returns:
        The side all of whose mapped matrices stand on a grid, where none of the other's does;
        none where neither or both do.
    """
    both = [values for pair in pairs for values in _both(reading, pair)]
    ours = [grid_of(one.raw) is not None for one, _ in both]
    theirs = [grid_of(other.raw) is not None for _, other in both]
    if ours and all(ours) and not any(theirs):
        return Direction.MODEL_FROM_REFERENCE
    if theirs and all(theirs) and not any(ours):
        return Direction.REFERENCE_FROM_MODEL
    return None


def _both(reading: Reading, pair: tuple[int, int]) -> list[tuple[Values, Values]]:
    ours, theirs = reading.child[pair[0]], reading.parent[pair[1]]
    return [
        (ours[role], theirs[role])
        for role in sorted(set(ours) & set(theirs))
        if ours[role].raw.shape == theirs[role].raw.shape
    ]


def _equal(ours: Values, theirs: Values) -> bool:
    coarser = next((_ROUNDED[t] for t in _ROUNDED if t in {ours.dtype, theirs.dtype}), None)
    if coarser is None:
        return bool(np.array_equal(ours.raw, theirs.raw))
    return bool(np.array_equal(ours.raw.astype(coarser), theirs.raw.astype(coarser)))
