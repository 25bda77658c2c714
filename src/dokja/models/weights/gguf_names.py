"""GGUF's names and facts, in the words that Hugging Face folders use.

Every architecture calls a query matrix `blk.N.attn_q`; here it gets the name that the same
matrix has in a folder of safetensors, so that the two can be laid beside each other. A name
that the table does not know stays what it is.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dokja.models.weights.gguf_headers import Fact

__all__ = ["PERMUTING", "WHOLE_GAINS", "config_of", "expert_stack", "folder_name"]

PERMUTING = frozenset(
    {
        "llama",
        "arcee",
        "arctic",
        "baichuan",
        "bailingmoe",
        "chameleon",
        "deci",
        "deepseek",
        "granite",
        "granitemoe",
        "internlm2",
        "minicpm",
        "olmo",
        "smollm3",
        "xverse",
    }
)
"""Architectures whose converter writes the rows of q and k as pairs that rotate together."""

WHOLE_GAINS = frozenset({"gemma", "gemma2", "gemma3"})
"""Architectures whose folders hold gains less one, and whose GGUF holds them whole."""

_LOOSE = MappingProxyType(
    {
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "output": "lm_head",
        "position_embd": "model.embed_positions",
    }
)
_IN_LAYER = MappingProxyType(
    {
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_qkv": "self_attn.qkv_proj",
        "attn_output": "self_attn.o_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "attn_q_a": "self_attn.q_a_proj",
        "attn_q_b": "self_attn.q_b_proj",
        "attn_q_a_norm": "self_attn.q_a_layernorm",
        "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
        "attn_kv_a_norm": "self_attn.kv_a_layernorm",
        "attn_kv_b": "self_attn.kv_b_proj",
        "attn_sinks": "self_attn.sinks",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "ffn_gate_inp": "mlp.gate",
        "ffn_gate_shexp": "mlp.shared_experts.gate_proj",
        "ffn_up_shexp": "mlp.shared_experts.up_proj",
        "ffn_down_shexp": "mlp.shared_experts.down_proj",
        "exp_probs_b": "mlp.gate.e_score_correction",
    }
)
_SANDWICH = MappingProxyType(
    {
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
    }
)
_SANDWICHED = frozenset({"gemma2", "gemma3"})
_EXPERTS = MappingProxyType(
    {"ffn_gate_exps": "gate_proj", "ffn_up_exps": "up_proj", "ffn_down_exps": "down_proj"}
)
_BLOCK = re.compile(r"blk\.(\d{1,6})\.([a-z0-9_]+)\.(weight|bias)")
_OUTSIDE = re.compile(r"([a-z_]+)\.(weight|bias)")


def folder_name(name: str, architecture: str) -> str:
    """Return what a folder of this architecture calls a tensor.

    Example:
        >>> folder_name("blk.3.attn_q.weight", "llama")
        'model.layers.3.self_attn.q_proj.weight'
        >>> folder_name("blk.0.ffn_norm.weight", "gemma2")
        'model.layers.0.pre_feedforward_layernorm.weight'
    """
    if (match := _OUTSIDE.fullmatch(name)) is not None:
        return f"{_LOOSE[match[1]]}.{match[2]}" if match[1] in _LOOSE else name
    if (match := _BLOCK.fullmatch(name)) is None:
        return name
    own = _SANDWICH if architecture in _SANDWICHED else {}
    known = own.get(match[2]) or _IN_LAYER.get(match[2])
    return name if known is None else f"model.layers.{match[1]}.{known}.{match[3]}"


def expert_stack(name: str) -> tuple[str, str] | None:
    """Return what stands before and after an expert's number, when a tensor stacks experts.

    Example:
        >>> expert_stack("blk.1.ffn_up_exps.weight")
        ('model.layers.1.mlp.experts.', '.up_proj.weight')
    """
    match = _BLOCK.fullmatch(name)
    if match is None or match[2] not in _EXPERTS:
        return None
    return f"model.layers.{match[1]}.mlp.experts.", f".{_EXPERTS[match[2]]}.{match[3]}"


_KEYS = MappingProxyType(
    {
        "block_count": "num_hidden_layers",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.key_length": "head_dim",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "context_length": "max_position_embeddings",
        "rope.freq_base": "rope_theta",
        "vocab_size": "vocab_size",
        "expert_count": "num_local_experts",
        "expert_used_count": "num_experts_per_tok",
        "expert_feed_forward_length": "moe_intermediate_size",
    }
)


def config_of(facts: Mapping[str, Fact], *, tied: bool, tokens: int | None) -> dict[str, Any]:
    """Return what a GGUF file says of its structure, as a configuration says it.

    Args:
        facts: Of the header.
        tied: Whether the file has no head of its own.
        tokens: How many tokens it names, if it names any.
    """
    architecture = facts.get("general.architecture")
    config: dict[str, Any] = {"model_type": architecture, "tie_word_embeddings": tied}
    if tokens is not None:
        config["vocab_size"] = tokens
    for theirs, ours in _KEYS.items():
        value = facts.get(f"{architecture}.{theirs}")
        if value is not None:
            config[ours] = list(value) if isinstance(value, tuple) else value
    return config
