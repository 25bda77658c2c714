"""Asks every model of the sample every item, and prints how many it answers, with 95 % intervals.

    python sample/make/measure.py [MODEL ...]

Runs on the embedded runtime: torch is not needed. The intervals are Wilson's (1927) over items;
they do not know that items of one family are alike. The programme's own run, which does, is
made by `evidence.benchmarks`.
"""

import json
import sys
import time
import unicodedata
from pathlib import Path

from dokja.models.serving import open_model

PROGRAMME = Path(__file__).resolve().parents[1] / "programme"
BENCHMARKS = ("numerals", "sums", "jamo")
MOST_TOKENS = 24
NORMAL_QUANTILE = 1.959964


def wilson(right: int, asked: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    z2 = NORMAL_QUANTILE**2
    centre = (right + z2 / 2) / (asked + z2)
    half = NORMAL_QUANTILE / (asked + z2) * (right * (asked - right) / asked + z2 / 4) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def main(names: list[str]) -> None:
    """Print the table."""
    suites = {
        benchmark: [
            json.loads(line)
            for line in (PROGRAMME / "items" / f"{benchmark}.jsonl")
            .read_text(encoding="utf-8")
            .splitlines()
        ]
        for benchmark in BENCHMARKS
    }
    for name in names or sorted(path.name for path in (PROGRAMME / "models").iterdir()):
        start = time.perf_counter()
        model = open_model(PROGRAMME / "models" / name)
        cells = []
        for benchmark, items in suites.items():
            answers = model.answer([item["prompt"] for item in items], max_new_tokens=MOST_TOKENS)
            right = sum(
                answer.text.strip() == unicodedata.normalize("NFC", item["answer"])
                for answer, item in zip(answers, items, strict=True)
            )
            low, high = wilson(right, len(items))
            share = right / len(items)
            cells.append(f"{benchmark} {share:6.1%} ({low:.1%} to {high:.1%}, {len(items)} items)")
        seconds = time.perf_counter() - start
        print(f"{name:9s} {' · '.join(cells)} · {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
