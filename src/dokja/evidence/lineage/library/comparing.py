"""One component of the suspect beside one of an entry: the screen of `screening` on kept rows.

The rule, the floor and the layer map are those of every comparison in the same coordinates. What
chance does is computed for all orders (`reorderings`) instead of some, since a thousand entries
are compared at once. Rows of tokens are paired by text.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.components import ComponentTensors
from dokja.evidence.lineage.findings import GainReading, TokenRows
from dokja.evidence.lineage.library.entries import ComponentFacts, EntryFacts, TableFacts
from dokja.evidence.lineage.library.kept import layers_of
from dokja.evidence.lineage.library.shelves import Kept
from dokja.evidence.lineage.library.suspects import SuspectValues, shared_tables
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import LayerValues, Values
from dokja.evidence.lineage.screening import Screen, judge
from dokja.models.comparison import (
    LayerTable,
    centred_correlation,
    critical_z,
    direction,
    reordering_error,
)

__all__ = [
    "Compared",
    "comparable",
    "compare",
    "compared_share",
    "gains_beside",
    "held_to",
    "kept_layers",
]

_NULL_PAIRS = 6
_NULL_PAIRS_OF_STRANGERS = 2
"""Where no pair of layers comes near the floor, no error however small would make a finding."""
_NEAR = 0.5
_LEAST_TOKENS = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Two components that were compared.

    Attributes:
        ours: The suspect's.
        theirs: The entry's.
        number: Its place on the entry's page.
        screen: What the layer pairs say; none where only rows of tokens could be compared.
        errors: Each role's standard error under re-ordering.
        token_rows: Embedding and head by token.
        share: Share of the suspect's matrix values that have a counterpart of the same shape.
    """

    ours: ComponentTensors
    theirs: ComponentFacts
    number: int
    screen: Screen | None
    errors: Mapping[str, float]
    token_rows: tuple[TokenRows, ...]
    share: float

    @property
    def found(self) -> bool:
        """Whether layers or rows of tokens are alike by the rule."""
        rows = any(one.related for one in self.token_rows)
        return rows or (self.screen is not None and self.screen.found)

    @property
    def effect(self) -> float:
        """Mean centred correlation of the layers, or the largest of rows of tokens."""
        rows = max((one.value for one in self.token_rows), default=0.0)
        if self.screen is None or (rows and not self.screen.found and self.found):
            return rows
        return self.screen.effect


def comparable(ours: ComponentTensors, theirs: ComponentFacts) -> bool:
    """Tell whether an entry keeps anything that a component of the suspect has too."""
    return bool(shared_tables(ours, theirs)) or any(_token_pairs(ours, theirs))


def _token_pairs(ours: ComponentTensors, theirs: ComponentFacts) -> list[int]:
    return [
        place
        for place, rows in enumerate(theirs.token_rows)
        if rows.role in ours.token_rows
        and ours.token_rows[rows.role].shape[1:] == (rows.width,)
        and len(rows.tokens) >= _LEAST_TOKENS
    ]


def compared_share(ours: ComponentTensors, theirs: ComponentFacts) -> float:
    """Return the share of the suspect's matrix values with a counterpart of the same shape."""
    shapes = {(one.role, one.shape) for one in theirs.shapes}
    total = fitting = 0
    for layer in layers_of(ours):
        for role, tensor in layer.items():
            total += tensor.parameters
            fitting += tensor.parameters if (role, tensor.shape) in shapes else 0
    return fitting / total if total else 0.0


def compare(
    values: SuspectValues,
    ours: ComponentTensors,
    entry: tuple[EntryFacts, Kept],
    number: int,
    *,
    plan: Plan,
) -> Compared | None:
    """Return two components compared; none where they have nothing that could be.

    Args:
        values: What was read of the suspect.
        ours: The suspect's component.
        entry: The entry's page, and what a screen keeps of it.
        number: The entry's component, by its place on the page.
        plan: From when on a likeness counts.

    Raises:
        LibraryError: The entry does not hold what its page says.
    """
    page, kept = entry
    theirs = page.components[number]
    tables: dict[str, LayerTable] = {}
    errors: dict[str, float] = {}
    shared = shared_tables(ours, theirs)
    for table in shared:
        near = _NEAR * plan.effect_floor
        made = _role_table(values, ours, (theirs, number), table=table, kept=kept, near=near)
        if made is not None:
            name = _key(table, shared)
            tables[name], errors[name] = made
    try:
        screen = judge(tables, errors, plan=plan) if tables else None
    except NotComparableError:
        screen = None
    rows = tuple(
        found
        for place in _token_pairs(ours, theirs)
        if (found := _tokens_beside(values, ours, entry, number, place=place, plan=plan))
    )
    if screen is None and not rows:
        return None
    return Compared(
        ours=ours,
        theirs=theirs,
        number=number,
        screen=screen,
        errors=errors,
        token_rows=rows,
        share=compared_share(ours, theirs),
    )


def _key(table: TableFacts, shared: Sequence[TableFacts]) -> str:
    several = sum(one.role == table.role for one in shared) > 1
    return f"{table.role} {'x'.join(map(str, table.shape))}" if several else table.role


