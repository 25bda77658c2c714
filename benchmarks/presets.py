"""What the presets take on one CPU, and what they come to.

    OMP_NUM_THREADS=1 .venvs/torch/bin/python benchmarks/presets.py [NAME ...] [--into FOLDER]

Builds the small base, then every preset at size `cpu`, by the commands that a user types, and
prints seconds, processor seconds, the first and the last loss, and the claim. The goal is under
three minutes each on a machine that does nothing else.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ORDER = ("base", "t1", "t2", "t3", "t4", "t5")


def typed(*words: str) -> None:
    """Run a command line of the forge, and stop if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "dokja", "forge", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"dokja forge {' '.join(words)}\n{done.stderr}")


def losses(run: Path) -> tuple[float, float]:
    """Return the first and the last loss that a run told, nats."""
    told = [
        json.loads(line)["loss"]
        for path in sorted(run.glob("body/*-train/events.jsonl"))
        for line in path.read_text().splitlines()
        if json.loads(line)["kind"] == "steps"
    ]
    return told[0][0], told[-1][-1]


def built(name: str, into: Path) -> str:
    """Build a preset and return its row."""
    plan, run = into / f"plan-{name}", into / f"run-{name}"
    typed("plan", name, "--bases", str(into / "bases"), "-o", str(plan))
    start, spent = time.perf_counter(), sum(os.times()[2:4])
    typed("run", str(plan), "--bases", str(into / "bases"), "-o", str(run))
    seconds, spent = time.perf_counter() - start, sum(os.times()[2:4]) - spent
    if name == "base":
        shutil.copytree(run / "model", into / "bases/base")
    first, last = losses(run)
    claim = json.loads((plan / "plan.json").read_text())["claim"]["claim"]
    steps = sum(
        stage.get("steps", 0)
        for part in json.loads((plan / "plan.json").read_text())["components"]
        for stage in part["stages"]
    )
    return (
        f"| {name} | {claim} | {steps} | {seconds:.0f} | {spent:.0f} | {first:.3f} | {last:.3f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--into", type=Path)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        into = said.into or Path(made)
        (into / "bases").mkdir(parents=True, exist_ok=True)
        print("| preset | claim | steps | seconds | CPU s | first loss | last loss |")
        print("|---|---|---:|---:|---:|---:|---:|")
        for name in ORDER:
            needed = name == "base" and not (into / "bases/base").exists()
            if needed or (name != "base" and (not said.names or name in said.names)):
                print(built(name, into), flush=True)


if __name__ == "__main__":
    main()
