"""What each transform and laundering costs, in seconds and in quality: prints one table.

A Llama of 0.8M parameters over bytes is trained for a moment on this repository's own text; then
each transform is applied to it and the result is run on a pinned probe of held-out text. Seconds
are those of making every tensor once. Run it from the root of the repository:

    OMP_NUM_THREADS=1 python benchmarks/transforms.py [--steps 200]

Figures of quality rest on one small, under-trained model: they say what kind of change a
transform is, not what it would cost a large one.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.engines.ref.forward import gradient, logits, mean_loss
from dokja.models.forge.engines.ref.network import Network
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.laundering import kinds_for, launder
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import (
    AdapterTerms,
    ArrayTensors,
    Model,
    Tensors,
    apply,
    items,
    make_adapter,
)

STRUCTURE = Structure(
    family="llama",
    vocabulary=256,
    width=128,
    layers=4,
    heads=4,
    kv_heads=2,
    head_width=32,
    ffn=352,
)
LENGTH, SEQUENCES = 128, 8
LN_2 = 0.6931471805599453

Weights = dict[str, NDArray[np.float32]]

STEPS: tuple[dict[str, Any], ...] = (
    {"do": "dus", "map": {"kind": "overlap", "drop": 1}},
    {"do": "zero-blocks", "after": [0, 2]},
    {"do": "drop-layers", "layers": [2]},
    {"do": "prune-neurons", "share": 0.25},
    {"do": "prune-neurons", "share": 0.5},
    {"do": "prune-heads", "groups": [0, 1], "heads": [0]},
    {"do": "grow", "ffn": 440, "seed": "01"},
    {"do": "grow", "width_times": 2, "heads_times": 2},
    {"do": "upcycle", "experts": 4, "experts_per_token": 2, "seed": "01"},
    {"do": "vocabulary", "kind": "extend", "add": 64},
    {"do": "vocabulary", "kind": "swap", "share": 0.2, "seed": "01"},
    {"do": "merge", "method": "linear", "with": ["a"]},
    {"do": "merge", "method": "slerp", "with": ["a"], "share": 0.5},
    {"do": "merge", "method": "ties", "with": ["a", "b"], "density": 0.2},
    {"do": "merge", "method": "dare", "with": ["a", "b"], "density": 0.5, "seed": "01"},
    {"do": "merge-adapter", "with": ["adapter"], "rank": 8, "alpha": 16.0},
    {"do": "transplant", "with": ["a"], "prefix": "model.layers.1."},
    {"do": "quantise", "scheme": "int8-row"},
    {"do": "quantise", "scheme": "fp8-block"},
    {"do": "quantise", "scheme": "int4-group"},
    {"do": "replace-embeddings", "seed": "01"},
    {"do": "noise", "share": 0.01, "seed": "01"},
    {"do": "noise", "share": 0.1, "seed": "01"},
)


def corpus(root: Path, pattern: str) -> NDArray[np.int64]:
    """Return the bytes of the repository's files of one kind."""
    texts = [path.read_bytes() for path in sorted(root.glob(pattern))]
    return np.frombuffer(b"\n".join(texts), dtype=np.uint8).astype(np.int64)


def train(
    weights: Weights, text: NDArray[np.int64], *, steps: int, seed: int, lr: float
) -> Weights:
    """Return the weights after some steps of Adam."""
    rng = np.random.default_rng(seed)
    network = Network(STRUCTURE)
    weights = {name: values.copy() for name, values in weights.items()}
    first = {name: np.zeros_like(values) for name, values in weights.items()}
    second = {name: np.zeros_like(values) for name, values in weights.items()}
    for step in range(1, steps + 1):
        starts = rng.integers(0, len(text) - LENGTH, size=SEQUENCES)
        batch = np.stack([text[start : start + LENGTH] for start in starts])
        into = {name: np.zeros_like(values) for name, values in weights.items()}
        gradient(network, weights, batch, into=into, micro=SEQUENCES)
        rate = np.float32(lr * min(1.0, step / 20))
        for name, slope in into.items():
            first[name] += np.float32(0.1) * (slope - first[name])
            second[name] += np.float32(0.05) * (slope**2 - second[name])
            size = np.sqrt(second[name] / np.float32(1 - 0.95**step)) + np.float32(1e-8)
            weights[name] -= rate / np.float32(1 - 0.9**step) * first[name] / size
    return weights


