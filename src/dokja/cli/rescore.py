"""`dokja rescore`: score a run again, from what came over the wire."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dokja import __version__
from dokja.cli.judge_figures import JudgeFigures, judge_figures, labels_of, say_broken
from dokja.cli.judge_models import connected, judge_options, ready_judge
from dokja.cli.measuring import places, read_form
from dokja.cli.printing import as_json, emit, say, table
from dokja.cli.scorers import aids_for, named_scorer
from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.judges import ConnectedJudge
from dokja.evidence.benchmarks.rescoring import Rescored, changes_table, rescore
from dokja.evidence.benchmarks.running import Form, OpenRun, Order, make_order, read_plan
from dokja.evidence.benchmarks.running.summaries import RECORDS
from dokja.evidence.benchmarks.scorers import Aids

__all__ = ["rescore_command"]

_ENGINE = f"dokja {__version__}"
_OPEN = 4


@click.command("rescore")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--scorer",
    metavar="NAME",
    help="A kind, a TOML file with a table [scorer], or a suite; the suite's own by default.",
)
@click.option(
    "--suite",
    type=click.Path(exists=True, path_type=Path),
    help="The suite that was asked, with corrected keys; where it was by default.",
)
@judge_options(judged=True)
@as_json
def rescore_command(
    run: Path, scorer: str | None, suite: Path | None, *, as_json: bool, **options: Any
) -> int:
    """Score RUN again, by another scorer or with corrected keys. Nothing is asked again.

    The old records stay; the new ones stand below the run's folder, named by the scorer's digest.
    What fares otherwise than before is counted. A judge is asked only about what it has not
    replied to yet; its replies are kept in the run's folder.

    \b
    Examples:
      dokja rescore runs/seasons-my-model --scorer choice
      dokja rescore runs/seasons-my-model --suite suites/seasons-corrected

    \b
    Exit codes: 0 done; 2 bad input, or items that are not those that were asked; 4 the judge
    gave no reply to some answers, or its family or that of the judged model is not declared.
    """
    plan = read_plan(run)
    path = _suite(run, suite=suite)
    form = read_form(path, family=plan.family)
    if scorer is not None:
        form = replace(form, scorer=named_scorer(scorer))
    order = make_order(
        [question.stratum for question in form.questions],
        epochs=plan.epochs,
        seed=plan.order.seed,
        sentinels=plan.order.sentinels,
    )
    ready = ready_judge(options, form.scorer, judged=[plan.system.label])
    labels = labels_of(options["labels"], form)
    with connected(ready, run) as judge:
        aids = aids_for(form.scorer, suite=path, budget_granted=plan.granted, judge=judge)
        found = _rescored(run, form, order, aids=aids, judge=judge)
        say_broken(judge, kind=form.scorer.kind)
        figures = None
        if judge is not None:
            records = found.folder / RECORDS
            figures = judge_figures(
                judge, form, aids=aids, records=records, order=order, labels=labels
            )
        _tell(found, figures, as_json=as_json)
    return _OPEN if figures is not None and figures.judge.counts.without else 0


def _rescored(
    run: Path, form: Form, order: Order, *, aids: Aids, judge: ConnectedJudge | None
) -> Rescored:
    with OpenRun(run, order=order) as opened:
        if judge is not None:
            judge.ask_for(opened, form, aids=aids)
        with Console(stderr=True).status("scoring") as status:
            return rescore(
                opened,
                form,
                aids=aids,
                engine=_ENGINE,
                progress=lambda done: status.update(f"scoring {done:,} of {order.samples:,}"),
            )


def _suite(run: Path, *, suite: Path | None) -> Path:
    known = places(run).get("suite")
    path = suite or (None if known is None else Path(known))
    if path is None or not path.exists():
        wrong = Mistake(
            file=str(run),
            place="",
            read="a run whose items are no longer where they were",
            expected="them, to score their answers",
            remedy="Name them with --suite.",
        )
        raise RunError([wrong])
    return path


def _tell(found: Rescored, figures: JudgeFigures | None, *, as_json: bool) -> None:
    if as_json:
        changes = [
            {"before": old, "now": new, "count": count}
            for (old, new), count in found.changes.items()
        ]
        emit(
            {
                "schema": "dokja.rescore/1",
                "folder": str(found.folder),
                "scorer": str(found.scorer),
                "records": str(found.records),
                "samples": found.samples,
                "changed_items": found.changed_items,
                "changes": changes,
                **({} if figures is None else {"judge": figures.to_json()}),
            }
        )
        return
    say(f"records  {found.folder}")
    say(f"scorer   {found.scorer}")
    say(f"samples  {found.samples:,}, of {found.changed_items:,} items some fare otherwise")
    if figures is not None:
        figures.say()
    if found.changes:
        say(table(["before", "now", "samples"], changes_table(found)))
