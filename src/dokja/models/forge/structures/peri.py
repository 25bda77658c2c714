"""A family of our own: norms around each half, normed queries and keys, sliding attention 3:1.

A block reads, with `norm` for RMSNorm under the tensor's name:

    x = x + post_self_attn_norm(attention(input_layernorm(x)))
    x = x + post_mlp_norm(swiglu(post_attention_layernorm(x)))

Norms before and after each half are those of Peri-LN (arXiv 2502.02732). Queries and keys are
normed over each head (arXiv 2010.04245; one gain per head width, shared by the heads) before
they are rotated. Of every four layers the first three see only the last `window` tokens,
themselves included, and the fourth sees all (the pattern of OLMo 3, arXiv 2512.13961).
Everything else is as in Llama, names included; `config.json` says `dokja-peri`.
"""

from typing import Any

from dokja.models.forge.structures import llama
from dokja.models.forge.structures.family import Family, Shape
from dokja.models.forge.structures.reading import ConfigReader
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import Sizes
from dokja.values import Json

__all__ = ["FAMILY", "slides"]

PERIOD = 4
"""Every fourth layer sees all earlier tokens."""


def slides(layer: int) -> bool:
    """Tell whether a layer, counted from 0, sees only its window.

    Example:
        >>> [slides(layer) for layer in range(5)]
        [True, True, True, False, True]
    """
    return layer % PERIOD != PERIOD - 1


def _shapes(sizes: Sizes) -> dict[str, Shape]:
    shapes = llama.FAMILY.shapes(sizes)
    for layer in range(sizes.layers):
        place = f"model.layers.{layer}"
        shapes[f"{place}.post_self_attn_norm.weight"] = (sizes.width,)
        shapes[f"{place}.post_mlp_norm.weight"] = (sizes.width,)
        shapes[f"{place}.self_attn.q_norm.weight"] = (sizes.head_width,)
        shapes[f"{place}.self_attn.k_norm.weight"] = (sizes.head_width,)
    return shapes


def _config(sizes: Sizes) -> dict[str, Json]:
    return {
        **llama.FAMILY.config(sizes),
        "sliding_window": sizes.window,
        "layer_types": _layer_types(sizes.layers),
    }


def _sizes(read: ConfigReader) -> dict[str, Any]:
    sizes = llama.common_sizes(read, theta=10000.0, epsilon=1e-5)
    read.only("layer_types", _layer_types(sizes["layers"]))
    return {**sizes, "window": read.whole("sliding_window")}


def _layer_types(layers: int) -> list[str]:
    return ["sliding_attention" if slides(layer) else "full_attention" for layer in range(layers)]


def _attention(sizes: Sizes, length: int) -> float:
    seen = sum(
        min(length, sizes.window or length) if slides(layer) else length
        for layer in range(sizes.layers)
    )
    return 2.0 * sizes.heads * sizes.head_width * seen


FAMILY = Family(
    name="peri",
    model_type="dokja-peri",
    architecture="DokjaPeriForCausalLM",
    signature=BlockSignature(
        norm="peri-rms",
        qk_norm="head-rms",
        attention="sliding-3-1",
        positions="rotary",
        mixer="grouped-query",
        ffn="swiglu",
        routing="none",
    ),
    shapes=_shapes,
    config=_config,
    sizes=_sizes,
    mistakes=llama.head_mistakes,
    needs=("window",),
    attention=_attention,
)
