"""What torch is told before a run, and what the run says of where it ran."""

import contextlib
import os
import platform
from collections.abc import Iterator
from importlib import metadata

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from dokja.models.forge.engines.jobs import Job
from dokja.values import Json

__all__ = ["attention_kernel", "environment", "offline", "prepare", "sdpa_backends"]

_FLAGS = ("CUBLAS_WORKSPACE_CONFIG", "NCCL_ALGO", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS")
_PACKAGES = ("torch", "transformers", "accelerate", "peft", "ai2-olmo-core", "numpy")
_BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


def offline() -> None:
    """Close every door through which a library might ask for something; call before importing."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ[name] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def prepare(job: Job) -> None:
    """Set threads and determinism; call before anything was computed.

    With `strict`, kernels that add up in no fixed order are refused: a run that needs one stops
    with torch's own message. The workspace setting is that of NVIDIA's cuBLAS documentation,
    section "Results reproducibility".
    """
    torch.set_num_threads(job.threads)
    strict = job.determinism == "strict"
    if strict:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ.setdefault("NCCL_ALGO", "Ring")
    torch.use_deterministic_algorithms(strict)
    # Whoever reads memory that nothing was written to has another problem than this one.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.deterministic = strict
    torch.backends.cudnn.benchmark = False


def sdpa_backends(attention: str) -> list[SDPBackend]:
    """Return the one kernel that a job forces; nothing where torch may choose."""
    return [_BACKENDS[attention]] if attention in _BACKENDS else []


@contextlib.contextmanager
def attention_kernel(attention: str) -> Iterator[None]:
    """Force the attention kernel that a job asks for, inside the block."""
    backends = sdpa_backends(attention)
    with sdpa_kernel(backends) if backends else contextlib.nullcontext():
        yield


def environment(job: Job, *, engine: str, processes: int) -> dict[str, Json]:
    """Return what a run's start or resume says of where it runs, and with what."""
    on_gpu = job.device == "cuda"
    devices = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return {
        "engine": engine,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": _versions(),
        "torch_build": {"cuda": torch.version.cuda, "git": torch.version.git_version},
        "cudnn": torch.backends.cudnn.version() if on_gpu else None,
        "devices": devices if on_gpu else [f"cpu {torch.backends.cpu.get_cpu_capability()}"],
        "processes": processes,
        "threads": torch.get_num_threads(),
        "precision": job.precision,
        "attention": job.attention,
        "optimizer_kernel": "fused" if job.fused else "foreach" if job.foreach else "single",
        "compile": job.compile,
        "determinism": {
            "kind": job.determinism,
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "tf32": torch.backends.cuda.matmul.allow_tf32,
        },
        "flags": {name: os.environ[name] for name in _FLAGS if name in os.environ},
    }


def _versions() -> dict[str, Json]:
    found: dict[str, Json] = {}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
