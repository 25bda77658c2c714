"""Imports a log of Inspect with a hundred thousand samples, and says what that takes.

The log is made here, in the shapes that the pinned version writes: Zstandard, one entry a sample,
or each sample in chunks. Reading runs in a process of its own, whose peak of
memory is asked of the kernel: what `resource` tells counts the parent's as well.

    .venvs/test/bin/python benchmarks/importing.py [SAMPLES]
"""

import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

READ = """
import sys, time
from pathlib import Path
from dokja.evidence.benchmarks.importers import import_log, read_inspect
started, used = time.perf_counter(), time.process_time()
imported = import_log(read_inspect(Path(sys.argv[1]), category="subject"))
wall, cpu = time.perf_counter() - started, time.process_time() - used
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(imported.table.outcomes.size, f"{wall:.1f} {cpu:.1f} {peak:.0f}")
"""
QUESTION = "다음 중 옳은 것을 고르시오. " * 20
TARGET_S, TARGET_MB = 60, 300


def sample(number: int) -> dict[str, Any]:
    """Return a sample of the size that a short Korean question makes: about eight kilobytes."""
    said = {"role": "assistant", "content": "ANSWER: B", "source": "generate"}
    asked = {"role": "user", "content": QUESTION, "source": "input"}
    call = {"request": {"messages": [asked]}, "response": {"choices": [said]}}
    return {
        "id": f"item-{number:06d}",
        "epoch": 1,
        "input": f"{QUESTION}{number}",
        "choices": ["1", "2", "3", "4"],
        "target": "ABCD"[number % 4],
        "messages": [asked, said],
        "output": {
            "model": "stub",
            "choices": [{"message": said, "stop_reason": "stop"}],
            "completion": "ANSWER: B",
            "usage": {"input_tokens": 300, "output_tokens": 4, "total_tokens": 304},
        },
        "scores": {"choice": {"value": "CI"[number % 3 > 0], "answer": "B", "history": []}},
        "metadata": {"subject": f"subject {number % 45}"},
        "attachments": {},
        "events": [{"event": "model", "call": call, "uuid": f"{number}-{n}"} for n in range(4)],
    }


def entries(count: int, *, chunked: bool) -> Iterator[tuple[str, bytes]]:
    """Give every entry of the log: name and content."""
    ids = [f"item-{number:06d}" for number in range(count)]
    spec = {
        "created": "2026-01-01T00:00:00+00:00",
        "task": "kmmlu",
        "model": "stub/stub",
        "dataset": {"samples": count, "sample_ids": ids},
        "config": {"epochs": 1},
    }
    head = json.dumps({"version": 2, "status": "success", "eval": spec}).encode()
    yield "_journal/start.json", head
    for number in range(count):
        made = sample(number)
        name = f"samples/{made['id']}_epoch_1"
        if not chunked:
            yield f"{name}.json", json.dumps(made, ensure_ascii=False).encode()
            continue
        for part in ("metadata", "messages", "events", "attachments"):
            content = json.dumps(made.pop(part), ensure_ascii=False).encode()
            yield f"{name}/{part}{'' if part == 'metadata' else '/0'}.json", content
        yield f"{name}/sample.json", json.dumps(made, ensure_ascii=False).encode()
    yield "header.json", head


def write(path: Path, count: int, *, chunked: bool) -> None:
    """Write a log whose entries are Zstandard, which Python's own writer cannot."""
    codec = pa.Codec("zstd")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        told = []
        for name, content in entries(count, chunked=chunked):
            archive.writestr(name, codec.compress(content, asbytes=True))
            told.append((len(content), zlib.crc32(content)))
        for entry, (size, checksum) in zip(archive.infolist(), told, strict=True):
            entry.compress_type, entry.file_size, entry.CRC = 93, size, checksum


def main(count: int) -> int:
    """Print one line for each shape; return 1 if a target is missed."""
    missed = False
    for chunked in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.eval"
            write(path, count, chunked=chunked)
            size = path.stat().st_size / 2**20
            words = [sys.executable, "-c", READ, str(path)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
        cells, wall, cpu, peak = done.stdout.split()
        shape = "chunked" if chunked else "one entry a sample"
        print(
            f"{shape}: {int(cells):,} samples, {size:.0f} MiB: {wall} s ({cpu} s of CPU), "
            f"{peak} MiB at most"
        )
        missed |= float(wall) > TARGET_S or float(peak) > TARGET_MB
    print(f"targets for 100,000 samples: {TARGET_S} s, {TARGET_MB} MiB")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
