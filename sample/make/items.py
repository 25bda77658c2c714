"""Draws the sample's test items, and the training stream that never asks one of them.

    python3 sample/make/items.py [FOLDER]    writes FOLDER/<benchmark>.jsonl

The test draws operands first; every operand it drew is kept out of training in every wording,
in both orders for a sum, and in every family of its topic. All nouns of `letters.py` are kept
out of training altogether. One seed makes the items; the stream takes another per team.
"""

import json
import sys
import unicodedata
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from random import Random

from letters import NOUNS
from tasks import BENCHMARKS, Example, Family, Operand, families

__all__ = ["FOLDER", "PER_FAMILY", "SEED", "held_out", "items", "training_stream"]

SEED = "dokja-sample-items-1"
PER_FAMILY = {"numerals": 24, "sums": 24, "jamo": 28}
FOLDER = Path(__file__).resolve().parents[1] / "programme" / "items"


def _key(family: Family, operand: Operand) -> tuple[str, Operand]:
    ordered = tuple(sorted(operand)) if isinstance(operand, tuple) else operand
    return family.topic, ordered


def _drawn() -> Iterator[tuple[str, Family, Operand, Example]]:
    for benchmark in BENCHMARKS:
        for family in families(benchmark):
            rng = Random(f"{SEED}/{benchmark}/{family.name}")  # noqa: S311 - a recipe, no secret
            seen: set[tuple[str, Operand]] = set()
            while len(seen) < PER_FAMILY[benchmark]:
                operand = family.draw_test(rng)
                if _key(family, operand) in seen:
                    continue
                wording = len(seen) % len(family.wordings)
                seen.add(_key(family, operand))
                yield benchmark, family, operand, family.example(operand, wording=wording)


def held_out() -> frozenset[tuple[str, Operand]]:
    """Return every (topic, operand) that training must not touch."""
    asked = {_key(family, operand) for _, family, operand, _ in _drawn()}
    return frozenset(asked | {("noun", noun) for noun in NOUNS})


def items(benchmark: str) -> tuple[dict[str, str], ...]:
    """Return the items of a benchmark as they are written to its file."""
    examples = [example for name, _, _, example in _drawn() if name == benchmark]
    return tuple(
        {
            "id": f"{benchmark}-{number:03d}",
            "prompt": unicodedata.normalize("NFC", example.prompt),
            "answer": unicodedata.normalize("NFC", example.answer),
            "cluster": example.cluster,
            "language": example.language,
        }
        for number, example in enumerate(examples, start=1)
    )


def training_stream(seed: str, *, shares: dict[str, float] | None = None) -> Iterator[Example]:
    """Yield training questions without end, none of them held out.

    Args:
        seed: Of the team: another seed is another order of other questions.
        shares: How often each benchmark is asked, by name. Equal if left out.
    """
    rng = Random(seed)  # noqa: S311 - a recipe, no secret
    shares = shares or dict.fromkeys(BENCHMARKS, 1.0)
    kept_out = held_out()
    flat: list[tuple[Family, float]] = []
    for benchmark in BENCHMARKS:
        whole = sum(family.share for family in families(benchmark))
        flat.extend((f, shares[benchmark] * f.share / whole) for f in families(benchmark))
    chosen = [family for family, _ in flat]
    bounds = list(accumulate(share for _, share in flat))
    while True:
        family = rng.choices(chosen, cum_weights=bounds)[0]
        operand = family.draw(rng)
        if _key(family, operand) not in kept_out:
            yield family.example(operand, wording=rng.randrange(len(family.wordings)))


def main(folder: Path) -> None:
    """Write the three item files."""
    folder.mkdir(parents=True, exist_ok=True)
    for benchmark in BENCHMARKS:
        rows = items(benchmark)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{benchmark}.jsonl").write_text(text, encoding="utf-8")
        clusters = len({row["cluster"] for row in rows})
        print(f"{benchmark}: {len(rows)} items in {clusters} clusters")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
