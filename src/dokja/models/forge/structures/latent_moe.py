"""Latent attention and many small experts, as Hugging Face's `DeepseekV3ForCausalLM` stores it.

Keys and values are compressed into one latent per token beside a rotated part that all heads
share (MLA, arXiv 2405.04434); the first layers are dense, the others route by sigmoid scores and
add shared experts (arXiv 2412.19437). One group of experts, and no prediction of further tokens.
The router's correction bias is stored and is no parameter: gradients do not move it.
"""

from collections.abc import Iterator
from typing import Any

from dokja.models.forge.structures import llama
from dokja.models.forge.structures.family import Family, Shape
from dokja.models.forge.structures.mixtral import expert_mistakes
from dokja.models.forge.structures.reading import YES, ConfigReader
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import Sizes
from dokja.values import Json

__all__ = ["FAMILY"]

_LEAST_EXPERTS = 2


def _shapes(sizes: Sizes) -> dict[str, Shape]:
    shapes = llama.body_shapes(sizes)
    for layer in range(sizes.layers):
        shapes |= _attention_shapes(sizes, f"model.layers.{layer}.self_attn")
        place = f"model.layers.{layer}.mlp"
        if layer < (sizes.dense_layers or 0):
            shapes |= llama.mlp_shapes(place, width=sizes.width, ffn=sizes.ffn)
        else:
            shapes |= _expert_shapes(sizes, place)
    return shapes


def _attention_shapes(sizes: Sizes, place: str) -> dict[str, Shape]:
    latent, rotated, values = sizes.latent or 0, sizes.rope_width or 0, _value_width(sizes)
    queries = sizes.heads * (sizes.head_width + rotated)
    shapes: dict[str, Shape] = {
        f"{place}.kv_a_proj_with_mqa.weight": (latent + rotated, sizes.width),
        f"{place}.kv_a_layernorm.weight": (latent,),
        f"{place}.kv_b_proj.weight": (sizes.heads * (sizes.head_width + values), latent),
        f"{place}.o_proj.weight": (sizes.width, sizes.heads * values),
    }
    if sizes.query_latent is None:
        return {**shapes, f"{place}.q_proj.weight": (queries, sizes.width)}
    return {
        **shapes,
        f"{place}.q_a_proj.weight": (sizes.query_latent, sizes.width),
        f"{place}.q_a_layernorm.weight": (sizes.query_latent,),
        f"{place}.q_b_proj.weight": (queries, sizes.query_latent),
    }


def _expert_shapes(sizes: Sizes, place: str) -> dict[str, Shape]:
    experts, width, ffn = sizes.experts or 0, sizes.width, sizes.expert_ffn or 0
    shapes: dict[str, Shape] = {
        f"{place}.gate.weight": (experts, width),
        f"{place}.gate.e_score_correction_bias": (experts,),
        **llama.mlp_shapes(
            f"{place}.shared_experts", width=width, ffn=ffn * (sizes.shared_experts or 0)
        ),
    }
    for expert in range(experts):
        shapes |= llama.mlp_shapes(f"{place}.experts.{expert}", width=width, ffn=ffn)
    return shapes


def _value_width(sizes: Sizes) -> int:
    return sizes.head_width if sizes.value_width is None else sizes.value_width


def _config(sizes: Sizes) -> dict[str, Json]:
    return {
        **llama.common_config(sizes),
        "attention_bias": False,
        "kv_lora_rank": sizes.latent,
        "q_lora_rank": sizes.query_latent,
        "qk_nope_head_dim": sizes.head_width,
        "qk_rope_head_dim": sizes.rope_width,
        "v_head_dim": _value_width(sizes),
        "rope_interleave": True,
        "n_routed_experts": sizes.experts,
        "num_experts_per_tok": sizes.experts_per_token,
        "n_shared_experts": sizes.shared_experts,
        "moe_intermediate_size": sizes.expert_ffn,
        "first_k_dense_replace": sizes.dense_layers,
        "n_group": 1,
        "topk_group": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": sizes.routed_scale,
        "num_nextn_predict_layers": 0,
    }


def _sizes(read: ConfigReader) -> dict[str, Any]:
    read.only("n_group", 1, None)
    read.only("topk_group", 1, None)
    read.only("norm_topk_prob", *YES)
    read.only("rope_interleave", *YES)
    read.only("num_nextn_predict_layers", 0, None)
    read.only("scoring_func", "sigmoid")
    common = llama.common_sizes(read, theta=10000.0, epsilon=1e-6)
    head_width = read.whole("qk_nope_head_dim")
    value_width = read.whole("v_head_dim", otherwise=head_width)
    return {
        **common,
        "head_width": head_width,
        "value_width": None if value_width == head_width else value_width,
        "latent": read.whole("kv_lora_rank"),
        "query_latent": read.maybe("q_lora_rank"),
        "rope_width": read.whole("qk_rope_head_dim"),
        "experts": read.whole("n_routed_experts"),
        "experts_per_token": read.whole("num_experts_per_tok"),
        "shared_experts": read.whole("n_shared_experts"),
        "expert_ffn": read.whole("moe_intermediate_size"),
        "dense_layers": read.whole("first_k_dense_replace", least=0),
        "routed_scale": read.positive("routed_scaling_factor", otherwise=2.5),
    }


def _mistakes(sizes: Sizes) -> Iterator[tuple[str, object, str]]:
    if sizes.kv_heads != sizes.heads:
        yield "kv_heads", sizes.kv_heads, f"the {sizes.heads} heads: the latent groups them all"
    if (sizes.rope_width or 0) % 2:
        yield "rope_width", sizes.rope_width, "an even number: positions rotate pairs"
    if (sizes.dense_layers or 0) > sizes.layers:
        yield "dense_layers", sizes.dense_layers, f"at most the {sizes.layers} layers"
    if (sizes.experts or 0) < _LEAST_EXPERTS:
        yield "experts", sizes.experts, f"at least {_LEAST_EXPERTS}"
    yield from expert_mistakes(sizes)


def _buffers(sizes: Sizes) -> frozenset[str]:
    return frozenset(
        f"model.layers.{layer}.mlp.gate.e_score_correction_bias"
        for layer in range(sizes.dense_layers or 0, sizes.layers)
    )


def _active(sizes: Sizes, name: str) -> float:
    if ".experts." not in name:
        return 1.0
    return (sizes.experts_per_token or 0) / (sizes.experts or 1)


def _attention(sizes: Sizes, length: int) -> float:
    per_token = sizes.head_width + (sizes.rope_width or 0) + _value_width(sizes)
    return 1.0 * sizes.layers * sizes.heads * per_token * length


FAMILY = Family(
    name="latent-moe",
    model_type="deepseek_v3",
    architecture="DeepseekV3ForCausalLM",
    signature=BlockSignature(
        norm="pre-rms",
        qk_norm="none",
        attention="full",
        positions="partial-rotary",
        mixer="latent",
        ffn="swiglu",
        routing="sigmoid-top-k-shared",
    ),
    shapes=_shapes,
    config=_config,
    sizes=_sizes,
    mistakes=_mistakes,
    needs=(
        "experts",
        "experts_per_token",
        "expert_ffn",
        "shared_experts",
        "dense_layers",
        "latent",
        "rope_width",
    ),
    may_have=("query_latent", "value_width"),
    buffers=_buffers,
    active=_active,
    attention=_attention,
)
