"""How long one model takes beside a whole library of others: prints one table.

Run it from the root of the repository; it writes some gigabytes into a scratch folder there:

    python benchmarks/library.py [--entries 1000] [--folder build]

The models have the header of a public 7B (32 layers, width 4096, 32,000 tokens). Their files are
full of holes: values lie only in the rows that a library keeps, since nothing else is read. The
suspect is one base mixed with noise to a correlation of 0.8; the base is one entry, made as `dokja
library add` makes it, and all others have random codes on a page like its own. The library was
just written, so that it comes from the page cache where that is large enough. One thread.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import load, save

from dokja.evidence.lineage.library import NewEntry, add_entry, make_entry, open_library, scan
from dokja.evidence.lineage.library.draws import MOST_ROWS, sampled_tokens, window
from dokja.evidence.lineage.library.entries import FileFacts
from dokja.models.weights import open_source
from dokja.values import Digest

LAYERS, WIDTH, FFN, TOKENS = 32, 4096, 11008, 32_000
SHAPES = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.k_proj": (WIDTH, WIDTH),
    "self_attn.v_proj": (WIDTH, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (FFN, WIDTH),
    "mlp.up_proj": (FFN, WIDTH),
    "mlp.down_proj": (WIDTH, FFN),
}
ROLES = {"q_proj": "q", "k_proj": "k", "v_proj": "v", "gate_proj": "gate", "up_proj": "up"}
NAMES = [f"t{row}" for row in range(TOKENS)]
KEPT = 8
MOST_TOKENS = 256
CORRELATION = 0.8


def shapes() -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model with its shape."""
    made: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (TOKENS, WIDTH)}
    for layer in range(LAYERS):
        start = f"model.layers.{layer}"
        made |= {f"{start}.{name}.weight": shape for name, shape in SHAPES.items()}
        made[f"{start}.input_layernorm.weight"] = (WIDTH,)
        made[f"{start}.post_attention_layernorm.weight"] = (WIDTH,)
    return made | {"model.norm.weight": (WIDTH,), "lm_head.weight": (TOKENS, WIDTH)}


def read_rows(name: str, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return which rows of a tensor have values: (first, how many)."""
    if len(shape) == 1:
        return [(0, 1)]
    if shape[0] == TOKENS:
        return [(int(token[1:]), 1) for token in sampled_tokens(NAMES, MOST_TOKENS)]
    role = ROLES.get(name.split(".")[-2])
    if role is None:
        return []
    return [(window(role, (shape[0], shape[1]), columns=WIDTH).first, min(MOST_ROWS, KEPT * 2))]


def write_model(folder: Path, *, seed: int, beside: int | None = None) -> None:
    """Write a model with holes; where `beside` is given, mixed with the one of that seed."""
    folder.mkdir()
    entries, start = {}, 0
    for name, shape in shapes().items():
        size = 2 * int(np.prod(shape))
        entries[name] = {
            "dtype": "BF16",
            "shape": list(shape),
            "data_offsets": [start, start + size],
        }
        start += size
    header = json.dumps(entries).encode()
    first, second = np.random.default_rng(seed), np.random.default_rng(beside)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        origin = file.tell()
        for name, shape in shapes().items():
            for row, count in read_rows(name, shape):
                size = (count, shape[-1])
                values = first.standard_normal(size, dtype=np.float32)
                if beside is not None:
                    noise = second.standard_normal(size, dtype=np.float32)
                    values = CORRELATION * values + np.sqrt(1 - CORRELATION**2) * noise
                gain = 1 + 0.05 * values if len(shape) == 1 else 0.02 * values
                file.seek(origin + entries[name]["data_offsets"][0] + 2 * row * shape[-1])
                file.write(gain.astype(ml_dtypes.bfloat16).tobytes())
        file.truncate(origin + start)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": WIDTH}))
    vocabulary = {name: row for row, name in enumerate(NAMES)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))


def stranger(like: NewEntry, number: int) -> NewEntry:
    """Return an entry of random codes on a page like another's."""
    rng = np.random.default_rng([7, number])
    arrays = load(like.files["rows.safetensors"])
    for name, values in arrays.items():
        if values.dtype == np.int8:
            drawn = np.frombuffer(rng.bytes(values.size), dtype=np.int8).reshape(values.shape)
            arrays[name] = np.maximum(drawn, -127)
        elif ".table." in name:
            codes = arrays[name.replace("scales", "codes")]
            rows = codes.shape[1] * codes.shape[2]
            arrays[name] = np.full_like(values, 1 / (73.6 * np.sqrt(rows)))
    content = save(arrays)
    file = FileFacts(name="rows.safetensors", bytes=len(content), digest=str(Digest.of(content)))
    facts = like.facts.model_copy(update={"name": f"stranger-{number}", "files": (file,)})
    return NewEntry(facts=facts, files={"rows.safetensors": content})


def main() -> None:
    """Make a library, scan it, and print what it took."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--entries", type=int, default=1000)
    words.add_argument("--folder", type=Path, default=Path("build"))
    said = words.parse_args()
    said.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=said.folder) as scratch:
        home = Path(scratch)
        write_model(home / "base", seed=1)
        write_model(home / "suspect", seed=1, beside=2)
        began = time.perf_counter()
        base = make_entry(open_source(home / "base"))
        took = time.perf_counter() - began
        add_entry(home / "library", base)
        for number in range(said.entries - 1):
            add_entry(home / "library", stranger(base, number))
        suspect = open_source(home / "suspect")
        began, spent = time.perf_counter(), time.process_time()
        library = open_library(home / "library")
        opened = time.perf_counter() - began
        found = scan(suspect, library, rng=np.random.default_rng(1))
        whole, spent = time.perf_counter() - began, time.process_time() - spent
        told = found.findings[0]
        size = sum(len(content) for content in base.files.values())
        rest = [one.value for one in found.findings[1:]]
        print(f"{said.entries} entries, load {os.getloadavg()[0]:.1f}")
        print(f"{'an entry':<34}{size / 1e6:>10.2f} MB, made in {took:.1f} s")
        print(f"{'pages read':<34}{opened:>10.2f} s")
        print(f"{'whole scan':<34}{whole:>10.2f} s, {spent:.2f} processor s")
        print(f"{'read of the suspect':<34}{found.bytes_read / 1e6:>10.2f} MB")
        print(f"{'read of the library':<34}{found.library_bytes / 1e9:>10.2f} GB")
        print(f"{'first':<34}{told.entry:>10}, r {told.value:.3f}, related {told.related}")
        print(f"{'relations':<34}{len(found.related):>10} of {len(found.findings)}")
        print(f"{'largest r of the others':<34}{max(rest, default=0.0):>10.4f}")
        least = max(one.detectable or 0.0 for one in found.findings)
        print(f"{'likeness seen in nine of ten':<34}{least:>10.3f} at worst")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory':<34}{peak:>10.0f} MiB")


if __name__ == "__main__":
    main()
