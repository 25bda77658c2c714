"""`dokja measure`: ask a model a suite, keep every answer, and go on where it was stopped."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dokja import __version__
from dokja.cli.judge_figures import JudgeFigures, judge_figures, labels_of, say_broken
from dokja.cli.judge_models import connected, judge_options, ready_judge
from dokja.cli.measuring import Given, Prepared, frozen, kept_places, places, prepared
from dokja.cli.prices import read_prices
from dokja.cli.printing import as_json, emit, say
from dokja.cli.scorers import aids_for
from dokja.cli.watching import watching
from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.judges import ConnectedJudge
from dokja.evidence.benchmarks.running import (
    Ending,
    Limits,
    OpenRun,
    RunFolder,
    Session,
    Sources,
    Summary,
    Why,
    begin_run,
    conclude,
    read_plan,
    refuse_another,
    run_endpoint,
    run_local,
)
from dokja.evidence.benchmarks.running.summaries import RECORDS
from dokja.evidence.benchmarks.sanity import JudgedLabel
from dokja.evidence.benchmarks.scorers import Aids
from dokja.models.serving.endpoints import Endpoint, Family, Patience

__all__ = ["measure"]

ENGINE = f"dokja {__version__}"
_SIGNALLED = 128
_IDENTITY, _BAD, _OPEN = 3, 2, 4
_MILLION = 1_000_000


@click.command
@click.argument("model", required=False)
@click.option(
    "--suite",
    type=click.Path(exists=True, path_type=Path),
    help="A suite folder, or a .jsonl file of items.",
)
@click.option("--form", help="One form of the suite; all items where none is given.")
@click.option("--endpoint", metavar="URL", help="An OpenAI-compatible endpoint, up to /v1.")
@click.option("--completions", is_flag=True, default=None, help="Ask /completions, not chat.")
@click.option("--stream", is_flag=True, default=None, help="Ask for events; tells the first token.")
@click.option("--reports", multiple=True, metavar="NAME", help="A name the server may give itself.")
@click.option("--label", help="How results name the system; MODEL where none is given.")
@click.option("--effort", help="The effort setting, for the record.")
@click.option("--epochs", type=click.IntRange(1), help="How often each item is asked; 1.")
@click.option("--seed", type=click.IntRange(0), help="Of the order; 0.")
@click.option("--sentinels", type=click.IntRange(0), help="Items asked again; 50 of 500 or more.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer; the suite's own.")
@click.option("--limit-field", metavar="NAME", help="The field for it; max_tokens.")
@click.option("--set", "fields", multiple=True, metavar="NAME=JSON", help="A field of requests.")
@click.option("--convention", help="By which the run is read; strict.")
@click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file: currency, per_million_in, per_million_out.",
)
@click.option("--concurrency", type=click.IntRange(1), default=64, help="Most at once; 64.")
@click.option("--rpm", type=click.FloatRange(0, min_open=True), help="Most requests a minute.")
@click.option("--tpm", type=click.FloatRange(0, min_open=True), help="Most tokens a minute.")
@click.option("--budget", metavar="AMOUNT", help="Most to spend, in the currency of --prices.")
@click.option(
    "--idle", type=click.FloatRange(0, min_open=True), default=120.0, help="Seconds; 120."
)
@click.option(
    "--total", type=click.FloatRange(0, min_open=True), default=600.0, help="Seconds a try; 600."
)
@click.option("--grace", type=click.FloatRange(0), default=30.0, help="Seconds after a signal; 30.")
@click.option(
    "--key-env", default="OPENAI_API_KEY", help="The variable that holds the key; OPENAI_API_KEY."
)
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder.")
@click.option(
    "--resume",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Go on with this run.",
)
@click.option("--show-score", is_flag=True, help="Show how many are right; the journal says so.")
@click.option(
    "--programme",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Enter the run into this programme's ledger.",
)
@click.option("--stage", help="The stage that it is entered for.")
@judge_options(judged=True)
@as_json
def measure(
    model: str | None,
    out: Path | None,
    resume: Path | None,
    programme: Path | None,
    stage: str | None,
    key_env: str,
    *,
    show_score: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Ask MODEL every item of a suite, and keep what came back, sample by sample.

    MODEL is the name that an endpoint knows, or without --endpoint a folder that runs in this
    process. Every answer is on the disk before it counts. A run that is stopped, or killed, goes
    on with --resume and asks nothing twice that was answered. Faults are asked again by their
    kind and are never scored.

    \b
    Examples:
      dokja measure sample/programme/models/dasom-1 --suite sample/programme/items/sums.jsonl
      dokja measure my-model --endpoint http://localhost:8000/v1 --suite suites/kmmlu
      dokja measure --resume runs/kmmlu-my-model

    Where the suite's scorer asks a judge, name it: every reply of the judge is kept in the run's
    folder, and the same words are never paid for twice. A judge that fails makes no answer wrong.

    \b
    Exit codes: 0 every sample is settled or charged to the model; 2 bad input, another plan, or
    an endpoint that refuses the requests; 3 another model answered, or the scorer may give no
    evidence; 4 open samples remain; 128 and the signal's number for a run that was interrupted.
    """
    if (programme is None) != (stage is None):
        raise click.UsageError("--programme and --stage go together")
    limits = _limits(options)
    given = _given(model, options)
    made = _resumed(resume, given) if resume is not None else prepared(given)
    folder = resume or out or Path("runs") / f"{made.plan.asked.suite}-{made.plan.system.label}"
    if limits.budget_micro is not None and made.plan.prices is None:
        raise click.UsageError("--budget needs --prices: what a token costs is not known")
    judge = ready_judge(options, made.form.scorer, judged=[made.plan.system.label])
    labels = labels_of(options["labels"], made.form)
    audited = None if programme is None else _tried(programme, made, stage=stage or "")
    if programme is not None and audited is None:
        return _IDENTITY
    if resume is None:
        begin_run(folder, made.plan, beside=kept_places(given))
    with connected(judge, folder) as asked:
        found = _run(
            *(folder, made, limits),
            judging=_Judging(judge=asked, labels=labels, audited=audited),
            headers=_headers(made, key_env),
            show_score=show_score,
        )
        if found.summary is not None and programme is not None and stage is not None:
            _enter(programme, folder, made, found.summary, stage=stage)
        return _tell(folder, found, as_json=as_json, show_score=show_score)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judging:
    """Who judges, with what it is held against."""

    judge: ConnectedJudge | None
    labels: tuple[JudgedLabel, ...] | None
    audited: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """What a session came to; no summary where it was interrupted."""

    ending: Ending
    summary: Summary | None = None
    figures: JudgeFigures | None = None


