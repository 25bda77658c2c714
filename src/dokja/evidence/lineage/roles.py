"""What a tensor is for, by its name: which component, which layer, which role in it.

Names are a convention and nothing else, so a role only proposes which tensors to lay beside each
other; that the shapes fit and the values agree is looked at afterwards. A name that no pattern
knows keeps its own last part as its role: two models that share it can still be compared.
"""

import re
from dataclasses import dataclass
from enum import Enum

__all__ = ["Sort", "TensorRole", "component_role", "tensor_role"]


class Sort(Enum):
    """How a tensor takes part in a comparison."""

    MATRIX = "matrix"  # starts at random, so that its values tell where they come from
    GAIN = "gain"  # starts at one: centred, it tells about training and not about the start
    EMBEDDING = "embedding"  # rows go with tokens, and are paired by the tokens' text
    LEVEL = "level"  # biases and single numbers: too few values to tell anything
    FORMULA = "formula"  # may be computed and not trained (positions, rotations): never compared


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRole:
    """Where a tensor stands.

    Attributes:
        stack: Name of the stack of layers that it belongs to; empty outside of layers.
        layer: Its layer's number in the stack; None outside of layers.
        role: Its role there: `q`, `gate`, …, or the rest of its own name.
        sort: How it takes part in a comparison.
    """

    stack: str
    layer: int | None
    role: str
    sort: Sort


_LAYER = re.compile(r"(?:(.*)\.)?(layers|layer|blocks|block|h|resblocks)\.(\d+)\.(.+)")

_ROLES = tuple(
    (role, re.compile(rf"(?:^|[._])(?:{pattern})$"))
    for role, pattern in (
        ("o", r"attention\.output\.dense"),
        (
            "down",
            r"mlp\.c_proj|ffn\.c_proj|down_proj|w2|fc2|dense_4h_to_h|linear_fc2|output\.dense",
        ),
        ("o", r"attn\.c_proj|attn\.proj|o_proj|wo|out_proj|to_out\.0"),
        ("o", r"(?:self_attention|attention|attn)\.dense|to_out|linear_proj"),
        ("qkv", r"qkv|qkv_proj|query_key_value|c_attn|w_pack|wqkv|in_proj|linear_qkv"),
        ("q", r"q_proj|wq|query|to_q|q"),
        ("k", r"k_proj|wk|key|to_k|k"),
        ("v", r"v_proj|wv|value|to_v|v"),
        ("gate_up", r"gate_up_proj"),
        ("gate", r"gate_proj|w1|linear_gate"),
        ("up", r"up_proj|w3|fc1|c_fc|dense_h_to_4h|linear_fc1|intermediate\.dense"),
        ("router", r"(?:mlp|block_sparse_moe|feed_forward)\.(?:gate|router)|router"),
    )
)
_NORMS = tuple(
    (role, re.compile(rf"(?:^|[._])(?:{pattern})$"))
    for role, pattern in (
        ("norm_attention", r"input_layernorm|ln_1|attention_norm|norm1|layer_norm1"),
        ("norm_ffn", r"post_attention_layernorm|ln_2|ffn_norm|norm2|layer_norm2"),
        ("norm_q", r"q_norm|q_layernorm"),
        ("norm_k", r"k_norm|k_layernorm"),
    )
)
_NORM = re.compile(r"norm|(?:^|[._])ln(?:[._]|$)")
_TOKENS = (
    (
        "embedding",
        re.compile(r"(?:^|[._])(?:embed_tokens|wte|word_embeddings|tok_embeddings|embed_in)$"),
    ),
    ("head", re.compile(r"^(?:lm_head|output|embed_out)$|[._](?:lm_head|embed_out)$")),
)
_FORMULA = re.compile(r"pos(?:ition)?_?emb|(?:^|[._])wpe$|inv_freq|rotary|position_ids|rope")

_COMPONENTS = tuple(
    (role, re.compile(rf"(?:^|\.)(?:{pattern})(?:[._]|$)"))
    for role, pattern in (
        # A projector often stands inside the tower's name, so it is looked for first.
        ("projector", r"multi_modal_projector|mm_projector|projector|connector|merger|aligner"),
        ("adapter", r"lora|lora_[ab]|adapters?"),
        ("vision-encoder", r"vision\w*|visual|image_encoder|vit"),
        ("audio-encoder", r"audio\w*|speech\w*"),
    )
)


def component_role(name: str) -> str:
    """Return the role of the component that a tensor of this name usually belongs to.

    Example:
        >>> component_role("vision_tower.layers.0.mlp.up_proj.weight")
        'vision-encoder'
        >>> component_role("model.layers.0.mlp.up_proj.weight")
        'language-body'
    """
    for role, pattern in _COMPONENTS:
        if pattern.search(name) is not None:
            return role
    return "language-body"


def tensor_role(name: str, *, axes: int) -> TensorRole:
    """Return where a tensor of this name stands.

    Args:
        name: As in the file.
        axes: How many axes it has.

    Example:
        >>> place = tensor_role("model.layers.3.self_attn.q_proj.weight", axes=2)
        >>> place.stack, place.layer, place.role
        ('model.layers', 3, 'q')
    """
    match = _LAYER.fullmatch(name)
    if match is None:
        stack, layer, tail = "", None, name
    else:
        stack = ".".join(part for part in (match[1], match[2]) if part)
        # Digits beyond any depth are no layer number, and Python would refuse to read them.
        layer = int(match[3]) if len(match[3]) <= 6 else None  # noqa: PLR2004  # a million layers
        tail = match[4] if layer is not None else name
    rest = tail.removesuffix(".weight")
    role, sort = _role(rest, axes=axes, in_layer=layer is not None)
    return TensorRole(stack=stack if layer is not None else "", layer=layer, role=role, sort=sort)


def _role(rest: str, *, axes: int, in_layer: bool) -> tuple[str, Sort]:
    lower = rest.lower()
    if _FORMULA.search(lower) is not None:
        return rest, Sort.FORMULA
    if axes < 2:  # noqa: PLR2004  # a vector
        if _NORM.search(lower) is None or lower.endswith("bias"):
            return rest, Sort.LEVEL
        return _named(_NORMS, lower) or _last(rest), Sort.GAIN
    if in_layer:
        return _named(_ROLES, lower) or rest, Sort.MATRIX
    if (token_role := _named(_TOKENS, lower)) is not None:
        return token_role, Sort.EMBEDDING
    return _last(rest), Sort.MATRIX


def _named(patterns: tuple[tuple[str, re.Pattern[str]], ...], lower: str) -> str | None:
    return next((role for role, pattern in patterns if pattern.search(lower) is not None), None)


def _last(rest: str) -> str:
    """Return a loose tensor's name without the wrappers that two models name differently."""
    *_, before, last = ("", *rest.split("."))
    return f"{before}.{last}" if last.isdigit() else last
