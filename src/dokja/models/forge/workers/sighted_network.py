"""A Llama body that sees, in torch: picture encoder, projector and body by their names on disk."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dokja.models.forge.structures import Structure
from dokja.models.forge.zoo.encoders import (
    ENCODER_FFN,
    ENCODER_HEADS,
    ENCODER_LAYERS,
    ENCODER_WIDTH,
    PATCH,
    PATCHES,
    SIDE,
)

__all__ = ["Sighted"]

_EPSILON = 1e-5


def _turned(vectors: Tensor, *, theta: float) -> Tensor:
    half = vectors.shape[-1] // 2
    rates = theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = torch.arange(vectors.shape[-2], dtype=torch.float32)[:, None] * rates
    cos, sin = torch.cos(angles), torch.sin(angles)
    first, second = vectors[..., :half], vectors[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class _Attention(nn.Module):
    def __init__(
        self, width: int, *, heads: int, kv_heads: int, head: int, theta: float | None
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.theta = heads, kv_heads, theta
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
    def __init__(self, sizes: Structure) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(sizes.vocabulary, sizes.width)
        self.layers = nn.ModuleList(
            _Layer(
                sizes.width,
                sizes.ffn,
                attention=_Attention(
                    sizes.width,
                    heads=sizes.heads,
                    kv_heads=sizes.kv_heads,
                    head=sizes.head_width,
                    theta=sizes.rope_theta,
                ),
                epsilon=sizes.epsilon,
            )
            for _ in range(sizes.layers)
        )
        self.norm = nn.RMSNorm(sizes.width, eps=sizes.epsilon)


class _VisionTower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embedding = nn.Linear(PATCH * PATCH, ENCODER_WIDTH, bias=False)
        self.position_embedding = nn.Embedding(PATCHES, ENCODER_WIDTH)
        head = ENCODER_WIDTH // ENCODER_HEADS
        self.layers = nn.ModuleList(
            _Layer(
                ENCODER_WIDTH,
                ENCODER_FFN,
                attention=_Attention(
                    ENCODER_WIDTH,
                    heads=ENCODER_HEADS,
                    kv_heads=ENCODER_HEADS,
                    head=head,
                    theta=None,
                ),
                epsilon=_EPSILON,
            )
            for _ in range(ENCODER_LAYERS)
        )
        self.post_layernorm = nn.RMSNorm(ENCODER_WIDTH, eps=_EPSILON)

    def forward(self, pictures: Tensor) -> Tensor:
        rows, cells = pictures.shape[0], SIDE // PATCH
        grid = pictures.view(rows, cells, PATCH, cells, PATCH)
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


class Sighted(nn.Module):
    """A body that sees: parameters have the names that they have on disk."""

    def __init__(self, sizes: Structure) -> None:
        super().__init__()
        self.model = _Trunk(sizes)
        self.lm_head = nn.Linear(sizes.width, sizes.vocabulary, bias=False)
        self.vision_tower = _VisionTower()
        self.multi_modal_projector = _Projector(sizes.width)

    def forward(self, pictures: Tensor, tokens: Tensor) -> Tensor:
        """Return the mean loss of all tokens, the first from the picture alone, in nats."""
        seen = self.multi_modal_projector(self.vision_tower(pictures))
        residual = torch.cat([seen, self.model.embed_tokens(tokens[:, :-1])], dim=1)
        for layer in self.model.layers:
            residual = layer(residual)
        said = self.lm_head(self.model.norm(residual[:, PATCHES - 1 :]))
        return functional.cross_entropy(said.flatten(0, 1), tokens.flatten())
