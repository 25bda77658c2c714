"""What each axis of each tensor stands for, family by family.

Surgery on a network is arithmetic along named axes: a neuron of the feed-forward half is a row
of two matrices and a column of a third. With the names in one table, a transform is written once
and holds for every family in it. Where the next family goes: one line in `_TABLES`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake, RecipeError, TransformError
from dokja.models.forge.structures import Structure

__all__ = [
    "NEURONS",
    "RESIDUAL",
    "Axis",
    "Place",
    "known_family",
    "layer_name",
    "place",
    "resized",
    "split_layer",
]


class Axis(Enum):
    """What an axis counts."""

    VOCABULARY = "tokens"
    POSITION = "positions"
    READS = "the residual, read by this matrix"
    WRITES = "the residual, written by this matrix"
    GAIN = "the residual, between a norm and its readers"
    WRITTEN_GAIN = "the residual, between a norm and the sum it is added to"
    QUERY = "query heads, each by its width"
    KEY = "key heads, each by its width"
    VALUE = "value heads, each by its width"
    JOINED = "query heads, then key heads, then value heads"
    MIXED = "query heads' gathered values"
    HEAD = "the width of one head, shared by all"
    GATE = "neurons, where the gate is made"
    UP = "neurons, where they are made"
    DOWN = "neurons, where they are read"
    EXPERT = "experts"


NEURONS = frozenset({Axis.GATE, Axis.UP, Axis.DOWN})
"""Axes that count the neurons of a feed-forward half."""

RESIDUAL = frozenset({Axis.READS, Axis.WRITES, Axis.GAIN, Axis.WRITTEN_GAIN})
"""Axes that count the channels of the residual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a tensor stands in its network.

    Attributes:
        axes: What each of its axes counts.
        part: Its name, layer and expert left out.
        layer: Which layer, from 0; none outside the layers.
        expert: Which expert, from 0; none outside experts.
        gain: Name of the norm's gain through which it reads the residual; none if it reads none.
    """

    axes: tuple[Axis, ...]
    part: str
    layer: int | None = None
    expert: int | None = None
    gain: str | None = None

    def axis(self, *wanted: Axis) -> int | None:
        """Return the first axis that counts one of these; None if none does."""
        return next((at for at, axis in enumerate(self.axes) if axis in wanted), None)


_A = Axis
_BODY: Mapping[str, tuple[tuple[Axis, ...], str | None]] = {
    "model.embed_tokens.weight": ((_A.VOCABULARY, _A.WRITES), None),
    "model.norm.weight": ((_A.GAIN,), None),
    "lm_head.weight": ((_A.VOCABULARY, _A.READS), "model.norm.weight"),
}
_ATTENTION: Mapping[str, tuple[tuple[Axis, ...], str | None]] = {
    "input_layernorm.weight": ((_A.GAIN,), None),
    "post_attention_layernorm.weight": ((_A.GAIN,), None),
    "self_attn.q_proj.weight": ((_A.QUERY, _A.READS), "input_layernorm.weight"),
    "self_attn.k_proj.weight": ((_A.KEY, _A.READS), "input_layernorm.weight"),
    "self_attn.v_proj.weight": ((_A.VALUE, _A.READS), "input_layernorm.weight"),
    "self_attn.o_proj.weight": ((_A.WRITES, _A.MIXED), None),
}
_BEFORE_FFN = "post_attention_layernorm.weight"
_SWIGLU: Mapping[str, tuple[tuple[Axis, ...], str | None]] = {
    "mlp.gate_proj.weight": ((_A.GATE, _A.READS), _BEFORE_FFN),
    "mlp.up_proj.weight": ((_A.UP, _A.READS), _BEFORE_FFN),
    "mlp.down_proj.weight": ((_A.WRITES, _A.DOWN), None),
}
_PERI: Mapping[str, tuple[tuple[Axis, ...], str | None]] = {
    "post_self_attn_norm.weight": ((_A.WRITTEN_GAIN,), None),
    "post_mlp_norm.weight": ((_A.WRITTEN_GAIN,), None),
    "self_attn.q_norm.weight": ((_A.HEAD,), None),
    "self_attn.k_norm.weight": ((_A.HEAD,), None),
}
_EXPERTS: Mapping[str, tuple[tuple[Axis, ...], str | None]] = {
    "block_sparse_moe.gate.weight": ((_A.EXPERT, _A.READS), _BEFORE_FFN),
    "block_sparse_moe.experts.w1.weight": ((_A.GATE, _A.READS), _BEFORE_FFN),
    "block_sparse_moe.experts.w3.weight": ((_A.UP, _A.READS), _BEFORE_FFN),
    "block_sparse_moe.experts.w2.weight": ((_A.WRITES, _A.DOWN), None),
}
_GPT2: Mapping[str, tuple[tuple[Axis, ...], str | None]] = {
    "transformer.wte.weight": ((_A.VOCABULARY, _A.WRITES), None),
    "transformer.wpe.weight": ((_A.POSITION, _A.WRITES), None),
    "transformer.ln_f.weight": ((_A.GAIN,), None),
    "transformer.ln_f.bias": ((_A.GAIN,), None),
    "lm_head.weight": ((_A.VOCABULARY, _A.READS), "transformer.ln_f.weight"),
    "ln_1.weight": ((_A.GAIN,), None),
    "ln_1.bias": ((_A.GAIN,), None),
    "ln_2.weight": ((_A.GAIN,), None),
    "ln_2.bias": ((_A.GAIN,), None),
    "attn.c_attn.weight": ((_A.READS, _A.JOINED), "ln_1.weight"),
    "attn.c_attn.bias": ((_A.JOINED,), None),
    "attn.c_proj.weight": ((_A.MIXED, _A.WRITES), None),
    "attn.c_proj.bias": ((_A.WRITES,), None),
    "mlp.c_fc.weight": ((_A.READS, _A.UP), "ln_2.weight"),
    "mlp.c_fc.bias": ((_A.UP,), None),
    "mlp.c_proj.weight": ((_A.DOWN, _A.WRITES), None),
    "mlp.c_proj.bias": ((_A.WRITES,), None),
}
_TABLES = MappingProxyType(
    {
        "llama": {**_BODY, **_ATTENTION, **_SWIGLU},
        "peri": {**_BODY, **_ATTENTION, **_SWIGLU, **_PERI},
        "mixtral": {**_BODY, **_ATTENTION, **_EXPERTS},
        "gpt2": _GPT2,
    }
)
_LAYER = re.compile(r"(model\.layers|transformer\.h)\.(\d+)\.(.+)")
_EXPERT = re.compile(r"(.*\.experts)\.(\d+)\.(.+)")


def known_family(structure: Structure, *, transform: str, families: tuple[str, ...]) -> None:
    """Refuse a family for which a transform is not written.

    Raises:
        TransformError: The structure is of another family.
    """
    if structure.family not in families:
        raise TransformError(
            [
                Mistake(
                    file=transform,
                    place="structure",
                    read=f"the family {structure.family}",
                    expected=f"one of {', '.join(families)}",
                )
            ]
        )


def layer_name(structure: Structure, layer: int, *, part: str) -> str:
    """Return the name of a layer's tensor.

    Args:
        structure: What the tensor is of.
        layer: Which layer, from 0.
        part: Its name inside the layer.
    """
    stem = "transformer.h" if structure.family == "gpt2" else "model.layers"
    return f"{stem}.{layer}.{part}"


def place(structure: Structure, name: str) -> Place:
    """Return where a tensor stands.

    Raises:
        TransformError: The family has no table of axes, or no tensor of this name.

    Example:
        >>> tiny = Structure(
        ...     family="llama", vocabulary=256, width=128, layers=4,
        ...     heads=4, kv_heads=2, head_width=32, ffn=352,
        ... )
        >>> [axis.name for axis in place(tiny, "model.layers.2.mlp.down_proj.weight").axes]
        ['WRITES', 'DOWN']
    """
    known_family(structure, transform="axes", families=tuple(_TABLES))
    layer, part = split_layer(name)
    inside = _EXPERT.fullmatch(part)
    expert = int(inside[2]) if inside else None
    part = f"{inside[1]}.{inside[3]}" if inside else part
    found = _TABLES[structure.family].get(part)
    if found is None:
        raise TransformError(
            [
                Mistake(
                    file=structure.family,
                    place=f"tensor {name}",
                    read="a name without axes",
                    expected=f"a tensor of the family {structure.family}",
                )
            ]
        )
    axes, gain = found
    if gain is not None and layer is not None:
        gain = layer_name(structure, layer, part=gain)
    return Place(axes=axes, part=part, layer=layer, expert=expert, gain=gain)


def split_layer(name: str) -> tuple[int | None, str]:
    """Return a name's layer and the rest of it; None and all of it outside the layers.

    Example:
        >>> split_layer("model.layers.3.mlp.up_proj.weight"), split_layer("model.norm.weight")
        ((3, 'mlp.up_proj.weight'), (None, 'model.norm.weight'))
    """
    inside = _LAYER.fullmatch(name)
    return (int(inside[2]), inside[3]) if inside else (None, name)


def resized(structure: Structure, **sizes: Any) -> Structure:
    """Return the structure with other sizes.

    Raises:
        TransformError: The sizes do not fit each other.
    """
    try:
        return replace(structure, **sizes)
    except RecipeError as error:
        raise TransformError(error.mistakes) from error
