"""How many planted wrong keys are found, how many right ones suspected, and what real answers say.

    python benchmarks/key_errors.py

Planted: five wrong keys in 500 items and 20 systems, items that differ in slope as well as in
difficulty, and wrong answers that gather on one option or do not. Real: one run per model on three
Korean item sets whose outcomes lie beside the repository; left out where these are not there.
"""

import csv
import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics import KeyFindings, suspect_keys

ITEMS = Path(__file__).parents[2] / "shared/data/korean-items"
SEEDS = 20
SETS = (("HAERAE", "haerae", 5), ("CLIcK", "click", 5), ("KMMLU", "kmmlu", 4))
TWINS = (  # words in the labels of runs of a model that another run stands for
    "5shot",
    "chat",
    "gpt-51-medium",
    "phi-3-mini",
    "(medium)",
    "nova-2-pro-medium",
    "claude-sonnet-4-2025",
    "gpt-oss",
)


def main() -> None:
    """Print the tables."""
    print("| wrong answers | spread of difficulty | found of 5 | suspected wrongly | power said |")
    print("|---|---:|---:|---:|---:|")
    for name, even in (("even", 30.0), ("somewhat gathered", 3.0), ("gathered", 1.0)):
        for spread in (0.8, 1.2):
            hits, false, power = planted(even=even, spread=spread)
            print(f"| {name} | {spread} | {hits:.2f} | {false:.2f} | {power:.2f} |")
    if not ITEMS.exists():
        print("\nThe answers to Korean items are not beside the repository: no real findings.")
        return
    print("\n| items | count | models | to be looked at | power | gathering | CPU s |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for benchmark, file, options in SETS:
        _, answers, keys = real(benchmark, file)
        start = time.process_time()
        found = suspect_keys(answers, keys, options=options, rng=np.random.default_rng(1))
        print(f"| {benchmark} | {row(found)} | {time.process_time() - start:.1f} |")


def row(found: KeyFindings) -> str:
    """Return findings as cells."""
    power = getattr(found.power, "value", float("nan"))
    counts = f"{found.items} | {found.systems} | {len(found.suspects)}"
    return f"{counts} | {power:.2f} | {found.gathering:.2f}"


def planted(*, even: float, spread: float) -> tuple[float, float, float]:
    """Return how many of five wrong keys were found, how many others, and the power said."""
    hits, false, powers = [], [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        ability, difficulty = rng.normal(1.2, 0.9, 20), rng.normal(0, spread, 500)
        slope = np.exp(rng.normal(0, 0.2, 500))
        chance = 1 / (1 + np.exp(-slope[:, None] * (ability[None] - difficulty[:, None])))
        keys = rng.integers(0, 4, 500)
        edges = np.cumsum(rng.dirichlet([even] * 3, 500), axis=1)
        off = 1 + (rng.random(chance.shape)[:, :, None] > edges[:, None, :-1]).sum(axis=2)
        right = rng.random(chance.shape) < chance
        answers = np.where(right, keys[:, None], (keys[:, None] + off) % 4)
        bad = rng.choice(500, 5, replace=False)
        keys[bad] = (keys[bad] + rng.integers(1, 4, 5)) % 4
        found = suspect_keys(answers, keys, options=4, rng=np.random.default_rng(seed))
        hit = sum(each.item in bad for each in found.suspects)
        hits.append(hit)
        false.append(len(found.suspects) - hit)
        powers.append(getattr(found.power, "value", float("nan")))
    return float(np.mean(hits)), float(np.mean(false)), float(np.mean(powers))


def real(benchmark: str, file: str) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return item names, answers and keys of the items that all runs agree on the key of."""
    with (ITEMS / "runs.csv").open(encoding="utf-8") as lines:
        runs = [
            row["run_no"]
            for row in csv.DictReader(lines)
            if row["benchmark"] == benchmark
            and row["alignment"] in {"same", "id"}
            and not any(word in row["run"] for word in TWINS)
        ]
    given: dict[tuple[str, str], int] = {}
    keys: dict[str, set[str]] = {}
    for run, item, gold, letter in placed(file, runs):
        keys.setdefault(item, set()).add("twice" if (item, run) in given else gold)
        given[item, run] = "ABCDE".find(letter) if len(letter) == 1 else -1
    names = [item for item, found in keys.items() if len(found) == 1]
    answers = np.array([[given.get((item, run), -1) for run in runs] for item in names])
    return names, answers, np.array(["ABCDE".index(next(iter(keys[item]))) for item in names])


def placed(file: str, runs: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield run, item, key and letter by row; an item is its id, or its place in a category."""
    wanted, seen = set(runs), dict[tuple[str, str], int]()
    with gzip.open(ITEMS / f"{file}_rows.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["run_no"] not in wanted:
                continue
            item = row.get("id")
            if item is None:
                category = row["category"].replace("_", "-").lower()
                at = seen.get((row["run_no"], category), 0)
                seen[row["run_no"], category] = at + 1
                item = f"{category}:{at:04}"
            yield row["run_no"], item, row["gold"], row["pred"]


if __name__ == "__main__":
    main()