def _kept_values(
    kept: Kept,
    theirs: ComponentFacts,
    table: TableFacts,
    number: int,
    *,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    shape = (len(table.layers), table.rows, table.columns)
    return kept.values(f"{number}.table.{theirs.tables.index(table)}", shape, out=out)


def _role_table(
    values: SuspectValues,
    ours: ComponentTensors,
    component: tuple[ComponentFacts, int],
    *,
    table: TableFacts,
    kept: Kept,
    near: float,
) -> tuple[LayerTable, float] | None:
    theirs, number = component
    child = values.directions(ours, table)
    if child is None:
        return None
    out = values.buffer((len(table.layers), table.rows, table.columns))
    parent = _kept_values(kept, theirs, table, number, out=out)
    products = child.values.reshape(len(child.layers), -1) @ parent.reshape(len(parent), -1).T
    size = (len(layers_of(ours)), theirs.depth)
    found = np.zeros(size)
    filled = np.zeros(size, dtype=np.bool_)
    cells = np.ix_(child.layers, table.layers)
    found[cells] = np.clip(products.astype(np.float64), -1.0, 1.0)
    filled[cells] = True
    made = LayerTable(values=found, filled=filled, roles=filled.astype(np.int64))
    pairs = _NULL_PAIRS if products.max() >= near else _NULL_PAIRS_OF_STRANGERS
    return made, _error(child.values, parent, pairs=pairs)


def _error(child: NDArray[np.float32], parent: NDArray[np.float32], *, pairs: int) -> float:
    """Return a role's standard error over some pairs of layers, evenly spaced among all.

    In a pair of layers that are alike few rows in any order are still alike: the middles of even
    spans seldom fall on two layers of the same number.
    """
    count = len(child) * len(parent)
    spans = min(pairs, count)
    places = ((np.arange(spans) + 0.5) * count / spans).astype(int)
    squares = [
        reordering_error(child[place // len(parent)], parent[place % len(parent)]) ** 2
        for place in places
    ]
    return math.sqrt(sum(squares) / len(squares))


def _tokens_beside(
    values: SuspectValues,
    ours: ComponentTensors,
    entry: tuple[EntryFacts, Kept],
    number: int,
    *,
    place: int,
    plan: Plan,
) -> TokenRows | None:
    page, kept = entry
    facts = page.components[number].token_rows[place]
    held = values.token_rows(ours, facts.role, [page.tokens[i] for i in facts.tokens])
    if held is None or len(held[0]) < _LEAST_TOKENS:
        return None
    which, child = held
    shape = (len(facts.tokens), facts.width)
    parent = kept.values(f"{number}.tokens.{place}", shape, out=values.buffer(shape))
    if len(which) < len(parent):  # what is kept is centred over all of them
        try:
            parent = direction(parent[which]).reshape(child.shape)
        except NotComparableError:
            return None
    value = float(np.clip(np.vdot(child, parent), -1.0, 1.0))
    error = reordering_error(child, parent)
    critical = critical_z(error_rate=plan.error_rate, tests=1)
    return TokenRows(
        role=facts.role,
        value=value,
        standard_error=error,
        tokens=len(which),
        related=value >= max(plan.effect_floor, critical * error),
    )


def kept_layers(kept: Kept, found: Compared) -> tuple[LayerValues, ...]:
    """Return what an entry keeps of the roles that were compared, layer by layer, for controls.

    Raises:
        LibraryError: The entry does not hold what its page says.
    """
    layers: list[dict[str, Values]] = [{} for _ in range(found.theirs.depth)]
    shared = shared_tables(found.ours, found.theirs)
    for table in shared:
        name = _key(table, shared)
        if name not in found.errors:
            continue
        values = _kept_values(kept, found.theirs, table, found.number)
        for layer, rows in zip(table.layers, values, strict=True):
            layers[layer][name] = Values(raw=rows, direction=rows, dtype="I8")
    return tuple(layers)


def gains_beside(
    values: SuspectValues, found: Compared, kept: Kept, *, pairs: Sequence[tuple[int, int]]
) -> GainReading | None:
    """Return how alike the gains of mapped layers are; none where no gain varies on both sides.

    Raises:
        LibraryError: The entry does not hold what its page says.
        WeightsError: A file of the suspect changed since it was checked.
    """
    likenesses: list[float] = []
    sizes: list[int] = []
    for place, facts in enumerate(found.theirs.gains):
        shape = (len(facts.layers), facts.width)
        theirs = kept.values(f"{found.number}.gain.{place}", shape)
        at = {layer: i for i, layer in enumerate(facts.layers)}
        for ours, other in pairs:
            gain = values.gain(found.ours, ours, facts.role)
            if other not in at or gain is None or len(gain) != facts.width:
                continue
            try:
                likenesses.append(centred_correlation(gain, theirs[at[other]]))
            except NotComparableError:
                continue  # gains that never moved tell nothing
            sizes.append(facts.width)
    if not likenesses:
        return None
    return GainReading(
        value=sum(likenesses) / len(likenesses),
        standard_error=1 / math.sqrt(sum(sizes)),
        gains=len(likenesses),
        values=sum(sizes),
    )


def held_to(plan: Plan, comparisons: int) -> Plan:
    """Return the plan whose error rate is one comparison's among so many (Bonferroni)."""
    return replace(plan, error_rate=plan.error_rate / max(comparisons, 1))
