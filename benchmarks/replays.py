"""What a replay sees and what it does not: the acceptance numbers of V3, measured.

Run it from the root of the repository, in an environment with torch and transformers:

    python benchmarks/replays.py [--json FILE]

A Llama of 0.8 million parameters is trained by the engine `hf` for 100 steps of 8 x 128 tokens
with AdamW, one thread, fp32. From its archived state of step 50, ten steps are replayed with one
thing changed at a time, and e = |W_replay - W_claimed| / |W_60 - W_50| is printed beside what it
was when the design was made and what must come of it. Everything runs in one process, so that
torch starts once; the numpy engine replays the same states.

What must come of a row is what the design note says. A row that is quieter than it must be is
right; one that holds within noise where the note found it bit-equal still holds, and the table
says so. The exit code is 1 if a row holds that must not, or the other way round.
"""

import argparse
import importlib
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.documents.packing import CorpusFacts, write_corpus
from dokja.models.forge.corpora import TokenData, open_data
from dokja.models.forge.engines import open_checkpoint, read_events, read_job, write_job
from dokja.models.forge.engines.checkpoints import checkpoint_name, write_weights
from dokja.models.forge.engines.jobs import AdamW, Batch, Job, Keep
from dokja.models.forge.engines.ref import keep_freed_memory, replay
from dokja.models.forge.engines.replays import prepare_replay
from dokja.models.forge.engines.tensors import write_shards
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.ladder.distances import Distance, distance
from dokja.models.forge.ladder.noise import FACTOR, LEAST_THRESHOLD, NoiseFloor, NoiseSample
from dokja.models.forge.ladder.replaying import Verdict, verdict
from dokja.models.forge.plans.sentences import sentences
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source
from dokja.values import Digest

STRUCTURE = Structure(
    family="llama",
    vocabulary=256,
    width=128,
    layers=4,
    heads=4,
    kv_heads=2,
    head_width=32,
    ffn=352,
    positions=128,
)
STEPS, FIRST, SEGMENT = 100, 50, 10

CHANGED = FIRST * 8 + 19
"""The instance of the segment whose tokens are changed."""

Tokens = NDArray[np.int64]


class Edit(Enum):
    """How the data of a replay are otherwise."""

    TOKEN = "one token"  # noqa: S105  # no password
    SEQUENCE = "one sequence"
    SWAP = "two batches"


@dataclass(frozen=True)
class Row:
    """One replay that differs by one thing.

    Attributes:
        differs: By what.
        must: What has to come of it.
        note: e as the design note measured it.
        settings: Fields of the job that are otherwise.
        edit: Changes the data.
        engine: `hf` or `ref`.
        first: From which step.
        steps: How many steps are claimed.
        played: How many are replayed; all unless given.
        lost: Whether the optimizer's state is lost.
    """

    differs: str
    must: Verdict
    note: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    edit: Edit | None = None
    engine: str = "hf"
    first: int = FIRST
    steps: int = SEGMENT
    played: int | None = None
    lost: bool = False


ROWS = (
    Row("nothing", Verdict.BIT_EQUAL, "0"),
    Row("foreach off", Verdict.BIT_EQUAL, "0", {"foreach": False}),
    Row("fused AdamW", Verdict.BIT_EQUAL, "0", {"foreach": False, "fused": True}),
    Row("2 threads", Verdict.WITHIN_NOISE, "4.7e-7", {"threads": 2}),
    Row("eager attention", Verdict.WITHIN_NOISE, "4.7e-7", {"attention": "eager"}),
    Row("eager, 50 steps", Verdict.WITHIN_NOISE, "7.6e-7", {"attention": "eager"}, steps=50),
    Row("ref, steps 0-10", Verdict.WITHIN_NOISE, "5.3e-7 to 9.1e-7", engine="ref", first=0),
    Row("ref, steps 30-40", Verdict.WITHIN_NOISE, "5.3e-7 to 9.1e-7", engine="ref", first=30),
    Row("ref, 50 steps", Verdict.WITHIN_NOISE, "2.9e-6", engine="ref", steps=50),
    Row("lr +0.1 %", Verdict.DIFFERS, "9.7e-4", {"lr": 1.001}),
    Row("lr +1 %", Verdict.DIFFERS, "9.7e-3", {"lr": 1.01}),
    Row("bf16 for fp32", Verdict.NOT_COMPARABLE, "3.9e-3", {"precision": "bf16"}),
    Row("1 byte of 10,240", Verdict.DIFFERS, "1.5e-2", edit=Edit.TOKEN),
    Row("2 batches swapped", Verdict.DIFFERS, "6.5e-2", edit=Edit.SWAP),
    Row("9 of 10 steps", Verdict.DIFFERS, "0.12", played=9),
    Row("1 of 80 sequences", Verdict.DIFFERS, "0.13", edit=Edit.SEQUENCE),
    Row("other data seed", Verdict.DIFFERS, "0.52", {"seed": "bb"}),
    Row("optimizer state lost", Verdict.DIFFERS, "1.2", lost=True),
)


