"""The engines that the forge starts itself, by name; none of them is imported to be known."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.engines.contract import Capabilities, Capability, WorkerEngine
from dokja.models.forge.engines.ref import ENGINE as REF

__all__ = ["WORKERS", "able", "worker_engine"]

_ALL = frozenset(Capability)

HF = WorkerEngine(
    name="hf",
    module="dokja.models.forge.workers.hf",
    capabilities=Capabilities(
        families=frozenset({"llama", "peri", "gpt2", "mixtral", "latent-moe"}), offers=_ALL
    ),
)
"""transformers' Trainer; the default."""

_OLMO_MISSING = {
    Capability.PROCESSES: "its loop here is one process; OLMo-core's own sharding is not used",
    Capability.ADAPTERS: "it trains whole tensors only",
}

OLMO = WorkerEngine(
    name="olmo",
    module="dokja.models.forge.workers.olmo",
    capabilities=Capabilities(
        families=frozenset({"llama"}),
        offers=_ALL - _OLMO_MISSING.keys(),
        missing=_OLMO_MISSING,
    ),
)
"""OLMo-core's network in our loop."""

WORKERS: Mapping[str, WorkerEngine] = MappingProxyType({"hf": HF, "olmo": OLMO, "ref": REF})
"""Every engine that is a module of ours."""


def able(capability: Capability) -> tuple[str, ...]:
    """Return the names of the engines that offer something.

    Example:
        >>> able(Capability.ADAPTERS)
        ('hf',)
    """
    return tuple(
        name for name, one in WORKERS.items() if one.capabilities.why_not(capability) is None
    )


def worker_engine(name: str, *, python: str = sys.executable, processes: int = 1) -> WorkerEngine:
    """Return an engine, to be started by an interpreter, once or as several processes.

    Args:
        name: One of `WORKERS`.
        python: The interpreter of an environment that has what the engine imports.
        processes: How many processes on this machine; above one through torch's own launcher.

    Raises:
        RecipeError: There is no such engine, or it runs as one process only.

    Example:
        >>> from pathlib import Path
        >>> worker_engine("hf", python="python3").command(Path("job.json"))
        ('python3', '-m', 'dokja.models.forge.workers.hf', 'job.json')
    """
    engine = WORKERS.get(name)
    reason = None if engine is None else engine.capabilities.why_not(Capability.PROCESSES)
    if engine is None or (processes > 1 and reason is not None):
        wrong = Mistake(
            file="engine",
            place="name",
            read=f"{name!r} as {processes} processes" if engine else repr(name),
            expected=f"one process: {reason}" if engine else f"one of {', '.join(WORKERS)}",
        )
        raise RecipeError([wrong])
    launcher: tuple[str, ...] = ()
    if processes > 1:
        launcher = (
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={processes}",
        )
    return replace(engine, python=python, launcher=launcher)