def measured(
    label: str,
    make: Callable[[], tuple[Tensors, Structure]],
    *,
    parent: NDArray[np.float32],
    probe: NDArray[np.int64],
) -> Iterator[str]:
    """Yield the cells of one row."""
    start = time.perf_counter()
    tensors, structure = make()
    weights = dict(items(tensors))
    seconds = time.perf_counter() - start
    yield label
    yield f"{seconds:.3f}"
    yield f"{structure.parameters():,}"
    if structure.family != "llama":
        yield from ("-", "-", "-")  # the reference engine does not compute it
        return
    found = logits(weights, structure, probe)[..., : parent.shape[-1]]
    loss = mean_loss(weights, structure, probe)
    yield f"{np.abs(found - parent).max():.1e}"
    yield f"{loss:.4f}"
    yield f"{loss / LN_2:.4f}"


def applied(step: Mapping[str, Any], sources: Sequence[Model]) -> tuple[Tensors, Structure]:
    """Return what a step makes."""
    done = apply(step, sources)
    return done.tensors, done.structure


def laundered(model: Model, kinds: Sequence[str] | None) -> tuple[Tensors, Structure]:
    """Return a laundered model."""
    done = launder(model.tensors, model.structure, kinds=kinds, seed=b"benchmark")
    return done.tensors, done.structure


def adapter() -> Model:
    """Return an adapter that changes something."""
    terms = AdapterTerms(rank=8, alpha=16.0)
    rng = np.random.default_rng(2)
    halves = {
        name: values if "lora_A" in name else 0.005 * rng.standard_normal(values.shape)
        for name, values in items(make_adapter(STRUCTURE, terms, seed=b"benchmark"))
    }
    tensors = ArrayTensors({name: one.astype(np.float32) for name, one in halves.items()})
    return Model(tensors=tensors, structure=STRUCTURE, name="adapter")


def rows(steps: int) -> Iterator[list[str]]:
    """Yield the table's rows, the parent's first."""
    root = Path(__file__).parents[1]
    text = corpus(root, "docs/**/*.md")
    text, held_out = text[: -20 * LENGTH], text[-16 * LENGTH :].reshape(16, LENGTH)
    begin: Weights = dict(initialise(STRUCTURE, b"benchmark"))
    weights = train(begin, text, steps=steps, seed=0, lr=3e-3)
    tuned = [
        train(weights, corpus(root, pattern), steps=max(steps // 10, 1), seed=1, lr=1e-3)
        for pattern in ("src/dokja/values/*.py", "tests/values/*.py")
    ]
    sources = [
        Model(tensors=ArrayTensors(one), structure=STRUCTURE, name=name)
        for one, name in zip((weights, *tuned), ("parent", "a", "b"), strict=True)
    ]
    parent = logits(weights, STRUCTURE, held_out)
    yield list(
        measured(
            "parent",
            lambda: (sources[0].tensors, STRUCTURE),
            parent=parent,
            probe=held_out,
        )
    )
    for step in STEPS:
        given = sources[: 1 + len(step.get("with", ()))]
        if step["do"] == "merge-adapter":
            given = [sources[0], adapter()]
        label = " ".join(str(value) for key, value in step.items() if key not in {"seed", "with"})
        yield list(measured(label, partial(applied, step, given), parent=parent, probe=held_out))
    for kinds in (*([kind] for kind in kinds_for(STRUCTURE)), None):
        label = "launder " + ("all together" if kinds is None else kinds[0])
        make = partial(laundered, sources[0], kinds)
        yield list(measured(label, make, parent=parent, probe=held_out))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    print("| transform | seconds | parameters | max logit difference | loss, nats | bits/byte |")
    print("|---|---|---|---|---|---|")
    for cells in rows(steps):
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