def _given(model: str | None, options: Mapping[str, Any]) -> Given:
    said = {
        name: value
        for name, value in options.items()
        if name in Given.__slots__ and value not in (None, ())
    }
    if "prices" in said:
        said["prices"] = read_prices(said["prices"])
    return Given(model=model, **said)


def _limits(options: Mapping[str, Any]) -> Limits:
    budget = None
    if options["budget"] is not None:
        try:
            budget = int(Decimal(options["budget"]) * _MILLION)
        except (InvalidOperation, ValueError, OverflowError):
            raise click.UsageError(
                f"--budget is {options['budget']!r}; expected an amount, such as 12.50"
            ) from None
    return Limits(
        concurrency=options["concurrency"],
        rpm=options["rpm"],
        tpm=options["tpm"],
        budget_micro=budget,
        patience=Patience(idle_s=options["idle"], total_s=options["total"]),
        grace_s=options["grace"],
    )


def _resumed(folder: Path, given: Given) -> Prepared:
    """Return the plan of a run, made again from what it rests on and what was given now.

    Raises:
        RunError: It would be another plan; every difference is named.
    """
    old = read_plan(folder)
    wanted = frozen(old, given, known=places(folder))
    if wanted.suite is None or not wanted.suite.exists():
        wrong = Mistake(
            file=str(folder),
            place="",
            read="a run whose items are no longer where they were",
            expected="them, to go on asking",
            remedy="Name them with --suite.",
        )
        raise RunError([wrong])
    made = prepared(wanted)
    refuse_another(old, made.plan, folder=folder)
    return made


def _headers(made: Prepared, key_env: str) -> dict[str, str]:
    key = os.environ.get(key_env) if made.plan.family is not Family.EMBEDDED else None
    return {"Authorization": f"Bearer {key}"} if key else {}


def _run(
    folder: Path,
    made: Prepared,
    limits: Limits,
    *,
    judging: _Judging,
    headers: Mapping[str, str],
    show_score: bool,
) -> _Ended:
    """Ask what is open, and make records of everything unless the run was interrupted."""
    prices = made.plan.table
    aids = aids_for(
        made.form.scorer,
        suite=made.suite,
        budget_granted=made.plan.granted,
        audited=judging.audited,
        judge=judging.judge,
    )
    with RunFolder(folder, order=made.order) as run:
        if run.torn is not None:
            say(f"half a line was cut off the journal and kept in {run.torn}", error=True)
        with watching(show_score=show_score, currency=prices.currency if prices else "") as watch:
            sources = Sources(
                clock=lambda: time.time_ns() // _MILLION, aids=aids, watch=watch, looks=show_score
            )
            ending = asyncio.run(_asked(run, made, limits, headers=headers, sources=sources))
        if ending.why is Why.INTERRUPTED:
            return _Ended(ending=ending)
        run.forget()
        return _concluded(folder, made, ending, judging=judging, aids=aids)


