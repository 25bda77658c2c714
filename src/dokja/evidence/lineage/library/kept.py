"""What a screen keeps of a model's components: few rows of all layers, gains, rows of tokens.

Of every tensor that a screen reads the same few rows are kept, centred and of length 1, in eight
bits. A model with many layers keeps fewer rows of each, never fewer than eight: where these do
not fit, fewer columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.budgets import is_screened
from dokja.evidence.lineage.components import ComponentTensors
from dokja.evidence.lineage.library.codes import coded, coded_directions
from dokja.evidence.lineage.library.draws import MOST_ROWS, window
from dokja.evidence.lineage.library.entries import (
    ComponentFacts,
    GainFacts,
    ShapeFacts,
    TableFacts,
    TokenFacts,
)
from dokja.evidence.lineage.readings import MOST_LAYERS, read_rows
from dokja.models.comparison import direction
from dokja.models.weights import Source, TensorInfo

__all__ = [
    "Arrays",
    "Layers",
    "keep_component",
    "layers_of",
    "sample_size",
    "shapes_of",
    "table_shape",
]

Arrays = dict[str, NDArray[np.generic]]
Layers = tuple[Mapping[str, TensorInfo], ...]

_BYTES = 4_000_000
"""Of codes of matrices, for a whole model; gains and tokens are kept besides."""
_TOKEN_BYTES = 750_000
_LEAST_ROWS = 8
_LEAST_COLUMNS = 64
_LEAST_DEGREES = 400
_MOST_COLUMNS = 2**22
_TOKENS = (64, 256)
_MATRIX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Tensors of one role and shape: (layer, tensor)."""

    role: str
    shape: tuple[int, int]
    tensors: tuple[tuple[int, TensorInfo], ...]


def layers_of(component: ComponentTensors) -> Layers:
    """Return the layers to compare; a component without layers, such as a projector, is one."""
    return component.layers or ((component.loose,) if component.loose else ())


def table_shape(tensor: TensorInfo) -> tuple[int, int]:
    """Return a tensor's rows and columns; further axes are columns."""
    rows = tensor.shape[0] if tensor.shape else 0
    return rows, tensor.parameters // rows if rows else 0


def shapes_of(component: ComponentTensors) -> tuple[ShapeFacts, ...]:
    """Return a component's matrices by role and shape, in their order."""
    counts: dict[tuple[str, tuple[int, ...]], int] = {}
    for layer in layers_of(component):
        for role, tensor in layer.items():
            counts[role, tensor.shape] = counts.get((role, tensor.shape), 0) + 1
    return tuple(
        ShapeFacts(role=role, shape=shape, count=count)
        for (role, shape), count in sorted(counts.items())
    )


