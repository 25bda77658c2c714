"""Asks an endpoint every sample of a run, until each has an answer or its tries are used up.

Rules, in the order in which they matter:

1. What was answered is never asked again. A sample counts as answered once its line is written.
2. A fault is asked again as its class says, and never becomes an answer.
3. The first request goes alone: a wrong address, key or field stops the run before it costs.
4. A third sample that another model answered stops the run: what it measures is not known.
5. Stopping asks nothing new, and waits a while for what is in the air and may have been paid.
"""

import asyncio
from collections.abc import Callable, Iterator

import numpy as np

from dokja.errors import RunWriteError
from dokja.evidence.benchmarks.running.asking import Asker
from dokja.evidence.benchmarks.running.endings import Ending, Why
from dokja.evidence.benchmarks.running.folders import RunFolder
from dokja.evidence.benchmarks.running.forms import Form
from dokja.evidence.benchmarks.running.limits import Limits
from dokja.evidence.benchmarks.running.sessions import Session, Sources, open_samples
from dokja.models.serving.endpoints import Endpoint

__all__ = ["run_endpoint"]


async def run_endpoint(
    folder: RunFolder,
    *,
    form: Form,
    endpoint: Endpoint,
    limits: Limits,
    sources: Sources,
    begun: Callable[[Session], None] | None = None,
) -> Ending:
    """Ask everything that is open, and return why it ended.

    Args:
        folder: The run's folder, open for writing.
        form: What is asked; the plan's.
        endpoint: Who is asked, not open yet.
        limits: How fast, how long and how often.
        sources: What comes from outside.
        begun: Shown the session before the first request, so that a signal can stop it.

    Raises:
        ExtraMissingError: The extra `measure` is not installed.
        RunWriteError: The folder cannot be written; what was written stands.
    """
    session = Session(folder, form=form, limits=limits, sources=sources)
    if begun is not None:
        begun(session)
    async with endpoint:
        # Waits need no certain seed: nothing that is recorded depends on them.
        waits = np.random.default_rng(folder.plan.order.seed)
        asker = Asker(session, endpoint=endpoint, waits=waits)
        session.open()
        broken: RunWriteError | None = None
        try:
            await _ask_all(session, asker)
        except* RunWriteError as failed:
            broken = _first(failed)
        if broken is not None:
            raise broken
    ending = session.ending or Ending(why=Why.DONE)
    close(session, ending)
    return ending


def close(session: Session, ending: Ending) -> None:
    """Write why a session ended, and have the disk hold everything.

    Raises:
        RunWriteError: The folder cannot be written.
    """
    facts = {"detail": ending.detail} if ending.detail else {}
    session.scribe.note("close", why=ending.why.value, **facts)
    session.folder.sync()
    session.tell()


async def _ask_all(session: Session, asker: Asker) -> None:
    samples = open_samples(session.folder)
    async with asyncio.TaskGroup() as group:
        workers = [
            group.create_task(_work(samples, session, asker))
            for _ in range(session.limits.concurrency)
        ]
        beside = [
            group.create_task(_keep(session)),
            group.create_task(_drop_in_time(session, workers)),
        ]
        await asyncio.wait(workers)
        for task in beside:
            task.cancel()


async def _work(samples: Iterator[int], session: Session, asker: Asker) -> None:
    for sample in samples:
        if session.ending is not None:
            return
        await asker.settle(sample)


async def _keep(session: Session) -> None:
    """Have the disk hold what was written, and tell how far the run is."""
    limits = session.limits
    clock = asyncio.get_running_loop().time
    told = clock()
    while True:
        await asyncio.sleep(min(limits.sync_s, limits.tick_s))
        if session.folder.journal.unsynced:
            session.folder.sync()
        if clock() - told >= limits.tick_s:
            told = clock()
            session.tell()


async def _drop_in_time(session: Session, workers: list[asyncio.Task[None]]) -> None:
    """Once the run is stopped, wait a while for what is in the air, then drop it."""
    await session.gate.closed.wait()
    try:
        async with asyncio.timeout(session.limits.grace_s):
            await session.dropped.wait()
    except TimeoutError:
        pass
    for worker in workers:
        worker.cancel()


def _first(group: BaseExceptionGroup[RunWriteError]) -> RunWriteError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