def _concluded(
    folder: Path, made: Prepared, ending: Ending, *, judging: _Judging, aids: Aids
) -> _Ended:
    judge = judging.judge
    with OpenRun(folder, order=made.order) as done:
        if judge is not None:
            judge.ask_for(done, made.form, aids=aids)
        with Console(stderr=True).status("writing records"):
            summary = conclude(done, form=made.form, aids=aids, engine=ENGINE)
    say_broken(judge, kind=made.form.scorer.kind)
    if judge is None:
        return _Ended(ending=ending, summary=summary)
    figures = judge_figures(
        judge,
        made.form,
        aids=aids,
        records=folder / RECORDS,
        order=made.order,
        labels=judging.labels,
    )
    return _Ended(ending=ending, summary=summary, figures=figures)


async def _asked(
    run: RunFolder,
    made: Prepared,
    limits: Limits,
    *,
    headers: Mapping[str, str],
    sources: Sources,
) -> Ending:
    loop = asyncio.get_running_loop()

    def begun(session: Session) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            stopped = Ending(why=Why.INTERRUPTED, signal=int(number))
            loop.add_signal_handler(number, session.stop, stopped)

    if made.model is not None:
        return await run_local(
            run, form=made.form, responder=made.model, limits=limits, sources=sources, begun=begun
        )
    endpoint = Endpoint(
        made.plan.system.endpoint,
        headers=headers,
        patience=limits.patience,
        streamed="stream" in made.plan.request,
        lines=limits.concurrency,
    )
    return await run_endpoint(
        run, form=made.form, endpoint=endpoint, limits=limits, sources=sources, begun=begun
    )


# The ledger takes as long to load as all the rest; whoever enters nothing does not wait for it.


def _tried(programme: Path, made: Prepared, *, stage: str) -> bool | None:
    from dokja.cli.entering_runs import refuse_entered, tried  # noqa: PLC0415  # see above

    refuse_entered(programme, made, stage=stage)
    return tried(programme, made)


def _enter(programme: Path, folder: Path, made: Prepared, summary: Summary, *, stage: str) -> None:
    from dokja.cli.entering_runs import enter  # noqa: PLC0415  # see above

    enter(programme, folder, made, summary, stage=stage)


def _tell(folder: Path, found: _Ended, *, as_json: bool, show_score: bool) -> int:
    ending, summary, figures = found.ending, found.summary, found.figures
    code = _code(ending, summary)
    if summary is None:
        again = f"dokja measure --resume {folder}"
        say(f"Stopped. Every answer that came is kept. Go on with: {again}", error=True)
        return code
    if as_json:
        judged = {} if figures is None else {"judge": figures.to_json()}
        emit({"schema": "dokja.measure/1", "run": str(folder), **summary.said, **judged})
        return code
    say(f"run       {folder}")
    shown = dict(summary.outcomes)
    if ending.why is not Why.DONE and not show_score:
        # An unfinished run's score is a look at it; whoever wants one says so.
        settled = sum(shown.pop(name, 0) for name in ("correct", "wrong", "scored"))
        shown = {"settled": settled, **shown}
    say("outcomes  " + _listed(shown))
    if summary.open:
        say(f"open      {summary.open:,} samples have no answer, and that is not the model's doing")
    if figures is not None:
        figures.say()
    if summary.faults:
        say("faults    " + _listed(summary.faults))
    if summary.twice:
        say(f"twice     {summary.twice:,} may have been paid for twice")
    if ending.why is not Why.DONE:
        say(f"stopped   {ending.why.value}: {ending.detail}")
    if code in {_BAD, _IDENTITY, _OPEN}:
        say(f"go on     dokja measure --resume {folder}")
    return code


def _listed(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {count:,}" for name, count in counts.items())


def _code(ending: Ending, summary: Summary | None) -> int:
    if ending.signal is not None:
        return _SIGNALLED + ending.signal
    match ending.why:
        case Why.IDENTITY:
            return _IDENTITY
        case Why.CONFIGURATION:
            return _BAD
        case _:
            return _OPEN if summary is None or summary.open else 0
