"""Our own block in torch: norms around each half, normed queries and keys, sliding 3:1.

What it computes stands in `structures.peri`; the numpy engine `ref` computes the same. Names of
parameters are those of a Hugging Face folder, so that weights go in and out unchanged.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dokja.models.forge.structures import Structure
from dokja.models.forge.structures.peri import slides

__all__ = ["Output", "PeriForCausalLM"]


@dataclass(slots=True)
class Output:
    """What a forward pass returns.

    Attributes:
        loss: Mean next-token cross-entropy in nats; None without labels.
        logits: Shape `(batch, length, vocabulary)`.
    """

    loss: Tensor | None
    logits: Tensor


class RmsNorm(nn.Module):
    """Root-mean-square norm (arXiv 1910.07467), computed in float32."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` over its root mean square, times the gain."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return self.weight * wide.to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention; queries and keys are normed over each head, then rotated."""

    def __init__(self, structure: Structure, layer: int) -> None:
        super().__init__()
        width, head = structure.width, structure.head_width
        self.heads, self.kv_heads, self.head_width = structure.heads, structure.kv_heads, head
        self.window = structure.window if slides(layer) else None
        self.q_proj = nn.Linear(width, structure.heads * head, bias=False)
        self.k_proj = nn.Linear(width, structure.kv_heads * head, bias=False)
        self.v_proj = nn.Linear(width, structure.kv_heads * head, bias=False)
        self.o_proj = nn.Linear(structure.heads * head, width, bias=False)
        self.q_norm = RmsNorm(head, structure.epsilon)
        self.k_norm = RmsNorm(head, structure.epsilon)
        self.eager = False

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Return the attention's output for `x` of shape `(batch, length, width)`."""
        batch, length, _ = x.shape
        query = self.q_proj(x).view(batch, length, self.heads, self.head_width)
        key = self.k_proj(x).view(batch, length, self.kv_heads, self.head_width)
        value = self.v_proj(x).view(batch, length, self.kv_heads, self.head_width)
        query = _rotated(self.q_norm(query).transpose(1, 2), rotation)
        key = _rotated(self.k_norm(key).transpose(1, 2), rotation)
        mask = None
        if self.eager or (self.window is not None and self.window < length):
            mask = _mask(length, self.window, device=x.device)
        # Under autocast norms are float32 and projections bf16; attention wants one dtype.
        query, key = query.to(value.dtype), key.to(value.dtype)
        mixed = self._mixed(query, key, value.transpose(1, 2), mask)
        mixed = mixed.transpose(1, 2).reshape(batch, length, self.heads * self.head_width)
        out: Tensor = self.o_proj(mixed)
        return out

    def _mixed(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        shared = self.heads // self.kv_heads
        key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
        if not self.eager:
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, is_causal=mask is None
            )
        scores = query @ key.transpose(2, 3) * self.head_width**-0.5
        scores = scores.masked_fill(~mask, float("-inf")) if mask is not None else scores
        return scores.softmax(-1, dtype=torch.float32).to(value.dtype) @ value


class Mlp(nn.Module):
    """SwiGLU (arXiv 2002.05202)."""

    def __init__(self, structure: Structure) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(structure.width, structure.ffn, bias=False)
        self.up_proj = nn.Linear(structure.width, structure.ffn, bias=False)
        self.down_proj = nn.Linear(structure.ffn, structure.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the feed-forward half's output."""
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """One layer; both halves are normed before and after."""

    def __init__(self, structure: Structure, layer: int) -> None:
        super().__init__()
        width, epsilon = structure.width, structure.epsilon
        self.self_attn = Attention(structure, layer)
        self.mlp = Mlp(structure)
        self.input_layernorm = RmsNorm(width, epsilon)
        self.post_self_attn_norm = RmsNorm(width, epsilon)
        self.post_attention_layernorm = RmsNorm(width, epsilon)
        self.post_mlp_norm = RmsNorm(width, epsilon)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Return the residual stream after this layer."""
        x = x + self.post_self_attn_norm(self.self_attn(self.input_layernorm(x), rotation))
        out: Tensor = x + self.post_mlp_norm(self.mlp(self.post_attention_layernorm(x)))
        return out


class Body(nn.Module):
    """Embedding, blocks, last norm."""

    inverse_frequencies: Tensor

    def __init__(self, structure: Structure) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(structure.vocabulary, structure.width)
        self.layers = nn.ModuleList(Block(structure, layer) for layer in range(structure.layers))
        self.norm = RmsNorm(structure.width, structure.epsilon)
        exponents = torch.arange(0, structure.head_width, 2).float() / structure.head_width
        frequencies = 1.0 / structure.rope_theta**exponents
        self.register_buffer("inverse_frequencies", frequencies, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the normed residual stream of `ids`, shape `(batch, length, width)`."""
        positions = torch.arange(ids.shape[1], device=ids.device).float()
        # Angles stay in float32 under autocast: bf16 has too few digits for positions.
        angles = positions[:, None] * self.inverse_frequencies[None, :].float()
        angles = torch.cat((angles, angles), dim=-1)
        x = self.embed_tokens(ids)
        rotation = (angles.cos(), angles.sin())
        for layer in self.layers:
            x = layer(x, rotation)
        out: Tensor = self.norm(x)
        return out


class PeriForCausalLM(nn.Module):
    """The whole network with its head."""

    def __init__(self, structure: Structure, *, eager: bool = False) -> None:
        super().__init__()
        self.model = Body(structure)
        self.lm_head = nn.Linear(structure.width, structure.vocabulary, bias=False)
        if structure.tied:
            self.lm_head.weight = self.model.embed_tokens.weight
        for block in self.model.layers:
            block.self_attn.eager = eager

    def forward(
        self, input_ids: Tensor, labels: Tensor | None = None, *, use_cache: bool = False
    ) -> Output:
        """Return logits and, with labels, the mean loss of predicting each next one.

        Args:
            input_ids: Shape `(batch, length)`.
            labels: The same ids, not shifted.
            use_cache: Taken for the sake of a common call; training has no use for a cache.

        Raises:
            ValueError: A cache is asked for.
        """
        if use_cache:
            raise ValueError("this network keeps no cache")
        logits = self.lm_head(self.model(input_ids))
        if labels is None:
            return Output(loss=None, logits=logits)
        # The last position predicts nothing; padding labels spares a copy of the logits.
        targets = functional.pad(labels, (0, 1), value=-100)[:, 1:].reshape(-1)
        loss = functional.cross_entropy(logits.float().flatten(0, 1), targets)
        return Output(loss=loss, logits=logits)


def _rotated(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate the pairs (i, i + half) by their positions' angles (arXiv 2104.09864)."""
    cos, sin = (part.to(x.dtype) for part in rotation)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def _mask(length: int, window: int | None, *, device: torch.device) -> Tensor:
    """Return which earlier tokens each token sees, itself included; True for seen."""
    places = torch.arange(length, device=device)
    distance = places[:, None] - places[None, :]
    seen = distance >= 0
    return seen if window is None else seen & (distance < window)
