"""How fast builds are verified: a million log lines, weights per core, a 100-billion record.

Run it from the root of the repository; it writes into a scratch folder beside it:

    python benchmarks/ladder.py [--lines 1000000] [--sample 2] [--megabytes 512] [--folder build]

The record of 100 billion parameters lies in *sparse* files: holes are read as zeros, at the
speed of memory. What is measured is this code, not a disk, and its findings are those of zeros
(the start was not drawn, and has no trace); memory is what it shows. With `--sample` so many
tensors of each state are looked at. Every row runs in a process of its own; processor time
changes little on a busy machine. Peak memory has the interpreter with numpy in it, about 45 MiB.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dokja.models.forge.initialisation import initial_tensor
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.bounds import path_bound, reaches
from dokja.models.forge.ladder.findings import Level, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.start_checks import traces
from dokja.models.forge.ladder.verify import verify
from dokja.models.forge.plans import BaseStore, plan_recipe
from dokja.models.forge.plans.plan import plan_of
from dokja.models.forge.recipes import read_recipe, read_table
from dokja.models.forge.records import (
    ChainWriter,
    Checkpoint,
    Code,
    Commit,
    Init,
    KeyRegister,
    KeyRole,
    LocalWitness,
    LogSpan,
    Metrics,
    Probe,
    RegisteredKey,
    Seal,
    SeedOrigin,
    Stage,
    StateDigest,
    draw_seed,
)
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source
from dokja.models.weights.roots import (
    TensorDigest,
    root,
    root_text,
    source_digests,
    tensor_digest,
)
from dokja.values import Digest
from dokja.values.keys import SigningKey

GIGA = 1e9
NONCE = bytes(32)
START = datetime(2026, 1, 2, tzinfo=UTC)
HUGE = {
    "family": "llama",
    "vocabulary": 131072,
    "width": 10240,
    "layers": 88,
    "heads": 80,
    "kv_heads": 8,
    "head_width": 128,
    "ffn": 28672,
    "positions": 4096,
}
SMALL = {**HUGE, "vocabulary": 256, "width": 32, "layers": 1, "heads": 2, "kv_heads": 1}
SMALL |= {"head_width": 16, "ffn": 64}
STATES = (0, 10, 50, 60, 90, 100)
BATCH = {"sequences": 4096, "length": 4096}
RECIPE = """
schema = "dokja.recipe/1"
name = "benchmark"
[[component]]
id = "body"
role = "language-body"
from = { scratch = "llama" }
[[component.step]]
do = "train"
data = "text"
tokens = 2_560
batch = { sequences = 4, length = 64 }
optimizer = { lr = 3e-4 }
[data.text]
sources = [{ made = "sentences", seed = "a", documents = 40, max_repeats = 4 }]
[engine]
name = "ref"
[size.cpu.component.body]
shape = { width = 32, layers = 1, heads = 2, kv_heads = 1, head_width = 16, ffn = 64 }
"""


def measured(work: Callable[..., dict[str, Any]], *words: object) -> dict[str, Any]:
    """Run work in a process of its own; return what it says, with its time and peak memory."""
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(writing, work, words))
    process.start()
    writing.close()
    told: dict[str, Any] = reading.recv()
    process.join()
    return told


def _tell(writing: Any, work: Callable[..., dict[str, Any]], words: tuple[object, ...]) -> None:
    wall, spent = time.perf_counter(), time.process_time()
    said = work(*words)
    # What getrusage tells of a new process begins with its parent's peak.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - spent}
    writing.send({**took, "peak_mib": peak, **said})


class Clock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        """Return the next second."""
        self.at += timedelta(seconds=1)
        return self.at


def write_events(path: Path, *, lines: int, steps: int, sequences: int, length: int) -> None:
    """Write a log of so many lines, each telling of some steps, with losses of full length."""
    rng = np.random.default_rng(1)
    with path.open("w") as file:
        stamp = START.isoformat(timespec="microseconds")[:-6] + "Z"
        file.write(f'{{"kind":"start","step":0,"at":"{stamp}","environment":{{}}}}\n')
        for line in range(lines):
            first, last = line * steps + 1, (line + 1) * steps
            at = START + timedelta(seconds=3600 + 25 * line)
            stamp = at.isoformat(timespec="microseconds")[:-6] + "Z"
            said = {
                "kind": "steps",
                "first": first,
                "last": last,
                "tokens": [last * sequences * length],
                "loss": [12.0 if first == 1 else one for one in rng.random(steps) + 2],
                "lr": [3e-4] * steps,
                "grad_norm": rng.random(steps).tolist(),
                "instances": [(first - 1) * sequences, last * sequences],
                "at": stamp,
            }
            file.write(json.dumps(said, separators=(",", ":")) + "\n")
        end = {"kind": "end", "step": lines * steps, "at": stamp, "device_seconds": 25.0 * lines}
        file.write(json.dumps(end, separators=(",", ":")) + "\n")


def zeros_listed(structure: Structure, dtype: str) -> tuple[TensorDigest, ...]:
    """Return the digests of a model of zeros; equal sizes are hashed once."""
    known: dict[tuple[int, ...], Digest] = {}
    item = 4 if dtype == "F32" else 2
    for shape in set(structure.shapes().values()):
        size = int(np.prod(shape)) * item
        piece = bytes(1 << 20)
        chunks = (piece[: min(len(piece), size - at)] for at in range(0, size, len(piece)))
        known[shape] = tensor_digest("any", dtype, shape=shape, chunks=chunks).content
    return tuple(
        TensorDigest(name=name, dtype=dtype, shape=shape, content=known[shape])
        for name, shape in structure.shapes().items()
    )


def write_sparse(folder: Path, structure: Structure, dtype: str) -> None:
    """Write weights of zeros as one sparse file with a header, and their configuration."""
    folder.mkdir(parents=True)
    header: dict[str, Any] = {}
    end, item = 0, 4 if dtype == "F32" else 2
    for name, shape in structure.shapes().items():
        size = int(np.prod(shape)) * item
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)
    (folder / "config.json").write_text(json.dumps(structure.config()))


def write_run(folder: Path, *, steps: int, structure: Structure, states: tuple[int, ...]) -> Path:
    """Write a plan and the signed chain of a run; its log lies at its place already.

    Args:
        folder: Where plan and run are.
        steps: Steps of the training.
        structure: What was trained.
        states: Steps of the states that lie archived.
    """
    (folder / "r.toml").write_text(RECIPE)
    recipe = read_recipe(folder / "r.toml")
    (folder / "plan").mkdir()
    made = plan_recipe(
        recipe, "cpu", bases=BaseStore(()), table=read_table(), folder=folder / "plan"
    )
    said = made.to_json()
    body = said["components"][0]
    body["structure"] = structure.to_json()
    body["parameters"] = structure.parameters()
    (stage,) = body["stages"]
    stage |= {"structure": structure.to_json(), "steps": steps, "batch": {**BATCH, "micro": 1}}
    stage["schedule"] = {"kind": "constant", "total_steps": steps}
    for source in said["data"]["text"]["sources"]:
        source |= {"tokens": 10**15, "max_repeats": 9}
    said["place"] |= {"device": "cuda", "nodes": 480, "gpus_per_node": 1, "gpu": "b200"}
    run = folder / "run"
    (run / "plan.json").write_text(json.dumps(said))
    plan = plan_of(said, file="plan.json")
    places = RunPlaces(run)
    places.settle(folder / "plan")
    _tell_chain(run, places, plan, steps=steps, states=states)
    return run


def _tell_chain(
    run: Path, places: RunPlaces, plan: Any, *, steps: int, states: tuple[int, ...]
) -> None:
    structure = plan.components[0].structure
    clock = Clock()
    witness = LocalWitness(run.parent / "witness.jsonl", key=_key("witness"), clock=clock)
    listed = zeros_listed(structure, "F32") if states else ()
    text = root_text(root(listed)) if states else root_text(Digest.of(b""))
    with ChainWriter(run, signer=_key("builder"), clock=clock, witness=witness) as chain:
        chain.append(
            Commit(
                builder="builder",
                recipe=plan.recipe,
                plan=plan.digest,
                code=Code(commit="0"),
                environment={},
                data={},
                order="dokja.order/1",
                tokenizer=None,
                bases={},
                nonce=Digest.of(NONCE),
                archive_share=0.5,
                dense_until=100,
            )
        )
        receipt = chain.chain.links[0].receipt
        chain.append(
            Init(
                seed=draw_seed(plan.digest, NONCE, receipt=receipt).hex(),
                origin=SeedOrigin.RECEIPT,
                nonce=NONCE.hex(),
                receipt=None if receipt is None else Digest.of(receipt.to_bytes()),
                roots={"body": text},
            )
        )
        terms = plan.components[0].stages[0]
        chain.append(Stage(component="body", index=0, do="train", step=0, terms=terms, before=text))
        _tell_states(chain, places, states, listed, text)
        _tell_metrics(chain, run, steps)
        final = zeros_listed(structure, "BF16") if states else ()
        sealed = root_text(root(final)) if states else text
        hours = 25.0 * _lines(run) / 3600
        chain.append(
            Seal(
                roots={"body": sealed},
                files={},
                compute={"device_hours": {"b200": hours}, "jobs": []},
            )
        )


def _tell_states(
    chain: ChainWriter,
    places: RunPlaces,
    states: tuple[int, ...],
    listed: tuple[TensorDigest, ...],
    text: str,
) -> None:
    said = [
        StateDigest(step=step, tokens=0, cursor=step * BATCH["sequences"], weights=text)
        for step in states
    ]
    for before, after in zip(said[::2], said[1::2], strict=True):
        chain.append(Probe(component="body", before=before, after=after))
    for state in said:
        data = places.write_digests("body/01-train", state.step, [one.to_json() for one in listed])
        chain.append(
            Checkpoint(
                component="body",
                state=state,
                folder=f"body/01-train/checkpoints/step-{state.step:08d}",
                digests=Digest.of(data),
                archived=True,
            )
        )


def _lines(run: Path) -> int:
    return (run / "body/01-train/events.jsonl").read_bytes().count(b"\n") - 2


def _tell_metrics(chain: ChainWriter, run: Path, steps: int) -> None:
    """Bind the log, 200 steps to an entry, as a run does it."""
    data = (run / "body/01-train/events.jsonl").read_bytes().splitlines(keepends=True)
    start, per_line = len(data[0]), steps // (len(data) - 2)
    lines = max(1, 200 // per_line)
    for place in range(1, len(data) - 1, lines):
        some = data[place : min(place + lines, len(data) - 1)]
        piece = b"".join(some)
        span = LogSpan(
            file="body/01-train/events.jsonl",
            start=start,
            stop=start + len(piece),
            digest=Digest.of(piece),
        )
        last = json.loads(some[-1])
        chain.append(
            Metrics(
                component="body",
                first=(place - 1) * per_line + 1,
                last=last["last"],
                tokens=last["tokens"][0],
                loss=last["loss"][-1],
                log=span,
            )
        )
        start += len(piece)


def _key(name: str) -> SigningKey:
    return SigningKey(name, Digest.of(name.encode()).raw)


def _register() -> KeyRegister:
    return KeyRegister(
        keys=tuple(
            RegisteredKey(
                holder=name, role=role, key=_key(name).verifier, valid_from=START - timedelta(1)
            )
            for name, role in (("builder", KeyRole.BUILDER), ("witness", KeyRole.WITNESS))
        )
    )


def verified(run: str, upto: str, sample: int | None) -> dict[str, Any]:
    """Verify a run; return how many checks passed and how many bytes were read."""
    settings = replace(Settings(keys=_register()), sample=sample)
    found = verify(open_artefacts(Path(run)), upto=Level.parse(upto), settings=settings)
    failing = sorted({one.check for one in found if one.outcome is Outcome.FAIL})
    return {
        "bytes": sum(one.read_bytes for one in found),
        "passed": sum(one.outcome is Outcome.PASS for one in found),
        "of": len(found),
        "failing": failing,
    }


def rate(kind: str, folder: str, megabytes: int) -> dict[str, Any]:
    """Read two states of real values, and return how many bytes a kind of check read."""
    first, second = (open_source(Path(folder) / name) for name in ("a", "b"))
    size = megabytes << 20
    if kind == "digest":
        source_digests(first)
        return {"bytes": size}
    if kind == "bound":
        path = path_bound(np.full(10, 1e-3), np.arange(1, 11), betas=(0.9, 0.95), decay=0.1)
        list(reaches(first, second, [(name, path.decay) for name in first.names]))
        return {"bytes": 2 * size}
    structure = Structure(**{**SMALL, "vocabulary": size // 128})
    traces(structure, b"seed", ["lm_head.weight"], sources=[first, second])
    return {"bytes": 2 * size}


def write_states(folder: Path, megabytes: int) -> None:
    """Write two states of drawn values: one matrix of so many megabytes."""
    structure = Structure(**{**SMALL, "vocabulary": (megabytes << 20) // 128})
    values = initial_tensor(structure, "lm_head.weight", b"seed")
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        raw = json.dumps(
            {
                "lm_head.weight": {
                    "dtype": "F32",
                    "shape": list(values.shape),
                    "data_offsets": [0, values.nbytes],
                }
            }
        ).encode()
        raw += b" " * (-len(raw) % 8)
        with (folder / name / "model.safetensors").open("wb") as file:
            file.write(len(raw).to_bytes(8, "little") + raw)
            file.write(values.data)


def told(title: str, row: dict[str, Any]) -> None:
    """Print one row."""
    size = row.get("bytes", 0)
    speed = f"{size / GIGA / row['cpu']:8.2f} GB/s/core" if size else " " * 18
    passed = f"{row['passed']}/{row['of']} pass" if "of" in row else ""
    failing = f", fail {' '.join(row['failing'])}" if row.get("failing") else ""
    print(
        f"{title:46}{row['wall']:9.2f} s{row['cpu']:9.2f} cpu-s{speed}"
        f"{row['peak_mib']:8.0f} MiB  {passed}{failing}"
    )


def main() -> int:
    """Measure and print every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=2)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--folder", type=Path, default=Path("build"))
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        write_states(folder / "states", given.megabytes)
        for kind in ("digest", "trace", "bound"):
            told(
                f"{kind}, real values",
                measured(rate, kind, str(folder / "states"), given.megabytes),
            )
        small = Structure(**SMALL)
        for per_line in (1, 10):
            place = folder / f"log-{per_line}"
            (place / "run/body/01-train").mkdir(parents=True)
            path = place / "run/body/01-train/events.jsonl"
            steps, lines = given.lines, given.lines // per_line
            write_events(path, lines=lines, steps=per_line, **BATCH)
            run = write_run(place, steps=steps, structure=small, states=())
            title = f"V0+V1, {lines:,} lines of {per_line} steps"
            told(title, measured(verified, str(run), "V1", None))
        _huge(folder / "huge", given.sample)
    return 0


def _huge(folder: Path, sample: int) -> None:
    structure = Structure(**HUGE)
    (folder / "run/body/01-train").mkdir(parents=True)
    write_events(folder / "run/body/01-train/events.jsonl", lines=100, steps=1, **BATCH)
    run = write_run(folder, steps=100, structure=structure, states=STATES)
    for step in STATES:
        place = run / f"body/01-train/checkpoints/step-{step:08d}"
        write_sparse(place / "weights", structure, "F32")
    write_sparse(run / "model", structure, "BF16")
    apparent = sum(path.stat().st_size for path in run.rglob("*.safetensors"))
    said = f"{structure.parameters() / GIGA:.1f}B, {apparent / GIGA:,.0f} GB apparent"
    row = measured(verified, str(run), "V2", sample)
    told(f"V0-V2, {said}, {sample} tensors", row)


if __name__ == "__main__":
    sys.exit(main())
