"""What a judge's error is, before its verdicts count: measured against people, in each language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dokja.errors import Mistake, NotComparableError, SuiteError
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.sanity.reports import Check
from dokja.evidence.benchmarks.scorers import Aids, Reply, Scorer, Task
from dokja.evidence.statistics.judges import JudgeErrors, judge_errors
from dokja.values import Estimate, parse_json, shown

__all__ = ["PASSES", "JudgedLabel", "judge_check", "measured_errors", "read_judged", "told_errors"]

PASSES = 0.5
"""From this share on, an answer counts as one that the judge passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedLabel:
    """A reply that people have judged, and a judge is to be held against."""

    task: Task
    reply: Reply
    right: bool


def judge_check(scorer: Scorer, judged: Sequence[JudgedLabel], *, aids: Aids) -> Check:
    """Return whether a judge's error is known, and the judge can be told from chance.

    Args:
        scorer: That asks the judge.
        judged: Replies that people have judged; at least 200 in each language.
        aids: The judge.
    """
    if not judged:
        return _refused("no replies that people have judged", tried=0)
    try:
        errors = measured_errors(scorer, judged, aids=aids)
    except NotComparableError as error:
        return _refused(str(error), tried=len(judged))
    told = [told_errors(each) for each in errors]
    return Check(
        attack="judge_error",
        holds=all(_tells(each) for each in errors),
        tried=len(judged),
        figure="; ".join(told),
        bound="sensitivity and specificity above 1 together, at the low ends of their intervals",
    )


def measured_errors(
    scorer: Scorer, judged: Sequence[JudgedLabel], *, aids: Aids
) -> tuple[JudgeErrors, ...]:
    """Return how the judge errs, by language.

    A reply on which the judge gave no verdict is left out: that is our fault, and no opinion.

    Args:
        scorer: That asks the judge.
        judged: Replies that people have judged.
        aids: The judge.

    Raises:
        NotComparableError: There are fewer than 200 verdicts in a language, or none at all.
    """
    scored = [(each, scorer.score(each.task, each.reply, aids=aids)) for each in judged]
    given = [pair for pair in scored if pair[1].outcome is not Outcome.INFRASTRUCTURE_ERROR]
    if not given:
        raise NotComparableError(
            f"the judge gave a verdict on none of {len(judged)} labelled replies"
        )
    return judge_errors(
        np.array([(scoring.score or 0.0) >= PASSES for _, scoring in given], dtype=np.bool_),
        np.array([each.right for each, _ in given], dtype=np.bool_),
        [each.task.language for each, _ in given],
    )


def read_judged(path: Path, tasks: Sequence[Task]) -> tuple[JudgedLabel, ...]:
    """Return replies that people have judged: JSON Lines with `item`, `reply` and `right`.

    Args:
        path: The file.
        tasks: The items.

    Raises:
        SuiteError: A line cannot be used; every mistake at once.
    """
    known = {task.id: task for task in tasks}
    found: list[JudgedLabel] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(_judged(parse_json(line), known))
        except (ValueError, KeyError, TypeError) as error:
            expected = "an object with item, reply, and right: true or false"
            place, read = f"line {number}", shown(str(error))
            mistakes.append(Mistake(file=str(path), place=place, read=read, expected=expected))
    if mistakes:
        raise SuiteError(mistakes)
    return tuple(found)


def told_errors(errors: JudgeErrors) -> str:
    """Return in words how a judge errs in one language, with its intervals."""
    parts = [
        f"{name} {measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}]"
        if isinstance(measured, Estimate)
        else f"{name} missing"
        for name, measured in (
            ("sensitivity", errors.sensitivity),
            ("specificity", errors.specificity),
        )
    ]
    return f"{errors.language}: {', '.join(parts)} on {errors.items}"


def _judged(row: Mapping[str, Any], tasks: Mapping[str, Task]) -> JudgedLabel:
    if not isinstance(row["right"], bool):
        raise TypeError(f"right is {row['right']!r}")
    reply = Reply(text=str(row["reply"]), tokens_out=1)
    return JudgedLabel(task=tasks[str(row["item"])], reply=reply, right=row["right"])


def _tells(errors: JudgeErrors) -> bool:
    """Tell whether a judge can be told from chance, as the correction of its rates needs."""
    found, missed = errors.sensitivity, errors.specificity
    if not isinstance(found, Estimate) or not isinstance(missed, Estimate):
        return False
    return found.low + missed.low > 1


def _refused(figure: str, *, tried: int) -> Check:
    bound = "200 labelled replies in each language"
    return Check(attack="judge_error", holds=False, tried=tried, figure=figure, bound=bound)
