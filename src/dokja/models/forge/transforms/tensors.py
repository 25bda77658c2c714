"""Tensors by name, made when they are asked for: how a model of any size passes in flat memory.

A transform answers with tensors that hold no values yet: each is computed from its sources when
it is read, and forgotten by whoever read it. Transforms chain without anything being stored
between them. Nothing here knows what a tensor is for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dokja.models.weights import Source

__all__ = [
    "ArrayTensors",
    "Derived",
    "Plan",
    "SourceTensors",
    "Tensors",
    "copied",
    "edited",
    "items",
    "made",
]

Array = NDArray[Any]
FLOAT32 = np.dtype(np.float32)


class Tensors(Protocol):
    """Tensors by name; shapes and types are known before any value is."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, sorted."""
        ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the lengths of a tensor's axes."""
        ...

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the type of a tensor's values."""
        ...

    def read(self, name: str) -> Array:
        """Return a tensor's values; the caller does not write to them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A tensor that will be made when it is read.

    Attributes:
        shape: Lengths of its axes.
        dtype: Type of its values.
        make: Returns its values; called at every reading.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    make: Callable[[], Array]


class Derived:
    """Tensors that are made when they are read.

    Args:
        plans: One for each name.

    Example:
        >>> ones = Plan(shape=(2,), dtype=np.dtype(np.float32), make=lambda: np.ones(2, np.float32))
        >>> derived = Derived({"w": ones})
        >>> derived.names, derived.shape("w"), derived.read("w").sum()
        (('w',), (2,), np.float32(2.0))
    """

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = dict(plans)
        self.names = tuple(sorted(self._plans))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the lengths of a tensor's axes.

        Raises:
            KeyError: There is no tensor of this name.
        """
        return self._plans[name].shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the type of a tensor's values.

        Raises:
            KeyError: There is no tensor of this name.
        """
        return self._plans[name].dtype

    def read(self, name: str) -> Array:
        """Make a tensor.

        Raises:
            KeyError: There is no tensor of this name.
            ValueError: What was made is not what was planned: a mistake in a transform.
        """
        plan = self._plans[name]
        values = plan.make()
        if values.shape != plan.shape or values.dtype != plan.dtype:
            message = (
                f"{name} was made as {values.dtype} {values.shape}, "
                f"but planned as {plan.dtype} {plan.shape}"
            )
            raise ValueError(message)
        return values


class ArrayTensors(Derived):
    """Tensors that lie in memory.

    Args:
        arrays: By name; they are not copied.

    Example:
        >>> ArrayTensors({"w": np.eye(2, dtype=np.float32)}).shape("w")
        (2, 2)
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        super().__init__({name: made(values) for name, values in arrays.items()})


class SourceTensors(Derived):
    """Tensors of opened weights, read as float32.

    Args:
        source: What `open_source` returned.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(
            {
                name: Plan(
                    shape=source.info(name).shape, dtype=FLOAT32, make=partial(source.read, name)
                )
                for name in source.names
            }
        )


def made(values: Array) -> Plan:
    """Return the plan of a tensor whose values are there already."""
    return Plan(shape=values.shape, dtype=values.dtype, make=lambda: values)


def copied(tensors: Tensors, name: str) -> Plan:
    """Return the plan of a tensor that is another's as it is."""
    return Plan(
        shape=tensors.shape(name), dtype=tensors.dtype(name), make=partial(tensors.read, name)
    )


def edited(tensors: Tensors, edit: Callable[[str, Array], Array]) -> Derived:
    """Return tensors of the same names and shapes, each edited when it is read.

    Args:
        tensors: What they are made from.
        edit: From a name and its values to float32 values of the same shape.
    """

    def make(name: str) -> Array:
        return edit(name, tensors.read(name))

    return Derived(
        {
            name: Plan(shape=tensors.shape(name), dtype=FLOAT32, make=partial(make, name))
            for name in tensors.names
        }
    )


def items(tensors: Tensors) -> Iterator[tuple[str, Array]]:
    """Yield every tensor with its name, one in memory at a time.

    Example:
        >>> [name for name, _ in items(ArrayTensors({"b": np.ones(1), "a": np.ones(1)}))]
        ['a', 'b']
    """
    for name in tensors.names:
        yield name, tensors.read(name)
