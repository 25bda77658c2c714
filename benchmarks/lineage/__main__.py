"""How well relations are told: the attack suite, ours and the peers' methods in one run.

    python benchmarks/lineage --tier small                 # grows the zoo, measures, prints
    python benchmarks/lineage --zoo build/zoo --peers      # of a zoo that was grown before
    python benchmarks/lineage --table build/lineage.jsonl  # prints it again

A run that was stopped goes on: pairs whose line is in the results are not measured again. The
zoo is grown by `dokja forge zoo grow`; families that need torch are left out where it is not
installed. Two processes of one thread each are faster than one of two.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from measuring import measured
from pairs import Case, cases_of
from tables import print_tables

from dokja.models.forge.zoo import Zoo, read_zoo

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Grow, measure and print."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--tier", default="small")
    words.add_argument("--zoo", type=Path, help="default: build/zoo-TIER")
    words.add_argument("--results", type=Path, help="default: build/lineage-TIER.jsonl")
    words.add_argument("--table", type=Path, help="print these results, and measure nothing")
    words.add_argument(
        "--side", default="evaluation", choices=("evaluation", "calibration", "both")
    )
    words.add_argument("--jobs", type=int, default=2)
    words.add_argument("--peers", action="store_true", help="ask the peers' methods as well")
    words.add_argument("--thorough", action="store_true", help="run every branch on every pair")
    words.add_argument(
        "--limit", type=int, help="leave out pairs of strangers, evenly, above so many"
    )
    said = words.parse_args()
    if said.table:
        print_tables(read_lines(said.table), side=said.side)
        return
    folder = said.zoo or Path(f"build/zoo-{said.tier}")
    results = said.results or Path(f"build/lineage-{said.tier}.jsonl")
    began = time.monotonic()
    if not (folder / "zoo.json").exists():
        grow(said.tier, folder, jobs=said.jobs)
    grown = time.monotonic() - began
    zoo = read_zoo(folder)
    cases = cases_of(zoo)
    cases = thinned(cases, said.limit or len(cases))
    measure(zoo, cases, results=results, said=said)
    print_tables(read_lines(results), side=said.side)
    spent = time.monotonic() - began
    print(f"\n{spent:.0f} s by the clock, {grown:.0f} of them growing the zoo")


def thinned(cases: list[Case], most: int) -> list[Case]:
    """Return at most so many cases: all that are related, and some of the others, evenly."""
    strangers = [case for case in cases if case.truth.relation == "no_evidence"]
    wanted = max(0, most - (len(cases) - len(strangers)))
    if wanted >= len(strangers):
        return cases
    kept = {strangers[i * len(strangers) // wanted].key for i in range(wanted)}
    return [case for case in cases if case.truth.relation != "no_evidence" or case.key in kept]


def grow(tier: str, folder: Path, *, jobs: int) -> None:
    """Grow the zoo of a tier, or go on growing it."""
    program = Path(sys.executable).with_name("dokja")
    command = [str(program), "forge", "zoo", "grow", "--tier", tier, "-o", str(folder)]
    subprocess.run(
        [*command, "--jobs", str(jobs)],
        check=True,
        env={**os.environ, **dict.fromkeys(_THREADS, "1")},
    )


def measure(zoo: Zoo, cases: list[Case], *, results: Path, said: argparse.Namespace) -> None:
    """Measure what is not in the results yet, and append line by line."""
    scratch = results.with_suffix(".models")
    scratch.mkdir(parents=True, exist_ok=True)
    manifest = hashlib.sha256((zoo.folder / "zoo.json").read_bytes()).hexdigest()
    done = {line["key"] for line in read_lines(results) if line.get("zoo") == manifest}
    left = [case for case in cases if case.key not in done]
    print(f"{len(cases)} pairs, {len(cases) - len(left)} of them measured before", flush=True)
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    with (
        results.open("a") as file,
        ProcessPoolExecutor(said.jobs, initializer=_begin, initargs=(zoo.folder,)) as pool,
    ):
        tasks = ((case, scratch, said.peers, said.thorough) for case in left)
        for number, line in enumerate(pool.map(_work, tasks, chunksize=4), start=1):
            file.write(json.dumps({"zoo": manifest, **line}, ensure_ascii=False) + "\n")
            file.flush()
            if number % 100 == 0:
                print(f"{number} of {len(left)}", flush=True)


_ZOO: list[Zoo] = []


def _begin(folder: Path) -> None:
    _ZOO.append(read_zoo(folder))


def _work(task: tuple[Case, Path, bool, bool]) -> dict[str, Any]:
    case, scratch, peers, thorough = task
    return measured(_ZOO[0], case, scratch=scratch, peers=peers, thorough=thorough)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return results; a last line that was cut is left out."""
    return list(_sound(path.read_text().splitlines())) if path.exists() else []


def _sound(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


if __name__ == "__main__":
    main()
