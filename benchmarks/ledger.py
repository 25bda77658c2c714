"""How fast the ledger is, and how little memory it needs: prints one table.

Run it from the root of the repository; it writes into a scratch folder beside it, because
`/tmp` may be in memory and would then say nothing of a disk:

    python benchmarks/ledger.py [--entries 1000000] [--folder build]

Every figure is of this machine, this disk and this moment; the second column counts processor
time (the making of drafts included), which a busy machine changes little. Memory is the peak of
a process of its own per row.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from dokja.evidence.ledger import Draft, Ledger, verify_export
from dokja.evidence.ledger.sqlite import SqliteStorage

AT = datetime(2026, 1, 15, tzinfo=UTC)
BATCH = 1000
ONE_BY_ONE = 2000
PROOFS = 2000
WIDTH = (42, 14, 18, 15, 12)


def notes(start: int, count: int) -> list[Draft]:
    """Return drafts of notes; their kind's checker is among what is measured."""
    return [
        Draft(
            kind="note",
            actor="office",
            body={"on": "2026-01-15", "text": {"ko": f"글 {number}", "en": f"words {number}"}},
        )
        for number in range(start, start + count)
    ]


def measured(work: Callable[..., dict[str, float]], *words: object) -> dict[str, float]:
    """Run work in a process of its own; return what it measured, with its peak of memory."""
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(writing, work, words))
    process.start()
    writing.close()
    told: dict[str, float] = reading.recv()
    process.join()
    return told


def _tell(
    writing: object, work: Callable[..., dict[str, float]], words: tuple[object, ...]
) -> None:
    began = time.process_time()
    found = work(*words)
    found["cpu_seconds"] = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    writing.send({**found, "peak_mib": peak})  # type: ignore[attr-defined]  # a pipe's end


def append_batches(path: Path, start: int, stop: int) -> dict[str, float]:
    """Append in batches of a thousand; making the drafts is not counted."""
    spent = 0.0
    with Ledger(SqliteStorage(path)) as ledger:
        for number in range(start, stop, BATCH):
            batch = notes(number, min(BATCH, stop - number))
            began = time.perf_counter()
            ledger.append(batch, at=AT)
            spent += time.perf_counter() - began
    return {"per_second": (stop - start) / spent, "entries": stop - start}


def append_one_by_one(path: Path) -> dict[str, float]:
    """Append one entry at a time, each on the disk before the next."""
    with Ledger(SqliteStorage(path)) as ledger:
        began = time.perf_counter()
        for draft in notes(0, ONE_BY_ONE):
            ledger.append([draft], at=AT)
        return {"per_second": ONE_BY_ONE / (time.perf_counter() - began), "entries": ONE_BY_ONE}


def verify(path: Path) -> dict[str, float]:
    """Verify the whole ledger in its database."""
    with Ledger(SqliteStorage(path)) as ledger:
        began = time.perf_counter()
        found = ledger.verify()
        spent = time.perf_counter() - began
    if not found.ok:
        raise SystemExit(str(found.problems[0]))
    return {"per_second": found.size / spent, "entries": found.size}


def export(path: Path, out: Path) -> dict[str, float]:
    """Export the whole ledger to a file."""
    with Ledger(SqliteStorage(path)) as ledger, out.open("wb") as file:
        began = time.perf_counter()
        file.writelines(ledger.export())
        spent = time.perf_counter() - began
        return {"per_second": ledger.size / spent, "entries": ledger.size}


def check_export(out: Path) -> dict[str, float]:
    """Verify an exported file."""
    began = time.perf_counter()
    found = verify_export(out)
    spent = time.perf_counter() - began
    if not found.ok:
        raise SystemExit(str(found.problems[0]))
    return {"per_second": found.size / spent, "entries": found.size}


def read(path: Path) -> dict[str, float]:
    """Read every entry, each checked against the hash that was kept of it."""
    with Ledger(SqliteStorage(path)) as ledger:
        began = time.perf_counter()
        count = sum(1 for _ in ledger.entries())
        return {"per_second": count / (time.perf_counter() - began), "entries": count}


def prove(path: Path) -> dict[str, float]:
    """Prove entries all over the ledger, one transaction each."""
    spent = []
    with Ledger(SqliteStorage(path)) as ledger:
        size = ledger.size
        for number in range(PROOFS):
            seq = number * 7919 * 104_729 % size
            began = time.perf_counter()
            ledger.inclusion_proof(seq, size)
            spent.append(time.perf_counter() - began)
    spent.sort()
    worst = spent[int(len(spent) * 0.99)]
    return {"median_ms": statistics.median(spent) * 1000, "worst_ms": worst * 1000}


def rows(folder: Path, entries: int) -> Iterator[tuple[str, str, str, dict[str, float]]]:
    """Yield name, figure, goal and all that was found of every measurement."""
    single = folder / "single.db"
    SqliteStorage.create(single, origin="example.org/single").close()
    found = measured(append_one_by_one, single)
    yield "one by one, durably", _rate(found), "≥ 200 /s", found
    path = folder / "ledger.db"
    SqliteStorage.create(path, origin="example.org/log").close()
    start = 0
    for size in sorted({min(100_000, entries), entries}):
        found = measured(append_batches, path, start, size)
        start = size
        yield f"batches of {BATCH}, up to {size:,}", _rate(found), "≥ 20,000 /s", found
        found = measured(verify, path)
        yield f"verified at {size:,}", _rate(found), "≥ 50,000 /s", found
        found = measured(prove, path)
        shown = f"{found['median_ms']:.3f} ms"
        yield f"inclusion proof at {size:,}, median", shown, "≤ 1 ms", found
        shown = f"{found['worst_ms']:.3f} ms"
        yield f"inclusion proof at {size:,}, 99 of 100", shown, "≤ 1 ms", found
        found = measured(read, path)
        yield f"read at {size:,}", _rate(found), "", found
        out = folder / "ledger.jsonl"
        found = measured(export, path, out)
        yield f"exported at {size:,}", _rate(found), "", found
        found = measured(check_export, out)
        yield f"export verified at {size:,}", _rate(found), "≥ 50,000 /s", found


def _rate(found: dict[str, float]) -> str:
    return f"{found['per_second']:,.0f} /s"


def _of_processor(found: dict[str, float]) -> str:
    """Return entries per second of processor time, which others on the machine do not lessen."""
    if "entries" not in found:
        return ""
    return f"{found['entries'] / found['cpu_seconds']:,.0f}"


def main() -> None:
    """Measure, and print the table."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--entries", type=int, default=1_000_000)
    words.add_argument("--folder", type=Path, default=Path())
    words.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    given = words.parse_args()
    done = []
    if not given.json:
        _print("", "measured", "per CPU second", "goal", "peak MiB")
    with tempfile.TemporaryDirectory(dir=given.folder, prefix=".bench-") as scratch:
        for name, figure, goal, found in rows(Path(scratch), given.entries):
            done.append({"name": name, "measured": figure, "goal": goal, **found})
            if not given.json:
                _print(name, figure, _of_processor(found), goal, f"{found['peak_mib']:,.0f}")
    if given.json:
        print(
            json.dumps(
                {"schema": "dokja.benchmarks.ledger/1", "cores": os.cpu_count(), "rows": done}
            )
        )


def _print(*cells: str) -> None:
    aligned = [cells[0].ljust(WIDTH[0])]
    aligned += [cell.rjust(width) for cell, width in zip(cells[1:], WIDTH[1:], strict=True)]
    print("".join(aligned), flush=True)


if __name__ == "__main__":
    main()
