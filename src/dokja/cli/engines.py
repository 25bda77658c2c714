"""The option `--engine`: where pieces of a comparison are worked on."""

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dokja.evidence.lineage import Engine

__all__ = ["engine_from", "engine_option", "one_thread"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LOCAL = re.compile(r"local(?::([1-9]\d{0,3}))?")


def engine_option(command: _Command) -> _Command:
    """Give a command the option that says where the work is done."""
    return click.option(
        "--engine",
        metavar="ENGINE",
        help="Compare in several processes, local or local:N, or on a Ray cluster, ray://HOST:PORT.",
    )(command)


def engine_from(text: str | None) -> "Engine | None":
    """Return the engine; none where nothing is said.

    Raises:
        click.UsageError: There is no such engine.
    """
    if text is None:
        return None
    # What is imported here stands on numpy, which a process of `local` must not load too early.
    from dokja.evidence.lineage import Processes, RayCluster  # noqa: PLC0415  # see above

    if (found := _LOCAL.fullmatch(text)) is not None:
        return Processes(workers=int(found[1] or os.cpu_count() or 1), begin=one_thread)
    if re.fullmatch(r"ray://[\w.\-\[\]:]*[\w\]]", text):
        return RayCluster(address=text)
    raise click.UsageError(f"--engine is local, local:N or ray://HOST:PORT, and not {text}")


def one_thread() -> None:
    """Give this process one thread for sums of arrays; it must not have loaded them yet."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")
