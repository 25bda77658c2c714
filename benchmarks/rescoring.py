"""How long a million stored answers take to be scored again, and how much memory that needs.

    python benchmarks/rescoring.py [ANSWERS]

Answers are lines of JSON as a run keeps them: an item's name and what the model said. They are
replies of the sanity suite's labelled set, put together at random: short ones, as short-answer
benchmarks get them, and the whole set with its explanations. Time is CPU time of this process.
"""

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dokja.evidence.benchmarks.sanity.probing import Labelled, labelled_replies
from dokja.evidence.benchmarks.scorers import (
    ChoiceScorer,
    ExactScorer,
    NumericScorer,
    Reply,
    Scorer,
)

SHORT = 24  # characters
BATCH = 10_000


def written(
    path: Path, replies: Sequence[Labelled], *, count: int, rng: np.random.Generator
) -> None:
    """Write answers in a random order, each with a number of its own where it does not matter."""
    lines = [
        json.dumps({"item": n, "text": each.reply.text, "finish": "stop", "tokens": 9})
        for n, each in enumerate(replies)
    ]
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, count, BATCH):
            drawn = rng.integers(len(lines), size=min(BATCH, count - start))
            file.writelines(f"{lines[place]}\n" for place in drawn)


def rescored(path: Path, replies: Sequence[Labelled], scorer: Scorer) -> tuple[float, Counter[str]]:
    """Return the CPU seconds that parsing and scoring take, and the outcomes."""
    tasks = [each.task for each in replies]
    outcomes: Counter[str] = Counter()
    begun = time.process_time()
    with path.open("rb") as file:
        for line in file:
            said = json.loads(line)
            reply = Reply(text=said["text"], finish=said["finish"], tokens_out=said["tokens"])
            outcomes[scorer.score(tasks[said["item"]], reply).outcome.value] += 1
    return time.process_time() - begun, outcomes


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rng = np.random.default_rng(5)
    print(f"{'scorer':<10}{'answers':<22}{'CPU s':>8}{'µs each':>9}  outcomes")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        for scorer in (ChoiceScorer(), ExactScorer(), NumericScorer()):
            every = labelled_replies(scorer.kind, scorer.declaration)
            short = [each for each in every if len(each.reply.text) <= SHORT]
            for name, replies in ((f"up to {SHORT} characters", short), ("all", every)):
                written(path, replies, count=count, rng=rng)
                seconds, outcomes = rescored(path, replies, scorer)
                each = seconds / count * 1e6
                print(f"{scorer.kind:<10}{name:<22}{seconds:>8.1f}{each:>9.1f}  {dict(outcomes)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
