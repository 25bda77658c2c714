"""The engines `hf` and `olmo` side by side on a GPU: tokens a second and MFU, in bf16.

    PYTHONPATH=src:benchmarks python benchmarks/gpu_engines.py [--smoke] [--json FILE]

Both train the same untied Llama on the same tokens from the same start, plain and compiled, by
their own loops with everything that they record. MFU is FLOP by `Structure.flop_per_token` over
seconds and the nominal dense bf16 peak. Every row runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

SIZES = {"124m": (1024, 32, 32), "1b": (2048, 8, 4)}  # length, sequences, micro-batch
WARM, TIMED = 10, 20


def measured(engine: str, size: str, *, compiled: bool, smoke: bool) -> dict[str, Any]:
    """Train for some steps and return the row."""
    import torch  # noqa: PLC0415  # the parent process needs no torch
    import training_parts as parts  # noqa: PLC0415  # likewise

    from dokja.models.forge.engines.checkpoints import write_weights  # noqa: PLC0415  # likewise
    from dokja.models.forge.engines.jobs import Batch, Keep  # noqa: PLC0415  # likewise
    from dokja.models.forge.initialisation import initialise  # noqa: PLC0415  # likewise
    from dokja.models.forge.workers import hf, olmo, programs  # noqa: PLC0415  # likewise

    length, sequences, micro = (32, 8, 8) if smoke else SIZES[size]
    steps = 4 if smoke else WARM + TIMED
    warm = 2 if smoke else WARM
    device = "cpu" if smoke else "cuda"
    job = parts.job(
        "0.2m" if smoke else size,
        steps=steps,
        batch=Batch(sequences=sequences, length=length, micro=micro),
        device=device,
        precision="fp32" if smoke else "bf16",
        compile=compiled,
        foreach=False,
        fused=True,
    )
    untied = replace(job.structure, tied=False)
    job = replace(job, structure=untied, keep=Keep(checkpoint_every=10_000))
    sync = None if smoke else torch.cuda.synchronize
    noted = frozenset({job.instances(warm)[0], job.instances(steps)[0]})
    tokens = parts.Tokens(untied.vocabulary, length, sync=sync, noted=noted)
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        write_weights(base / "start", dict(initialise(untied, b"seed")), config=untied.config())
        if engine == "olmo":
            programs.train(olmo.PROGRAM, job, base=base, data=tokens)
        else:
            hf.train(job, base=base, data=tokens)
    first, last = (tokens.notes[start][0] for start in sorted(tokens.notes))
    rate = (steps - warm) * job.batch.tokens / (last - first)
    name = "cpu" if smoke else torch.cuda.get_device_name()
    peak = next((flop for part, flop in parts.PEAKS.items() if part in name), None)
    mfu = None if peak is None else 100 * rate * untied.flop_per_token(length) / peak
    return {
        "engine": engine,
        "parameters, M": round(untied.parameters() / 1e6),
        "compiled": compiled,
        "tokens/s": round(rate),
        "MFU, %": None if mfu is None else round(mfu, 1),
        "device": name,
        "torch": torch.__version__,
    }


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--smoke", action="store_true")
    words.add_argument("--json", type=Path)
    words.add_argument("--row", nargs=3)
    said = words.parse_args()
    if said.row:
        engine, size, compiled = said.row
        print(json.dumps(measured(engine, size, compiled=compiled == "1", smoke=said.smoke)))
        return
    rows: list[dict[str, Any]] = []
    print("| engine | parameters, M | compiled | tokens/s | MFU, % |\n|---|---|---|---|---|")
    for size in SIZES:
        for engine in ("hf", "olmo"):
            for compiled in "01":
                row = _in_process(engine, size, compiled, smoke=said.smoke)
                rows.append(row)
                cells = [str(row.get(key, "-")) for key in _COLUMNS]
                print(f"| {' | '.join(cells)} | {row.get('failed', '')}", flush=True)
                if said.json:
                    said.json.write_text(json.dumps(rows, indent=1))


_COLUMNS = ("engine", "parameters, M", "compiled", "tokens/s", "MFU, %")


def _in_process(engine: str, size: str, compiled: str, *, smoke: bool) -> dict[str, Any]:
    words = [sys.executable, __file__, "--row", engine, size, compiled]
    words += ["--smoke"] if smoke else []
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=150)
    except subprocess.TimeoutExpired:
        return {"engine": engine, "compiled": compiled, "failed": f"{size}: took too long"}
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1][:200]
        return {"engine": engine, "compiled": compiled, "failed": f"{size}: {said}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
