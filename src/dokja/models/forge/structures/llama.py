"""The family of Llama (arXiv 2302.13971), as Hugging Face's `LlamaForCausalLM` stores it.

RMSNorm before each half of a block, grouped-query attention, rotary positions that pair the
first half of a head with the second, SwiGLU, no biases. Other families of this kind build on
the functions here.
"""

from collections.abc import Iterator
from typing import Any

from dokja.models.forge.structures.family import Family, Shape
from dokja.models.forge.structures.reading import ConfigReader
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import Sizes
from dokja.values import Json

__all__ = [
    "FAMILY",
    "attention_shapes",
    "body_shapes",
    "common_config",
    "common_sizes",
    "head_mistakes",
    "mlp_shapes",
]


def body_shapes(sizes: Sizes) -> dict[str, Shape]:
    """Return embedding, head, last norm, and the two norms that open a block's halves."""
    shapes: dict[str, Shape] = {
        "model.embed_tokens.weight": (sizes.vocabulary, sizes.width),
        "model.norm.weight": (sizes.width,),
    }
    if not sizes.tied:
        shapes["lm_head.weight"] = (sizes.vocabulary, sizes.width)
    for layer in range(sizes.layers):
        shapes[f"model.layers.{layer}.input_layernorm.weight"] = (sizes.width,)
        shapes[f"model.layers.{layer}.post_attention_layernorm.weight"] = (sizes.width,)
    return shapes


def attention_shapes(sizes: Sizes, layer: int) -> dict[str, Shape]:
    """Return the four projections of grouped-query attention in one layer."""
    queries, grouped = sizes.heads * sizes.head_width, sizes.kv_heads * sizes.head_width
    place = f"model.layers.{layer}.self_attn"
    return {
        f"{place}.q_proj.weight": (queries, sizes.width),
        f"{place}.k_proj.weight": (grouped, sizes.width),
        f"{place}.v_proj.weight": (grouped, sizes.width),
        f"{place}.o_proj.weight": (sizes.width, queries),
    }


def mlp_shapes(place: str, *, width: int, ffn: int) -> dict[str, Shape]:
    """Return the three matrices of a SwiGLU half at a place."""
    return {
        f"{place}.gate_proj.weight": (ffn, width),
        f"{place}.up_proj.weight": (ffn, width),
        f"{place}.down_proj.weight": (width, ffn),
    }


def common_config(sizes: Sizes) -> dict[str, Json]:
    """Return the keys of `config.json` that all Llama-like families have."""
    return {
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.width,
        "intermediate_size": sizes.ffn,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "max_position_embeddings": sizes.positions,
        "rms_norm_eps": sizes.epsilon,
        "tie_word_embeddings": sizes.tied,
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        # Readers before transformers 5 know only the first, and would take 10000 without it.
        "rope_theta": sizes.rope_theta,
        "rope_parameters": {"rope_theta": sizes.rope_theta, "rope_type": "default"},
        "bos_token_id": None,
        "eos_token_id": None,
    }


def common_sizes(read: ConfigReader, *, theta: float, epsilon: float) -> dict[str, Any]:
    """Return the sizes that all Llama-like families have.

    Args:
        read: The configuration.
        theta: The rotary base of a configuration that states none.
        epsilon: Likewise of the norms.
    """
    read.only("hidden_act", "silu", "swish")
    heads, width = read.whole("num_attention_heads"), read.whole("hidden_size")
    return {
        "vocabulary": read.whole("vocab_size"),
        "width": width,
        "layers": read.whole("num_hidden_layers"),
        "heads": heads,
        "kv_heads": read.whole("num_key_value_heads", otherwise=heads),
        "head_width": read.whole("head_dim", otherwise=None if width % heads else width // heads),
        "ffn": read.whole("intermediate_size"),
        "positions": read.whole("max_position_embeddings"),
        "rope_theta": read.rotation(otherwise=theta),
        "epsilon": read.positive("rms_norm_eps", otherwise=epsilon),
        "tied": read.flag("tie_word_embeddings", otherwise=False),
    }


def head_mistakes(sizes: Sizes) -> Iterator[tuple[str, object, str]]:
    """Find heads that cannot be grouped or rotated."""
    if sizes.heads % sizes.kv_heads:
        yield "kv_heads", sizes.kv_heads, f"a divisor of the {sizes.heads} heads"
    if sizes.head_width % 2:
        yield "head_width", sizes.head_width, "an even number: positions rotate pairs"


def _shapes(sizes: Sizes) -> dict[str, Shape]:
    shapes = body_shapes(sizes)
    for layer in range(sizes.layers):
        shapes |= attention_shapes(sizes, layer)
        shapes |= mlp_shapes(f"model.layers.{layer}.mlp", width=sizes.width, ffn=sizes.ffn)
    return shapes


def _config(sizes: Sizes) -> dict[str, Json]:
    return {
        **common_config(sizes),
        "head_dim": sizes.head_width,
        "attention_bias": False,
        "mlp_bias": False,
    }


def _sizes(read: ConfigReader) -> dict[str, Any]:
    read.only("sliding_window", None)
    read.only("num_local_experts", None)
    return common_sizes(read, theta=10000.0, epsilon=1e-6)


FAMILY = Family(
    name="llama",
    model_type="llama",
    architecture="LlamaForCausalLM",
    signature=BlockSignature(
        norm="pre-rms",
        qk_norm="none",
        attention="full",
        positions="rotary",
        mixer="grouped-query",
        ffn="swiglu",
        routing="none",
    ),
    shapes=_shapes,
    config=_config,
    sizes=_sizes,
    mistakes=head_mistakes,
)