def sample_size(components: Sequence[ComponentTensors]) -> int:
    """Return how many tokens' rows are kept."""
    widths = [table_shape(one)[1] for part in components for one in part.token_rows.values()]
    fewest, most = _TOKENS
    return min(most, max(fewest, _TOKEN_BYTES // max(sum(widths), 1)))


def keep_component(
    source: Source,
    component: ComponentTensors,
    *,
    number: int,
    share: float,
    rows: Mapping[str, int],
    tokens: Sequence[str],
) -> tuple[ComponentFacts, Arrays]:
    """Read what a screen keeps of a component.

    Args:
        source: The opened weights.
        component: From their inventory.
        number: Stands before the arrays' names.
        share: The component's share of the bytes, in (0, 1].
        rows: Each token's row; empty where nothing names the tokens.
        tokens: The sample.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    arrays: Arrays = {}
    tables: list[TableFacts] = []
    gains: list[GainFacts] = []
    token_rows: list[TokenFacts] = []
    groups = _groups(component)
    for group in groups:
        kept = _table(source, group, groups=groups, budget=int(_BYTES * share))
        if kept is not None:
            facts, found = kept
            name = f"{number}.table.{len(tables)}"
            arrays |= {f"{name}.{part}": values for part, values in found.items()}
            tables.append(facts)
    for role in sorted({role for layer in component.gains for role in layer}):
        for facts_of_gain, found in _gains(source, component, role):
            name = f"{number}.gain.{len(gains)}"
            arrays |= {f"{name}.{part}": values for part, values in found.items()}
            gains.append(facts_of_gain)
    for role, tensor in sorted(component.token_rows.items()):
        kept_rows = _token_rows(source, tensor, role=role, rows=rows, tokens=tokens)
        if kept_rows is not None:
            facts_of_rows, found = kept_rows
            name = f"{number}.tokens.{len(token_rows)}"
            arrays |= {f"{name}.{part}": values for part, values in found.items()}
            token_rows.append(facts_of_rows)
    facts_of_all = ComponentFacts(
        component=component.component,
        role=component.role,
        parameters=component.parameters,
        depth=len(layers_of(component)),
        layered=bool(component.layers),
        shapes=shapes_of(component),
        tables=tuple(tables),
        gains=tuple(gains),
        token_rows=tuple(token_rows),
    )
    return facts_of_all, arrays


def _groups(component: ComponentTensors) -> tuple[_Group, ...]:
    """Return what is kept of: what a screen reads, or everything where it reads nothing."""
    layers = layers_of(component)
    if len(layers) > MOST_LAYERS:
        return ()
    held: dict[tuple[str, tuple[int, ...]], list[tuple[int, TensorInfo]]] = {}
    for number, layer in enumerate(layers):
        for role, tensor in layer.items():
            if table_shape(tensor)[1] <= _MOST_COLUMNS:
                held.setdefault((role, tensor.shape), []).append((number, tensor))
    screened = {key: tensors for key, tensors in held.items() if is_screened(key[0])}
    return tuple(
        _Group(role=key[0], shape=table_shape(tensors[0][1]), tensors=tuple(tensors))
        for key, tensors in sorted((screened or held).items())
    )


def _table(
    source: Source, group: _Group, *, groups: Sequence[_Group], budget: int
) -> tuple[TableFacts, Arrays] | None:
    of_a_row = sum(one.shape[1] * len(one.tensors) for one in groups)
    count = sum(len(one.tensors) for one in groups)
    rows = min(group.shape[0], MOST_ROWS, max(_LEAST_ROWS, budget // max(of_a_row, 1)))
    fitting = max(_LEAST_COLUMNS, budget // (_LEAST_ROWS * max(count, 1)))
    columns = group.shape[1] if rows > _LEAST_ROWS else min(group.shape[1], fitting)
    if (rows - 1) * (columns - 1) < _LEAST_DEGREES:
        return None
    part = window(group.role, group.shape, columns=columns)
    layers, found = [], []
    for layer, tensor in group.tensors:
        raw = source.read_rows(tensor.name, part.first, part.first + rows)
        try:
            found.append(direction(part.of(raw.reshape(rows, -1), rows)).reshape(rows, columns))
        except NotComparableError:
            continue  # a tensor that holds nothing finite, or nothing that varies
        layers.append(layer)
    if not found:
        return None
    kept = coded_directions(np.stack(found))
    facts = TableFacts(
        role=group.role, shape=group.shape, rows=rows, columns=columns, layers=tuple(layers)
    )
    return facts, {"codes": kept.codes, "scales": kept.scales}


def _gains(
    source: Source, component: ComponentTensors, role: str
) -> list[tuple[GainFacts, Arrays]]:
    """Return the gains of one role, for each of their widths."""
    held: dict[int, list[tuple[int, NDArray[np.float32]]]] = {}
    for number, layer in enumerate(component.gains):
        if role in layer:
            gain = source.read(layer[role].name).ravel()
            if np.isfinite(gain).all():
                held.setdefault(len(gain), []).append((number, gain - gain.mean()))
    kept = []
    for width, gains in sorted(held.items()):
        codes = coded(np.stack([gain for _, gain in gains]))
        facts = GainFacts(role=role, width=width, layers=tuple(number for number, _ in gains))
        kept.append((facts, {"codes": codes.codes, "scales": codes.scales}))
    return kept  # type: ignore[return-value]  # int8 and float32 are both numbers


def _token_rows(
    source: Source,
    tensor: TensorInfo,
    *,
    role: str,
    rows: Mapping[str, int],
    tokens: Sequence[str],
) -> tuple[TokenFacts, Arrays] | None:
    places = [
        (place, rows[token])
        for place, token in enumerate(tokens)
        if rows.get(token, tensor.shape[0]) < tensor.shape[0]
    ]
    if len(tensor.shape) != _MATRIX or not places:
        return None
    values = rows_of_tokens(source, tensor.name, [row for _, row in places])
    try:
        found = direction(values).reshape(1, *values.shape)
    except NotComparableError:
        return None
    kept = coded_directions(found)
    facts = TokenFacts(role=role, width=tensor.shape[1], tokens=tuple(place for place, _ in places))
    return facts, {"codes": kept.codes[0], "scales": kept.scales[0]}


def rows_of_tokens(source: Source, name: str, rows: Sequence[int]) -> NDArray[np.float32]:
    """Return single rows of a tensor in the order given, read in rising order.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    wanted, back = np.unique(np.asarray(rows, dtype=np.int64), return_inverse=True)
    return np.asarray(read_rows(source, name, wanted)[back])
