"""What a judge's error is, before its verdicts count: measured against people, in each language."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dokja.errors import NotComparableError
from dokja.evidence.benchmarks.sanity.reports import Check
from dokja.evidence.benchmarks.scorers import Aids, Scorer
from dokja.evidence.statistics.judges import JudgeErrors, judge_errors
from dokja.values import Estimate

if TYPE_CHECKING:
    from dokja.evidence.benchmarks.sanity.trials import JudgedLabel

__all__ = ["judge_check"]

_PASSES = 0.5


def judge_check(scorer: Scorer, judged: "Sequence[JudgedLabel]", *, aids: Aids) -> Check:
    """Return whether a judge's error is known, and the judge can be told from chance.

    Args:
        scorer: That asks the judge.
        judged: Replies that people have judged; at least 200 in each language.
        aids: The judge.
    """
    if not judged:
        return _refused("no replies that people have judged", tried=0)
    passed = np.array(
        [
            (scorer.score(each.task, each.reply, aids=aids).score or 0.0) >= _PASSES
            for each in judged
        ],
        dtype=np.bool_,
    )
    labels = np.array([each.right for each in judged], dtype=np.bool_)
    try:
        errors = judge_errors(passed, labels, [each.task.language for each in judged])
    except NotComparableError as error:
        return _refused(str(error), tried=len(judged))
    told = [_told(each) for each in errors]
    return Check(
        attack="judge_error",
        holds=all(_tells(each) for each in errors),
        tried=len(judged),
        figure="; ".join(told),
        bound="sensitivity and specificity above 1 together, at the low ends of their intervals",
    )


def _tells(errors: JudgeErrors) -> bool:
    """Tell whether a judge can be told from chance, as the correction of its rates needs."""
    found, missed = errors.sensitivity, errors.specificity
    if not isinstance(found, Estimate) or not isinstance(missed, Estimate):
        return False
    return found.low + missed.low > 1


def _told(errors: JudgeErrors) -> str:
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


def _refused(figure: str, *, tried: int) -> Check:
    bound = "200 labelled replies in each language"
    return Check(attack="judge_error", holds=False, tried=tried, figure=figure, bound=bound)
