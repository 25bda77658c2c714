"""Kills a run again and again and counts what was lost: prints one table.

Run it from the root of the repository; 200 kills take some minutes, most of them starting Python:

    python benchmarks/kills.py [--kills 200] [--samples 2000] [--seed 1]

`dokja measure --resume` is started against an endpoint in another process, and killed with SIGKILL
at a moment drawn from the seed: once so many further requests were seen, or by the clock, which
finds it starting, recovering or finishing as well. At the end every key must be in the record
exactly once, and the endpoint may have seen no more requests than samples plus what was in the air
at each kill.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONCURRENCY = 64
LONGEST_S = 4.0
MOST_FURTHER = 20
BY_CLOCK = 0.2


class Endpoint:
    """An endpoint in a process of its own that says how many requests it saw."""

    def __init__(self, answers: Path) -> None:
        said = {"answers": str(answers), "delay_s": 0.004, "tells": True}
        words = [sys.executable, str(ROOT / "tests/simulators/endpoint.py"), json.dumps(said)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self._lines = self._process.stdout or sys.stdin
        self.url = f"http://127.0.0.1:{self._lines.readline().strip()}/v1"
        self.seen = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        for line in self._lines:
            self.seen = int(line)

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


def sums(folder: Path, count: int) -> tuple[Path, Path]:
    """Write items and their answers; return both files."""
    rows = [
        {
            "id": f"sums-{number:05d}",
            "prompt": f"{number} + 1 = ?",
            "answer": str(number + 1),
            "cluster": f"family-{number % 7}",
            "language": "ko",
        }
        for number in range(count)
    ]
    items, answers = folder / "sums.jsonl", folder / "answers.json"
    items.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers.write_text(json.dumps({row["prompt"]: row["answer"] for row in rows}))
    return items, answers


def measured(words: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """Start `dokja measure`."""
    with log.open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "dokja", "measure", *words],
            stdout=said,
            stderr=said,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def kill_once(
    words: list[str], server: Endpoint, *, log: Path, chance: random.Random, by_clock: bool
) -> bool:
    """Start, wait for a moment, kill; tell whether there was anything left to kill."""
    process = measured(words, log)
    before, began = server.seen, time.monotonic()
    wanted = chance.randrange(0, MOST_FURTHER)
    patience = chance.uniform(0.0, LONGEST_S)
    while process.poll() is None:
        waited = time.monotonic() - began
        if waited > patience if by_clock else server.seen - before > wanted:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.0005)
    return False


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    chance = random.Random(wanted.seed)  # noqa: S311  # moments, no secret
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        folder = Path(scratch)
        items, answers = sums(folder, wanted.samples)
        server, run, log = Endpoint(answers), folder / "run", folder / "said.txt"
        begin = ["always-right", "--endpoint", server.url, "--suite", str(items)]
        begin += ["--out", str(run), "--sentinels", "0"]
        try:
            kills = killed(run, server, begin, log=log, wanted=wanted.kills, chance=chance)
            if measured(going_on(run, begin), log).wait():
                raise SystemExit(log.read_text()[-2000:])
            time.sleep(0.2)
            report(run, server, kills=kills, samples=wanted.samples)
        finally:
            server.close()


def going_on(run: Path, begin: list[str]) -> list[str]:
    """Return the words that go on with a run, or begin it."""
    return ["--resume", str(run)] if (run / "plan.json").exists() else begin


def killed(
    run: Path,
    server: Endpoint,
    begin: list[str],
    *,
    log: Path,
    wanted: int,
    chance: random.Random,
) -> int:
    """Kill a run so often; return how often."""
    kills, by_clock = 0, False
    while kills < wanted:
        words = going_on(run, begin)
        hit = kill_once(words, server, log=log, chance=chance, by_clock=by_clock)
        kills += hit
        # Some die by count and some by the clock, wherever they are by then; once nothing is open
        # any more, only the clock finds one alive.
        by_clock = not hit or chance.random() < BY_CLOCK
    return kills


def report(run: Path, server: Endpoint, *, kills: int, samples: int) -> None:
    """Print what came of it, and fail where anything was lost."""
    summary = json.loads((run / "summary.json").read_bytes())
    records = [json.loads(line) for line in (run / "records.jsonl").read_bytes().splitlines()]
    journal = [json.loads(line) for line in (run / "journal.jsonl").read_bytes().splitlines()]
    answered = [line["k"] for line in journal if line["did"] == "answer"]
    torn = len(list(run.glob("journal.jsonl.torn-*")))
    print(f"{kills} kills, {samples} samples, {CONCURRENCY} at once, {torn} torn lines")
    print(f"records {len(records)}, keys answered once {len(set(answered))} of {len(answered)}")
    print(f"outcomes {summary['outcomes']}")
    print(f"requests seen {server.seen}: {server.seen - samples} more than samples")
    print(f"possibly paid twice, as reported: {summary['possibly_paid_twice']}")
    items = {record["item"] for record in records}
    held = (
        len(items) == len(records) == samples
        and len(set(answered)) == len(answered) == samples
        and summary["outcomes"] == {"correct": samples}
        and server.seen <= samples + CONCURRENCY * kills
        and summary["possibly_paid_twice"] >= server.seen - samples
    )
    if not held:
        raise SystemExit("a law does not hold")


if __name__ == "__main__":
    main()
