"""Muon for matrices and AdamW for the rest: small bodies learn in two minutes on one core.

Muon (Keller Jordan and others, 2024) replaces each matrix's momentum by its nearest
semi-orthogonal matrix, found by five Newton-Schulz steps of a quintic.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

__all__ = ["Optimiser"]

_MOMENTUM = 0.95
_DECAY = 0.1
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


class Optimiser:
    """Moves matrices by Muon, embeddings and gains by AdamW, and a second group more gently.

    Args:
        network: What is trained; parameters that need no gradient stay as they are.
        rate: Step of Muon, as a share of an orthogonal matrix.
        gentle: Prefix of the tensors that only AdamW may move.
        gentle_rate: AdamW's step for them.
    """

    def __init__(
        self, network: nn.Module, *, rate: float, gentle: str = "", gentle_rate: float = 0.0
    ) -> None:
        self._rate = rate
        moved = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        kept = [p for n, p in moved if gentle and n.startswith(gentle)]
        free = [(n, p) for n, p in moved if not (gentle and n.startswith(gentle))]
        matrices = [p for n, p in free if p.dim() == 2 and "embed" not in n]
        rest = [p for n, p in free if p.dim() != 2 or "embed" in n]
        self._groups: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for matrix in matrices:
            self._groups[matrix.shape].append(matrix)
        self._momenta = {id(matrix): torch.zeros_like(matrix) for matrix in matrices}
        groups = [{"params": rest, "lr": 0.4 * rate}, {"params": kept, "lr": gentle_rate}]
        self._adam = torch.optim.AdamW(
            [group for group in groups if group["params"]], betas=(0.9, 0.98), weight_decay=0.0
        )
        self._full_rates = [group["lr"] for group in self._adam.param_groups]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Move everything once, with all rates times the factor, and forget the gradients."""
        for group, rate in zip(self._adam.param_groups, self._full_rates, strict=True):
            group["lr"] = rate * factor
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        for shape, group in self._groups.items():
            pushed = {id(m): m.grad for m in group if m.grad is not None}
            matrices = [matrix for matrix in group if id(matrix) in pushed]
            if not matrices:
                continue
            for key, gradient in pushed.items():
                self._momenta[key].lerp_(gradient, 1 - _MOMENTUM)
            pushes = [g.lerp(self._momenta[key], _MOMENTUM) for key, g in pushed.items()]
            tall = max(1.0, shape[0] / shape[1]) ** 0.5
            for matrix, turn in zip(matrices, _orthogonal(torch.stack(pushes)), strict=True):
                matrix.mul_(1 - self._rate * factor * _DECAY)
                matrix.add_(turn, alpha=-self._rate * factor * tall)
                matrix.grad = None


def _orthogonal(stack: Tensor) -> Tensor:
    tall = stack.shape[1] > stack.shape[2]
    near = stack.transpose(1, 2) if tall else stack
    near = near / (near.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ROUNDS):
        square = near @ near.transpose(1, 2)
        near = _QUINTIC[0] * near + (_QUINTIC[1] * square + _QUINTIC[2] * square @ square) @ near
    return near.transpose(1, 2) if tall else near
