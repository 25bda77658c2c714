"""What a configuration claims of a component: sizes under the many keys that say them.

A configuration comes from outside and may say anything; what is no sensible size is passed over,
and nothing here is believed before shapes agree with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Claim", "Claims", "claims_of"]

_LARGEST = 2**31

_PARTS = {
    "language-body": (
        ("text_config",),
        ("llm_config",),
        ("language_config",),
        ("thinker_config", "text_config"),
    ),
    "vision-encoder": (
        ("vision_config",),
        ("thinker_config", "vision_config"),
        ("visual",),
        ("vit_config",),
    ),
    "audio-encoder": (
        ("audio_config",),
        ("thinker_config", "audio_config"),
        ("speech_config",),
        ("audio_encoder_config",),
    ),
}
_PARTS["draft-head"] = _PARTS["language-body"]

_KEYS = {
    "width": ("hidden_size", "n_embd", "d_model", "embed_dim", "dim", "model_dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"),
    "kv_heads": (
        "num_key_value_heads",
        "num_global_key_value_heads",
        "swa_num_key_value_heads",
        "multi_query_group_num",
        "num_kv_heads",
        "n_head_kv",
    ),
    "head_width": ("head_dim", "global_head_dim", "swa_head_dim", "kv_channels"),
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth"),
    "ffn": (
        "intermediate_size",
        "intermediate_size_mlp",
        "shared_intermediate_size",
        "n_inner",
        "ffn_hidden_size",
        "ffn_dim",
        "d_ff",
    ),
    "expert_ffn": ("moe_intermediate_size", "expert_ffn_hidden_size"),
    "experts": ("num_local_experts", "n_routed_experts", "num_experts", "moe_num_experts"),
    "vocabulary": ("vocab_size", "padded_vocab_size"),
    "latent": ("kv_lora_rank",),
    "plain": ("qk_nope_head_dim",),
    "rotated": ("qk_rope_head_dim",),
    "value": ("v_head_dim",),
}
_OF_ENCODERS = {
    "heads": ("encoder_attention_heads",),
    "layers": ("encoder_layers",),
    "ffn": ("encoder_ffn_dim",),
}
_OF_DECODERS = {
    "heads": ("decoder_attention_heads",),
    "layers": ("decoder_layers",),
    "ffn": ("decoder_ffn_dim",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A size that a configuration states.

    Attributes:
        key: Under which it stands.
        value: At least 1.
    """

    key: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a configuration says of one component.

    Attributes:
        said: The part of the configuration that is about it.
        role: Of the component.
        model_type: As that part says it; empty where it says none.
        tied: Whether head and embedding are said to be one; none where nothing is said.
        causes: Whether the named architectures have a head over tokens; none where none is named.
    """

    said: Mapping[str, Any]
    role: str
    model_type: str = ""
    tied: bool | None = None
    causes: bool | None = None

    def size(self, what: str) -> Claim | None:
        """Return the first sensible size that stands under the keys of `what`."""
        return next(iter(self.sizes(what)), None)

    def sizes(self, what: str) -> tuple[Claim, ...]:
        """Return every sensible size that stands under the keys of `what`."""
        if what == "kv_heads" and self._shares_one_key():
            return (Claim(key="multi_query", value=1),)
        first = _OF_ENCODERS if self.role.endswith("-encoder") else _OF_DECODERS
        keys = (*first.get(what, ()), *_KEYS[what])
        return tuple(
            Claim(key=key, value=value)
            for key in keys
            if (value := _size(self.said.get(key))) is not None
        )

    def _shares_one_key(self) -> bool:
        """Whether all query heads are said to share one key head, whatever other keys say.

        Falcon's first form; ChatGLM says `multi_query_attention`, with a number of groups.
        """
        return (
            self.said.get("multi_query") is True
            and self.said.get("new_decoder_architecture") is not True
        )


def claims_of(config: Mapping[str, Any] | None, role: str, *, alone: bool) -> Claims:
    """Return what a configuration claims of a component.

    Args:
        config: The whole of it.
        role: Of the component.
        alone: Whether the component is the whole model or its language body, so that what stands
            at the top is about it.

    Example:
        >>> said = {"vision_config": {"depth": 27}}
        >>> claims_of(said, "vision-encoder", alone=False).size("layers")
        Claim(key='depth', value=27)
    """
    if not isinstance(config, Mapping):
        return Claims(said={}, role=role)
    part = _part(config, role)
    if part is None:
        part = config if alone else {}
    tied = part.get("tie_word_embeddings", config.get("tie_word_embeddings"))
    named = config.get("architectures")
    model_type = _text(part.get("model_type"))
    return Claims(
        said=part,
        role=role,
        model_type=model_type or (_text(config.get("model_type")) if alone else ""),
        tied=tied if isinstance(tied, bool) else None,
        causes=any(_causes(one) for one in named) if isinstance(named, list) and named else None,
    )


def _part(config: Mapping[str, Any], role: str) -> Mapping[str, Any] | None:
    for path in _PARTS.get(role, ()):
        found: Any = config
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and found:
            return found
    return None


def _size(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < _LARGEST else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _causes(name: object) -> bool:
    return isinstance(name, str) and any(
        word in name for word in ("CausalLM", "LMHead", "ConditionalGeneration", "LM")
    )
