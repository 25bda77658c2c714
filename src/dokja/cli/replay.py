"""`dokja replay`: stand where an endpoint stood, and say only what was recorded."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from dokja.cli.engine_running import engine_environment, need_measure, run_engine, until_told
from dokja.cli.printing import as_json, emit, say
from dokja.errors import InputError, RecordingBrokenError
from dokja.evidence.benchmarks.exchanges import Recording, Replay, read_recording, repeats
from dokja.evidence.benchmarks.exchanges.engine_scores import (
    Difference,
    Scores,
    differences,
    newest_result,
    read_scores,
)
from dokja.evidence.ledger import VerifierKey
from dokja.values import Json

__all__ = ["replay"]

_FOUND, _CANNOT_TELL = 3, 4
_MOST_SHOWN = 10
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What came of a replay."""

    replay: Replay
    engine_exit: int | None = None
    broken: tuple[RecordingBrokenError, ...] = ()
    recorded: Scores | None = None
    replayed: Scores | None = None
    unread: str = ""
    missing: tuple[tuple[int, str], ...] = field(default=())

    @property
    def differing(self) -> tuple[Difference, ...]:
        if self.recorded is None or self.replayed is None:
            return ()
        return differences(self.recorded, self.replayed)

    @property
    def code(self) -> int:
        if self.replay.misses or self.broken or self.differing:
            return _FOUND
        if self.replay.incomplete or self.missing or self.engine_exit or self.unread:
            return _CANNOT_TELL
        return 0


