"""What the reference engine runs on and with, as its events state it.

Two machines whose BLAS picks other kernels differ in the last digits (6e-7 over ten steps,
measured), so the library and the processor are named.
"""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dokja.models.forge.engines.jobs import Job
from dokja.values import Json

__all__ = ["THREAD_VARIABLES", "environment"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What BLAS libraries read, once, when numpy is imported."""


def environment(job: Job) -> dict[str, Json]:
    """Return what a `start` or `resume` event says of this process.

    Args:
        job: What is run.
    """
    blas: Mapping[str, Any] = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "engine": "ref",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "system": f"{platform.system()} {platform.machine()}",
        "device": "cpu",
        "processor": _processor(),
        "threads": job.threads,
        "precision": job.precision,
        "attention": "numpy",
        "determinism": job.determinism,
        "kernels": os.environ.get("OPENBLAS_CORETYPE", "chosen by the library"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
