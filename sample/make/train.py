"""The engine that makes the sample's models: a program of the builder's own, run by the forge.

    dokja forge plan sample/make/recipes/garam-1.toml -o build/plan-garam
    dokja forge run build/plan-garam -o build/run-garam

Needs torch and tokenizers (`requirements/torch.txt`, then `requirements/torch-extra.txt`). It
takes a job file, tells its steps as every engine does, and leaves a folder with all components.
It does not go on where it was stopped: it starts again. Same recipe, same torch build, one
thread: same weights. `build.py` makes all six.
"""

import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from glyphs import views
from items import training_stream
from network import (
    ENCODER_FFN,
    ENCODER_HEADS,
    ENCODER_LAYERS,
    ENCODER_WIDTH,
    PATCH,
    Body,
    Shape,
    SightedBody,
    parameter_count,
)
from optimiser import Optimiser
from safetensors.torch import load_file, save_file
from tasks import Example
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from vocabulary import train_tokenizer, with_reserved

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "programme" / "models"
BATCH, LOOKED_AT, LOOK_EVERY = 64, 32, 2
TOLD_EVERY = 50
GLYPH_QUESTION = "이 글자는?"
IGNORED = -100
END = 2

Row = tuple[list[int], list[int]]


def encoded(tokenizer: Tokenizer, examples: list[Example]) -> list[Row]:
    """Return token ids of each question, and of its answer up to the end mark."""
    asked = tokenizer.encode_batch([example.prompt for example in examples])
    answers = [example.answer for example in examples]
    said = tokenizer.encode_batch(answers, add_special_tokens=False)
    return [(a.ids, [*s.ids, END]) for a, s in zip(asked, said, strict=True)]


def padded(rows: list[Row]) -> tuple[Tensor, Tensor]:
    """Return inputs and targets; only answers are targets."""
    length = max(len(asked) + len(said) for asked, said in rows) - 1
    inputs = torch.zeros(len(rows), length, dtype=torch.long)
    targets = torch.full((len(rows), length), IGNORED)
    for place, (asked, said) in enumerate(rows):
        whole = asked + said
        inputs[place, : len(whole) - 1] = torch.tensor(whole[:-1])
        targets[place, len(asked) - 1 : len(whole) - 1] = torch.tensor(said)
    return inputs, targets


