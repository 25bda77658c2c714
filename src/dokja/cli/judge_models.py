"""A judge model as the command line names it: who it is, whom it may judge, where replies go."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import click

from dokja.cli.measuring import posted_to, read_fields
from dokja.cli.printing import say
from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.judges import (
    ConnectedJudge,
    EndpointJudge,
    JudgeFile,
    JudgeSystem,
    LocalJudge,
)
from dokja.evidence.benchmarks.judges.asking import Asks
from dokja.evidence.benchmarks.running import Limits
from dokja.evidence.benchmarks.scorers import JudgeScorer, Scorer
from dokja.evidence.statistics.judges import refuse_own_family
from dokja.models.serving.endpoints import Family

__all__ = ["ReadyJudge", "connected", "judge_options", "ready_judge"]

_TOKENS = 512
_MILLION = 1_000_000
_EVERY_S = 5.0
_OPTIONS = (
    click.option(
        "--judge", metavar="MODEL", help="Who judges: an endpoint's name for it, or a folder."
    ),
    click.option("--judge-endpoint", metavar="URL", help="Where the judge is asked, up to /v1."),
    click.option("--judge-family", metavar="NAME", help="The family of the judge, by its maker."),
    click.option(
        "--judge-key-env",
        default="JUDGE_API_KEY",
        metavar="NAME",
        help="The variable that holds the judge's key; JUDGE_API_KEY.",
    ),
    click.option(
        "--judge-reports", multiple=True, metavar="NAME", help="A name its server may give itself."
    ),
    click.option(
        "--judge-set", multiple=True, metavar="NAME=JSON", help="A field of the judge's requests."
    ),
    click.option(
        "--judge-concurrency", type=click.IntRange(1), default=16, help="Most at once; 16."
    ),
    click.option(
        "--labels",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Replies that people judged, 200 in each language; tells how the judge errs.",
    ),
)
_JUDGED = click.option(
    "--family", metavar="NAME", help="The family of the model that is judged, by its maker."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What was said about the judge.

    Attributes:
        model: Its name at its endpoint, or its folder.
        endpoint: Up to `/v1`; None for one that runs in this process.
        family: Its maker's family.
        key_env: Which variable of the environment holds the key.
        reports: Names that its server may give itself; its own where none is said.
        fields: Fields of its requests, `NAME=JSON`.
        concurrency: The most questions that are in the air at once.
    """

    model: str
    endpoint: str | None
    family: str
    key_env: str
    reports: tuple[str, ...]
    fields: tuple[str, ...]
    concurrency: int

    @property
    def name(self) -> str:
        """As scorers declare it."""
        return self.model if self.endpoint is not None else Path(self.model).resolve().name


