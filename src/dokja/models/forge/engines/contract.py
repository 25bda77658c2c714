"""What an engine is to the forge: a command that obeys a job file, and what it can do.

An engine is started with the path of a `job.json` and nothing else. It reads start weights and
data, appends `events.jsonl`, writes checkpoints and final weights, and ends with one of the
codes below. What it cannot do it declares here with a reason, so that a check which needs it
comes out undecided, by name, and is never passed in silence.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

__all__ = [
    "BAD_INPUT",
    "CANNOT_TELL",
    "DONE",
    "INTERRUPTED",
    "Capabilities",
    "Capability",
    "Engine",
    "WorkerEngine",
]

DONE = 0
"""Exit code of a worker that ran its last step and wrote the final weights."""

BAD_INPUT = 2
"""Exit code: the job, its data or its start weights cannot be used; stderr says why."""

CANNOT_TELL = 4
"""Exit code: training stopped because its numbers were no longer finite."""

INTERRUPTED = 130
"""Exit code after SIGTERM, SIGUSR1 or SIGINT: a checkpoint was written; start it again."""


class Capability(Enum):
    """What the conformance suite asks of an engine."""

    START_BIT_EQUAL = "loads start weights bit-equal"
    INSTANCE_LOG = "logs the instances that the order function names"
    RESUME_BIT_EQUAL = "resumes to the same bytes on a CPU"
    SURVIVES_KILL = "goes on after kill -9 with an unbroken log"
    PROCESSES = "gives the same weights with several processes, within the noise floor"
    REPLAY = "replays steps from an archived state"
    EXACT_TOKENS = "counts tokens exactly"
    OFFLINE = "opens no connection"
    ADAPTERS = "trains low-rank adapters and merges them"
    PATTERNS = "trains only the tensors whose names match patterns"
    BF16 = "computes in bf16 with float32 masters"
    TEACHERS = "follows a teacher's probabilities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine offers, and why it does not offer the rest.

    Attributes:
        families: The families of structures that it trains.
        offers: What it can do.
        missing: What it cannot do, each with the reason. Together with `offers`, everything.

    Raises:
        ValueError: A capability stands in both or in neither.

    Example:
        >>> rest = {item: "not built" for item in Capability if item is not Capability.REPLAY}
        >>> able = Capabilities(
        ...     families=frozenset({"llama"}), offers=frozenset({Capability.REPLAY}), missing=rest
        ... )
        >>> able.why_not(Capability.REPLAY), able.why_not(Capability.OFFLINE)
        (None, 'not built')
    """

    families: frozenset[str]
    offers: frozenset[Capability]
    missing: Mapping[Capability, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "missing", MappingProxyType(dict(self.missing)))
        stated = [*self.offers, *self.missing]
        if len(stated) != len(set(stated)) or set(stated) != set(Capability):
            raise ValueError("every capability is either offered or missing with a reason")

    def why_not(self, capability: Capability) -> str | None:
        """Return why the engine does not offer this; None when it does."""
        return self.missing.get(capability)


class Engine(Protocol):
    """Something that trains by a job file, in a process of its own."""

    @property
    def name(self) -> str:
        """What records call it, such as `ref`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it offers and what not."""
        ...

    def command(self, job: Path) -> tuple[str, ...]:
        """Return the words that start it on this job; also on one that was interrupted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEngine:
    """An engine that is a Python module, run as `python -m MODULE job.json`.

    Attributes:
        name: What records call it.
        module: The module's full name.
        capabilities: What it offers and what not.
        python: The interpreter; that of an environment that has what the module imports.
        launcher: Words between the interpreter and the job, when the module is started by
            another, such as `("-m", "torch.distributed.run", "--standalone")`.

    Example:
        >>> able = Capabilities(families=frozenset(), offers=frozenset(Capability))
        >>> engine = WorkerEngine(name="x", module="x.y", capabilities=able, python="python3")
        >>> engine.command(Path("run/job.json"))
        ('python3', '-m', 'x.y', 'run/job.json')
    """

    name: str
    module: str
    capabilities: Capabilities
    python: str = sys.executable
    launcher: tuple[str, ...] = ()

    def command(self, job: Path) -> tuple[str, ...]:
        """Return the words that start it on this job."""
        return (self.python, *self.launcher, "-m", self.module, os.fspath(job))
