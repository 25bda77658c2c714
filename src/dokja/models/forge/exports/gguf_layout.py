"""How a Llama lies in a GGUF file: names of tensors, rows of queries and keys, types.

llama.cpp rotates neighbours, rows 2i and 2i + 1 of a head, where Hugging Face rotates the first
half of a head with the second. Rows of the query and key projections are therefore written in
another order; nothing else about a tensor changes. Other families are refused with what differs.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, TransformError
from dokja.models.forge.structures import FAMILIES, Structure

__all__ = ["gguf_names", "known_to_llama_cpp", "permuted", "rotated_heads", "unpermuted"]

Array = NDArray[Any]

_BODY = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def known_to_llama_cpp(structure: Structure, *, file: str) -> None:
    """Make sure that a file of this structure can be read by llama.cpp.

    Raises:
        TransformError: It cannot; every difference is in it.

    Example:
        >>> tiny = Structure(family="peri", vocabulary=8, width=4, layers=1, heads=1,
        ...                  kv_heads=1, head_width=4, ffn=4, window=4)
        >>> known_to_llama_cpp(tiny, file="m")
        Traceback (most recent call last):
        dokja.errors.TransformError: m, norm: read peri-rms; expected pre-rms, as llama.cpp's \
llama has it. Export it as onnx, which takes any structure.
        m, qk_norm: read head-rms; expected none, as llama.cpp's llama has it.
        m, attention: read sliding-3-1; expected full, as llama.cpp's llama has it.
        Nothing was changed.
    """
    mistakes = list(_differences(structure, file))
    if mistakes:
        raise TransformError(mistakes)


def _differences(structure: Structure, file: str) -> Iterator[Mistake]:
    if structure.family == "llama":
        return
    remedy = "Export it as onnx, which takes any structure."
    ours, theirs = structure.signature(), FAMILIES["llama"].signature
    for one in fields(theirs):
        read, expected = getattr(ours, one.name), getattr(theirs, one.name)
        if read != expected:
            yield Mistake(
                file=file,
                place=one.name,
                read=read,
                expected=f"{expected}, as llama.cpp's llama has it",
                remedy=remedy,
            )
            remedy = ""


def gguf_names(structure: Structure) -> dict[str, str]:
    """Return the name in a GGUF file of each tensor of a `llama`, in the order of the file.

    Example:
        >>> tiny = Structure(family="llama", vocabulary=8, width=4, layers=1, heads=1,
        ...                  kv_heads=1, head_width=4, ffn=4, tied=True)
        >>> gguf_names(tiny)["model.layers.0.self_attn.q_proj.weight"]
        'blk.0.attn_q.weight'
    """
    names = {"model.embed_tokens.weight": _BODY["model.embed_tokens.weight"]}
    for layer in range(structure.layers):
        for ours, theirs in _LAYER.items():
            names[f"model.layers.{layer}.{ours}.weight"] = f"blk.{layer}.{theirs}.weight"
    names["model.norm.weight"] = _BODY["model.norm.weight"]
    if not structure.tied:
        names["lm_head.weight"] = _BODY["lm_head.weight"]
    return names


def rotated_heads(structure: Structure, name: str) -> int | None:
    """Return how many heads a tensor's rows belong to, if they are rotated; else none."""
    if name.endswith("self_attn.q_proj.weight"):
        return structure.heads
    return structure.kv_heads if name.endswith("self_attn.k_proj.weight") else None


def permuted(values: Array, heads: int) -> Array:
    """Return the rows in llama.cpp's order.

    Args:
        values: Shape `(heads * head width, …)`, a head's first half before its second.
        heads: How many.

    Example:
        >>> permuted(np.arange(4), 1).tolist(), permuted(np.arange(8), 2).tolist()
        ([0, 2, 1, 3], [0, 2, 1, 3, 4, 6, 5, 7])
    """
    return np.ascontiguousarray(
        values.reshape(heads, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    )


def unpermuted(values: Array, heads: int) -> Array:
    """Return the rows in Hugging Face's order: the way back from `permuted`.

    Example:
        >>> unpermuted(permuted(np.arange(12), 2), 2).tolist() == list(range(12))
        True
    """
    return np.ascontiguousarray(
        values.reshape(heads, -1, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    )
