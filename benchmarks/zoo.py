"""What a tier of the zoo costs and comes to: models, processor seconds, bytes, losses.

Run it from the root of the repository; families that need torch want its environment:

    python benchmarks/zoo.py --tier smoke [--families F1] [--jobs 1] [-o build/zoo]

A folder that holds models already is gone on with, and then only what was still to be done is
measured. Training seconds are those of the engines' own clocks, over all models that lie there;
processor seconds are this process's and those of the engines that it started.
"""

import argparse
import importlib.util
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dokja.models.forge.engines import read_events
from dokja.models.forge.zoo import Grower, Zoo, ZooModel, grow, open_model, plan_zoo, tier_named
from dokja.models.forge.zoo.making import tensors_root

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Grow a tier, and print what it came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tier", default="smoke")
    parser.add_argument("--families", default="")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path)
    said = parser.parse_args()
    if said.output is not None:
        measure(said.tier, said.families, jobs=said.jobs, folder=said.output)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(said.tier, said.families, jobs=said.jobs, folder=Path(folder))


def measure(tier: str, families: str, *, jobs: int, folder: Path) -> None:
    """Grow a tier into a folder, and print one line a family."""
    wanted = tuple(filter(None, families.split(",")))
    torch = importlib.util.find_spec("torch") is not None
    plan = plan_zoo(tier_named(tier), families=wanted, torch=torch)
    grower = Grower(
        environment={**os.environ, **dict.fromkeys(_THREADS, "1")},
        python=sys.executable,
        at_once=jobs,
    )
    before, began = processor_seconds(), time.monotonic()
    zoo = grow(plan, folder, grower=grower)
    spent, wall = processor_seconds() - before, time.monotonic() - began
    stored = bytes_in(folder)
    print(
        f"{tier}: {len(zoo.models)} models, {spent:.0f} processor seconds, {wall:.0f} s on the "
        f"clock with {jobs} at a time, {stored / 1e6:.1f} MB on the disk"
    )
    for family in plan.tier.families:
        own = [one for one in zoo.models.values() if one.record.family == family]
        if own:
            print(line(family, own, zoo=zoo))
    for one in zoo.left_out:
        print(f"  left out: {one.what}: {one.why}")


def line(family: str, models: Sequence[ZooModel], *, zoo: Zoo) -> str:
    """Return what a family came to."""
    roots = [one for one in models if one.name in zoo.roots]
    trained = [one for one in models if one.record.stored]
    variants = [one for one in models if not one.record.stored]
    seconds = sum(training_seconds(zoo, one.name) for one in trained)
    losses = [one.record.losses or {} for one in roots]
    last = sorted(one["last"] for one in losses)
    unigram = min(one["unigram"] for one in losses)
    again = ""
    if variants:
        sample = variants[:: max(1, len(variants) // 20)]
        before = time.process_time()
        for one in sample:
            tensors_root(open_model(zoo, one.name))
        spent = (time.process_time() - before) / len(sample)
        again = f", {len(variants)} made again in {1000 * spent:.0f} ms each"
    return (
        f"  {family}: {len(roots)} roots, {len(trained) - len(roots)} trained of them"
        f"{again}; {seconds:.0f} s of training; roots' last loss {last[0]:.2f} to {last[-1]:.2f} "
        f"of {unigram:.2f} nats"
    )


def training_seconds(zoo: Zoo, name: str) -> float:
    """Return how long a model was trained, by its engine's clock."""
    end = read_events(zoo.folder / "models" / name / "events.jsonl").end
    return 0.0 if end is None else end.device_seconds


def processor_seconds() -> float:
    """Return the seconds that this process and those it waited for computed."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def bytes_in(folder: Path) -> int:
    """Return how many bytes a folder's files have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
