"""Puts the questions to runs, or to rows, and says which could not be put."""

from collections.abc import Collection, Sequence

import numpy as np

from dokja.evidence.benchmarks.checking.answered import AnsweredRun
from dokja.evidence.benchmarks.checking.findings import Check, CheckReport, Question, Says, Topic
from dokja.evidence.benchmarks.checking.identity import identity_checks
from dokja.evidence.benchmarks.checking.keys import (
    FEWEST_SYSTEMS,
    KeySheet,
    key_checks,
    sheet_of_runs,
)
from dokja.evidence.benchmarks.checking.meetings import (
    Meeting,
    asked_otherwise,
    meeting,
    repeat_rate,
)
from dokja.evidence.benchmarks.checking.moves import drift_checks, rounds_checks
from dokja.evidence.benchmarks.running import Form
from dokja.values import Digest

__all__ = ["check_rows", "check_runs"]

_EARLIER = "earlier runs of the same systems, named with --before"


def check_runs(
    now: Sequence[AnsweredRun],
    before: Sequence[AnsweredRun] = (),
    *,
    form: Form | None = None,
    only: Collection[Topic] = (),
    clusters: str | None = None,
    seed: int = 0,
) -> CheckReport:
    """Return what runs say of endpoints, of what moved, and of keys.

    Args:
        now: Runs on one suite, one a system, at least one.
        before: Earlier runs on it.
        form: The suite's items with their keys; None where they are not there.
        only: Topics that are asked, though nothing can be told; none for all that can be asked.
        clusters: The clustering by which items could have been others; None for item by item.
        seed: Of the items that are drawn to hold keys against.

    Raises:
        RunError: The runs cannot be laid side by side.
    """
    met = meeting(now, before)
    lacking = _lacking(now, before, form=form)
    asked = list(only) if only else [topic for topic in Topic if topic not in lacking]
    repeats = repeat_rate(now)
    checks: list[Check] = []
    notes = _notes(met)
    for topic in Topic:
        if topic not in asked:
            continue
        if topic in lacking and topic is not Topic.ROUNDS:
            checks.append(_untold(topic, met, lacking[topic]))
            continue
        match topic:
            case Topic.IDENTITY:
                checks += identity_checks(met, repeats)
            case Topic.DRIFT:
                checks += drift_checks(met, clusters=clusters)
            case Topic.ROUNDS:
                checks += rounds_checks(met)
            case Topic.KEYS if form is not None:
                sheet = sheet_of_runs(now, form)
                checks += key_checks(sheet, rng=_chance(seed))
                notes += _left_out(sheet)
            case _:
                pass
    return CheckReport(
        suite=now[0].plan.asked.suite,
        systems=tuple(sorted(met.now)),
        before=tuple(sorted(met.before)),
        items=len(met.items),
        checks=tuple(checks),
        repeats=repeats,
        not_asked={topic: why for topic, why in lacking.items() if topic not in asked},
        notes=notes,
        evidence=tuple(sorted(f"run:{run.records}" for run in (*now, *before))),
    )


def check_rows(sheet: KeySheet, *, evidence: Sequence[Digest] = (), seed: int = 0) -> CheckReport:
    """Return what somebody's rows say of keys.

    Args:
        sheet: Letters and keys.
        evidence: Digests of the files that were read.
        seed: Of the items that are drawn to hold keys against.
    """
    return CheckReport(
        suite=sheet.suite,
        systems=sheet.systems,
        before=(),
        items=len(sheet.items),
        checks=tuple(key_checks(sheet, rng=_chance(seed))),
        notes=_left_out(sheet),
        evidence=tuple(sorted(f"file:{digest}" for digest in evidence)),
    )


def _chance(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def _lacking(
    now: Sequence[AnsweredRun], before: Sequence[AnsweredRun], *, form: Form | None
) -> dict[Topic, str]:
    """Return which topics cannot be asked, and what they need."""
    lacking: dict[Topic, str] = {}
    if not before:
        lacking |= {Topic.IDENTITY: _EARLIER, Topic.DRIFT: _EARLIER}
    if not any(
        each is not None for run in now for item in run.items.values() for each in item.rounds
    ):
        lacking[Topic.ROUNDS] = "items asked three times within a run, by dokja measure --sentinels"
    if len(now) < FEWEST_SYSTEMS:
        lacking[Topic.KEYS] = f"{FEWEST_SYSTEMS} systems or more, one run a model"
    elif form is None:
        lacking[Topic.KEYS] = "the suite with its keys, named with --suite"
    elif not any(len(each.task.choices) > 1 for each in form.questions):
        lacking[Topic.KEYS] = "items with options"
    return lacking


def _untold(topic: Topic, met: Meeting, needs: str) -> Check:
    first = next(question for question in Question if question.topic is topic)
    return Check(
        question=first,
        about=tuple(sorted(met.now)),
        says=Says.CANNOT_TELL,
        words=f"this needs {needs}",
    )


def _left_out(sheet: KeySheet) -> tuple[str, ...]:
    if not sheet.left_out:
        return ()
    why = "private, not asked of every system, or without options of which one is the key"
    items = "1 item is" if sheet.left_out == 1 else f"{sheet.left_out:,} items are"
    return (f"{items} left out of the question about keys: {why}",)


def _notes(met: Meeting) -> tuple[str, ...]:
    notes = []
    for label in met.returning:
        other = asked_otherwise(met.now[label].plan, met.before[label].plan)
        if other:
            notes.append(f"{label} was asked with other settings than before: {', '.join(other)}")
    notes += [
        f"{label}: {run.overlapping} questions of a round were asked when the next had begun, so "
        "that a change within the run is seen less well"
        for label, run in sorted(met.now.items())
        if run.overlapping
    ]
    most = max(len(run.items) for run in (*met.now.values(), *met.before.values()))
    if len(met.items) < most:
        notes.append(f"{len(met.items):,} of up to {most:,} items were asked in every run")
    return tuple(notes)
