"""Where pieces of a comparison are worked on: in this process, or in several on this machine.

An engine maps a function over tasks and returns the answers in the tasks' order. Tasks hold
everything that their answer depends on, so that neither the engine nor how many workers it has
shows in an answer. A refusal comes back as it was raised; what else can go wrong with a worker is
a `ClusterError`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, Protocol, TypeVar

from dokja import __version__
from dokja.errors import ClusterError, DokjaError

__all__ = ["Engine", "Processes", "Told", "Tried", "answered", "tried"]

T = TypeVar("T")
R = TypeVar("R")

Told = Callable[[int], None]
"""Told how many tasks are done, after each."""


class Engine(Protocol):
    """Something that works on tasks."""

    def map(self, work: Callable[[T], R], tasks: Sequence[T], *, told: Told) -> list[R]:
        """Return the answer to every task, in their order.

        Args:
            work: A function at the top level of a module: other processes find it by its name.
            tasks: Values that can be pickled, as their answers can.
            told: Told how many tasks are done.

        Raises:
            DokjaError: What `work` raised for a task.
            ClusterError: A worker was lost, or cannot do the work.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(Generic[R]):
    """What became of one task.

    Attributes:
        answer: None where it was refused.
        refusal: What was raised; none where there is an answer.
        version: Of the Dokja that did the work.
    """

    answer: R | None
    refusal: DokjaError | None
    version: str


def tried(work: Callable[[T], R], task: T) -> Tried[R]:
    """Do the work; a refusal is an answer too, and travels whole between processes."""
    try:
        return Tried(answer=work(task), refusal=None, version=__version__)
    except DokjaError as refusal:
        return Tried(answer=None, refusal=refusal, version=__version__)


def answered(found: Tried[R]) -> R:
    """Return the answer.

    Raises:
        DokjaError: The task was refused.
        ClusterError: The worker has another Dokja, whose answers might differ.
    """
    if found.version != __version__:
        raise ClusterError(
            f"a worker has Dokja {found.version} and this is {__version__}; nothing was written. "
            f"Install the same version on every machine."
        )
    if found.refusal is not None:
        raise found.refusal
    return found.answer  # type: ignore[return-value]  # what was not refused has an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Processes on this machine, started for each map and ended with it.

    Attributes:
        workers: How many; fewer are started where there are fewer tasks.
        begin: Called in every process before anything else; found by its name.
    """

    workers: int
    begin: Callable[[], None] | None = None

    def map(self, work: Callable[[T], R], tasks: Sequence[T], *, told: Told) -> list[R]:
        """Return the answer to every task; see `Engine.map`."""
        pool = ProcessPoolExecutor(
            max(1, min(self.workers, len(tasks))),
            mp_context=get_context("spawn"),  # a copy of a process with threads may hang
            initializer=self.begin,
        )
        try:
            running = [pool.submit(tried, work, task) for task in tasks]
            for done, one in enumerate(as_completed(running), start=1):
                answered(one.result())  # a refusal need not wait for the others
                told(done)
            return [answered(one.result()) for one in running]
        except BrokenProcessPool as error:
            raise ClusterError(
                "a process ended before its work was done, perhaps for want of memory; nothing "
                "was written. Try again with fewer workers."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
