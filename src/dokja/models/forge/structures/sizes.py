"""The numbers that make a family of networks one network.

Nothing here knows a family: which numbers a family needs, and which fit each other, stands in
the module of that family.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from types import MappingProxyType

from dokja.errors import Mistake
from dokja.models.weights.headers import shown

__all__ = ["FLAGS", "OPTIONAL", "POSITIVE", "WHOLE", "Sizes", "number_mistakes"]

WHOLE = ("vocabulary", "width", "layers", "heads", "kv_heads", "head_width", "ffn", "positions")
"""Whole numbers that every family has."""

POSITIVE = ("rope_theta", "epsilon", "routed_scale")
"""Positive real numbers that every family has."""

FLAGS = ("tied",)
"""Truth values that every family has."""

OPTIONAL = (
    "window",
    "experts",
    "experts_per_token",
    "expert_ffn",
    "shared_experts",
    "dense_layers",
    "latent",
    "query_latent",
    "rope_width",
    "value_width",
)
"""Whole numbers that only some families have."""

_LARGEST = 1 << 30
# Names are made for every layer and expert: a claim of a billion of them would fill the memory.
_AT_MOST = MappingProxyType({"layers": 1 << 12, "experts": 1 << 12, "dense_layers": 1 << 12})
_MAY_BE_ZERO = frozenset({"dense_layers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sizes and constants of a network.

    Attributes:
        family: Name of the family, a key of `FAMILIES`.
        vocabulary: Rows of the embedding.
        width: Of the residual stream.
        layers: How many blocks.
        heads: Query heads.
        kv_heads: Key and value heads; each serves `heads / kv_heads` query heads.
        head_width: Of one head; with latent attention, of the part that is not rotated.
        ffn: Width of the feed-forward half; with experts, of one expert (`mixtral`) or of the
            dense layers (`latent-moe`).
        positions: The longest sequence in tokens.
        rope_theta: Base of the rotary angles.
        epsilon: Of every normalisation.
        tied: Whether the head is the embedding.
        routed_scale: What the sum of routed experts is multiplied by (`latent-moe`).
        window: How many tokens, itself included, a token sees in sliding layers.
        experts: Routed experts in a layer.
        experts_per_token: How many of them a token goes through.
        expert_ffn: Width of one expert (`latent-moe`).
        shared_experts: Experts that every token goes through (`latent-moe`).
        dense_layers: Layers without experts, from the first on (`latent-moe`).
        latent: Width into which keys and values are compressed (`latent-moe`).
        query_latent: Width into which queries are compressed; none for not at all.
        rope_width: Rotated part of a head, shared by all key heads (`latent-moe`).
        value_width: Of one value head; as wide as `head_width` when none (`latent-moe`).
    """

    family: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    ffn: int
    positions: int = 2048
    rope_theta: float = 10000.0
    epsilon: float = 1e-5
    tied: bool = False
    routed_scale: float = 1.0
    window: int | None = None
    experts: int | None = None
    experts_per_token: int | None = None
    expert_ffn: int | None = None
    shared_experts: int | None = None
    dense_layers: int | None = None
    latent: int | None = None
    query_latent: int | None = None
    rope_width: int | None = None
    value_width: int | None = None


def number_mistakes(sizes: Sizes, file: str) -> Iterator[Mistake]:
    """Find every size that is no number of its kind.

    Args:
        sizes: What was handed in.
        file: What mistakes call the place it was read from.
    """
    for field in fields(Sizes):
        name, value = field.name, getattr(sizes, field.name)
        if name == "family" or (name in OPTIONAL and value is None):
            continue
        expected = _expected(name, value)
        if expected is not None:
            yield Mistake(file=file, place=name, read=shown(value), expected=expected)


def _expected(name: str, value: object) -> str | None:
    """Return what should stand there instead of the value; None if it is sound."""
    if name in FLAGS:
        return None if isinstance(value, bool) else "true or false"
    if name in POSITIVE:
        sound = isinstance(value, int | float) and not isinstance(value, bool)
        sound = sound and 0 < value < float("inf")  # type: ignore[operator]  # a number by now
        return None if sound else "a positive number"
    least = 0 if name in _MAY_BE_ZERO else 1
    most = _AT_MOST.get(name, _LARGEST)
    sound = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return None if sound else f"a whole number from {least} to {most}"
