"""The values that two components have in the same roles and shapes, read from both.

Of a large tensor whole rows are drawn by the seed, the same ones on both sides and in every
layer of a role, since every layer is compared with every other. A tensor that cannot be
compared is left out, with its reason; it is never replaced by zeros.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.budgets import is_screened
from dokja.evidence.lineage.components import ComponentTensors
from dokja.evidence.lineage.plans import Plan
from dokja.models.comparison import direction
from dokja.models.weights import Source, TensorInfo

__all__ = [
    "MOST_LAYERS",
    "LayerValues",
    "Reading",
    "Values",
    "comparable_share",
    "read_pair",
    "read_rows",
]

_LEAST_DEGREES = 400
"""A table with fewer free values than this says too little by itself: its standard error
would be above 0.05."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Values:
    """What was read of one tensor.

    Attributes:
        raw: The rows that were read, shape `(rows, columns)`.
        direction: The same, centred and of length 1, same shape.
        dtype: How they are stored.
    """

    raw: NDArray[np.float32]
    direction: NDArray[np.float32]
    dtype: str


_MOST_COLUMNS = 2**22
"""A row longer than this is not read: no real one is, and two must fit into the memory."""

MOST_LAYERS = 1024
"""A table of all layer pairs must fit into the memory; the deepest public models have some 130."""

LayerValues = Mapping[str, Values]
"""A layer's values by role."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What was read of two components.

    Attributes:
        child: The suspect's layers.
        parent: The reference's layers.
        left_out: Tensors that could not be compared, each with its reason.
    """

    child: tuple[LayerValues, ...]
    parent: tuple[LayerValues, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def _groups(component: ComponentTensors) -> tuple[Mapping[str, TensorInfo], ...]:
    """Return the layers to compare; a component without layers, such as a projector, is one."""
    return component.layers or ((component.loose,) if component.loose else ())


def _table(tensor: TensorInfo) -> tuple[int, int]:
    rows = tensor.shape[0]
    return rows, tensor.parameters // rows if rows else 0


def _shapes(layers: Sequence[Mapping[str, TensorInfo]]) -> set[tuple[str, tuple[int, ...]]]:
    return {(role, tensor.shape) for layer in layers for role, tensor in layer.items()}


def _fits(role: str, tensor: TensorInfo, shared: set[tuple[str, tuple[int, ...]]]) -> bool:
    rows, columns = _table(tensor)
    enough = (rows - 1) * (columns - 1) >= _LEAST_DEGREES
    return (role, tensor.shape) in shared and enough and columns <= _MOST_COLUMNS


def _key(role: str, tensor: TensorInfo, shared: set[tuple[str, tuple[int, ...]]]) -> str:
    """Return the role, with its shape where layers differ in it: only like is laid beside like."""
    several = sum(known == role for known, _ in shared) > 1
    return f"{role} {'x'.join(map(str, tensor.shape))}" if several else role


def comparable_share(suspect: ComponentTensors, reference: ComponentTensors) -> float:
    """Return the share of the suspect's matrix values with a counterpart of the same shape."""
    ours, theirs = _groups(suspect), _groups(reference)
    shared = _shapes(ours) & _shapes(theirs)
    total = sum(tensor.parameters for layer in ours for tensor in layer.values())
    fitting = sum(
        tensor.parameters
        for layer in ours
        for role, tensor in layer.items()
        if _fits(role, tensor, shared)
    )
    return fitting / total if total else 0.0


def read_pair(
    suspect: tuple[Source, ComponentTensors],
    reference: tuple[Source, ComponentTensors],
    *,
    plan: Plan,
    seed: int,
) -> Reading:
    """Read what two components have in the same roles and shapes.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    ours, theirs = _groups(suspect[1]), _groups(reference[1])
    shared = _shapes(ours) & _shapes(theirs)
    left_out: list[tuple[str, str]] = []
    sides = [
        tuple(
            dict(
                _layer(
                    source,
                    {
                        _key(role, tensor, shared): tensor
                        for role, tensor in layer.items()
                        if _fits(role, tensor, shared) and (not plan.screen or is_screened(role))
                    },
                    plan=plan,
                    seed=seed,
                    left_out=left_out,
                )
            )
            for layer in layers
        )
        for source, layers in ((suspect[0], ours), (reference[0], theirs))
    ]
    return Reading(child=sides[0], parent=sides[1], left_out=tuple(left_out))


def _layer(
    source: Source,
    tensors: Mapping[str, TensorInfo],
    *,
    plan: Plan,
    seed: int,
    left_out: list[tuple[str, str]],
) -> Iterator[tuple[str, Values]]:
    for role, tensor in tensors.items():
        raw = _drawn(source, tensor, role=role, plan=plan, seed=seed)
        try:
            found = direction(raw).reshape(raw.shape)
        except NotComparableError as error:
            left_out.append((tensor.name, str(error)))
        else:
            yield role, Values(raw=raw, direction=found, dtype=tensor.dtype)


def _drawn(
    source: Source, tensor: TensorInfo, *, role: str, plan: Plan, seed: int
) -> NDArray[np.float32]:
    rows, columns = _table(tensor)
    wanted = max(2, plan.values_per_tensor // columns)
    if wanted >= rows:
        return source.read(tensor.name).reshape(rows, columns)
    # The rows depend on role and shape only, so that both sides and all layers get the same.
    rng = np.random.default_rng([seed, zlib.crc32(role.encode()), *tensor.shape])
    if plan.screen:  # neighbours: one request where weights lie at an address
        first = int(rng.integers(rows - wanted + 1))
        return source.read_rows(tensor.name, first, first + wanted).reshape(wanted, columns)
    chosen = np.sort(rng.choice(rows, size=wanted, replace=False))
    return read_rows(source, tensor.name, chosen).reshape(wanted, columns)


def read_rows(source: Source, name: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return single rows of a tensor in the order given, neighbours read together.

    Args:
        source: The opened weights.
        name: The tensor.
        rows: Row numbers, rising.
    """
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    runs = [run for run in np.split(rows, breaks) if len(run)]
    return np.concatenate([source.read_rows(name, int(run[0]), int(run[-1]) + 1) for run in runs])
