"""`dokja sanity`: try a scorer before it may produce evidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dokja.cli.judge_figures import say_broken
from dokja.cli.judge_models import connected, judge_options, ready_judge
from dokja.cli.printing import as_json, emit, now, say, table
from dokja.cli.programmes import unbroken
from dokja.cli.scorers import aids_for, named_scorer, suite_replies
from dokja.evidence.benchmarks.sanity import (
    ATTACKS,
    SanityReport,
    probe_tasks,
    read_judged,
    try_scorer,
)
from dokja.evidence.benchmarks.scorers import Aids
from dokja.evidence.benchmarks.suites import read_suite_folder

__all__ = ["sanity"]

_ACTOR = "dokja"
_FAILED = 3


@click.command
@click.argument("scorer")
@click.option(
    "--programme",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Enter what is found into this programme's ledger.",
)
@judge_options(judged=False)
@click.option(
    "--judge-store",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/judges"),
    help="Where the judge's replies are kept; runs/judges.",
)
@as_json
def sanity(
    scorer: str, programme: Path | None, judge_store: Path, *, as_json: bool, **options: Any
) -> int:
    """Try SCORER: a kind, a TOML file with a table [scorer], or a suite folder.

    Constant, empty and random texts, echoes, lists, several answers, denials, changes of mind,
    words to whoever scores, and other spellings: none may earn what it does not deserve, and no
    spelling may cost anything. A suite folder is tried on its own items; its labelled replies in
    replies.jsonl, if it has any, are read beside the built-in ones. A judge is tried on fewer
    items, and its error is measured on the replies of --labels.

    \b
    Examples:
      dokja sanity choice
      dokja sanity examples/suites/seasons

    \b
    Exit codes: 0 passed; 2 bad input; 3 it may give no evidence.
    """
    report = _tried(scorer, options, store=judge_store)
    if programme is not None:
        with unbroken(programme) as opened:
            opened.ledger.append([report.draft(on=now().date(), actor=_ACTOR)], at=now())
    if as_json:
        emit({"schema": "dokja.sanity/1", **report.to_json()})
    else:
        _say(report)
    return 0 if report.passed else _FAILED


def _tried(name: str, options: Mapping[str, Any], *, store: Path) -> SanityReport:
    scorer = named_scorer(name)
    ready = ready_judge(options, scorer)
    folder = Path(name)
    tasks, suite, secret = probe_tasks(scorer.kind), "probes", frozenset[str]()
    if folder.is_dir():
        read = read_suite_folder(folder, salted=False)
        tasks, suite = tuple(read.task(item) for item in read.items), read.name
        secret = frozenset(item.id for item in read.items if item.private)
    judged = () if options["labels"] is None else read_judged(options["labels"], tasks)
    labelled = suite_replies(folder)

    def trial(aids: Aids) -> SanityReport:
        return try_scorer(
            *(scorer, tasks),
            suite=suite,
            aids=aids,
            labelled=labelled,
            judged=judged,
            secret=secret,
        )

    with connected(ready, store) as judge:
        if judge is None:
            if scorer.kind == "judge":
                say(
                    "no judge was named: every reply stays without a verdict; --judge names one",
                    error=True,
                )
            return trial(aids_for(scorer))
        report = judge.judged(trial, aids=aids_for(scorer, judge=judge))
        say_broken(judge, kind=scorer.kind)
        return report


def _say(report: SanityReport) -> None:
    say(f"scorer  {report.declaration['scorer']}, {report.scorer}")
    say(f"items   {report.tasks:,} of {report.suite}")
    rows = [
        ["holds" if check.holds else "FAILS", check.attack, f"{check.tried:,}", check.figure]
        for check in report.checks
    ]
    say(table(["", "attack", "tried", "found"], rows))
    for check in report.checks:
        if not check.holds:
            say(f"{check.attack}: {ATTACKS[check.attack]}, allowed {check.bound or 'nothing'}")
            for example in check.examples:
                say(f"  {example}")
    if report.floor is not None:
        floor = report.floor
        said = f"first option {floor.first:.4f}, longest {floor.longest:.4f}"
        say(f"floor   {said}, random {floor.random:.4f}; above these lies skill")
    if report.recall is not None:
        recall = report.recall
        said = f"{recall.found:,} of {recall.of:,} labelled replies, {recall.misread} misread"
        say(f"recall  {recall.share:.4f}: {said}")
    if not report.audited:
        say("audit   not passed: a reply that cannot be read is charged to the operator")
    say("passed" if report.passed else "not passed: its records may give no evidence")
