"""How fast weights become float32, on one thread and from the page cache: prints one table.

Run it from the root of the repository; it writes into a scratch folder beside it:

    python benchmarks/reading.py [--megabytes 512] [--folder build]

The raw limit is reading the same file into one buffer and doing nothing with it; the last column
is the share of it, in
processor seconds. GB are of bytes as they are stored, so that a type of fewer bits has fewer of
them for as many values. Every figure is the best of some runs, of this machine and this moment;
processor seconds, which a busy machine changes less, are those of the one thread. The peak is of
this process, the interpreter's own among it.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np

from dokja.models.weights import Source, open_source
from dokja.models.weights.gguf_grids import GGUF_GRIDS, GGUF_TYPES
from dokja.models.weights.grids import PLAIN_GRIDS

MEBI = 1 << 20
COLUMNS = 4096
RUNS = 5
PIECE = 1 << 18


def best(work: Callable[[], object]) -> tuple[float, float]:
    """Return the shortest of some runs, in seconds and in the processor's seconds."""
    work()
    walls, spent = [], []
    for _ in range(RUNS):
        began, before = time.perf_counter(), time.thread_time()
        work()
        walls.append(time.perf_counter() - began)
        spent.append(time.thread_time() - before)
    return min(walls), min(spent)


def write_bf16(path: Path, megabytes: int) -> int:
    """Write one matrix of random bfloat16; return its bytes."""
    rows = megabytes * MEBI // 2 // COLUMNS
    size = rows * COLUMNS * 2
    said = {"dtype": "BF16", "shape": [rows, COLUMNS], "data_offsets": [0, size]}
    header = json.dumps({"w": said}).encode()
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(rows):
            row = rng.standard_normal(COLUMNS, dtype=np.float32)
            file.write(row.astype(ml_dtypes.bfloat16).tobytes())
    return size


def raw(path: Path) -> None:
    """Read a file into one buffer, a piece at a time."""
    buffer = bytearray(PIECE)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def ways(source: Source) -> dict[str, Callable[[], object]]:
    """Return the ways of reading, by name."""
    rows = source.info("w").shape[0]
    kept = np.empty(source.info("w").shape, dtype=np.float32)

    def some_rows() -> None:
        for start in range(0, rows, 128):
            source.read_rows("w", start, min(start + 128, rows))

    def blocks() -> None:
        for _ in source.row_blocks("w"):
            pass

    def chunks() -> None:
        for _ in source.chunks("w", 1 << 20):
            pass

    return {
        "chunks, not converted": chunks,
        "row_blocks, memory reused": blocks,
        "read, memory reused": lambda: source.read("w", out=kept),
        "read, fresh memory": lambda: source.read("w"),
        "read_rows, 128 at a time": some_rows,
    }


def decoding() -> dict[str, float]:
    """Return GB/s of decoding each grid from memory, a megabyte at a time."""
    grids = {"F8_E4M3": PLAIN_GRIDS["F8_E4M3"], "BF16": PLAIN_GRIDS["BF16"]}
    grids |= {name: GGUF_GRIDS[name] for name in GGUF_TYPES.values() if name[0] in "QM"}
    rates = {}
    for name, grid in grids.items():
        blocks = MEBI // grid.bytes
        stored = np.zeros(blocks * grid.bytes, dtype=np.uint8)
        stored[:] = np.random.default_rng(0).integers(0, 60, len(stored))
        out = np.empty(blocks * grid.values, dtype=np.float32)

        def decode(grid: object = grid, stored: object = stored, out: object = out) -> None:
            grid.decode(stored, out)  # type: ignore[attr-defined]  # a grid

        rates[name] = len(stored) / best(decode)[1] / 1e9
    return rates


def main() -> None:
    """Write a file, read it in every way, and print what each took."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--megabytes", type=int, default=512)
    words.add_argument("--folder", type=Path, default=Path("build"))
    said = words.parse_args()
    said.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        path = Path(folder) / "model.safetensors"
        size = write_bf16(path, said.megabytes)
        limits = [size / seconds / 1e9 for seconds in best(lambda: raw(path))]
        print(f"bf16, {said.megabytes} MiB, one thread, load {os.getloadavg()[0]:.1f}")
        print(f"{'way':<28}{'GB/s':>8}{'GB/cpu s':>10}{'of the raw limit':>18}")
        print(f"{'raw limit':<28}{limits[0]:>8.2f}{limits[1]:>10.2f}{1:>18.0%}")
        for name, work in ways(open_source(Path(folder))).items():
            wall, spent = (size / seconds / 1e9 for seconds in best(work))
            print(f"{name:<28}{wall:>8.2f}{spent:>10.2f}{spent / limits[1]:>18.0%}")
    print(f"\n{'decoding from memory':<28}{'GB/s':>8}{'million values/s':>20}")
    for name, rate in decoding().items():
        grid = PLAIN_GRIDS.get(name) or GGUF_GRIDS[name]
        values = rate * 1e3 / grid.bytes * grid.values
        print(f"{name:<28}{rate:>8.2f}{values:>20.0f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory {peak:.0f} MiB, of which {2 * said.megabytes} MiB are the reused array")


if __name__ == "__main__":
    main()
