"""What each export keeps of its parent, and at what size: prints the design note's table.

Without a folder a Llama of 0.8M parameters over bytes is trained for a moment by the reference
engine on this repository's own documentation, and measured on a part of it that was held out; with
one, the model in it is exported. Run it from the root of the repository, with the extras `forge`
and `export`:

    OMP_NUM_THREADS=1 python benchmarks/exports.py [MODEL-FOLDER | RUN] [--probe TEXT] [--steps 300]

Seconds are those of one export with its measurement; ONNX starts a process that imports torch.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from dokja.models.forge.engines.ref.forward import gradient
from dokja.models.forge.engines.ref.network import Network
from dokja.models.forge.exports import FORMATS, Exporter, Parent, export, open_parent
from dokja.models.forge.exports.probing import ProbeTexts, probe_texts
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.structures import Structure
from dokja.models.forge.tokenizing import byte_tokenizer, tokenizer_config, tokenizer_json
from dokja.models.forge.transforms import ArrayTensors, write_folder

STRUCTURE = Structure(
    family="llama",
    vocabulary=256,
    width=128,
    layers=4,
    heads=4,
    kv_heads=2,
    head_width=32,
    ffn=352,
    positions=512,
)
LENGTH, SEQUENCES, HELD_OUT = 128, 8, 16_384


def trained(folder: Path, *, steps: int) -> tuple[Path, ProbeTexts]:
    """Return a folder with a small trained model, and the text that was held out."""
    texts = [path.read_bytes() for path in sorted(Path("docs").glob("**/*.md"))]
    data = b"\n".join(texts)
    text = np.frombuffer(data[:-HELD_OUT], dtype=np.uint8).astype(np.int64)
    rng = np.random.default_rng(0)
    network = Network(STRUCTURE)
    weights = dict(initialise(STRUCTURE, b"benchmark"))
    first = {name: np.zeros_like(values) for name, values in weights.items()}
    second = {name: np.zeros_like(values) for name, values in weights.items()}
    for step in range(1, steps + 1):
        starts = rng.integers(0, len(text) - LENGTH, size=SEQUENCES)
        batch = np.stack([text[start : start + LENGTH] for start in starts])
        into = {name: np.zeros_like(values) for name, values in weights.items()}
        gradient(network, weights, batch, into=into, micro=SEQUENCES)
        rate = 3e-3 * min(1.0, step / 20) * (1.0 - 0.9 * step / steps)
        for name, slope in into.items():
            first[name] += np.float32(0.1) * (slope - first[name])
            second[name] += np.float32(0.05) * (slope**2 - second[name])
            size = np.sqrt(second[name] / np.float32(1 - 0.95**step)) + np.float32(1e-8)
            weights[name] -= np.float32(rate / (1 - 0.9**step)) * first[name] / size
    files = {
        "tokenizer.json": json.dumps(tokenizer_json(byte_tokenizer())).encode(),
        "tokenizer_config.json": json.dumps(tokenizer_config(byte_tokenizer())).encode(),
    }
    path = folder / "trained"
    write_folder(ArrayTensors(weights), path, config=STRUCTURE.config(), files=files)
    held_out = data[-HELD_OUT:].decode(errors="ignore")
    return path, ProbeTexts(texts=(("held out", held_out),))


def rows(parent: Parent, probe: ProbeTexts, folder: Path) -> None:
    """Print one row for each format and method."""
    by = Exporter(
        clock=lambda: datetime.now(UTC),
        python=sys.executable,
        environment={"OMP_NUM_THREADS": "1", **os.environ},
    )
    size = sum(path.stat().st_size for path in parent.folder.glob("*.safetensors"))
    print("| export | bits/byte | delta | accept | top-1 equal | max logit | MB | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    is_first = True
    for form, methods in FORMATS.items():
        if form == "gguf" and parent.structure.family != "llama":
            continue
        for method in methods:
            start = time.perf_counter()
            file = folder / f"model-{method}.{form}"
            done = export(parent, file, form=form, method=method, probe=probe, by=by, keep=True)
            found, seconds = done.quality, time.perf_counter() - start
            if is_first:
                print(f"| parent | {found.parent:.4f} | | | | | {size / 1e6:.2f} | |")
                is_first = False
            verdict = "" if found.accepted else ", refused"
            print(
                f"| {form} {method} | {found.export:.4f} | {found.delta:+.1e} "
                f"| {found.limit:g}{verdict} | {found.top1_agreement:.2%} "
                f"| {found.max_logit_difference:.1e} | {done.bytes / 1e6:.2f} | {seconds:.1f} |",
                flush=True,
            )
    print(f"\n{found.predictions:,} predictions, {found.bytes:,} bytes")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--probe", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if words.model is None:
            path, probe = trained(Path(place), steps=words.steps)
        else:
            path, probe = words.model, probe_texts()
        if words.probe is not None:
            probe = probe_texts(words.probe.read_text(encoding="utf-8"))
        rows(open_parent(path), probe, Path(place))


if __name__ == "__main__":
    main()
