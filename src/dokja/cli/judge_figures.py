"""What a judge's verdicts on a run are worth, told with its measured error."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.cli.printing import say
from dokja.errors import NotComparableError
from dokja.evidence.benchmarks.judges import ConnectedJudge, JudgedRate, judged_rates
from dokja.evidence.benchmarks.running import Form, Order
from dokja.evidence.benchmarks.sanity import (
    JudgedLabel,
    measured_errors,
    read_judged,
    told_errors,
)
from dokja.evidence.benchmarks.sanity.judging import PASSES
from dokja.evidence.benchmarks.scorers import Aids
from dokja.evidence.statistics.judges import JudgeErrors
from dokja.values import Measured, Missing

__all__ = ["JudgeFigures", "judge_figures", "labels_of", "say_broken"]

_UNJUDGED = "no judge was named: nothing was judged. Name one: dokja rescore RUN --judge MODEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFigures:
    """How a judge was used, how it errs, and what its verdicts come to.

    Attributes:
        judge: The judge, with its file still open.
        errors: By language; none where no labels were named.
        why: Why its error is not known, where labels were named.
        rates: By language.
    """

    judge: ConnectedJudge
    errors: tuple[JudgeErrors, ...]
    why: str
    rates: tuple[JudgedRate, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures for programs."""
        file, counts = self.judge.file, self.judge.counts
        return {
            "model": file.judge.model,
            "digest": str(file.judge.digest),
            "replies": file.path.name,
            "head": str(file.head),
            **counts._asdict(),
            "errors": [
                {
                    "language": each.language,
                    "labels": each.items,
                    "sensitivity": _measured(each.sensitivity),
                    "specificity": _measured(each.specificity),
                }
                for each in self.errors
            ],
            "rates": [
                {
                    "language": each.language,
                    "answers": each.answers,
                    "passed": _measured(each.passed),
                    "corrected": _measured(each.corrected),
                }
                for each in self.rates
            ],
        }

    def say(self) -> None:
        """Print the figures for people."""
        file, counts = self.judge.file, self.judge.counts
        said = f"{counts.asked:,} asked, {counts.kept:,} kept before, {counts.without:,} without a"
        say(f"judge     {file.judge.model}: {said} reply; {file.path.name}")
        for each in self.errors:
            say(f"error     {told_errors(each)} labelled replies")
        if self.why:
            say(f"error     not known: {self.why}")
        for rate in self.rates:
            said = f"{_told(rate.passed)} of {rate.answers:,} answers"
            say(f"passed    {rate.language}: {said}, corrected {_told(rate.corrected)}")
        if not self.errors and not self.why:
            say("error     not known, so that the share is not corrected: name replies that people")
            say("          judged with --labels")


def labels_of(path: Path | None, form: Form) -> tuple[JudgedLabel, ...] | None:
    """Return the labels of a file; None where none was named.

    Raises:
        SuiteError: A line cannot be used; every mistake at once.
    """
    return None if path is None else read_judged(path, [each.task for each in form.questions])


def judge_figures(
    judge: ConnectedJudge,
    form: Form,
    *,
    aids: Aids,
    records: Path,
    order: Order,
    labels: Sequence[JudgedLabel] | None,
) -> JudgeFigures:
    """Return what the judge's verdicts on a run come to.

    Args:
        judge: The judge; it is asked about the labelled replies.
        form: What was asked.
        aids: What the scorer needs.
        records: The run's records.
        order: The run's.
        labels: Replies that people judged; None where none were named.

    Raises:
        RunWriteError: The judge's file cannot be written.
    """
    errors: tuple[JudgeErrors, ...] = ()
    why = ""
    if labels is not None:
        scorer = form.scorer
        judge.judged(
            lambda ready: [scorer.score(each.task, each.reply, aids=ready) for each in labels],
            aids=aids,
        )
        try:
            errors = measured_errors(scorer, labels, aids=judge.beside(aids))
        except NotComparableError as error:
            why = str(error)
    rates = judged_rates(_verdicts(form, records, order), errors)
    return JudgeFigures(judge=judge, errors=errors, why=why, rates=rates)


def say_broken(judge: ConnectedJudge | None, *, kind: str) -> None:
    """Say on standard error that nothing, or not everything, was judged."""
    if kind == "judge" and judge is None:
        say(_UNJUDGED, error=True)
    elif judge is not None and judge.broken:
        say(f"the judge is asked nothing more: {judge.broken}", error=True)


def _verdicts(form: Form, records: Path, order: Order) -> Iterator[tuple[str, str, bool]]:
    """Yield language, cluster and verdict of every answer that has a score."""
    with records.open("rb") as lines:
        for sample, line in enumerate(lines):
            if sample >= order.scored:
                return
            score = json.loads(line).get("score")
            if score is None:
                continue
            question = form.questions[order.place(sample)]
            cluster = next(iter(question.clusters.values()), question.handle)
            yield question.task.language, cluster, score >= PASSES


def _told(measured: Measured) -> str:
    if isinstance(measured, Missing):
        return f"missing ({measured.reason.value})"
    return f"{measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}]"


def _measured(measured: Measured) -> dict[str, Any]:
    if isinstance(measured, Missing):
        return {"missing": measured.reason.value}
    return {
        "value": measured.value,
        "low": measured.low,
        "high": measured.high,
        "level": measured.level,
    }
