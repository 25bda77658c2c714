"""An engine of others, started unmodified with our address in its environment."""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

__all__ = ["ADDRESS", "engine_environment", "need_measure", "run_engine", "until_told"]

ADDRESS = "{url}"
"""What stands for our address in an engine's words."""


def need_measure() -> None:
    """Refuse to begin without what asks and answers.

    Raises:
        ExtraMissingError: The extra `measure` is not installed.
    """
    importlib.import_module("dokja.evidence.benchmarks.exchanges.web")


def engine_environment(url: str, *, replaying: bool) -> dict[str, str]:
    """Return the environment of an engine, with our address where engines look for one.

    Args:
        url: Our address.
        replaying: Whether no key is needed; engines refuse to start without one, so that a
            name stands there.
    """
    names = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "DOKJA_BASE_URL")
    given = {**os.environ, **dict.fromkeys(names, url)}
    for name in ("NO_PROXY", "no_proxy"):
        given[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
    for name in ("OPENAI_API_KEY", "DOKJA_API_KEY"):
        if replaying:
            given[name] = "replayed"
        else:
            given.setdefault(name, os.environ.get("OPENAI_API_KEY", "recorded"))
    return given


async def run_engine(
    words: Sequence[str],
    *,
    url: str,
    environment: Mapping[str, str],
    stop: asyncio.Event,
) -> int:
    """Run an engine to its end, or until we are told to stop; return its exit code.

    What it prints goes to standard error, so that standard output holds our words alone.

    Raises:
        UsageError: There is no such program.
    """
    command = [word.replace(ADDRESS, url) for word in words]
    try:
        engine = await asyncio.create_subprocess_exec(
            *command, env=dict(environment), stdout=sys.stderr.fileno()
        )
    except OSError as error:
        message = f"{command[0]} could not be started: {error.strerror}"
        raise click.UsageError(message) from error
    ended = asyncio.ensure_future(engine.wait())
    told = asyncio.ensure_future(stop.wait())
    await asyncio.wait([ended, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not ended.done():
        engine.terminate()
    return await ended


@contextmanager
def until_told() -> Iterator[asyncio.Event]:
    """Give an event that is set when we are asked to end, by a signal or from the keyboard."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
