"""What the mapping asks of opened weights: names, shapes and a configuration, and no value.

A `models.weights.Source` is one; so is a header without a file, and a fixture.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Described", "Listing"]


class Described(Protocol):
    """What a header says of one tensor."""

    @property
    def name(self) -> str:
        """As it stands in the header."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""

    @property
    def parameters(self) -> int:
        """How many values it holds."""


class Listing(Protocol):
    """Headers and configuration of a model."""

    @property
    def names(self) -> Sequence[str]:
        """The tensors' names."""

    @property
    def config(self) -> Mapping[str, Any] | None:
        """`config.json` as an object; a claim, not a fact."""

    def info(self, name: str) -> Described:
        """Return what the header says of a tensor."""
