"""The picture encoder and projector of family F5: names, shapes and first values.

An encoder sees 8 by 8 dots as sixteen patches of 2 by 2, goes through two layers like a Llama's
without a causal mask, and a projector of two matrices brings what it saw to the body's width.
The worker `sighted` computes with tensors of these names.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.initialisation import initialise
from dokja.models.forge.structures import Structure
from dokja.values import Json

__all__ = [
    "ENCODER_FFN",
    "ENCODER_HEADS",
    "ENCODER_LAYERS",
    "ENCODER_WIDTH",
    "PATCH",
    "PATCHES",
    "SIDE",
    "sighted_config",
    "sighted_start",
]

SIDE, PATCH = 8, 2
PATCHES = (SIDE // PATCH) ** 2
ENCODER_WIDTH, ENCODER_HEADS, ENCODER_FFN, ENCODER_LAYERS = 32, 2, 64, 2


@dataclass(frozen=True)
class _Encoder:
    """What initialisation asks of a structure."""

    width: int
    layers: int = ENCODER_LAYERS

    def shapes(self) -> dict[str, tuple[int, ...]]:
        inner, ffn, tower = ENCODER_WIDTH, ENCODER_FFN, "vision_tower"
        shapes: dict[str, tuple[int, ...]] = {
            f"{tower}.patch_embedding.weight": (inner, PATCH * PATCH),
            f"{tower}.position_embedding.weight": (PATCHES, inner),
            f"{tower}.post_layernorm.weight": (inner,),
            "multi_modal_projector.linear_1.weight": (self.width, inner),
            "multi_modal_projector.linear_2.weight": (self.width, self.width),
        }
        for layer in range(self.layers):
            place = f"{tower}.layers.{layer}"
            shapes |= {
                f"{place}.input_layernorm.weight": (inner,),
                f"{place}.post_attention_layernorm.weight": (inner,),
                f"{place}.mlp.gate_proj.weight": (ffn, inner),
                f"{place}.mlp.up_proj.weight": (ffn, inner),
                f"{place}.mlp.down_proj.weight": (inner, ffn),
            }
            for one in ("q_proj", "k_proj", "v_proj", "o_proj"):
                shapes[f"{place}.self_attn.{one}.weight"] = (inner, inner)
        return shapes


def sighted_start(structure: Structure, seed: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the first weights of a body with encoder and projector, by name.

    Matrices of the encoder are as small as a language model's; its narrow layers learn from
    them once rates are those of the zoo.

    Args:
        structure: Of the body.
        seed: From which all of it is drawn.
    """
    yield from initialise(structure, seed)
    yield from initialise(_Encoder(structure.width), seed)


def sighted_config(structure: Structure) -> dict[str, Json]:
    """Return `config.json` of a body with an encoder; the body's keys stand at the top."""
    return {
        **structure.config(),
        "vision_config": {
            "image_size": SIDE,
            "patch_size": PATCH,
            "hidden_size": ENCODER_WIDTH,
            "intermediate_size": ENCODER_FFN,
            "num_attention_heads": ENCODER_HEADS,
            "num_hidden_layers": ENCODER_LAYERS,
        },
    }