@dataclass(frozen=True)
class Edited:
    """Data with a token, a sequence or two batches of the segment changed."""

    data: TokenData
    edit: Edit | None

    def batch(self, start: int, stop: int) -> Tokens:
        """Return the tokens of some instances."""
        place = start // 8
        if self.edit is Edit.SWAP and place in {FIRST + 3, FIRST + 4}:
            other = FIRST + 3 + FIRST + 4 - place
            return self.data.batch(8 * other, 8 * other + stop - start)
        tokens = self.data.batch(start, stop)
        if not start <= CHANGED < stop:
            return tokens
        if self.edit is Edit.TOKEN:
            tokens[CHANGED - start, 40] ^= 1
        if self.edit is Edit.SEQUENCE:
            tokens[CHANGED - start] = self.data.batch(CHANGED + 300, CHANGED + 301)[0]
        return tokens


class Bench:
    """A finished run, and replays of it.

    Args:
        folder: Where everything is written.
        hf: The worker's module.
    """

    def __init__(self, folder: Path, hf: Any) -> None:
        self.folder, self.hf, self.number = folder, hf, 0
        self.job = self._job()
        (folder / "run").mkdir()
        start = dict(initialise(STRUCTURE, b"replays"))
        write_weights(folder / "run/start", start, config=STRUCTURE.config())
        write_job(self.job, folder / "run/job.json")
        self._work(self.job, folder / "run")

    def _job(self) -> Job:
        facts = CorpusFacts(
            name="text",
            tokenizer=Digest.of(b"bytes"),
            vocabulary=256,
            licence="CC0-1.0",
            origin="invented",
            collected="2026-11-26",
            personal_data="none",
        )
        texts = sentences(seed="replays", documents=600)
        write_corpus(
            texts, self.folder / "text", encode=lambda said: list(said.encode()), facts=facts
        )
        source = {"name": "text", "corpus": "../text", "weight": 1.0, "max_repeats": 40}
        return Job(
            plan="sha256:" + "0" * 64,
            structure=STRUCTURE,
            start="start",
            steps=STEPS,
            batch=Batch(sequences=8, length=128, micro=8),
            optimizer=AdamW(lr=1e-3),
            schedule=Schedule(kind="warmup-linear", warmup_steps=20, final=0.1, total_steps=STEPS),
            data={"seed": "aa", "sources": [source]},
            keep=Keep(checkpoint_every=10),
        )

    def _work(self, job: Job, base: Path, *, edit: Edit | None = None) -> None:
        with open_data(job.data, base=base, length=job.batch.length) as data:
            code = self.hf.train(job, base=base, data=Edited(data, edit))
        if code != 0:
            sys.exit(f"the worker ended with {code}")

    def state(self, step: int) -> Path:
        """Return the archived state of a step."""
        return self.folder / "run/checkpoints" / checkpoint_name(step)

    def replayed(self, row: Row) -> tuple[Distance, float]:
        """Return how far a row ends from the claim, and the largest difference of a loss."""
        weights, losses = self._ref(row) if row.engine == "ref" else self._torch(row)
        before = open_source(self.state(row.first) / "weights")
        after = open_source(self.state(row.first + row.steps) / "weights")
        apart = distance(weights, after.read, before=before.read, names=after.names)
        logged = read_events(self.folder / "run/events.jsonl").metrics().loss
        claimed = logged[row.first : row.first + len(losses)]
        return apart, float(np.abs(claimed - np.array(losses)).max())

    def _ref(self, row: Row) -> tuple[Any, list[float]]:
        with open_data(self.job.data, base=self.folder / "run", length=128) as data:
            done = replay(
                self.job, state_folder=self.state(row.first), steps=row.steps, batches=data.batch
            )
        return done.weights.__getitem__, [one.loss for one in done.measured]

    def _torch(self, row: Row) -> tuple[Any, list[float]]:
        settings = dict(row.settings)
        lr, seed = settings.pop("lr", 1.0), settings.pop("seed", None)
        self.number += 1
        into = self.folder / f"replay-{self.number}"
        path = prepare_replay(
            self.folder / "run/job.json",
            checkpoint=self.state(row.first),
            steps=row.played or row.steps,
            into=into,
            settings=settings,
        )
        job = read_job(path)
        job = replace(job, optimizer=replace(job.optimizer, lr=job.optimizer.lr * lr))
        if seed is not None:
            job = replace(job, data={**job.data, "seed": seed})
        if row.lost:
            forget(into / "checkpoints" / checkpoint_name(row.first))
        self._work(job, into, edit=row.edit)
        losses = read_events(into / "events.jsonl").metrics().loss.tolist()
        return open_source(into / "model").read, losses


