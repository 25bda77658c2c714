"""`dokja record`: stand between an unmodified engine and an endpoint; keep what goes through."""

import asyncio
import re
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from dokja.cli.engine_running import engine_environment, need_measure, run_engine, until_told
from dokja.cli.printing import as_json, emit, say
from dokja.errors import RecordingError
from dokja.evidence.benchmarks.exchanges import (
    PLAIN,
    Profile,
    Recorder,
    Recording,
    Terms,
    read_profile,
    read_recording,
    repeats,
)
from dokja.evidence.ledger import SigningKey, read_key, write_key

if TYPE_CHECKING:
    from dokja.evidence.benchmarks.exchanges.proxy import Proxy

__all__ = ["record"]

_SYNC_S = 0.5
_ENGINE_FAILED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Between whom the proxy stands."""

    upstream: str
    port: int
    timeout_s: float
    command: Sequence[str]


@click.command(
    "record",
    short_help="Record what an endpoint answers to an unmodified engine.",
)
@click.option("--upstream", required=True, help="The endpoint's address, such as https://host/v1.")
@click.option(
    "--store",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to record into; a store is gone on with.",
)
@click.option(
    "--profile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What may differ between two sendings of one request; nothing if none.",
)
@click.option("--port", default=0, help="The port on 127.0.0.1; a free one if none.")
@click.option("--seal", is_flag=True, help="Keep bodies sealed: for private items.")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The secret key that signs the head; one is made beside the store if none.",
)
@click.option(
    "--timeout", "timeout_s", default=600.0, show_default=True, help="Seconds without a byte."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@as_json
def record(
    upstream: str,
    store: Path,
    profile: Path | None,
    port: int,
    seal: bool,
    key: Path | None,
    timeout_s: float,
    command: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    """Listen on 127.0.0.1 in the place of an endpoint, pass everything on, and keep it.

    With COMMAND (behind --) the engine is started with the address in its environment
    (OPENAI_BASE_URL, DOKJA_BASE_URL) and for {url} in its words, and recording ends with it.
    Without, recording ends from the keyboard or with SIGTERM. Authorization and cookies are
    passed on and never kept. Faults are recorded too.

    Ends with 0; 2 if the store cannot be used or written; 4 if COMMAND failed.

    \b
    Example:
      dokja record --upstream https://host/v1 --store runs/a \\
        -- inspect eval task.py --model openai-api/dokja/NAME
    """
    need_measure()
    _refuse_unusable(upstream)
    named = PLAIN if profile is None else read_profile(profile)
    terms = Terms(profile=named, upstream=upstream.rstrip("/"), sealed=seal)
    recorder = _begun(store, terms, key)
    way = _Way(upstream=terms.upstream, port=port, timeout_s=timeout_s, command=command)
    with recorder:
        code = asyncio.run(_recorded(recorder, way))
    _tell(read_recording(store), recorder, profile=named, code=code, as_json=as_json)
    return _ENGINE_FAILED if code else 0


def _begun(store: Path, terms: Terms, key: Path | None) -> Recorder:
    store.parent.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(
        store,
        terms=terms,
        signer=_signer(key, store),
        secret=secrets.token_bytes(32),
        clock=lambda: datetime.now(UTC),
    )
    if recorder.torn is not None:
        say(f"{recorder.torn}: a half line that a killed recorder left was put there", error=True)
    return recorder


async def _recorded(recorder: Recorder, way: _Way) -> int | None:
    """Stand between until the engine has ended or we are told to stop; return its exit code."""
    from dokja.evidence.benchmarks.exchanges.proxy import Proxy  # noqa: PLC0415  # an extra
    from dokja.evidence.benchmarks.exchanges.web import (  # noqa: PLC0415  # an extra
        LOOPBACK,
        listening,
        new_client,
    )

    async with new_client(idle_s=way.timeout_s) as client:
        proxy = Proxy(
            recorder,
            upstream=way.upstream,
            client=client,
            clock=lambda: datetime.now(UTC),
            ticks=time.monotonic_ns,
        )
        try:
            runner, port = await listening(proxy.server, port=way.port)
        except OSError as error:
            raise click.UsageError(f"port {way.port} cannot be had: {error.strerror}") from error
        url = f"http://{LOOPBACK}:{port}"
        say(f"recording {way.upstream} into {recorder.store} at {url}", error=True)
        with until_told() as stop:
            beside = [
                asyncio.ensure_future(_synced(recorder, proxy)),
                asyncio.ensure_future(_shown(recorder)),
                asyncio.ensure_future(_stopping(proxy.stopped, stop)),
            ]
            try:
                code = await _ended(way, url, stop)
            finally:
                await runner.cleanup()
                for task in beside:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
        if proxy.failure is not None:
            raise proxy.failure
    return code


async def _ended(way: _Way, url: str, stop: asyncio.Event) -> int | None:
    if not way.command:
        await stop.wait()
        return None
    environment = engine_environment(url, replaying=False)
    return await run_engine(way.command, url=url, environment=environment, stop=stop)


async def _stopping(failed: asyncio.Event, stop: asyncio.Event) -> None:
    await failed.wait()
    stop.set()


async def _synced(recorder: Recorder, proxy: "Proxy") -> None:
    """Have the disk keep what was written, twice a second."""
    try:
        while True:
            await asyncio.sleep(_SYNC_S)
            await asyncio.to_thread(recorder.sync)
    except RecordingError as error:
        proxy.fail(error)


async def _shown(recorder: Recorder) -> None:
    """Say how far it is, where somebody looks on."""
    if not sys.stderr.isatty():
        return
    from rich.console import Console  # noqa: PLC0415  # not needed by programs

    with Console(stderr=True).status("nothing asked yet") as line:
        while True:
            line.update(f"{recorder.recorded:,} exchanges, {recorder.faults:,} faulty")
            await asyncio.sleep(_SYNC_S)


def _tell(
    found: Recording, recorder: Recorder, *, profile: Profile, code: int | None, as_json: bool
) -> None:
    often = repeats(found.exchanges)
    if as_json:
        said = {
            "schema": "dokja.record/1",
            "store": str(found.store),
            "upstream": found.head.upstream,
            "profile": {"name": profile.name, "digest": str(profile.digest)},
            "recorded": recorder.recorded,
            "faults": recorder.faults,
            "lines": found.lines,
            "root": str(found.root),
            "signer": found.head.signer,
            "epochs": often.epochs,
            "flags": [{"flag": "duplicate_prompt", "count": len(often.duplicates)}]
            if often.duplicates
            else [],
        }
        emit(said if code is None else {**said, "engine_exit": code})
        return
    say(f"{found.store}: {recorder.recorded} exchanges recorded, {recorder.faults} of them faulty")
    say(f"  head: {found.lines} lines, root {found.root}, signed by {found.head.signer}")
    if often.duplicates:
        say(f"  duplicate_prompt: {len(often.duplicates)} requests stand in it more often than")
        say(f"  the usual {often.epochs} times; their answers may change places in a replay")
    if code:
        say(f"  the engine ended with {code}", error=True)


def _refuse_unusable(upstream: str) -> None:
    """Refuse an address that is none, or that holds what must not be kept."""
    parts = urlsplit(upstream)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = f"--upstream reads {upstream!r}; expected http:// or https:// and a host"
        raise click.UsageError(message)
    if parts.username or parts.password or parts.query or parts.fragment:
        message = (
            "--upstream holds a name, a password or a query; it is written into the store. "
            "Let the engine send its key, as it does without the proxy."
        )
        raise click.UsageError(message)


def _signer(path: Path | None, store: Path) -> SigningKey:
    """Return the key that signs the head; without a path it is made beside the store."""
    if path is not None:
        return read_key(path)
    path = store.with_name(f"{store.name}.key")
    if not path.exists():
        name = re.sub(r"[^0-9A-Za-z가-힣._-]", "-", store.name)
        write_key(path, SigningKey(f"record.local/{name}", secrets.token_bytes(32)))
    return read_key(path)
