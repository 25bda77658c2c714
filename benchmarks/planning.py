"""How much processor time `dokja forge plan` takes, beside what Python itself and numpy take.

Run it from the root of the repository:

    python benchmarks/planning.py [--times 9]

Every row is a process of its own, started in turn with the others; told is the least and the
median. Only presets that need no base are planned. Compiled modules are there from the first
round on, which is not counted.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROWS = (
    ("python, nothing else", ("-c", "pass")),
    ("import numpy", ("-c", "import numpy")),
    ("dokja forge --help", ("-m", "dokja", "forge", "--help")),
    ("dokja forge plan base", ("-m", "dokja", "forge", "plan", "base", "-o")),
    ("dokja forge plan t4", ("-m", "dokja", "forge", "plan", "t4", "-o")),
)


def seconds(words: Sequence[str]) -> float:
    """Return the processor time of one Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *words]
    subprocess.run(command, check=True, capture_output=True, env=kept)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure and print every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=9)
    given = parser.parse_args()
    taken: dict[str, list[float]] = {title: [] for title, _ in ROWS}
    for turn in range(given.times + 1):
        for title, words in ROWS:
            with tempfile.TemporaryDirectory() as folder:
                made = [str(Path(folder) / "plan")] if words[-1] == "-o" else []
                spent = seconds([*words, *made])
            if turn:
                taken[title].append(spent)
    for title, some in taken.items():
        print(f"{title:28}{min(some):8.3f} cpu-s least{statistics.median(some):8.3f} median")
    return 0


if __name__ == "__main__":
    sys.exit(main())
