"""The family of Mixtral (arXiv 2401.04088), as Hugging Face's `MixtralForCausalLM` stores it.

Llama's attention; the feed-forward half is one of several SwiGLU experts, chosen by a softmax
over the router's scores. Libraries may hold the experts fused in memory; on disk each has its
own three matrices, w1 (gate), w2 (down) and w3 (up).
"""

from collections.abc import Iterator
from typing import Any

from dokja.models.forge.structures import llama
from dokja.models.forge.structures.family import Family, Shape
from dokja.models.forge.structures.reading import ConfigReader
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import Sizes
from dokja.values import Json

__all__ = ["FAMILY", "expert_mistakes"]


def expert_mistakes(sizes: Sizes) -> Iterator[tuple[str, object, str]]:
    """Find a token that would need more experts than there are."""
    if (sizes.experts_per_token or 0) > (sizes.experts or 0):
        yield "experts_per_token", sizes.experts_per_token, f"at most the {sizes.experts} experts"


def _shapes(sizes: Sizes) -> dict[str, Shape]:
    shapes = llama.body_shapes(sizes)
    experts = sizes.experts or 0
    for layer in range(sizes.layers):
        place = f"model.layers.{layer}.block_sparse_moe"
        shapes |= llama.attention_shapes(sizes, layer)
        shapes[f"{place}.gate.weight"] = (experts, sizes.width)
        for expert in range(experts):
            shapes[f"{place}.experts.{expert}.w1.weight"] = (sizes.ffn, sizes.width)
            shapes[f"{place}.experts.{expert}.w2.weight"] = (sizes.width, sizes.ffn)
            shapes[f"{place}.experts.{expert}.w3.weight"] = (sizes.ffn, sizes.width)
    return shapes


def _config(sizes: Sizes) -> dict[str, Json]:
    return {
        **llama.common_config(sizes),
        "head_dim": sizes.head_width,
        "num_local_experts": sizes.experts,
        "num_experts_per_tok": sizes.experts_per_token,
        "sliding_window": None,
        "router_jitter_noise": 0.0,
        "output_router_logits": False,
    }


def _sizes(read: ConfigReader) -> dict[str, Any]:
    read.only("sliding_window", None)
    read.only("router_jitter_noise", 0)
    return {
        **llama.common_sizes(read, theta=1_000_000.0, epsilon=1e-5),
        "experts": read.whole("num_local_experts"),
        "experts_per_token": read.whole("num_experts_per_tok"),
    }


def _mistakes(sizes: Sizes) -> Iterator[tuple[str, object, str]]:
    yield from llama.head_mistakes(sizes)
    yield from expert_mistakes(sizes)


def _active(sizes: Sizes, name: str) -> float:
    if ".experts." not in name:
        return 1.0
    return (sizes.experts_per_token or 0) / (sizes.experts or 1)


FAMILY = Family(
    name="mixtral",
    model_type="mixtral",
    architecture="MixtralForCausalLM",
    signature=BlockSignature(
        norm="pre-rms",
        qk_norm="none",
        attention="full",
        positions="rotary",
        mixer="grouped-query",
        ffn="swiglu",
        routing="softmax-top-k",
    ),
    shapes=_shapes,
    config=_config,
    sizes=_sizes,
    mistakes=_mistakes,
    needs=("experts", "experts_per_token"),
    active=_active,
)