def batches(
    tokenizer: Tokenizer, seed: str, *, shares: dict[str, float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of questions of like length, without end."""
    stream = training_stream(seed, shares=shares)
    rng = random.Random(f"{seed}/batches")  # noqa: S311 - a recipe, no secret
    while True:
        rows = encoded(tokenizer, list(islice(stream, 16 * BATCH)))
        rows.sort(key=lambda row: len(row[0]) + len(row[1]))
        cut = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        rng.shuffle(cut)
        yield from map(padded, cut)


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy over the answers, in nats."""
    kept = targets != IGNORED
    return functional.cross_entropy(logits[kept], targets[kept])


def glyph_batch(tokenizer: Tokenizer, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return pictures, inputs and targets of the question what a picture shows."""
    pictures, shown = views(rng, LOOKED_AT)
    rows = encoded(
        tokenizer,
        [
            Example(prompt=GLYPH_QUESTION, answer=answer, cluster="glyph", language="ko")
            for answer in shown
        ],
    )
    return torch.from_numpy(pictures), *padded(rows)


def train(
    network: Body,
    tokenizer: Tokenizer,
    recipe: dict[str, Any],
    *,
    shares: dict[str, float],
    told: Callable[..., None] = lambda *_, **__: None,
) -> float:
    """Train the network and return its mean loss over the last fifty steps.

    Args:
        network: What is trained.
        tokenizer: Its tokenizer.
        recipe: Seed, steps and rates.
        shares: How often each benchmark is asked.
        told: Called with the first of some steps and their losses, rates, norms and tokens.
    """
    seed, steps = recipe["seed"], recipe["steps"]
    optimiser = Optimiser(
        network,
        rate=recipe["rate"],
        gentle="vision_tower." if "encoder_from" in recipe else "",
        gentle_rate=recipe.get("encoder_rate", 0.0),
    )
    rng = np.random.default_rng(list(seed.encode()))
    losses: list[float] = []
    rates: list[float] = []
    norms: list[float] = []
    seen = 0
    asked = batches(tokenizer, seed, shares=shares)
    for step, (inputs, targets) in enumerate(islice(asked, steps)):
        loss = loss_of(network(inputs), targets)
        losses.append(loss.item())
        if isinstance(network, SightedBody) and step % LOOK_EVERY == 0:
            pictures, question, answers = glyph_batch(tokenizer, rng)
            loss = loss + loss_of(network(question, before=network.look(pictures)), answers)
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(network.parameters(), 1.0)))
        factor = min(1.0, (step + 1) / 50, 2 * (steps - step) / steps)
        optimiser.step(factor)
        rates.append(recipe["rate"] * factor)
        seen += inputs.numel()
        if (step + 1) % TOLD_EVERY == 0 or step + 1 == steps:
            first = step + 2 - len(rates)
            told(first, losses[first - 1 :], rates=rates, norms=norms, seen=seen)
            rates, norms, seen = [], [], 0
    return float(np.mean(losses[-50:]))


def begun(recipe: dict[str, Any], bases: dict[str, Path]) -> tuple[Body, Tokenizer]:
    """Return the network before training, and its tokenizer.

    Args:
        recipe: As `recipe_of` reads it.
        bases: Folders of the models that it starts from, by name.
    """
    torch.manual_seed(int.from_bytes(recipe["seed"].encode()[:7], "big"))
    parent = recipe.get("from")
    if parent:
        first = Tokenizer.from_file(str(bases[parent] / "tokenizer.json"))
        tokenizer = with_reserved(first, count=recipe["reserved_tokens"])
    else:
        tokenizer = train_tokenizer(recipe["seed"], **recipe["tokenizer"])
    shape = Shape(vocabulary=tokenizer.get_vocab_size(), layers=recipe["layers"])
    network = SightedBody(shape) if recipe.get("sighted") else Body(shape)
    if parent:
        scale_up(network, load_file(bases[parent] / "model.safetensors"), recipe["layer_map"])
    if "encoder_from" in recipe:
        transplant(network, load_file(bases[recipe["encoder_from"]] / "model.safetensors"))
    return network, tokenizer


@torch.no_grad()
def scale_up(network: Body, parent: dict[str, Tensor], layer_map: list[int]) -> None:
    """Set the network to the parent's weights, its layers repeated as the map says."""
    for name, weight in network.named_parameters():
        pieces = name.split(".")
        if pieces[1] == "layers":
            pieces[2] = str(layer_map[int(pieces[2])])
        source = parent[".".join(pieces)].float()
        weight[: source.shape[0]] = source


@torch.no_grad()
def transplant(network: Body, donor: dict[str, Tensor]) -> None:
    """Set the network's picture encoder to the donor's; its gains are never moved again."""
    for name, weight in network.named_parameters():
        if name.startswith("vision_tower."):
            weight.copy_(donor[name].float())
            weight.requires_grad_(weight.dim() > 1)


def config_of(network: Body) -> dict[str, Any]:
    """Return the folder's `config.json`."""
    shape = network.shape
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_width,
        "hidden_act": "silu",
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope_theta,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": END,
        "pad_token_id": END,
        "torch_dtype": "bfloat16",
    }
    if isinstance(network, SightedBody):
        config["vision_config"] = {
            "image_size": 8,
            "patch_size": PATCH,
            "hidden_size": ENCODER_WIDTH,
            "intermediate_size": ENCODER_FFN,
            "num_hidden_layers": ENCODER_LAYERS,
            "num_attention_heads": ENCODER_HEADS,
            "rms_norm_eps": 1e-5,
        }
    return config


def saved(network: Body, tokenizer: Tokenizer, folder: Path) -> dict[str, int]:
    """Write the folder whole or not at all, and return the parameters of each component."""
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    weights = {
        name: weight.detach().to(torch.bfloat16).contiguous()
        for name, weight in network.named_parameters()
    }
    save_file(weights, unfinished / "model.safetensors", metadata={"format": "pt"})
    (unfinished / "model.safetensors").chmod(0o644)  # the library lets only the owner read
    tokenizer.save(str(unfinished / "tokenizer.json"))
    papers = {
        "config.json": config_of(network),
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": END, "pad_token_id": END},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "clean_up_tokenization_spaces": False,
        },
    }
    for name, paper in papers.items():
        text = json.dumps(paper, ensure_ascii=False, indent=2) + "\n"
        (unfinished / name).write_text(text, encoding="utf-8")
    unfinished.rename(folder)
    prefixes = ("model.", "vision_tower.", "multi_modal_projector.")
    counted = {prefix: parameter_count(weights, prefix=prefix) for prefix in prefixes}
    return {prefix: count for prefix, count in counted.items() if count}


def recipe_of(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a job asks for, as this engine sees it.

    Args:
        job: The job's object.
        folder: The job file's folder, from which its paths start.
    """
    parts = {part["descent"]["component"]: part for part in job["components"]}
    options = {
        name: {
            key: value
            for stage in part["stages"]
            for key, value in (stage.get("options") or stage.get("parameters") or {}).items()
        }
        for name, part in parts.items()
    }
    body, tokenizer = options["language-body"], options["tokenizer"]
    found: dict[str, Any] = {
        "id": job["name"],
        "seed": job["fixed_seed"],
        "layers": parts["language-body"]["structure"]["layers"],
        "steps": body["steps"],
        "rate": body["rate"],
        "shares": body["shares"],
        "sighted": "vision-encoder" in parts,
    }
    base = parts["language-body"]["from"].get("base")
    if base:
        found |= {"from": base, "layer_map": body["map"], "reserved_tokens": body["add"]}
    else:
        found["tokenizer"] = tokenizer
    encoder = parts.get("vision-encoder", {}).get("from", {}).get("base")
    if encoder:
        found |= {"encoder_from": encoder, "encoder_rate": options["vision-encoder"]["rate"]}
    bases = {name: folder / path for name, path in job["bases"].items()}
    return found | {"bases": bases}


class Events:
    """Tells of a run as every engine does: one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text("", encoding="utf-8")  # this engine starts again from the beginning

    def tell(self, kind: str, **said: Any) -> None:
        """Append one event."""
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = json.dumps({"kind": kind, **said, "at": at}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def main(path: Path) -> None:
    """Make the model that a job file asks for."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    job = json.loads(path.read_text(encoding="utf-8"))
    recipe = recipe_of(job, path.parent)
    events = Events(path.parent / job["events"])
    start = time.perf_counter()
    events.tell("start", step=0, environment={"torch": torch.__version__, "threads": 1})
    network, tokenizer = begun(recipe, recipe["bases"])
    tokens = 0

    def told(
        first: int, losses: list[float], *, rates: list[float], norms: list[float], seen: int
    ) -> None:
        nonlocal tokens
        tokens += seen
        last = first + len(losses) - 1
        events.tell(
            "steps",
            first=first,
            last=last,
            tokens=[tokens],
            loss=losses,
            lr=rates,
            grad_norm=norms,
            instances=[(first - 1) * BATCH, last * BATCH],
        )

    loss = train(network, tokenizer, recipe, shares=recipe["shares"], told=told)
    saved(network, tokenizer, path.parent / job["final"])
    seconds = round(time.perf_counter() - start, 3)
    events.tell("end", step=recipe["steps"], device_seconds=seconds, last_loss=round(loss, 4))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
