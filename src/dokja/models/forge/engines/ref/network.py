"""The families `llama` and `peri` in numpy: from tokens to the last hidden rows, and back.

Written from the published definitions and not from any engine's code, so that a replay by it is
a second opinion. Matrices meet all tokens of a batch at once; each layer keeps what its way back
needs, and gives it up as soon as it was used.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.engines.ref.parts import (
    Array,
    Attended,
    Normed,
    Turns,
    attend,
    attend_back,
    lookup_back,
    mask,
    rms_norm,
    rms_norm_back,
    rotate,
    swiglu,
    swiglu_back,
    turns,
)
from dokja.models.forge.structures import Structure
from dokja.models.forge.structures.peri import slides

__all__ = ["FAMILIES", "Network", "Tape"]

FAMILIES = frozenset({"llama", "peri"})
"""The families that this engine computes."""

Weights = Mapping[str, Array]
Gradients = MutableMapping[str, Array]


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What one layer's way back needs; norms that a family has not are none."""

    attention_in: Array
    attention_norm: Normed
    query_norm: Normed | None
    key_norm: Normed | None
    attended: Attended
    attention_out: Array
    after_attention: Normed | None
    mlp_in: Array
    mlp_norm: Normed
    gated: tuple[Array, Array, Array]
    mlp_hidden: Array
    after_mlp: Normed | None


@dataclass(slots=True, kw_only=True)
class Tape:
    """What a way forward kept, for one way back.

    Attributes:
        hidden: Rows after the last norm, shape `(sequences * positions, width)`.
        tokens: What was read, shape `(sequences, positions)`.
        layers: What each layer kept.
        last_norm: What the last norm kept.
    """

    hidden: Array
    tokens: NDArray[np.int64]
    layers: list[_Kept]
    last_norm: Normed


