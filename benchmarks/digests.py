"""How fast digests, orders, batches and first weights are: prints one table.

Run it from the root of the repository; it writes into a scratch folder beside it:

    python benchmarks/digests.py [--megabytes 1024] [--folder build]

Every figure is of one core (but the row that says otherwise), this machine and this moment; the
second column counts processor time, which a busy machine changes little. Files are read from
the page cache: a disk that is slower than the digest is then the limit. Memory is the peak of a
process of its own per row, the interpreter's own some tens of MiB among it.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dokja.documents.packing import CorpusFacts, open_corpus, write_corpus
from dokja.models.forge.corpora import Order, OrderSource, TokenData
from dokja.models.forge.initialisation import initial_values
from dokja.models.weights import open_source
from dokja.models.weights.roots import source_digests
from dokja.values import Digest

MEBI = 1 << 20
TENSORS = 8
INDICES = 4_000_000
PARAMETERS = 100_000_000
BATCHES = 2000
SEQUENCES, LENGTH = 16, 256
TOKENS = 20_000_000
SEED = bytes(32)
WIDTH = (46, 16, 18, 18, 12)
FACTS = CorpusFacts(
    name="counted",
    tokenizer=Digest.of(b"none"),
    vocabulary=1 << 16,
    licence="CC0-1.0",
    origin="drawn by a benchmark",
    collected="2026-01-15",
    personal_data="none",
)


def measured(work: Callable[..., float], *words: object) -> dict[str, float]:
    """Run work, which returns what it did, in a process of its own; return its rates."""
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(writing, work, words))
    process.start()
    writing.close()
    told: dict[str, float] = reading.recv()
    process.join()
    return told


def _tell(writing: object, work: Callable[..., float], words: tuple[object, ...]) -> None:
    work(*words)  # once beforehand: page cache, tables and imports are not what is measured
    wall, spent = time.perf_counter(), time.process_time()
    done = work(*words)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rates = {"per_second": done / wall, "per_cpu_second": done / spent, "peak_mib": peak}
    writing.send(rates)  # type: ignore[attr-defined]  # a pipe's end


def write_weights(folder: Path, megabytes: int) -> None:
    """Write a safetensors file by hand, a tensor at a time."""
    size = megabytes * MEBI // TENSORS
    header = {
        f"t{number}": {
            "dtype": "F32",
            "shape": [size // 4],
            "data_offsets": [number * size, (number + 1) * size],
        }
        for number in range(TENSORS)
    }
    raw = json.dumps(header).encode()
    block = np.random.default_rng(0).bytes(MEBI)
    folder.mkdir()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for _ in range(TENSORS * (size // MEBI)):
            file.write(block)


def digest_tensors(folder: Path, threads: int) -> float:
    """Digest every tensor of opened weights."""
    source = open_source(folder)
    source_digests(source, threads=threads)
    return source.bytes_read


def order_indices() -> float:
    """Order the instances of three sources, in one piece."""
    Order(SEED, _sources(3)).instances(0, INDICES)
    return INDICES


def order_batches() -> float:
    """Order them batch by batch, as a run does."""
    order = Order(SEED, _sources(3))
    for step in range(BATCHES):
        order.instances(step * SEQUENCES, (step + 1) * SEQUENCES)
    return BATCHES * SEQUENCES


def draw_parameters() -> float:
    """Draw first weights, a million at a time."""
    for start in range(0, PARAMETERS, MEBI):
        initial_values("w", SEED, std=0.02, start=start, stop=start + MEBI)
    return PARAMETERS


def pack_tokens(folder: Path) -> float:
    """Pack documents of a thousand ids that are encoded already."""
    ids = np.random.default_rng(0).integers(0, 1 << 16, 1000, dtype=np.uint16)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "corpus"
        write_corpus(("x" for _ in range(TOKENS // 1000)), path, encode=lambda _: ids, facts=FACTS)
    return TOKENS


def verify_corpus(folder: Path) -> float:
    """Verify a corpus' digests, ids and offsets."""
    with open_corpus(folder) as corpus:
        corpus.verify()
        return corpus.tokens


def read_batches(folder: Path) -> float:
    """Read batches of a run over one corpus."""
    with open_corpus(folder) as corpus:
        windows = corpus.windows(LENGTH)
        order = Order(SEED, (OrderSource(name="counted", windows=windows, max_repeats=100),))
        data = TokenData(LENGTH, order, [corpus])
        for step in range(BATCHES):
            data.batch(step * SEQUENCES, (step + 1) * SEQUENCES)
    return BATCHES * SEQUENCES * LENGTH


def _sources(count: int) -> tuple[OrderSource, ...]:
    return tuple(
        OrderSource(name=f"s{n}", windows=10_000_019 // n, weight=1 / n, max_repeats=4)
        for n in range(1, count + 1)
    )


def rows(folder: Path, megabytes: int) -> Iterator[tuple[str, float, str, str, dict[str, float]]]:
    """Yield name, unit, goal and all that was found of every measurement."""
    weights, corpus = folder / "weights", folder / "corpus"
    write_weights(weights, megabytes)
    name = f"tensor digest of {megabytes:,} MiB"
    yield name, 1e9, "GB/s", "≥ 1", measured(digest_tensors, weights, 1)
    cores = os.cpu_count() or 1
    name = f"tensor digest, {cores} threads"
    yield name, 1e9, "GB/s", "", measured(digest_tensors, weights, cores)
    yield "order, one piece", 1e6, "M/s", "≥ 4", measured(order_indices)
    yield f"order, batches of {SEQUENCES}", 1e6, "M/s", "", measured(order_batches)
    yield "first weights", 1e6, "M/s", "≥ 90", measured(draw_parameters)
    yield "packing, ids given", 1e6, "M ids/s", "", measured(pack_tokens, folder)
    ids = np.random.default_rng(0).integers(0, 1 << 16, TOKENS, dtype=np.uint16)
    write_corpus(["x"], corpus, encode=lambda _: ids, facts=FACTS).close()
    yield "corpus verified", 1e6, "M ids/s", "", measured(verify_corpus, corpus)
    name = f"batches of {SEQUENCES} x {LENGTH} read"
    yield name, 1e6, "M ids/s", "", measured(read_batches, corpus)


def main() -> None:
    """Measure, and print the table."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--megabytes", type=int, default=1024)
    words.add_argument("--folder", type=Path, default=Path())
    words.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    given = words.parse_args()
    done = []
    if not given.json:
        _print("", "measured", "per CPU second", "goal", "peak MiB")
    with tempfile.TemporaryDirectory(dir=given.folder, prefix=".bench-") as scratch:
        for name, scale, unit, goal, found in rows(Path(scratch), given.megabytes):
            done.append({"name": name, "goal": goal and f"{goal} {unit}", **found})
            if not given.json:
                rates = [found["per_second"] / scale, found["per_cpu_second"] / scale]
                shown = [f"{rate:,.2f} {unit}" for rate in rates]
                _print(name, *shown, goal and f"{goal} {unit}", f"{found['peak_mib']:,.0f}")
    if given.json:
        document = {"schema": "dokja.benchmarks.digests/1", "cores": os.cpu_count(), "rows": done}
        print(json.dumps(document))


def _print(*cells: str) -> None:
    aligned = [cells[0].ljust(WIDTH[0])]
    aligned += [cell.rjust(width) for cell, width in zip(cells[1:], WIDTH[1:], strict=True)]
    print("".join(aligned), flush=True)


if __name__ == "__main__":
    main()