def forget(checkpoint: Path) -> None:
    """Set every moment of a state to zero, and the count of updates too."""
    moments = open_checkpoint(checkpoint).moments
    zeros = {name: np.zeros_like(moments.read(name)) for name in moments.names}
    shutil.rmtree(checkpoint / "state/optimizer.safetensors", ignore_errors=True)
    (checkpoint / "state/optimizer.safetensors").unlink(missing_ok=True)
    write_shards(checkpoint / "state", zeros, stem="optimizer", shard_bytes=None)
    said = json.loads((checkpoint / "state/state.json").read_text())
    said["optimizer"]["t"] = 0
    (checkpoint / "state/state.json").write_text(json.dumps(said))


def judged(row: Row, apart: Distance, floor: NoiseFloor) -> Verdict:
    """Return what V3 says of a row."""
    precision = str(row.settings.get("precision", "fp32"))
    crosses = replace(floor, crosses=row.engine == "ref")
    return verdict(
        apart,
        crosses,
        precision="fp32",
        same_precision=precision == "fp32",
        kernels=row.engine == "hf",
    )


_HOLDS = (Verdict.BIT_EQUAL, Verdict.WITHIN_NOISE)


def agreement(shown: Verdict, must: Verdict) -> str:
    """Return whether a row came out as it must, in a word or two."""
    if shown is must:
        return "yes"
    if shown in _HOLDS and must in _HOLDS:
        quieter = _HOLDS.index(shown) < _HOLDS.index(must)
        return "yes, quieter" if quieter else "holds, not bit-equal"
    return "NO"


def main() -> None:
    """Measure every row, and print the table."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--json", type=Path, help="write the rows to a file too")
    said = words.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    hf = importlib.import_module("dokja.models.forge.workers.hf")
    keep_freed_memory()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="replays-") as folder:
        bench = Bench(Path(folder), hf)
        measured = [(row, *bench.replayed(row)) for row in ROWS]
    benign = [(row, apart) for row, apart, _ in measured if row.must is Verdict.WITHIN_NOISE]
    floor = NoiseFloor(
        samples=tuple(
            NoiseSample(segment=str(row.first), change=row.differs, apart=apart)
            for row, apart in benign
            if row.steps == SEGMENT
        )
    )
    print(
        f"{STRUCTURE.parameters():,} parameters; threshold max({LEAST_THRESHOLD:.0e}, "
        f"{FACTOR:.0f} x {floor.total:.1e}) = {floor.threshold:.1e}, "
        f"in a tensor {floor.tensor_threshold:.1e}\n"
    )
    print("| replay differs by | equal | e | note's e | worst tensor | loss | must be | is | ok |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row, apart, loss in measured:
        shown = judged(row, apart, floor)
        right = agreement(shown, row.must)
        print(
            f"| {row.differs} | {apart.equal}/{apart.tensors} | {apart.total:.1e} | {row.note} | "
            f"{apart.worst:.1e} | {loss:.1e} | {row.must.value} | {shown.value} | {right} |"
        )
        found.append(
            {
                "differs": row.differs,
                "equal": apart.equal,
                "tensors": apart.tensors,
                "e": apart.total,
                "worst": apart.worst,
                "loss": loss,
                "must": row.must.value,
                "is": shown.value,
                "right": right,
            }
        )
    if said.json is not None:
        said.json.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(1 if "NO" in {one["right"] for one in found} else 0)


if __name__ == "__main__":
    main()
