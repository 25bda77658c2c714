"""How long contrasts take at the size of a stage, and what Korean benchmarks say.

    python benchmarks/bootstrap.py [--only speed|contrasts|draws] [--draws 20000]

Speed is measured on made-up answers of thirty systems to 35,030 items in 45 clusters, in
processor seconds of one thread. The other tables are of real answers, which lie beside the
repository in `shared/data/korean-items`; without them it says so. What the tests check with few
draws comes out here with many.
"""

import argparse
import csv
import gzip
import os
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts import (
    Basis,
    Layout,
    MarginTest,
    Values,
    cells_of,
    contrast,
    fragility,
    frontier_draws,
    layout_of,
    reach,
    reach_terms,
    resampled_means,
    right_counts,
    rule_errors,
    selection_bias,
    system_ranks,
    wild_interval,
    wild_test,
)

ITEMS, SYSTEMS, CLUSTERS = 35_030, 30, 45
SEED = 20261126
KOREAN = Path(__file__).parents[2] / "shared/data/korean-items"
MINI, MEDIUM = "gpt-5-mini-2025-08-08", "gpt-51-medium-2025-11-13"
REFERENCES = (
    "nova-2-lite-2025-12-05",
    "claude-haiku-4-5-2025-12-05",
    "gpt-5-nano-2025-08-08-0shot",
)
CANDIDATES = ("gpt-4.1-2025-04-14", "gpt-5-chat-2025-08-08-0shot", "gpt-5.1-2025-11-13-0shot")
SIX = ("gpt-4o-240513-5shot", *CANDIDATES[::-1], *REFERENCES[1::-1])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("speed", "contrasts", "draws"))
    parser.add_argument("--draws", type=int, default=20_000)
    words = parser.parse_args()
    if words.only in {None, "speed"}:
        speed()
    if words.only != "speed" and not KOREAN.exists():
        print("\nThe answers to Korean items lie beside the repository and are not here.")
        return
    if words.only in {None, "contrasts"}:
        contrasts()
    if words.only in {None, "draws"}:
        draws_of_kmmlu(words.draws)


def speed() -> None:
    """Print how long each part takes."""
    rng = np.random.default_rng(1)
    cluster = rng.permutation(np.arange(ITEMS) % CLUSTERS)
    chances = np.linspace(0.55, 0.75, SYSTEMS)
    right = (rng.uniform(size=(ITEMS, SYSTEMS)) < chances).astype(np.float64)
    layout = layout_of(ITEMS, strata=cluster, clusters=cluster)
    few = layout_of(ITEMS, clusters=cluster % 13)
    names = tuple(f"system-{number}" for number in range(SYSTEMS))
    own, best = right[:, 20], right[:, 29]
    counts = [right_counts(each, epochs=1) for each in (own, best)]
    rows: list[tuple[str, str, Callable[[], object]]] = [
        ("contrast by items, strata and 45 clusters", "–", lambda: one(own, best, layout)),
        ("wild bootstrap 99,999 × 45, signs drawn", "≤ 1 s", lambda: wild(own, best, layout, 1)),
        ("the same with the signs at hand", "≤ 1 s", lambda: wild(own, best, layout, 1)),
        ("its interval by bisection", "–", lambda: interval(own, best, layout)),
        ("rank sets of 30, by clusters", "≤ 1 s", lambda: ranks(right, layout, names, "clusters")),
        ("rank sets of 30, by items", "≤ 1 s", lambda: ranks(right, layout, names, "items")),
        ("bootstrap 2,000 × 30 by clusters", "≤ 0.05 s", lambda: drawn(right, layout, "clusters")),
        ("bootstrap 2,000 × 35,030 × 30 by items", "≤ 10 s", lambda: drawn(right, layout, "items")),
        ("the same within strata", "≤ 10 s", lambda: drawn(right, layout, "strata")),
        ("verdict, 300 cells open, 13 clusters", "–", lambda: with_open(own, best, few)),
        ("fragility in integers", "–", lambda: fragility(*counts, ratio=".95")),
    ]
    print("| what | processor seconds | goal |")
    print("|---|---:|---:|")
    for what, goal, call in rows:
        started = time.process_time()
        call()
        print(f"| {what} | {time.process_time() - started:.3f} | {goal} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| peak memory of all this, the answers being {right.nbytes >> 20} MiB "
        f"| {peak:.0f} MiB | ≤ 300 MB |"
    )


def one(own: NDArray[np.float64], best: NDArray[np.float64], layout: Layout) -> object:
    """Return one contrast."""
    return contrast(own, best, ratio=".95", layout=layout, seed=SEED)


def sums(values: NDArray[np.float64], layout: Layout) -> NDArray[np.float64]:
    """Return the weighted sums of the clusters."""
    if layout.clusters is None:
        raise ValueError("clusters are needed")
    return layout.clusters.sums(layout.weights * values)


def wild(own: NDArray[np.float64], best: NDArray[np.float64], layout: Layout, seed: int) -> object:
    """Return the wild bootstrap of a margin."""
    shares = sums(np.ones(len(own)), layout)
    return wild_test(sums(own - 0.95 * best, layout), shares, seed=seed)


def interval(own: NDArray[np.float64], best: NDArray[np.float64], layout: Layout) -> object:
    """Return the interval of the wild bootstrap."""
    shares = sums(np.ones(len(own)), layout)
    return wild_interval(sums(own, layout), sums(best, layout), shares, level=0.95, seed=1)


