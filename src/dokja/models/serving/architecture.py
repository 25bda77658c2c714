"""Which networks the embedded runtime can run, read from a folder's configuration.

A Llama-like body: RMSNorm before each half-layer, rotary positions, grouped-query attention,
SwiGLU, no biases. Whatever else a configuration asks for is named, all of it at once. The
configuration is a claim; `network` holds the tensors' own shapes against it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Architecture", "architecture_of", "end_tokens"]

_LARGEST = 1 << 24
_MAX_LAYERS = 1 << 12

# Keys that change what is computed, with the values under which they change nothing here.
_WITHOUT_EFFECT: Mapping[str, tuple[object, ...]] = {
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "hidden_act": ("silu", "swish"),
    "partial_rotary_factor": (1, None),
    "pretraining_tp": (1, None),
    "rope_scaling": (None,),
    "sliding_window": (None,),
    "quantization_config": (None,),
    "auto_map": (None,),
    "logit_scale": (None, 1),
    "attention_multiplier": (None,),
    "residual_multiplier": (None, 1),
    "embedding_multiplier": (None, 1),
    "final_logit_softcapping": (None,),
    "attn_logit_softcapping": (None,),
    "qk_norm": (None, False),
    "use_qk_norm": (None, False),
    "num_experts": (None,),
    "num_local_experts": (None,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Sizes and constants of a Llama-like body.

    Attributes:
        vocabulary: Rows of the embedding.
        width: Of the residual stream.
        ffn: Of the feed-forward half.
        layers: How many.
        heads: Query heads.
        kv_heads: Key and value heads; each serves `heads / kv_heads` query heads.
        head_width: Of one head; even.
        positions: The longest text, prompt and answer together, in tokens.
        rope_theta: Base of the rotary angles.
        epsilon: Of every RMSNorm.
        tied: Whether the head is the embedding.
    """

    vocabulary: int
    width: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    positions: int
    rope_theta: float
    epsilon: float
    tied: bool

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return every tensor that the body needs, with its shape."""
        width, query, grouped = (
            self.width,
            self.heads * self.head_width,
            self.kv_heads * self.head_width,
        )
        shapes: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocabulary, width),
            "model.norm.weight": (width,),
        }
        if not self.tied:
            shapes["lm_head.weight"] = (self.vocabulary, width)
        for layer in range(self.layers):
            place = f"model.layers.{layer}"
            shapes |= {
                f"{place}.input_layernorm.weight": (width,),
                f"{place}.post_attention_layernorm.weight": (width,),
                f"{place}.self_attn.q_proj.weight": (query, width),
                f"{place}.self_attn.k_proj.weight": (grouped, width),
                f"{place}.self_attn.v_proj.weight": (grouped, width),
                f"{place}.self_attn.o_proj.weight": (width, query),
                f"{place}.mlp.gate_proj.weight": (self.ffn, width),
                f"{place}.mlp.up_proj.weight": (self.ffn, width),
                f"{place}.mlp.down_proj.weight": (width, self.ffn),
            }
        return shapes


def architecture_of(config: Mapping[str, Any], refused: list[str]) -> Architecture | None:
    """Return the architecture that a configuration describes; None when anything is against it.

    Args:
        config: The object in `config.json`.
        refused: Everything against it is added here.

    Example:
        >>> refused = []
        >>> architecture_of({"model_type": "llama", "hidden_act": "gelu"}, refused)
        >>> refused[0]
        "hidden_act: read 'gelu'; expected 'silu' or 'swish'"
    """
    before = len(refused)
    refused += _unsupported(config)
    size = _Reading(config, refused)
    theta = _rotation(config, refused)
    found = Architecture(
        vocabulary=size.whole("vocab_size"),
        width=size.whole("hidden_size"),
        ffn=size.whole("intermediate_size"),
        layers=size.whole("num_hidden_layers", at_most=_MAX_LAYERS),
        heads=size.whole("num_attention_heads"),
        kv_heads=size.whole("num_key_value_heads", otherwise=config.get("num_attention_heads")),
        head_width=size.whole("head_dim", otherwise=_head_width(config)),
        positions=size.whole("max_position_embeddings"),
        rope_theta=size.positive("rope_theta", read=theta),
        epsilon=size.positive("rms_norm_eps", read=config.get("rms_norm_eps", 1e-6)),
        tied=size.flag("tie_word_embeddings"),
    )
    if len(refused) == before:
        refused += _contradictions(found)
    return found if len(refused) == before else None


def end_tokens(
    config: Mapping[str, Any], generation: Mapping[str, Any], refused: list[str]
) -> frozenset[int]:
    """Return the token ids that end an answer; the generation's own paper speaks first."""
    read = generation.get("eos_token_id")
    read = config.get("eos_token_id") if read is None else read
    ids = read if isinstance(read, list) else [] if read is None else [read]
    sound = [item for item in ids if isinstance(item, int) and not isinstance(item, bool)]
    if len(sound) < len(ids) or any(item < 0 for item in sound):
        refused.append(f"eos_token_id: read {read!r:.80}; expected a token id or a list of them")
    return frozenset(sound)


