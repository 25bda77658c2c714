"""What every family of networks tells about itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dokja.models.forge.structures.reading import ConfigReader
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import Sizes
from dokja.values import Json

__all__ = ["Family", "Shape", "active_fraction_is_one", "no_buffers", "uniform_attention"]

Shape = tuple[int, ...]


def no_buffers(_: Sizes) -> frozenset[str]:
    """Return no name: the family stores nothing that training does not move by gradient."""
    return frozenset()


def active_fraction_is_one(_: Sizes, name: str) -> float:
    """Return 1: every token goes through every matrix."""
    del name
    return 1.0


def uniform_attention(sizes: Sizes, length: int) -> float:
    """Return multiplications of attention for one token, forward: scores and weighted sum.

    Every layer compares with `length` tokens: 2 · layers · heads · head width · length.
    """
    return 2.0 * sizes.layers * sizes.heads * sizes.head_width * length


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of networks: one signature, any size.

    Attributes:
        name: As recipes write it.
        model_type: As `config.json` writes it.
        architecture: The class that Hugging Face's `architectures` names.
        signature: What its blocks are.
        shapes: From sizes to every stored tensor, in Hugging Face's names.
        config: From sizes to the keys of `config.json`, without model type and architecture.
        sizes: From a configuration to keyword arguments of `Sizes`, without the family.
        mistakes: What does not fit each other in sound sizes: (size, read, expected).
        needs: Names among `OPTIONAL` that it must have.
        may_have: Names among `OPTIONAL` that it may have besides.
        buffers: Stored tensors that are no parameters.
        active: The share of tokens that go through a matrix, by its name.
        attention: Multiplications of attention for one token, forward.
    """

    name: str
    model_type: str
    architecture: str
    signature: BlockSignature
    shapes: Callable[[Sizes], dict[str, Shape]]
    config: Callable[[Sizes], dict[str, Json]]
    sizes: Callable[[ConfigReader], dict[str, Any]]
    mistakes: Callable[[Sizes], Iterator[tuple[str, object, str]]]
    needs: tuple[str, ...] = ()
    may_have: tuple[str, ...] = ()
    buffers: Callable[[Sizes], frozenset[str]] = field(default=no_buffers)
    active: Callable[[Sizes, str], float] = field(default=active_fraction_is_one)
    attention: Callable[[Sizes, int], float] = field(default=uniform_attention)
