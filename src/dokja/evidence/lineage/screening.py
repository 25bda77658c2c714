"""Whether two components' layers are alike beyond chance, and which goes with which.

Every layer of the one is compared with every layer of the other in every role. A pair of layers
is called alike when its mean over roles reaches the plan's floor and stands as far above
re-ordered rows and columns as Bonferroni asks for all pairs, and when at least two roles reach
the floor by themselves. What survives: scale and added row or column levels. What does not: any
re-ordering or turning of the coordinates of one side.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import LayerValues
from dokja.models.comparison import (
    LayerTable,
    MapPrices,
    critical_z,
    layer_correlations,
    layer_map,
    mean_table,
    permutation_null,
)

__all__ = ["Screen", "chance_error", "chance_errors", "judge", "role_tables"]

_NULL_PAIRS = 6
"""Layer pairs on which a role's standard error is measured; the mean over them is taken."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screen:
    """What the layer pairs say.

    Attributes:
        table: Mean over roles, for each pair of layers.
        tables: For each role.
        errors: Standard error of the mean, for each pair of layers.
        pairs: The layers that are alike and go together: (suspect, reference).
        alignment: The best alignment of all layers where too few are alike; else empty.
        found: Whether enough layers are alike.
        tests: How many layer pairs were looked at.
    """

    table: LayerTable
    tables: Mapping[str, LayerTable]
    errors: NDArray[np.float64]
    pairs: tuple[tuple[int, int], ...]
    alignment: tuple[tuple[int, int], ...]
    found: bool
    tests: int

    @property
    def path(self) -> tuple[tuple[int, int], ...]:
        """The pairs that the effect is taken over: those alike, or the best alignment."""
        return self.pairs if self.found else self.alignment

    @property
    def effect(self) -> float:
        """Mean centred correlation over the path's layers and roles."""
        return float(np.mean([self.table.values[pair] for pair in self.path]))


def role_tables(
    child: Sequence[LayerValues], parent: Sequence[LayerValues]
) -> dict[str, LayerTable]:
    """Return for each role that both sides have how alike every pair of layers is."""
    ours = {role for layer in child for role in layer}
    theirs = {role for layer in parent for role in layer}
    tables = {}
    for role in sorted(ours & theirs):
        table = layer_correlations(_directions(child, role), _directions(parent, role))
        if table.filled.any():
            tables[role] = table
    return tables


def _directions(layers: Sequence[LayerValues], role: str) -> list[NDArray[np.float32] | None]:
    return [layer[role].direction.ravel() if role in layer else None for layer in layers]


def chance_errors(
    child: Sequence[LayerValues],
    parent: Sequence[LayerValues],
    *,
    plan: Plan,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return each role's standard error under re-ordering, measured on some layer pairs."""
    errors = {}
    for role in sorted({role for layer in child for role in layer}):
        pairs = [
            (ours[role].direction, theirs[role].direction)
            for ours, theirs in product(child, parent)
            if role in ours
            and role in theirs
            and ours[role].direction.shape == theirs[role].direction.shape
        ]
        if not pairs:
            continue
        chosen = rng.choice(len(pairs), size=min(_NULL_PAIRS, len(pairs)), replace=False)
        squares = [chance_error(*pairs[i], plan=plan, rng=rng) ** 2 for i in chosen]
        errors[role] = math.sqrt(sum(squares) / len(squares))
    return errors


def chance_error(
    child: NDArray[np.float32],
    parent: NDArray[np.float32],
    *,
    plan: Plan,
    rng: np.random.Generator,
) -> float:
    """Return the standard error of two directions' product: the larger of two.

    Re-ordered rows break what rows share; but strangers may share something between rows, such
    as how often a token is used, and then only re-ordered columns show what chance does.

    Args:
        child: A direction as a matrix, shape `(rows, columns)`.
        parent: Likewise, same shape.
        plan: How many orders are tried.
        rng: Where the orders come from.
    """
    by_rows = permutation_null(child, parent, draws=plan.null_draws, rng=rng)
    by_columns = permutation_null(child.T, parent.T, draws=plan.null_draws, rng=rng)
    return max(by_rows.standard_error, by_columns.standard_error)


def judge(tables: Mapping[str, LayerTable], errors: Mapping[str, float], *, plan: Plan) -> Screen:
    """Return which layers are alike beyond chance.

    Args:
        tables: For each role, how alike every pair of layers is; at least one.
        errors: For each role, the standard error under re-ordering.
        plan: From when on a likeness counts.

    Raises:
        NotComparableError: There is no role that can be compared.
    """
    table = mean_table(list(tables.values()))
    tests = int(table.filled.sum())
    error = _mean_errors(tables, errors, table)
    critical = critical_z(error_rate=plan.error_rate, tests=tests)
    reaching = np.sum(
        [held.filled & (held.values >= plan.effect_floor) for held in tables.values()], axis=0
    )
    alike = (
        table.filled
        & (table.values >= plan.effect_floor)
        & (table.values >= critical * error)
        & (reaching >= np.minimum(2, table.roles))
    )
    pairs = tuple(pair for pair in layer_map(table, prices=plan.prices) if alike[pair])
    found = len(pairs) >= min(2, *table.values.shape)
    return Screen(
        table=table,
        tables=tables,
        errors=error,
        pairs=pairs,
        alignment=() if found else _alignment(table, plan),
        found=found,
        tests=tests,
    )


def _alignment(table: LayerTable, plan: Plan) -> tuple[tuple[int, int], ...]:
    """Return the best place of every layer, however bad."""
    # Going with none scores less than any correlation, so that nothing does.
    forced = MapPrices(unmatched=-2.0, step=plan.prices.step, back=plan.prices.back)
    path = tuple(pair for pair in layer_map(table, prices=forced) if table.filled[pair])
    if path:
        return path
    ours, theirs = np.argwhere(table.filled)[0]  # where hardly any pair could be compared
    return ((int(ours), int(theirs)),)


def _mean_errors(
    tables: Mapping[str, LayerTable], errors: Mapping[str, float], table: LayerTable
) -> NDArray[np.float64]:
    """Return the mean's standard error; roles are different tensors, re-ordered apart."""
    squares = np.sum(
        [held.roles * errors[role] ** 2 for role, held in tables.items()], axis=0, dtype=np.float64
    )
    return np.asarray(np.sqrt(squares) / np.maximum(table.roles, 1))
