"""The family of GPT-2, as Hugging Face's `GPT2LMHeadModel` stores it.

LayerNorm with bias before each half of a block, learned positions, one fused projection for
queries, keys and values, GELU in its tanh form. Matrices lie transposed against the other
families: rows are inputs, columns outputs (Hugging Face's `Conv1D`).
"""

from collections.abc import Iterator
from typing import Any

from dokja.models.forge.structures.family import Family, Shape
from dokja.models.forge.structures.reading import NO, YES, ConfigReader
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import Sizes
from dokja.values import Json

__all__ = ["FAMILY"]


def _shapes(sizes: Sizes) -> dict[str, Shape]:
    width, ffn = sizes.width, sizes.ffn
    shapes: dict[str, Shape] = {
        "transformer.wte.weight": (sizes.vocabulary, width),
        "transformer.wpe.weight": (sizes.positions, width),
        **_affine("transformer.ln_f", width),
    }
    if not sizes.tied:
        shapes["lm_head.weight"] = (sizes.vocabulary, width)
    for layer in range(sizes.layers):
        place = f"transformer.h.{layer}"
        shapes |= {
            **_affine(f"{place}.ln_1", width),
            **_affine(f"{place}.ln_2", width),
            **_affine(f"{place}.attn.c_attn", width, 3 * width),
            **_affine(f"{place}.attn.c_proj", width, width),
            **_affine(f"{place}.mlp.c_fc", width, ffn),
            **_affine(f"{place}.mlp.c_proj", ffn, width),
        }
    return shapes


def _affine(place: str, *shape: int) -> dict[str, Shape]:
    return {f"{place}.weight": shape, f"{place}.bias": shape[-1:]}


def _config(sizes: Sizes) -> dict[str, Json]:
    return {
        "vocab_size": sizes.vocabulary,
        "n_embd": sizes.width,
        "n_inner": sizes.ffn,
        "n_layer": sizes.layers,
        "n_head": sizes.heads,
        "n_positions": sizes.positions,
        "layer_norm_epsilon": sizes.epsilon,
        "tie_word_embeddings": sizes.tied,
        "activation_function": "gelu_new",
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _sizes(read: ConfigReader) -> dict[str, Any]:
    read.only("activation_function", "gelu_new")
    read.only("scale_attn_weights", *YES)
    read.only("scale_attn_by_inverse_layer_idx", *NO)
    read.only("add_cross_attention", *NO)
    heads, width = read.whole("n_head"), read.whole("n_embd")
    if width % heads:
        read.against("n_head", read=heads, expected=f"a divisor of the width {width}")
    return {
        "vocabulary": read.whole("vocab_size"),
        "width": width,
        "layers": read.whole("n_layer"),
        "heads": heads,
        "kv_heads": heads,
        "head_width": max(1, width // heads),
        "ffn": read.whole("n_inner", otherwise=4 * width),
        "positions": read.whole("n_positions"),
        "epsilon": read.positive("layer_norm_epsilon", otherwise=1e-5),
        "tied": read.flag("tie_word_embeddings", otherwise=True),
    }


def _mistakes(sizes: Sizes) -> Iterator[tuple[str, object, str]]:
    if sizes.kv_heads != sizes.heads:
        yield "kv_heads", sizes.kv_heads, f"the {sizes.heads} heads: none are grouped"
    if sizes.heads * sizes.head_width != sizes.width:
        yield "head_width", sizes.head_width, f"width {sizes.width} over {sizes.heads} heads"


FAMILY = Family(
    name="gpt2",
    model_type="gpt2",
    architecture="GPT2LMHeadModel",
    signature=BlockSignature(
        norm="pre-layer",
        qk_norm="none",
        attention="full",
        positions="learned",
        mixer="grouped-query",
        ffn="gelu",
        routing="none",
    ),
    shapes=_shapes,
    config=_config,
    sizes=_sizes,
    mistakes=_mistakes,
)