class Network:
    """A structure, ready to compute with any weights of its shapes.

    Attributes:
        structure: Its family and sizes.
        head: The name of the tensor that makes logits.
    """

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.head = "model.embed_tokens.weight" if structure.tied else "lm_head.weight"
        self._is_peri = structure.family == "peri"
        self._tables: tuple[int, Any, Turns, Array, Array] | None = None

    def forward(self, weights: Weights, tokens: NDArray[np.int64]) -> Tape:
        """Return the last hidden rows of some sequences, and what the way back needs.

        Args:
            weights: Every tensor, all of one dtype.
            tokens: Ids, shape `(sequences, positions)`.
        """
        rows = weights["model.embed_tokens.weight"][tokens.reshape(-1)]
        layers: list[_Kept] = []
        for layer in range(self.structure.layers):
            rows, kept = self._layer(weights, rows, layer=layer, shape=tokens.shape)
            layers.append(kept)
        hidden, last_norm = self._norm(weights, "model.norm", rows)
        return Tape(hidden=hidden, tokens=tokens, layers=layers, last_norm=last_norm)

    def backward(self, weights: Weights, tape: Tape, above: Array, *, into: Gradients) -> None:
        """Add the gradients of all tensors but the head's share of them.

        Args:
            weights: Those of the way forward.
            tape: What it kept; used up.
            above: Gradient of the tape's hidden rows.
            into: Gradients by name, to be added to.
        """
        rows, of_gain = rms_norm_back(above, weights["model.norm.weight"], tape.last_norm)
        into["model.norm.weight"] += of_gain
        for layer in reversed(range(self.structure.layers)):
            kept = tape.layers.pop()
            rows = self._mlp_back(weights, rows, kept, place=f"model.layers.{layer}", into=into)
            rows = self._attention_back(weights, rows, kept, layer=layer, into=into)
        lookup_back(into["model.embed_tokens.weight"], tape.tokens.reshape(-1), rows)

    def _layer(
        self, weights: Weights, rows: Array, *, layer: int, shape: tuple[int, ...]
    ) -> tuple[Array, _Kept]:
        place = f"model.layers.{layer}"
        attention_in, attention_norm = self._norm(weights, f"{place}.input_layernorm", rows)
        query, query_norm = self._heads(weights, f"{place}.self_attn.q", attention_in, shape)
        key, key_norm = self._heads(weights, f"{place}.self_attn.k", attention_in, shape)
        value = self._split(attention_in @ weights[f"{place}.self_attn.v_proj.weight"].T, shape)
        angles, full, sliding = self._constants(shape[1], rows.dtype)
        attention_out, attended = attend(
            rotate(query, angles),
            rotate(key, angles),
            value,
            seen=sliding if self._is_peri and slides(layer) else full,
        )
        half = attention_out @ weights[f"{place}.self_attn.o_proj.weight"].T
        half, after_attention = self._after(weights, f"{place}.post_self_attn_norm", half)
        rows = rows + half
        mlp_in, mlp_norm = self._norm(weights, f"{place}.post_attention_layernorm", rows)
        mlp_hidden, gated = swiglu(
            mlp_in @ weights[f"{place}.mlp.gate_proj.weight"].T,
            mlp_in @ weights[f"{place}.mlp.up_proj.weight"].T,
        )
        half = mlp_hidden @ weights[f"{place}.mlp.down_proj.weight"].T
        half, after_mlp = self._after(weights, f"{place}.post_mlp_norm", half)
        return rows + half, _Kept(
            attention_in=attention_in,
            attention_norm=attention_norm,
            query_norm=query_norm,
            key_norm=key_norm,
            attended=attended,
            attention_out=attention_out,
            after_attention=after_attention,
            mlp_in=mlp_in,
            mlp_norm=mlp_norm,
            gated=gated,
            mlp_hidden=mlp_hidden,
            after_mlp=after_mlp,
        )

    def _mlp_back(
        self, weights: Weights, above: Array, kept: _Kept, *, place: str, into: Gradients
    ) -> Array:
        half = self._after_back(weights, f"{place}.post_mlp_norm", above, kept.after_mlp, into=into)
        down = f"{place}.mlp.down_proj.weight"
        into[down] += half.T @ kept.mlp_hidden
        of_gate, of_up = swiglu_back(half @ weights[down], kept.gated)
        below: Array = np.zeros((), dtype=above.dtype)
        for name, of_map in (("gate_proj", of_gate), ("up_proj", of_up)):
            tensor = f"{place}.mlp.{name}.weight"
            into[tensor] += of_map.T @ kept.mlp_in
            below = below + of_map @ weights[tensor]
        name = f"{place}.post_attention_layernorm.weight"
        below, of_gain = rms_norm_back(below, weights[name], kept.mlp_norm)
        into[name] += of_gain
        return above + below

    def _attention_back(
        self, weights: Weights, above: Array, kept: _Kept, *, layer: int, into: Gradients
    ) -> Array:
        place = f"model.layers.{layer}"
        half = self._after_back(
            weights, f"{place}.post_self_attn_norm", above, kept.after_attention, into=into
        )
        out = f"{place}.self_attn.o_proj.weight"
        into[out] += half.T @ kept.attention_out
        query, key, value = attend_back(half @ weights[out], kept.attended)
        angles, _, _ = self._constants(query.shape[1], above.dtype)
        below: Array = np.zeros((), dtype=above.dtype)
        for name, of_heads, norm in (
            ("q", rotate(query, angles, back=True), kept.query_norm),
            ("k", rotate(key, angles, back=True), kept.key_norm),
            ("v", value, None),
        ):
            heads = self._head_norm_back(
                weights, f"{place}.self_attn.{name}_norm.weight", of_heads, norm, into=into
            )
            tensor = f"{place}.self_attn.{name}_proj.weight"
            into[tensor] += heads.T @ kept.attention_in
            below = below + heads @ weights[tensor]
        name = f"{place}.input_layernorm.weight"
        below, of_gain = rms_norm_back(below, weights[name], kept.attention_norm)
        into[name] += of_gain
        return above + below

    def _norm(self, weights: Weights, place: str, rows: Array) -> tuple[Array, Normed]:
        return rms_norm(rows, weights[f"{place}.weight"], epsilon=self.structure.epsilon)

    def _after(self, weights: Weights, place: str, half: Array) -> tuple[Array, Normed | None]:
        return self._norm(weights, place, half) if self._is_peri else (half, None)

    def _after_back(
        self, weights: Weights, place: str, above: Array, kept: Normed | None, *, into: Gradients
    ) -> Array:
        if kept is None:
            return above
        below, of_gain = rms_norm_back(above, weights[f"{place}.weight"], kept)
        into[f"{place}.weight"] += of_gain
        return below

    def _split(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return rows.reshape(*shape, -1, self.structure.head_width)

    def _heads(
        self, weights: Weights, place: str, rows: Array, shape: tuple[int, ...]
    ) -> tuple[Array, Normed | None]:
        """Return queries or keys by head, before they are rotated."""
        projected = rows @ weights[f"{place}_proj.weight"].T
        if not self._is_peri:
            return self._split(projected, shape), None
        flat = projected.reshape(-1, self.structure.head_width)
        normed, kept = self._norm(weights, f"{place}_norm", flat)
        return self._split(normed, shape), kept

    def _head_norm_back(
        self, weights: Weights, name: str, above: Array, kept: Normed | None, *, into: Gradients
    ) -> Array:
        rows = above.shape[0] * above.shape[1]
        if kept is not None:
            flat = above.reshape(-1, self.structure.head_width)
            above, of_gain = rms_norm_back(flat, weights[name], kept)
            into[name] += of_gain
        return above.reshape(rows, -1)

    def _constants(self, positions: int, dtype: Any) -> tuple[Turns, Array, Array]:
        """Return angles and masks of so many positions; those of the last call are kept."""
        if self._tables is None or self._tables[:2] != (positions, dtype):
            structure = self.structure
            self._tables = (
                positions,
                dtype,
                turns(positions, structure.head_width, theta=structure.rope_theta, dtype=dtype),
                mask(positions, None, dtype=dtype),
                mask(positions, structure.window, dtype=dtype),
            )
        return self._tables[2:]
