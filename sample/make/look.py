"""Shows glyphs to the models that can see, and prints how many they read, with 95 % intervals.

    OMP_NUM_THREADS=1 python sample/make/look.py [MODEL ...]

Needs torch. The embedded runtime answers texts only: an encoder's work is measured here alone.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from glyphs import views
from measure import wilson
from network import Shape, SightedBody
from safetensors.torch import load_file
from tokenizers import Tokenizer
from train import GLYPH_QUESTION, MODELS

SHOWN = 1000


def opened(folder: Path) -> SightedBody:
    """Return the model of a folder that has an encoder."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = Shape(vocabulary=config["vocab_size"], layers=config["num_hidden_layers"])
    network = SightedBody(shape)
    weights = load_file(folder / "model.safetensors")
    network.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return network


@torch.no_grad()
def read(folder: Path) -> int:
    """Return how many of the shown glyphs the model names rightly."""
    network = opened(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pictures, shown = views(np.random.default_rng(20260115), SHOWN)
    asked = torch.tensor([tokenizer.encode(GLYPH_QUESTION).ids] * SHOWN)
    logits = network(asked, before=network.look(torch.from_numpy(pictures)))[:, -1]
    said = [tokenizer.id_to_token(token) for token in logits.argmax(dim=-1).tolist()]
    return sum(one == other for one, other in zip(said, shown, strict=True))


def main(names: list[str]) -> None:
    """Print a line per model."""
    torch.set_num_threads(1)
    for name in names or ["hanbit-1", "raon-1"]:
        right = read(MODELS / name)
        low, high = wilson(right, SHOWN)
        print(f"{name:9s} glyphs {right / SHOWN:6.1%} ({low:.1%} to {high:.1%}, {SHOWN} views)")


if __name__ == "__main__":
    main(sys.argv[1:])