def _unsupported(config: Mapping[str, Any]) -> Iterator[str]:
    family = config.get("model_type")
    if family != "llama":
        yield f"model_type: read {family!r:.80}; expected 'llama'"
    for key, harmless in _WITHOUT_EFFECT.items():
        if key in config and not any(_same(config[key], value) for value in harmless):
            expected = " or ".join(repr(value) for value in harmless if value is not None)
            yield f"{key}: read {config[key]!r:.80}; expected {expected or 'nothing'}"


def _same(read: object, value: object) -> bool:
    return read == value and isinstance(read, bool) is isinstance(value, bool)


def _rotation(config: Mapping[str, Any], refused: list[str]) -> object:
    """Return the rotary base; newer configurations keep it in an object of its own."""
    stated = config.get("rope_theta", 10000.0)
    parameters = config.get("rope_parameters")
    if parameters is None:
        return stated
    if not isinstance(parameters, dict):
        refused.append(f"rope_parameters: read {parameters!r:.80}; expected an object")
        return stated
    kind = parameters.get("rope_type", "default")
    if kind != "default":
        refused.append(f"rope_parameters.rope_type: read {kind!r:.80}; expected 'default'")
    others = sorted(set(parameters) - {"rope_theta", "rope_type"})
    if others:
        refused.append(f"rope_parameters: read {', '.join(others):.80}; expected only rope_theta")
    return parameters.get("rope_theta", stated)


def _head_width(config: Mapping[str, Any]) -> object:
    width, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if isinstance(width, int) and isinstance(heads, int) and heads > 0 and width % heads == 0:
        return width // heads
    return None


def _contradictions(found: Architecture) -> Iterator[str]:
    if found.heads % found.kv_heads:
        yield (
            f"num_key_value_heads: read {found.kv_heads}; "
            f"expected a divisor of the {found.heads} heads"
        )
    if found.head_width % 2:
        yield f"head_dim: read {found.head_width}; expected an even number"


class _Reading:
    """Reads one value after another and keeps what is wrong; refused values read as one."""

    def __init__(self, config: Mapping[str, Any], refused: list[str]) -> None:
        self._config = config
        self._refused = refused

    def whole(self, key: str, *, otherwise: object = None, at_most: int = _LARGEST) -> int:
        read = self._config.get(key)
        read = otherwise if read is None else read
        if isinstance(read, int) and not isinstance(read, bool) and 0 < read <= at_most:
            return read
        self._refused.append(f"{key}: read {read!r:.80}; expected a whole number up to {at_most}")
        return 1

    def positive(self, key: str, *, read: object) -> float:
        if isinstance(read, int | float) and not isinstance(read, bool) and 0 < read < math.inf:
            return float(read)
        self._refused.append(f"{key}: read {read!r:.80}; expected a number above zero")
        return 1.0

    def flag(self, key: str) -> bool:
        read = self._config.get(key, False)
        if isinstance(read, bool):
            return read
        self._refused.append(f"{key}: read {read!r:.80}; expected true or false")
        return False