def judge_options(*, judged: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what gives a command the options of a judge.

    Args:
        judged: Whether the command knows a model that is judged.
    """
    options = (*_OPTIONS, _JUDGED) if judged else _OPTIONS
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyJudge:
    """A judge that may judge, before it is asked anything.

    Attributes:
        system: All that decides what it replies.
        asks: Who asks it.
        family: Its maker's family.
    """

    system: JudgeSystem
    asks: Asks
    family: str


def ready_judge(
    options: Mapping[str, Any], scorer: Scorer, *, judged: Iterable[str] = ()
) -> ReadyJudge | None:
    """Return the judge that was named; None where none was. Nothing is asked or written yet.

    Args:
        options: Of `judge_options`.
        scorer: The suite's.
        judged: Labels of the models that are judged, whose family is `--family`; none for a trial.

    Raises:
        click.UsageError: The scorer asks no judge, or options cannot stand together.
        SuiteError: The scorer declares another judge.
        NotComparableError: A family is not declared, or both are of the same one.
        InputError: A field of its requests cannot be read.
        NotServableError: It cannot be run in this process.
    """
    given = _given(options)
    if given is None:
        return None
    if not isinstance(scorer, JudgeScorer):
        raise click.UsageError(f"--judge: the scorer is {scorer.kind}, which asks no judge")
    if given.name != scorer.judge:
        expected = f"{scorer.judge}, the judge that the scorer declares"
        wrong = Mistake(file="--judge", place="", read=given.name, expected=expected)
        raise SuiteError([wrong], changed="Nothing was asked.")
    families = dict.fromkeys(judged, options.get("family") or "")
    if families:
        refuse_own_family(given.family, families)
    system, asks = _local(given) if given.endpoint is None else _remote(given, given.endpoint)
    return ReadyJudge(system=system, asks=asks, family=given.family)


@contextmanager
def connected(judge: ReadyJudge | None, folder: Path) -> Iterator[ConnectedJudge | None]:
    """Open a judge with the file of its replies in a folder; None where none was named.

    Raises:
        RunError: The file is damaged or in use.
        RunWriteError: It cannot be written.
    """
    if judge is None:
        yield None
        return
    last = time.monotonic()

    def told(done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_S:
            last = time.monotonic()
            say(f"judge: {done:,} of {of:,} asked", error=True)

    with JudgeFile(folder, judge.system, clock=lambda: time.time_ns() // _MILLION) as file:
        if file.torn:
            say(f"half a line was cut off {file.path}", error=True)
        yield ConnectedJudge(file, asks=judge.asks, family=judge.family, progress=told)


def _given(options: Mapping[str, Any]) -> _Given | None:
    if options["judge"] is None:
        said = [name for name in ("judge_endpoint", "judge_family", "labels") if options[name]]
        if said:
            names = ", ".join("--" + name.replace("_", "-") for name in said)
            raise click.UsageError(f"{names}: name the judge with --judge")
        return None
    return _Given(
        model=options["judge"],
        endpoint=options["judge_endpoint"],
        family=options["judge_family"] or "",
        key_env=options["judge_key_env"],
        reports=options["judge_reports"],
        fields=options["judge_set"],
        concurrency=options["judge_concurrency"],
    )


def _remote(given: _Given, address: str) -> tuple[JudgeSystem, EndpointJudge]:
    fields = read_fields(given.fields, option="--judge-set", closed=Family.CHAT.field)
    request = {"model": given.model, "max_tokens": _TOKENS, "temperature": 0, **fields}
    system = JudgeSystem(
        model=given.model,
        kind=Family.CHAT,
        endpoint=posted_to(address, family=Family.CHAT, option="--judge-endpoint"),
        request={key: value for key, value in request.items() if value is not None},
    )
    key = os.environ.get(given.key_env)
    asks = EndpointJudge(
        headers={"Authorization": f"Bearer {key}"} if key else {},
        limits=Limits(concurrency=given.concurrency),
        reported=frozenset(given.reports or (given.model,)),
    )
    return system, asks


def _local(given: _Given) -> tuple[JudgeSystem, LocalJudge]:
    if not Path(given.model).is_dir():
        raise click.UsageError(
            f"--judge is {given.model!r}, which is no folder; say where it is asked with "
            "--judge-endpoint"
        )
    fields = read_fields(given.fields, option="--judge-set", closed=Family.EMBEDDED.field)
    tokens = fields.get("max_tokens", _TOKENS)
    if not isinstance(tokens, int) or tokens < 1 or set(fields) - {"max_tokens"}:
        raise click.UsageError("--judge-set: a judge in this process takes max_tokens and no more")
    # Loaded here: whoever asks an endpoint opens no weights, and should not wait for what does.
    from dokja.models.serving import open_model  # noqa: PLC0415  # see above

    model = open_model(Path(given.model))
    system = JudgeSystem(
        model=given.name,
        kind=Family.EMBEDDED,
        weights=str(model.digest),
        request={"model": given.name, "max_tokens": tokens},
    )
    return system, LocalJudge(model, tokens=tokens)
