"""The engine `sighted`: trains a picture encoder, a projector and a Llama body together.

    python -m dokja.models.forge.workers.sighted job.json

A job is as for every engine; its structure is the body's, and its start holds `vision_tower.` and
`multi_modal_projector.` besides. Every instance is a window of text whose first eight tokens
are the name of a drawn figure, and a picture of that figure, speckled, stands before it: without
looking, nobody knows how the name begins. Figures, names and speckles follow from the data's seed
and the instance's number, so that a resumed training sees the same pictures. fp32 on a CPU.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dokja.errors import DokjaError, EngineError, Mistake, RecipeError
from dokja.models.forge.corpora.batches import TokenData, open_data
from dokja.models.forge.engines import checkpoints, contract, jobs, runs
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.draws import normals, permutation, words
from dokja.models.forge.workers import training
from dokja.models.forge.workers.networks import arrays
from dokja.models.forge.workers.settings import environment, prepare
from dokja.models.forge.zoo.encoders import (
    ENCODER_FFN,
    ENCODER_HEADS,
    ENCODER_LAYERS,
    ENCODER_WIDTH,
    PATCH,
    PATCHES,
    SIDE,
    sighted_config,
)
from dokja.models.weights import open_source

__all__ = ["Pictures", "Sighted", "main", "train"]

FIGURES = 16
NAME = 8
_EPSILON = 1e-5
_DOTS = 6
_SPECKLES = 0.2


class Pictures:
    """Pictures of named figures, one for every instance.

    Args:
        seed: From which it follows which figure comes when, and its speckles. Figures and names
            are the same for every seed.
        vocabulary: How many tokens names are made of.
    """

    def __init__(self, seed: bytes, *, vocabulary: int) -> None:
        self._seed = seed
        dots = SIDE - 2
        self._figures = np.zeros((FIGURES, SIDE, SIDE), dtype=np.float32)
        for figure in range(FIGURES):
            chosen = permutation(b"figures", str(figure), count=dots * dots)[: 2 * _DOTS]
            self._figures[figure, 1 + chosen // dots, 1 + chosen % dots] = 1.0
        self.names = np.array(
            [permutation(b"names", str(n), count=vocabulary)[:NAME] for n in range(FIGURES)]
        )

    def of(self, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return pictures `(n, side, side)` and names `(n, 8)` of some instances."""
        pictures, names = [], []
        for instance in range(start, stop):
            drawn = words(self._seed, f"picture/{instance}", count=1)
            figure = int(drawn[0] % FIGURES)
            speckles = normals(self._seed, f"speckles/{instance}", shape=(SIDE, SIDE))
            pictures.append(self._figures[figure] + np.float32(_SPECKLES) * speckles)
            names.append(self.names[figure])
        return np.stack(pictures), np.stack(names)


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


def train(job: jobs.Job, *, base: Path, data: TokenData, signals: training.Signals) -> int:
    """Run a job to its end, or until it is asked to stop; return the exit code.

    Raises:
        DokjaError: The job cannot be done; see the message.
    """
    _refuse(job)
    began = time.monotonic()
    prepare(job)
    if runs.is_done(job, base=base):
        return contract.DONE
    resumed = runs.newest_state(job, base=base)
    network = Sighted(job.structure)
    _load(network, resumed, start=base / job.start)
    trained = _trained(network, job)
    adamw = training.optimizer(job, trained)
    if resumed is not None:
        training.restore(adamw, resumed, fused=False, views=_whole, trained=trained)
    done = 0 if resumed is None else resumed.state.updates
    first = job.first_step if resumed is None else resumed.state.step
    run = runs.Run(job, base=base, engine="sighted", clock=lambda: datetime.now(UTC))
    try:
        run.begin(environment(job, engine="sighted", processes=1), resumed=resumed)

        def state(step: int) -> runs.State:
            return _state(job, network, adamw, trained=trained, updates=done + step - first)

        if resumed is None:
            run.keep(state(first))
        schedule = training.scheduler(job, adamw, first=first)
        pictures = Pictures(
            bytes.fromhex(str(job.data["seed"])), vocabulary=job.structure.vocabulary
        )
        for step in range(first + 1, job.last_step + 1):
            loss, norm = _step(job, step, network, data=data, pictures=pictures, trained=trained)
            adamw.step()
            schedule.step()
            run.tell([loss], [norm])
            asked = signals.received is not None and step < job.last_step
            if job.wants_checkpoint(step) or asked:
                run.keep(state(step))
            if asked:
                run.interrupt(f"asked to stop by {signals.received}; a checkpoint was written")
                return contract.INTERRUPTED
        run.finish(state(job.last_step), device_seconds=time.monotonic() - began)
    finally:
        run.close()
    return contract.DONE


