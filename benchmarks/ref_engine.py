"""How fast the reference engine trains, and how that compares with torch: prints one table.

Run it from the root of the repository, in an environment that has torch if the ratio is wanted:

    python benchmarks/ref_engine.py [--steps 10] [--rounds 3] [--threads 1]

Both train the same network on the same batches with the same AdamW; torch runs the plain loop
that anybody would write, with its own attention kernel. Rounds of the two alternate, each in a
process of its own, and the median counts. Processor time counts, which a busy machine changes
little; where cores are shared, the ratio is the figure to keep. The last column is how far apart
the two ended: |W - W'| / |W' - W0|.
"""

import argparse
import importlib
import importlib.util
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.engines.jobs import AdamW, Batch, Job, Keep
from dokja.models.forge.engines.ref import Training, keep_freed_memory
from dokja.models.forge.engines.ref.environment import THREAD_VARIABLES
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure

SIZES = {
    "vocabulary": 256,
    "width": 128,
    "layers": 4,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 32,
    "ffn": 352,
}
STRUCTURES = {
    "llama": Structure(family="llama", **SIZES),
    "peri": Structure(family="peri", **SIZES, window=64),
}
WARM_UP = 2
WIDTH = (8, 12, 12, 12, 10, 10, 10)

Weights = Mapping[str, NDArray[np.float32]]


def job_of(family: str, steps: int) -> Job:
    """Return the job that both engines do: batches of 8 windows of 128 tokens."""
    return Job(
        plan="sha256:none",
        structure=STRUCTURES[family],
        start="start",
        steps=steps,
        batch=Batch(sequences=8, length=128, micro=8),
        optimizer=AdamW(lr=1e-3),
        schedule=Schedule(kind="constant", total_steps=steps, warmup_steps=min(steps, 20)),
        data={},
        keep=Keep(checkpoint_every=steps),
    )


def batches(first: int, stop: int) -> NDArray[np.int64]:
    """Return windows in which the next token follows from the last, with some noise."""
    windows = []
    for instance in range(first, stop):
        rng = np.random.default_rng(instance)
        tokens = rng.integers(0, 256, 128)
        copied = rng.random(127) < 0.7
        for place in np.flatnonzero(copied):
            tokens[place + 1] = (tokens[place] * 5 + 7) % 256
        windows.append(tokens)
    return np.array(windows)


def ref(family: str, steps: int) -> tuple[float, Weights]:
    """Train with the reference engine; return seconds of processor time, and the weights."""
    keep_freed_memory()
    job = job_of(family, steps + WARM_UP)
    training = Training(job, dict(initialise(job.structure, b"benchmark")), step=0)
    began = 0.0
    for step in range(steps + WARM_UP):
        if step == WARM_UP:
            began = time.process_time()
        training.take_step(batches)
    return time.process_time() - began, dict(training.weights)


def plain_torch(family: str, steps: int) -> tuple[float, Weights]:
    """Train with torch; return seconds of processor time, and the weights."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    job = job_of(family, steps + WARM_UP)
    model = _network(job.structure)
    start = {n: torch.from_numpy(w) for n, w in initialise(job.structure, b"benchmark")}
    model.load_state_dict(start)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    adamw = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        betas=(0.9, 0.95),
    )
    began = 0.0
    for step in range(1, steps + WARM_UP + 1):
        if step == WARM_UP + 1:
            began = time.process_time()
        for group in adamw.param_groups:
            group["lr"] = job.learning_rate(step)
        ids = torch.from_numpy(batches(*job.instances(step)))
        adamw.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
    seconds = time.process_time() - began
    return seconds, {name: p.detach().numpy() for name, p in model.named_parameters()}


def _network(structure: Structure) -> Any:
    if structure.family == "peri":
        return importlib.import_module("dokja.models.forge.workers.blocks").PeriForCausalLM(
            structure
        )
    transformers = importlib.import_module("transformers")
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**structure.config()))


def measured(
    work: Callable[[str, int], tuple[float, Weights]], family: str, steps: int
) -> tuple[float, Weights, float]:
    """Run work in a process of its own; return its seconds, weights and peak of memory in MiB."""
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(writing, work, family, steps))
    process.start()
    writing.close()
    told: tuple[float, Weights, float] = reading.recv()
    process.join()
    return told


def _tell(writing: Any, work: Callable[..., tuple[float, Weights]], *words: object) -> None:
    seconds, weights = work(*words)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    writing.send((seconds, weights, peak))


def distance(ours: Weights, theirs: Weights, family: str) -> float:
    """Return how far apart two trainings ended, in parts of how far they went."""
    start = dict(initialise(STRUCTURES[family], b"benchmark"))
    apart = np.linalg.norm([np.linalg.norm(ours[name] - theirs[name]) for name in start])
    moved = np.linalg.norm([np.linalg.norm(theirs[name] - start[name]) for name in start])
    return float(apart / moved)


def row(*cells: str) -> None:
    """Print a row of the table."""
    print("  ".join(cell.rjust(width) for cell, width in zip(cells, WIDTH, strict=True)))


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--steps", type=int, default=10)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--threads", type=int, default=1)
    said = words.parse_args()
    # Read by the processes that are started below, when they import numpy.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(said.threads)))
    has_torch = importlib.util.find_spec("torch") is not None
    row("family", "parameters", "ref tok/s", "torch tok/s", "ratio", "ref MiB", "e")
    for family, structure in STRUCTURES.items():
        ours, theirs = [], []
        for _ in range(said.rounds):
            ours.append(measured(ref, family, said.steps))
            if has_torch:
                theirs.append(measured(plain_torch, family, said.steps))
        tokens = said.steps * 8 * 128
        speed = tokens / statistics.median(seconds for seconds, _, _ in ours)
        other = tokens / statistics.median(seconds for seconds, _, _ in theirs) if theirs else 0
        row(
            family,
            f"{structure.parameters():,}",
            f"{speed:,.0f}",
            f"{other:,.0f}" if theirs else "no torch",
            f"{speed / other:.2f}" if theirs else "",
            f"{max(peak for _, _, peak in ours):,.0f}",
            f"{distance(ours[0][1], theirs[0][1], family):.1e}" if theirs else "",
        )


if __name__ == "__main__":
    main()
