"""What a candidate and its references got on the same items, and what is not known of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dokja.evidence.statistics.contrasts.layouts import Floats
from dokja.evidence.statistics.streams import uniforms

__all__ = ["Cells", "Values", "cells_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """One possible set of values.

    Attributes:
        candidate: float64, shape `(items,)`.
        references: float64, shape `(items, references)`.
    """

    candidate: Floats
    references: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What everybody got, and the least and the most that it can turn out to be.

    Attributes:
        names: Of the references, in the order of their columns.
        registered: By the registered convention.
        low: Open outcomes taken as 0; equal to `high` where nothing is open.
        high: Open outcomes taken as 1.
    """

    names: tuple[str, ...]
    registered: Values
    low: Values
    high: Values

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.registered.candidate)

    @property
    def open_candidate(self) -> int:
        """How many of the candidate's cells are open."""
        return int((self.high.candidate > self.low.candidate).sum())

    @property
    def open_references(self) -> int:
        """How many cells of the references are open."""
        return int((self.high.references > self.low.references).sum())

    @property
    def worst(self) -> Values:
        """Everything open goes against the candidate."""
        return Values(candidate=self.low.candidate, references=self.high.references)

    @property
    def best(self) -> Values:
        """Everything open goes for the candidate."""
        return Values(candidate=self.high.candidate, references=self.low.references)

    def completions(self, *, count: int, seed: int) -> Iterator[Values]:
        """Yield completions at random: each open cell becomes its least or its most.

        How many become the most is drawn anew each time and apart for the candidate and each
        reference, so that the completions lie all over between the ends and not in the middle.
        """
        columns = np.column_stack([self.low.candidate, self.low.references])
        most = np.column_stack([self.high.candidate, self.high.references])
        rows, systems = np.nonzero(most > columns)
        width = columns.shape[1]
        for number in range(count):
            drawn = uniforms(seed, f"completion/{number}", count=width + len(rows))
            up = drawn[width:] < drawn[:width][systems]
            chosen = columns.copy()
            chosen[rows[up], systems[up]] = most[rows[up], systems[up]]
            yield Values(candidate=chosen[:, 0], references=chosen[:, 1:])


def cells_of(
    candidate: Floats,
    references: Floats,
    *,
    names: tuple[str, ...],
    low: Values | None = None,
    high: Values | None = None,
) -> Cells:
    """Return the cells of a comparison, checked.

    Only items that count for every system belong here; which ones, and what the others leave of
    the weights, `without` says.

    Args:
        candidate: By the registered convention, averaged over epochs; float64, shape `(items,)`.
        references: The same of each reference, shape `(items, references)`. Where the registered
            convention itself leaves an outcome open, both hold the least value.
        names: Of the references.
        low: With open outcomes as 0; None where nothing is open.
        high: With open outcomes as 1; None where nothing is open.

    Raises:
        ValueError: Shapes do not fit, no reference, a reference twice, only one of `low` and
            `high`, or a cell whose least value is above its most.

    Example:
        >>> got = cells_of(np.array([1.0, 0.0]), np.array([[1.0], [1.0]]), names=("a",))
        >>> got.items, got.open_candidate
        (2, 0)
    """
    registered = Values(candidate=candidate, references=references)
    if (low is None) != (high is None):
        raise ValueError("open outcomes need both their least and their most")
    lowest, highest = low or registered, high or registered
    for each in (registered, lowest, highest):
        if each.candidate.ndim != 1 or each.references.shape != (len(candidate), len(names)):
            raise ValueError(
                f"values of shapes {each.candidate.shape} and {each.references.shape} do not fit "
                f"{len(candidate)} items and {len(names)} references"
            )
    if not names or len(set(names)) != len(names):
        raise ValueError("a frontier needs references, each once")
    if (lowest.candidate > highest.candidate).any() or (
        lowest.references > highest.references
    ).any():
        raise ValueError("the least value of a cell is above its most")
    return Cells(names=names, registered=registered, low=lowest, high=highest)
