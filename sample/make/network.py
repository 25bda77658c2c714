"""The sample's networks in torch: a Llama-like language body and a small picture encoder.

Tensor names are those of a Hugging Face Llama folder, so that transformers opens the body as it
is; the encoder's stand beside it under `vision_tower.` and `multi_modal_projector.`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Body", "Shape", "SightedBody", "parameter_count"]

PATCH = 2
PATCHES = 16
ENCODER_WIDTH, ENCODER_HEADS, ENCODER_FFN, ENCODER_LAYERS = 48, 3, 160, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a language body."""

    vocabulary: int
    layers: int
    width: int = 96
    ffn: int = 256
    heads: int = 4
    kv_heads: int = 2
    rope_theta: float = 10000.0
    positions: int = 128
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Return the width of one attention head."""
        return self.width // self.heads


def _turned(vectors: Tensor, *, theta: float) -> Tensor:
    half = vectors.shape[-1] // 2
    rates = theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = torch.arange(vectors.shape[-2], dtype=torch.float32)[:, None] * rates
    cos, sin = torch.cos(angles), torch.sin(angles)
    first, second = vectors[..., :half], vectors[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class _Attention(nn.Module):
    def __init__(self, width: int, *, heads: int, kv_heads: int, theta: float | None) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.theta = heads, kv_heads, theta
        head = width // heads
        self.q_proj = nn.Linear(width, heads * head, bias=False)
        self.k_proj = nn.Linear(width, kv_heads * head, bias=False)
        self.v_proj = nn.Linear(width, kv_heads * head, bias=False)
        self.o_proj = nn.Linear(heads * head, width, bias=False)

    def forward(self, residual: Tensor) -> Tensor:
        rows, length, _ = residual.shape
        query = self.q_proj(residual).view(rows, length, self.heads, -1).transpose(1, 2)
        key = self.k_proj(residual).view(rows, length, self.kv_heads, -1).transpose(1, 2)
        value = self.v_proj(residual).view(rows, length, self.kv_heads, -1).transpose(1, 2)
        if self.theta is not None:
            query, key = _turned(query, theta=self.theta), _turned(key, theta=self.theta)
        each = self.heads // self.kv_heads
        mixed = functional.scaled_dot_product_attention(
            query,
            key.repeat_interleave(each, dim=1),
            value.repeat_interleave(each, dim=1),
            is_causal=self.theta is not None,
        )
        return self.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))


class _Mlp(nn.Module):
    def __init__(self, width: int, ffn: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, ffn, bias=False)
        self.up_proj = nn.Linear(width, ffn, bias=False)
        self.down_proj = nn.Linear(ffn, width, bias=False)

    def forward(self, residual: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(residual)) * self.up_proj(residual))


class _Layer(nn.Module):
    def __init__(self, width: int, ffn: int, *, attention: _Attention, epsilon: float) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(width, eps=epsilon)
        self.self_attn = attention
        self.post_attention_layernorm = nn.RMSNorm(width, eps=epsilon)
        self.mlp = _Mlp(width, ffn)

    def forward(self, residual: Tensor) -> Tensor:
        residual = residual + self.self_attn(self.input_layernorm(residual))
        return residual + self.mlp(self.post_attention_layernorm(residual))


class _Trunk(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(
            _Layer(
                shape.width,
                shape.ffn,
                attention=_Attention(
                    shape.width,
                    heads=shape.heads,
                    kv_heads=shape.kv_heads,
                    theta=shape.rope_theta,
                ),
                epsilon=shape.epsilon,
            )
            for _ in range(shape.layers)
        )
        self.norm = nn.RMSNorm(shape.width, eps=shape.epsilon)


class _VisionTower(nn.Module):
    """Eight by eight dots → sixteen patches of two by two → two transformer layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embedding = nn.Linear(PATCH * PATCH, ENCODER_WIDTH, bias=False)
        self.position_embedding = nn.Embedding(PATCHES, ENCODER_WIDTH)
        self.layers = nn.ModuleList(
            _Layer(
                ENCODER_WIDTH,
                ENCODER_FFN,
                attention=_Attention(
                    ENCODER_WIDTH, heads=ENCODER_HEADS, kv_heads=ENCODER_HEADS, theta=None
                ),
                epsilon=1e-5,
            )
            for _ in range(ENCODER_LAYERS)
        )
        self.post_layernorm = nn.RMSNorm(ENCODER_WIDTH, eps=1e-5)

    def forward(self, pictures: Tensor) -> Tensor:
        rows, side, _ = pictures.shape
        grid = pictures.view(rows, side // PATCH, PATCH, side // PATCH, PATCH)
        patches = grid.transpose(2, 3).reshape(rows, PATCHES, PATCH * PATCH)
        residual = self.patch_embedding(patches) + self.position_embedding.weight
        for layer in self.layers:
            residual = layer(residual)
        return self.post_layernorm(residual)


class _Projector(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(ENCODER_WIDTH, width, bias=False)
        self.linear_2 = nn.Linear(width, width, bias=False)

    def forward(self, seen: Tensor) -> Tensor:
        return self.linear_2(functional.silu(self.linear_1(seen)))


class Body(nn.Module):
    """A language body whose head is its embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = _Trunk(shape)
        self._initialise()

    def _initialise(self) -> None:
        depth = 2 * self.shape.layers
        for name, weight in self.named_parameters():
            if weight.dim() < 2:
                continue
            spread = 0.05 if "embed" in name else weight.shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                spread /= depth**0.5
            nn.init.normal_(weight, std=spread)

    def forward(self, tokens: Tensor, *, before: Tensor | None = None) -> Tensor:
        """Return logits for the tokens, shape `(rows, length, vocabulary)`.

        Args:
            tokens: Token ids, padded on the right.
            before: Vectors that stand before the tokens, shape `(rows, count, width)`.
        """
        residual = self.model.embed_tokens(tokens)
        skipped = 0
        if before is not None:
            skipped = before.shape[1]
            residual = torch.cat([before, residual], dim=1)
        for layer in self.model.layers:
            residual = layer(residual)
        residual = self.model.norm(residual[:, skipped:])
        return functional.linear(residual, self.model.embed_tokens.weight)


class SightedBody(Body):
    """A language body with a picture encoder and a projector before it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.vision_tower = _VisionTower()
        self.multi_modal_projector = _Projector(shape.width)
        self._initialise()

    def look(self, pictures: Tensor) -> Tensor:
        """Return what the body sees of pictures `(rows, 8, 8)`: `(rows, 16, width)`."""
        return self.multi_modal_projector(self.vision_tower(pictures))


def parameter_count(weights: dict[str, Tensor], *, prefix: str) -> int:
    """Return how many parameters stand under a tensor-name prefix."""
    return sum(weight.numel() for name, weight in weights.items() if name.startswith(prefix))
