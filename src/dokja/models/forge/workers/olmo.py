"""The engine `olmo`: trains `llama` by a job file with the network of OLMo-core.

    python -m dokja.models.forge.workers.olmo job.json

Blocks, attention and rotation are OLMo-core's own code, so that its runs and those of `hf` check
each other; start, order, optimizer, log and checkpoints are those of every engine. One process.
"""

import logging
import sys
from collections.abc import Sequence

from dokja.models.forge.workers.settings import offline

offline()

import torch  # noqa: E402  # see above
from torch import nn  # noqa: E402  # see above

from dokja.errors import EngineError  # noqa: E402  # see above
from dokja.models.forge.engines.jobs import Job  # noqa: E402  # see above
from dokja.models.forge.workers import programs  # noqa: E402  # see above
from dokja.models.forge.workers.keeping import World  # noqa: E402  # see above
from dokja.models.forge.workers.networks import Made  # noqa: E402  # see above
from dokja.models.forge.workers.teaching import Teaching  # noqa: E402  # see above
from dokja.models.forge.workers.training import scheduler  # noqa: E402  # see above

__all__ = ["PROGRAM", "main", "plain"]

_LAYER = {
    "attention.w_q": "self_attn.q_proj",
    "attention.w_k": "self_attn.k_proj",
    "attention.w_v": "self_attn.v_proj",
    "attention.w_out": "self_attn.o_proj",
    "attention_norm": "input_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "feed_forward_norm": "post_attention_layernorm",
}
_WHOLE = {
    "embeddings.weight": "model.embed_tokens.weight",
    "lm_head.norm.weight": "model.norm.weight",
    "lm_head.w_out.weight": "lm_head.weight",
}


def plain(memory: str) -> str:
    """Return the name on disk of one of OLMo-core's parameters.

    Example:
        >>> plain("blocks.3.feed_forward.w1.weight")
        'model.layers.3.mlp.gate_proj.weight'
    """
    if memory in _WHOLE:
        return _WHOLE[memory]
    _, layer, inner = memory.split(".", 2)
    return f"model.layers.{layer}.{_LAYER[inner.removesuffix('.weight')]}.weight"


def _make(job: Job) -> Made:
    if reasons := _reasons(job):
        raise EngineError(f"olmo cannot do this job: {'; '.join(reasons)}. Nothing was changed.")
    from olmo_core.nn.feed_forward import FeedForwardConfig  # noqa: PLC0415  # seconds
    from olmo_core.nn.transformer import TransformerConfig  # noqa: PLC0415  # likewise

    sizes = job.structure
    config = TransformerConfig.llama_like(
        d_model=sizes.width,
        vocab_size=sizes.vocabulary,
        n_layers=sizes.layers,
        n_heads=sizes.heads,
        n_kv_heads=sizes.kv_heads,
        head_dim=sizes.head_width,
        rope_theta=sizes.rope_theta,
        layer_norm_eps=sizes.epsilon,
        feed_forward=FeedForwardConfig(hidden_size=sizes.ffn, bias=False),
    )
    return Made(network=config.build(init_device="cpu").train(), plain=plain)


def _reasons(job: Job) -> list[str]:
    facts = {
        f"it trains llama, not {job.structure.family}": job.structure.family != "llama",
        "its head is its own tensor, never tied": job.structure.tied,
        "it trains whole tensors only": job.adapter is not None,
        "it runs as one process": World.of().size > 1,
        "it has no eager attention; say sdpa or math": job.attention == "eager",
    }
    return [reason for reason, holds in facts.items() if holds]


def _loop(task: programs.Task) -> None:
    job, keeper = task.job, task.keeper
    network = torch.compile(task.held.network) if job.compile else task.held.network
    parameters = [parameter for _, parameter in task.held.trained]
    schedule = scheduler(job, task.adamw, first=keeper.first)
    bound = float("inf") if job.optimizer.clip is None else job.optimizer.clip
    keeper.begin()
    batches = iter(task.loader)
    for step in range(keeper.first + 1, job.last_step + 1):
        for _ in range(task.loader.accumulated):
            ids = next(batches)["input_ids"]
            loss, taught = _losses(network, ids, task.teaching, bf16=job.precision == "bf16")
            (taught / task.loader.accumulated).backward()
            keeper.measures.add_loss(loss.detach() / task.loader.accumulated)
        keeper.measures.add_norm(nn.utils.clip_grad_norm_(parameters, bound))
        task.adamw.step()
        schedule.step()
        task.adamw.zero_grad()
        if keeper.after(step):
            return


def _losses(
    network: nn.Module, ids: torch.Tensor, teaching: Teaching | None, *, bf16: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the data's loss, and the one that is descended."""
    # OLMo-core wants labels that are shifted already; the last position predicts nothing.
    labels = nn.functional.pad(ids[:, 1:], (0, 1), value=-100)
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=bf16):
        out = network(ids, labels=labels)
        return out.loss, out.loss if teaching is None else teaching.loss(out.loss, out.logits, ids)


def _scores(network: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    scores: torch.Tensor = network(ids)
    return scores


PROGRAM = programs.Program(engine="olmo", make=_make, scores=_scores, loop=_loop)
"""The engine as a worker."""


def main(words: Sequence[str]) -> int:
    """Run the job whose file is named; return the exit code."""
    logging.getLogger("olmo_core").setLevel(logging.ERROR)
    return programs.main(PROGRAM, words, usage=str(__doc__))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
