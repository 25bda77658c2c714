"""Whether well-trained strangers come to be alike: pairs of roots of one zoo, by every branch.

    python benchmarks/lineage/converging.py --zoo build/zoo-null --zoo build/zoo-long --most 40

Strangers are roots of other seeds, on the same data or on other data; roots of one start are told
apart from them. Both sides of the split count: nothing is fitted here.
"""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from measuring import measured
from pairs import Case

from dokja.models.forge.zoo import Truths, Zoo, read_zoo

_BRANCHES = ("coordinates", "free")


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--zoo", type=Path, action="append", required=True)
    words.add_argument("--most", type=int, default=40, help="so many pairs of a zoo, evenly")
    said = words.parse_args()
    print("| zoo | roots are | pairs | seconds | branch | median | greatest | least p | derived |")
    print("|---|---|---:|---:|---|---:|---:|---:|---:|")
    for folder in said.zoo:
        zoo = read_zoo(folder)
        for kind, cases in sorted(cases_of(zoo).items()):
            chosen = cases[:: max(1, len(cases) // said.most)][: said.most]
            with tempfile.TemporaryDirectory() as scratch:
                lines = [
                    measured(zoo, case, scratch=Path(scratch), peers=False, thorough=True)
                    for case in chosen
                ]
            for row in rows_of(lines):
                print(f"| {folder.name} | {kind} | {len(chosen)} | {' | '.join(row)} |")


def cases_of(zoo: Zoo) -> dict[str, list[Case]]:
    """Return the pairs of roots by what they share."""
    truths = Truths(zoo)
    found: dict[str, list[Case]] = {}
    for first, second in combinations(sorted(zoo.roots), 2):
        family = zoo.model(first).record.family
        if family != zoo.model(second).record.family:
            continue
        truth = truths.of(first, second)
        alike = zoo.roots[first].corpus == zoo.roots[second].corpus
        kind = "strangers on the same data" if alike else "strangers on other data"
        if truth.relation != "no_evidence":
            kind = f"one start, {'the same' if alike else 'other'} data"
        case = Case(
            suspect=first, reference=second, family=family, truth=truth, kind="root", disguise=""
        )
        found.setdefault(f"{family}: {kind}", []).append(case)
    return found


def rows_of(lines: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a row for each branch."""
    bodies = [line["components"]["language-body"] for line in lines]
    derived = sum(body["derivation"] == "yes" for body in bodies)
    seconds = f"{sum(line['seconds'] for line in lines):.0f}"
    correlations = [body["r"] for body in bodies if body["r"] is not None]
    if correlations:
        yield [
            seconds,
            "correlation in the same coordinates",
            f"{median(correlations):.4f}",
            f"{max(correlations):.4f}",
            "",
            str(derived),
        ]
    for branch in _BRANCHES:
        told = [body["branches"].get(branch) for body in bodies]
        shares = [one["share"] for one in told if one and one["share"] is not None]
        ps = [one["log10_p"] for one in told if one and one["log10_p"] is not None]
        if shares:
            least = f"10^{min(ps):.0f}" if ps else ""
            yield [
                seconds,
                f"agreeing neurons, {branch}",
                f"{median(shares):.4f}",
                f"{max(shares):.4f}",
                least,
                str(derived),
            ]


if __name__ == "__main__":
    main()
