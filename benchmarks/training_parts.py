"""What the two benchmarks of training share: sizes, tokens that nobody reads, stand-ins.

Runs from the repository root with `PYTHONPATH=src` wherever torch, transformers, accelerate,
peft and numpy are: what other rooms need is replaced by names that may not be used.
"""

import importlib.util
import sys
import time
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

for _name, _attributes in (("rfc8785", {}), ("ml_dtypes", {"bfloat16": np.dtype("<u2")})):
    if importlib.util.find_spec(_name) is None:  # a bare machine for training
        _module = ModuleType(_name)
        _module.__dict__.update(_attributes)
        sys.modules[_name] = _module

from dokja.models.forge.engines.jobs import AdamW, Batch, Job, Keep  # noqa: E402  # see above
from dokja.models.forge.schedules import Schedule  # noqa: E402  # see above
from dokja.models.forge.structures import Structure  # noqa: E402  # see above

SIZES = {
    "0.2m": {"vocabulary": 256, "width": 64, "layers": 2, "heads": 4, "kv_heads": 2, "ffn": 176},
    "0.9m": {"vocabulary": 256, "width": 128, "layers": 4, "heads": 4, "kv_heads": 2, "ffn": 352},
    "124m": {
        "vocabulary": 50_304,
        "width": 768,
        "layers": 12,
        "heads": 12,
        "kv_heads": 12,
        "ffn": 2048,
        "tied": True,
    },
    "1b": {
        "vocabulary": 50_304,
        "width": 2048,
        "layers": 16,
        "heads": 32,
        "kv_heads": 8,
        "ffn": 8192,
        "tied": True,
    },
}
PEAKS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12}
"""Nominal dense bf16 FLOP/s, from NVIDIA's data sheets; the first name that fits counts."""


def structure(size: str) -> Structure:
    """Return a Llama of a size."""
    said = SIZES[size]
    return Structure(family="llama", head_width=int(said["width"]) // int(said["heads"]), **said)


def job(size: str, *, steps: int, batch: Batch, **settings: Any) -> Job:
    """Return a job of a size; what it reads and keeps is the benchmark's matter."""
    return Job(
        plan="sha256:" + "0" * 64,
        structure=structure(size),
        start="start",
        steps=steps,
        batch=batch,
        optimizer=AdamW(lr=3e-4),
        schedule=Schedule(kind="warmup-linear", warmup_steps=10, final=0.1, total_steps=1000),
        data={"seed": "aa", "sources": []},
        keep=Keep(checkpoint_every=max(steps // 2, 1)),
        log_every=10,
        **settings,
    )


@dataclass
class Tokens:
    """Tokens of a Zipf-like law, a function of the instance alone; notes when steps are read.

    Attributes:
        vocabulary: Ids are below it.
        length: Tokens in a window.
        sync: Waits for the device, so that a note means what was done, not what was asked.
        notes: First instance of a step, to the wall and processor seconds when it was read.
        noted: The steps' first instances that are noted; others pass without a wait.
    """

    vocabulary: int
    length: int
    sync: Any = None
    noted: frozenset[int] = frozenset()
    notes: dict[int, tuple[float, float]] = field(default_factory=dict)

    def batch(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the tokens of some instances."""
        if start in self.noted:
            if self.sync is not None:
                self.sync()
            self.notes[start] = time.perf_counter(), time.process_time()
        rng = np.random.Generator(np.random.Philox(key=start))
        flat = rng.random((stop - start, self.length))
        # Skewed, so that there is something to learn.
        return (flat**4 * self.vocabulary).astype(np.int64)


def peak(device: str) -> float | None:
    """Return a device's nominal dense bf16 FLOP/s; None when it is not known."""
    return next((value for name, value in PEAKS.items() if name in device), None)