@click.command(
    "replay", short_help="Give an engine the recorded answers again, without the endpoint."
)
@click.option("--store", required=True, type=_PATH, help="The folder that was recorded into.")
@click.option("--port", default=0, help="The port on 127.0.0.1; a free one if none.")
@click.option("--with-faults", is_flag=True, help="Give faulty tries as well, as they were met.")
@click.option("--session", type=int, help="Only what one session of the recorder kept.")
@click.option(
    "--key", "keys", multiple=True, help="A public key that you got elsewhere; it must have signed."
)
@click.option("--recorded", type=_PATH, help="What the engine wrote in the recorded run.")
@click.option("--score", type=_PATH, help="What the engine writes in this one; compared with it.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@as_json
def replay(
    store: Path,
    port: int,
    with_faults: bool,
    session: int | None,
    keys: tuple[str, ...],
    recorded: Path | None,
    score: Path | None,
    command: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    """Listen on 127.0.0.1 in the place of an endpoint and answer from a store.

    With COMMAND (behind --) the engine is started with the address in its environment
    (OPENAI_BASE_URL, DOKJA_BASE_URL) and for {url} in its words. With --recorded and --score the
    scores that it wrote in the two runs are compared to the last digit. A request that was not
    recorded gets an error, never a made-up answer.

    Ends with 0 if every request was recorded and no score differs; 2 if there is no such store;
    3 if a request was missed, a score differs or the store was edited; 4 if the store is
    incomplete or COMMAND failed.

    \b
    Example:
      dokja replay --store runs/a --recorded logs-a --score logs-b \\
        -- inspect eval task.py --model openai-api/dokja/NAME --log-dir logs-b
    """
    need_measure()
    if (recorded is None) != (score is None) or (score is not None and not command):
        raise click.UsageError("--recorded and --score go together, and with a COMMAND behind --")
    found = read_recording(store, keys=[VerifierKey.parse(text) for text in keys])
    if session not in {None, *found.sessions}:
        raise click.UsageError(f"--session reads {session}; {store} has {set(found.sessions)}")
    expected = None if recorded is None else read_scores(recorded)
    before = None if score is None else _mark(score)
    say(_described(found), error=True)
    one = Replay(recording=found, with_faults=with_faults, session=session)
    ended = asyncio.run(_replayed(one, port=port, command=command))
    new = (None, "") if score is None else _read_new(score, before)
    outcome = _outcome(one, ended=ended, expected=expected, new=new)
    _tell(found, outcome, as_json=as_json)
    return outcome.code


def _outcome(
    one: Replay,
    *,
    ended: tuple[int | None, tuple[RecordingBrokenError, ...]],
    expected: Scores | None,
    new: tuple[Scores | None, str],
) -> _Outcome:
    missing = tuple((each.n, part) for each, part in one.recording.missing_bodies())
    return _Outcome(
        replay=one,
        engine_exit=ended[0],
        broken=ended[1],
        recorded=expected,
        replayed=new[0],
        unread=new[1],
        missing=missing,
    )


async def _replayed(
    one: Replay, *, port: int, command: Sequence[str]
) -> tuple[int | None, tuple[RecordingBrokenError, ...]]:
    """Answer until the engine has ended or we are told to stop."""
    from dokja.evidence.benchmarks.exchanges.replay_server import (  # noqa: PLC0415  # an extra
        ReplayServer,
    )
    from dokja.evidence.benchmarks.exchanges.web import (  # noqa: PLC0415  # an extra
        LOOPBACK,
        listening,
    )

    server = ReplayServer(one)
    try:
        runner, port = await listening(server.server, port=port)
    except OSError as error:
        raise click.UsageError(f"port {port} cannot be had: {error.strerror}") from error
    url = f"http://{LOOPBACK}:{port}"
    say(f"replaying {one.recording.store} at {url}", error=True)
    code = None
    with until_told() as stop:
        try:
            if command:
                environment = engine_environment(url, replaying=True)
                code = await run_engine(command, url=url, environment=environment, stop=stop)
            else:
                await stop.wait()
        finally:
            await runner.cleanup()
    return code, tuple(server.broken)


def _mark(path: Path) -> tuple[Path, int] | None:
    """Return the newest result that lies here already, to tell a new one from it."""
    try:
        file = newest_result(path)
    except InputError:
        return None
    return file, file.stat().st_mtime_ns


def _read_new(path: Path, before: tuple[Path, int] | None) -> tuple[Scores | None, str]:
    """Return the scores that were written since, or why there are none."""
    try:
        if before is not None and before == _mark(path):
            return None, f"{path}: the engine wrote no new result here"
        return read_scores(path), ""
    except InputError as error:
        return None, str(error)


def _described(found: Recording) -> str:
    head = f"{found.store}: {len(found.exchanges)} exchanges with {found.head.upstream}"
    if found.is_signed:
        signed = f"signed by {found.head.signer}"
    elif found.signed:
        signed = f"signed up to line {found.signed} of {found.lines}"
    else:
        signed = "not signed: the recorder did not end"
    torn = f"; {found.torn} bytes of a half last line were passed over" if found.torn else ""
    return f"{head}, {signed}{torn}"


def _tell(found: Recording, outcome: _Outcome, *, as_json: bool) -> None:
    one = outcome.replay
    often = repeats(found.exchanges)
    if as_json:
        emit(_document(found, outcome))
        return
    say(f"{one.answered} answered, {len(one.misses)} missed, {len(one.unused)} not asked for")
    lists = (
        ("missed", [str(miss) for miss in one.misses]),
        ("not asked for", [f"exchange {each.n}: {each.method} {each.path}" for each in one.unused]),
        ("not here", [f"exchange {n}: its {part}" for n, part in outcome.missing]),
        ("edited", [str(error) for error in outcome.broken]),
        ("differs", [str(each) for each in outcome.differing]),
    )
    for name, lines in lists:
        for line in lines[:_MOST_SHOWN]:
            say(f"  {name}: {line}")
        if len(lines) > _MOST_SHOWN:
            say(f"  {name}: and {len(lines) - _MOST_SHOWN} more; --json lists all of them")
    if often.duplicates:
        say(f"  duplicate_prompt: {len(often.duplicates)} requests stand in it more often than")
        say(f"  the usual {often.epochs} times; their answers may change places")
    if outcome.engine_exit:
        say(f"  the engine ended with {outcome.engine_exit}")
    if outcome.unread:
        say(f"  no score to compare: {outcome.unread}")
    if outcome.recorded and outcome.replayed and not outcome.differing:
        say(f"  identical: all {len(outcome.recorded.values)} figures of {outcome.recorded.file}")


def _document(found: Recording, outcome: _Outcome) -> dict[str, Json]:
    one, often = outcome.replay, repeats(found.exchanges)
    document: dict[str, Json] = {
        "schema": "dokja.replay/1",
        "store": str(found.store),
        "upstream": found.head.upstream,
        "lines": found.lines,
        "root": str(found.root),
        "signer": found.head.signer,
        "signed_lines": found.signed,
        "torn_bytes": found.torn,
        "answered": one.answered,
        "missed": [
            {
                "key": str(miss.key),
                "method": miss.method,
                "path": miss.path,
                "recorded": miss.recorded,
                "faulty": miss.faulty,
                "asked": miss.asked,
            }
            for miss in one.misses
        ],
        "unused": [{"n": each.n, "key": str(each.key)} for each in one.unused],
        "not_here": [{"n": n, "part": part} for n, part in outcome.missing],
        "edited": [str(error) for error in outcome.broken],
        "epochs": often.epochs,
        "flags": [{"flag": "duplicate_prompt", "count": len(often.duplicates)}]
        if often.duplicates
        else [],
    }
    if outcome.engine_exit is not None:
        document["engine_exit"] = outcome.engine_exit
    if outcome.recorded is not None and outcome.replayed is not None:
        document["scores"] = {
            "recorded": dict(outcome.recorded.values),
            "replayed": dict(outcome.replayed.values),
            "identical": not outcome.differing,
        }
    return document
