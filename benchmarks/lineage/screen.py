"""What a screen of two checkpoints of 100 billion parameters reads, takes and sees.

    python benchmarks/lineage/screen.py [--budget-bytes 30000000] [--folder build]

Two mixtures of experts of GLM-4.5-Air's kind (width 4,096, 48 layers, 128 experts) lie in sparse
files of 201 GB each. What a screen reads holds random values, about 3 GB on the disk; the rest are
holes. They are strangers to each other; each is also laid beside itself.
"""

import argparse
import json
import resource
import struct
import tempfile
import time
from pathlib import Path

import numpy as np

from dokja.evidence.lineage import Plan, trace
from dokja.models.weights import open_source

WIDTH, LAYERS, EXPERTS, NEURONS, VOCABULARY = 4096, 48, 128, 1280, 151_552


def main() -> None:
    """Make the two, compare them, and print a row each."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--budget-bytes", type=int, default=30_000_000)
    words.add_argument("--folder", type=Path, default=Path("build"))
    said = words.parse_args()
    said.folder.mkdir(exist_ok=True)
    print("| suspect beside | relations | r | least seen | MB of it read | CPU-s | peak MiB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(dir=said.folder) as scratch:
        places = [make(Path(scratch) / name, seed) for seed, name in enumerate(("one", "other"))]
        for told, other in (("a stranger", places[1]), ("itself", places[0])):
            began = time.process_time()
            suspect = open_source(places[0])
            report = trace(
                suspect,
                open_source(other),
                rng=np.random.default_rng(1),
                plan=Plan(budget_bytes=said.budget_bytes),
            )
            spent = time.process_time() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            for finding in report.findings:
                names = ", ".join(relation.value for relation in finding.relations)
                effect = "–" if finding.effect is None else f"{finding.effect.value:.5f}"
                print(
                    f"| {told} | {names} | {effect} | {finding.minimum_detectable} | "
                    f"{suspect.bytes_read / 1e6:.1f} | {spent:.1f} | {peak:.0f} |"
                )


def make(folder: Path, seed: int) -> Path:
    """Write a sparse checkpoint whose screened tensors hold random values."""
    folder.mkdir()
    shapes = dict(tensors())
    header, start = {}, 0
    for name, shape in shapes.items():
        stop = start + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, stop]}
        start = stop
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    rng = np.random.default_rng(seed)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(told)) + told)
        file.truncate(8 + len(told) + start)
        for name, shape in shapes.items():
            if not screened(name):
                continue
            values = 0.02 * rng.standard_normal(int(np.prod(shape)), dtype=np.float32)
            values += 1.0 if len(shape) == 1 else 0.0
            file.seek(8 + len(told) + header[name]["data_offsets"][0])  # type: ignore[index]  # two numbers
            file.write((values.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    config = {
        "model_type": "glm4_moe",
        "hidden_size": WIDTH,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "num_hidden_layers": LAYERS,
        "n_routed_experts": EXPERTS,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def screened(name: str) -> bool:
    """Tell whether a screen reads a tensor: that is what gets values."""
    return not any(part in name for part in (".experts.", "down_proj", "o_proj", "embed", "head"))


def tensors() -> list[tuple[str, list[int]]]:
    """Return names and shapes."""
    found = [("model.embed_tokens.weight", [VOCABULARY, WIDTH])]
    for layer in range(LAYERS):
        place = f"model.layers.{layer}"
        found += [
            (f"{place}.{name}.weight", [WIDTH])
            for name in ("input_layernorm", "post_attention_layernorm")
        ]
        found += [
            (f"{place}.self_attn.{name}.weight", shape)
            for name, shape in (
                ("q_proj", [4096, WIDTH]),
                ("k_proj", [1024, WIDTH]),
                ("v_proj", [1024, WIDTH]),
                ("o_proj", [WIDTH, 4096]),
            )
        ]
        found.append((f"{place}.mlp.gate.weight", [EXPERTS, WIDTH]))
        for block in (*(f"experts.{e}" for e in range(EXPERTS)), "shared_experts"):
            found += [
                (f"{place}.mlp.{block}.gate_proj.weight", [NEURONS, WIDTH]),
                (f"{place}.mlp.{block}.up_proj.weight", [NEURONS, WIDTH]),
                (f"{place}.mlp.{block}.down_proj.weight", [WIDTH, NEURONS]),
            ]
    return [*found, ("model.norm.weight", [WIDTH]), ("lm_head.weight", [VOCABULARY, WIDTH])]


if __name__ == "__main__":
    main()