def ranks(right: NDArray[np.float64], layout: Layout, names: tuple[str, ...], basis: str) -> object:
    """Return rank sets."""
    return system_ranks(right, layout, names=names, basis=Basis(basis), seed=SEED)


def drawn(right: NDArray[np.float64], layout: Layout, basis: str) -> object:
    """Return the means of 2,000 draws."""
    return resampled_means(right, layout, basis=Basis(basis), draws=2_000, seed=SEED)


def with_open(own: NDArray[np.float64], best: NDArray[np.float64], layout: Layout) -> object:
    """Return a verdict that must hold at both ends and 200 completions between."""
    low = Values(candidate=own.copy(), references=best[:, None].copy())
    high = Values(candidate=own.copy(), references=best[:, None].copy())
    low.candidate[:300], high.candidate[:300] = 0.0, 1.0
    cells = cells_of(own, best[:, None], names=("best",), low=low, high=high)
    return reach(cells, layout, terms=reach_terms(".95", seed=SEED))


def read(benchmark: str) -> list[dict[str, str]]:
    """Return the rows of a benchmark."""
    path = KOREAN / f"{benchmark}_matrix.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def contrasts() -> None:
    """Print what one question gives by each error, on three benchmarks."""
    kmmlu, click, haerae = (read(name) for name in ("kmmlu", "click", "haerae"))
    both = [row for row in click if "M" not in (row[MINI], row[MEDIUM])]
    shots = (f"{MINI}-0shot", f"{MEDIUM}-0shot")
    nova, nano = REFERENCES[0], REFERENCES[2]
    cases = [
        ("KMMLU, 45 subjects", kmmlu, shots, "category"),
        ("HAE-RAE, 6 categories", haerae, (MINI, MEDIUM), "category"),
        ("CLIcK, 11 categories", both, (MINI, MEDIUM), "category"),
        ("CLIcK, 74 sources", both, (MINI, MEDIUM), "source"),
        ("KMMLU, gpt-4.1 : nova-2-lite", kmmlu, (CANDIDATES[0], nova), "category"),
        ("KMMLU, gpt-5-chat : gpt-5-nano", kmmlu, (CANDIDATES[1], nano), "category"),
    ]
    print("\n| case | ratio | items: error, P | strata | clusters by t | G* | clusters by signs |")
    print("|---|---:|---|---|---|---:|---:|")
    for what, rows, pair, cluster in cases:
        own, best = (np.array([row[one] == "C" for row in rows], float) for one in pair)
        sources = [re.sub(r"_\d+$", "", row.get("id", "")) for row in rows]
        labels = sources if cluster == "source" else [row["category"] for row in rows]
        layout = layout_of(len(rows), strata=[row["category"] for row in rows], clusters=labels)
        found = contrast(own, best, ratio=".95", layout=layout, seed=SEED)
        tests = (found.by_items, found.by_strata, found.clusters_t)
        told = [
            f"{test.standard_error:.5f}, {test.p_at_least:.3f}"
            for test in tests
            if isinstance(test, MarginTest)
        ]
        if found.clusters is None or not isinstance(found.ratio, float):
            raise ValueError("every case has clusters and a ratio")
        shares = sums(np.ones(len(own)), layout)
        signs = wild_test(sums(own - 0.95 * best, layout), shares, seed=SEED)
        print(
            f"| {what} | {found.ratio:.4f} | {' | '.join(told)} "
            f"| {found.clusters.effective:.1f} | {signs.p_fail:.3f} |"
        )


def draws_of_kmmlu(draws: int) -> None:
    """Print what draws from the answers to KMMLU say."""
    rows = read("kmmlu")
    subject = np.array([row["category"] for row in rows])
    layout = layout_of(len(rows), clusters=subject)

    def right(system: str) -> NDArray[np.float64]:
        return np.array([row[system] == "C" for row in rows], dtype=np.float64)

    references = np.column_stack([right(system) for system in REFERENCES])
    print(f"\n| against the best of three, {draws:,} draws | P by items | P by subjects | 5–95 % |")
    print("|---|---:|---:|---|")
    for system in CANDIDATES:
        values = Values(candidate=right(system), references=references)
        by_items, by_subjects = (
            frontier_draws(values, layout, ratio=".95", basis=basis, draws=draws, seed=SEED)
            for basis in (Basis.ITEMS, Basis.CLUSTERS)
        )
        ends = f"{by_subjects.low:.3f}–{by_subjects.high:.3f}"
        print(f"| {system} | {by_items.p_at_least:.3f} | {by_subjects.p_at_least:.3f} | {ends} |")
    six = np.column_stack([right(system) for system in SIX])
    values = Values(candidate=right(CANDIDATES[2]), references=references[:, :1])
    print(
        "\n| items | best of six overstated by | best found | point rule wrong | three-way wrong |"
    )
    print("|---:|---:|---:|---:|---:|")
    for size in (198, 500, 1_000, 5_000):
        bias = selection_bias(six, size=size, draws=draws, seed=SEED)
        rule = rule_errors(values, ratio=".95", size=size, draws=draws, seed=SEED)
        print(
            f"| {size} | {100 * bias.excess:.2f} points | {bias.best_found:.3f} "
            f"| {rule.point_wrong:.3f} | {rule.three_way_wrong:.3f} |"
        )


if __name__ == "__main__":
    main()
