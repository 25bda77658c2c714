"""What is asked of a machine or a cluster: the one value from which all launch files follow.

Everything in it is checked at once. Paths may hold any sign that a line of a script can hold;
names that a scheduler reads (a partition, a type of GPU) only what every scheduler takes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from dokja.errors import Mistake, RecipeError
from dokja.values import Digest

__all__ = ["Determinism", "LaunchRequest"]

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_MOST_NODES = 100_000
_MOST_GPUS = 64
_MOST_HOURS = 24 * 365
_LONGEST = 4_000


class Determinism(StrEnum):
    """How far a run is asked to repeat itself.

    Attributes:
        CALIBRATED: Kernels as they come; the noise is measured.
        STRICT: Deterministic kernels and one order of reduction.
    """

    CALIBRATED = "calibrated"
    STRICT = "strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """One run of one plan on some nodes.

    Attributes:
        plan: Digest of the plan; it is exported, so that accounting and record name one run.
        folder: Where the launch files will lie on the machine that runs them, absolute.
        command: What the engine's worker is, without the interpreter: `-m`, module, arguments.
        job: The job file, absolute or relative to `folder`; the worker's last argument.
        python: The interpreter that has the engine, absolute or found by its name.
        nodes: How many machines.
        gpus_per_node: How many GPUs of each; 0 is a run on CPUs, one process a node.
        gpu_type: Their type as the scheduler calls it, such as `b200`; empty without GPUs.
        hours: The time limit.
        partition: Of the scheduler; None leaves its default.
        account: Who pays; None leaves the default.
        cpus_per_node: None leaves the scheduler's default.
        threads: Of each worker; part of the record.
        determinism: What the environment must add.

    Raises:
        RecipeError: Anything in it cannot be launched; every mistake is in it.
    """

    plan: Digest
    folder: PurePosixPath
    command: tuple[str, ...]
    job: PurePosixPath
    python: str
    nodes: int = 1
    gpus_per_node: int = 0
    gpu_type: str = ""
    hours: float = 24.0
    partition: str | None = None
    account: str | None = None
    cpus_per_node: int | None = None
    threads: int = 1
    determinism: Determinism = Determinism.CALIBRATED

    def __post_init__(self) -> None:
        mistakes = list(_mistakes(self))
        if mistakes:
            raise RecipeError(mistakes)

    @property
    def name(self) -> str:
        """What the scheduler calls the run."""
        return f"dokja-{self.plan.short}"

    @property
    def workers_per_node(self) -> int:
        """How many processes train on one node."""
        return max(self.gpus_per_node, 1)

    @property
    def environment(self) -> dict[str, str]:
        """What is exported before anything starts.

        `CUBLAS_WORKSPACE_CONFIG` makes cuBLAS repeat itself (docs.nvidia.com/cuda/cublas, results
        reproducibility); one NCCL algorithm fixes the order in which ranks are added up.
        """
        found = {"DOKJA_PLAN": str(self.plan), "OMP_NUM_THREADS": str(self.threads)}
        if self.determinism == Determinism.STRICT:  # also as the text that a plan holds
            found |= {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "NCCL_ALGO": "Ring"}
        return found


def _mistakes(request: LaunchRequest) -> Iterator[Mistake]:
    yield from _text_mistakes(request)
    yield from _number_mistakes(request)
    if not request.folder.is_absolute():
        yield _mistake("folder", str(request.folder), "an absolute path")
    if request.determinism not in set(Determinism):
        yield _mistake("determinism", repr(request.determinism), " or ".join(Determinism))
    if not request.command:
        yield _mistake("command", "nothing", "the worker's module or file")
    if (request.gpus_per_node > 0) != bool(request.gpu_type):
        yield _mistake(
            "gpu_type",
            f"{request.gpus_per_node} GPUs of the type {request.gpu_type!r}",
            "GPUs with their type, or neither",
            remedy="Untyped requests slip through limits of accounts; name the type.",
        )


def _text_mistakes(request: LaunchRequest) -> Iterator[Mistake]:
    texts = {
        "folder": str(request.folder),
        "job": str(request.job),
        "python": request.python,
        **{f"command[{place}]": part for place, part in enumerate(request.command)},
    }
    for place, text in texts.items():
        if not text or not text.isprintable() or len(text) > _LONGEST:
            expected = f"1 to {_LONGEST} printable signs, without line breaks"
            yield _mistake(place, repr(text[:60]), expected)
    words = {
        "gpu_type": request.gpu_type or None,
        "partition": request.partition,
        "account": request.account,
    }
    for place, word in words.items():
        if word is not None and not _WORD.fullmatch(word):
            expected = "Latin letters, digits and . _ - inside, at most 63"
            yield _mistake(place, repr(word[:60]), expected)


def _number_mistakes(request: LaunchRequest) -> Iterator[Mistake]:
    cpus = 1 if request.cpus_per_node is None else request.cpus_per_node
    limits = {
        "nodes": (request.nodes, 1, _MOST_NODES),
        "gpus_per_node": (request.gpus_per_node, 0, _MOST_GPUS),
        "cpus_per_node": (cpus, 1, _MOST_NODES),
        "threads": (request.threads, 1, _MOST_NODES),
    }
    for place, (number, least, most) in limits.items():
        if not least <= number <= most:
            yield _mistake(place, str(number), f"a whole number from {least} to {most}")
    if not 1 / 60 <= request.hours <= _MOST_HOURS:
        yield _mistake("hours", f"{request.hours}", f"a minute to {_MOST_HOURS} hours")


def _mistake(place: str, read: str, expected: str, *, remedy: str = "") -> Mistake:
    return Mistake(file="launch request", place=place, read=read, expected=expected, remedy=remedy)