def _step(
    job: jobs.Job,
    step: int,
    network: Sighted,
    *,
    data: TokenData,
    pictures: Pictures,
    trained: Sequence[tuple[str, nn.Parameter]],
) -> tuple[float, float]:
    """Go forward and back on a step's batch; return its loss and the gradient's norm."""
    start, stop = job.instances(step)
    tokens = data.batch(start, stop)
    seen, names = pictures.of(start, stop)
    tokens[:, :NAME] = names
    network.zero_grad(set_to_none=True)
    loss = network(torch.from_numpy(seen), torch.from_numpy(tokens))
    loss.backward()
    bound = float("inf") if job.optimizer.clip is None else job.optimizer.clip
    norm = nn.utils.clip_grad_norm_([parameter for _, parameter in trained], bound)
    return float(loss.detach()), float(norm)


def _refuse(job: jobs.Job) -> None:
    reasons = []
    if job.structure.family != "llama" or job.structure.tied:
        reasons.append("a body that is no Llama with a head of its own")
    if job.adapter is not None:
        reasons.append("adapters")
    if job.precision != "fp32" or job.device != "cpu":
        reasons.append(f"{job.precision} on {job.device}")
    if reasons:
        raise EngineError(
            f"sighted cannot do this job: it asks for {'; '.join(reasons)}. Nothing was changed."
        )


def _load(network: Sighted, resumed: checkpoints.Checkpoint | None, *, start: Path) -> None:
    source = open_source(start) if resumed is None else resumed.weights
    held = dict(network.named_parameters())
    wrong = [
        Mistake(
            file=source.name,
            place=f"tensor {name!r}",
            read=f"the shape {source.info(name).shape}" if name in source.names else "nothing",
            expected=f"the shape {tuple(held[name].shape)}" if name in held else "no such tensor",
        )
        for name in sorted({*source.names, *held})
        if name not in held
        or name not in source.names
        or source.info(name).shape != tuple(held[name].shape)
    ]
    if wrong:
        raise RecipeError(wrong)
    with torch.no_grad():
        for name, parameter in held.items():
            parameter.copy_(torch.from_numpy(source.read(name)))


def _trained(network: Sighted, job: jobs.Job) -> list[tuple[str, nn.Parameter]]:
    patterns = ("*",) if isinstance(job.trainable, str) else job.trainable
    found = []
    for name, parameter in sorted(network.named_parameters()):
        moves = any(fnmatchcase(name, one) for one in patterns)
        parameter.requires_grad_(moves)
        if moves:
            found.append((name, parameter))
    return found


def _whole(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    yield name, tensor


def _state(
    job: jobs.Job,
    network: Sighted,
    adamw: torch.optim.Optimizer,
    *,
    trained: Sequence[tuple[str, nn.Parameter]],
    updates: int,
) -> runs.State:
    moments: dict[str, Tensor] = {}
    for name, parameter in trained:
        held: Mapping[str, Tensor] = adamw.state.get(parameter, {})
        for which in ("exp_avg", "exp_avg_sq"):
            moments[f"{which}/{name}"] = held.get(which, torch.zeros_like(parameter)).detach()
    return runs.State(
        weights=arrays(iter(network.named_parameters())),
        config=sighted_config(job.structure),
        moments=arrays(iter(moments.items())),
        updates=updates,
    )


def main(words_given: Sequence[str]) -> int:
    """Run the job whose file is named; return the exit code."""
    if len(words_given) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return contract.BAD_INPUT
    path = Path(os.fspath(words_given[0]))
    try:
        job = jobs.read_job(path)
        with open_data(
            job.data,
            base=path.parent,
            length=job.batch.length,
            vocabulary=job.structure.vocabulary,
        ) as data:
            data.order.check(job.last_step * job.batch.sequences)
            return train(job, base=path.parent, data=data, signals=training.Signals())
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return contract.CANNOT_TELL
    except DokjaError as error:
        sys.stderr.write(f"{error}\n")
        return contract.BAD_INPUT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
