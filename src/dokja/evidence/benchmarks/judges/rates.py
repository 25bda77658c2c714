"""What share of the answers a judge passed, and what that is worth once its error is known."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dokja.evidence.statistics.judges import JudgeErrors, corrected_rate
from dokja.evidence.statistics.means import clustered_mean
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["JudgedRate", "judged_rates"]

_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRate:
    """The answers of one language, as a judge sees them.

    Attributes:
        language: Its code.
        answers: How many the judge gave a verdict on.
        passed: Share that it passed, with its interval over clusters.
        corrected: The share that is right, by the judge's error in this language; `Missing` where
            that is not known, or where the judge cannot be told from chance.
    """

    language: str
    answers: int
    passed: Measured
    corrected: Measured


def judged_rates(
    answers: Iterable[tuple[str, str, bool]], errors: Sequence[JudgeErrors]
) -> tuple[JudgedRate, ...]:
    """Return the share that a judge passed and what it is worth, by language.

    Args:
        answers: Of each answer that it gave a verdict on: language, cluster, whether it passed.
        errors: Of the judge, by language; none where they were not measured.

    Example:
        >>> [rate] = judged_rates([("ko", "a", True), ("ko", "b", False)], [])
        >>> rate.passed.value, rate.corrected.reason.value
        (0.5, 'not-measured')
    """
    known = {each.language: each for each in errors}
    found: defaultdict[str, list[tuple[str, bool]]] = defaultdict(list)
    for language, cluster, passed in answers:
        found[language].append((cluster, passed))
    rates = []
    for language, given in sorted(found.items()):
        passed_values = [float(passed) for _, passed in given]
        rate = clustered_mean(passed_values, [cluster for cluster, _ in given], level=_LEVEL)
        rates.append(
            JudgedRate(
                language=language,
                answers=len(given),
                passed=rate,
                corrected=_corrected(rate, known.get(language), language=language),
            )
        )
    return tuple(rates)


def _corrected(rate: Measured, errors: JudgeErrors | None, *, language: str) -> Measured:
    if not isinstance(rate, Estimate):
        return rate
    if errors is None:
        return Missing(reason=MissingReason.NOT_MEASURED, what=("judge_error", language))
    return corrected_rate(rate, errors, level=_LEVEL)
