"""A base with an adapter laid onto it: every matrix as the sum that the two would run as.

Nothing is written and nothing is held: rows of a matrix are read from the base, and the product of
the adapter's factors is added to them. What an adapter holds besides factors, such as whole
modules in place of the base's, is refused: the sum would not be the model that is meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.adapters import Adapter
from dokja.models.weights.headers import TensorInfo
from dokja.models.weights.held import Held
from dokja.models.weights.sources import Source

__all__ = ["Laid", "lay_onto"]

_REMEDY = "Merge it into its base with the library that made it, and give the sum."
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laid:
    """A base with an adapter laid onto it.

    Attributes:
        source: The sum, which can be read as any weights.
        base: What it was laid onto.
        adapter: What was laid.
    """

    source: Source
    base: Source
    adapter: Adapter

    def change(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return these rows of what is added to a matrix.

        Raises:
            KeyError: The adapter does not change it.
        """
        first, second = self.adapter.factors(name)
        left, right = (first.T, second.T) if self.adapter.turned(name) else (second, first)
        return np.float32(self.adapter.scale(name)) * (left[rows] @ right)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """A matrix of the base with a product added; `first` is A and `second` B."""

    base: Held
    first: Held
    second: Held
    scale: float
    turned: bool

    @property
    def info(self) -> TensorInfo:
        """Of the base's matrix."""
        return self.base.info

    @property
    def by_rows(self) -> bool:
        """Whether the base's can be read so."""
        return self.base.by_rows

    def whole(self) -> NDArray[np.float32]:
        """Return the sum."""
        return self.rows(0, self.info.shape[0])

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows of the sum."""
        if self.turned:
            added = self.first.whole()[:, start:stop].T @ self.second.whole().T
        else:
            added = self.second.rows(start, stop) @ self.first.whole()
        return np.asarray(self.base.rows(start, stop) + np.float32(self.scale) * added)

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the base's stored bytes: the sum itself is stored nowhere."""
        return self.base.pieces(size)


def lay_onto(base: Source, adapter: Adapter) -> Laid:
    """Return a base with an adapter laid onto it.

    Args:
        base: What the adapter was made for, whoever says so.
        adapter: What is added.

    Raises:
        WeightsError: The base lacks a matrix that the adapter changes, or has it in another
            shape, or the adapter holds more than factors; every mistake.
    """
    mistakes = [*_misfits(base, adapter), *_others(adapter)]
    if mistakes:
        raise WeightsError(mistakes[:_MOST_SHOWN])

    def made(ours: Mapping[str, Held], theirs: Mapping[str, Held]) -> Mapping[str, Held]:
        sums = {
            target: _Sum(
                base=ours[target],
                first=theirs[adapter.names(target)[0]],
                second=theirs[adapter.names(target)[1]],
                scale=adapter.scale(target),
                turned=adapter.turned(target),
            )
            for target in adapter.targets
        }
        return {**ours, **sums}

    name = f"{adapter.source.name} on {base.name}"
    return Laid(
        source=base.beside(adapter.source, name=name, made=made), base=base, adapter=adapter
    )


def _misfits(base: Source, adapter: Adapter) -> Iterator[Mistake]:
    held = set(base.names)
    for target in adapter.targets:
        wanted = adapter.shape(target)
        read = list(base.info(target).shape) if target in held else "no such tensor"
        if read != list(wanted):
            yield Mistake(
                file=base.name,
                place=f"tensor {target}",
                read=str(read),
                expected=f"{list(wanted)}, as the adapter {adapter.source.name} changes it",
                remedy="Give the base that the adapter was made for.",
            )


def _others(adapter: Adapter) -> Iterator[Mistake]:
    if adapter.others:
        yield Mistake(
            file=adapter.source.name,
            place=f"tensor {adapter.others[0]}",
            read=f"{len(adapter.others)} tensors that are no factors",
            expected="factors alone",
            remedy=_REMEDY,
        )
